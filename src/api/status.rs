//! `GET /admin/v1/status`: what this process is and how it is doing.

use serde::{Deserialize, Serialize};

use crate::{CacheStats, ClusterStatus};

/// The gateway at a glance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub service: String,
    pub version: String,
    pub started_at_unix_ms: i64,
    pub now_unix_ms: i64,
    /// `host:port` of the gateway listener, with the port that was really bound.
    pub listen: String,
    pub admin_listen: Option<String>,
    pub admin_socket: Option<String>,
    pub ready: bool,
    pub draining: bool,
    pub providers: u64,
    pub models: u64,
    pub api_keys: u64,
    pub upstreams: u64,
    pub routes: u64,
    pub in_flight: u64,
    pub process: ProcessStatus,
    pub writer: WriterStatus,
    #[serde(default)]
    pub cluster: ClusterStatus,
    #[serde(default)]
    pub cache: CacheStats,
}

/// The operating system's view of the process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessStatus {
    pub pid: u32,
    /// Resident memory in bytes.
    pub rss_bytes: u64,
    pub open_fds: u64,
    pub threads: u64,
    /// User and system CPU time since the start.
    pub cpu_ms: u64,
}

/// The thread that owns the databases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterStatus {
    /// Slots taken in the queue, by records that wait and by requests in flight.
    pub queue_used: u64,
    pub queue_max: u64,
    pub records_written: u64,
    /// Request logs of unmetered requests that found the queue full. Metering is never dropped.
    pub logs_dropped: u64,
    /// Batches that could not be committed.
    pub commit_failures: u64,
    /// Size of the ledger's write-ahead log.
    pub wal_bytes: u64,
    /// Size of the ledger file.
    pub database_bytes: u64,
    #[serde(default)]
    pub state: StateStatus,
}

/// Response state and reasoning state: what may be lost.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StateStatus {
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
