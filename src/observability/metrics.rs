//! Every Prometheus metric of the gateway, by name, as a typed field.
//!
//! Invariant: label values are bounded. Models and providers are names that were registered with
//! [`Metrics::register_names`], or `other`; alerts are those that are watched; everything else is a word of the gateway's
//! own.

use std::sync::Arc;

use ferrogate_api::{BudgetThreshold, CacheStats, RequestLog, WriterStatus};
use parking_lot::Mutex;
use prometheus::{
    Encoder as _, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, Registry,
    TextEncoder, process_collector::ProcessCollector,
};

use super::alert_metrics::AlertMetrics;
use super::cache_metrics::CacheMetrics;
use super::registrar::Registrar;
use super::series::SeriesTable;
use crate::error::ErrorKind;

/// Upper bounds of request durations and times to first token, in seconds.
const DURATION_BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    120.0, 300.0, 600.0,
];
/// Upper bounds of what the gateway adds, in seconds: it is meant to be microseconds.
const OVERHEAD_BUCKETS: &[f64] = &[
    0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05,
];

/// The refusals that say something about keys, counted by their code.
const AUTH_FAILURES: [ErrorKind; 7] = [
    ErrorKind::MissingApiKey,
    ErrorKind::InvalidApiKey,
    ErrorKind::ApiKeyInUrl,
    ErrorKind::ApiKeyDisabled,
    ErrorKind::ApiKeyExpired,
    ErrorKind::TenantDisabled,
    ErrorKind::ScopeDenied,
];

/// The metrics of one process, in a registry of their own.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    series: SeriesTable,
    gateway_overhead_seconds: Histogram,
    upstream_attempts_total: IntCounterVec,
    stream_outcomes_total: IntCounterVec,
    auth_failures_total: IntCounterVec,
    budget_thresholds_total: IntCounterVec,
    writer: Mutex<WriterMetrics>,
    cache: CacheMetrics,
    alerts: AlertMetrics,
    /// Set before [`Metrics::encode`], from the table of requests in flight.
    pub requests_in_flight: IntGauge,
    /// Client connections that are open.
    pub connections: IntGauge,
    /// Connections that were turned away by a connection cap.
    pub rejected_connections_total: IntCounter,
}

/// The metrics that each request has under labels of its own.
#[derive(Debug, Clone)]
pub(super) struct RequestFamilies {
    pub(super) requests_total: IntCounterVec,
    pub(super) request_duration_seconds: HistogramVec,
    pub(super) time_to_first_token_seconds: HistogramVec,
    pub(super) tokens_total: IntCounterVec,
    pub(super) cost_nanos_total: IntCounterVec,
}

/// What the writer thread reports, as of the last scrape.
#[derive(Debug)]
struct WriterMetrics {
    queue_used: IntGauge,
    queue_max: IntGauge,
    wal_bytes: IntGauge,
    database_bytes: IntGauge,
    records_written_total: IntCounter,
    logs_dropped_total: IntCounter,
    commit_failures_total: IntCounter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    pub fn new() -> Self {
        let registry = Registry::new();
        let all = Registrar::new(&registry);
        all.register(ProcessCollector::for_self());
        all.gauges(
            "ferrogate_build_info",
            "Always 1; the label says which build this is.",
            &["version"],
        )
        .with_label_values(&[env!("CARGO_PKG_VERSION")])
        .set(1);
        Self {
            series: SeriesTable::new(RequestFamilies::new(&all)),
            gateway_overhead_seconds: all.histogram(
                "ferrogate_gateway_overhead_seconds",
                "What the gateway itself added to a request: its duration without the waits for client and upstream.",
                OVERHEAD_BUCKETS,
            ),
            upstream_attempts_total: all.counters(
                "ferrogate_upstream_attempts_total",
                "Attempts at providers; the result is `ok` or the code of the error.",
                &["provider", "result"],
            ),
            stream_outcomes_total: all.counters(
                "ferrogate_stream_outcomes_total",
                "Streamed answers, by how they ended.",
                &["outcome"],
            ),
            auth_failures_total: all.counters(
                "ferrogate_auth_failures_total",
                "Requests refused for their key, by the code of the error.",
                &["code"],
            ),
            budget_thresholds_total: all.counters(
                "ferrogate_budget_thresholds_total",
                "Budgets that were used up to a threshold, by the kind of their account and the percentage.",
                &["account_kind", "percent"],
            ),
            requests_in_flight: all.gauge("ferrogate_requests_in_flight", "Requests that have not ended."),
            connections: all.gauge("ferrogate_connections", "Client connections that are open."),
            rejected_connections_total: all.counter(
                "ferrogate_rejected_connections_total",
                "Client connections turned away by a connection cap.",
            ),
            writer: Mutex::new(WriterMetrics::new(&all)),
            cache: CacheMetrics::new(&all),
            alerts: AlertMetrics::new(&all),
            registry,
        }
    }

    /// Sets the names that labels may have from now on: those of the configuration in force.
    pub fn register_names<'a>(
        &self,
        models: impl IntoIterator<Item = &'a str>,
        providers: impl IntoIterator<Item = &'a str>,
    ) {
        self.series.register_names(models, providers);
    }

    /// Counts a request that ended.
    pub fn record(&self, log: &RequestLog) {
        self.series.record(log);
        self.cache.record(log);
        if let Some(overhead_us) = log.overhead_us {
            self.gateway_overhead_seconds.observe(seconds(overhead_us));
        }
        if log.stream {
            self.stream_outcomes_total
                .with_label_values(&[log.outcome.as_str()])
                .inc();
        }
        if let Some(code) = log.error_code.as_deref() {
            self.count_auth_failure(code);
        }
    }

    /// Counts a refusal that leaves no request log, such as one of the admin API.
    pub fn auth_failed(&self, kind: ErrorKind) {
        self.count_auth_failure(kind.code());
    }

    /// Takes over what the cache reports; call it before [`Metrics::encode`].
    pub fn set_cache(&self, stats: &CacheStats) {
        self.cache.set(stats);
    }

    /// Takes over which rules there are, and whether they fire.
    pub fn set_alerts(&self, rules: &[(Arc<str>, bool)]) {
        self.alerts.set(rules);
    }

    /// Counts a budget that has reached a threshold.
    pub fn budget_threshold(&self, reached: &BudgetThreshold) {
        let percent = reached.percent.to_string();
        self.budget_thresholds_total
            .with_label_values(&[reached.account.kind.as_str(), percent.as_str()])
            .inc();
    }

    /// Counts one attempt at a provider, and why it failed if it did.
    pub fn upstream_attempt(&self, provider: &str, failure: Option<ErrorKind>) {
        let provider = self.series.provider_label(provider);
        let result = failure.map_or("ok", ErrorKind::code);
        self.upstream_attempts_total
            .with_label_values(&[provider, result])
            .inc();
    }

    /// Takes over what the writer thread reports; call it before [`Metrics::encode`].
    pub fn set_writer(&self, status: &WriterStatus) {
        self.writer.lock().set(status);
    }

    /// All metrics in Prometheus' text format, version 0.0.4.
    pub fn encode(&self) -> String {
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .expect("writing into memory does not fail");
        String::from_utf8_lossy(&text).into_owned()
    }

    fn count_auth_failure(&self, code: &str) {
        if AUTH_FAILURES.iter().any(|kind| kind.code() == code) {
            self.auth_failures_total.with_label_values(&[code]).inc();
        }
    }
}

impl RequestFamilies {
    fn new(all: &Registrar<'_>) -> Self {
        Self {
            requests_total: all.counters(
                "ferrogate_requests_total",
                "Requests that ended.",
                &["endpoint", "model", "provider", "status"],
            ),
            request_duration_seconds: all.histograms(
                "ferrogate_request_duration_seconds",
                "From a request's first header to the last byte of its answer.",
                (&["endpoint", "model"], DURATION_BUCKETS),
            ),
            time_to_first_token_seconds: all.histograms(
                "ferrogate_time_to_first_token_seconds",
                "From a request's first header to the first content of its answer.",
                (&["model"], DURATION_BUCKETS),
            ),
            tokens_total: all.counters(
                "ferrogate_tokens_total",
                "Tokens metered. `input` includes `cache_read` and `cache_write`, `output` includes `reasoning`.",
                &["model", "provider", "type"],
            ),
            cost_nanos_total: all.counters(
                "ferrogate_cost_nanos_total",
                "Cost in nano-units of the price list's currency, over the priced requests.",
                &["model", "provider"],
            ),
        }
    }
}

impl WriterMetrics {
    fn new(all: &Registrar<'_>) -> Self {
        Self {
            queue_used: all.gauge(
                "ferrogate_writer_queue_used",
                "Slots of the writer's queue taken by waiting records and by requests in flight.",
            ),
            queue_max: all.gauge("ferrogate_writer_queue_max", "Slots of the writer's queue."),
            wal_bytes: all.gauge(
                "ferrogate_ledger_wal_bytes",
                "Size of the ledger's write-ahead log.",
            ),
            database_bytes: all.gauge(
                "ferrogate_ledger_database_bytes",
                "Size of the ledger file.",
            ),
            records_written_total: all.counter(
                "ferrogate_writer_records_written_total",
                "Records committed by the writer.",
            ),
            logs_dropped_total: all.counter(
                "ferrogate_writer_logs_dropped_total",
                "Request logs of unmetered requests that found the writer's queue full.",
            ),
            commit_failures_total: all.counter(
                "ferrogate_writer_commit_failures_total",
                "Batches that could not be committed.",
            ),
        }
    }

    fn set(&self, status: &WriterStatus) {
        let gauge =
            |gauge: &IntGauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        gauge(&self.queue_used, status.queue_used);
        gauge(&self.queue_max, status.queue_max);
        gauge(&self.wal_bytes, status.wal_bytes);
        gauge(&self.database_bytes, status.database_bytes);
        // The lock around these metrics keeps two scrapes from adding the same difference twice.
        let raise =
            |counter: &IntCounter, value: u64| counter.inc_by(value.saturating_sub(counter.get()));
        raise(&self.records_written_total, status.records_written);
        raise(&self.logs_dropped_total, status.logs_dropped);
        raise(&self.commit_failures_total, status.commit_failures);
    }
}

pub(super) fn seconds(micros: u64) -> f64 {
    std::time::Duration::from_micros(micros).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use ferrogate_api::{Outcome, Tokens};

    use super::super::series::tests::log;
    use super::*;

    #[test]
    fn every_metric_has_its_name_in_the_text() {
        let metrics = Metrics::new();
        metrics.register_names(["fast"], ["openai"]);
        let mut request = log("fast", "openai", 200);
        request.stream = true;
        request.overhead_us = Some(40);
        metrics.record(&request);
        metrics.upstream_attempt("openai", None);
        metrics.auth_failed(ErrorKind::InvalidApiKey);
        let text = metrics.encode();
        for line in [
            r#"ferrogate_requests_total{endpoint="chat.completions",model="fast",provider="openai",status="200"} 1"#,
            r#"ferrogate_request_duration_seconds_bucket{endpoint="chat.completions",model="fast",le="0.0025"} 1"#,
            r#"ferrogate_request_duration_seconds_count{endpoint="chat.completions",model="fast"} 1"#,
            r#"ferrogate_time_to_first_token_seconds_count{model="fast"} 1"#,
            r#"ferrogate_gateway_overhead_seconds_bucket{le="0.00005"} 1"#,
            r#"ferrogate_tokens_total{model="fast",provider="openai",type="input"} 7"#,
            r#"ferrogate_cost_nanos_total{model="fast",provider="openai"} 11"#,
            r#"ferrogate_upstream_attempts_total{provider="openai",result="ok"} 1"#,
            r#"ferrogate_stream_outcomes_total{outcome="complete"} 1"#,
            "ferrogate_requests_in_flight 0",
            "ferrogate_connections 0",
            "ferrogate_rejected_connections_total 0",
            r#"ferrogate_auth_failures_total{code="invalid_api_key"} 1"#,
            "ferrogate_writer_queue_used 0",
            "ferrogate_writer_queue_max 0",
            "ferrogate_writer_records_written_total 0",
            "ferrogate_writer_logs_dropped_total 0",
            "ferrogate_writer_commit_failures_total 0",
            "ferrogate_ledger_wal_bytes 0",
            "ferrogate_ledger_database_bytes 0",
            concat!(
                r#"ferrogate_build_info{version=""#,
                env!("CARGO_PKG_VERSION"),
                r#""} 1"#
            ),
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "no `{line}` in:\n{text}"
            );
        }
        for name in [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_start_time_seconds",
        ] {
            assert!(
                text.contains(&format!("\n{name} ")),
                "no {name} in:\n{text}"
            );
        }
    }

    #[test]
    fn only_refusals_of_keys_count_as_failed_authentication() {
        let metrics = Metrics::new();
        for (status, code) in [
            (401, "missing_api_key"),
            (403, "scope_denied"),
            (429, "rate_limit_exceeded"),
        ] {
            let mut refused = log("fast", "openai", status);
            refused.error_code = Some(code.into());
            refused.outcome = Outcome::Refused;
            refused.tokens = Tokens::default();
            metrics.record(&refused);
        }
        let text = metrics.encode();
        assert!(text.contains(r#"ferrogate_auth_failures_total{code="missing_api_key"} 1"#));
        assert!(text.contains(r#"ferrogate_auth_failures_total{code="scope_denied"} 1"#));
        assert!(!text.contains(r#"code="rate_limit_exceeded""#));
    }

    #[test]
    fn the_writers_figures_are_those_of_its_last_report() {
        let metrics = Metrics::new();
        let report = |records_written, queue_used| {
            metrics.set_writer(&WriterStatus {
                queue_used,
                queue_max: 10,
                records_written,
                ..WriterStatus::default()
            });
        };
        report(5, 3);
        report(9, 1);
        let text = metrics.encode();
        assert!(
            text.contains("\nferrogate_writer_records_written_total 9\n"),
            "{text}"
        );
        assert!(text.contains("\nferrogate_writer_queue_used 1\n"), "{text}");
    }
}
