//! The secrets of keys: who makes them, the one answer they are part of, and `POST /admin/v1/api-keys/{id}/rotate`.

use std::{sync::Arc, time::Duration};

use axum::extract::State;
use ferrogate_api::{NewApiKey, RotateApiKey};
use serde_json::{Map, Value};

use super::{
    api_keys::ApiKeys,
    body::Command,
    path::Named,
    resources::{AdminResource as _, ById, Shown, Writer, invalid_resource, shown},
    respond::{Failure, invalid},
};
use crate::config::Secret;
use crate::error::RequestError;
use crate::gateway::{Gateway, PutMode};
use crate::governance::{generate, hash};

/// A secret that should have gone is forgotten long before.
const OVERLAP_SECS_MAX: u64 = 366 * 24 * 3600;

/// The old secret works beside the new one until the overlap is over.
pub(super) async fn rotate(
    State(gateway): State<Arc<Gateway>>,
    writer: Writer,
    Named(ById(id)): Named<ById>,
    Command(command): Command<RotateApiKey>,
) -> Result<Shown<NewApiKey>, Failure> {
    if command.overlap_secs > OVERLAP_SECS_MAX {
        return Err(invalid("overlap_secs", "must be at most a year").into());
    }
    let judged = {
        let snapshot = gateway.snapshot();
        let write = writer.write(&gateway, &snapshot, &id, PutMode::Merge);
        // Whoever gets a key's secret gets what it may do.
        writer.caller.may_take_key(&snapshot, &id)?;
        writer.judged::<ApiKeys>(ApiKeys::find(&snapshot, &id).as_ref(), &write)?
    };
    let (by, told) = judged.into_change();
    let overlap = Duration::from_secs(command.overlap_secs);
    let rotated = gateway.rotate_key(&id, overlap, by).await;
    let (_, secret) = rotated.map_err(told)?;
    let key = shown::<ApiKeys>(&gateway, &writer.caller, &id).await?;
    Ok(key.map(|key| NewApiKey {
        key,
        secret: Some(secret.expose().to_owned()),
    }))
}

/// A key that comes without the hash of a secret gets a secret, which is what is given back.
pub(super) fn provide(document: &mut Map<String, Value>) -> Option<Secret> {
    if document.contains_key("key_hash") {
        return None;
    }
    let secret = generate();
    document.insert("key_hash".to_owned(), hash(secret.expose()).into());
    Some(secret)
}

/// A secret in clear would stay in the database, and the gateway's environment is not the caller's.
pub(super) fn refuse_in_clear(document: &Map<String, Value>) -> Result<(), RequestError> {
    for (field, because) in [
        (
            "key",
            "is not taken here: leave it out, and the gateway makes a secret; or send the `key_hash` that `ferrogate hash-key` prints",
        ),
        (
            "key_env",
            "is for the configuration file: leave it out, and the gateway makes a secret; or send a `key_hash`",
        ),
        (
            "previous_key_hashes",
            "is what `POST /admin/v1/api-keys/{id}/rotate` writes",
        ),
    ] {
        if document.contains_key(field) {
            return Err(invalid_resource(field, because));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::governance::{KeyHash, is_generated};

    fn document(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_key_gets_a_secret_unless_it_brings_a_hash() {
        let mut without = document(r#"{"id":"a"}"#);
        let secret = provide(&mut without).unwrap();
        assert!(is_generated(secret.expose()));
        let hash = KeyHash::parse(without["key_hash"].as_str().unwrap()).unwrap();
        assert!(hash.verify(secret.expose()));

        let mut with = document(r#"{"id":"a","key_hash":"sha256:00"}"#);
        let before = with.clone();
        assert!(provide(&mut with).is_none());
        assert_eq!(with, before);
    }

    #[test]
    fn secrets_in_clear_are_not_taken() {
        for field in ["key", "key_env", "previous_key_hashes"] {
            let error = refuse_in_clear(&document(&format!(r#"{{"{field}":"hunter2"}}"#)));
            let error = error.unwrap_err();
            assert_eq!(error.param.as_deref(), Some(field));
            assert!(!error.message.contains("hunter2"));
        }
        assert_eq!(refuse_in_clear(&document(r#"{"key_hash":"x"}"#)), Ok(()));
    }
}
