//! How slowly a request body may arrive. Enforced where the body is read, since only there is it known to be expected.

use std::time::Duration;

use tokio::time::Instant;

use crate::config::Limits;
use crate::error::{ErrorKind, RequestError};

/// Before this, no rate is asked for: a body may start slowly.
const GRACE: Duration = Duration::from_secs(5);

/// The progress of one request body.
///
/// For a body that is read whole, wait for each piece no longer than [`BodyPace::deadline`]; for one that streams
/// through, call [`BodyPace::check`] with each piece. The clock is the wall's: an upstream that takes the body slower
/// than `body_min_bytes_per_sec` ends it too, which at that rate is no loss.
#[derive(Debug, Clone, Copy)]
pub struct BodyPace {
    started: Instant,
    bytes: u64,
    read_whole: bool,
}

impl BodyPace {
    /// A body that is read whole before anything is done with it: `body_timeout` bounds it as well.
    pub fn whole() -> Self {
        Self {
            started: Instant::now(),
            bytes: 0,
            read_whole: true,
        }
    }

    /// A body that is passed on as it comes: only its rate counts.
    pub fn streamed() -> Self {
        Self {
            read_whole: false,
            ..Self::whole()
        }
    }

    /// `bytes` more have arrived.
    pub fn add(&mut self, bytes: usize) {
        self.bytes = self
            .bytes
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// When the body is too slow unless more of it arrives; `None` when nothing bounds it.
    pub fn deadline(&self, limits: &Limits) -> Option<Instant> {
        let total = self.read_whole.then_some(limits.body_timeout);
        let rate = limits.body_min_bytes_per_sec;
        let earned = (rate > 0).then(|| {
            let ms = self.bytes.saturating_mul(1000) / rate;
            Duration::from_millis(ms).max(GRACE)
        });
        let allowed = [total, earned].into_iter().flatten().min()?;
        self.started.checked_add(allowed)
    }

    /// # Errors
    /// [`ErrorKind::RequestTimeout`] once the deadline has passed.
    pub fn check(&self, limits: &Limits) -> Result<(), RequestError> {
        match self.deadline(limits) {
            Some(deadline) if Instant::now() >= deadline => Err(self.too_slow(limits)),
            _ => Ok(()),
        }
    }

    /// The error for a body that missed its deadline.
    pub fn too_slow(&self, limits: &Limits) -> RequestError {
        RequestError::new(
            ErrorKind::RequestTimeout,
            format!(
                "The request body came too slowly: {} bytes after {} s. Send at least {} bytes per second and all of it \
                 within {} s, or raise `[limits] body_min_bytes_per_sec` and `body_timeout_secs`.",
                self.bytes,
                self.started.elapsed().as_secs(),
                limits.body_min_bytes_per_sec,
                limits.body_timeout.as_secs(),
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::guard::tests::limits;

    #[tokio::test(start_paused = true)]
    async fn a_body_below_the_rate_is_cut_after_the_grace() {
        let limits = limits();
        let mut pace = BodyPace::streamed();
        tokio::time::advance(Duration::from_millis(4900)).await;
        assert!(pace.check(&limits).is_ok(), "the grace");
        pace.add(6 * 1024);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(
            pace.check(&limits).is_ok(),
            "6 KiB are good for 6 s at 1 KiB/s"
        );
        tokio::time::advance(Duration::from_secs(1)).await;
        let error = pace.check(&limits).unwrap_err();
        assert_eq!(error.kind, ErrorKind::RequestTimeout);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_read_whole_has_a_deadline_however_fast_it_comes() {
        let limits = limits();
        let mut pace = BodyPace::whole();
        pace.add(1 << 30);
        tokio::time::advance(limits.body_timeout).await;
        assert!(pace.check(&limits).is_err());
        let mut streamed = BodyPace::streamed();
        streamed.add(1 << 30);
        tokio::time::advance(limits.body_timeout).await;
        assert!(streamed.check(&limits).is_ok());
    }

    #[tokio::test]
    async fn a_rate_of_zero_is_no_rate() {
        let limits = Limits {
            body_min_bytes_per_sec: 0,
            ..limits()
        };
        assert_eq!(BodyPace::streamed().deadline(&limits), None);
        assert!(BodyPace::whole().deadline(&limits).is_some());
    }
}
