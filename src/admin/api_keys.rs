//! `/admin/v1/api-keys` and `/{id}`: the virtual keys in force, without their secrets, and changes of those that live
//! in the database. A key that is made gets its secret from the gateway, which tells it once, unless the body has the
//! hash of one.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use axum::{extract::State, response::Response};
use ferrogate_api::{AccountKind, ApiKey, ApiKeyFilter, NewApiKey, SecretKind};
use serde_json::{Map, Value};

use super::{
    account_limits,
    body::{Command, Document, Nothing},
    key_secrets,
    listing::SortKey,
    may_write::Draft,
    path::Named,
    query::Parameters,
    resources::{
        AdminResource, ById, Entry, ResourceName as _, Shown, Viewing, Write, Writer, is,
        take_enabled, take_origin,
    },
    respond::Failure,
};
use crate::config::{KeySecret, Scope};
use crate::error::RequestError;
use crate::gateway::{Gateway, PutMode, Snapshot};
use crate::governance::Key;
use crate::store::{ResourceKind, StoredResource};

/// `[[api_keys]]`.
pub(super) struct ApiKeys;

type Found<'s> = Entry<'s, &'s Key>;

impl AdminResource for ApiKeys {
    const KIND: ResourceKind = ResourceKind::ApiKey;
    const NOUN: &'static str = "API key";
    const SORTS: &'static [&'static str] = &[
        "id",
        "name",
        "created_at",
        "updated_at",
        "expires_at",
        "last_used_at",
    ];

    type Name = ById;
    type Value<'s> = &'s Key;
    type View = ApiKey;
    type Filter = ApiKeyFilter;

    fn all(snapshot: &Snapshot) -> Vec<Found<'_>> {
        let managed = snapshot.managed.api_keys.iter();
        let stored: HashMap<&str, &Arc<StoredResource>> =
            managed.map(|key| (&*key.value.id, &key.resource)).collect();
        let keys = snapshot.rules.keys.all().iter();
        keys.map(|key| entry(key, stored.get(&**key.id()).copied()))
            .collect()
    }

    fn find<'s>(snapshot: &'s Snapshot, name: &str) -> Option<Found<'s>> {
        let key = snapshot.rules.keys.get(name)?;
        Some(entry(key, snapshot.managed.find(Self::KIND, name)))
    }

    fn view(entry: &Found<'_>, viewing: &Viewing<'_>) -> ApiKey {
        view(entry, viewing)
    }

    fn filter(parameters: &mut Parameters) -> Result<ApiKeyFilter, RequestError> {
        Ok(ApiKeyFilter {
            enabled: take_enabled(parameters)?,
            origin: take_origin(parameters)?,
            organization: parameters.take("organization")?,
            team: parameters.take("team")?,
            project: parameters.take("project")?,
            user: parameters.take("user")?,
            scope: parameters.take_with("scope", |word| match Scope::parse(word) {
                Some(_) => Ok(word.to_owned()),
                None => Err("must be the name of a scope, such as `chat.completions`".to_owned()),
            })?,
            model: parameters.take("model")?,
        })
    }

    fn fits(filter: &ApiKeyFilter, entry: &Found<'_>) -> bool {
        let key = entry.value;
        let belongs = |kind, asked: &Option<String>| {
            asked.is_none() || key.tenant().get(kind).map(|id| &**id) == asked.as_deref()
        };
        let scope = filter.scope.as_deref();
        is(filter.enabled, key.declared().enabled)
            && is(filter.origin, entry.origin)
            && belongs(AccountKind::Organization, &filter.organization)
            && belongs(AccountKind::Team, &filter.team)
            && belongs(AccountKind::Project, &filter.project)
            && belongs(AccountKind::User, &filter.user)
            && scope.is_none_or(|word| Scope::parse(word).is_some_and(|scope| key.has(scope)))
            && filter
                .model
                .as_deref()
                .is_none_or(|model| key.allows_model(model))
    }

    fn texts<'s>(entry: &Found<'s>) -> Vec<&'s str> {
        let key = entry.value;
        let tenant = key.tenant();
        let tenants = [
            &tenant.organization_id,
            &tenant.team_id,
            &tenant.project_id,
            &tenant.user_id,
        ];
        let ids = tenants.into_iter().flatten().map(|id| &**id);
        ids.chain([&*key.declared().name]).collect()
    }

    fn sort_key(entry: &Found<'_>, field: &str, viewing: &Viewing<'_>) -> SortKey {
        let key = entry.value;
        match field {
            "name" => SortKey::from(&*key.declared().name),
            "expires_at" => key.declared().expires_at_unix.into(),
            "last_used_at" => viewing.last_used.get(&**key.id()).copied().into(),
            _ => SortKey::Nothing,
        }
    }

    fn is_visible(entry: &Found<'_>, viewing: &Viewing<'_>) -> bool {
        viewing.caller.realm().covers(entry.value.tenant())
    }

    fn prepare(
        document: &mut Map<String, Value>,
        _: Option<&Found<'_>>,
        write: &Write<'_>,
    ) -> Result<(), RequestError> {
        key_secrets::refuse_in_clear(document)?;
        let draft = Draft {
            document,
            mode: write.mode,
        };
        write
            .caller
            .may_write_key(write.snapshot, write.name, draft)
    }

    fn may_remove(entry: &Found<'_>, write: &Write<'_>) -> Result<(), RequestError> {
        write.caller.may_stop_key(write.snapshot, &entry.name)
    }
}

/// The answer tells the secret, where the gateway made it.
pub(super) async fn create(
    State(gateway): State<Arc<Gateway>>,
    writer: Writer,
    Document(mut document): Document,
) -> Result<Response, Failure> {
    let id = ById::in_body(&document)?;
    writer.caller.may_name_key(&gateway, &id.id()?).await?;
    let secret = key_secrets::provide(&mut document);
    let put = (document, PutMode::Create);
    let made = writer.put::<ApiKeys>(&gateway, &id, put).await?;
    let told = made.map(|key| NewApiKey {
        key,
        secret: secret.map(|secret| secret.expose().to_owned()),
    });
    Ok(told.made())
}

pub(super) async fn enable(
    State(gateway): State<Arc<Gateway>>,
    writer: Writer,
    Named(id): Named<ById>,
    Command(Nothing {}): Command<Nothing>,
) -> Result<Shown<ApiKey>, Failure> {
    let put = (switched(true), PutMode::Merge);
    writer.put::<ApiKeys>(&gateway, &id, put).await
}

/// Whoever could delete it may do this, also where they could not give what the key has.
pub(super) async fn disable(
    State(gateway): State<Arc<Gateway>>,
    writer: Writer,
    Named(ById(id)): Named<ById>,
    Command(Nothing {}): Command<Nothing>,
) -> Result<Shown<ApiKey>, Failure> {
    let judged = {
        let snapshot = gateway.snapshot();
        let write = writer.write(&gateway, &snapshot, &id, PutMode::Merge);
        writer.caller.may_stop_key(&snapshot, &id)?;
        writer.judged::<ApiKeys>(ApiKeys::find(&snapshot, &id).as_ref(), &write)?
    };
    let put = (id, switched(false), PutMode::Merge);
    writer.put_judged::<ApiKeys>(&gateway, judged, put).await
}

fn switched(enabled: bool) -> Map<String, Value> {
    Map::from_iter([("enabled".to_owned(), enabled.into())])
}

fn entry<'s>(key: &'s Key, stored: Option<&'s Arc<StoredResource>>) -> Found<'s> {
    Entry {
        name: Cow::Borrowed(&**key.id()),
        value: key,
        origin: key.origin(),
        stored,
        place: 0,
    }
}

fn view(entry: &Found<'_>, viewing: &Viewing<'_>) -> ApiKey {
    let key = entry.value.declared();
    let declared = entry.declared();
    let names = |names: &[Arc<str>]| names.iter().map(|name| name.to_string()).collect();
    let still_works = |end: &i64| end.saturating_mul(1000) > viewing.now_unix_ms;
    ApiKey {
        object: ApiKeys::KIND.as_str().into(),
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
        last_used_unix_ms: viewing.last_used.get(&*key.id).copied(),
    }
}
