//! How far this node is with the shared file.

use std::time::Duration;

use crate::clock::millis;

/// For `/readyz` and the admin API's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncStatus {
    /// The revision that requests go by.
    pub active_revision: Option<u64>,
    /// When the file was last found to be what is active, or newer and sound.
    pub last_sync_at_unix_ms: Option<i64>,
    pub last_sync_error: Option<String>,
    /// What is active may not be what the other nodes have.
    pub stale: bool,
    /// A revision is active. A stale one goes on being served.
    pub ready: bool,
    pub readiness_reason: Readiness,
}

/// Why a node is ready, or is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    StateLoaded,
    /// Nothing was loaded yet.
    RevisionMissing,
    /// The last look at the file went wrong.
    SyncError,
    /// The file has not been looked at for too long.
    StaleState,
}

impl Readiness {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StateLoaded => "state_loaded",
            Self::RevisionMissing => "revision_missing",
            Self::SyncError => "sync_error",
            Self::StaleState => "stale_state",
        }
    }
}

/// What the status is made of.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) active_revision: Option<u64>,
    pub(super) last_sync_at_unix_ms: Option<i64>,
    pub(super) error: Option<String>,
}

impl Progress {
    pub(super) fn status(&self, now_unix_ms: i64, stale_after: Duration) -> SyncStatus {
        let stale_after = millis(stale_after);
        let old = self
            .last_sync_at_unix_ms
            .is_none_or(|at| now_unix_ms.saturating_sub(at) > stale_after);
        let reason = match (self.active_revision, &self.error) {
            (_, Some(_)) => Readiness::SyncError,
            (None, None) => Readiness::RevisionMissing,
            (Some(_), None) if old => Readiness::StaleState,
            (Some(_), None) => Readiness::StateLoaded,
        };
        SyncStatus {
            active_revision: self.active_revision,
            last_sync_at_unix_ms: self.last_sync_at_unix_ms,
            last_sync_error: self.error.clone(),
            stale: old || self.error.is_some(),
            ready: self.active_revision.is_some(),
            readiness_reason: reason,
        }
    }
}
