//! Who asks: a key of the gateway's own, or one that the external authorization service knows; and whether that service
//! lets them.

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use http::HeaderMap;
use parking_lot::Mutex;

use super::{Ai, Rules};
use crate::config::{
    AccountLimits, ApiKey, AuthService as Settings, KeySecret, Scope, Secret, Tenant, TenantIndex,
    effective_context,
};
use crate::error::{ErrorKind, RequestError};
use crate::governance::external::{AuthService, ResolvedIdentity};
use crate::governance::{
    Accounts, Belonging, Key, KeyAccount, Surface, Tree, presented_secret, switched_off, too_many,
};
use crate::metering::Recording;

/// The authorization service of one configuration, and the keys that it told of.
#[derive(Debug)]
pub struct External {
    service: AuthService,
    /// Those that are declared: what they may spend holds for keys of theirs, wherever these are known.
    tenants: Vec<Arc<Tenant>>,
    index: TenantIndex,
    keys_max: usize,
    /// By id.
    keys: Mutex<HashMap<Arc<str>, Told>>,
}

/// What the service said of a key, and the key that was made of it.
#[derive(Debug)]
struct Told {
    said: Arc<ResolvedIdentity>,
    key: Arc<Key>,
}

impl External {
    pub fn new(service: AuthService, settings: &Settings, tenants: Vec<Arc<Tenant>>) -> Self {
        Self {
            service,
            index: TenantIndex::new(&tenants),
            tenants,
            keys_max: usize::try_from(settings.decision_cache_max_entries)
                .unwrap_or(usize::MAX)
                .max(1),
            keys: Mutex::default(),
        }
    }

    /// A key as the gateway's own code knows it, made of what the service said.
    fn key(&self, said: &Arc<ResolvedIdentity>, accounts: &Accounts) -> Arc<Key> {
        let mut keys = self.keys.lock();
        if let Some(before) = keys.get(&said.key_id).filter(|told| told.said == *said) {
            return Arc::clone(&before.key);
        }
        let key = Arc::new(self.build(said, accounts));
        if keys.len() >= self.keys_max {
            keys.clear();
        }
        let told = Told {
            said: Arc::clone(said),
            key: Arc::clone(&key),
        };
        keys.insert(Arc::clone(&said.key_id), told);
        key
    }

    fn build(&self, told: &ResolvedIdentity, accounts: &Accounts) -> Key {
        let tenant = &told.identity.tenant;
        let declared = ApiKey {
            id: Arc::clone(&told.key_id),
            name: told.key_id.to_string(),
            // Never compared: it is not among the gateway's own keys.
            secret: KeySecret::Inline(Secret::new("")),
            previous_hashes: Vec::new(),
            enabled: true,
            scopes: told.scopes.clone(),
            allowed_models: Vec::new(),
            denied_models: Vec::new(),
            allowed_providers: Vec::new(),
            denied_providers: Vec::new(),
            organization_id: tenant.organization_id.clone(),
            team_id: tenant.team_id.clone(),
            project_id: tenant.project_id.clone(),
            user_id: tenant.user_id.clone(),
            limits: AccountLimits::default(),
            cache_enabled: true,
            log_bodies: false,
            expires_at_unix: None,
        };
        let context = Arc::new(effective_context(&declared, &self.index));
        let own = [KeyAccount {
            id: &declared.id,
            tenants: &context,
            limits: &declared.limits,
        }];
        let its_tenants = self
            .tenants
            .iter()
            .filter(|tenant| context.get(tenant.kind.account()) == Some(&tenant.id));
        let tree = accounts.compile(own, its_tenants, &Tree::default());
        let belongs = Belonging {
            path: tree.path(&declared.id).cloned().unwrap_or_default(),
            disabled_by: switched_off(&context, &self.index),
            tenant: context,
        };
        Key::told(Arc::new(declared), belongs, told.identity.clone())
    }
}

impl Ai {
    /// Finds out from the headers alone who asks.
    ///
    /// # Errors
    /// 401 and 403, in the order of `Keys::authenticate`; 503 where only the authorization service could know the key
    /// and does not answer. What the key may do is the caller's question.
    pub async fn authenticate(
        &self,
        rules: &Rules,
        asks: (&HeaderMap, Option<&str>),
        recording: &mut Recording,
    ) -> Result<Arc<Key>, RequestError> {
        let max = rules.auth_failures_per_minute_max;
        // While nobody fails, nobody's address is looked at.
        let address = match self.auth_failures.is_quiet() {
            true => None,
            false => address_of(recording),
        };
        self.auth_failures.admit(address, asks, max)?;
        let blocked = self.auth_failures.blocked(address, max);
        let found = self.identify(rules, asks, blocked).await;
        let key = found.inspect_err(|error| {
            self.auth_failures
                .failed(Surface::Gateway, address_of(recording), error);
        })?;
        recording.set_key(key.id(), key.tenant_if_any());
        Ok(key)
    }

    /// What the address may not try itself is not tried for it at the authorization service either.
    async fn identify(
        &self,
        rules: &Rules,
        (headers, query): (&HeaderMap, Option<&str>),
        blocked: Option<Duration>,
    ) -> Result<Arc<Key>, RequestError> {
        let now = self.clock.unix_ms();
        let key = match (
            rules.keys.authenticate(headers, query, now),
            &rules.external,
        ) {
            (Err(error), Some(external)) if error.kind == ErrorKind::InvalidApiKey => {
                if let Some(wait) = blocked {
                    return Err(too_many(wait));
                }
                let secret = presented_secret(headers, query)?;
                let told = external.service.resolve(secret).await?;
                if rules.keys.get(&told.key_id).is_some() {
                    tracing::warn!(
                        key = &*told.key_id,
                        "the authorization service calls a key by the id of one of the gateway's own; it is refused"
                    );
                    return Err(error);
                }
                let key = external.key(&told, &self.accounts);
                key.is_usable(now)?;
                key
            }
            (found, _) => found?,
        };
        Ok(key)
    }

    /// Asks the authorization service, where there is one, whether `key` may do this to `model`.
    ///
    /// # Errors
    /// `rbac_denied`, or `auth_service_unavailable`.
    pub(super) async fn authorize(
        &self,
        rules: &Rules,
        (key, scope): (&Key, Scope),
        model: &str,
    ) -> Result<(), RequestError> {
        let Some(external) = &rules.external else {
            return Ok(());
        };
        let resource = format!("model:{model}");
        external
            .service
            .authorize(&key.identity(), scope.as_str(), &resource)
            .await
    }
}

/// The client's, as the record has it.
fn address_of(recording: &Recording) -> Option<IpAddr> {
    recording.log.client_address.as_deref()?.parse().ok()
}
