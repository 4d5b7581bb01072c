//! The file `state.db`: opened where it is sound, moved aside and begun anew where it is not.

use std::{
    error::Error,
    fs, io, iter,
    path::{Path, PathBuf},
    time::{Duration, UNIX_EPOCH},
};

use rusqlite::{Connection, ErrorCode};

use super::super::{
    StoreError,
    connection::{self, wal_path},
    migrations::Schema,
};
use crate::clock::millis;
use crate::config::Durability;

/// Only a reader can be in the way, and the ledger waits behind this file: better to try again later.
const BUSY_TIMEOUT: Duration = Duration::from_millis(100);

/// Opens the file for writing and creates it where there is none.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    match open_writer(path) {
        Err(error) if is_damage(&error) => {
            move_aside(path, &error)?;
            open_writer(path)
        }
        opened => opened,
    }
}

/// Never `synchronous = FULL`, for what may be lost needs no fsync of its own; but not OFF either: a file that a power
/// loss tore could show one key what belongs to another.
fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let connection = connection::open_writer(path, Schema::State, Durability::ProcessCrash)?;
    connection
        .busy_timeout(BUSY_TIMEOUT)
        .map_err(|source| StoreError::Open {
            path: path.to_owned(),
            source,
        })?;
    Ok(connection)
}

/// Whether the file itself is at fault, so that trying again cannot help. A full disk or a lock is not.
pub(super) fn is_damage(error: &(dyn Error + 'static)) -> bool {
    if let Some(StoreError::NewerSchema { .. }) = error.downcast_ref() {
        return true;
    }
    let mut causes = iter::successors(Some(error), |error| (*error).source());
    match causes.find_map(|cause| cause.downcast_ref::<rusqlite::Error>()) {
        Some(cause) => match cause.sqlite_error_code() {
            // SQL that does not fit the file, or a value of another type, is a schema that is not ours.
            Some(code) => matches!(
                code,
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown
            ),
            None => true,
        },
        // A history of migrations that is not ours.
        None => matches!(error.downcast_ref(), Some(StoreError::Migrate { .. })),
    }
}

/// Where a damaged file goes. One is kept: a disk that damages them all must not be filled with them.
fn aside(path: &Path) -> PathBuf {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".damaged");
    aside.into()
}

/// Moves the file aside. No connection of ours may have it open for writing.
///
/// The write-ahead log goes first: one that is found beside a new file would be played into it.
pub(super) fn move_aside(path: &Path, why: &(dyn Error + 'static)) -> Result<(), StoreError> {
    let aside = aside(path);
    tracing::error!(
        error = why,
        "{} cannot be used and is moved to {}; responses, reasoning state and cached answers kept so far are lost",
        path.display(),
        aside.display()
    );
    let moved = remove(&aside)
        .and_then(|()| remove(&wal_path(&aside)))
        .and_then(|()| rename(&wal_path(path), &wal_path(&aside)))
        .and_then(|()| remove(&shm_path(path)))
        .and_then(|()| rename(path, &aside));
    moved.map_err(|source| StoreError::MoveAside {
        path: path.to_owned(),
        source,
    })
}

/// Removes what was moved aside once everything in it would be past its retention: it holds what people wrote.
pub(super) fn remove_outdated_aside(path: &Path, written_before_unix_ms: i64) {
    let aside = aside(path);
    let Ok(modified) = fs::metadata(&aside).and_then(|metadata| metadata.modified()) else {
        return;
    };
    let modified = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    let modified = millis(modified);
    if modified >= written_before_unix_ms {
        return;
    }
    if let Err(error) = remove(&wal_path(&aside)).and_then(|()| remove(&aside)) {
        tracing::warn!(%error, "{} is past its retention and cannot be removed", aside.display());
    }
}

fn shm_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push("-shm");
    path.into()
}

fn remove(path: &Path) -> io::Result<()> {
    unless_missing(fs::remove_file(path))
}

fn rename(from: &Path, to: &Path) -> io::Result<()> {
    unless_missing(fs::rename(from, to))
}

fn unless_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
