//! Who this node is among others, and whether what it shares with them is up to date.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The part of `GET /admin/v1/status` about the cluster. A node on its own says so and has no more to tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ClusterStatus {
    /// Whether this node is one of several.
    pub enabled: bool,
    /// What the cluster is called.
    pub cluster_id: String,
    /// What this node is called.
    pub node_id: String,
    /// Where it is, as it was told.
    pub node_region: Option<String>,
    /// Where in the region it is, as it was told.
    pub node_zone: Option<String>,
    /// `local` or `file`.
    pub state_backend: String,
    /// `local` or `redis`.
    pub counter_backend: String,
    /// Which revision of the shared state is in force here.
    pub active_revision: Option<u64>,
    /// In seconds.
    pub last_sync_at_unix: Option<i64>,
    /// Why the shared state could not be read the last time; absent where it could.
    pub last_sync_error: Option<String>,
    /// The shared state could not be read for longer than three polls.
    pub stale: bool,
    /// Whether the node may get requests, as far as the cluster goes.
    pub ready: bool,
    /// `state_loaded`, `operator_drain`, `stale_state`, `sync_error` or `revision_missing`.
    pub readiness_reason: String,
    /// Whether an operator drains it.
    pub draining: bool,
    /// False: new AI requests are refused.
    pub accepting_new_requests: bool,
    /// The counters in Redis; absent where each node counts for itself.
    pub counters: Option<CountersStatus>,
}

/// How the counters that nodes share are doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct CountersStatus {
    /// Whether Redis answers.
    pub connected: bool,
    /// Requests are admitted.
    pub open: bool,
    /// Why they are not: `unreachable`, `failed`, `joining`, `node_id_taken`, `ledger_opening`, `gathering` or `stopping`.
    pub closed_reason: Option<String>,
    /// The nodes whose heartbeats are heard, this one included.
    pub live_nodes: Vec<String>,
    /// What went wrong the last time; absent where nothing did.
    pub last_error: Option<String>,
    /// How long the last heartbeat took, in microseconds.
    pub latency_us: Option<u64>,
    /// Requests since the start that all nodes together had room for.
    pub granted: u64,
    /// Requests since the start that all nodes together had no room for.
    pub limited: u64,
    /// Requests since the start that could not be asked about.
    pub unavailable: u64,
}
