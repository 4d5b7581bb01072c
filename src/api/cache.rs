//! The response cache: how full it is, and how to empty it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::AccountRef;

/// `GET /admin/v1/cache`: what the cache holds, and what it has done since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct CacheStats {
    /// Whether anything is kept.
    pub enabled: bool,
    /// How many answers it holds.
    pub entries: u64,
    /// How many it may hold.
    pub entries_max: u64,
    /// How much memory they take.
    pub bytes: u64,
    /// How much they may take.
    pub bytes_max: u64,
    /// Requests that were answered from it, since the start.
    pub hits: u64,
    /// Requests that were looked up and not found, since the start.
    pub misses: u64,
    /// Entries that left to make room.
    pub evictions: u64,
    /// What the hits had cost, in nano-units (10⁻⁹).
    pub saved_nanos: i64,
}

/// `POST /admin/v1/cache:purge`: which entries are to leave. Exactly one of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(examples(json!({"account": "organization:acme"})))]
pub struct CachePurge {
    /// Those of this logical model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Arc<str>>,
    /// Those that requests of this key or of this tenant's keys left there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountRef>,
    /// Every one.
    #[serde(skip_serializing_if = "is_false")]
    pub all: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// What a purge did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CachePurged {
    /// How many entries left.
    pub purged: u64,
}
