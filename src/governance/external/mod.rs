//! An authorization service that is asked besides the gateway itself: whose key is this, and may they do that?
//!
//! 1. Nothing is let through undecided: a service that does not answer, or answers something else, is a 503.
//! 2. A question is asked again when the service could not be reached, was too slow, or failed (5xx); an answer is not.
//! 3. What it said counts for `decision_cache_secs`, refusals too. While a question is on its way, the same question
//!    waits for the same answer. Failures are not kept.
//! 4. Secrets are kept as their SHA-256 alone, and never in a log or an error.
//!
//! The keys a gateway knows itself are looked up there; only one that it does not know is asked about here. Whether a
//! subject may do something is asked for every key.

mod client;
mod decisions;
#[cfg(test)]
mod tests;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use ferrogate_api::TenantContext;
use http::StatusCode;
use serde::Serialize;

use self::{
    client::{Answer, Client, Unanswered},
    decisions::{Decisions, Verdict},
};
use crate::auth_service::wire::{
    AUTHORIZE_PATH, AuthorizeRequest, Decision, ErrorBody, RESOLVE_PATH, ResolveRequest,
    ResolvedKey, Subject, Tenant, codes,
};
use crate::config::{self, Scope};
use crate::error::{ErrorKind, RequestError};
use crate::outbound::Dns;
use crate::secret_hash::sha256;

pub use client::AuthServiceError;

/// Every client scope. Admin scopes have to be named.
const ANY_SCOPE: &str = "*";

/// The authorization service of one configuration, and what it said lately. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct AuthService(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    keys: Arc<Decisions<Option<Arc<ResolvedIdentity>>>>,
    grants: Arc<Decisions<bool>>,
    /// Whether the last question was not answered, so that the log says so once and not for each request.
    is_failing: AtomicBool,
}

/// Who asks, as the service knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub tenant: Tenant,
    pub subject: Subject,
}

/// Whose key it is, said by the service for a key that the gateway does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedIdentity {
    /// What accounts, records and policies call it.
    pub key_id: Arc<str>,
    pub identity: Identity,
    /// Those the gateway knows. None where the service names none, unlike a key of the gateway's own.
    pub scopes: Vec<Scope>,
}

/// The service could not decide; the log says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Undecided;

impl AuthService {
    /// `None` where the configuration has none, or has it switched off.
    ///
    /// # Errors
    /// When its endpoint is `https` and the system's certificates cannot be read.
    pub fn new(settings: &config::AuthService, dns: Dns) -> Result<Option<Self>, AuthServiceError> {
        let Some(client) = Client::new(settings, dns)? else {
            return Ok(None);
        };
        let entries_max =
            usize::try_from(settings.decision_cache_max_entries).unwrap_or(usize::MAX);
        Ok(Some(Self(Arc::new(Inner {
            client,
            keys: Arc::new(Decisions::new(settings.decision_cache, entries_max)),
            grants: Arc::new(Decisions::new(settings.decision_cache, entries_max)),
            is_failing: AtomicBool::new(false),
        }))))
    }

    /// Whose key this is.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidApiKey`] when the service knows nobody who has it, [`ErrorKind::AuthServiceUnavailable`] when
    /// it did not say.
    pub async fn resolve(&self, secret: &[u8]) -> Result<Arc<ResolvedIdentity>, RequestError> {
        // Keys are sent as JSON, which has no bytes: what is no text is nobody's.
        let secret = std::str::from_utf8(secret).map_err(|_| unknown_key())?;
        let service = self.clone();
        let question = || {
            let body = json(&ResolveRequest {
                presented_key: secret.into(),
            });
            async move { service.0.ask(RESOLVE_PATH, body, read_resolved).await }
        };
        let asked = self.0.keys.get(sha256(secret.as_bytes()), question).await;
        asked.map_err(undecided)?.ok_or_else(unknown_key)
    }

    /// Whether `identity` may do `action` (a scope's name) to `resource` (such as `model:fast`).
    ///
    /// # Errors
    /// [`ErrorKind::RbacDenied`] when it may not, [`ErrorKind::AuthServiceUnavailable`] when the service did not say.
    pub async fn authorize(
        &self,
        identity: &Identity,
        action: &str,
        resource: &str,
    ) -> Result<(), RequestError> {
        let body = json(&AuthorizeRequest {
            tenant: identity.tenant.clone(),
            subject: identity.subject.clone(),
            action: action.into(),
            resource: resource.into(),
        });
        // The question itself, in its one spelling, is what its answer is kept under.
        let digest = sha256(&body);
        let service = self.clone();
        let question = || async move { service.0.ask(AUTHORIZE_PATH, body, read_decision).await };
        if self
            .0
            .grants
            .get(digest, question)
            .await
            .map_err(undecided)?
        {
            return Ok(());
        }
        Err(RequestError::new(
            ErrorKind::RbacDenied,
            format!(
                "The authorization service does not allow `{action}` on `{resource}` to this key. Ask for a role that does."
            ),
        ))
    }
}

impl Identity {
    /// A key that the gateway knows itself.
    pub fn of_key(key_id: &Arc<str>, tenants: &TenantContext) -> Self {
        Self {
            tenant: Tenant::of_key(tenants, key_id),
            subject: Subject::ApiKey {
                api_key_id: Arc::clone(key_id),
            },
        }
    }
}

impl Inner {
    async fn ask<T>(
        &self,
        path: &'static str,
        body: Bytes,
        read: impl Fn(&Answer) -> Result<T, Unanswered>,
    ) -> Result<T, Undecided> {
        let answer = self.client.ask(path, body).await;
        match answer.and_then(|answer| read(&answer)) {
            Ok(decision) => {
                if self.is_failing.swap(false, Ordering::Relaxed) {
                    tracing::info!("the authorization service answers again");
                }
                Ok(decision)
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                if self.is_failing.swap(true, Ordering::Relaxed) {
                    tracing::debug!(error, path, "the authorization service did not decide");
                } else {
                    tracing::warn!(
                        error,
                        path,
                        "the authorization service did not decide; requests are refused until it does"
                    );
                }
                Err(Undecided)
            }
        }
    }
}

/// 401 and 403 say that the key is nobody's, unless they say that the gateway is not let in itself.
fn read_resolved(answer: &Answer) -> Result<Option<Arc<ResolvedIdentity>>, Unanswered> {
    match answer.status {
        StatusCode::OK => {
            let key: ResolvedKey = answer.parse()?;
            Ok(Some(Arc::new(ResolvedIdentity::from(key))))
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if !refuses_caller(answer) => Ok(None),
        status => Err(Unanswered::Status(status)),
    }
}

/// 403 is how other services may say no.
fn read_decision(answer: &Answer) -> Result<bool, Unanswered> {
    match answer.status {
        StatusCode::OK => answer.parse().map(|decision: Decision| decision.allowed),
        StatusCode::FORBIDDEN if !refuses_caller(answer) => Ok(false),
        status => Err(Unanswered::Status(status)),
    }
}

fn refuses_caller(answer: &Answer) -> bool {
    answer
        .parse()
        .is_ok_and(|body: ErrorBody| body.error.code == codes::INVALID_CALLER_TOKEN)
}

impl From<ResolvedKey> for ResolvedIdentity {
    fn from(key: ResolvedKey) -> Self {
        let ResolvedKey {
            tenant,
            subject,
            scopes,
        } = key;
        let key_id = tenant.api_key_id.clone().unwrap_or_else(|| match &subject {
            Subject::ApiKey { api_key_id } => Arc::clone(api_key_id),
            Subject::User { user_id } => format!("user:{user_id}").into(),
            Subject::ServiceAccount { service_account_id } => {
                format!("service_account:{service_account_id}").into()
            }
        });
        let mut known: Vec<_> = scopes
            .iter()
            .filter_map(|name| Scope::parse(name))
            .collect();
        if scopes.iter().any(|name| **name == *ANY_SCOPE) {
            known.extend(Scope::CLIENT);
        }
        Self {
            key_id,
            identity: Identity { tenant, subject },
            scopes: known,
        }
    }
}

impl Verdict for Option<Arc<ResolvedIdentity>> {
    fn is_refusal(&self) -> bool {
        self.is_none()
    }
}

impl Verdict for bool {
    fn is_refusal(&self) -> bool {
        !*self
    }
}

fn json(question: &impl Serialize) -> Bytes {
    serde_json::to_vec(question)
        .expect("a question is text and nothing else")
        .into()
}

fn unknown_key() -> RequestError {
    RequestError::new(
        ErrorKind::InvalidApiKey,
        "Neither this gateway nor its authorization service knows the API key. Check that it was copied whole.",
    )
}

fn undecided(Undecided: Undecided) -> RequestError {
    RequestError::new(
        ErrorKind::AuthServiceUnavailable,
        "The authorization service did not answer, and nothing is let through undecided. Try again later.",
    )
}
