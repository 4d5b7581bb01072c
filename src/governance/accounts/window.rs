//! What was counted in the last minute, by the second, and the time that it is counted in.
//!
//! Invariant: no 60 seconds, wherever they begin, hold more than what [`Window::fits`] let in. A window is a ring of
//! one-second counts, and a count leaves it only when its whole second is more than a minute old. (A token bucket, or
//! two weighted buckets, would be smaller and would let up to twice the limit through in some minutes.)

use std::time::Duration;

const SECONDS: usize = 61;
const WINDOW_SECS: i64 = 61;
/// A clock that goes back by more than this was set. By less, windows stand still until it has caught up: threads read
/// the time before they take the lock, and the later reading may come first.
const SET_BACK_MS: i64 = 60_000;

/// The clock of the windows: the caller's, except that it never goes back. Where the caller's was set back it goes on
/// from where it was, so that what was counted ages as if nothing had happened.
#[derive(Debug)]
pub(super) struct Timeline {
    ahead_ms: i64,
    last_ms: i64,
}

impl Timeline {
    pub(super) fn new(now_unix_ms: i64) -> Self {
        Self {
            ahead_ms: 0,
            last_ms: now_unix_ms,
        }
    }

    pub(super) fn at(&mut self, now_unix_ms: i64) -> i64 {
        let at_ms = now_unix_ms.saturating_add(self.ahead_ms);
        let back_ms = self.last_ms.saturating_sub(at_ms);
        if back_ms > SET_BACK_MS {
            self.ahead_ms = self.ahead_ms.saturating_add(back_ms);
        }
        self.last_ms = self.last_ms.max(at_ms);
        self.last_ms
    }

    pub(super) fn last(&self) -> i64 {
        self.last_ms
    }
}

/// What one account used of one thing in the last minute, by the second.
#[derive(Debug)]
pub(super) struct Window {
    /// The second that is being counted.
    second: i64,
    /// The seconds `second - 60 ..= second`; second `s` is at `s % 61`.
    counts: [u64; SECONDS],
    /// Their sum.
    total: u64,
}

impl Window {
    pub(super) fn new(at_ms: i64) -> Self {
        Self {
            second: second_of(at_ms),
            counts: [0; SECONDS],
            total: 0,
        }
    }

    /// Forgets the seconds that are more than a minute old.
    pub(super) fn advance_to(&mut self, at_ms: i64) {
        let now = second_of(at_ms);
        if now - self.second >= WINDOW_SECS {
            self.counts = [0; SECONDS];
            self.total = 0;
        } else {
            for second in self.second + 1..=now {
                let old = std::mem::take(&mut self.counts[slot(second)]);
                self.total = self.total.saturating_sub(old);
            }
        }
        self.second = self.second.max(now);
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn fits(&self, count: u64, limit: u64) -> bool {
        self.total
            .checked_add(count)
            .is_some_and(|total| total <= limit)
    }

    /// Counts in the second that the window has advanced to.
    pub(super) fn add(&mut self, count: u64) {
        let current = &mut self.counts[slot(self.second)];
        *current = current.saturating_add(count);
        self.total = self.total.saturating_add(count);
    }

    /// Takes out again what was counted in `second`, unless that has left the window by itself.
    pub(super) fn take_back(&mut self, count: u64, second: i64) {
        if !(self.second - WINDOW_SECS + 1..=self.second).contains(&second) {
            return;
        }
        let counted = &mut self.counts[slot(second)];
        let count = count.min(*counted);
        *counted -= count;
        self.total = self.total.saturating_sub(count);
    }

    /// How long until `count` fits under `limit`, if nothing more is counted; `count` is not over the limit.
    pub(super) fn until_fits(&self, count: u64, limit: u64, at_ms: i64) -> Duration {
        let room = limit.saturating_sub(count);
        let mut left = self.total;
        // The limit may have been lowered since: then several seconds must leave before one more fits.
        (self.second - WINDOW_SECS + 1..=self.second)
            .find(|second| {
                left = left.saturating_sub(self.counts[slot(*second)]);
                left <= room
            })
            .map_or(Duration::ZERO, |second| leaves_in(second, at_ms))
    }

    /// How long until nothing is left in it, if nothing more is counted.
    pub(super) fn until_empty(&self, at_ms: i64) -> Duration {
        if self.total == 0 {
            return Duration::ZERO;
        }
        (self.second - WINDOW_SECS + 1..=self.second)
            .rev()
            .find(|second| self.counts[slot(*second)] > 0)
            .map_or(Duration::ZERO, |second| leaves_in(second, at_ms))
    }
}

pub(super) fn second_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(1000)
}

fn slot(second: i64) -> usize {
    usize::try_from(second.rem_euclid(WINDOW_SECS))
        .expect("a remainder of 61 is small and not negative")
}

/// How long until what was counted in `second` leaves the window.
fn leaves_in(second: i64, at_ms: i64) -> Duration {
    let leaves_at_ms = (second + WINDOW_SECS).saturating_mul(1000);
    Duration::from_millis(u64::try_from(leaves_at_ms - at_ms).unwrap_or_default())
}
