//! What was added to budgets by hand, and for how long.

use std::sync::Arc;

use ferrogate_api::AccountRef;

/// A top-up or a temporary raise of one budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raise {
    pub account: AccountRef,
    pub budget_id: Arc<str>,
    /// Tokens or nano-units, as the budget counts.
    pub amount: i64,
    pub starts_at_unix_ms: i64,
    /// Exclusive; `None`: it stays.
    pub ends_at_unix_ms: Option<i64>,
}

impl Raise {
    pub(super) fn is_in_force(&self, now_unix_ms: i64) -> bool {
        self.starts_at_unix_ms <= now_unix_ms
            && self.ends_at_unix_ms.is_none_or(|end| now_unix_ms < end)
    }
}
