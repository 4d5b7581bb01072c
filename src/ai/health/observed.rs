//! How fast and how reliably one model of one provider answers, as averages that follow the present.

use std::time::Duration;

/// The share of a new sample in an average that is settled; the first few weigh more, so that it settles at once.
const SETTLED_SAMPLES: u64 = 8;
/// An average that no request has renewed for so long says nothing about now.
const FRESH_MS: i64 = 5 * 60_000;
/// The share of failures is halved whenever so long a time passes without a request: what is avoided because it failed
/// would else never be tried again.
const FORGIVEN_HALF_MS: i64 = 60_000;
/// With fewer attempts than this, one failure would condemn.
const ATTEMPTS_MIN: u64 = 3;
const FAILING_PERMILLE: u32 = 500;

/// What the attempts at one model of one provider have shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Observed {
    pub(super) requests: u64,
    pub(super) failures: u64,
    failure_permille: u64,
    streamed: Latency,
    whole: Latency,
    pub(super) last_error: Option<(&'static str, i64)>,
    pub(super) last_success_at_unix_ms: Option<i64>,
    pub(super) last_at_unix_ms: i64,
}

/// An average time to the first content, or to a whole answer: two things that are not compared.
#[derive(Debug, Clone, Copy, Default)]
struct Latency {
    samples: u64,
    average_us: u64,
    last_at_unix_ms: i64,
}

/// How long it took until an answer was there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Took {
    pub(super) time: Duration,
    /// The time is to the first content of a stream, else to the whole answer.
    pub(super) stream: bool,
}

impl Observed {
    pub(super) fn succeeded(&mut self, took: Option<Took>, now_unix_ms: i64) {
        self.count(0, now_unix_ms);
        self.last_success_at_unix_ms = Some(now_unix_ms);
        self.time(took, now_unix_ms);
    }

    /// It failed by the provider's fault; after the answer had begun, if it `took` some time to begin.
    pub(super) fn failed(&mut self, code: &'static str, took: Option<Took>, now_unix_ms: i64) {
        self.count(1000, now_unix_ms);
        self.failures += 1;
        self.last_error = Some((code, now_unix_ms));
        self.time(took, now_unix_ms);
    }

    fn count(&mut self, sample: u64, now_unix_ms: i64) {
        self.failure_permille = u64::from(self.failure_permille(now_unix_ms));
        self.requests += 1;
        blend(&mut self.failure_permille, sample, self.requests);
        self.last_at_unix_ms = now_unix_ms;
    }

    fn time(&mut self, took: Option<Took>, now_unix_ms: i64) {
        let Some(Took { time, stream }) = took else {
            return;
        };
        let latency = if stream {
            &mut self.streamed
        } else {
            &mut self.whole
        };
        if latency.fresh_us(now_unix_ms).is_none() {
            *latency = Latency::default();
        }
        latency.samples += 1;
        latency.last_at_unix_ms = now_unix_ms;
        let sample = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        blend(&mut latency.average_us, sample, latency.samples);
    }

    /// The share of recent attempts that failed, in thousandths.
    pub(super) fn failure_permille(&self, now_unix_ms: i64) -> u32 {
        let idle = now_unix_ms.saturating_sub(self.last_at_unix_ms).max(0);
        let halvings = u32::try_from(idle / FORGIVEN_HALF_MS).unwrap_or(u32::MAX);
        let left = self.failure_permille.checked_shr(halvings).unwrap_or(0);
        u32::try_from(left).unwrap_or(u32::MAX)
    }

    /// Half or more of the recent attempts failed.
    pub(super) fn is_failing(&self, now_unix_ms: i64) -> bool {
        self.requests >= ATTEMPTS_MIN && self.failure_permille(now_unix_ms) >= FAILING_PERMILLE
    }

    /// Of streams or of whole answers; `None` where it was not measured lately.
    pub(super) fn latency_us(&self, stream: bool, now_unix_ms: i64) -> Option<u64> {
        if stream { &self.streamed } else { &self.whole }.fresh_us(now_unix_ms)
    }

    /// The last average there was, however old: of streams, else of whole answers.
    pub(super) fn last_latency_us(&self) -> Option<u64> {
        [self.streamed, self.whole]
            .into_iter()
            .find(|latency| latency.samples > 0)
            .map(|latency| latency.average_us)
    }
}

impl Latency {
    fn fresh_us(&self, now_unix_ms: i64) -> Option<u64> {
        let age = now_unix_ms.saturating_sub(self.last_at_unix_ms);
        (self.samples > 0 && age < FRESH_MS).then_some(self.average_us)
    }
}

/// Moves `average` towards `sample`, the `count`th there is.
fn blend(average: &mut u64, sample: u64, count: u64) {
    let parts = count.clamp(1, SETTLED_SAMPLES);
    let (old, new) = (u128::from(*average), u128::from(sample));
    let parts = u128::from(parts);
    *average = u64::try_from((old * (parts - 1) + new) / parts).unwrap_or(u64::MAX);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streamed(ms: u64) -> Option<Took> {
        Some(Took {
            time: Duration::from_millis(ms),
            stream: true,
        })
    }

    #[test]
    fn an_average_settles_at_once_and_then_follows() {
        let mut observed = Observed::default();
        observed.succeeded(streamed(100), 0);
        assert_eq!(observed.latency_us(true, 0), Some(100_000));
        observed.succeeded(streamed(300), 0);
        assert_eq!(observed.latency_us(true, 0), Some(200_000));
        for _ in 0..40 {
            observed.succeeded(streamed(1000), 0);
        }
        let settled = observed.latency_us(true, 0).unwrap();
        assert!((980_000..=1_000_000).contains(&settled), "{settled}");
        assert_eq!(observed.latency_us(false, 0), None);
        assert_eq!(observed.last_latency_us(), Some(settled));
    }

    #[test]
    fn streams_and_whole_answers_are_measured_apart() {
        let mut observed = Observed::default();
        observed.succeeded(streamed(100), 0);
        let whole = Took {
            time: Duration::from_secs(9),
            stream: false,
        };
        observed.succeeded(Some(whole), 0);
        assert_eq!(observed.latency_us(true, 0), Some(100_000));
        assert_eq!(observed.latency_us(false, 0), Some(9_000_000));
    }

    #[test]
    fn what_is_not_measured_lately_is_not_known() {
        let mut observed = Observed::default();
        observed.succeeded(streamed(100), 0);
        assert_eq!(observed.latency_us(true, FRESH_MS - 1), Some(100_000));
        assert_eq!(observed.latency_us(true, FRESH_MS), None);
        observed.succeeded(streamed(900), FRESH_MS);
        assert_eq!(observed.latency_us(true, FRESH_MS), Some(900_000));
    }

    #[test]
    fn failures_condemn_only_in_numbers_and_are_forgiven_with_time() {
        let mut observed = Observed::default();
        observed.failed("provider_timeout", None, 0);
        observed.failed("provider_timeout", None, 0);
        assert_eq!(observed.failure_permille(0), 1000);
        assert!(!observed.is_failing(0), "two attempts are too few");
        observed.failed("provider_error", None, 0);
        assert!(observed.is_failing(0));
        assert!(observed.is_failing(FORGIVEN_HALF_MS));
        assert!(!observed.is_failing(2 * FORGIVEN_HALF_MS));
        assert_eq!(observed.failure_permille(100 * FORGIVEN_HALF_MS), 0);
        assert_eq!(observed.last_error, Some(("provider_error", 0)));
        // After the pause it counts on from what was left, not from where it stood.
        observed.succeeded(None, 2 * FORGIVEN_HALF_MS);
        assert!(observed.failure_permille(2 * FORGIVEN_HALF_MS) < 250);
    }
}
