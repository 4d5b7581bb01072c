//! How a database file is opened, for writing and for reading: flags, file mode and pragmas.

use std::{
    fs::OpenOptions,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, OpenFlags};

use super::{
    StoreError,
    migrations::{self, Schema},
};
use crate::config::Durability;

pub(super) type ReadPool = r2d2::Pool<SqliteConnectionManager>;

/// Nobody else writes, so that a writer only ever waits for readers, when it truncates the write-ahead log.
const WRITER_BUSY_TIMEOUT: Duration = Duration::from_secs(2);
const READER_BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Above the number of statements any connection runs, so that none is ever parsed twice.
const STATEMENTS_CACHED: usize = 64;

/// The one connection that writes to `path`: creates the file (0600) and brings its schema up to date.
pub(super) fn open_writer(
    path: &Path,
    schema: Schema,
    durability: Durability,
) -> Result<Connection, StoreError> {
    open_writer_with(path, schema, durability, |_, _| Ok(()))
}

/// As [`open_writer`]; `before_migration` sees a file with an older schema as it is, and the version it is brought to.
pub(super) fn open_writer_with(
    path: &Path,
    schema: Schema,
    durability: Durability,
    before_migration: impl FnOnce(&Connection, i64) -> Result<(), StoreError>,
) -> Result<Connection, StoreError> {
    create_private_file(path)?;
    let failed = |source| StoreError::Open {
        path: path.to_owned(),
        source,
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    configure_writer(&connection, durability).map_err(failed)?;
    if let Some(version) = migrations::pending(&connection, path, schema)? {
        before_migration(&connection, version)?;
    }
    migrations::migrate(&mut connection, path, schema)?;
    Ok(connection)
}

/// The order matters: the busy timeout covers what follows, and SQLite takes `auto_vacuum` only before the first
/// table and before the switch to WAL.
fn configure_writer(
    connection: &Connection,
    durability: Durability,
) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(WRITER_BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    connection.execute_batch(
        "PRAGMA auto_vacuum = INCREMENTAL;
         PRAGMA journal_mode = WAL;
         PRAGMA journal_size_limit = 67108864;
         PRAGMA wal_autocheckpoint = 0; -- the writer thread does it between batches
         PRAGMA cache_size = -4096;     -- KiB
         PRAGMA temp_store = MEMORY;",
    )?;
    connection.execute_batch(match durability {
        Durability::ProcessCrash => "PRAGMA synchronous = NORMAL",
        Durability::PowerLoss => "PRAGMA synchronous = FULL",
    })
}

/// A connection that can only read.
pub(super) fn open_reader(path: &Path) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open_with_flags(path, reader_flags())?;
    configure_reader(&connection)?;
    Ok(connection)
}

/// The pool that reads the ledger.
pub(super) fn open_read_pool(path: PathBuf, connections: u32) -> Result<ReadPool, StoreError> {
    let manager = SqliteConnectionManager::file(path)
        .with_flags(reader_flags())
        .with_init(|connection| configure_reader(connection));
    r2d2::Pool::builder()
        .max_size(connections.max(1))
        .min_idle(Some(0))
        // Connections to a local file do not go stale: no test, no reaper.
        .test_on_check_out(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .connection_timeout(READER_BUSY_TIMEOUT)
        .build(manager)
        .map_err(StoreError::OpenPool)
}

fn reader_flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn configure_reader(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(READER_BUSY_TIMEOUT)?;
    connection.execute_batch(
        "PRAGMA query_only = ON;
         PRAGMA cache_size = -1024; -- KiB
         PRAGMA temp_store = MEMORY;",
    )
}

/// SQLite gives its `-wal` and `-shm` files the mode of the database file, so this settles all three.
///
/// A file that exists must not be opened here: POSIX takes a process's locks on a file away when it closes *any*
/// descriptor of it, and with them the locks of the SQLite connections that read it.
pub(super) fn create_private_file(path: &Path) -> Result<(), StoreError> {
    let created = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match created {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
            Err(StoreError::CreateFile {
                path: path.to_owned(),
                source,
            })
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// How far a checkpoint goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checkpoint {
    /// As far as readers allow, waiting for nobody.
    Passive,
    /// Waits for readers, then empties the write-ahead log.
    Truncate,
}

/// Moves committed pages from the write-ahead log into the database file.
pub(super) fn checkpoint(connection: &Connection, how: Checkpoint) -> Result<(), rusqlite::Error> {
    let mut statement = connection.prepare_cached(match how {
        Checkpoint::Passive => "PRAGMA wal_checkpoint(PASSIVE)",
        Checkpoint::Truncate => "PRAGMA wal_checkpoint(TRUNCATE)",
    })?;
    statement.query_row([], |_| Ok(()))
}

/// The write-ahead log that belongs to a database file.
pub(super) fn wal_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push("-wal");
    path.into()
}
