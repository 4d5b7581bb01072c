//! Backups: consistent copies of the databases, made while requests go on, that can be verified and restored.
//!
//! 1. `ferrogate.db` is copied by SQLite's online backup on the writer's own connection, a few pages between two
//!    batches. What that connection commits meanwhile is carried over into the copy; a copy made on any other
//!    connection would begin anew with every commit, and never end under load.
//! 2. Day files are copied from a snapshot by whoever makes the backup: nobody minds that their write-ahead log grows
//!    for so long. `state.db` is never copied, for it may be lost; neither is the master key, nor the configuration.
//! 3. A backup is a folder with a manifest. It is made under a name that no list shows, brought to the disk, and
//!    renamed: a process that is killed leaves a whole backup or none.
//! 4. One backup is made at a time.
//! 5. A restore verifies first, moves away what was there and deletes nothing. One that was interrupted keeps the
//!    gateway from starting on half of it.

mod copy;
mod create;
mod digest;
mod directory;
mod facts;
mod offline;
mod restore;
mod verify;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ferrogate_api::{Backup, BackupReport};
use parking_lot::Mutex;

pub(super) use self::{
    copy::LedgerCopy, offline::before_migration, restore::require_no_interrupted_restore,
};
use self::{
    copy::Pace,
    create::{Order, Sources},
};
pub use self::{
    directory::{list as list_backups, prune as prune_backups},
    offline::create as create_backup,
    restore::{Restored, restore as restore_backup},
    verify::verify as verify_backup,
};
use super::{Store, StoreError, queue::Queue};
use crate::clock::{Clock, millis};
use crate::config;

/// What is to be copied, and what the manifest says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackupRequest {
    /// The request logs too.
    pub include_request_logs: bool,
    /// Why; it stays in the manifest.
    pub reason: String,
    /// Of the configuration file in force.
    pub config_sha256: Option<String>,
}

/// Where the store's backups are, and whether one is being made.
#[derive(Debug)]
pub(super) struct Backups {
    settings: Mutex<config::Backup>,
    clock: Clock,
    running: AtomicBool,
}

impl Backups {
    pub(super) fn new(backup: &config::Backup, clock: Clock) -> Self {
        Self {
            settings: Mutex::new(backup.clone()),
            clock,
            running: AtomicBool::new(false),
        }
    }

    fn directory(&self) -> PathBuf {
        self.settings.lock().path.clone()
    }

    fn begin(self: &Arc<Self>) -> Result<Running, StoreError> {
        if self.running.swap(true, Ordering::AcqRel) {
            return Err(StoreError::BackupRunning);
        }
        Ok(Running(Arc::clone(self)))
    }
}

/// Held while a backup is made.
#[derive(Debug)]
struct Running(Arc<Backups>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::Release);
    }
}

impl Store {
    /// Has backups go by other settings from the next one on.
    pub fn configure_backups(&self, backup: &config::Backup) {
        *self.0.backups.settings.lock() = backup.clone();
    }

    /// Whether the newest backup is so old, or there is none. What was copied before a migration is not counted: it is
    /// the ledger of another version.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn backup_is_due(&self, interval: Duration) -> Result<bool, StoreError> {
        let now_unix_ms = self.0.backups.clock.unix_ms();
        let interval_ms = millis(interval);
        let backups = self.backups().await?;
        let newest = backups
            .iter()
            .find(|backup| !backup.name.starts_with(directory::BEFORE_MIGRATION));
        Ok(newest.is_none_or(|newest| {
            now_unix_ms.saturating_sub(newest.created_at_unix_ms) >= interval_ms
        }))
    }

    /// Makes a backup. Who stops waiting does not stop it.
    ///
    /// # Errors
    /// [`StoreError::BackupRunning`] while another one is made; [`StoreError::NoSpace`] where it would not fit; when
    /// the disk fails, or the store is closed before the end: then nothing of it is left.
    pub async fn backup(&self, request: BackupRequest) -> Result<Backup, StoreError> {
        let running = self.0.backups.begin()?;
        let queue = Arc::clone(&self.0.queue);
        let ledger = self.0.ledger_path.clone();
        blocking(move || {
            let settings = running.0.settings.lock().clone();
            let order = Order {
                directory: &settings.path,
                request: &request,
                prefix: None,
                now_unix_ms: running.0.clock.unix_ms(),
            };
            create::create(
                &order,
                &InUse {
                    queue: &queue,
                    ledger,
                    pace: Pace::of(&settings),
                },
            )
        })
        .await
    }

    /// The backups there are, newest first. A folder whose manifest cannot be read is none.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn backups(&self) -> Result<Vec<Backup>, StoreError> {
        let directory = self.0.backups.directory();
        blocking(move || directory::list(&directory)).await
    }

    /// One backup; `None` where there is none of that name.
    ///
    /// # Errors
    /// When its manifest cannot be read.
    pub async fn find_backup(&self, name: String) -> Result<Option<Backup>, StoreError> {
        let directory = self.0.backups.directory();
        blocking(move || directory::find(&directory, &name)).await
    }

    /// Reads a backup from beginning to end and tries it; `None` where there is none of that name.
    ///
    /// # Errors
    /// When the trial copy cannot be made. What is wrong with the backup is in the report.
    pub async fn verify_backup(&self, name: String) -> Result<Option<BackupReport>, StoreError> {
        let directory = self.0.backups.directory();
        blocking(move || match directory::path_of(&directory, &name) {
            Some(path) => verify::verify(&path).map(Some),
            None => Ok(None),
        })
        .await
    }

    /// Deletes a backup; says whether there was one of that name.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn delete_backup(&self, name: String) -> Result<bool, StoreError> {
        let directory = self.0.backups.directory();
        blocking(move || directory::delete(&directory, &name)).await
    }

    /// Deletes the oldest backups but for so many, and names them.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn prune_backups(&self, keep: u32) -> Result<Vec<String>, StoreError> {
        let directory = self.0.backups.directory();
        blocking(move || directory::prune(&directory, keep)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| StoreError::ReadAborted)?
}

/// The data directory of a store that is open.
struct InUse<'s> {
    queue: &'s Queue,
    ledger: PathBuf,
    pace: Pace,
}

impl Sources for InUse<'_> {
    fn ledger_path(&self) -> PathBuf {
        self.ledger.clone()
    }

    fn copy_ledger(&self, to: PathBuf) -> Result<(), StoreError> {
        copy::ask_writer(self.queue, to, self.pace)
    }

    fn day_files(&self) -> Result<Vec<PathBuf>, StoreError> {
        let directory = self.ledger.parent().unwrap_or(Path::new("."));
        create::day_files_in(directory)
    }

    fn copy_day(&self, from: &Path, to: &Path) -> Result<(), StoreError> {
        copy::copy_snapshot(from, to, self.pace, || self.go_on())
    }

    fn go_on(&self) -> Result<(), StoreError> {
        if self.queue.is_closed() {
            return Err(StoreError::Closed);
        }
        Ok(())
    }
}
