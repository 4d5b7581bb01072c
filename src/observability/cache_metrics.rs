//! The response cache's metrics.

use ferrogate_api::{CacheStats, RequestLog};
use prometheus::{IntCounter, IntCounterVec, IntGauge};

use super::registrar::Registrar;

#[derive(Debug)]
pub(super) struct CacheMetrics {
    requests_total: IntCounterVec,
    saved_nanos_total: IntCounter,
    entries: IntGauge,
    bytes: IntGauge,
}

impl CacheMetrics {
    pub(super) fn new(all: &Registrar<'_>) -> Self {
        Self {
            requests_total: all.counters(
                "ferrogate_cache_requests_total",
                "Requests that had to do with the cache: answered from it, looked up in vain, or kept away from it.",
                &["status"],
            ),
            saved_nanos_total: all.counter(
                "ferrogate_cache_saved_nanos_total",
                "What the answers from the cache had cost, in nano-units of the price list's currency.",
            ),
            entries: all.gauge("ferrogate_cache_entries", "Answers in the cache."),
            bytes: all.gauge(
                "ferrogate_cache_bytes",
                "Memory that the cache takes, the requests it answers included.",
            ),
        }
    }

    /// Counts a request that ended.
    pub(super) fn record(&self, log: &RequestLog) {
        if let Some(status) = log.cache {
            self.requests_total
                .with_label_values(&[status.as_str()])
                .inc();
        }
        if let Some(saved) = log.saved_nanos.and_then(|saved| u64::try_from(saved).ok()) {
            self.saved_nanos_total.inc_by(saved);
        }
    }

    /// Takes over what the cache reports.
    pub(super) fn set(&self, stats: &CacheStats) {
        let gauge =
            |gauge: &IntGauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        gauge(&self.entries, stats.entries);
        gauge(&self.bytes, stats.bytes);
    }
}

#[cfg(test)]
mod tests {
    use ferrogate_api::{CacheStats, CacheStatus};

    use super::super::{Metrics, series::tests::log};

    #[test]
    fn hits_misses_and_what_was_saved_are_counted_as_requests_end() {
        let metrics = Metrics::new();
        let mut request = log("fast", "openai", 200);
        metrics.record(&request);
        for (status, saved_nanos) in [
            (CacheStatus::Hit, Some(70)),
            (CacheStatus::Hit, None),
            (CacheStatus::Miss, None),
            (CacheStatus::Bypass, None),
        ] {
            request.cache = Some(status);
            request.saved_nanos = saved_nanos;
            metrics.record(&request);
        }
        metrics.set_cache(&CacheStats {
            entries: 3,
            bytes: 4_096,
            ..CacheStats::default()
        });
        let text = metrics.encode();
        for line in [
            r#"ferrogate_cache_requests_total{status="hit"} 2"#,
            r#"ferrogate_cache_requests_total{status="miss"} 1"#,
            r#"ferrogate_cache_requests_total{status="bypass"} 1"#,
            "ferrogate_cache_saved_nanos_total 70",
            "ferrogate_cache_entries 3",
            "ferrogate_cache_bytes 4096",
        ] {
            assert!(
                text.lines().any(|found| found == line),
                "no `{line}` in:\n{text}"
            );
        }
    }
}
