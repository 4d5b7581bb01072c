//! `GET /admin/v1/audit-events`: who changed what, newest first.
//!
//! The admin of a tenant is shown the events that say of themselves that they are the tenant's: what a resource was and
//! is, the account of an adjustment, or the tenant they name. Who acted decides nothing, and neither does what is called
//! the same now: a key that was deleted may have been somebody else's.

use std::{sync::Arc, time::Instant};

use axum::{Json, extract::State};
use ferrogate_api::{AccountKind, AccountRef, AuditEvent, AuditEventQuery, Page, TenantContext};
use http::Uri;
use serde_json::{Map, Value};

use super::{
    caller::Caller,
    policy_selectors::PolicySelectors,
    query::Parameters,
    realm::{Realm, key_context, tenant_context, tenant_ref},
    respond::Failure,
};
use crate::config::{self, TenantKind};
use crate::error::RequestError;
use crate::gateway::{Gateway, Snapshot};
use crate::store::ResourceKind;

pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<Page<AuditEvent>>, Failure> {
    let query = read(&uri, &gateway.snapshot().config.admin)?;
    let realm = caller.realm();
    if realm.is_everything() {
        return Ok(Json(gateway.store.audit_events(query).await?));
    }
    Ok(Json(list_of(&gateway, &realm, query).await?))
}

fn read(uri: &Uri, bounds: &config::Admin) -> Result<AuditEventQuery, RequestError> {
    let mut parameters = Parameters::of(uri)?;
    let query = AuditEventQuery {
        q: parameters.take("q")?,
        actor: parameters.take("actor")?,
        action: parameters.take("action")?,
        target: parameters.take("target")?,
        outcome: parameters.take("outcome")?,
        since: parameters.take("since")?,
        until: parameters.take("until")?,
        cursor: parameters.take("cursor")?,
        limit: Some(parameters.take_limit(bounds)?),
    };
    parameters.finish()?;
    Ok(query)
}

/// Those of a realm. What is not of it is read too, so that time may run out; the cursor goes on from there.
async fn list_of(
    gateway: &Gateway,
    realm: &Realm,
    mut query: AuditEventQuery,
) -> Result<Page<AuditEvent>, Failure> {
    let snapshot = gateway.snapshot();
    let ends = Instant::now() + snapshot.config.storage.list_time_limit;
    let limit = usize::try_from(query.limit.unwrap_or(1)).unwrap_or(usize::MAX);
    let mut shown = Vec::new();
    loop {
        // No more than there is still room for: the page's own cursor is the right one.
        query.limit = u32::try_from(limit - shown.len()).ok();
        let page = gateway.store.audit_events(query.clone()).await?;
        let own = page.data.into_iter();
        shown.extend(own.filter(|event| is_shown(&snapshot, realm, event)));
        match page.next_cursor {
            None => return Ok(Page::new(shown, None)),
            Some(cursor) if shown.len() >= limit => return Ok(Page::new(shown, Some(cursor))),
            Some(cursor) if Instant::now() >= ends => {
                return Ok(Page::partial(shown, Some(cursor)));
            }
            cursor @ Some(_) => query.cursor = cursor,
        }
    }
}

fn is_shown(snapshot: &Snapshot, realm: &Realm, event: &AuditEvent) -> bool {
    let Some(detail) = event.detail.as_ref().and_then(Value::as_object) else {
        return false;
    };
    if let Some(tenant) = detail.get("tenant") {
        let tenant = serde_json::from_value::<TenantContext>(tenant.clone());
        return tenant.is_ok_and(|tenant| realm.covers(&tenant));
    }
    let kind = event.action.split_once('.').map_or("", |(kind, _)| kind);
    match kind {
        "budget" => {
            let account = detail.get("account").and_then(Value::as_str);
            let account = account.and_then(|text| text.parse::<AccountRef>().ok());
            account.is_some_and(|account| {
                realm.sees_account(snapshot, &account)
                    && event.occurred_at_unix_ms >= made_at(snapshot, &account)
            })
        }
        "api_key" | "tenant" | "policy" => {
            let mut documents = ["before", "after"]
                .into_iter()
                .filter_map(|name| detail.get(name)?.as_object())
                .peekable();
            documents.peek().is_some()
                && documents.all(|document| is_own(snapshot, realm, (kind, document)))
        }
        _ => false,
    }
}

/// Before that something else had its name. What the file declares was always there.
fn made_at(snapshot: &Snapshot, account: &AccountRef) -> i64 {
    let row = match account.kind {
        AccountKind::Key => snapshot.managed.find(ResourceKind::ApiKey, &account.id),
        _ => {
            let name = account.to_string();
            snapshot.managed.find(ResourceKind::Tenant, &name)
        }
    };
    row.map_or(0, |row| row.created_at_unix_ms)
}

fn is_own(
    snapshot: &Snapshot,
    realm: &Realm,
    (kind, document): (&str, &Map<String, Value>),
) -> bool {
    let text = |field: &str| document.get(field).and_then(Value::as_str);
    match kind {
        "api_key" => realm.covers(&key_context(document, None, snapshot.tenants())),
        "policy" => realm.covers_policy(snapshot, &PolicySelectors::after(document, None)),
        _ => {
            let kind = text("kind").and_then(TenantKind::parse);
            let (Some(kind), Some(id)) = (kind, text("id")) else {
                return false;
            };
            let parent = text("parent").and_then(tenant_ref);
            let context = tenant_context((kind, id), parent.as_ref(), snapshot.tenants());
            realm.covers(&context)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config;

    const FILE: &str = r#"
        [[tenants]]
        kind = "organization"
        id = "acme"

        [[tenants]]
        kind = "team"
        id = "search"
        parent = "organization:acme"

        [[api_keys]]
        id = "app"
        key = "a"
        team_id = "search"
    "#;

    #[test]
    fn an_event_says_itself_whose_it_is() {
        let loaded = config::parse(FILE, "test.toml", &|_| None).unwrap();
        let snapshot = Snapshot::of_file(loaded.config).unwrap();
        let acme = TenantContext {
            organization_id: Some("acme".into()),
            ..TenantContext::default()
        };
        let realm = Realm::of(&Arc::new(acme));
        let check = |action: &str, detail: Value, expected: bool| {
            let event = AuditEvent {
                id: "1".to_owned(),
                occurred_at_unix_ms: 0,
                actor: "acme-admin".into(),
                action: action.into(),
                target: "api_key:app".to_owned(),
                outcome: "ok".into(),
                message: String::new(),
                detail: Some(detail.clone()),
            };
            assert_eq!(
                is_shown(&snapshot, &realm, &event),
                expected,
                "{action} {detail}"
            );
        };
        let own = || json!({"id": "app", "team_id": "search"});
        let foreign = || json!({"id": "app", "organization_id": "other"});
        check(
            "api_key.create",
            json!({"before": null, "after": own()}),
            true,
        );
        check(
            "api_key.delete",
            json!({"before": own(), "after": null}),
            true,
        );
        check(
            "api_key.create",
            json!({"before": null, "after": foreign()}),
            false,
        );
        check(
            "api_key.update",
            json!({"before": foreign(), "after": own()}),
            false,
        );
        check(
            "api_key.update",
            json!({"before": own(), "after": foreign()}),
            false,
        );
        check("api_key.update", json!({}), false);
        let team = |parent: &str| json!({"after": {"kind": "team", "id": "new", "parent": parent}});
        check("tenant.create", team("organization:acme"), true);
        check("tenant.create", team("organization:other"), false);
        check(
            "tenant.create",
            json!({"after": {"kind": "team", "id": "new"}}),
            false,
        );
        let policy = |organization: &str| json!({"after": {"organization_ids": [organization]}});
        check("policy.create", policy("acme"), true);
        check("policy.create", policy("other"), false);
        check("budget.adjust", json!({"account": "team:search"}), true);
        check("budget.adjust", json!({"account": "team:other"}), false);
        check("budget.adjust", json!({"account": "key:app"}), true);
        check(
            "admin.refused",
            json!({"tenant": {"organization_id": "acme"}}),
            true,
        );
        check(
            "admin.refused",
            json!({"tenant": {"organization_id": "other"}}),
            false,
        );
        check("admin.refused", json!({"tenant": null}), false);
        check("config.reload", json!({"after": own()}), false);
        check("gateway_config.create", json!({"after": own()}), false);
    }
}
