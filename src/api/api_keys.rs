//! Virtual keys as the admin API shows them. The secret is part of an answer once, when it is made.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Budget, Origin};

/// One virtual key, without its secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// `api_key`; empty from a gateway that does not say.
    #[serde(default)]
    pub object: Arc<str>,
    pub id: Arc<str>,
    pub name: String,
    pub enabled: bool,
    pub origin: Origin,
    /// 1 when it is made, one more with every change; absent for what is not in the database.
    #[serde(default)]
    pub revision: Option<u64>,
    #[serde(default)]
    pub created_at_unix_ms: Option<i64>,
    #[serde(default)]
    pub updated_at_unix_ms: Option<i64>,
    /// How the secret is known to the gateway.
    #[serde(rename = "key_source")]
    pub secret: SecretKind,
    pub scopes: Vec<String>,
    /// Empty: every model.
    pub allowed_models: Vec<String>,
    pub denied_models: Vec<String>,
    /// Empty: every provider.
    pub allowed_providers: Vec<String>,
    pub denied_providers: Vec<String>,
    #[serde(default)]
    pub organization_id: Option<Arc<str>>,
    #[serde(default)]
    pub team_id: Option<Arc<str>>,
    #[serde(default)]
    pub project_id: Option<Arc<str>>,
    #[serde(default)]
    pub user_id: Option<Arc<str>>,
    pub request_limit_per_minute: Option<u64>,
    #[serde(default)]
    pub token_limit_per_minute: Option<u64>,
    /// Requests in flight at once.
    #[serde(default)]
    pub concurrency_limit: Option<u64>,
    #[serde(default)]
    pub budgets: Vec<Budget>,
    /// In seconds.
    pub expires_at_unix: Option<i64>,
    /// Until when each secret that was rotated away still works, in seconds; only those that do.
    #[serde(default)]
    pub previous_secrets_expire_at_unix: Vec<i64>,
    #[serde(default)]
    pub cache_enabled: bool,
    #[serde(default)]
    pub log_bodies: bool,
    /// When a request last came with it, as far as that was written down.
    #[serde(default)]
    pub last_used_unix_ms: Option<i64>,
}

/// A key that was just made, or whose secret was. The one answer that has a secret in it, and only where the gateway
/// made it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewApiKey {
    #[serde(flatten)]
    pub key: ApiKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

impl std::fmt::Debug for NewApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewApiKey")
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// `POST /admin/v1/api-keys/{id}/rotate`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RotateApiKey {
    /// How long the old secret goes on working beside the new one.
    pub overlap_secs: u64,
}

/// In which form a key's secret was given to the gateway.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    #[default]
    Hash,
    Env,
    Inline,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_what_it_writes_and_its_debug_has_no_secret() {
        let key = ApiKey {
            object: "api_key".into(),
            id: "dev".into(),
            origin: Origin::Api,
            revision: Some(3),
            concurrency_limit: Some(4),
            ..ApiKey::default()
        };
        let made = NewApiKey {
            key: key.clone(),
            secret: Some("fg_live_x".to_owned()),
        };
        let json = serde_json::to_value(&made).unwrap();
        assert_eq!(json["origin"], "api");
        assert_eq!(json["concurrency_limit"], 4);
        assert_eq!(json["secret"], "fg_live_x");
        assert_eq!(json["key_source"], "hash");
        assert_eq!(
            serde_json::from_value::<NewApiKey>(json.clone()).unwrap(),
            made
        );
        assert_eq!(serde_json::from_value::<ApiKey>(json).unwrap(), key);
        assert!(!format!("{made:?}").contains("fg_live_x"));
    }
}
