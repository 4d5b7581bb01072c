//! `/admin/v1/gateway-configs` and `/{id}`: the profiles that clients choose with `x-ferrogate-config`. The gateway
//! counts the revisions of those that live in the database.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{Json, extract::State};
use ferrogate_api::{Deleted, GatewayConfig, Page};
use http::{HeaderName, HeaderValue, StatusCode, Uri};
use serde_json::{Map, Value};

use super::{
    body::Document,
    caller::Caller,
    path::Named,
    query::Parameters,
    resources::{Declared, Paging, invalid_resource, name_in, set_name},
    respond::{Failure, not_found},
};
use crate::config;
use crate::gateway::{Gateway, PutMode, PutResource, Snapshot};
use crate::store::ResourceKind;

const KIND: ResourceKind = ResourceKind::GatewayConfig;
const OBJECT: &str = "gateway_config";

/// Sorted by id.
pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<Json<Page<GatewayConfig>>, Failure> {
    let snapshot = gateway.snapshot();
    let mut parameters = Parameters::of(&uri)?;
    let paging = Paging::take(&mut parameters, &snapshot.config.admin)?;
    parameters.finish()?;
    let profiles = all(&snapshot).map(|(profile, declared)| (&profile.id, (profile, declared)));
    let (page, next_cursor) = paging.by_name(profiles);
    let page = page.into_iter();
    let data = page.map(|(profile, declared)| view(profile, declared));
    Ok(Json(Page::new(data.collect(), next_cursor)))
}

pub(super) async fn show(
    State(gateway): State<Arc<Gateway>>,
    Named(id): Named<String>,
    uri: Uri,
) -> Result<Json<GatewayConfig>, Failure> {
    Parameters::none(&uri)?;
    shown(&gateway.snapshot(), &id)
}

pub(super) async fn create(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    uri: Uri,
    Document(document): Document,
) -> Result<(StatusCode, Json<GatewayConfig>), Failure> {
    Parameters::none(&uri)?;
    let id = name_in(&document, "id")?;
    let made = put(&gateway, &caller, id, document, PutMode::Create).await?;
    Ok((StatusCode::CREATED, made))
}

/// What the body leaves out gets its default.
pub(super) async fn replace(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    Named(id): Named<String>,
    uri: Uri,
    Document(document): Document,
) -> Result<Json<GatewayConfig>, Failure> {
    Parameters::none(&uri)?;
    put(&gateway, &caller, id, document, PutMode::Replace).await
}

/// What the body leaves out stays, and what is null there goes (RFC 7396, one level deep).
pub(super) async fn merge(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    Named(id): Named<String>,
    uri: Uri,
    Document(document): Document,
) -> Result<Json<GatewayConfig>, Failure> {
    Parameters::none(&uri)?;
    put(&gateway, &caller, id, document, PutMode::Merge).await
}

pub(super) async fn remove(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    Named(id): Named<String>,
    uri: Uri,
) -> Result<Json<Deleted>, Failure> {
    Parameters::none(&uri)?;
    gateway.delete_resource(KIND, &id, &caller.actor()).await?;
    Ok(Json(Deleted::of(OBJECT, id)))
}

async fn put(
    gateway: &Gateway,
    caller: &Caller,
    id: String,
    mut document: Map<String, Value>,
    mode: PutMode,
) -> Result<Json<GatewayConfig>, Failure> {
    set_name(&mut document, "id", &id)?;
    if document.contains_key("revision") {
        let counted = "is counted by the gateway, from 1 up with every change: leave it out";
        return Err(invalid_resource("revision", counted).into());
    }
    let put = PutResource {
        kind: KIND,
        id: id.clone(),
        document: Value::Object(document),
        mode,
        actor: caller.actor(),
    };
    gateway.put_resource(put).await?;
    shown(&gateway.snapshot(), &id)
}

/// Those of the file and those of the database.
fn all(snapshot: &Snapshot) -> impl Iterator<Item = (&config::GatewayConfig, Declared)> {
    let file = snapshot.config.gateway_configs.iter();
    let file = file.map(|profile| {
        let declared = Declared {
            revision: Some(profile.revision.into()),
            ..Declared::of(None)
        };
        (&**profile, declared)
    });
    let managed = snapshot.managed.gateway_configs.iter();
    file.chain(managed.map(|profile| (&*profile.value, Declared::of(Some(&profile.resource)))))
}

fn shown(snapshot: &Snapshot, id: &str) -> Result<Json<GatewayConfig>, Failure> {
    let found = all(snapshot).find(|(profile, _)| *profile.id == *id);
    found
        .map(|(profile, declared)| Json(view(profile, declared)))
        .ok_or_else(|| not_found("gateway config", id))
}

fn view(profile: &config::GatewayConfig, declared: Declared) -> GatewayConfig {
    let secs = |time: Option<Duration>| time.map(|time| time.as_secs());
    GatewayConfig {
        object: OBJECT.into(),
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
        revision: declared.revision,
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
