//! Policies as the admin API shows them: rules that deny.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Origin;

/// One deny rule. All selectors that are not empty must match, and the condition, where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Policy {
    /// `policy`.
    pub object: Arc<str>,
    /// What it is called; unique among policies.
    pub name: Arc<str>,
    /// Always `deny`.
    pub effect: Arc<str>,
    /// False: it is passed over.
    pub enabled: bool,
    /// The organizations whose requests it is about; empty: all.
    pub organization_ids: Vec<Arc<str>>,
    /// The teams whose requests it is about; empty: all.
    pub team_ids: Vec<Arc<str>>,
    /// The projects whose requests it is about; empty: all.
    pub project_ids: Vec<Arc<str>>,
    /// The users whose requests it is about; empty: all.
    pub user_ids: Vec<Arc<str>>,
    /// The keys whose requests it is about; empty: all.
    pub api_key_ids: Vec<Arc<str>>,
    /// The models it is about; empty: all.
    pub models: Vec<Arc<str>>,
    /// The providers it is about; empty: all.
    pub providers: Vec<Arc<str>>,
    /// The code of the error that the client gets.
    pub code: Arc<str>,
    /// What the client is told.
    pub message: String,
    /// When it holds; absent: always.
    pub when: Option<PolicyWhen>,
    /// Where it was declared, and so who may change it.
    pub origin: Origin,
    /// 1 when it is made, one more with every change; absent for what is not in the database.
    #[serde(default)]
    pub revision: Option<u64>,
    /// When it was made, in milliseconds since the Unix epoch; absent for what is not in the database.
    #[serde(default)]
    pub created_at_unix_ms: Option<i64>,
    /// When it was changed last, in milliseconds since the Unix epoch; absent for what is not in the database.
    #[serde(default)]
    pub updated_at_unix_ms: Option<i64>,
}

/// When a rule holds; everything that is given must.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PolicyWhen {
    /// `22:00-06:00`.
    pub hours: Option<String>,
    /// `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`; empty: every day.
    pub days: Vec<String>,
    /// The IANA name of the zone of `hours` and `days`.
    pub time_zone: Option<String>,
    /// Requests whose estimate, prompt and answer together, is over so many tokens.
    pub estimated_tokens_above: Option<u64>,
    /// Requests whose estimated cost is over this: a decimal number in the price list's currency.
    pub estimated_cost_above: Option<String>,
    /// True: only requests that stream; false: only those that do not.
    pub streaming: Option<bool>,
}

/// Which policies to list; everything that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct PolicyFilter {
    /// Only those that are switched on, or off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Only those that were declared there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}
