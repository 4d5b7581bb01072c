//! `/admin/v1/tenants` and `/{kind}/{id}`: organizations, teams, projects and users. Those that only keys name are
//! shown too, as `implicit`; to give one limits is to make it.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use axum::{Json, extract::State};
use ferrogate_api::{AccountRef, Deleted, Origin, Page, Tenant};
use http::{StatusCode, Uri};
use serde_json::{Map, Value};

use super::{
    account_limits,
    body::Document,
    caller::Caller,
    path::Named,
    query::Parameters,
    resources::{Declared, Paging, invalid_resource, name_in, set_name},
    respond::{Failure, invalid, not_found},
};
use crate::config::{self, TenantKind};
use crate::error::RequestError;
use crate::gateway::{Gateway, PutMode, PutResource, Snapshot};
use crate::store::ResourceKind;

const KIND: ResourceKind = ResourceKind::Tenant;
const OBJECT: &str = "tenant";
const KINDS: &str = "must be `organization`, `team`, `project` or `user`";

/// Sorted by `kind:id`.
pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<Json<Page<Tenant>>, Failure> {
    let snapshot = gateway.snapshot();
    let mut parameters = Parameters::of(&uri)?;
    let kind = parameters.take_with("kind", |word| {
        TenantKind::parse(word).ok_or_else(|| KINDS.to_owned())
    })?;
    let paging = Paging::take(&mut parameters, &snapshot.config.admin)?;
    parameters.finish()?;
    let tenants = all(&snapshot, kind);
    let named = tenants
        .iter()
        .map(|((kind, id), tenant)| (name(*kind, id), ((*kind, *id), tenant)));
    let (page, next_cursor) = paging.by_name(named);
    let view = |(name, tenant): (_, &Found<'_>)| view(name, tenant);
    Ok(Json(Page::new(
        page.into_iter().map(view).collect(),
        next_cursor,
    )))
}

pub(super) async fn show(
    State(gateway): State<Arc<Gateway>>,
    Named((kind, id)): Named<(String, String)>,
    uri: Uri,
) -> Result<Json<Tenant>, Failure> {
    Parameters::none(&uri)?;
    shown(&gateway.snapshot(), kind_in_path(&kind)?, &id)
}

pub(super) async fn create(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    uri: Uri,
    Document(document): Document,
) -> Result<(StatusCode, Json<Tenant>), Failure> {
    Parameters::none(&uri)?;
    let kind = name_in(&document, "kind")?;
    let kind = TenantKind::parse(&kind).ok_or_else(|| invalid_resource("kind", KINDS))?;
    let id = name_in(&document, "id")?;
    let made = put(&gateway, &caller, (kind, id), document, PutMode::Create).await?;
    Ok((StatusCode::CREATED, made))
}

/// What the body leaves out gets its default.
pub(super) async fn replace(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    Named((kind, id)): Named<(String, String)>,
    uri: Uri,
    Document(document): Document,
) -> Result<Json<Tenant>, Failure> {
    Parameters::none(&uri)?;
    let name = (kind_in_path(&kind)?, id);
    put(&gateway, &caller, name, document, PutMode::Replace).await
}

/// What the body leaves out stays, and what is null there goes (RFC 7396, one level deep).
pub(super) async fn merge(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    Named((kind, id)): Named<(String, String)>,
    uri: Uri,
    Document(document): Document,
) -> Result<Json<Tenant>, Failure> {
    Parameters::none(&uri)?;
    let name = (kind_in_path(&kind)?, id);
    put(&gateway, &caller, name, document, PutMode::Merge).await
}

pub(super) async fn remove(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    Named((kind, id)): Named<(String, String)>,
    uri: Uri,
) -> Result<Json<Deleted>, Failure> {
    Parameters::none(&uri)?;
    let id = name(kind_in_path(&kind)?, &id);
    gateway.delete_resource(KIND, &id, &caller.actor()).await?;
    Ok(Json(Deleted::of(OBJECT, id)))
}

async fn put(
    gateway: &Gateway,
    caller: &Caller,
    (kind, id): (TenantKind, String),
    mut document: Map<String, Value>,
    mode: PutMode,
) -> Result<Json<Tenant>, Failure> {
    set_name(&mut document, "kind", kind.as_str())?;
    set_name(&mut document, "id", &id)?;
    let put = PutResource {
        kind: KIND,
        id: name(kind, &id),
        document: Value::Object(document),
        mode,
        actor: caller.actor(),
    };
    gateway.put_resource(put).await?;
    shown(&gateway.snapshot(), kind, &id)
}

/// What a tenant is called where it needs one name: `organization:acme`.
fn name(kind: TenantKind, id: &str) -> String {
    format!("{}:{id}", kind.as_str())
}

fn kind_in_path(word: &str) -> Result<TenantKind, RequestError> {
    TenantKind::parse(word).ok_or_else(|| invalid("kind", KINDS))
}

/// A tenant, wherever it comes from; an implicit one is its name and no more.
struct Found<'s> {
    tenant: Option<&'s config::Tenant>,
    declared: Declared,
}

impl Found<'_> {
    const IMPLICIT: Self = Self {
        tenant: None,
        declared: Declared::unstored(Origin::Implicit),
    };
}

fn shown(snapshot: &Snapshot, kind: TenantKind, id: &str) -> Result<Json<Tenant>, Failure> {
    let same = |tenant: &config::Tenant| tenant.kind == kind && *tenant.id == *id;
    let found = declared(snapshot)
        .find(|(tenant, _)| same(tenant))
        .map(|(tenant, declared)| Found {
            tenant: Some(tenant),
            declared,
        })
        .or_else(|| {
            let mut keys = snapshot.rules.keys.all().iter();
            keys.any(|key| {
                key.tenant()
                    .get(kind.account())
                    .is_some_and(|named| **named == *id)
            })
            .then_some(Found::IMPLICIT)
        });
    match found {
        Some(found) => Ok(Json(view((kind, id), &found))),
        None => Err(not_found(kind.as_str(), id)),
    }
}

/// Every tenant of `kind`, or of all kinds.
fn all(snapshot: &Snapshot, kind: Option<TenantKind>) -> BTreeMap<(TenantKind, &str), Found<'_>> {
    let mut tenants = BTreeMap::new();
    for (tenant, declared) in declared(snapshot) {
        let found = Found {
            tenant: Some(tenant),
            declared,
        };
        tenants.insert((tenant.kind, &*tenant.id), found);
    }
    for key in snapshot.rules.keys.all() {
        for kind in TenantKind::ALL {
            let Some(id) = key.tenant().get(kind.account()) else {
                continue;
            };
            if let Entry::Vacant(free) = tenants.entry((kind, &**id)) {
                free.insert(Found::IMPLICIT);
            }
        }
    }
    tenants.retain(|(own, _), _| kind.is_none_or(|kind| kind == *own));
    tenants
}

/// Those of the file, then those of the database.
fn declared(snapshot: &Snapshot) -> impl Iterator<Item = (&config::Tenant, Declared)> {
    let file = snapshot.config.tenants.iter();
    let file = file.map(|tenant| (&**tenant, Declared::of(None)));
    let managed = snapshot.managed.tenants.iter();
    file.chain(managed.map(|tenant| (&*tenant.value, Declared::of(Some(&tenant.resource)))))
}

fn view((kind, id): (TenantKind, &str), found: &Found<'_>) -> Tenant {
    let Found { tenant, declared } = found;
    let limits = tenant.map(|tenant| &tenant.limits);
    let parent = tenant.and_then(|tenant| tenant.parent.as_ref());
    Tenant {
        object: OBJECT.into(),
        kind: kind.account(),
        id: id.into(),
        name: tenant.map_or_else(|| id.to_owned(), |tenant| tenant.name.clone()),
        parent: parent.map(|parent| AccountRef {
            kind: parent.kind.account(),
            id: parent.id.clone(),
        }),
        enabled: tenant.is_none_or(|tenant| tenant.enabled),
        request_limit_per_minute: limits.and_then(|limits| limits.requests_per_minute),
        token_limit_per_minute: limits.and_then(|limits| limits.tokens_per_minute),
        concurrency_limit: limits.and_then(|limits| limits.concurrency),
        budgets: limits.map(account_limits::budgets).unwrap_or_default(),
        origin: declared.origin,
        revision: declared.revision,
        created_at_unix_ms: declared.created_at_unix_ms,
        updated_at_unix_ms: declared.updated_at_unix_ms,
    }
}
