//! Budgets: what an account may spend in a period, how much of it is left, and what was added by hand.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{Object, schema::Type},
};

use crate::{AccountRef, BudgetPeriod, BudgetUnit};

/// One budget as it is declared: so many tokens, or so much money, in each period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Budget {
    /// Unique within its account.
    pub id: Arc<str>,
    /// So many tokens, for a budget in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<i64>,
    /// A decimal number in the price list's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<String>,
    /// When it begins anew.
    pub period: BudgetPeriod,
    /// An IANA name, such as `Europe/Berlin`: where the period's calendar is.
    pub time_zone: Arc<str>,
}

/// How one budget stands now. Amounts are tokens, or nano-units (10⁻⁹) of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BudgetStatus {
    /// Whose it is.
    pub account: AccountRef,
    /// Which of the account's budgets.
    pub budget_id: Arc<str>,
    /// What it counts.
    pub unit: BudgetUnit,
    /// When it begins anew.
    pub period: BudgetPeriod,
    /// The IANA name of the zone whose calendar counts.
    pub time_zone: Arc<str>,
    /// The period that runs now, half-open. A budget in total has none.
    pub period_start_unix_ms: Option<i64>,
    /// The end of the period that runs, in milliseconds since the Unix epoch; absent for a budget in total.
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BudgetStatusQuery {
    /// Those of one key or tenant: `key:dev`, `organization:acme`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = "organization:acme")]
    pub account: Option<AccountRef>,
    /// A part of the account's id or of the budget's, in capitals or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// `account`, `used`, `remaining`, `limit` or `used_percent`; with `-` before it the other way round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    /// `next_cursor` of the page before, which was asked for with the same order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many budgets to pass over, in place of a cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    /// How many budgets a page may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Which of the adjustments in force to show.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BudgetAdjustmentQuery {
    /// Those of one key or tenant: `key:dev`, `organization:acme`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(example = "organization:acme")]
    pub account: Option<AccountRef>,
    /// Those of the budget with this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_id: Option<String>,
    /// `top_up` or `raise`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(schema_with = by_hand)]
    pub kind: Option<AdjustmentKind>,
    /// A part of the account's id, the budget's, the reason or the actor, in capitals or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// `created_at`, `account` or `ends_at`; with `-` before it the other way round. Absent: `-created_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    /// `next_cursor` of the page before, which was asked for with the same order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many adjustments to pass over, in place of a cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    /// How many adjustments a page may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// What a row beside the metered ones changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "account": "key:spender",
    "budget_id": "day-tokens",
    "kind": "top_up",
    "tokens": 1_000_000,
    "reason": "launch day"
})))]
pub struct NewBudgetAdjustment {
    /// Whose budget is to be changed.
    pub account: AccountRef,
    /// Which of the account's budgets.
    pub budget_id: String,
    /// `top_up` or `raise`.
    #[schema(schema_with = by_hand)]
    pub kind: AdjustmentKind,
    /// How much more, for a budget in tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1)]
    pub tokens: Option<i64>,
    /// How much more, for a budget in money: a decimal number in the price list's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9]+(\\.[0-9]{1,9})?$", examples("25.00"))]
    pub money: Option<String>,
    /// When a raise ends, in milliseconds since the Unix epoch; absent: never. A top-up ends with its period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_unix_ms: Option<i64>,
    /// Why; it stays in the ledger.
    #[serde(default)]
    #[schema(max_length = 500)]
    pub reason: String,
}

/// What is added by hand. The other kinds are the gateway's own.
fn by_hand() -> Object {
    Object::builder()
        .schema_type(Type::String)
        .description(Some(
            "`top_up`: more for the period that runs. `raise`: more in every period until its end.",
        ))
        .enum_values(Some(["top_up", "raise"]))
        .build()
}

/// One adjustment as it stands in the ledger. `amount` is tokens, or nano-units (10⁻⁹) of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BudgetAdjustment {
    /// Its own id.
    pub id: String,
    /// What it is.
    pub kind: AdjustmentKind,
    /// Whose budget it changes.
    pub account: AccountRef,
    /// Which of the account's budgets.
    pub budget_id: Arc<str>,
    /// What the budget counts.
    pub unit: BudgetUnit,
    /// How much more: tokens, or nano-units (10⁻⁹) of money.
    pub amount: i64,
    /// From when on it holds, in milliseconds since the Unix epoch.
    pub starts_at_unix_ms: i64,
    /// Until when it holds, in milliseconds since the Unix epoch; absent: for good.
    pub ends_at_unix_ms: Option<i64>,
    /// Why it was made.
    pub reason: String,
    /// The id of an admin key, or `unix:uid=…`.
    pub actor: String,
    /// When it was made, in milliseconds since the Unix epoch.
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
