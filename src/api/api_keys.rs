//! Virtual keys as the admin API shows them. The secret is part of an answer once, when it is made.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Budget, Origin, Scope};

/// One virtual key, without its secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiKey {
    /// `api_key`; empty from a gateway that does not say.
    #[serde(default)]
    pub object: Arc<str>,
    /// Not secret, unique among keys.
    pub id: Arc<str>,
    /// What people call it.
    pub name: String,
    /// False: requests with it are refused with 403 `api_key_disabled`.
    pub enabled: bool,
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
    /// How the secret is known to the gateway.
    #[serde(rename = "key_source")]
    pub secret: SecretKind,
    /// What it may do: `chat.completions`, `admin.read` and so on.
    pub scopes: Vec<String>,
    /// Empty: every model.
    pub allowed_models: Vec<String>,
    /// The models it may not use, whatever `allowed_models` says.
    pub denied_models: Vec<String>,
    /// Empty: every provider.
    pub allowed_providers: Vec<String>,
    /// The providers that may not answer it, whatever `allowed_providers` says.
    pub denied_providers: Vec<String>,
    /// The organization it belongs to, by its own word or by a parent's.
    #[serde(default)]
    pub organization_id: Option<Arc<str>>,
    /// The team it belongs to, by its own word or by a parent's.
    #[serde(default)]
    pub team_id: Option<Arc<str>>,
    /// The project it belongs to, by its own word or by a parent's.
    #[serde(default)]
    pub project_id: Option<Arc<str>>,
    /// The user it belongs to.
    #[serde(default)]
    pub user_id: Option<Arc<str>>,
    /// Requests in any minute; absent: no limit.
    pub request_limit_per_minute: Option<u64>,
    /// Tokens in any minute, input and output together; absent: no limit.
    #[serde(default)]
    pub token_limit_per_minute: Option<u64>,
    /// Requests in flight at once.
    #[serde(default)]
    pub concurrency_limit: Option<u64>,
    /// What it may spend.
    #[serde(default)]
    pub budgets: Vec<Budget>,
    /// In seconds.
    pub expires_at_unix: Option<i64>,
    /// Until when each secret that was rotated away still works, in seconds; only those that do.
    #[serde(default)]
    pub previous_secrets_expire_at_unix: Vec<i64>,
    /// Whether it may be answered from the cache.
    #[serde(default)]
    pub cache_enabled: bool,
    /// Whether its bodies are kept with the request logs, where `[telemetry] log_bodies` is on.
    #[serde(default)]
    pub log_bodies: bool,
    /// When a request last came with it, as far as that was written down.
    #[serde(default)]
    pub last_used_unix_ms: Option<i64>,
}

/// A key that was just made, or whose secret was. The one answer that has a secret in it, and only where the gateway
/// made it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewApiKey {
    #[serde(flatten)]
    pub key: ApiKey,
    /// The secret itself, where the gateway made it. It is kept nowhere.
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RotateApiKey {
    /// How long the old secret goes on working beside the new one.
    #[schema(maximum = 31_622_400, examples(3600))]
    pub overlap_secs: u64,
}

/// In which form a key's secret was given to the gateway.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretKind {
    #[default]
    Hash,
    Env,
    Inline,
}

/// Which keys to list; everything that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ApiKeyFilter {
    /// Only those that are switched on, or off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Only those that were declared there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The id of an organization that the key belongs to, by its own word or by a parent's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The id of a team that the key belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The id of a project that the key belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The id of a user that the key belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// A scope that the key has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<Scope>)]
    pub scope: Option<String>,
    /// A model that the key's lists allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
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
