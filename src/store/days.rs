//! The request logs' files, one for each UTC day: their names, which of them are here, and connections to read them.
//!
//! A day file that cannot be opened or read costs its own rows and nothing else.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use parking_lot::Mutex;
use rusqlite::Connection;

use super::{
    StoreError,
    connection::{self, open_reader, wal_path},
    facets::{self, Facets},
    migrations::Schema,
};
use crate::config::{Durability, Storage};
use crate::tasks::{self, Background};

pub(super) const DAY_MS: i64 = 86_400_000;

/// A list that reads a hundred files must not keep a mebibyte of each; the system caches them anyway.
const READER_CACHE: &str = "PRAGMA cache_size = -256; -- KiB";

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

    pub(super) fn end_unix_ms(self) -> i64 {
        self.start_unix_ms().saturating_add(DAY_MS)
    }

    /// The day so many days before.
    pub(super) fn earlier(self, days: u32) -> Self {
        Self(self.0.saturating_sub(i64::from(days)))
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
    /// Those with our schema, and which file of that name it is: one may be made anew after it was dropped. The directory
    /// is ours alone, so nothing comes or goes behind our back.
    ready: Mutex<Ready>,
    /// Connections that nobody uses, the longest unused first.
    idle: Mutex<Vec<(FileOf, Connection)>>,
    idle_max: usize,
    /// What is known of the values in them.
    pub(super) facets: Facets,
}

#[derive(Debug, Default)]
struct Ready {
    days: BTreeMap<Day, FileOf>,
    made: u64,
}

/// A day, and the number of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileOf {
    day: Day,
    number: u64,
}

impl DayFiles {
    /// Finds the day files and brings each to our schema. One that cannot be is reported and left out.
    pub(super) fn open(storage: &Storage) -> Result<Self, StoreError> {
        let files = Self {
            directory: storage.path.clone(),
            ready: Mutex::default(),
            idle: Mutex::default(),
            idle_max: storage.open_day_files_max,
            facets: Facets::new(storage.facet_values_max),
        };
        for day in files.found()? {
            if let Err(error) = files.find_gaps(day) {
                tracing::warn!(%day, error = ?error, "a day of request logs cannot be opened and is left out");
            }
        }
        Ok(files)
    }

    fn find_gaps(&self, day: Day) -> Result<(), StoreError> {
        let connection = self.open_writer(day)?;
        let gaps = facets::gaps(&connection).map_err(|source| StoreError::Open {
            path: self.path(day),
            source,
        })?;
        self.facets.found(day, gaps);
        Ok(())
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
        let mut ready = self.ready.lock();
        if !ready.days.contains_key(&day) {
            ready.made += 1;
            let number = ready.made;
            ready.days.insert(day, FileOf { day, number });
        }
        drop(ready);
        Ok(connection)
    }

    /// Deletes a day's files, which the writer has closed. Whoever reads it reads on: its room is free when the last of
    /// them has ended.
    pub(super) fn remove(&self, day: Day) -> Result<(), StoreError> {
        let file = self.ready.lock().days.remove(&day);
        let mut idle = self.idle.lock();
        let (closing, kept): (Vec<_>, Vec<_>) =
            idle.drain(..).partition(|(file, _)| file.day == day);
        *idle = kept;
        drop(idle);
        drop(closing);
        let held = File::open(self.path(day));
        if let Err(error) = self.remove_files(day) {
            // Listed, it is tried again.
            self.ready.lock().days.extend(file.map(|file| (day, file)));
            return Err(error);
        }
        self.facets.forget(day);
        free_elsewhere(held.ok());
        Ok(())
    }

    fn remove_files(&self, day: Day) -> Result<(), StoreError> {
        let path = self.path(day);
        // The database first: what is left of it after a kill in between is ignored.
        for path in [path.clone(), wal_path(&path), shm_path(&path)] {
            remove_if_there(&path).map_err(|source| StoreError::RemoveFile { path, source })?;
        }
        Ok(())
    }

    /// What a day takes on the disk, in bytes.
    pub(super) fn size_bytes(&self, day: Day) -> u64 {
        let path = self.path(day);
        let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
        size(&path) + size(&wal_path(&path))
    }

    /// The days from `newest` back to `oldest`, newest first.
    pub(super) fn newest_first(&self, newest: Day, oldest: Day) -> Vec<Day> {
        if oldest > newest {
            return Vec::new();
        }
        let ready = self.ready.lock();
        let days = ready.days.range(oldest..=newest).rev();
        days.map(|(day, _)| *day).collect()
    }

    /// All of them, oldest first.
    pub(super) fn oldest_first(&self) -> Vec<Day> {
        self.ready.lock().days.keys().copied().collect()
    }

    pub(super) fn has(&self, day: Day) -> bool {
        self.file_of(day).is_some()
    }

    fn file_of(&self, day: Day) -> Option<FileOf> {
        self.ready.lock().days.get(&day).copied()
    }

    /// Calls `read` with a connection to the day's file, which is kept open for the next reader unless `read` failed.
    pub(super) fn read<T>(
        &self,
        day: Day,
        read: impl FnOnce(&Connection) -> Result<T, rusqlite::Error>,
    ) -> Result<T, StoreError> {
        // Asked first: what is opened after this is this file or a later one, and never a later one kept as this one.
        let file = self.file_of(day);
        let connection = match file.and_then(|file| self.take_idle(file)) {
            Some(connection) => connection,
            None => self.open_to_read(day).map_err(|source| StoreError::Open {
                path: self.path(day),
                source,
            })?,
        };
        let result = read(&connection).map_err(|source| StoreError::Read {
            what: "request logs",
            source,
        })?;
        if let Some(file) = file {
            self.keep_idle(file, connection);
        }
        Ok(result)
    }

    fn open_to_read(&self, day: Day) -> Result<Connection, rusqlite::Error> {
        let connection = open_reader(&self.path(day))?;
        connection.execute_batch(READER_CACHE)?;
        Ok(connection)
    }

    fn take_idle(&self, file: FileOf) -> Option<Connection> {
        let mut idle = self.idle.lock();
        let index = idle.iter().rposition(|(of, _)| *of == file)?;
        Some(idle.remove(index).1)
    }

    fn keep_idle(&self, file: FileOf, connection: Connection) {
        let mut idle = self.idle.lock();
        // Asked under the lock: who drops the day closes what is idle after it is no longer ready.
        if self.file_of(file.day) != Some(file) {
            drop(idle);
            drop(connection);
            return;
        }
        idle.push((file, connection));
        let surplus = idle.len().saturating_sub(self.idle_max);
        // Closed after the lock is released: closing a database file can take a checkpoint.
        let closing: Vec<_> = idle.drain(..surplus).collect();
        drop(idle);
        drop(closing);
    }
}

/// Closes a file that has no name any more. While it was open its room could not be given back, so that removing it took
/// no time; giving back hundreds of megabytes takes some, which the writer does not have.
fn free_elsewhere(file: Option<File>) {
    let Some(file) = file else { return };
    if let Err(error) = tasks::background_thread("day-drop", Background::Idle, move || drop(file)) {
        // The closure is gone with its file: it was freed here.
        tracing::debug!(%error, "a day of request logs was freed by the writer");
    }
}

/// The shared memory that belongs to a database file.
fn shm_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push("-shm");
    path.into()
}

/// `Ok` for a file that is not there.
fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
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
