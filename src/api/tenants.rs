//! Tenants as the admin API shows them: who keys belong to, and what all of these may use together.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{AccountKind, AccountRef, Budget, Origin};

/// One organization, team, project or user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    /// `tenant`.
    pub object: Arc<str>,
    /// Never `key`.
    pub kind: AccountKind,
    /// Unique among the tenants of its kind.
    pub id: Arc<str>,
    pub name: String,
    /// What it is part of, such as `organization:acme`.
    pub parent: Option<AccountRef>,
    /// While it is false, no key of this tenant works.
    pub enabled: bool,
    pub request_limit_per_minute: Option<u64>,
    #[serde(default)]
    pub token_limit_per_minute: Option<u64>,
    /// Requests in flight at once.
    #[serde(default)]
    pub concurrency_limit: Option<u64>,
    #[serde(default)]
    pub budgets: Vec<Budget>,
    pub origin: Origin,
    /// 1 when it is made, one more with every change; absent for what is not in the database.
    #[serde(default)]
    pub revision: Option<u64>,
    #[serde(default)]
    pub created_at_unix_ms: Option<i64>,
    #[serde(default)]
    pub updated_at_unix_ms: Option<i64>,
}
