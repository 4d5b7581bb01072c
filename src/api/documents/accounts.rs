//! What an account may spend, as it is declared.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{Decimal, Name};
use crate::BudgetPeriod;

/// So many tokens, or so much money, in each calendar period. Exactly one of `tokens` and `money`.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"id": "month", "money": "250.00", "period": "month", "time_zone": "Europe/Berlin"})))]
pub struct BudgetDocument {
    /// What top-ups refer to, unique within the account; left out: its period and its unit, such as `month-tokens`.
    pub id: Option<Name>,
    /// So many tokens, input and output together.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_000_u64)]
    pub tokens: Option<u64>,
    /// So much money: more than 0, with at most 9 decimal places.
    pub money: Option<Decimal>,
    /// When it begins anew.
    pub period: BudgetPeriod,
    /// The IANA name of the zone whose calendar counts; left out: `UTC`. A budget in total has none.
    #[schema(default = "UTC", examples("Europe/Berlin"))]
    pub time_zone: Option<String>,
}
