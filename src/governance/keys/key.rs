//! One key: its scopes, its lists of models and providers, its tenants, its end.

use std::sync::Arc;

use ferrogate_api::{AccountRef, BudgetUnit, Origin, TenantContext};

use super::super::accounts::Account;
use super::super::external::Identity;
use super::super::scopes::Scopes;
use crate::config::{self, Scope};
use crate::error::{ErrorKind, RequestError};

/// One key: who is asking, and what they may ask for.
#[derive(Debug)]
pub struct Key {
    declared: Arc<config::ApiKey>,
    origin: Origin,
    scopes: Scopes,
    models: NameRule,
    providers: NameRule,
    expires_at_unix_ms: Option<i64>,
    belongs: Belonging,
    /// Some limit or budget on its path counts tokens or money.
    needs_estimate: bool,
    /// Some budget on its path counts money.
    needs_price: bool,
    /// Who has it, where the external authorization service said so.
    told: Option<Identity>,
}

/// Where a key stands in the tree of tenants.
#[derive(Debug, Clone)]
pub struct Belonging {
    /// Its tenants, those that its tenants' parents imply included.
    pub tenant: Arc<TenantContext>,
    /// Its accounts, from the key to its organization.
    pub path: Arc<[Arc<Account>]>,
    /// The first of its tenants that is switched off.
    pub disabled_by: Option<AccountRef>,
}

impl Key {
    pub(in crate::governance) fn new(
        declared: Arc<config::ApiKey>,
        origin: Origin,
        belongs: Belonging,
    ) -> Self {
        let limits = || belongs.path.iter().map(|account| &account.limits);
        let needs_price = limits()
            .flat_map(|limits| &limits.budgets)
            .any(|budget| budget.unit == BudgetUnit::Money);
        let needs_estimate =
            limits().any(|limits| limits.tokens_per_minute.is_some() || !limits.budgets.is_empty());
        Self {
            scopes: declared.scopes.iter().copied().collect(),
            models: NameRule::new(&declared.allowed_models, &declared.denied_models),
            providers: NameRule::new(&declared.allowed_providers, &declared.denied_providers),
            expires_at_unix_ms: declared
                .expires_at_unix
                .map(|secs| secs.saturating_mul(1000)),
            declared,
            origin,
            belongs,
            needs_estimate,
            needs_price,
            told: None,
        }
    }

    /// A key that the external authorization service knows.
    pub fn told(declared: Arc<config::ApiKey>, belongs: Belonging, identity: Identity) -> Self {
        Self {
            told: Some(identity),
            ..Self::new(declared, Origin::Api, belongs)
        }
    }

    /// Who has it, as the external authorization service is asked.
    pub fn identity(&self) -> Identity {
        self.told
            .clone()
            .unwrap_or_else(|| Identity::of_key(self.id(), self.tenant()))
    }

    pub fn id(&self) -> &Arc<str> {
        &self.declared.id
    }

    /// What was declared of it.
    pub fn declared(&self) -> &Arc<config::ApiKey> {
        &self.declared
    }

    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Whose key it is.
    pub fn tenant(&self) -> &Arc<TenantContext> {
        &self.belongs.tenant
    }

    /// The same, where there is any tenant.
    pub fn tenant_if_any(&self) -> Option<&Arc<TenantContext>> {
        Some(&self.belongs.tenant).filter(|tenant| !tenant.is_empty())
    }

    /// The accounts that its requests count against, from the key itself to its organization.
    pub fn path(&self) -> &Arc<[Arc<Account>]> {
        &self.belongs.path
    }

    pub(super) fn disabled_by(&self) -> Option<&AccountRef> {
        self.belongs.disabled_by.as_ref()
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.declared.enabled
    }

    pub(super) fn has_expired(&self, now_unix_ms: i64) -> bool {
        self.expires_at_unix_ms
            .is_some_and(|end| end <= now_unix_ms)
    }

    pub fn allows_model(&self, model: &str) -> bool {
        self.models.allows(model)
    }

    pub fn allows_provider(&self, provider: &str) -> bool {
        self.providers.allows(provider)
    }

    /// False: its requests are neither answered from the cache nor kept in it.
    pub fn cache_enabled(&self) -> bool {
        self.declared.cache_enabled
    }

    /// Whether what it sends and is sent may be logged, where `[telemetry] log_bodies` says so too.
    pub fn log_bodies(&self) -> bool {
        self.declared.log_bodies
    }

    /// Whether its limits and budgets must know how large a request is before it is sent.
    pub fn needs_estimate(&self) -> bool {
        self.needs_estimate
    }

    /// Whether a budget counts money, so that nothing without a price may be asked.
    pub fn needs_price(&self) -> bool {
        self.needs_price
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
                self.id(),
                scope.as_str()
            ),
        ))
    }
}

/// An allow list and a deny list of names. Nothing allowed means all are; a denial wins.
#[derive(Debug, Default)]
struct NameRule {
    allowed: Vec<Arc<str>>,
    denied: Vec<Arc<str>>,
}

impl NameRule {
    fn new(allowed: &[Arc<str>], denied: &[Arc<str>]) -> Self {
        let sorted = |names: &[Arc<str>]| {
            let mut names = names.to_vec();
            names.sort();
            names
        };
        Self {
            allowed: sorted(allowed),
            denied: sorted(denied),
        }
    }

    fn allows(&self, name: &str) -> bool {
        let contains = |names: &[Arc<str>]| {
            names
                .binary_search_by(|listed| listed.as_ref().cmp(name))
                .is_ok()
        };
        (self.allowed.is_empty() || contains(&self.allowed)) && !contains(&self.denied)
    }
}
