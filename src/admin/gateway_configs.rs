//! `/admin/v1/gateway-configs` and `/{id}`: the profiles that clients choose with `x-ferrogate-config`. The gateway
//! counts the revisions of those that live in the database.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc, time::Duration};

use ferrogate_api::{GatewayConfig, GatewayConfigFilter};
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use super::{
    listing::SortKey,
    query::Parameters,
    resources::{
        AdminResource, ById, Entry, Viewing, Write, entries, invalid_resource, is, take_enabled,
        take_origin,
    },
};
use crate::config;
use crate::error::RequestError;
use crate::gateway::Snapshot;
use crate::store::ResourceKind;

/// `[[gateway_configs]]`.
pub(super) struct GatewayConfigs;

type Found<'s> = Entry<'s, &'s config::GatewayConfig>;

impl AdminResource for GatewayConfigs {
    const KIND: ResourceKind = ResourceKind::GatewayConfig;
    const NOUN: &'static str = "gateway config";
    const SORTS: &'static [&'static str] = &["id", "name", "created_at", "updated_at"];

    type Name = ById;
    type Value<'s> = &'s config::GatewayConfig;
    type View = GatewayConfig;
    type Filter = GatewayConfigFilter;

    fn all(snapshot: &Snapshot) -> Vec<Found<'_>> {
        let file = snapshot.file.gateway_configs.iter().map(|one| &**one);
        let managed = &snapshot.managed.gateway_configs;
        entries(file, managed, |profile| Cow::Borrowed(&*profile.id))
    }

    fn view(entry: &Found<'_>, _: &Viewing<'_>) -> GatewayConfig {
        view(entry)
    }

    fn filter(parameters: &mut Parameters) -> Result<GatewayConfigFilter, RequestError> {
        Ok(GatewayConfigFilter {
            enabled: take_enabled(parameters)?,
            origin: take_origin(parameters)?,
        })
    }

    fn fits(filter: &GatewayConfigFilter, entry: &Found<'_>) -> bool {
        is(filter.enabled, entry.value.enabled) && is(filter.origin, entry.origin)
    }

    fn texts<'s>(entry: &Found<'s>) -> Vec<&'s str> {
        let profile = entry.value;
        let keys = profile.api_key_ids.iter().map(|id| &**id);
        keys.chain([&*profile.name]).collect()
    }

    fn sort_key(entry: &Found<'_>, field: &str, _: &Viewing<'_>) -> SortKey {
        match field {
            "name" => SortKey::from(&*entry.value.name),
            _ => SortKey::Nothing,
        }
    }

    /// What names others' keys is not for a tenant to see.
    fn is_visible(entry: &Found<'_>, viewing: &Viewing<'_>) -> bool {
        let realm = viewing.caller.realm();
        let keys = &entry.value.api_key_ids;
        let own = |id: &Arc<str>| realm.covers_key(viewing.snapshot, id);
        realm.is_everything() || (!keys.is_empty() && keys.iter().all(own))
    }

    fn prepare(
        document: &mut Map<String, Value>,
        _: Option<&Found<'_>>,
        _: &Write<'_>,
    ) -> Result<(), RequestError> {
        if document.contains_key("revision") {
            let counted = "is counted by the gateway, from 1 up with every change: leave it out";
            return Err(invalid_resource("revision", counted));
        }
        Ok(())
    }
}

fn view(entry: &Found<'_>) -> GatewayConfig {
    let profile = entry.value;
    let declared = entry.declared();
    let secs = |time: Option<Duration>| time.map(|time| time.as_secs());
    GatewayConfig {
        object: GatewayConfigs::KIND.as_str().into(),
        id: profile.id.clone(),
        name: profile.name.clone(),
        enabled: profile.enabled,
        api_key_ids: profile.api_key_ids.clone(),
        cache_enabled: profile.cache_enabled,
        cache_ttl_secs: secs(profile.cache_ttl),
        model: profile.model.clone(),
        routing_strategy: profile
            .routing_strategy
            .map(|strategy| strategy.as_str().into()),
        provider_dispatch_timeout_secs: secs(profile.provider_dispatch_timeout),
        provider_response_timeout_secs: secs(profile.provider_response_timeout),
        provider_stream_timeout_secs: secs(profile.provider_stream_timeout),
        tags: profile.tags.clone(),
        request_headers: request_headers(&profile.request_headers),
        origin: declared.origin,
        // Those of the file say theirs themselves.
        revision: declared.revision.or(Some(profile.revision.into())),
        created_at_unix_ms: declared.created_at_unix_ms,
        updated_at_unix_ms: declared.updated_at_unix_ms,
    }
}

/// Which of them may be set is the operator's list, on which no credential has a place.
fn request_headers(headers: &[(HeaderName, HeaderValue)]) -> BTreeMap<String, String> {
    headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect()
}
