//! `/admin/v1/tenants` and `/{kind}/{id}`: organizations, teams, projects and users. Those that only keys name are
//! shown too, as `implicit`; to give one limits is to make it.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use ferrogate_api::{AccountKind, AccountRef, Origin, Tenant, TenantFilter};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    account_limits,
    listing::SortKey,
    may_write::Draft,
    query::Parameters,
    resources::{
        AdminResource, Entry, ResourceName, Viewing, Write, entries, invalid_resource, is, name_in,
        set_name, take_enabled, take_origin,
    },
    respond::invalid,
};
use crate::config::{self, TenantKind};
use crate::error::RequestError;
use crate::gateway::Snapshot;
use crate::store::ResourceKind;

const KINDS: &str = "must be `organization`, `team`, `project` or `user`";

/// `[[tenants]]`.
pub(super) struct Tenants;

/// A tenant, wherever it comes from; an implicit one is its name and no more.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'s> {
    kind: TenantKind,
    id: &'s Arc<str>,
    declared: Option<&'s config::Tenant>,
}

type Found<'s> = Entry<'s, Known<'s>>;

/// `/{kind}/{id}`.
#[derive(Debug, Deserialize)]
pub(super) struct TenantName {
    kind: String,
    id: String,
}

impl ResourceName for TenantName {
    fn in_body(document: &Map<String, Value>) -> Result<Self, RequestError> {
        let kind = name_in(document, "kind")?;
        if TenantKind::parse(&kind).is_none() {
            return Err(invalid_resource("kind", KINDS));
        }
        let id = name_in(document, "id")?;
        Ok(Self { kind, id })
    }

    fn put_into(&self, document: &mut Map<String, Value>) -> Result<(), RequestError> {
        set_name(document, "kind", self.kind()?.as_str())?;
        set_name(document, "id", &self.id)
    }

    /// `organization:acme`.
    fn id(&self) -> Result<String, RequestError> {
        Ok(name(self.kind()?, &self.id))
    }
}

impl TenantName {
    fn kind(&self) -> Result<TenantKind, RequestError> {
        TenantKind::parse(&self.kind).ok_or_else(|| invalid("kind", KINDS))
    }
}

fn name(kind: TenantKind, id: &str) -> String {
    format!("{}:{id}", kind.as_str())
}

impl AdminResource for Tenants {
    const KIND: ResourceKind = ResourceKind::Tenant;
    const NOUN: &'static str = "tenant";
    /// By `id` is by `kind:id`.
    const SORTS: &'static [&'static str] = &["id", "name", "created_at", "updated_at"];

    type Name = TenantName;
    type Value<'s> = Known<'s>;
    type View = Tenant;
    type Filter = TenantFilter;

    fn all(snapshot: &Snapshot) -> Vec<Found<'_>> {
        let file = snapshot.file.tenants.iter().map(|tenant| &**tenant);
        let named = |tenant: &config::Tenant| name(tenant.kind, &tenant.id).into();
        let declared = entries(file, &snapshot.managed.tenants, named);
        let mut seen: HashSet<(TenantKind, &str)> = declared
            .iter()
            .map(|entry| (entry.value.kind, &*entry.value.id))
            .collect();
        let mut all: Vec<_> = declared.into_iter().map(Found::declared_one).collect();
        for key in snapshot.rules.keys.all() {
            for kind in TenantKind::ALL {
                if let Some(id) = key.tenant().get(kind.account())
                    && seen.insert((kind, id))
                {
                    all.push(Found::implicit(kind, id));
                }
            }
        }
        all
    }

    fn view(entry: &Found<'_>, _: &Viewing<'_>) -> Tenant {
        view(entry)
    }

    fn filter(parameters: &mut Parameters) -> Result<TenantFilter, RequestError> {
        Ok(TenantFilter {
            kind: parameters.take_with("kind", |word| {
                let kind = TenantKind::parse(word).ok_or_else(|| KINDS.to_owned())?;
                Ok(kind.as_str().to_owned())
            })?,
            parent: parameters.take_with("parent", |text| match text.parse::<AccountRef>() {
                Ok(parent) if parent.kind != AccountKind::Key => Ok(parent),
                Ok(_) | Err(_) => Err("must be like `organization:acme`".to_owned()),
            })?,
            enabled: take_enabled(parameters)?,
            origin: take_origin(parameters)?,
        })
    }

    fn fits(filter: &TenantFilter, entry: &Found<'_>) -> bool {
        let Known { kind, declared, .. } = entry.value;
        is(filter.kind.as_deref(), kind.as_str())
            && (filter.parent.is_none() || filter.parent == entry.value.parent())
            && is(filter.enabled, declared.is_none_or(|tenant| tenant.enabled))
            && is(filter.origin, entry.origin)
    }

    fn texts<'s>(entry: &Found<'s>) -> Vec<&'s str> {
        let declared = entry.value.declared;
        let name = declared.map(|tenant| &*tenant.name);
        let parent = declared.and_then(|tenant| Some(&*tenant.parent.as_ref()?.id));
        name.into_iter().chain(parent).collect()
    }

    fn sort_key(entry: &Found<'_>, field: &str, _: &Viewing<'_>) -> SortKey {
        match field {
            "name" => SortKey::from(entry.value.name()),
            _ => SortKey::Nothing,
        }
    }

    fn is_visible(entry: &Found<'_>, viewing: &Viewing<'_>) -> bool {
        let Known { kind, id, .. } = entry.value;
        let realm = viewing.caller.realm();
        realm.sees_tenant(viewing.snapshot, kind, id)
    }

    fn prepare(
        document: &mut Map<String, Value>,
        _: Option<&Found<'_>>,
        write: &Write<'_>,
    ) -> Result<(), RequestError> {
        let Some((kind, id)) = parts(write.name) else {
            return Ok(());
        };
        let draft = Draft {
            document,
            mode: write.mode,
        };
        write
            .caller
            .may_write_tenant(write.snapshot, (kind, id), &draft)
    }

    fn may_remove(entry: &Found<'_>, write: &Write<'_>) -> Result<(), RequestError> {
        let Known { kind, id, .. } = entry.value;
        write.caller.may_remove_tenant(write.snapshot, (kind, id))
    }
}

/// The reverse of [`name`].
fn parts(name: &str) -> Option<(TenantKind, &str)> {
    let (kind, id) = name.split_once(':')?;
    Some((TenantKind::parse(kind)?, id))
}

impl<'s> Found<'s> {
    fn declared_one(entry: Entry<'s, &'s config::Tenant>) -> Self {
        let tenant = entry.value;
        Self {
            name: entry.name,
            value: Known {
                kind: tenant.kind,
                id: &tenant.id,
                declared: Some(tenant),
            },
            origin: entry.origin,
            stored: entry.stored,
            place: entry.place,
        }
    }

    fn implicit(kind: TenantKind, id: &'s Arc<str>) -> Self {
        Self {
            name: Cow::Owned(name(kind, id)),
            value: Known {
                kind,
                id,
                declared: None,
            },
            origin: Origin::Implicit,
            stored: None,
            place: 0,
        }
    }
}

impl<'s> Known<'s> {
    fn name(self) -> &'s str {
        self.declared.map_or(&**self.id, |tenant| &*tenant.name)
    }

    fn parent(self) -> Option<AccountRef> {
        let parent = self.declared?.parent.as_ref()?;
        Some(AccountRef {
            kind: parent.kind.account(),
            id: parent.id.clone(),
        })
    }
}

fn view(entry: &Found<'_>) -> Tenant {
    let known = entry.value;
    let declared = entry.declared();
    let limits = known.declared.map(|tenant| &tenant.limits);
    Tenant {
        object: Tenants::KIND.as_str().into(),
        kind: known.kind.account(),
        id: known.id.clone(),
        name: known.name().to_owned(),
        parent: known.parent(),
        enabled: known.declared.is_none_or(|tenant| tenant.enabled),
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
