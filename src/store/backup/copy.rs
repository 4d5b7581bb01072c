//! Copies one database file, page by page, while it is in use.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{
    Connection, OpenFlags,
    backup::{Backup, StepResult},
};
use tokio::sync::oneshot;

use crate::config;
use crate::store::{
    StoreError, connection,
    queue::{Message, Queue},
};

/// How much is copied at once, and how long it pauses after that.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pages: u16,
    interval: Duration,
}

impl Pace {
    pub(super) fn of(backup: &config::Backup) -> Self {
        Self {
            pages: backup.pages_per_step,
            interval: backup.step_interval,
        }
    }

    /// Where nobody else needs the disk.
    pub(super) const UNHURRIED_BY_NOBODY: Self = Self {
        pages: 4_096,
        interval: Duration::ZERO,
    };
}

/// The writer thread's order to copy the ledger.
#[derive(Debug)]
pub(in crate::store) struct LedgerCopy {
    to: PathBuf,
    pace: Pace,
    reply: oneshot::Sender<Result<(), StoreError>>,
}

impl LedgerCopy {
    /// Copies from the writer's own connection. `rounds` does the writer's other work until a given time, on that same
    /// connection, and says whether the writer goes on at all.
    pub(in crate::store) fn run(
        self,
        source: &Connection,
        mut rounds: impl FnMut(Instant) -> bool,
    ) {
        let copied = copy(source, &self.to, self.pace, |until| {
            if rounds(until) {
                Ok(())
            } else {
                Err(StoreError::Closed)
            }
        });
        // Who asked may have left.
        drop(self.reply.send(copied));
    }
}

/// Has the writer thread copy the ledger, and waits for it.
pub(super) fn ask_writer(queue: &Queue, to: PathBuf, pace: Pace) -> Result<(), StoreError> {
    let (reply, answer) = oneshot::channel();
    let copy = Box::new(LedgerCopy { to, pace, reply });
    let pushed = queue.push(Message::Backup { copy }, true);
    pushed.map_err(|_| StoreError::Closed)?;
    answer.blocking_recv().unwrap_or(Err(StoreError::Closed))
}

/// Copies a database that others may write to, as it is at this moment. `go_on` is asked between two steps.
pub(super) fn copy_snapshot(
    from: &Path,
    to: &Path,
    pace: Pace,
    go_on: impl Fn() -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let failed = |source| StoreError::CopyDatabase {
        path: from.to_owned(),
        source,
    };
    let source = connection::open_reader(from).map_err(failed)?;
    // One read transaction from the first page to the last: whoever commits meanwhile commits past it.
    let snapshot = source.unchecked_transaction().map_err(failed)?;
    snapshot
        .query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
        .map_err(failed)?;
    copy(&snapshot, to, pace, |until| {
        go_on()?;
        let now = Instant::now();
        if until > now {
            thread::sleep(until - now);
        }
        Ok(())
    })
}

/// Copies a database that nobody else writes to.
pub(super) fn copy_at_once(source: &Connection, to: &Path) -> Result<(), StoreError> {
    copy(source, to, Pace::UNHURRIED_BY_NOBODY, |_| Ok(()))
}

/// `pause` is called between two steps, with the time at which the next one is due.
fn copy(
    source: &Connection,
    to: &Path,
    pace: Pace,
    mut pause: impl FnMut(Instant) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let failed = |source| StoreError::CopyDatabase {
        path: to.to_owned(),
        source,
    };
    connection::create_private_file(to)?;
    let mut destination = open_destination(to).map_err(failed)?;
    let backup = Backup::new(source, &mut destination).map_err(failed)?;
    loop {
        match backup.step(pace.pages.into()).map_err(failed)? {
            StepResult::Done => break,
            // Busy and locked are for another time, as more is.
            _ => pause(Instant::now() + pace.interval)?,
        }
    }
    drop(backup);
    destination.close().map_err(|(_, source)| failed(source))
}

/// Nothing of it needs to survive before it is whole: it is brought to the disk at the end, or thrown away.
fn open_destination(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.execute_batch(
        "PRAGMA journal_mode = OFF;
         PRAGMA synchronous = OFF;
         PRAGMA locking_mode = EXCLUSIVE;
         PRAGMA cache_size = -1024; -- KiB",
    )?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use tempfile::TempDir;

    use super::*;
    use crate::store::connection::{Checkpoint, checkpoint};

    #[test]
    fn what_the_same_connection_commits_meanwhile_is_in_the_copy_and_nothing_is_copied_twice_for_it()
     {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("a.db");
        connection::create_private_file(&path).unwrap();
        let source = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        source
            .execute_batch(
                "PRAGMA journal_mode = WAL;
                 CREATE TABLE t (n INTEGER PRIMARY KEY, text BLOB);
                 WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 400)
                 INSERT INTO t SELECT n, randomblob(3000) FROM n;",
            )
            .unwrap();
        let pages = || -> u32 {
            source
                .query_row("PRAGMA page_count", [], |row| row.get(0))
                .unwrap()
        };
        let before = pages();
        assert!(before >= 400);
        let steps = Cell::new(0_u32);
        let pace = Pace {
            pages: 4,
            interval: Duration::ZERO,
        };
        let to = directory.path().join("b.db");
        copy(&source, &to, pace, |_| {
            steps.set(steps.get() + 1);
            // At the beginning, which was copied long ago, and at the end.
            source
                .execute(
                    "UPDATE t SET text = zeroblob(3000) WHERE n = ?1",
                    [steps.get()],
                )
                .unwrap();
            source
                .execute("INSERT INTO t (text) VALUES (zeroblob(10))", [])
                .unwrap();
            let how = if steps.get().is_multiple_of(20) {
                Checkpoint::Truncate
            } else {
                Checkpoint::Passive
            };
            checkpoint(&source, how).unwrap();
            Ok(())
        })
        .unwrap();
        assert!(
            steps.get() >= before / 4 - 1 && steps.get() <= pages() / 4 + 2,
            "{} steps",
            steps.get()
        );
        let copied = Connection::open_with_flags(&to, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        let sum = |connection: &Connection| -> (i64, i64, String) {
            connection
                .query_row(
                    "SELECT count(*), count(*) FILTER (WHERE text = zeroblob(3000)),
                         (SELECT group_concat(integrity_check) FROM pragma_integrity_check) FROM t",
                    [],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
                )
                .unwrap()
        };
        let rows = 400 + i64::from(steps.get());
        assert_eq!(
            sum(&copied),
            (rows, i64::from(steps.get()), "ok".to_owned())
        );
    }
}
