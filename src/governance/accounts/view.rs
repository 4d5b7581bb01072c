//! How accounts stand, for those who look on. Looking changes nothing, not even the period.

use ferrogate_api::{AccountRef, BudgetStatus};

use super::{amounts::narrowed, balance::Balance, state::SlotState, tree::Account};
use crate::config::Budget;

/// How one account stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountView {
    pub account: AccountRef,
    pub in_flight: u64,
    /// Counted in the last minute; nothing is counted where no limit is set.
    pub requests_in_window: u64,
    pub tokens_in_window: u64,
    /// In the order in which they are declared.
    pub budgets: Vec<BudgetView>,
}

/// How one budget stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetView {
    pub status: BudgetStatus,
    /// The part of the limit that top-ups and raises add now.
    pub raised: i64,
}

impl AccountView {
    /// The windows of `slot` are advanced.
    pub(super) fn new(account: &Account, slot: &SlotState, now_unix_ms: i64) -> Self {
        let budgets = account.limits.budgets.iter().zip(&account.budgets);
        Self {
            account: account.id.clone(),
            in_flight: slot.in_flight,
            requests_in_window: slot.requests.as_ref().map_or(0, |window| window.total()),
            tokens_in_window: slot.tokens.as_ref().map_or(0, |window| window.total()),
            budgets: budgets
                .filter_map(|(budget, place)| {
                    let balance = slot.balances.get(place.index)?.as_ref()?;
                    Some(budget_view(account, budget, (slot, balance), now_unix_ms))
                })
                .collect(),
        }
    }
}

fn budget_view(
    account: &Account,
    budget: &Budget,
    (slot, balance): (&SlotState, &Balance),
    now_unix_ms: i64,
) -> BudgetView {
    let held = slot.held.get(budget.unit);
    let limit = balance.limit(budget.amount, now_unix_ms);
    let (span, used) = balance.as_of(now_unix_ms);
    let end = span.end_if_any();
    BudgetView {
        status: BudgetStatus {
            account: account.id.clone(),
            budget_id: budget.id.clone(),
            unit: budget.unit,
            period: budget.period,
            time_zone: budget.time_zone_name.clone(),
            period_start_unix_ms: end.map(|_| span.start_unix_ms),
            period_end_unix_ms: end,
            limit,
            used,
            held: narrowed(held),
            remaining: narrowed(i128::from(limit) - i128::from(used) - held),
        },
        raised: balance.raised(now_unix_ms),
    }
}
