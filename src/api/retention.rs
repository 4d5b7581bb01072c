//! What leaves the databases by itself, and how that is going.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One job of retention: what it bounds, and what its last run did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetentionJob {
    /// `metering_events`, `audit_events`, `usage_rollups.minute`, `request_logs` and so on.
    pub name: String,
    /// What may stay.
    pub limits: RetentionLimits,
    /// Whether a run is under way.
    #[serde(default)]
    pub running: bool,
    /// When the last run began that has ended, in milliseconds since the Unix epoch; absent before the first.
    pub last_started_at_unix_ms: Option<i64>,
    /// How long it took, waiting for requests included.
    pub last_duration_ms: Option<u64>,
    /// `ok`, or what went wrong.
    pub last_outcome: Option<String>,
    /// How many rows the last run removed.
    pub removed: u64,
    /// How many rows all runs removed.
    pub removed_total: u64,
    /// When the next run begins, in milliseconds since the Unix epoch; absent where nothing is bounded.
    pub next_at_unix_ms: Option<i64>,
}

/// The bounds of one job. Without any, everything stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetentionLimits {
    /// What is older leaves, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
    /// So many of the newest stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// So many bytes may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}
