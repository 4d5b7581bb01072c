//! Whether this process takes new work.

use std::sync::atomic::{AtomicBool, Ordering};

use ferrogate_api::DrainStatus;
use parking_lot::Mutex;

/// Readiness, as `/readyz` and the status report tell it.
///
/// A drained gateway says that it is not ready and closes connections after their answer, so that a balancer sends the
/// next request elsewhere; what still comes is served, unless the operator wants it refused.
#[derive(Debug, Default)]
pub struct Drain {
    /// The process is leaving.
    leaving: AtomicBool,
    by_operator: AtomicBool,
    refuses: AtomicBool,
    reason: Mutex<Option<String>>,
}

impl Drain {
    /// The process leaves: there is no way back.
    pub fn begin(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    /// An operator takes this gateway out of service.
    pub fn start(&self, refuses: bool, reason: Option<String>) {
        *self.reason.lock() = reason;
        self.refuses.store(refuses, Ordering::Release);
        self.by_operator.store(true, Ordering::Release);
    }

    /// An operator puts it back into service.
    pub fn stop(&self) {
        self.by_operator.store(false, Ordering::Release);
        self.refuses.store(false, Ordering::Release);
        *self.reason.lock() = None;
    }

    pub fn draining(&self) -> bool {
        self.by_operator.load(Ordering::Acquire) || self.leaving.load(Ordering::Acquire)
    }

    /// Whether new AI requests are refused.
    pub fn refuses(&self) -> bool {
        self.refuses.load(Ordering::Acquire)
    }

    /// What `GET /admin/v1/drain` says.
    pub fn status(&self, in_flight: u64) -> DrainStatus {
        let leaving = self.leaving.load(Ordering::Acquire);
        let draining = self.draining();
        DrainStatus {
            object: "drain_status".into(),
            draining,
            accepting_new_requests: !leaving && !self.refuses(),
            drain_reason: match (draining, leaving) {
                (false, _) => None,
                (true, true) => Some("shutdown".to_owned()),
                (true, false) => Some("operator_drain".to_owned()),
            },
            message: self.reason.lock().clone(),
            in_flight,
        }
    }
}
