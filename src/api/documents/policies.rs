//! `[[policies]]`.

use std::collections::BTreeSet;

use serde::Deserialize;
use utoipa::ToSchema;

use super::{Decimal, Name, PolicyEffect, Weekday};

/// A rule that denies. A request is refused by the first enabled policy all of whose lists, and whose condition, it
/// meets; an empty list is met by every request.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "name": "no long prompts at night",
    "effect": "deny",
    "message": "Long prompts wait until the morning.",
    "when": {"hours": "22:00-06:00", "time_zone": "Europe/Berlin", "estimated_tokens_above": 50_000}
})))]
pub struct PolicyDocument {
    /// What it is called; it may hold spaces, and is unique among policies.
    #[schema(pattern = "^[!-~]([ -~]{0,126}[!-~])?$", examples("no chat at night"))]
    pub name: String,
    /// What it does.
    pub effect: PolicyEffect,
    /// False: it is passed over.
    #[schema(default = true)]
    pub enabled: Option<bool>,
    /// The ids of organizations whose requests it is about.
    pub organization_ids: Option<BTreeSet<Name>>,
    /// The ids of teams whose requests it is about.
    pub team_ids: Option<BTreeSet<Name>>,
    /// The ids of projects whose requests it is about.
    pub project_ids: Option<BTreeSet<Name>>,
    /// The ids of users whose requests it is about.
    pub user_ids: Option<BTreeSet<Name>>,
    /// The ids of keys whose requests it is about.
    pub api_key_ids: Option<BTreeSet<Name>>,
    /// The models it is about, and tools of MCP servers as `mcp_tool:<server>-<tool>`.
    pub models: Option<BTreeSet<Name>>,
    /// The providers it is about, and MCP servers as `mcp:<server>`.
    pub providers: Option<BTreeSet<Name>>,
    /// The code of the error that the client gets.
    #[schema(pattern = "^[a-z0-9_]{1,64}$", default = "policy_denied")]
    pub code: Option<String>,
    /// What the client is told: one line of at most 1024 bytes.
    #[schema(
        min_length = 1,
        max_length = 1024,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$",
        default = "A policy denies this request."
    )]
    pub message: Option<String>,
    /// When it holds; left out: always.
    pub when: Option<PolicyWhenDocument>,
}

/// When a policy holds. Everything that is given must, and something is beside `time_zone`.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(min_properties = 1)]
pub struct PolicyWhenDocument {
    /// The hours of the day, from the first minute up to and without the last; over midnight where it ends before it
    /// begins.
    #[schema(
        pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$",
        examples("22:00-06:00")
    )]
    pub hours: Option<String>,
    /// The days of the week; empty: all. The hours after midnight belong to the day before.
    pub days: Option<BTreeSet<Weekday>>,
    /// The IANA name of the zone of `hours` and `days`, without which it has no meaning.
    #[schema(default = "UTC", examples("Europe/Berlin"))]
    pub time_zone: Option<String>,
    /// Requests whose estimate, prompt and answer together, is over so many tokens.
    #[schema(minimum = 0, maximum = 1_000_000_000_000_u64)]
    pub estimated_tokens_above: Option<u64>,
    /// Requests whose estimated cost is over this, with at most 9 decimal places.
    pub estimated_cost_above: Option<Decimal>,
    /// True: only requests that stream; false: only those that do not.
    pub streaming: Option<bool>,
}
