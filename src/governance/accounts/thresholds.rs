//! Parts of a budget whose use somebody wants to hear of.

use std::{fmt, sync::Arc};

use ferrogate_api::{AccountRef, BudgetUnit};

/// What was used of a budget has reached a threshold, for the first time in its period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThresholdCrossed {
    pub account: AccountRef,
    pub budget_id: Arc<str>,
    pub unit: BudgetUnit,
    pub percent: u8,
    pub used: i64,
    /// With the raises that are in force.
    pub limit: i64,
    /// `None`: it is a total.
    pub period_end_unix_ms: Option<i64>,
}

/// Who hears of thresholds. It is called after the lock is released, by the request that crossed one: it must not wait.
pub struct ThresholdSink(Box<dyn Fn(ThresholdCrossed) + Send + Sync>);

impl ThresholdSink {
    pub fn new(sink: impl Fn(ThresholdCrossed) + Send + Sync + 'static) -> Self {
        Self(Box::new(sink))
    }

    pub(super) fn tell(&self, crossed: ThresholdCrossed) {
        (self.0)(crossed);
    }
}

impl fmt::Debug for ThresholdSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ThresholdSink")
    }
}
