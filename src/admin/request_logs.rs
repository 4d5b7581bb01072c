//! `GET /admin/v1/request-logs` and `/{id}`: every request the gateway answered, one of them with its decision trace.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{
    Outcome, Page, RequestLog, RequestLogDetail, RequestLogQuery, RequestLogSort, TenantContext,
};
use http::Uri;

use super::{
    caller::Caller,
    path::Named,
    query::Parameters,
    realm::Realm,
    respond::{Failure, invalid, not_found},
};
use crate::config;
use crate::error::RequestError;
use crate::gateway::Gateway;
use crate::ids::RequestId;

pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<Page<RequestLog>>, Failure> {
    let query = read(&uri, &gateway.snapshot().config.admin, &caller.realm())?;
    Ok(Json(gateway.store.request_logs(query).await?))
}

/// Another tenant's request is not there: who may not read it is not told of it either.
pub(super) async fn show(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    Named(id): Named<String>,
    uri: Uri,
) -> Result<Json<RequestLogDetail>, Failure> {
    Parameters::none(&uri)?;
    let request_id = RequestId::parse(&id)
        .ok_or_else(|| invalid("id", "must be a request id, as `x-request-id` gives it"))?;
    let realm = caller.realm();
    let nobodys = TenantContext::default();
    let detail = gateway.store.request_log(request_id).await?;
    detail
        .filter(|detail| realm.covers(detail.log.tenant.as_deref().unwrap_or(&nobodys)))
        .map(Json)
        .ok_or_else(|| not_found("request log", &id))
}

fn read(uri: &Uri, bounds: &config::Admin, realm: &Realm) -> Result<RequestLogQuery, RequestError> {
    let mut parameters = Parameters::of(uri)?;
    let mut query = RequestLogQuery {
        status: parameters.take("status")?,
        model: parameters.take("model")?,
        key: parameters.take("key")?,
        provider: parameters.take("provider")?,
        organization: parameters.take("organization")?,
        team: parameters.take("team")?,
        project: parameters.take("project")?,
        user: parameters.take("user")?,
        endpoint: parameters.take("endpoint")?,
        outcome: parameters.take_word(
            "outcome",
            &Outcome::ALL.map(|outcome| (outcome.as_str(), outcome)),
        )?,
        error_code: parameters.take("error_code")?,
        stream: parameters.take("stream")?,
        q: parameters.take("q")?,
        since: parameters.take("since")?,
        until: parameters.take("until")?,
        sort: parameters.take_word(
            "sort",
            &RequestLogSort::ALL.map(|sort| (sort.as_str(), sort)),
        )?,
        ..RequestLogQuery::default()
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
