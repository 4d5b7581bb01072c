//! The keys the gateway knows, found by the hash of what a client presents.
//!
//! One hash and one look-up for each request, however many keys there are. What is found is compared once more in
//! constant time, so that the look-up itself proves nothing to somebody who measures it.

mod key;
#[cfg(test)]
mod tests;

pub use key::Key;

use std::{collections::HashMap, sync::Arc};

use http::HeaderMap;
use subtle::ConstantTimeEq as _;

use super::{
    credential,
    hash::{self, Blake2bDigest, KeyHash, KeyHashError, Sha256Digest},
};
use crate::config::{self, KeySecret};
use crate::error::{ErrorKind, RequestError};
use crate::store::StoredApiKey;

/// Every key of one configuration. Immutable; a reload builds another.
#[derive(Debug, Default)]
pub struct Keys {
    by_sha256: HashMap<Sha256Digest, Arc<Key>>,
    /// Empty unless a configuration brings hashes of the older form: only then is there a second hash to compute.
    by_blake2b: HashMap<Blake2bDigest, Arc<Key>>,
    /// Sorted by id.
    all: Vec<Arc<Key>>,
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
    #[error("API key `{id}` has the scope `{scope}`, which does not exist")]
    UnknownScope { id: Arc<str>, scope: String },
}

impl Keys {
    /// Joins the keys of the file with the stored ones.
    ///
    /// # Errors
    /// Refuses the whole set when an id or a secret occurs twice, or when a stored key cannot be understood.
    pub fn build(
        declared: &[config::ApiKey],
        stored: Vec<StoredApiKey>,
    ) -> Result<Self, KeysError> {
        let mut keys = Self::default();
        for key in declared {
            let hash = match &key.secret {
                KeySecret::Hash(hash) => parse_hash(&key.id, hash)?,
                KeySecret::Env(secret) | KeySecret::Inline(secret) => KeyHash::of(secret.expose()),
            };
            keys.add(Key::declared(key), hash)?;
        }
        for StoredApiKey { key, secret_hash } in stored {
            let hash = parse_hash(&key.id, &secret_hash)?;
            keys.add(Key::stored(key)?, hash)?;
        }
        keys.refuse_secrets_hashed_both_ways(declared)?;
        keys.all.sort_by(|a, b| a.id().cmp(b.id()));
        match keys
            .all
            .windows(2)
            .find(|pair| pair[0].id() == pair[1].id())
        {
            Some(pair) => Err(KeysError::DuplicateId(pair[0].id().clone())),
            None => Ok(keys),
        }
    }

    /// Who is asking, from the headers alone: a key is present, known, enabled and not expired, checked in this order.
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
        let key = self.find(secret).ok_or_else(unknown_key)?;
        if !key.is_enabled() {
            return Err(disabled(key));
        }
        if key.has_expired(now_unix_ms) {
            return Err(expired(key));
        }
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

    fn find(&self, secret: &[u8]) -> Option<&Arc<Key>> {
        let digest = hash::sha256(secret);
        let found = self
            .by_sha256
            .get_key_value(&digest)
            .filter(|(stored, _)| bool::from(stored.ct_eq(&digest)))
            .map(|(_, key)| key);
        if found.is_some() || self.by_blake2b.is_empty() {
            return found;
        }
        let digest = hash::blake2b(secret);
        self.by_blake2b
            .get_key_value(&digest)
            .filter(|(stored, _)| bool::from(stored.ct_eq(&digest)))
            .map(|(_, key)| key)
    }

    fn add(&mut self, key: Key, hash: KeyHash) -> Result<(), KeysError> {
        let key = Arc::new(key);
        let other = match hash {
            KeyHash::Sha256(digest) => self.by_sha256.insert(digest, key.clone()),
            KeyHash::Blake2b(digest) => self.by_blake2b.insert(digest, key.clone()),
        };
        match other {
            Some(other) if other.id() == key.id() => Err(KeysError::DuplicateId(key.id().clone())),
            Some(other) => Err(KeysError::SameSecret(other.id().clone(), key.id().clone())),
            None => {
                self.all.push(key);
                Ok(())
            }
        }
    }

    /// A secret in clear and the older hash of the same secret are one secret too.
    fn refuse_secrets_hashed_both_ways(
        &self,
        declared: &[config::ApiKey],
    ) -> Result<(), KeysError> {
        if self.by_blake2b.is_empty() {
            return Ok(());
        }
        for key in declared {
            let (KeySecret::Env(secret) | KeySecret::Inline(secret)) = &key.secret else {
                continue;
            };
            if let Some(other) = self
                .by_blake2b
                .get(&hash::blake2b(secret.expose().as_bytes()))
            {
                return Err(KeysError::SameSecret(other.id().clone(), key.id.clone()));
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
