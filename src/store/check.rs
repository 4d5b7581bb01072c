//! Whether the database files are sound, without changing any of them: SQLite's own check, the schema, the sizes.
//!
//! Where a gateway has the directory open we are one reader more. Where none has, its lock is held, so that none can
//! begin while we read. See [`verify`](super::verify()) for whether what stands in the ledger adds up.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError},
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, ffi};

use super::{
    LEDGER_FILE, StoreError, connection,
    lock::{DirectoryLock, Shared},
    migrations::{self, Schema},
    verify::open_at_rest,
};
use crate::tasks;

const STATE_FILE: &str = "state.db";
/// More of the same tells nobody anything.
const PROBLEMS_MAX: usize = 10;

/// One database file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseCheck {
    pub path: PathBuf,
    pub size_bytes: u64,
    /// Of its write-ahead log.
    pub wal_bytes: u64,
    pub schema: SchemaCheck,
    /// What SQLite's quick check found, or why the file could not be read.
    pub problems: Vec<String>,
    /// False: there was no time to look at all of it.
    pub checked_whole: bool,
}

/// How the schema of a file stands to the one of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaCheck {
    Current,
    /// The next start brings it up to date.
    Older {
        found: i64,
        known: i64,
    },
    /// A newer version has written it, and this one does not open it.
    Newer {
        found: i64,
        known: i64,
    },
    /// It could not be read.
    Unknown,
}

/// Looks at every database file in `directory`, for at most `time_limit` in all. Blocks on the disk.
///
/// The ledger comes first, and of the request logs the newest day. Nothing is there before the first start, which is
/// no error.
///
/// # Errors
/// When the directory cannot be listed or locked.
pub fn check_databases(
    directory: &Path,
    time_limit: Duration,
) -> Result<Vec<DatabaseCheck>, StoreError> {
    let files = files(directory)?;
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let shared = DirectoryLock::share(directory)?;
    let in_use = matches!(shared, Shared::InUse);
    let ends = Instant::now() + time_limit;
    let checks = files
        .into_iter()
        .map(|(path, schema)| {
            let opened = if in_use {
                connection::open_reader(&path)
            } else {
                open_at_rest(&path)
            };
            let left = ends.saturating_duration_since(Instant::now());
            check(path, schema, opened, left)
        })
        .collect();
    drop(shared);
    Ok(checks)
}

/// The database files, in the order of their worth.
fn files(directory: &Path) -> Result<Vec<(PathBuf, Schema)>, StoreError> {
    let mut files: Vec<(PathBuf, Schema)> =
        [(LEDGER_FILE, Schema::Ledger), (STATE_FILE, Schema::State)]
            .map(|(name, schema)| (directory.join(name), schema))
            .into_iter()
            .filter(|(path, _)| path.is_file())
            .collect();
    let failed = |source| StoreError::ListDirectory {
        path: directory.to_owned(),
        source,
    };
    let mut days = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let is_day = name
            .to_str()
            .and_then(|name| name.strip_prefix("requests-")?.strip_suffix(".db"))
            .is_some();
        days.extend(is_day.then(|| directory.join(name)));
    }
    // Named by their dates.
    days.sort_unstable_by(|one, other| other.cmp(one));
    files.extend(days.into_iter().map(|path| (path, Schema::RequestLogs)));
    Ok(files)
}

fn check(
    path: PathBuf,
    schema: Schema,
    opened: Result<Connection, rusqlite::Error>,
    time_limit: Duration,
) -> DatabaseCheck {
    let size_bytes = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let mut done = DatabaseCheck {
        size_bytes: size_bytes(&path),
        wal_bytes: size_bytes(&connection::wal_path(&path)),
        schema: SchemaCheck::Unknown,
        problems: Vec::new(),
        checked_whole: true,
        path,
    };
    let connection = match opened {
        Ok(connection) => connection,
        Err(error) => {
            done.problems.push(format!("it cannot be opened: {error}"));
            return done;
        }
    };
    done.schema = match migrations::require_current(&connection, &done.path, schema) {
        Ok(()) => SchemaCheck::Current,
        Err(StoreError::OlderSchema { found, known, .. }) => SchemaCheck::Older { found, known },
        Err(StoreError::NewerSchema { found, known, .. }) => SchemaCheck::Newer { found, known },
        Err(error) => {
            done.problems.push(cause(&error));
            SchemaCheck::Unknown
        }
    };
    match quick_check(&connection, time_limit) {
        Ok(problems) => done.problems.extend(problems),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            done.checked_whole = false;
        }
        Err(error) => done.problems.push(error.to_string()),
    }
    done.problems.dedup();
    done
}

/// What stands against the file; nothing where it is sound. Interrupted when the time is up.
fn quick_check(
    connection: &Connection,
    time_limit: Duration,
) -> Result<Vec<String>, rusqlite::Error> {
    let interrupt = connection.get_interrupt_handle();
    let (done, is_done) = mpsc::channel::<()>();
    // Without the thread nothing would end it, and a doctor that hangs helps nobody.
    let watch = tasks::thread("check-time", move || {
        let mut wait = time_limit;
        // Again and again: what has not begun yet cannot be interrupted.
        while is_done.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
            interrupt.interrupt();
            wait = Duration::from_millis(1);
        }
    });
    let Ok(watch) = watch else {
        let interrupted = ffi::Error::new(ffi::SQLITE_INTERRUPT);
        return Err(rusqlite::Error::SqliteFailure(interrupted, None));
    };
    let read = read_problems(connection);
    drop(done);
    // It ends by itself, now at the latest.
    watch.join().unwrap_or_default();
    read
}

fn read_problems(connection: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    let mut statement = connection.prepare(&format!("PRAGMA quick_check({PROBLEMS_MAX})"))?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut problems = Vec::new();
    for row in rows {
        let row = row?;
        if row != "ok" {
            problems.push(row);
        }
    }
    Ok(problems)
}

fn cause(error: &StoreError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom, Write};

    use super::*;
    use crate::config::Durability;

    const LIMIT: Duration = Duration::from_secs(60);

    /// A data directory with a database of each kind, closed.
    fn directory() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, schema) in [
            (LEDGER_FILE, Schema::Ledger),
            (STATE_FILE, Schema::State),
            ("requests-2026-01-01.db", Schema::RequestLogs),
            ("requests-2026-01-02.db", Schema::RequestLogs),
        ] {
            let path = directory.path().join(name);
            connection::open_writer(&path, schema, Durability::ProcessCrash).unwrap();
        }
        directory
    }

    fn names(checks: &[DatabaseCheck]) -> Vec<&str> {
        let names = checks.iter().map(|check| check.path.file_name().unwrap());
        names.map(|name| name.to_str().unwrap()).collect()
    }

    #[test]
    fn sound_files_have_nothing_against_them_and_stay_as_they_are() {
        let directory = directory();
        let listed = |directory: &Path| {
            let mut names: Vec<_> = fs::read_dir(directory)
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            names.sort_unstable();
            names
        };
        let before = listed(directory.path());
        let checks = check_databases(directory.path(), LIMIT).unwrap();
        assert_eq!(
            names(&checks),
            [
                "ferrogate.db",
                "state.db",
                "requests-2026-01-02.db",
                "requests-2026-01-01.db"
            ]
        );
        for check in &checks {
            assert_eq!(check.problems, Vec::<String>::new(), "{check:?}");
            assert_eq!(check.schema, SchemaCheck::Current);
            assert!(check.checked_whole && check.size_bytes > 0);
        }
        assert_eq!(listed(directory.path()), before);
    }

    #[test]
    fn a_damaged_page_and_a_file_that_is_no_database_are_found() {
        let directory = directory();
        let path = directory.path().join(LEDGER_FILE);
        let mut file = fs::File::options().write(true).open(&path).unwrap();
        file.seek(SeekFrom::Start(4096 * 3)).unwrap();
        file.write_all(&[0xA5; 4096 * 4]).unwrap();
        drop(file);
        fs::write(directory.path().join(STATE_FILE), "not a database at all").unwrap();
        let checks = check_databases(directory.path(), LIMIT).unwrap();
        assert!(!checks[0].problems.is_empty(), "{checks:?}");
        assert!(!checks[1].problems.is_empty(), "{checks:?}");
        assert_eq!(checks[1].schema, SchemaCheck::Unknown);
        assert!(checks[2].problems.is_empty(), "{checks:?}");
    }

    #[test]
    fn an_older_and_a_newer_schema_are_told_apart() {
        let directory = directory();
        let set = |version: &str| {
            let connection = Connection::open_with_flags(
                directory.path().join(LEDGER_FILE),
                rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE,
            )
            .unwrap();
            let changes = format!(
                "UPDATE refinery_schema_history SET version = {version}
                 WHERE version = (SELECT max(version) FROM refinery_schema_history)"
            );
            connection.execute_batch(&changes).unwrap();
        };
        set("999");
        let checks = check_databases(directory.path(), LIMIT).unwrap();
        assert!(matches!(
            checks[0].schema,
            SchemaCheck::Newer { found: 999, .. }
        ));
        set("0");
        let checks = check_databases(directory.path(), LIMIT).unwrap();
        assert!(matches!(checks[0].schema, SchemaCheck::Older { .. }));
    }

    #[test]
    fn an_empty_directory_is_no_mistake_and_a_missing_one_is() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(check_databases(directory.path(), LIMIT).unwrap(), []);
        let missing = directory.path().join("missing");
        assert!(check_databases(&missing, LIMIT).is_err());
    }

    #[test]
    fn time_that_is_up_leaves_a_file_unchecked() {
        let directory = directory();
        let path = directory.path().join(LEDGER_FILE);
        let connection =
            Connection::open_with_flags(&path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)
                .unwrap();
        connection
            .execute_batch(
                "CREATE TABLE much (a TEXT, b TEXT);
                 WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
                 INSERT INTO much SELECT hex(randomblob(40)), i FROM n;
                 CREATE INDEX much_a ON much (a);",
            )
            .unwrap();
        drop(connection);
        let checks = check_databases(directory.path(), Duration::ZERO).unwrap();
        assert!(!checks[0].checked_whole, "{:?}", checks[0]);
        assert_eq!(checks[0].problems, Vec::<String>::new());
    }
}
