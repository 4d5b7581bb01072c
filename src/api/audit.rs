//! Who changed what, and when.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One change of what the gateway goes by. Append-only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    pub id: String,
    pub occurred_at_unix_ms: i64,
    /// The id of an admin key, or `unix:uid=…`.
    pub actor: Arc<str>,
    /// `api_key.create`, `tenant.update`, `budget.adjust`, `cache.purge`, `ledger.reprice` and so on.
    pub action: Arc<str>,
    /// What was changed: `api_key:dev`, `tenant:organization:acme`.
    pub target: String,
    /// How it went: `ok`, or the code of the error.
    #[serde(default)]
    pub outcome: Arc<str>,
    /// What is worth knowing beside it; never a secret.
    #[serde(default)]
    pub message: String,
    /// What it was before and what it is now, or whatever else tells the change; hashes of secrets are left out.
    #[serde(default)]
    pub detail: Option<serde_json::Value>,
}

/// Which audit events to list, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEventQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}
