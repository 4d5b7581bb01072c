//! `balanced`: cost, latency and recent failures in one score; the smallest first.
//!
//! score = cost ÷ the cheapest candidate's + latency ÷ the fastest one's + 10 × share of failures
//!
//! Both ratios are without a unit, so that neither a dear model nor a slow one drowns the other figure. Without a price
//! a candidate counts as the dearest of the others. One that was not measured lately counts as the fastest, so that it
//! is tried and becomes known. Those of which half or more of the recent attempts failed come after the others.

use std::cmp::Reverse;

use super::{fitness::Fit, trace::place};

/// Scores are in thousandths.
const ONE: u64 = 1000;
const FAILURES_FACTOR: u64 = 10;
/// No ratio counts for more: a free candidate beside a priced one would else make all others infinitely dear.
const RATIO_MAX: u64 = 1000 * ONE;

/// One candidate's score, in thousandths, by what it is made of.
#[derive(Debug, Clone, Copy)]
struct Score {
    cost: u64,
    latency: u64,
    failures: u64,
}

impl Score {
    fn total(self) -> u64 {
        self.cost
            .saturating_add(self.latency)
            .saturating_add(self.failures)
    }
}

/// What the figures of single candidates are compared with.
#[derive(Debug, Clone, Copy)]
struct Scale {
    cheapest_nanos: u64,
    dearest_nanos: u64,
    fastest_us: u64,
}

impl Scale {
    fn of(fits: &[Fit<'_>]) -> Self {
        let costs = || fits.iter().filter_map(cost);
        let latencies = fits.iter().filter_map(|fit| fit.standing.latency_us);
        Self {
            cheapest_nanos: costs().min().unwrap_or(1),
            dearest_nanos: costs().max().unwrap_or(1),
            fastest_us: latencies.min().unwrap_or(1),
        }
    }

    fn score(self, fit: &Fit<'_>) -> Score {
        let cost = cost(fit).unwrap_or(self.dearest_nanos);
        let latency = fit.standing.latency_us.unwrap_or(self.fastest_us);
        let failures = u64::from(fit.standing.failure_permille.unwrap_or_default());
        Score {
            cost: ratio(cost, self.cheapest_nanos),
            latency: ratio(latency, self.fastest_us),
            failures: failures * FAILURES_FACTOR,
        }
    }
}

pub(super) fn order(fits: &mut [Fit<'_>]) {
    let scale = Scale::of(fits);
    fits.sort_by_cached_key(|fit| {
        let (priority, Reverse(weight)) = fit.tie();
        let score = scale.score(fit).total();
        (fit.standing.failing, score, priority, Reverse(weight))
    });
}

/// Why `fits[index]` stands there.
pub(super) fn reason(fits: &[Fit<'_>], index: usize) -> String {
    let fit = &fits[index];
    let score = Scale::of(fits).score(fit);
    let mut reason = format!(
        "{} by score {}: cost {}, latency {}, failures {}",
        place(index),
        decimal(score.total()),
        decimal(score.cost),
        decimal(score.latency),
        decimal(score.failures),
    );
    if fit.standing.failing {
        reason.push_str("; half or more of its recent attempts failed");
    }
    reason
}

fn cost(fit: &Fit<'_>) -> Option<u64> {
    fit.cost_nanos.and_then(|nanos| u64::try_from(nanos).ok())
}

/// `part` ÷ `whole` in thousandths, neither taken as less than 1.
fn ratio(part: u64, whole: u64) -> u64 {
    let scaled = u128::from(part.max(1)) * u128::from(ONE) / u128::from(whole.max(1));
    u64::try_from(scaled).unwrap_or(RATIO_MAX).min(RATIO_MAX)
}

fn decimal(thousandths: u64) -> String {
    format!("{}.{:02}", thousandths / ONE, thousandths % ONE / 10)
}
