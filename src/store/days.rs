//! The request logs' files, one for each UTC day: their names, which of them are here, and connections to read them.
//!
//! A day file that cannot be opened or read costs its own rows and nothing else.

use std::{
    collections::BTreeSet,
    fmt, fs,
    path::{Path, PathBuf},
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use parking_lot::Mutex;
use rusqlite::Connection;

use super::{
    StoreError,
    connection::{self, open_reader},
    migrations::Schema,
};
use crate::config::Durability;

const DAY_MS: i64 = 86_400_000;

/// A UTC day, counted from the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Day(i64);

impl Day {
    pub(super) fn of(unix_ms: i64) -> Self {
        Self(unix_ms.div_euclid(DAY_MS))
    }

    pub(super) fn start_unix_ms(self) -> i64 {
        self.0.saturating_mul(DAY_MS)
    }

    fn file_name(self) -> String {
        format!("requests-{self}.db")
    }

    fn from_file_name(name: &str) -> Option<Self> {
        let text = name.strip_prefix("requests-")?.strip_suffix(".db")?;
        let date: Date = text.parse().ok()?;
        let start = date.to_zoned(TimeZone::UTC).ok()?.timestamp();
        let day = Self::of(start.as_millisecond());
        // A date can be written in more ways than the one that we look for.
        (day.to_string() == text).then_some(day)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = Timestamp::from_millisecond(self.start_unix_ms()).unwrap_or(Timestamp::MAX);
        start.to_zoned(TimeZone::UTC).date().fmt(f)
    }
}

/// The day files of one data directory.
#[derive(Debug)]
pub(super) struct DayFiles {
    directory: PathBuf,
    /// Those with our schema. The directory is ours alone, so nothing comes or goes behind our back.
    ready: Mutex<BTreeSet<Day>>,
    /// Connections that nobody uses, the longest unused first.
    idle: Mutex<Vec<(Day, Connection)>>,
    idle_max: usize,
}

impl DayFiles {
    /// Finds the day files in `directory` and brings each to our schema. One that cannot be is reported and left out.
    pub(super) fn open(directory: &Path, idle_max: usize) -> Result<Self, StoreError> {
        let files = Self {
            directory: directory.to_owned(),
            ready: Mutex::default(),
            idle: Mutex::default(),
            idle_max,
        };
        for day in files.found()? {
            match files.open_writer(day) {
                Ok(connection) => drop(connection),
                Err(error) => {
                    tracing::warn!(%day, error = ?error, "a day of request logs cannot be opened and is left out");
                }
            }
        }
        Ok(files)
    }

    fn found(&self) -> Result<Vec<Day>, StoreError> {
        let failed = |source| StoreError::ListDirectory {
            path: self.directory.clone(),
            source,
        };
        let mut days = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            days.extend(name.to_str().and_then(Day::from_file_name));
        }
        Ok(days)
    }

    pub(super) fn path(&self, day: Day) -> PathBuf {
        self.directory.join(day.file_name())
    }

    /// Opens a day for writing, creating its file where there is none; from then on it is listed.
    pub(super) fn open_writer(&self, day: Day) -> Result<Connection, StoreError> {
        // Never FULL: a request log is no money, and a second fsync for each batch is a high price for it.
        let durability = Durability::ProcessCrash;
        let connection = connection::open_writer(&self.path(day), Schema::RequestLogs, durability)?;
        self.ready.lock().insert(day);
        Ok(connection)
    }

    /// The days from `newest` back to `oldest`, newest first.
    pub(super) fn newest_first(&self, newest: Day, oldest: Day) -> Vec<Day> {
        if oldest > newest {
            return Vec::new();
        }
        self.ready
            .lock()
            .range(oldest..=newest)
            .rev()
            .copied()
            .collect()
    }

    pub(super) fn has(&self, day: Day) -> bool {
        self.ready.lock().contains(&day)
    }

    /// Calls `read` with a connection to the day's file, which is kept open for the next reader unless `read` failed.
    pub(super) fn read<T>(
        &self,
        day: Day,
        read: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, StoreError> {
        let connection = match self.take_idle(day) {
            Some(connection) => connection,
            None => open_reader(&self.path(day)).map_err(|source| StoreError::Open {
                path: self.path(day),
                source,
            })?,
        };
        let result = read(&connection).map_err(|source| StoreError::Read {
            what: "request logs",
            source,
        })?;
        self.keep_idle(day, connection);
        Ok(result)
    }

    fn take_idle(&self, day: Day) -> Option<Connection> {
        let mut idle = self.idle.lock();
        let index = idle.iter().rposition(|(of, _)| *of == day)?;
        Some(idle.remove(index).1)
    }

    fn keep_idle(&self, day: Day, connection: Connection) {
        let mut idle = self.idle.lock();
        idle.push((day, connection));
        let surplus = idle.len().saturating_sub(self.idle_max);
        // Closed after the lock is released: closing a database file can take a checkpoint.
        let closing: Vec<_> = idle.drain(..surplus).collect();
        drop(idle);
        drop(closing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_named_after_its_utc_date_and_found_by_that_name() {
        let check = |unix_ms: i64, name: &str| {
            let day = Day::of(unix_ms);
            assert_eq!(day.file_name(), name);
            assert_eq!(Day::from_file_name(name), Some(day));
        };
        check(0, "requests-1970-01-01.db");
        check(1_767_225_599_999, "requests-2025-12-31.db");
        check(1_767_225_600_000, "requests-2026-01-01.db");
        for other in [
            "requests-2026-01-01.db-wal",
            "requests-20260101.db",
            "requests-.db",
            "ferrogate.db",
        ] {
            assert_eq!(Day::from_file_name(other), None, "{other}");
        }
    }
}
