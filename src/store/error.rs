//! What can go wrong with the store, each variant naming the operation that failed and its subject.

use std::{io, path::PathBuf, sync::Arc};

use super::repricing::Repriced;

/// A failed operation of the store. The cause is the source; `Display` does not repeat it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot create the data directory {}", path.display())]
    CreateDirectory {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "another process has the data directory {} open; stop it, or set `[storage] path` to another directory",
        path.display()
    )]
    InUse { path: PathBuf },
    #[error("cannot lock the data directory with {}", path.display())]
    Lock {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot list the data directory {}", path.display())]
    ListDirectory {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot create {}", path.display())]
    CreateFile {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot remove {}", path.display())]
    RemoveFile {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot open {}", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    #[error("cannot bring the schema of {} up to date", path.display())]
    Migrate {
        path: PathBuf,
        #[source]
        source: Box<refinery::Error>,
    },
    #[error(
        "{} was written by a newer version of FerroGate (schema {found}, this version knows {known}); \
         run that version again, or restore a backup",
        path.display()
    )]
    NewerSchema {
        path: PathBuf,
        found: i64,
        known: i64,
    },
    #[error(
        "{} was written by an older version of FerroGate (schema {found}, this version knows {known}); \
         start the gateway once to bring it up to date",
        path.display()
    )]
    OlderSchema {
        path: PathBuf,
        found: i64,
        known: i64,
    },
    #[error("there is no ledger at {}", path.display())]
    NoLedger { path: PathBuf },
    #[error("cannot read what the ledger remembers beside its rows")]
    Load(#[source] rusqlite::Error),
    #[error("cannot charge the holds that an earlier process left open")]
    ChargeOrphans(#[source] rusqlite::Error),
    #[error("cannot open the pool of read connections")]
    OpenPool(#[source] r2d2::Error),
    #[error("cannot start a thread of the store")]
    StartThread(#[source] io::Error),
    /// Shared, because one failed commit answers everybody who waited for it.
    #[error("cannot commit to the ledger")]
    Commit(#[source] Arc<rusqlite::Error>),
    #[error("cannot checkpoint the ledger")]
    Checkpoint(#[source] rusqlite::Error),
    #[error("the {kind} `{id}` exists already")]
    ResourceExists { kind: &'static str, id: String },
    #[error("the {kind} `{id}` was changed by somebody else in the meantime")]
    RevisionConflict { kind: &'static str, id: String },
    #[error("the secret of the key `{id}` is another key's already")]
    SecretInUse { id: String },
    #[error("the idempotency key came before")]
    IdempotencyKeyTaken,
    #[error("the adjustment `{0}` exists already")]
    AdjustmentExists(String),
    #[error("costs cannot be reckoned anew; {} attempts were corrected before", done.corrected)]
    Reprice {
        done: Box<Repriced>,
        #[source]
        source: rusqlite::Error,
    },
    #[error("what is too old or too much cannot leave {what}")]
    Retain {
        what: &'static str,
        #[source]
        source: rusqlite::Error,
    },
    #[error("another backup is being made; wait for its end")]
    BackupRunning,
    #[error("cannot work on the backup's file {}", path.display())]
    BackupFile {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("cannot copy the database {}", path.display())]
    CopyDatabase {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    #[error(
        "{} has {free_bytes} bytes free, and the backup may need {needed_bytes}; make room, \
         or set `[backup] path` to a folder on another disk",
        path.display()
    )]
    NoSpace {
        path: PathBuf,
        needed_bytes: u64,
        free_bytes: u64,
    },
    #[error("the manifest {} cannot be used: {why}", path.display())]
    Manifest { path: PathBuf, why: String },
    #[error("the backup {} is not sound and is not restored: {problems}", path.display())]
    UnsoundBackup { path: PathBuf, problems: String },
    #[error(
        "{} must be brought to a newer schema, and cannot be copied before that; nothing was changed",
        path.display()
    )]
    BackupBeforeMigration {
        path: PathBuf,
        #[source]
        source: Box<StoreError>,
    },
    #[error(
        "a restore into {} was interrupted; run `ferrogate backup restore` once more",
        path.display()
    )]
    RestoreInterrupted { path: PathBuf },
    #[error("cannot read {what}")]
    Read {
        what: &'static str,
        #[source]
        source: rusqlite::Error,
    },
    #[error("cannot move {} out of the way", path.display())]
    MoveAside {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("state.db cannot be used at the moment; the log says why")]
    StateUnavailable,
    #[error("no read connection became free")]
    Connect(#[source] r2d2::Error),
    #[error("a read was aborted")]
    ReadAborted,
    #[error("the cursor is not one that this list gave out")]
    InvalidCursor,
    #[error("the store is closed")]
    Closed,
}
