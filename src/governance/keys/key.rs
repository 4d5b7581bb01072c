//! One key: its scopes, its lists of models and providers, its end.

use std::sync::Arc;

use ferrogate_api as api;

use super::{super::scopes::Scopes, KeysError};
use crate::config::{self, KeySecret, Scope};
use crate::error::{ErrorKind, RequestError};

/// One key: who is asking, and what they may ask for.
#[derive(Debug)]
pub struct Key {
    id: Arc<str>,
    organization_id: Option<Arc<str>>,
    project_id: Option<Arc<str>>,
    view: api::ApiKey,
    scopes: Scopes,
    models: NameRule,
    providers: NameRule,
    expires_at_unix_ms: Option<i64>,
}

impl Key {
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// Whose key it is, which decides what models it sees. Only keys of the file say so.
    pub fn organization_id(&self) -> Option<&str> {
        self.organization_id.as_deref()
    }

    pub fn project_id(&self) -> Option<&str> {
        self.project_id.as_deref()
    }

    /// The key as the admin API shows it, without its secret.
    pub fn api(&self) -> &api::ApiKey {
        &self.view
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.view.enabled
    }

    pub(super) fn has_expired(&self, now_unix_ms: i64) -> bool {
        self.expires_at_unix_ms
            .is_some_and(|end| end <= now_unix_ms)
    }

    pub fn request_limit_per_minute(&self) -> Option<u64> {
        self.view.request_limit_per_minute
    }

    pub fn allows_model(&self, model: &str) -> bool {
        self.models.allows(model)
    }

    pub fn allows_provider(&self, provider: &str) -> bool {
        self.providers.allows(provider)
    }

    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(scope)
    }

    /// The last check before the body is read.
    ///
    /// # Errors
    /// [`ErrorKind::ScopeDenied`], naming the scope that is missing.
    pub fn require(&self, scope: Scope) -> Result<(), RequestError> {
        if self.has(scope) {
            return Ok(());
        }
        Err(RequestError::new(
            ErrorKind::ScopeDenied,
            format!(
                "The key `{}` lacks the scope `{}`, which this request needs.",
                self.id,
                scope.as_str()
            ),
        ))
    }

    pub(super) fn declared(key: &config::ApiKey) -> Self {
        let strings = |names: &[Arc<str>]| names.iter().map(|name| name.to_string()).collect();
        let view = api::ApiKey {
            id: key.id.clone(),
            name: key.name.clone(),
            enabled: key.enabled,
            origin: api::Origin::Config,
            secret: match key.secret {
                KeySecret::Hash(_) => api::SecretKind::Hash,
                KeySecret::Env(_) => api::SecretKind::Env,
                KeySecret::Inline(_) => api::SecretKind::Inline,
            },
            scopes: key
                .scopes
                .iter()
                .map(|scope| scope.as_str().to_owned())
                .collect(),
            allowed_models: strings(&key.allowed_models),
            denied_models: strings(&key.denied_models),
            allowed_providers: strings(&key.allowed_providers),
            denied_providers: strings(&key.denied_providers),
            request_limit_per_minute: key.request_limit_per_minute,
            expires_at_unix: key.expires_at_unix,
        };
        Self {
            organization_id: key.organization_id.clone(),
            project_id: key.project_id.clone(),
            ..Self::new(view, key.scopes.iter().copied().collect())
        }
    }

    pub(super) fn stored(view: api::ApiKey) -> Result<Self, KeysError> {
        let scopes = view
            .scopes
            .iter()
            .map(|name| {
                Scope::parse(name).ok_or_else(|| KeysError::UnknownScope {
                    id: view.id.clone(),
                    scope: name.clone(),
                })
            })
            .collect::<Result<Scopes, _>>()?;
        Ok(Self::new(view, scopes))
    }

    fn new(view: api::ApiKey, scopes: Scopes) -> Self {
        Self {
            id: view.id.clone(),
            organization_id: None,
            project_id: None,
            scopes,
            models: NameRule::new(&view.allowed_models, &view.denied_models),
            providers: NameRule::new(&view.allowed_providers, &view.denied_providers),
            expires_at_unix_ms: view.expires_at_unix.map(|secs| secs.saturating_mul(1000)),
            view,
        }
    }
}

/// An allow list and a deny list of names. Nothing allowed means all are; a denial wins.
#[derive(Debug, Default)]
struct NameRule {
    allowed: Vec<Box<str>>,
    denied: Vec<Box<str>>,
}

impl NameRule {
    fn new(allowed: &[String], denied: &[String]) -> Self {
        let sorted = |names: &[String]| {
            let mut names: Vec<Box<str>> = names.iter().map(|name| name.as_str().into()).collect();
            names.sort();
            names
        };
        Self {
            allowed: sorted(allowed),
            denied: sorted(denied),
        }
    }

    fn allows(&self, name: &str) -> bool {
        let contains = |names: &[Box<str>]| {
            names
                .binary_search_by(|listed| listed.as_ref().cmp(name))
                .is_ok()
        };
        (self.allowed.is_empty() || contains(&self.allowed)) && !contains(&self.denied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn only_a_key_of_the_file_says_whose_it_is() {
        let declared = config::ApiKey {
            id: "a".into(),
            name: "a".into(),
            secret: KeySecret::Inline(Secret::new("a")),
            enabled: true,
            scopes: Vec::new(),
            allowed_models: Vec::new(),
            denied_models: Vec::new(),
            allowed_providers: Vec::new(),
            denied_providers: Vec::new(),
            organization_id: Some("acme".into()),
            project_id: Some("search".into()),
            request_limit_per_minute: None,
            expires_at_unix: None,
        };
        let key = Key::declared(&declared);
        assert_eq!(key.organization_id(), Some("acme"));
        assert_eq!(key.project_id(), Some("search"));
        let stored = Key::stored(key.api().clone()).unwrap();
        assert_eq!(stored.organization_id(), None);
        assert_eq!(stored.project_id(), None);
    }
}
