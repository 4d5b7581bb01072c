//! `GET /admin/v1/usage-aggregates`: sums over the ledger.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{Page, UsageAggregate, UsageAggregateQuery, UsageAggregateSort, Window};
use http::Uri;

use super::{caller::Caller, query::Parameters, realm::Realm, respond::Failure};
use crate::config::{self, TenantKind};
use crate::error::RequestError;
use crate::gateway::{Gateway, Snapshot};
use crate::governance::Key;

pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<Page<UsageAggregate>>, Failure> {
    let snapshot = gateway.snapshot();
    let query = read(&uri, &snapshot.config.admin, &caller.realm())?;
    let page = match keys_of(&snapshot, &query) {
        None => gateway.store.usage_aggregates(query).await?,
        Some(keys) => gateway.store.usage_aggregates_of(query, keys).await?,
    };
    Ok(Json(page))
}

fn read(
    uri: &Uri,
    bounds: &config::Admin,
    realm: &Realm,
) -> Result<UsageAggregateQuery, RequestError> {
    let mut parameters = Parameters::of(uri)?;
    let windows = [Window::Minute, Window::Hour, Window::Day, Window::Total];
    let mut query = UsageAggregateQuery {
        window: parameters
            .take_word("window", &windows.map(|window| (window.as_str(), window)))?
            .unwrap_or_default(),
        model: parameters.take("model")?,
        key: parameters.take("key")?,
        provider: parameters.take("provider")?,
        organization: parameters.take("organization")?,
        team: parameters.take("team")?,
        project: parameters.take("project")?,
        user: parameters.take("user")?,
        q: parameters.take("q")?,
        since: parameters.take("since")?,
        until: parameters.take("until")?,
        sort: parameters.take_word(
            "sort",
            &UsageAggregateSort::ALL.map(|sort| (sort.as_str(), sort)),
        )?,
        ..UsageAggregateQuery::default()
    };
    let place = parameters.take_place(bounds)?;
    parameters.finish()?;
    query.cursor = place.cursor;
    query.offset = place.offset;
    query.limit = Some(place.limit);
    realm.narrow([
        &mut query.organization,
        &mut query.team,
        &mut query.project,
        &mut query.user,
    ])?;
    Ok(query)
}

/// The sums know keys and not whose they are: of a tenant they are those of the keys that belong to it now. `None`:
/// no tenant is asked for.
fn keys_of(snapshot: &Snapshot, query: &UsageAggregateQuery) -> Option<Vec<Arc<str>>> {
    let asked = [
        (TenantKind::Organization, &query.organization),
        (TenantKind::Team, &query.team),
        (TenantKind::Project, &query.project),
        (TenantKind::User, &query.user),
    ];
    if asked.iter().all(|(_, id)| id.is_none()) {
        return None;
    }
    let belongs = |key: &&Arc<Key>| {
        asked.iter().all(|(kind, id)| {
            let own = key.tenant().get(kind.account()).map(|own| &**own);
            id.is_none() || own == id.as_deref()
        })
    };
    let keys = snapshot.rules.keys.all().iter().filter(belongs);
    Some(keys.map(|key| Arc::clone(key.id())).collect())
}
