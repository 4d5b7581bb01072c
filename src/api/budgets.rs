//! Budgets: what an account may spend in a period, how much of it is left, and what was added by hand.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{AccountRef, BudgetPeriod, BudgetUnit};

/// One budget as it is declared: so many tokens, or so much money, in each period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Unique within its account.
    pub id: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<i64>,
    /// A decimal number in the price list's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<String>,
    pub period: BudgetPeriod,
    /// An IANA name, such as `Europe/Berlin`: where the period's calendar is.
    pub time_zone: Arc<str>,
}

/// How one budget stands now. Amounts are tokens, or nano-units (10⁻⁹) of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetStatus {
    pub account: AccountRef,
    pub budget_id: Arc<str>,
    pub unit: BudgetUnit,
    pub period: BudgetPeriod,
    pub time_zone: Arc<str>,
    /// The period that runs now, half-open. A budget in total has none.
    pub period_start_unix_ms: Option<i64>,
    pub period_end_unix_ms: Option<i64>,
    /// What is declared, with the top-ups and raises that are in force.
    pub limit: i64,
    /// What the ledger says was spent.
    pub used: i64,
    /// What requests in flight may still spend.
    pub held: i64,
    /// What the next request may ask for; below zero where more was spent than there was.
    pub remaining: i64,
}

/// Which budgets to show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetStatusQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What a row beside the metered ones changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdjustmentKind {
    /// More for the period that runs.
    TopUp,
    /// More in every period until its end.
    Raise,
    /// What a price change made of requests that were charged already.
    Correction,
    /// What stands for rows that retention took away.
    Closing,
}

impl AdjustmentKind {
    pub const ALL: [Self; 4] = [Self::TopUp, Self::Raise, Self::Correction, Self::Closing];

    /// The name on the wire and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TopUp => "top_up",
            Self::Raise => "raise",
            Self::Correction => "correction",
            Self::Closing => "closing",
        }
    }

    /// The reverse of [`AdjustmentKind::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// `POST /admin/v1/budgets/adjustments`: a top-up or a raise of one budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewBudgetAdjustment {
    pub account: AccountRef,
    pub budget_id: String,
    pub kind: AdjustmentKind,
    /// How much more, for a budget in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<i64>,
    /// How much more, for a budget in money: a decimal number in the price list's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<String>,
    /// When a raise ends; absent: never. A top-up ends with its period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_unix_ms: Option<i64>,
    /// Why; it stays in the ledger.
    #[serde(default)]
    pub reason: String,
}

/// One adjustment as it stands in the ledger. `amount` is tokens, or nano-units (10⁻⁹) of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetAdjustment {
    pub id: String,
    pub kind: AdjustmentKind,
    pub account: AccountRef,
    pub budget_id: Arc<str>,
    pub unit: BudgetUnit,
    pub amount: i64,
    pub starts_at_unix_ms: i64,
    pub ends_at_unix_ms: Option<i64>,
    pub reason: String,
    /// The id of an admin key, or `unix:uid=…`.
    pub actor: String,
    pub created_at_unix_ms: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_adjustment_is_found_again_by_its_name() {
        for kind in AdjustmentKind::ALL {
            assert_eq!(AdjustmentKind::parse(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
