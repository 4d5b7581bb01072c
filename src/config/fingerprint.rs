//! Which settings a reload cannot change, because they are read once: when listeners are opened, or when the process
//! starts. All others follow the configuration in force.
//!
//! What counts is what the settings come to, not how they are written: a default that is written out is no change.

use super::Config;

/// A setting that is another one, and what it takes to put that in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartKey {
    /// Such as `limits.connections_max`.
    pub key: String,
    pub needs: Needs,
}

/// What a setting needs that a reload cannot give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Listeners that are opened anew.
    Listener,
    /// A new process.
    Restart,
}

impl Needs {
    /// The word in the reference.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listener => "new listener",
            Self::Restart => "restart",
        }
    }
}

struct Setting {
    key: &'static str,
    needs: Needs,
    differs: fn(&Config, &Config) -> bool,
}

/// A setting and the field that it becomes.
macro_rules! settings {
    ($($key:literal: $needs:ident, $($field:ident).+;)*) => {
        &[$(Setting {
            key: $key,
            needs: Needs::$needs,
            differs: |old, new| old.$($field).+ != new.$($field).+,
        }),*]
    };
}

const SETTINGS: &[Setting] = settings! {
    "listen": Listener, listen;
    "admin.listen": Listener, admin.listen;
    "admin.socket": Listener, admin.socket;
    "admin.on_gateway": Listener, admin.on_gateway;
    "admin.connections_max": Listener, admin.connections_max;
    "admin.event_buffer_max": Restart, admin.event_buffer_max;
    "admin.events_per_second_max": Restart, admin.events_per_second_max;
    "admin.event_replay_max": Restart, admin.event_replay_max;
    "admin.event_readers_max": Restart, admin.event_readers_max;
    "admin.in_flight_list_max": Restart, admin.in_flight_list_max;
    "limits.header_max_bytes": Listener, limits.header_max_bytes;
    "limits.header_timeout_secs": Listener, limits.header_timeout;
    "limits.write_timeout_secs": Listener, limits.write_timeout;
    "limits.keepalive_timeout_secs": Listener, limits.keepalive_timeout;
    "limits.connections_max": Listener, limits.connections_max;
    "limits.connections_per_address_max": Listener, limits.connections_per_address_max;
    "telemetry.access_log": Restart, telemetry.access_log;
    "telemetry.access_log_sample_rate": Restart, telemetry.access_log_sample_rate;
    "telemetry.access_log_error_rate_limit_per_sec": Restart,
        telemetry.access_log_error_rate_limit_per_sec;
    "telemetry.log_format": Restart, telemetry.log_format;
    "storage.path": Restart, storage.path;
    "storage.settle": Restart, storage.settle;
    "storage.durability": Restart, storage.durability;
    "storage.queue_max_records": Restart, storage.queue_max_records;
    "storage.batch_max_records": Restart, storage.batch_max_records;
    "storage.batch_linger_ms": Restart, storage.batch_linger;
    "storage.read_connections": Restart, storage.read_connections;
    "storage.list_time_limit_ms": Restart, storage.list_time_limit;
    "storage.open_day_files_max": Restart, storage.open_day_files_max;
    "storage.traffic_series_max": Restart, storage.traffic_series_max;
    "storage.facet_values_max": Restart, storage.facet_values_max;
    "storage.request_log_retention_days": Restart, storage.retention.request_log_days;
    "storage.request_log_retention_records": Restart, storage.retention.request_log_records;
    "storage.request_log_retention_max_bytes": Restart, storage.retention.request_log_max_bytes;
    "storage.body_retention_days": Restart, storage.retention.body_days;
    "storage.audit_event_retention_days": Restart, storage.retention.audit_event_days;
    "storage.audit_event_retention_records": Restart, storage.retention.audit_event_records;
    "storage.billing_event_retention_days": Restart, storage.retention.billing_event_days;
    "storage.billing_event_retention_records": Restart, storage.retention.billing_event_records;
    "storage.usage_rollup_minute_retention_days": Restart, storage.retention.usage_rollup_minute_days;
    "storage.usage_rollup_hour_retention_days": Restart, storage.retention.usage_rollup_hour_days;
    "storage.config_revision_retention_records": Restart, storage.retention.config_revision_records;
    "storage.retention_interval_secs": Restart, storage.retention.interval;
    "storage.retention_slice_rows": Restart, storage.retention.slice_rows;
    "storage.response_retention_days": Restart, storage.response_retention;
    "storage.reasoning_retention_hours": Restart, storage.reasoning_retention;
    "storage.state_max_bytes": Restart, storage.state_max_bytes;
    "storage.state_memory_max_bytes": Restart, storage.state_memory_max_bytes;
    "storage.state_entry_max_bytes": Restart, storage.state_entry_max_bytes;
    "secrets.master_key_file": Restart, secrets.master_key;
    "cache.enabled": Restart, cache.enabled;
    "cache.ttl_secs": Restart, cache.ttl;
    "cache.max_records": Restart, cache.max_records;
    "cache.max_bytes": Restart, cache.max_bytes;
    "cache.max_entry_bytes": Restart, cache.max_entry_bytes;
    "cache.scope": Restart, cache.scope;
    "cache.persist": Restart, cache.persist;
    "cache.single_flight_wait_ms": Restart, cache.single_flight_wait;
    "reliability.provider_connect_timeout_ms": Restart, reliability.provider_connect_timeout;
    "reliability.provider_idle_connections_max": Restart, reliability.provider_idle_connections_max;
    "reliability.provider_idle_timeout_secs": Restart, reliability.provider_idle_timeout;
    "reliability.dns_ttl_secs": Restart, reliability.dns_ttl;
    "cluster.enabled": Restart, cluster.enabled;
    "cluster.cluster_id": Restart, cluster.cluster_id;
    "cluster.node_id": Restart, cluster.node_id;
    "cluster.state_backend": Restart, cluster.state_backend;
    "cluster.file_state_path": Restart, cluster.file_state_path;
    "cluster.counter_backend": Restart, cluster.counter_backend;
    "cluster.redis_url": Restart, cluster.redis_url;
    "cluster.redis_connections": Restart, cluster.redis_connections;
    "cluster.counter_timeout_millis": Restart, cluster.counter_timeout;
    "cluster.heartbeat_interval_secs": Restart, cluster.heartbeat_interval;
    "cluster.config_poll_interval_secs": Restart, cluster.config_poll_interval;
};

/// The settings of `new` that a process which runs with `old` cannot go over to, in the order of the reference.
pub fn restart_required(old: &Config, new: &Config) -> Vec<RestartKey> {
    let changed = SETTINGS
        .iter()
        .filter(|setting| (setting.differs)(old, new));
    changed
        .map(|setting| RestartKey {
            key: setting.key.to_owned(),
            needs: setting.needs,
        })
        .collect()
}

/// What the reference says of each setting that a reload cannot change.
#[cfg(test)]
pub(super) fn settings() -> impl Iterator<Item = (&'static str, Needs)> {
    SETTINGS.iter().map(|setting| (setting.key, setting.needs))
}
