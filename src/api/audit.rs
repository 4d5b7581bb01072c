//! Who changed what, and when.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// One change of what the gateway goes by. Append-only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEvent {
    /// Its number in the log.
    pub id: String,
    /// When, in milliseconds since the Unix epoch.
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditEventQuery {
    /// Who: the id of an admin key, or `unix:uid=…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// What was done, such as `api_key.update`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// What it was done to, such as `api_key:dev`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// `ok`, or the code of an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Text that actor, action, target, outcome, message or detail must hold, in whatever case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// At this time or later, in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// Before this time, in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// `next_cursor` of the page before, which was asked for with the same filters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many events a page may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// `POST /admin/v1/audit:verify`: reckon the chain of hashes again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyAudit {
    /// A head hash that was noted earlier, in hexadecimal: the chain must still lead through it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9A-Fa-f]{64}$")]
    pub expect_head: Option<String>,
}

/// What a verification of the audit log found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditReport {
    /// Whether the chain is whole, and leads through the hash that was expected.
    pub ok: bool,
    /// How many rows there are.
    pub rows: u64,
    /// The number of the first row; absent where there is none.
    pub first_seq: Option<i64>,
    /// The number of the last row; absent where there is none.
    pub last_seq: Option<i64>,
    /// The last row that retention took away, from whose hash the chain goes on; absent where none has left.
    pub anchor_seq: Option<i64>,
    /// The hash of the last row, in hexadecimal. Whoever notes it elsewhere can tell later that nothing before it was
    /// changed. Absent where there never was a row.
    pub head_hash: Option<String>,
    /// The row whose hash is the expected one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_seq: Option<i64>,
    /// How many problems there are.
    pub problems_found: u64,
    /// The first of them, in words.
    pub problems: Vec<String>,
}
