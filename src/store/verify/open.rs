//! How a ledger is opened so that nothing in its directory changes.
//!
//! SQLite's ordinary way to read makes files beside the database, and tidies up after a process that was killed. Where
//! a gateway has the ledger open those files are there already, and we are one reader more. Where none has, we hold
//! the directory's lock, so that none can begin, and read without locks and shared memory of SQLite's own:
//!
//! - with a write-ahead log, its index is built in our memory, which exclusive locking does;
//! - without one, the database file is all there is, and is opened as one that nobody can change.

use std::{fmt::Write as _, fs, os::unix::ffi::OsStrExt, path::Path};

use rusqlite::{Connection, Error, OpenFlags, config::DbConfig};

use crate::store::{
    LEDGER_FILE, StoreError, connection,
    lock::{DirectoryLock, Shared},
    migrations::{self, Schema},
};

/// A ledger, open for reading.
#[derive(Debug)]
pub(super) struct OpenLedger {
    pub(super) connection: Connection,
    /// Dropped after the connection.
    _lock: Option<DirectoryLock>,
}

pub(super) fn open(directory: &Path) -> Result<OpenLedger, StoreError> {
    let path = directory.join(LEDGER_FILE);
    if !path.is_file() {
        return Err(StoreError::NoLedger { path });
    }
    let (opened, lock) = match DirectoryLock::share(directory)? {
        Shared::InUse => (connection::open_reader(&path), None),
        Shared::Locked(lock) => (open_at_rest(&path), Some(lock)),
        Shared::NeverLocked => (open_at_rest(&path), None),
    };
    let connection = opened.map_err(|source| StoreError::Open {
        path: path.clone(),
        source,
    })?;
    migrations::require_current(&connection, &path, Schema::Ledger)?;
    Ok(OpenLedger {
        connection,
        _lock: lock,
    })
}

/// Opens a database that no gateway has open.
pub(in crate::store) fn open_at_rest(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let has_log = fs::metadata(connection::wal_path(path)).is_ok_and(|metadata| metadata.len() > 0);
    if !has_log {
        return Connection::open_with_flags(
            immutable_uri(path),
            flags | OpenFlags::SQLITE_OPEN_URI,
        );
    }
    let connection = Connection::open_with_flags_and_vfs(path, flags, c"unix-none")?;
    // Closing would try to move the log into the database.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE")?;
    Ok(connection)
}

fn immutable_uri(path: &Path) -> String {
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            write!(uri, "%{byte:02X}").expect("a string takes all that is written");
        }
    }
    uri.push_str("?immutable=1");
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_itself_in_a_uri() {
        let uri = immutable_uri(Path::new("/a b/ü?x=1#100%.db"));
        assert_eq!(uri, "file:/a%20b/%C3%BC%3Fx%3D1%23100%25.db?immutable=1");
    }
}
