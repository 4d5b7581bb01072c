//! `[[api_keys]]`.

use std::collections::BTreeSet;

use serde::Deserialize;
use utoipa::ToSchema;

use super::{BudgetDocument, Name, Scope};

/// A virtual key: who its requests belong to, what they may ask for, and what they may spend.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "id": "team-blue",
    "name": "Team Blue",
    "scopes": ["models.read", "chat.completions"],
    "request_limit_per_minute": 600,
    "budgets": [{"money": "250.00", "period": "month", "time_zone": "Europe/Berlin"}]
})))]
pub struct ApiKeyDocument {
    /// What it is called in logs, metrics and sums; not secret, unique among keys.
    pub id: Name,
    /// What people call it; left out: its id.
    pub name: Option<String>,
    /// The hash of its secret, as `ferrogate hash-key` prints it. Left out of a new key, the gateway makes a secret and
    /// tells it once; left out of a replacement, the secret stays.
    #[serde(default)]
    #[schema(
        pattern = "^(sha256:[0-9A-Fa-f]{64}|blake2b:[0-9A-Fa-f]{128})$",
        examples("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
    )]
    pub key_hash: String,
    /// False: requests with it are refused with 403 `api_key_disabled`.
    #[schema(default = true)]
    pub enabled: Option<bool>,
    /// What it may do; left out: everything that clients do, and nothing of the admin API.
    #[schema(min_items = 1)]
    pub scopes: Option<BTreeSet<Scope>>,
    /// The models it may use, and tools of MCP servers as `mcp_tool:<server>-<tool>`; empty: all.
    pub allowed_models: Option<BTreeSet<Name>>,
    /// The models it may not use, whatever `allowed_models` says.
    pub denied_models: Option<BTreeSet<Name>>,
    /// The providers that may answer it, and MCP servers as `mcp:<server>`; empty: all.
    pub allowed_providers: Option<BTreeSet<Name>>,
    /// The providers that may not answer it, whatever `allowed_providers` says.
    pub denied_providers: Option<BTreeSet<Name>>,
    /// The id of the organization it belongs to.
    pub organization_id: Option<Name>,
    /// The id of the team it belongs to. What a declared team belongs to, its keys belong to.
    pub team_id: Option<Name>,
    /// The id of the project it belongs to. What a declared project belongs to, its keys belong to.
    pub project_id: Option<Name>,
    /// The id of the user it belongs to.
    pub user_id: Option<Name>,
    /// Requests in any minute; left out: no limit.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub request_limit_per_minute: Option<u64>,
    /// Tokens in any minute, input and output together; left out: no limit.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_u64)]
    pub token_limit_per_minute: Option<u64>,
    /// Requests in flight at once; left out: no limit.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub concurrency_limit: Option<u64>,
    /// In short: a budget of so many tokens in each calendar month, in UTC.
    #[schema(minimum = 1, maximum = 1_000_000_000_000_000_u64)]
    pub monthly_token_budget: Option<u64>,
    /// What it may spend; each has another id, and another unit, period or time zone.
    #[schema(max_items = 16)]
    pub budgets: Option<Vec<BudgetDocument>>,
    /// Whether it may be answered from the cache.
    #[schema(default = true)]
    pub cache_enabled: Option<bool>,
    /// Whether its bodies are kept with the request logs, where `[telemetry] log_bodies` is on.
    #[schema(default = false)]
    pub log_bodies: Option<bool>,
    /// From when on it works no more, in seconds since the Unix epoch; left out: never.
    #[schema(minimum = 1, maximum = 253_402_300_799_u64, examples(1_893_456_000))]
    pub expires_at_unix: Option<u64>,
}
