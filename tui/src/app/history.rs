//! What happened in each of the last fifteen minutes' seconds, as the gateway counted it.

use std::{collections::VecDeque, sync::Arc};

use ferrogate_api::Second;

const SECONDS_MAX: usize = 900;

/// How far back the charts look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Range {
    OneMinute,
    #[default]
    FiveMinutes,
    FifteenMinutes,
}

impl Range {
    pub fn seconds(self) -> u64 {
        match self {
            Self::OneMinute => 60,
            Self::FiveMinutes => 300,
            Self::FifteenMinutes => 900,
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::OneMinute => "1m",
            Self::FiveMinutes => "5m",
            Self::FifteenMinutes => "15m",
        }
    }

    pub fn longer(self) -> Self {
        match self {
            Self::OneMinute => Self::FiveMinutes,
            Self::FiveMinutes | Self::FifteenMinutes => Self::FifteenMinutes,
        }
    }

    pub fn shorter(self) -> Self {
        match self {
            Self::FifteenMinutes => Self::FiveMinutes,
            Self::FiveMinutes | Self::OneMinute => Self::OneMinute,
        }
    }
}

/// The seconds, oldest first.
#[derive(Debug, Default)]
pub struct History {
    seconds: VecDeque<Arc<Second>>,
}

impl History {
    pub fn push(&mut self, second: Arc<Second>) {
        // After a restart of the gateway its clock may have stepped back: what is newer than now is wrong.
        while self
            .seconds
            .back()
            .is_some_and(|last| last.at_unix_ms >= second.at_unix_ms)
        {
            self.seconds.pop_back();
        }
        if self.seconds.len() == SECONDS_MAX {
            self.seconds.pop_front();
        }
        self.seconds.push_back(second);
    }

    pub fn is_empty(&self) -> bool {
        self.seconds.is_empty()
    }

    pub fn latest(&self) -> Option<&Second> {
        self.seconds.back().map(Arc::as_ref)
    }

    /// The sum over the last so many seconds before the newest one, that one included.
    pub fn recent(&self, seconds: u64) -> Bucket {
        let mut bucket = Bucket::default();
        let Some(latest) = self.latest() else {
            return bucket;
        };
        let reach_ms = i64::try_from(seconds).unwrap_or(i64::MAX / 1_000) * 1_000;
        self.seconds
            .iter()
            .rev()
            .take_while(|second| latest.at_unix_ms - second.at_unix_ms < reach_ms)
            .for_each(|second| bucket.add(second));
        bucket
    }

    /// One sum for each column of a chart, and how many seconds a column stands for.
    ///
    /// Columns begin at whole multiples of their length, so that a chart moves by columns and does not flicker.
    pub fn buckets(&self, range: Range, columns: u16) -> (Vec<Bucket>, u64) {
        let mut buckets = vec![Bucket::default(); usize::from(columns)];
        let seconds_each = range.seconds().div_ceil(u64::from(columns.max(1)));
        let index_of = |second: &Second| {
            second.at_unix_ms / 1_000 / i64::try_from(seconds_each).unwrap_or(i64::MAX)
        };
        if let Some(latest) = self.latest() {
            let newest = index_of(latest);
            for second in self.seconds.iter().rev() {
                let back = usize::try_from(newest - index_of(second)).unwrap_or(usize::MAX);
                let Some(column) = buckets.len().checked_sub(back.saturating_add(1)) else {
                    break;
                };
                buckets[column].add(second);
            }
        }
        (buckets, seconds_each)
    }
}

/// The sum of some seconds. Percentiles cannot be added: the upper ones are the worst second's, which errs on the
/// side of caution; the median is the seconds' medians weighted by their requests.
#[derive(Debug, Clone, Default)]
pub struct Bucket {
    pub seconds: u64,
    pub requests: u64,
    pub client_errors: u64,
    pub rate_limited: u64,
    pub server_errors: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cost_nanos: i64,
    latency: Percentiles,
    ttft: Percentiles,
    /// The busiest second.
    pub requests_peak: u64,
}

#[derive(Debug, Clone, Default)]
struct Percentiles {
    p50_weighted: u128,
    weight: u128,
    p95: u64,
    p99: u64,
}

impl Percentiles {
    fn add(&mut self, weight: u64, p50: u64, p95: u64, p99: u64) {
        if p99 == 0 {
            return;
        }
        self.p50_weighted += u128::from(p50) * u128::from(weight);
        self.weight += u128::from(weight);
        self.p95 = self.p95.max(p95);
        self.p99 = self.p99.max(p99);
    }

    fn p50(&self) -> u64 {
        let p50 = self
            .p50_weighted
            .checked_div(self.weight)
            .unwrap_or_default();
        u64::try_from(p50).unwrap_or(u64::MAX)
    }
}

impl Bucket {
    fn add(&mut self, second: &Second) {
        self.seconds += 1;
        self.requests += second.requests;
        self.client_errors += second.client_errors;
        self.rate_limited += second.rate_limited;
        self.server_errors += second.server_errors;
        self.input_tokens += second.input_tokens;
        self.output_tokens += second.output_tokens;
        self.cost_nanos = self.cost_nanos.saturating_add(second.cost_nanos);
        self.requests_peak = self.requests_peak.max(second.requests);
        self.latency.add(
            second.requests,
            second.latency_p50_us,
            second.latency_p95_us,
            second.latency_p99_us,
        );
        self.ttft.add(
            second.requests,
            second.ttft_p50_us,
            second.ttft_p99_us,
            second.ttft_p99_us,
        );
    }

    /// `part` per second, in thousandths.
    pub fn per_second_milli(&self, part: u64) -> u64 {
        part.saturating_mul(1_000)
            .checked_div(self.seconds)
            .unwrap_or(0)
    }

    /// What an hour like these seconds costs.
    pub fn cost_nanos_per_hour(&self) -> i64 {
        let seconds = i64::try_from(self.seconds).unwrap_or(i64::MAX);
        self.cost_nanos
            .saturating_mul(3_600)
            .checked_div(seconds)
            .unwrap_or(0)
    }

    /// Median, 95th and 99th percentile of the latency in microseconds; `None` when nothing ended.
    pub fn latency_us(&self) -> Option<[u64; 3]> {
        (self.latency.weight > 0).then(|| [self.latency.p50(), self.latency.p95, self.latency.p99])
    }

    /// Median and 99th percentile of the time to first token in microseconds.
    pub fn ttft_us(&self) -> Option<[u64; 2]> {
        (self.ttft.weight > 0).then(|| [self.ttft.p50(), self.ttft.p99])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(at: i64, requests: u64) -> Arc<Second> {
        Arc::new(Second {
            at_unix_ms: at * 1_000,
            requests,
            latency_p50_us: requests,
            latency_p99_us: 10 * requests,
            ..Second::default()
        })
    }

    #[test]
    fn columns_keep_their_bounds_while_time_moves_on() {
        let mut history = History::default();
        for at in 1_000..1_014 {
            history.push(second(at, 10));
        }
        let (buckets, seconds_each) = history.buckets(Range::OneMinute, 10);
        assert_eq!(seconds_each, 6);
        let seconds: Vec<u64> = buckets.iter().map(|bucket| bucket.seconds).collect();
        // 1000..1002 is the end of one column, 1002..1008 and 1008..1014 are whole ones.
        assert_eq!(seconds, [0, 0, 0, 0, 0, 0, 0, 2, 6, 6]);
        history.push(second(1_014, 10));
        let (buckets, _) = history.buckets(Range::OneMinute, 10);
        assert_eq!(buckets[9].seconds, 1);
        assert_eq!(buckets[9].per_second_milli(buckets[9].requests), 10_000);
    }

    #[test]
    fn the_median_is_weighted_and_the_tail_is_the_worst_seconds() {
        let mut history = History::default();
        history.push(second(1, 100));
        history.push(second(2, 300));
        history.push(second(3, 0));
        assert_eq!(history.recent(10).latency_us(), Some([250, 0, 3_000]));
        assert_eq!(history.recent(1).latency_us(), None);
        assert_eq!(history.recent(2).requests, 300);
    }

    #[test]
    fn a_clock_that_stepped_back_replaces_the_future() {
        let mut history = History::default();
        history.push(second(10, 1));
        history.push(second(11, 1));
        history.push(second(10, 7));
        assert_eq!(history.latest().unwrap().requests, 7);
        assert_eq!(history.recent(60).seconds, 1);
    }
}
