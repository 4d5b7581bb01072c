//! What every resource says of itself, whoever declared it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Where a resource was declared, and so who may change it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// In the configuration file; the API shows it and does not change it.
    #[default]
    Config,
    /// Made by the gateway or through the API; it lives in the database.
    Api,
    /// Nowhere: a tenant that keys name and nobody declared. It has no limits.
    Implicit,
}

/// The answer to a deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deleted {
    /// `api_key`, `tenant`, `policy` or `gateway_config`.
    pub object: Arc<str>,
    pub id: String,
    pub deleted: bool,
}

impl Deleted {
    pub fn of(object: &str, id: String) -> Self {
        Self {
            object: object.into(),
            id,
            deleted: true,
        }
    }
}
