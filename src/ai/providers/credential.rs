//! A provider's credentials: each as the headers it goes out in, and under a name by which its health is remembered.

use std::{fmt, sync::Arc};

use http::HeaderValue;
use sha2::{Digest as _, Sha256};

use super::{MissingKey, ProviderError};
use crate::config::{self, KeySource};

/// One key of the gateway's own at a provider.
#[derive(Debug)]
pub struct Credential {
    /// Its place in the file, from 1. What people are told instead of the name of its variable or file.
    pub index: u32,
    pub id: CredentialId,
    /// `Bearer <key>`.
    pub(super) bearer: HeaderValue,
    /// The key alone.
    pub(super) plain: HeaderValue,
}

/// The same for the same key from the same place, over reloads; another one once the key has been replaced.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CredentialId {
    /// The name of its variable, file or systemd credential, or what it is.
    place: Arc<str>,
    fingerprint: [u8; 8],
}

impl fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A key that somebody thought up can be guessed from its fingerprint, so that is not for logs.
        write!(f, "CredentialId({})", self.place)
    }
}

type Credentials = (Box<[Credential]>, Box<[MissingKey]>);

/// The credentials of one `[[providers]]` entry, and those that are named and not there.
pub(super) fn build(config: &config::Provider) -> Result<Credentials, ProviderError> {
    let mut set = Vec::new();
    let mut missing = Vec::new();
    for (index, entry) in (1..).zip(&config.api_keys) {
        let Some(key) = &entry.key else {
            missing.push(MissingKey {
                index,
                source: entry.source.clone(),
            });
            continue;
        };
        let key = key.expose();
        let secret = |text: &str| {
            let mut value = HeaderValue::from_str(text)
                .map_err(|_| ProviderError::Credential(Arc::clone(&config.name)))?;
            value.set_sensitive(true);
            Ok(value)
        };
        set.push(Credential {
            index,
            id: CredentialId {
                place: place(&entry.source),
                fingerprint: fingerprint(key),
            },
            bearer: secret(&format!("Bearer {key}"))?,
            plain: secret(key)?,
        });
    }
    Ok((set.into(), missing.into()))
}

/// Never the sealed text: it is another one whenever the same key is sealed again.
fn place(source: &KeySource) -> Arc<str> {
    source
        .name()
        .unwrap_or_else(|| source.kind().to_owned())
        .into()
}

fn fingerprint(key: &str) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(Sha256::digest(key.as_bytes()));
    [a, b, c, d, e, f, g, h]
}
