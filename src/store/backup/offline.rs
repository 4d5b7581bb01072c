//! Backups of a data directory that no gateway has open: by hand, and before a migration.

use std::path::{Path, PathBuf};

use ferrogate_api::Backup;
use rusqlite::Connection;

use super::{
    BackupRequest, copy,
    create::{self, Order, Sources},
    directory::BEFORE_MIGRATION,
};
use crate::clock::Clock;
use crate::config;
use crate::store::{LEDGER_FILE, StoreError, lock::DirectoryLock, verify};

/// Makes a backup of a data directory that no gateway has open, and changes nothing in it.
///
/// # Errors
/// When a gateway has it open, when there is no ledger in it, or when the disk fails.
pub fn create(
    data_directory: &Path,
    directory: &Path,
    request: &BackupRequest,
    clock: &Clock,
) -> Result<Backup, StoreError> {
    let ledger = data_directory.join(LEDGER_FILE);
    if !ledger.is_file() {
        return Err(StoreError::NoLedger { path: ledger });
    }
    let _lock = DirectoryLock::acquire(data_directory)?;
    let order = Order {
        directory,
        request,
        prefix: None,
        now_unix_ms: clock.unix_ms(),
    };
    create::create(&order, &AtRest { data_directory })
}

/// Copies the ledger as it is, before it is brought to another schema.
pub(in crate::store) fn before_migration(
    connection: &Connection,
    ledger: &Path,
    backup: &config::Backup,
    (to_version, now_unix_ms): (i64, i64),
) -> Result<(), StoreError> {
    let request = BackupRequest {
        reason: "before-migration".to_owned(),
        ..BackupRequest::default()
    };
    let order = Order {
        directory: &backup.path,
        request: &request,
        prefix: Some(format!("{BEFORE_MIGRATION}V{to_version}-")),
        now_unix_ms,
    };
    let made = create::create(&order, &Opened { connection, ledger });
    let made = made.map_err(|source| StoreError::BackupBeforeMigration {
        path: ledger.to_owned(),
        source: Box::new(source),
    })?;
    tracing::info!(
        backup = made.name,
        path = %backup.path.display(),
        "the database was copied before its schema changes"
    );
    Ok(())
}

/// A data directory whose lock we hold.
struct AtRest<'d> {
    data_directory: &'d Path,
}

impl Sources for AtRest<'_> {
    fn ledger_path(&self) -> PathBuf {
        self.data_directory.join(LEDGER_FILE)
    }

    fn copy_ledger(&self, to: PathBuf) -> Result<(), StoreError> {
        copy_file(&self.ledger_path(), &to)
    }

    fn day_files(&self) -> Result<Vec<PathBuf>, StoreError> {
        create::day_files_in(self.data_directory)
    }

    fn copy_day(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        copy_file(from, to)
    }

    fn go_on(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// A ledger that is open in this process and that nobody writes to yet.
struct Opened<'c> {
    connection: &'c Connection,
    ledger: &'c Path,
}

impl Sources for Opened<'_> {
    fn ledger_path(&self) -> PathBuf {
        self.ledger.to_owned()
    }

    fn copy_ledger(&self, to: PathBuf) -> Result<(), StoreError> {
        copy::copy_at_once(self.connection, &to)
    }

    fn day_files(&self) -> Result<Vec<PathBuf>, StoreError> {
        Ok(Vec::new())
    }

    fn copy_day(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        copy_file(from, to)
    }

    fn go_on(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Copies a database that nobody has open, with what its write-ahead log holds.
fn copy_file(from: &Path, to: &Path) -> Result<(), StoreError> {
    let source = verify::open_at_rest(from).map_err(|source| StoreError::Open {
        path: from.to_owned(),
        source,
    })?;
    copy::copy_at_once(&source, to)
}
