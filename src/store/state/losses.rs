//! Says what state was lost: one warning for many, and none from a request's thread.

use std::{
    mem,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use super::State;

/// How often losses are reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// What was lost and reported so far.
#[derive(Debug, Default)]
pub(super) struct Losses {
    dropped: u64,
    too_large: u64,
    reported_at: Option<Instant>,
}

impl Losses {
    pub(super) fn report_when_due(&mut self, state: &State) {
        if self
            .reported_at
            .is_none_or(|at| at.elapsed() >= REPORT_INTERVAL)
        {
            self.report(state);
        }
    }

    pub(super) fn report(&mut self, state: &State) {
        let counters = &state.counters;
        let dropped = counters.entries_dropped.load(Ordering::Relaxed);
        let too_large = counters.entries_too_large.load(Ordering::Relaxed);
        let newly_dropped = dropped - mem::replace(&mut self.dropped, dropped);
        let newly_too_large = too_large - mem::replace(&mut self.too_large, too_large);
        if newly_dropped > 0 {
            tracing::warn!(
                entries = newly_dropped,
                "responses, reasoning state or cached answers were dropped before they could be written; see [storage] state_memory_max_bytes"
            );
        }
        if newly_too_large > 0 {
            tracing::warn!(
                entries = newly_too_large,
                "responses, reasoning state or cached answers were too large to be kept; see [storage] state_entry_max_bytes"
            );
        }
        if newly_dropped + newly_too_large > 0 {
            self.reported_at = Some(Instant::now());
        }
    }
}
