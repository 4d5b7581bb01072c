//! What the data says: who has a secret, and whether a subject may do something.
//!
//! 1. A key that is unknown or switched off resolves to nothing, and so does every key of a tenant that is switched
//!    off. A tenant is switched off for everybody who has all the ids of its `context`.
//! 2. Allowed is what a binding allows: its subject is the one who asks, its tenant matches, and its role has a
//!    permission with that action and that resource. There are no denials, and no patterns besides `*`.
//! 3. A binding's tenant matches where each of its ids is absent, is `*` and there is one, or is the same.
//! 4. Nothing is allowed in a tenant that is switched off, and nothing to a key that is.

use std::{collections::HashMap, sync::Arc};

use subtle::ConstantTimeEq as _;

use super::wire::{
    AuthorizeRequest, Decision, ResolvedKey, Subject, Tenant, TenantEntry, TenantList,
};
use crate::secret_hash::{Blake2bDigest, KeyHash, Sha256Digest, blake2b, sha256};

/// Matches everything, or every id that is there.
const ANY: &str = "*";

/// Everything one data file says. Immutable; another file makes another.
#[derive(Debug, Default)]
pub struct Authority {
    tenants: Vec<TenantEntry>,
    by_sha256: HashMap<Sha256Digest, Arc<KnownKey>>,
    by_blake2b: HashMap<Blake2bDigest, Arc<KnownKey>>,
    by_id: HashMap<Arc<str>, Arc<KnownKey>>,
    bindings: HashMap<Subject, Vec<Binding>>,
}

/// What an [`Authority`] is made of: ids and secrets are unique, references lead somewhere.
#[derive(Debug, Default)]
pub(super) struct AuthorityParts {
    pub(super) tenants: Vec<TenantEntry>,
    pub(super) keys: Vec<KnownKey>,
    pub(super) bindings: Vec<Binding>,
}

#[derive(Debug)]
pub(super) struct KnownKey {
    pub(super) id: Arc<str>,
    pub(super) enabled: bool,
    pub(super) hash: KeyHash,
    pub(super) tenant: Tenant,
    pub(super) scopes: Vec<Arc<str>>,
}

/// A role for a subject, in the tenants that match.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) subject: Subject,
    pub(super) tenant: Tenant,
    pub(super) permissions: Arc<[Permission]>,
}

#[derive(Debug)]
pub(super) struct Permission {
    pub(super) action: Arc<str>,
    pub(super) resource: Arc<str>,
}

impl Authority {
    pub(super) fn new(parts: AuthorityParts) -> Self {
        let mut authority = Self {
            tenants: parts.tenants,
            ..Self::default()
        };
        for key in parts.keys.into_iter().map(Arc::new) {
            authority
                .by_id
                .insert(Arc::clone(&key.id), Arc::clone(&key));
            match key.hash {
                KeyHash::Sha256(digest) => authority.by_sha256.insert(digest, key),
                KeyHash::Blake2b(digest) => authority.by_blake2b.insert(digest, key),
            };
        }
        for binding in parts.bindings {
            let of_subject = authority.bindings.entry(binding.subject.clone());
            of_subject.or_default().push(binding);
        }
        authority
    }

    /// Every tenant that was declared.
    pub fn tenants(&self) -> TenantList {
        TenantList {
            tenants: self.tenants.clone(),
        }
    }

    /// Who has this secret; `None` for nobody, and for somebody who is switched off.
    pub fn resolve(&self, secret: &str) -> Option<ResolvedKey> {
        let key = self.find(secret)?;
        (key.enabled && !self.is_switched_off(&key.tenant)).then(|| ResolvedKey {
            tenant: key.tenant.clone(),
            subject: Subject::ApiKey {
                api_key_id: Arc::clone(&key.id),
            },
            scopes: key.scopes.clone(),
        })
    }

    /// Whether the subject may do what it asks for.
    pub fn authorize(&self, request: AuthorizeRequest) -> Decision {
        let (allowed, reason) = if self.is_switched_off(&request.tenant) {
            (false, "tenant_disabled")
        } else if self.is_key_switched_off(&request.subject) {
            (false, "api_key_disabled")
        } else if self.is_bound(&request) {
            (true, "matched_rbac_binding")
        } else {
            (false, "no_matching_rbac_binding")
        };
        Decision {
            allowed,
            tenant: request.tenant,
            reason: reason.into(),
        }
    }

    fn is_bound(&self, request: &AuthorizeRequest) -> bool {
        let bindings = self.bindings.get(&request.subject).into_iter().flatten();
        bindings
            .filter(|binding| in_bound_tenant(&binding.tenant, &request.tenant))
            .flat_map(|binding| binding.permissions.iter())
            .any(|permission| {
                matches(&permission.action, &request.action)
                    && matches(&permission.resource, &request.resource)
            })
    }

    fn is_switched_off(&self, tenant: &Tenant) -> bool {
        self.tenants
            .iter()
            .any(|entry| !entry.enabled && is_within(&entry.context, tenant))
    }

    fn is_key_switched_off(&self, subject: &Subject) -> bool {
        let Subject::ApiKey { api_key_id } = subject else {
            return false;
        };
        self.by_id.get(api_key_id).is_some_and(|key| !key.enabled)
    }

    /// What is found by its digest is compared once more in constant time, so that the look-up itself proves nothing to
    /// somebody who measures it.
    fn find(&self, secret: &str) -> Option<&Arc<KnownKey>> {
        let digest = sha256(secret.as_bytes());
        let found = self
            .by_sha256
            .get_key_value(&digest)
            .filter(|(stored, _)| bool::from(stored.ct_eq(&digest)))
            .map(|(_, key)| key);
        if found.is_some() || self.by_blake2b.is_empty() {
            return found;
        }
        let digest = blake2b(secret.as_bytes());
        self.by_blake2b
            .get_key_value(&digest)
            .filter(|(stored, _)| bool::from(stored.ct_eq(&digest)))
            .map(|(_, key)| key)
    }
}

fn matches(allowed: &str, asked: &str) -> bool {
    allowed == ANY || allowed == asked
}

/// Every id of `context` is an id of `tenant`.
fn is_within(context: &Tenant, tenant: &Tenant) -> bool {
    let pairs = context.ids().into_iter().zip(tenant.ids());
    pairs
        .into_iter()
        .all(|(of_context, own)| of_context.is_none() || of_context == own)
}

fn in_bound_tenant(bound: &Tenant, tenant: &Tenant) -> bool {
    let mut pairs = bound.ids().into_iter().zip(tenant.ids());
    pairs.all(|(bound, own)| match bound {
        None => true,
        Some(ANY) => own.is_some(),
        Some(_) => bound == own,
    })
}
