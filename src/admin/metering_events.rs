//! `GET /admin/v1/metering-events`, also called `billing-events`: the ledger, row by row.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{MeteringEvent, MeteringEventQuery, Page, RequestLogSort};
use http::Uri;

use super::{caller::Caller, query::Parameters, realm::Realm, respond::Failure};
use crate::config;
use crate::error::RequestError;
use crate::gateway::Gateway;

pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<Page<MeteringEvent>>, Failure> {
    let query = read(&uri, &gateway.snapshot().config.admin, &caller.realm())?;
    Ok(Json(gateway.store.metering_events(query).await?))
}

fn read(
    uri: &Uri,
    bounds: &config::Admin,
    realm: &Realm,
) -> Result<MeteringEventQuery, RequestError> {
    let mut parameters = Parameters::of(uri)?;
    let mut query = MeteringEventQuery {
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
            &RequestLogSort::ALL.map(|sort| (sort.as_str(), sort)),
        )?,
        ..MeteringEventQuery::default()
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
