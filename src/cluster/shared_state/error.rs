//! What can go wrong with the shared file.

use std::{io, path::PathBuf};

/// Why the shared file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum SharedStateError {
    #[error("the lock of the shared state {path} cannot be taken")]
    Lock {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the shared state {path} is being written by somebody else for too long")]
    Busy { path: PathBuf },
    #[error("the shared state {path} cannot be read: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("the shared state {path} cannot be written: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("the shared state {path} is damaged: {reason}")]
    Damaged { path: PathBuf, reason: String },
    #[error("the shared state {path} was loaded once and is gone")]
    Gone { path: PathBuf },
    #[error("the shared state {path} is at revision {found}, older than {loaded}, which is loaded")]
    Older {
        path: PathBuf,
        found: u64,
        loaded: u64,
    },
    #[error("the shared state {path} has changed and is still at revision {revision}")]
    SameRevision { path: PathBuf, revision: u64 },
    /// Somebody else was faster.
    #[error("the shared state is at revision {found}, no longer at {expected}")]
    Conflict { expected: u64, found: u64 },
    #[error(
        "{kind} `{id}` has a plain secret in `{field}`, which does not belong into the shared state"
    )]
    PlainSecret {
        kind: String,
        id: String,
        field: &'static str,
    },
    #[error("the work on the shared state was cut short")]
    Cancelled,
}
