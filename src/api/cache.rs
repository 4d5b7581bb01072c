//! The response cache: how full it is, and how to empty it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::AccountRef;

/// `GET /admin/v1/cache`: what the cache holds, and what it has done since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CacheStats {
    pub enabled: bool,
    pub entries: u64,
    pub entries_max: u64,
    pub bytes: u64,
    pub bytes_max: u64,
    pub hits: u64,
    pub misses: u64,
    /// Entries that left to make room.
    pub evictions: u64,
    /// What the hits had cost, in nano-units (10⁻⁹).
    pub saved_nanos: i64,
}

/// `POST /admin/v1/cache:purge`: which entries are to leave. Exactly one of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachePurged {
    /// How many entries left.
    pub purged: u64,
}
