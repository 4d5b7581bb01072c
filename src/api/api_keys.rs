//! Virtual keys as the admin API shows them. The secret is never part of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// One virtual key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    pub id: Arc<str>,
    pub name: String,
    pub enabled: bool,
    pub origin: Origin,
    /// How the secret is known to the gateway.
    pub secret: SecretKind,
    pub scopes: Vec<String>,
    /// Empty: every model.
    pub allowed_models: Vec<String>,
    pub denied_models: Vec<String>,
    /// Empty: every provider.
    pub allowed_providers: Vec<String>,
    pub denied_providers: Vec<String>,
    pub request_limit_per_minute: Option<u64>,
    pub expires_at_unix: Option<i64>,
}

/// Where a resource was declared, and so who may change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// In the configuration file; the API shows it and does not change it.
    Config,
    /// Made by the gateway or through the API; it lives in the database.
    Api,
}

/// In which form a key's secret was given to the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    Hash,
    Env,
    Inline,
}
