//! What a key or a tenant may spend: the same keys in `[[api_keys]]` and `[[tenants]]`.

use super::{Budget, reader::Section};

/// The limits of one account. A request has to fit into those of its key and of every tenant that the key belongs to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AccountLimits {
    /// `request_limit_per_minute`; `None`: no limit.
    pub requests_per_minute: Option<u64>,
    /// `token_limit_per_minute`, input and output together; `None`: no limit.
    pub tokens_per_minute: Option<u64>,
    /// `concurrency_limit`: requests at a time; `None`: no limit.
    pub concurrency: Option<u64>,
    /// `monthly_token_budget`, then `budgets`. No two of them have an id, or unit, period and time zone, in common.
    pub budgets: Vec<Budget>,
}

impl AccountLimits {
    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        Self {
            requests_per_minute: section
                .number_if_set("request_limit_per_minute", 1..=1_000_000_000),
            tokens_per_minute: section
                .number_if_set("token_limit_per_minute", 1..=1_000_000_000_000),
            concurrency: section.number_if_set("concurrency_limit", 1..=1_000_000),
            budgets: Budget::read_all(section),
        }
    }
}
