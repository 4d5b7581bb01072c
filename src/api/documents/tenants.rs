//! `[[tenants]]`.

use serde::Deserialize;
use utoipa::ToSchema;

use super::{BudgetDocument, Name, TenantKind};

/// An organization, a team, a project or a user: who keys belong to, and what all of these may spend together.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "kind": "team",
    "id": "search",
    "name": "The search team",
    "request_limit_per_minute": 6000,
    "budgets": [{"tokens": 50_000_000, "period": "week"}]
})))]
pub struct TenantDocument {
    /// What it is.
    pub kind: TenantKind,
    /// What keys and policies refer to; unique among the tenants of its kind.
    pub id: Name,
    /// What people call it; left out: its id.
    pub name: Option<String>,
    /// What it is part of: a team or a project of an organization, a user of any of the three.
    #[schema(
        pattern = "^(organization|team|project|user):[!-~]{1,128}$",
        examples("organization:acme")
    )]
    pub parent: Option<String>,
    /// False: no key of this tenant works.
    #[schema(default = true)]
    pub enabled: Option<bool>,
    /// Requests of all its keys together in any minute; left out: no limit.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub request_limit_per_minute: Option<u64>,
    /// Tokens of all its keys together in any minute, input and output; left out: no limit.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_u64)]
    pub token_limit_per_minute: Option<u64>,
    /// Requests of all its keys in flight at once; left out: no limit.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub concurrency_limit: Option<u64>,
    /// In short: a budget of so many tokens in each calendar month, in UTC.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_000_u64)]
    pub monthly_token_budget: Option<u64>,
    /// What all its keys may spend together; each has another id, and another unit, period or time zone.
    #[schema(max_items = 16)]
    pub budgets: Option<Vec<BudgetDocument>>,
}
