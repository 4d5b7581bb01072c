//! `[reliability]`: time limits, retries, circuit breaker and shutdown.

use std::{ops::RangeInclusive, time::Duration};

use super::reader::Section;

/// How long the gateway waits for providers, and how it leaves.
#[derive(Debug, Clone)]
pub struct Reliability {
    /// `provider_connect_timeout_ms`; default 5000.
    pub provider_connect_timeout: Duration,
    /// `provider_dispatch_timeout_secs`: connect and first content event of a stream together; default 60.
    pub provider_dispatch_timeout: Duration,
    /// `provider_response_timeout_secs`: a whole answer that is not streamed; default 600.
    pub provider_response_timeout: Duration,
    /// `provider_stream_idle_timeout_secs`: between two events of a stream; default 120.
    pub provider_stream_idle_timeout: Duration,
    /// `provider_stream_timeout_secs`: a whole stream; default 3600.
    pub provider_stream_timeout: Duration,
    /// `provider_dispatch_max_retries`: further attempts after a failure that may pass; default 0.
    pub provider_dispatch_max_retries: u32,
    /// `provider_retry_backoff_ms`: the longest pause before the first retry, doubled for each further one; the real
    /// pause is drawn between nothing and that. Default 250.
    pub provider_retry_backoff: Duration,
    /// `provider_retry_wait_max_ms`: no pause is longer, and a provider whose `retry-after` asks for more is not
    /// asked again. Default 5000.
    pub provider_retry_wait_max: Duration,
    /// `provider_response_body_max_bytes` of an answer that is not streamed; default 16 MiB.
    pub provider_response_body_max_bytes: u64,
    /// `stream_event_max_bytes` of one server-sent event; default 1 MiB.
    pub stream_event_max_bytes: usize,
    /// `precommit_wait_ms`: how long status and first events of a stream are held back for content; default 5000.
    pub precommit_wait: Duration,
    /// `precommit_max_bytes` held back; default 16 KiB.
    pub precommit_max_bytes: usize,
    /// `stream_keepalive_interval_secs`: a comment to the client while a committed stream is silent; default 15. 0 switches it off.
    pub stream_keepalive_interval: Duration,
    /// `provider_circuit_breaker_failure_threshold`: consecutive failures by a provider's fault after which it is passed
    /// over; default 5. 0 switches the breaker off.
    pub provider_circuit_breaker_failure_threshold: u32,
    /// `provider_circuit_breaker_cooldown_secs`: for how long, before it is probed again; default 30.
    pub provider_circuit_breaker_cooldown: Duration,
    /// `provider_circuit_breaker_half_open_max`: requests that probe it at a time; default 1.
    pub provider_circuit_breaker_half_open_max: u32,
    /// `provider_credential_retry_secs`: how long a credential that was refused (401, 403) is left aside; default 60.
    pub provider_credential_retry: Duration,
    /// `provider_catalog_timeout_secs`: to read one provider's list of models; default 10.
    pub provider_catalog_timeout: Duration,
    /// `provider_catalog_concurrency_max`: lists read at a time; default 8.
    pub provider_catalog_concurrency_max: usize,
    /// `provider_catalog_max_bytes` of one list; default 8 MiB.
    pub provider_catalog_max_bytes: usize,
    /// `provider_idle_connections_max` kept open towards providers; default 256.
    pub provider_idle_connections_max: usize,
    /// `provider_idle_timeout_secs`: how long one is kept; default 60.
    pub provider_idle_timeout: Duration,
    /// `dns_ttl_secs`: how long a resolved address is used before it is asked for again; default 30.
    pub dns_ttl: Duration,
    /// `graceful_shutdown_grace_period_secs`: how long requests in flight may go on after SIGTERM; default 10.
    pub graceful_shutdown_grace_period: Duration,
    /// `graceful_shutdown_timeout_secs`: then, to end what is left and to flush the databases; default 15.
    pub graceful_shutdown_timeout: Duration,
}

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

impl Reliability {
    pub(super) const LATER: &'static [&'static str] = &[
        "graceful_upgrade_pid_file",
        "graceful_upgrade_sock",
        "graceful_upgrade_sock_retries",
    ];

    // A profile's own have the same ranges.
    pub(super) const DISPATCH_TIMEOUT_SECS: RangeInclusive<u64> = 1..=HOUR;
    pub(super) const RESPONSE_TIMEOUT_SECS: RangeInclusive<u64> = 1..=DAY;
    pub(super) const STREAM_TIMEOUT_SECS: RangeInclusive<u64> = 1..=DAY;

    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        Self {
            provider_connect_timeout: section.millis(
                "provider_connect_timeout_ms",
                5000,
                1..=600_000,
            ),
            provider_dispatch_timeout: section.seconds(
                "provider_dispatch_timeout_secs",
                60,
                Self::DISPATCH_TIMEOUT_SECS,
            ),
            provider_response_timeout: section.seconds(
                "provider_response_timeout_secs",
                600,
                Self::RESPONSE_TIMEOUT_SECS,
            ),
            provider_stream_idle_timeout: section.seconds(
                "provider_stream_idle_timeout_secs",
                120,
                1..=HOUR,
            ),
            provider_stream_timeout: section.seconds(
                "provider_stream_timeout_secs",
                3600,
                Self::STREAM_TIMEOUT_SECS,
            ),
            provider_dispatch_max_retries: section.number(
                "provider_dispatch_max_retries",
                0,
                0..=10,
            ),
            provider_retry_backoff: section.millis("provider_retry_backoff_ms", 250, 1..=60_000),
            provider_retry_wait_max: section.millis(
                "provider_retry_wait_max_ms",
                5000,
                0..=600_000,
            ),
            provider_response_body_max_bytes: section.number(
                "provider_response_body_max_bytes",
                16 << 20,
                1024..=1 << 30,
            ),
            stream_event_max_bytes: section.number(
                "stream_event_max_bytes",
                1 << 20,
                1024..=64 << 20,
            ),
            precommit_wait: section.millis("precommit_wait_ms", 5000, 1..=600_000),
            precommit_max_bytes: section.number("precommit_max_bytes", 16 << 10, 1024..=1 << 20),
            stream_keepalive_interval: section.seconds(
                "stream_keepalive_interval_secs",
                15,
                0..=HOUR,
            ),
            provider_circuit_breaker_failure_threshold: section.number(
                "provider_circuit_breaker_failure_threshold",
                5,
                0..=1_000_000,
            ),
            provider_circuit_breaker_cooldown: section.seconds(
                "provider_circuit_breaker_cooldown_secs",
                30,
                1..=HOUR,
            ),
            provider_circuit_breaker_half_open_max: section.number(
                "provider_circuit_breaker_half_open_max",
                1,
                1..=1000,
            ),
            provider_credential_retry: section.seconds(
                "provider_credential_retry_secs",
                60,
                1..=DAY,
            ),
            provider_catalog_timeout: section.seconds(
                "provider_catalog_timeout_secs",
                10,
                1..=HOUR,
            ),
            provider_catalog_concurrency_max: section.number(
                "provider_catalog_concurrency_max",
                8,
                1..=1024,
            ),
            provider_catalog_max_bytes: section.number(
                "provider_catalog_max_bytes",
                8 << 20,
                1024..=1 << 30,
            ),
            provider_idle_connections_max: section.number(
                "provider_idle_connections_max",
                256,
                1..=65_536,
            ),
            provider_idle_timeout: section.seconds("provider_idle_timeout_secs", 60, 1..=HOUR),
            dns_ttl: section.seconds("dns_ttl_secs", 30, 1..=DAY),
            graceful_shutdown_grace_period: section.seconds(
                "graceful_shutdown_grace_period_secs",
                10,
                1..=HOUR,
            ),
            graceful_shutdown_timeout: section.seconds(
                "graceful_shutdown_timeout_secs",
                15,
                1..=HOUR,
            ),
        }
    }
}
