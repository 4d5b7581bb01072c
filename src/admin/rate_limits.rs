//! How often one caller may ask: `[admin] requests_per_minute_max`.
//!
//! Each caller has a bucket that holds a minute's requests and fills evenly (the generic cell rate algorithm): a burst
//! passes, and a loop that runs away is slowed down to the rate. Callers are known by then, so that nobody's bucket is
//! emptied by somebody else.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::error::{ErrorKind, RequestError};

const MINUTE: Duration = Duration::from_secs(60);
/// Below this many nobody looks for buckets that are full again.
const CALLERS_MIN: usize = 1024;

/// The buckets of all callers.
#[derive(Debug)]
pub(super) struct RateLimits(Mutex<Buckets>);

#[derive(Debug)]
struct Buckets {
    /// When each caller's bucket will be full again. One that is full need not be remembered.
    full_at: HashMap<String, Instant>,
    sweep_above: usize,
}

impl Default for RateLimits {
    fn default() -> Self {
        Self(Mutex::new(Buckets {
            full_at: HashMap::new(),
            sweep_above: CALLERS_MIN,
        }))
    }
}

impl RateLimits {
    /// Counts one request of `caller` at `now`.
    ///
    /// # Errors
    /// `admin_rate_limited`, with the time until the next one passes; then it is not counted.
    pub(super) fn count(&self, caller: &str, max: u32, now: Instant) -> Result<(), RequestError> {
        let between = MINUTE / max.max(1);
        let mut buckets = self.0.lock();
        let full_at = buckets.full_at.get(caller).copied().unwrap_or(now).max(now) + between;
        // What is still to be filled in is what was taken; a minute's worth is all there is.
        if let Some(wait) = full_at.checked_duration_since(now + MINUTE)
            && !wait.is_zero()
        {
            return Err(limited(max, wait));
        }
        buckets.set(caller, full_at, now);
        Ok(())
    }
}

impl Buckets {
    fn set(&mut self, caller: &str, full_at: Instant, now: Instant) {
        if let Some(bucket) = self.full_at.get_mut(caller) {
            *bucket = full_at;
            return;
        }
        if self.full_at.len() >= self.sweep_above {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.sweep_above = (2 * self.full_at.len()).max(CALLERS_MIN);
        }
        self.full_at.insert(caller.to_owned(), full_at);
    }
}

fn limited(max: u32, wait: Duration) -> RequestError {
    RequestError::new(
        ErrorKind::AdminRateLimited,
        format!(
            "More than {max} requests a minute came from this caller. Ask less often, or raise \
             `[admin] requests_per_minute_max`."
        ),
    )
    .with_retry_after(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_requests_pass_at_once_and_then_one_at_a_time() {
        let limits = RateLimits::default();
        let start = Instant::now();
        let check = |caller: &str, at_ms: u64, wait_secs: Option<u64>| {
            let now = start + Duration::from_millis(at_ms);
            let counted = limits.count(caller, 3, now);
            let wait = counted.err().map(|error| error.retry_after.unwrap());
            assert_eq!(wait, wait_secs.map(Duration::from_secs), "{caller} {at_ms}");
        };
        for _ in 0..3 {
            check("a", 0, None);
        }
        check("a", 0, Some(20));
        check("b", 0, None);
        check("a", 10_000, Some(10));
        check("a", 20_000, None);
        check("a", 20_000, Some(20));
        check("a", 200_000, None);
        check("a", 200_000, None);
        check("a", 200_000, None);
        check("a", 200_000, Some(20));
    }

    #[test]
    fn callers_that_ask_no_more_are_forgotten() {
        let limits = RateLimits::default();
        let start = Instant::now();
        for caller in 0..CALLERS_MIN {
            limits.count(&caller.to_string(), 60, start).unwrap();
        }
        limits
            .count("late", 60, start + Duration::from_secs(2))
            .unwrap();
        assert_eq!(limits.0.lock().full_at.len(), 1);
    }
}
