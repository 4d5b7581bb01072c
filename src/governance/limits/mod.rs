//! Requests per minute, counted for each key over a sliding window.
//!
//! Invariant: no 60 seconds, wherever they begin, hold more grants than the limit. A window is a ring of one-second
//! counts, and a grant leaves it only when its whole second is more than a minute old. (A token bucket, or two
//! weighted buckets, would be smaller and would let up to twice the limit through in some minutes.)
//!
//! Windows outlive the configuration: a reload neither forgives nor forgets. A refused request is not counted.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::Arc,
    time::Duration,
};

use http::{HeaderName, HeaderValue};
use parking_lot::Mutex;

use super::Key;
use crate::error::{ErrorKind, RequestError};

const SECONDS: usize = 61;
const WINDOW_SECS: i64 = 61;
const SHARDS: usize = 16;
/// A shard looks for windows to drop when it has grown to this size, or to twice what it kept the last time.
const SWEEP_MIN: usize = 64;

/// The windows of all keys that were used lately.
///
/// Bounded by the keys that exist: a window is made for an authenticated key only, and dropped once it is empty.
#[derive(Debug, Default)]
pub struct RateLimits {
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Debug, Default)]
struct Shard {
    windows: HashMap<Arc<str>, Window>,
    sweep_at: usize,
}

/// The proof that a request may go to a provider. Only [`RateLimits::admit`] makes one.
#[derive(Debug)]
#[must_use = "a permit that nobody uses is a request that was counted and not served"]
pub struct Permit {
    rate: Option<RateStatus>,
}

impl Permit {
    /// Where the key stands with its limit; `None` when it has none.
    pub fn rate(&self) -> Option<RateStatus> {
        self.rate
    }
}

/// A request that is over a limit: what to answer, and where the key stands.
#[derive(Debug)]
pub struct Refusal {
    pub error: RequestError,
    pub rate: RateStatus,
}

/// Where a key stands with its requests per minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateStatus {
    pub limit: u64,
    pub remaining: u64,
    /// How long until the whole limit is free again, if nothing more is asked.
    pub reset: Duration,
}

impl RateStatus {
    /// The `x-ratelimit-…-requests` headers, as OpenAI names and writes them.
    pub fn headers(self) -> [(HeaderName, HeaderValue); 3] {
        let reset = DurationText(self.reset).to_string();
        [
            (
                HeaderName::from_static("x-ratelimit-limit-requests"),
                HeaderValue::from(self.limit),
            ),
            (
                HeaderName::from_static("x-ratelimit-remaining-requests"),
                HeaderValue::from(self.remaining),
            ),
            (
                HeaderName::from_static("x-ratelimit-reset-requests"),
                HeaderValue::try_from(reset).expect("digits and unit letters are a header value"),
            ),
        ]
    }
}

impl RateLimits {
    /// Counts one request of `key` against its limit.
    ///
    /// # Errors
    /// A [`Refusal`] when the limit is used up; then nothing was counted.
    pub fn admit(&self, key: &Key, now_unix_ms: i64) -> Result<Permit, Box<Refusal>> {
        let Some(limit) = key.request_limit_per_minute() else {
            return Ok(Permit { rate: None });
        };
        let mut shard = self.shard(key.id()).lock();
        match shard.window(key.id(), now_unix_ms).take(limit, now_unix_ms) {
            Ok(rate) => Ok(Permit { rate: Some(rate) }),
            Err(wait) => Err(Box::new(refusal(key, limit, wait))),
        }
    }

    fn shard(&self, id: &Arc<str>) -> &Mutex<Shard> {
        let low_bits = self.hasher.hash_one(id).to_le_bytes()[0];
        &self.shards[usize::from(low_bits) % SHARDS]
    }
}

impl Shard {
    fn window(&mut self, id: &Arc<str>, now_unix_ms: i64) -> &mut Window {
        if !self.windows.contains_key(id) {
            self.make_room(now_unix_ms);
            self.windows.insert(Arc::clone(id), Window::default());
        }
        self.windows
            .get_mut(id)
            .expect("it was there, or has just been put there")
    }

    /// Drops the windows that have run empty, at a cost spread over the insertions that made them.
    fn make_room(&mut self, now_unix_ms: i64) {
        if self.windows.len() < self.sweep_at.max(SWEEP_MIN) {
            return;
        }
        self.windows.retain(|_, window| {
            window.advance_to(now_unix_ms);
            window.granted > 0
        });
        self.sweep_at = self.windows.len() * 2;
    }
}

/// The grants of one key in the last minute, by the second.
#[derive(Debug)]
struct Window {
    /// The second that is being counted, since the epoch.
    second: i64,
    /// Grants in the seconds `second - 60 ..= second`; second `s` is at `s % 61`.
    counts: [u32; SECONDS],
    /// Their sum.
    granted: u64,
    /// The last second in which something was granted.
    last_grant: i64,
}

/// How long to wait when nothing is left.
struct Wait {
    until_one_is_free: Duration,
    until_all_are_free: Duration,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            second: 0,
            counts: [0; SECONDS],
            granted: 0,
            last_grant: 0,
        }
    }
}

impl Window {
    fn take(&mut self, limit: u64, now_unix_ms: i64) -> Result<RateStatus, Wait> {
        self.advance_to(now_unix_ms);
        if self.granted >= limit {
            return Err(self.wait(limit, now_unix_ms));
        }
        self.counts[slot(self.second)] += 1;
        self.granted += 1;
        self.last_grant = self.second;
        Ok(RateStatus {
            limit,
            remaining: limit - self.granted,
            reset: leaves_in(self.last_grant, now_unix_ms),
        })
    }

    /// Forgets the seconds that are more than a minute old.
    fn advance_to(&mut self, now_unix_ms: i64) {
        let now = now_unix_ms.div_euclid(1000);
        if now < self.second {
            return self.follow_clock_back(now);
        }
        if now - self.second >= WINDOW_SECS {
            self.counts = [0; SECONDS];
            self.granted = 0;
        } else {
            for second in self.second + 1..=now {
                let old = std::mem::take(&mut self.counts[slot(second)]);
                self.granted -= u64::from(old);
            }
        }
        self.second = now;
    }

    /// The clock was set back. When the old grants happened is no longer known, so all of them count as made just
    /// now: the limit holds, and the key waits for at most a minute, not for the clock to catch up.
    fn follow_clock_back(&mut self, now: i64) {
        self.counts = [0; SECONDS];
        self.counts[slot(now)] = u32::try_from(self.granted).unwrap_or(u32::MAX);
        self.granted = u64::from(self.counts[slot(now)]);
        self.second = now;
        self.last_grant = now;
    }

    fn wait(&self, limit: u64, now_unix_ms: i64) -> Wait {
        let mut left = self.granted;
        // The limit may have been lowered since: then several seconds must leave before one request fits.
        let frees_one = (self.second - WINDOW_SECS + 1..=self.second).find(|second| {
            left -= u64::from(self.counts[slot(*second)]);
            left < limit
        });
        let until_all_are_free = leaves_in(self.last_grant, now_unix_ms);
        Wait {
            until_one_is_free: frees_one
                .map_or(until_all_are_free, |second| leaves_in(second, now_unix_ms)),
            until_all_are_free,
        }
    }
}

fn slot(second: i64) -> usize {
    usize::try_from(second.rem_euclid(WINDOW_SECS))
        .expect("a remainder of 61 is small and not negative")
}

/// How long until the grants of `second` leave the window.
fn leaves_in(second: i64, now_unix_ms: i64) -> Duration {
    let leaves_at_ms = (second + WINDOW_SECS) * 1000;
    Duration::from_millis(u64::try_from(leaves_at_ms - now_unix_ms).unwrap_or_default())
}

fn refusal(key: &Key, limit: u64, wait: Wait) -> Refusal {
    let message = format!(
        "The key `{}` has used up its limit of {limit} requests per minute. Try again in {}.",
        key.id(),
        DurationText(wait.until_one_is_free)
    );
    Refusal {
        error: RequestError::new(ErrorKind::RateLimitExceeded, message)
            .with_retry_after(wait.until_one_is_free),
        rate: RateStatus {
            limit,
            remaining: 0,
            reset: wait.until_all_are_free,
        },
    }
}

/// A duration as OpenAI's headers write it: `12ms`, `6s`, `1m3s`; never shorter than it is.
struct DurationText(Duration);

impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_secs(1) {
            return write!(f, "{}ms", self.0.as_micros().div_ceil(1000));
        }
        let secs = self.0.as_millis().div_ceil(1000);
        match (secs / 3600, secs / 60 % 60, secs % 60) {
            (0, 0, secs) => write!(f, "{secs}s"),
            (0, mins, secs) => write!(f, "{mins}m{secs}s"),
            (hours, mins, secs) => write!(f, "{hours}h{mins}m{secs}s"),
        }
    }
}
