//! The keys the gateway knows, found by the hash of what a client presents.
//!
//! One hash and one look-up for each request, however many keys there are. What is found is compared once more in
//! constant time, so that the look-up itself proves nothing to somebody who measures it.

mod key;
#[cfg(test)]
mod tests;

pub use key::{Belonging, Key};

use std::{collections::HashMap, sync::Arc};

use ferrogate_api::{AccountRef, Origin};
use http::HeaderMap;
use subtle::ConstantTimeEq as _;

use super::credential;
use crate::config::{self, KeySecret};
use crate::error::{ErrorKind, RequestError};
use crate::secret_hash::{self, Blake2bDigest, KeyHash, KeyHashError, Sha256Digest};

/// Every key of one configuration. Immutable; a reload builds another.
#[derive(Debug, Default)]
pub struct Keys {
    by_sha256: HashMap<Sha256Digest, Secret>,
    /// Empty unless a configuration brings hashes of the older form: only then is there a second hash to compute.
    by_blake2b: HashMap<Blake2bDigest, Secret>,
    /// Sorted by id.
    all: Vec<Arc<Key>>,
}

/// One secret that opens a key.
#[derive(Debug)]
struct Secret {
    key: Arc<Key>,
    /// It was replaced, and ends then; `None`: it is the key's own.
    until_unix_ms: Option<i64>,
}

impl Key {
    /// Whether it is enabled and not expired, and no tenant of its is switched off; checked in this order.
    ///
    /// # Errors
    /// `api_key_disabled`, `api_key_expired`, `tenant_disabled`.
    pub fn is_usable(&self, now_unix_ms: i64) -> Result<(), RequestError> {
        if !self.is_enabled() {
            return Err(disabled(self));
        }
        if self.has_expired(now_unix_ms) {
            return Err(expired(self));
        }
        match self.disabled_by() {
            Some(tenant) => Err(tenant_disabled(self, tenant)),
            None => Ok(()),
        }
    }
}

/// A key to be compiled.
#[derive(Debug)]
pub struct KeySpec {
    pub declared: Arc<config::ApiKey>,
    pub origin: Origin,
    pub belongs: Belonging,
}

#[cfg(test)]
impl KeySpec {
    /// A key of the file that belongs to the tenants it names, and counts nowhere.
    pub fn of(declared: &Arc<config::ApiKey>) -> Self {
        let context = config::effective_context(declared, &config::TenantIndex::default());
        Self {
            declared: Arc::clone(declared),
            origin: Origin::Config,
            belongs: Belonging {
                tenant: Arc::new(context),
                path: Arc::default(),
                disabled_by: None,
            },
        }
    }
}

/// What stands against a set of keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error("two API keys have the id `{0}`; one made through the API may have it already")]
    DuplicateId(Arc<str>),
    #[error("the API keys `{0}` and `{1}` have the same secret; requests could not be told apart")]
    SameSecret(Arc<str>, Arc<str>),
    #[error("cannot read the hash of API key `{id}`")]
    Hash {
        id: Arc<str>,
        #[source]
        source: KeyHashError,
    },
}

impl Keys {
    /// Compiles the keys of the file and those made through the API.
    ///
    /// # Errors
    /// Refuses the whole set when an id or a secret occurs twice, or when a hash cannot be read.
    pub fn build(specs: impl IntoIterator<Item = KeySpec>) -> Result<Self, KeysError> {
        let mut keys = Self::default();
        for spec in specs {
            let key = Arc::new(Key::new(spec.declared, spec.origin, spec.belongs));
            keys.add(&key)?;
            keys.all.push(key);
        }
        keys.refuse_secrets_hashed_both_ways()?;
        keys.all.sort_unstable_by(|a, b| a.id().cmp(b.id()));
        match keys
            .all
            .windows(2)
            .find(|pair| pair[0].id() == pair[1].id())
        {
            Some(pair) => Err(KeysError::DuplicateId(pair[0].id().clone())),
            None => Ok(keys),
        }
    }

    /// Who is asking, from the headers alone: a key is present, known, enabled, not expired, and none of its tenants is
    /// switched off; checked in this order.
    ///
    /// # Errors
    /// The first of these checks that fails.
    pub fn authenticate(
        &self,
        headers: &HeaderMap,
        query: Option<&str>,
        now_unix_ms: i64,
    ) -> Result<Arc<Key>, RequestError> {
        let secret = credential::presented(headers, query)?;
        let found = self.find(secret).ok_or_else(unknown_key)?;
        let key = &found.key;
        if found.until_unix_ms.is_some_and(|end| end <= now_unix_ms) {
            return Err(replaced(key));
        }
        key.is_usable(now_unix_ms)?;
        Ok(Arc::clone(key))
    }

    /// All keys, sorted by id.
    pub fn all(&self) -> &[Arc<Key>] {
        &self.all
    }

    pub fn get(&self, id: &str) -> Option<&Arc<Key>> {
        let index = self
            .all
            .binary_search_by(|key| key.id().as_ref().cmp(id))
            .ok()?;
        self.all.get(index)
    }

    fn find(&self, secret: &[u8]) -> Option<&Secret> {
        let digest = secret_hash::sha256(secret);
        let found = self
            .by_sha256
            .get_key_value(&digest)
            .filter(|(stored, _)| bool::from(stored.ct_eq(&digest)))
            .map(|(_, found)| found);
        if found.is_some() || self.by_blake2b.is_empty() {
            return found;
        }
        let digest = secret_hash::blake2b(secret);
        self.by_blake2b
            .get_key_value(&digest)
            .filter(|(stored, _)| bool::from(stored.ct_eq(&digest)))
            .map(|(_, found)| found)
    }

    /// Its own secret, and those that it replaced and that have not ended.
    fn add(&mut self, key: &Arc<Key>) -> Result<(), KeysError> {
        let declared = Arc::clone(key.declared());
        let own = match &declared.secret {
            KeySecret::Hash(hash) => parse_hash(&declared.id, hash)?,
            KeySecret::Env(secret) | KeySecret::Inline(secret) => KeyHash::of(secret.expose()),
        };
        for previous in &declared.previous_hashes {
            let hash = parse_hash(&declared.id, &previous.hash)?;
            let until_unix_ms = previous.expires_at_unix.saturating_mul(1000);
            self.add_secret(hash, key, Some(until_unix_ms))?;
        }
        self.add_secret(own, key, None)
    }

    fn add_secret(
        &mut self,
        hash: KeyHash,
        key: &Arc<Key>,
        until_unix_ms: Option<i64>,
    ) -> Result<(), KeysError> {
        let secret = Secret {
            key: Arc::clone(key),
            until_unix_ms,
        };
        let other = match hash {
            KeyHash::Sha256(digest) => self.by_sha256.insert(digest, secret),
            KeyHash::Blake2b(digest) => self.by_blake2b.insert(digest, secret),
        };
        match other.map(|other| other.key) {
            Some(other) if Arc::ptr_eq(&other, key) => Ok(()),
            Some(other) if other.id() == key.id() => Err(KeysError::DuplicateId(key.id().clone())),
            Some(other) => Err(KeysError::SameSecret(other.id().clone(), key.id().clone())),
            None => Ok(()),
        }
    }

    /// A secret in clear and the older hash of the same secret are one secret too.
    fn refuse_secrets_hashed_both_ways(&self) -> Result<(), KeysError> {
        if self.by_blake2b.is_empty() {
            return Ok(());
        }
        for key in &self.all {
            let (KeySecret::Env(secret) | KeySecret::Inline(secret)) = &key.declared().secret
            else {
                continue;
            };
            if let Some(other) = self
                .by_blake2b
                .get(&secret_hash::blake2b(secret.expose().as_bytes()))
            {
                return Err(KeysError::SameSecret(
                    other.key.id().clone(),
                    key.id().clone(),
                ));
            }
        }
        Ok(())
    }
}

fn parse_hash(id: &Arc<str>, text: &str) -> Result<KeyHash, KeysError> {
    KeyHash::parse(text).map_err(|source| KeysError::Hash {
        id: id.clone(),
        source,
    })
}

fn unknown_key() -> RequestError {
    RequestError::new(
        ErrorKind::InvalidApiKey,
        "The API key is not one this gateway knows. Check that it was copied whole, or ask the gateway's operator for one.",
    )
}

fn disabled(key: &Key) -> RequestError {
    RequestError::new(
        ErrorKind::ApiKeyDisabled,
        format!(
            "The key `{}` is switched off. Ask the gateway's operator.",
            key.id()
        ),
    )
}

fn expired(key: &Key) -> RequestError {
    RequestError::new(
        ErrorKind::ApiKeyExpired,
        format!(
            "The key `{}` has expired. Ask the gateway's operator for a new one.",
            key.id()
        ),
    )
}

fn replaced(key: &Key) -> RequestError {
    RequestError::new(
        ErrorKind::ApiKeyExpired,
        format!(
            "This secret of the key `{}` was replaced by another, and its time is over. Use the new one.",
            key.id()
        ),
    )
}

fn tenant_disabled(key: &Key, tenant: &AccountRef) -> RequestError {
    RequestError::new(
        ErrorKind::TenantDisabled,
        format!(
            "The {} `{}`, to which the key `{}` belongs, is switched off. Ask the gateway's operator.",
            tenant.kind.as_str(),
            tenant.id,
            key.id()
        ),
    )
}
