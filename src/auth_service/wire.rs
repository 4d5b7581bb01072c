//! What goes over the wire between a gateway and an authorization service, for both ends.
//!
//! Other services may stand in for ours, so what is read here may hold more than is known.

use std::{borrow::Cow, fmt, sync::Arc};

use ferrogate_api::TenantContext;
use serde::{Deserialize, Serialize};

pub const RESOLVE_PATH: &str = "/v1/auth/resolve-api-key";
pub const AUTHORIZE_PATH: &str = "/v1/auth/authorize";

/// The codes of errors that a gateway has to tell apart.
pub mod codes {
    pub const INVALID_API_KEY: &str = "invalid_api_key";
    /// The caller itself was refused, not the key it asked about.
    pub const INVALID_CALLER_TOKEN: &str = "invalid_caller_token";
}

/// Whose key or request it is. All fields are always written; `null` where there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Tenant {
    pub organization_id: Option<Arc<str>>,
    pub team_id: Option<Arc<str>>,
    pub project_id: Option<Arc<str>>,
    pub user_id: Option<Arc<str>>,
    pub api_key_id: Option<Arc<str>>,
}

/// Who asks. Written `{"type": "user", "user_id": "ann"}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Subject {
    User { user_id: Arc<str> },
    ServiceAccount { service_account_id: Arc<str> },
    ApiKey { api_key_id: Arc<str> },
}

/// `POST /v1/auth/resolve-api-key`: who has this secret?
#[derive(Serialize, Deserialize)]
pub struct ResolveRequest<'a> {
    #[serde(borrow)]
    pub presented_key: Cow<'a, str>,
}

/// The answer, for a key that is known and may be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedKey {
    #[serde(default)]
    pub tenant: Tenant,
    pub subject: Subject,
    /// None where there are none.
    #[serde(default)]
    pub scopes: Vec<Arc<str>>,
}

/// `POST /v1/auth/authorize`: may this subject do that?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizeRequest {
    #[serde(default)]
    pub tenant: Tenant,
    pub subject: Subject,
    /// Such as `chat.completions`.
    pub action: Arc<str>,
    /// Such as `model:fast`.
    pub resource: Arc<str>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub allowed: bool,
    #[serde(default)]
    pub tenant: Tenant,
    #[serde(default)]
    pub reason: Cow<'static, str>,
}

/// `GET /v1/tenants`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantList {
    pub tenants: Vec<TenantEntry>,
}

/// A tenant that was declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantEntry {
    pub id: Arc<str>,
    pub name: Arc<str>,
    pub enabled: bool,
    pub context: Tenant,
}

/// Every error, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetail {
    pub code: Cow<'static, str>,
    pub message: String,
    #[serde(default)]
    pub request_id: String,
}

impl Tenant {
    /// The tenants of one key.
    pub fn of_key(tenants: &TenantContext, key_id: &Arc<str>) -> Self {
        Self {
            organization_id: tenants.organization_id.clone(),
            team_id: tenants.team_id.clone(),
            project_id: tenants.project_id.clone(),
            user_id: tenants.user_id.clone(),
            api_key_id: Some(Arc::clone(key_id)),
        }
    }

    /// The same without the key.
    pub fn context(&self) -> TenantContext {
        TenantContext {
            organization_id: self.organization_id.clone(),
            team_id: self.team_id.clone(),
            project_id: self.project_id.clone(),
            user_id: self.user_id.clone(),
        }
    }

    /// Its ids in one order.
    pub(super) fn ids(&self) -> [Option<&str>; 5] {
        [
            self.organization_id.as_deref(),
            self.team_id.as_deref(),
            self.project_id.as_deref(),
            self.user_id.as_deref(),
            self.api_key_id.as_deref(),
        ]
    }
}

impl fmt::Debug for ResolveRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResolveRequest(…)")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_id_of_a_tenant_is_written_and_none_has_to_be_there() {
        let tenant = Tenant::of_key(
            &TenantContext {
                project_id: Some("search".into()),
                ..TenantContext::default()
            },
            &"k1".into(),
        );
        let json = json!({
            "organization_id": null, "team_id": null, "project_id": "search", "user_id": null, "api_key_id": "k1",
        });
        assert_eq!(serde_json::to_value(&tenant).unwrap(), json);
        let sparse = json!({"project_id": "search", "api_key_id": "k1", "workspace_id": null});
        assert_eq!(serde_json::from_value::<Tenant>(sparse).unwrap(), tenant);
    }

    #[test]
    fn a_subject_says_what_it_is() {
        for (subject, json) in [
            (
                Subject::User {
                    user_id: "ann".into(),
                },
                json!({"type": "user", "user_id": "ann"}),
            ),
            (
                Subject::ServiceAccount {
                    service_account_id: "ci".into(),
                },
                json!({"type": "service_account", "service_account_id": "ci"}),
            ),
            (
                Subject::ApiKey {
                    api_key_id: "k1".into(),
                },
                json!({"type": "api_key", "api_key_id": "k1"}),
            ),
        ] {
            assert_eq!(serde_json::to_value(&subject).unwrap(), json);
            assert_eq!(serde_json::from_value::<Subject>(json).unwrap(), subject);
        }
        for wrong in [
            json!({}),
            json!({"type": "group", "group_id": "a"}),
            json!({"type": "user", "api_key_id": "a"}),
        ] {
            assert!(serde_json::from_value::<Subject>(wrong).is_err());
        }
    }

    #[test]
    fn an_answer_of_another_service_may_say_more_or_less() {
        let decision: Decision =
            serde_json::from_value(json!({"allowed": true, "policy": "p"})).unwrap();
        assert!(decision.allowed);
        let resolved: ResolvedKey = serde_json::from_value(json!({
            "subject": {"type": "user", "user_id": "ann"}, "issuer": "x",
        }))
        .unwrap();
        assert!(resolved.scopes.is_empty());
        assert!(serde_json::from_value::<Decision>(json!({"tenant": {}})).is_err());
    }
}
