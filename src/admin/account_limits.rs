//! Limits and budgets of keys and tenants, in the words they were declared with.

use ferrogate_api::{Budget, BudgetUnit, decimal_of_nanos};

use crate::config;

pub(super) fn budgets(limits: &config::AccountLimits) -> Vec<Budget> {
    limits.budgets.iter().map(budget).collect()
}

fn budget(budget: &config::Budget) -> Budget {
    let (tokens, money) = match budget.unit {
        BudgetUnit::Tokens => (Some(budget.amount), None),
        BudgetUnit::Money => (None, Some(decimal_of_nanos(budget.amount))),
    };
    Budget {
        id: budget.id.clone(),
        tokens,
        money,
        period: budget.period,
        time_zone: budget.time_zone_name.clone(),
    }
}
