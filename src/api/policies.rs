//! Policies as the admin API shows them: rules that deny.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Origin;

/// One deny rule. All selectors that are not empty must match, and the condition, where there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// `policy`.
    pub object: Arc<str>,
    pub name: Arc<str>,
    /// Always `deny`.
    pub effect: Arc<str>,
    pub enabled: bool,
    pub organization_ids: Vec<Arc<str>>,
    pub team_ids: Vec<Arc<str>>,
    pub project_ids: Vec<Arc<str>>,
    pub user_ids: Vec<Arc<str>>,
    pub api_key_ids: Vec<Arc<str>>,
    pub models: Vec<Arc<str>>,
    pub providers: Vec<Arc<str>>,
    /// What the client is told.
    pub code: Arc<str>,
    pub message: String,
    pub when: Option<PolicyWhen>,
    pub origin: Origin,
    /// 1 when it is made, one more with every change; absent for what is not in the database.
    #[serde(default)]
    pub revision: Option<u64>,
    #[serde(default)]
    pub created_at_unix_ms: Option<i64>,
    #[serde(default)]
    pub updated_at_unix_ms: Option<i64>,
}

/// When a rule holds; everything that is given must.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyWhen {
    /// `22:00-06:00`.
    pub hours: Option<String>,
    /// `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`; empty: every day.
    pub days: Vec<String>,
    pub time_zone: Option<String>,
    pub estimated_tokens_above: Option<u64>,
    /// A decimal number in the price list's currency.
    pub estimated_cost_above: Option<String>,
    pub streaming: Option<bool>,
}
