//! Tenants as the admin API shows them: who keys belong to, and what all of these may use together.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{AccountKind, AccountRef, Budget, Origin, TenantKind};

/// One organization, team, project or user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tenant {
    /// `tenant`.
    pub object: Arc<str>,
    /// Never `key`.
    pub kind: AccountKind,
    /// Unique among the tenants of its kind.
    pub id: Arc<str>,
    /// What people call it.
    pub name: String,
    /// What it is part of, such as `organization:acme`.
    pub parent: Option<AccountRef>,
    /// While it is false, no key of this tenant works.
    pub enabled: bool,
    /// Requests of all its keys together in any minute; absent: no limit.
    pub request_limit_per_minute: Option<u64>,
    /// Tokens of all its keys together in any minute; absent: no limit.
    #[serde(default)]
    pub token_limit_per_minute: Option<u64>,
    /// Requests in flight at once.
    #[serde(default)]
    pub concurrency_limit: Option<u64>,
    /// What all its keys may spend together.
    #[serde(default)]
    pub budgets: Vec<Budget>,
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

/// Which tenants to list; everything that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct TenantFilter {
    /// `organization`, `team`, `project` or `user`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<TenantKind>)]
    pub kind: Option<String>,
    /// What it is part of, such as `organization:acme`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(
        value_type = Option<String>,
        pattern = "^(organization|team|project|user):[\\s\\S]",
        example = "organization:acme"
    )]
    pub parent: Option<AccountRef>,
    /// Only those that are switched on, or off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Only those that were declared there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}
