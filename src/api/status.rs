//! `GET /admin/v1/status`: what this process is and how it is doing.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{CacheStats, ClusterStatus, LiveStatus, RetentionJob};

/// The gateway at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Always `ferrogate`.
    pub service: String,
    /// The version of the program.
    pub version: String,
    /// When the process started, in milliseconds since the Unix epoch.
    pub started_at_unix_ms: i64,
    /// The gateway's clock, in milliseconds since the Unix epoch.
    pub now_unix_ms: i64,
    /// `host:port` of the gateway listener, with the port that was really bound.
    pub listen: String,
    /// `host:port` of the admin listener; absent without one.
    pub admin_listen: Option<String>,
    /// The path of the admin API's unix socket; absent without one.
    pub admin_socket: Option<String>,
    /// What `/readyz` says.
    pub ready: bool,
    /// Whether it is being taken out of service.
    pub draining: bool,
    /// `operator_drain` or `shutdown`; absent while it does not drain.
    #[serde(default)]
    pub drain_reason: Option<String>,
    /// The newest entry of the configuration's history.
    #[serde(default)]
    pub config_revision: u64,
    /// How many there are, of the file and of the database.
    pub providers: u64,
    /// How many there are, of the file and of the database.
    pub models: u64,
    /// How many there are, of the file and of the database.
    pub api_keys: u64,
    /// How many there are, of the file and of the database.
    pub upstreams: u64,
    /// How many there are, of the file and of the database.
    pub routes: u64,
    /// Requests that have not ended.
    pub in_flight: u64,
    /// The operating system's view.
    pub process: ProcessStatus,
    /// How the databases are doing.
    pub writer: WriterStatus,
    /// Who this node is among others.
    #[serde(default)]
    pub cluster: ClusterStatus,
    /// How full the response cache is.
    #[serde(default)]
    pub cache: CacheStats,
    /// Who reads the live feed, and what they missed.
    #[serde(default)]
    pub live: LiveStatus,
    /// What leaves the databases by age, size and number.
    #[serde(default)]
    pub retention: Vec<RetentionJob>,
}

/// The operating system's view of the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProcessStatus {
    /// Its id.
    pub pid: u32,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
    /// File descriptors that are open.
    pub open_fds: u64,
    /// Threads that there are.
    pub threads: u64,
    /// User and system CPU time since the start.
    pub cpu_ms: u64,
}

/// The thread that owns the databases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WriterStatus {
    /// Slots taken in the queue, by records that wait and by requests in flight.
    pub queue_used: u64,
    /// How many there are.
    pub queue_max: u64,
    /// Since the start.
    pub records_written: u64,
    /// Request logs of unmetered requests that found the queue full. Metering is never dropped.
    pub logs_dropped: u64,
    /// Batches that could not be committed.
    pub commit_failures: u64,
    /// Size of the ledger's write-ahead log.
    pub wal_bytes: u64,
    /// Size of the ledger file.
    pub database_bytes: u64,
    /// What may be lost, and how that is going.
    #[serde(default)]
    pub state: StateStatus,
}

/// Response state and reasoning state: what may be lost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct StateStatus {
    /// Written to the disk since the start.
    pub entries_written: u64,
    /// Had to leave memory before they could be written.
    pub entries_dropped: u64,
    /// Not kept, because they were larger than `[storage] state_entry_max_bytes`.
    pub entries_too_large: u64,
    /// What memory holds, against `[storage] state_memory_max_bytes`.
    pub memory_bytes: u64,
    /// Size of `state.db`.
    pub database_bytes: u64,
}
