//! Who this node is among others, and whether what it shares with them is up to date.

use serde::{Deserialize, Serialize};

/// The part of `GET /admin/v1/status` about the cluster. A node on its own says so and has no more to tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterStatus {
    pub enabled: bool,
    pub cluster_id: String,
    pub node_id: String,
    pub node_region: Option<String>,
    pub node_zone: Option<String>,
    /// `local` or `file`.
    pub state_backend: String,
    /// `local` or `redis`.
    pub counter_backend: String,
    /// Which revision of the shared state is in force here.
    pub active_revision: Option<u64>,
    /// In seconds.
    pub last_sync_at_unix: Option<i64>,
    pub last_sync_error: Option<String>,
    /// The shared state could not be read for longer than three polls.
    pub stale: bool,
    pub ready: bool,
    /// `state_loaded`, `operator_drain`, `stale_state`, `sync_error` or `revision_missing`.
    pub readiness_reason: String,
    pub draining: bool,
    pub accepting_new_requests: bool,
    /// The counters in Redis; absent where each node counts for itself.
    pub counters: Option<CountersStatus>,
}

/// How the counters that nodes share are doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CountersStatus {
    pub connected: bool,
    /// Requests are admitted.
    pub open: bool,
    /// Why they are not: `unreachable`, `failed`, `joining`, `node_id_taken`, `ledger_opening`, `gathering` or `stopping`.
    pub closed_reason: Option<String>,
    /// The nodes whose heartbeats are heard, this one included.
    pub live_nodes: Vec<String>,
    pub last_error: Option<String>,
    /// How long the last heartbeat took, in microseconds.
    pub latency_us: Option<u64>,
    /// Requests since the start that all nodes together had room for, that they had no room for, and that could not
    /// be asked about.
    pub granted: u64,
    pub limited: u64,
    pub unavailable: u64,
}
