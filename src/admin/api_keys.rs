//! `/admin/v1/api-keys` and `/{id}`: the virtual keys in force, without their secrets, and changes of those that live
//! in the database. A key that is made gets its secret from the gateway, which tells it once, unless the body has the
//! hash of one.

use std::{collections::HashMap, sync::Arc};

use axum::{Json, extract::State};
use ferrogate_api::{ApiKey, Deleted, NewApiKey, Page, SecretKind};
use http::{StatusCode, Uri};
use serde_json::{Map, Value};

use super::{
    account_limits,
    body::{Command, Document, Nothing},
    caller::Caller,
    key_scopes, key_secrets,
    path::Named,
    query::Parameters,
    resources::{Declared, Paging, name_in, set_name},
    respond::{Failure, not_found},
};
use crate::config::{self, KeySecret};
use crate::gateway::{Gateway, PutMode, PutResource};
use crate::governance::Key;
use crate::store::{ResourceKind, StoredResource};

const KIND: ResourceKind = ResourceKind::ApiKey;
const OBJECT: &str = "api_key";

/// Sorted by id.
pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<Json<Page<ApiKey>>, Failure> {
    let snapshot = gateway.snapshot();
    let mut parameters = Parameters::of(&uri)?;
    let paging = Paging::take(&mut parameters, &snapshot.config.admin)?;
    parameters.finish()?;

    let managed = snapshot.managed.api_keys.iter();
    let stored: HashMap<&str, &StoredResource> = managed
        .map(|key| (&*key.value.id, &*key.resource))
        .collect();
    let keys = snapshot.rules.keys.all();
    let (page, next_cursor) = paging.by_name(keys.iter().map(|key| (key.id(), key)));
    let last_used = gateway.store.last_used().await?;
    let now = gateway.clock.unix_ms();
    let view = |key: &Arc<Key>| {
        let mut view = view(key.declared(), stored.get(&**key.id()).copied(), now);
        view.last_used_unix_ms = last_used.get(&**key.id()).copied();
        view
    };
    Ok(Json(Page::new(
        page.into_iter().map(view).collect(),
        next_cursor,
    )))
}

pub(super) async fn show(
    State(gateway): State<Arc<Gateway>>,
    Named(id): Named<String>,
    uri: Uri,
) -> Result<Json<ApiKey>, Failure> {
    Parameters::none(&uri)?;
    Ok(Json(shown(&gateway, &id).await?))
}

pub(super) async fn create(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    uri: Uri,
    Document(mut document): Document,
) -> Result<(StatusCode, Json<NewApiKey>), Failure> {
    Parameters::none(&uri)?;
    let id = name_in(&document, "id")?;
    key_secrets::refuse_in_clear(&document)?;
    caller.may_give(&key_scopes::after(&document, &config::Scope::CLIENT))?;
    let secret = key_secrets::provide(&mut document);
    put(&gateway, &caller, &id, document, PutMode::Create).await?;
    let key = NewApiKey {
        key: shown(&gateway, &id).await?,
        secret: secret.map(|secret| secret.expose().to_owned()),
    };
    Ok((StatusCode::CREATED, Json(key)))
}

/// What the body leaves out gets its default, but for the secret, which stays.
pub(super) async fn replace(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    Named(id): Named<String>,
    uri: Uri,
    Document(document): Document,
) -> Result<Json<ApiKey>, Failure> {
    Parameters::none(&uri)?;
    key_secrets::refuse_in_clear(&document)?;
    caller.may_give(&key_scopes::after(&document, &config::Scope::CLIENT))?;
    put(&gateway, &caller, &id, document, PutMode::Replace).await?;
    Ok(Json(shown(&gateway, &id).await?))
}

/// What the body leaves out stays, and what is null there goes (RFC 7396, one level deep).
pub(super) async fn merge(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    Named(id): Named<String>,
    uri: Uri,
    Document(document): Document,
) -> Result<Json<ApiKey>, Failure> {
    Parameters::none(&uri)?;
    merge_into(&gateway, &caller, &id, document).await
}

pub(super) async fn enable(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    Named(id): Named<String>,
    uri: Uri,
    Command(Nothing {}): Command<Nothing>,
) -> Result<Json<ApiKey>, Failure> {
    Parameters::none(&uri)?;
    let enabled = Map::from_iter([("enabled".to_owned(), true.into())]);
    merge_into(&gateway, &caller, &id, enabled).await
}

pub(super) async fn disable(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    Named(id): Named<String>,
    uri: Uri,
    Command(Nothing {}): Command<Nothing>,
) -> Result<Json<ApiKey>, Failure> {
    Parameters::none(&uri)?;
    let disabled = Map::from_iter([("enabled".to_owned(), false.into())]);
    put(&gateway, &caller, &id, disabled, PutMode::Merge).await?;
    Ok(Json(shown(&gateway, &id).await?))
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

async fn merge_into(
    gateway: &Gateway,
    caller: &Caller,
    id: &str,
    document: Map<String, Value>,
) -> Result<Json<ApiKey>, Failure> {
    key_secrets::refuse_in_clear(&document)?;
    let snapshot = gateway.snapshot();
    let before = snapshot.rules.keys.get(id);
    let before = before.map_or(&[][..], |key| &key.declared().scopes);
    caller.may_give(&key_scopes::after(&document, before))?;
    put(gateway, caller, id, document, PutMode::Merge).await?;
    Ok(Json(shown(gateway, id).await?))
}

async fn put(
    gateway: &Gateway,
    caller: &Caller,
    id: &str,
    mut document: Map<String, Value>,
    mode: PutMode,
) -> Result<(), Failure> {
    set_name(&mut document, "id", id)?;
    let put = PutResource {
        kind: KIND,
        id: id.to_owned(),
        document: Value::Object(document),
        mode,
        actor: caller.actor(),
    };
    gateway.put_resource(put).await?;
    Ok(())
}

/// The key as it is now, with all that is known of it.
pub(super) async fn shown(gateway: &Gateway, id: &str) -> Result<ApiKey, Failure> {
    let snapshot = gateway.snapshot();
    let key = snapshot.rules.keys.get(id);
    let key = key.ok_or_else(|| not_found("API key", id))?;
    let stored = snapshot.managed.find(KIND, id).map(|row| &**row);
    let last_used = gateway.store.last_used().await?;
    let now = gateway.clock.unix_ms();
    Ok(ApiKey {
        last_used_unix_ms: last_used.get(id).copied(),
        ..view(key.declared(), stored, now)
    })
}

fn view(key: &config::ApiKey, stored: Option<&StoredResource>, now_unix_ms: i64) -> ApiKey {
    let declared = Declared::of(stored);
    let names = |names: &[Arc<str>]| names.iter().map(|name| name.to_string()).collect();
    let still_works = |end: &i64| end.saturating_mul(1000) > now_unix_ms;
    ApiKey {
        object: OBJECT.into(),
        id: key.id.clone(),
        name: key.name.clone(),
        enabled: key.enabled,
        origin: declared.origin,
        revision: declared.revision,
        created_at_unix_ms: declared.created_at_unix_ms,
        updated_at_unix_ms: declared.updated_at_unix_ms,
        secret: match key.secret {
            KeySecret::Hash(_) => SecretKind::Hash,
            KeySecret::Env(_) => SecretKind::Env,
            KeySecret::Inline(_) => SecretKind::Inline,
        },
        scopes: key
            .scopes
            .iter()
            .map(|scope| scope.as_str().to_owned())
            .collect(),
        allowed_models: names(&key.allowed_models),
        denied_models: names(&key.denied_models),
        allowed_providers: names(&key.allowed_providers),
        denied_providers: names(&key.denied_providers),
        organization_id: key.organization_id.clone(),
        team_id: key.team_id.clone(),
        project_id: key.project_id.clone(),
        user_id: key.user_id.clone(),
        request_limit_per_minute: key.limits.requests_per_minute,
        token_limit_per_minute: key.limits.tokens_per_minute,
        concurrency_limit: key.limits.concurrency,
        budgets: account_limits::budgets(&key.limits),
        expires_at_unix: key.expires_at_unix,
        previous_secrets_expire_at_unix: key
            .previous_hashes
            .iter()
            .map(|previous| previous.expires_at_unix)
            .filter(still_works)
            .collect(),
        cache_enabled: key.cache_enabled,
        log_bodies: key.log_bodies,
        last_used_unix_ms: None,
    }
}
