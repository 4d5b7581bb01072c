//! `/admin/v1/providers` and `/{name}`: who answers AI requests. A body may carry the secret itself, as `api_key`; it is
//! sealed before anybody else sees it, and no answer ever has it again.

use std::borrow::Cow;

use ferrogate_api::{CredentialSource, Provider, ProviderFilter};
use serde_json::{Map, Value};

use super::{
    listing::SortKey,
    query::Parameters,
    resources::{
        AdminResource, ByName, Entry, Viewing, Write, as_in_force, entries, invalid_resource, is,
        take_enabled, take_origin,
    },
};
use crate::config::{self, KeySource, ProviderKind, Secret};
use crate::error::RequestError;
use crate::gateway::Snapshot;
use crate::store::ResourceKind;

const API_KEY: &str = "api_key";
const SEALED: &str = "api_key_sealed";

/// `[[providers]]`.
pub(super) struct Providers;

type Found<'s> = Entry<'s, &'s config::Provider>;

impl AdminResource for Providers {
    const KIND: ResourceKind = ResourceKind::Provider;
    const NOUN: &'static str = "provider";
    const SORTS: &'static [&'static str] = &["name", "kind", "created_at", "updated_at"];

    type Name = ByName;
    type Value<'s> = &'s config::Provider;
    type View = Provider;
    type Filter = ProviderFilter;

    fn all(snapshot: &Snapshot) -> Vec<Found<'_>> {
        let managed = &snapshot.managed.providers;
        let all = entries(&snapshot.file.providers, managed, |provider| {
            Cow::Borrowed(&*provider.name)
        });
        as_in_force(all, &snapshot.config.providers, |provider| &provider.name)
    }

    fn view(entry: &Found<'_>, _: &Viewing<'_>) -> Provider {
        view(entry)
    }

    fn filter(parameters: &mut Parameters) -> Result<ProviderFilter, RequestError> {
        Ok(ProviderFilter {
            kind: parameters
                .take_word("kind", &ProviderKind::ALL.map(|kind| (kind.as_str(), kind)))?
                .map(|kind| kind.as_str().to_owned()),
            enabled: take_enabled(parameters)?,
            origin: take_origin(parameters)?,
        })
    }

    fn fits(filter: &ProviderFilter, entry: &Found<'_>) -> bool {
        let provider = entry.value;
        is(filter.kind.as_deref(), provider.kind.as_str())
            && is(filter.enabled, provider.enabled)
            && is(filter.origin, entry.origin)
    }

    fn texts<'s>(entry: &Found<'s>) -> Vec<&'s str> {
        let provider = entry.value;
        let host = provider.base_url.host().unwrap_or_default();
        vec![provider.kind.as_str(), host]
    }

    fn sort_key(entry: &Found<'_>, field: &str, _: &Viewing<'_>) -> SortKey {
        match field {
            "kind" => SortKey::from(entry.value.kind.as_str()),
            _ => SortKey::Nothing,
        }
    }

    fn prepare(
        document: &mut Map<String, Value>,
        _: Option<&Found<'_>>,
        write: &Write<'_>,
    ) -> Result<(), RequestError> {
        let seal = |secret: &Secret| write.gateway.seal_provider_key(write.name, secret);
        seal_key(document, seal)
    }
}

/// Puts what seals the secret in the place of the secret. `null` takes a sealed one away.
fn seal_key(
    document: &mut Map<String, Value>,
    seal: impl FnOnce(&Secret) -> Result<String, RequestError>,
) -> Result<(), RequestError> {
    if document.contains_key(SEALED) {
        return Err(invalid_resource(
            SEALED,
            "is what the gateway makes: send the secret as `api_key`, or an export to `config/import`",
        ));
    }
    let sealed = match document.remove(API_KEY) {
        None => return Ok(()),
        Some(Value::Null) => Value::Null,
        Some(Value::String(text)) => {
            let secret = Secret::new(text);
            // It goes into a header of every request.
            if secret.expose().is_empty() || http::HeaderValue::from_str(secret.expose()).is_err() {
                return Err(invalid_resource(
                    API_KEY,
                    "is nothing that a header can carry",
                ));
            }
            Value::String(seal(&secret)?)
        }
        Some(_) => return Err(invalid_resource(API_KEY, "must be a text")),
    };
    document.insert(SEALED.to_owned(), sealed);
    Ok(())
}

fn view(entry: &Found<'_>) -> Provider {
    let provider = entry.value;
    let declared = entry.declared();
    let keys = &provider.api_keys;
    Provider {
        object: Providers::KIND.as_str().into(),
        name: provider.name.clone(),
        kind: provider.kind.as_str().to_owned(),
        base_url: provider.base_url.to_string(),
        enabled: provider.enabled,
        apis: provider
            .apis
            .iter()
            .map(|api| api.as_str().to_owned())
            .collect(),
        api_version: provider.api_version.clone(),
        openrouter_http_referer: provider.openrouter_http_referer.clone(),
        openrouter_x_title: provider.openrouter_x_title.clone(),
        has_api_key: keys.iter().any(|key| key.key.is_some()),
        // All of one provider's come from the same kind of place.
        credential: keys
            .first()
            .map_or(CredentialSource::None, |key| source(&key.source)),
        credential_names: keys.iter().filter_map(|key| key.source.name()).collect(),
        origin: declared.origin,
        revision: declared.revision,
        created_at_unix_ms: declared.created_at_unix_ms,
        updated_at_unix_ms: declared.updated_at_unix_ms,
    }
}

fn source(source: &KeySource) -> CredentialSource {
    match source {
        KeySource::Env(_) => CredentialSource::Env,
        KeySource::File(_) => CredentialSource::File,
        KeySource::Credential(_) => CredentialSource::Credential,
        KeySource::Sealed(_) => CredentialSource::Sealed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn sealed(body: &str) -> Result<Map<String, Value>, RequestError> {
        let mut document = serde_json::from_str(body).unwrap();
        seal_key(&mut document, |secret| {
            Ok(format!("sealed {}", secret.expose().len()))
        })?;
        Ok(document)
    }

    #[test]
    fn a_secret_is_sealed_before_it_goes_on() {
        let check = |body: &str, expected: &str| {
            let document = sealed(body).unwrap();
            assert_eq!(Value::Object(document).to_string(), expected, "{body}");
        };
        check(
            r#"{"name":"a","api_key":"sk-1"}"#,
            r#"{"name":"a","api_key_sealed":"sealed 4"}"#,
        );
        check(r#"{"api_key":null}"#, r#"{"api_key_sealed":null}"#);
        check(r#"{"api_key_env":"KEY"}"#, r#"{"api_key_env":"KEY"}"#);
    }

    #[test]
    fn what_is_no_secret_is_refused_without_being_quoted() {
        for body in [
            r#"{"api_key":""}"#,
            r#"{"api_key":"hunter2\n"}"#,
            r#"{"api_key":["hunter2"]}"#,
            r#"{"api_key_sealed":"fgs1.hunter2"}"#,
        ] {
            let error = sealed(body).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidResource, "{body}");
            assert!(!error.message.contains("hunter2"), "{}", error.message);
        }
    }

    #[test]
    fn a_secret_that_cannot_be_sealed_is_not_kept() {
        let mut document = serde_json::from_str(r#"{"api_key":"sk-1"}"#).unwrap();
        let error = RequestError::new(ErrorKind::SecretsUnavailable, "no");
        let refused = seal_key(&mut document, |_| Err(error.clone()));
        assert_eq!(refused, Err(error));
        assert!(document.is_empty());
    }
}
