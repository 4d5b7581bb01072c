//! The figures of the second that is going on. Recorded only for those who listen, each for what it wants to see.

use std::fmt;

use ferrogate_api::{RequestLog, Second};
use hdrhistogram::Histogram;

use super::verdict::Verdict;

/// Latencies above an hour count as an hour.
const LATENCY_MAX_US: u64 = 3_600_000_000;
/// Two digits: percentiles are right to one per cent, in some tens of kilobytes.
const LATENCY_DIGITS: u8 = 2;

pub(super) struct SecondRecorder {
    counts: Second,
    latency_us: Histogram<u64>,
    ttft_us: Histogram<u64>,
}

impl Default for SecondRecorder {
    fn default() -> Self {
        let latencies = || {
            Histogram::new_with_bounds(1, LATENCY_MAX_US, LATENCY_DIGITS)
                .expect("the bounds are constants that the histogram takes")
        };
        Self {
            counts: Second::default(),
            latency_us: latencies(),
            ttft_us: latencies(),
        }
    }
}

impl SecondRecorder {
    pub(super) fn record(&mut self, log: &RequestLog) {
        let counts = &mut self.counts;
        counts.requests += 1;
        match Verdict::of(log) {
            Verdict::Good => {}
            Verdict::ClientError => counts.client_errors += 1,
            Verdict::RateLimited => {
                counts.client_errors += 1;
                counts.rate_limited += 1;
            }
            Verdict::ServerError => counts.server_errors += 1,
        }
        counts.input_tokens = counts.input_tokens.saturating_add(log.tokens.input);
        counts.output_tokens = counts.output_tokens.saturating_add(log.tokens.output);
        counts.cost_nanos = counts
            .cost_nanos
            .saturating_add(log.cost_nanos.unwrap_or(0));
        self.latency_us.saturating_record(log.duration_us);
        if let Some(ttft_us) = log.ttft_us {
            self.ttft_us.saturating_record(ttft_us);
        }
    }

    /// The second so far; the next one starts empty.
    pub(super) fn take(&mut self, now_unix_ms: i64, in_flight: u64) -> Second {
        let second = Second {
            at_unix_ms: now_unix_ms,
            in_flight,
            latency_p50_us: percentile(&self.latency_us, 0.50),
            latency_p95_us: percentile(&self.latency_us, 0.95),
            latency_p99_us: percentile(&self.latency_us, 0.99),
            ttft_p50_us: percentile(&self.ttft_us, 0.50),
            ttft_p99_us: percentile(&self.ttft_us, 0.99),
            ..std::mem::take(&mut self.counts)
        };
        self.latency_us.reset();
        self.ttft_us.reset();
        second
    }
}

impl fmt::Debug for SecondRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the histograms: thousands of zeros.
        self.counts.fmt(f)
    }
}

/// Zero when nothing was recorded.
fn percentile(latencies: &Histogram<u64>, quantile: f64) -> u64 {
    latencies.value_at_quantile(quantile)
}
