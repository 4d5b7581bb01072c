//! The time of day, replaceable in tests. Durations are measured with `Instant`, never with this clock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

/// A source of wall-clock time. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Clock(Source);

#[derive(Debug, Clone, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The operating system's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still at `unix_ms` until [`Clock::advance_ms`] moves it.
    pub fn manual(unix_ms: i64) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(unix_ms))))
    }

    /// Milliseconds since the Unix epoch (UTC).
    pub fn unix_ms(&self) -> i64 {
        match &self.0 {
            Source::System => system_unix_ms(),
            Source::Manual(unix_ms) => unix_ms.load(Ordering::Relaxed),
        }
    }

    /// Moves a manual clock; the system's clock is not ours to move, so there it does nothing.
    pub fn advance_ms(&self, ms: i64) {
        if let Source::Manual(unix_ms) = &self.0 {
            unix_ms.fetch_add(ms, Ordering::Relaxed);
        }
    }
}

/// Whole milliseconds, to reckon with [`Clock::unix_ms`]; what is too long for that is as long as can be.
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks the system for the time of day"
)]
fn system_unix_ms() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}
