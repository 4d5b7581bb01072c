//! Whether this process takes new work.

use std::sync::atomic::{AtomicBool, Ordering};

/// Readiness, as `/readyz` and the status report tell it.
#[derive(Debug, Default)]
pub struct Drain {
    draining: AtomicBool,
}

impl Drain {
    /// From now on `/readyz` says 503 and connections are closed after their answer.
    pub fn begin(&self) {
        self.draining.store(true, Ordering::Release);
    }

    pub fn draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}
