//! How much of a job is done at once: so many rows, and not much longer than requests can wait unnoticed.

use std::time::{Duration, Instant};

/// After this a slice ends with what it has.
const TIME: Duration = Duration::from_millis(3);
/// How many rows are looked at between two looks at the clock.
const ROWS_BETWEEN_LOOKS: usize = 64;
/// A job uses at most one part in so many of the writer's time.
const SHARE: u32 = 4;
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// One turn of a job.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slice {
    pub(super) now_unix_ms: i64,
    pub(super) rows_max: usize,
    began: Instant,
}

impl Slice {
    pub(super) fn begin(now_unix_ms: i64, rows_max: usize) -> Self {
        Self {
            now_unix_ms,
            rows_max,
            began: Instant::now(),
        }
    }

    /// Whether to stop after so many rows.
    pub(super) fn is_over(&self, rows: usize) -> bool {
        rows >= self.rows_max
            || (rows > 0 && rows.is_multiple_of(ROWS_BETWEEN_LOOKS) && self.began.elapsed() >= TIME)
    }

    pub(super) fn rows_as_limit(&self) -> i64 {
        i64::try_from(self.rows_max).unwrap_or(i64::MAX)
    }

    /// When the next turn may begin.
    pub(super) fn next_at(&self) -> Instant {
        Instant::now() + (self.began.elapsed() * (SHARE - 1)).max(PAUSE_MIN)
    }
}
