//! `GET /admin/v1/request-logs` and `/{id}`: every request the gateway answered, one of them with its decision trace.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{Page, RequestLog, RequestLogDetail, RequestLogQuery};
use http::Uri;

use super::{
    path::Named,
    query::Parameters,
    respond::{Failure, invalid, not_found},
};
use crate::config;
use crate::error::RequestError;
use crate::gateway::Gateway;
use crate::ids::RequestId;

pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<Json<Page<RequestLog>>, Failure> {
    let query = read(&uri, &gateway.snapshot().config.admin)?;
    Ok(Json(gateway.store.request_logs(query).await?))
}

pub(super) async fn show(
    State(gateway): State<Arc<Gateway>>,
    Named(id): Named<String>,
    uri: Uri,
) -> Result<Json<RequestLogDetail>, Failure> {
    Parameters::none(&uri)?;
    let request_id = RequestId::parse(&id)
        .ok_or_else(|| invalid("id", "must be a request id, as `x-request-id` gives it"))?;
    let detail = gateway.store.request_log(request_id).await?;
    detail
        .map(Json)
        .ok_or_else(|| not_found("request log", &id))
}

fn read(uri: &Uri, bounds: &config::Admin) -> Result<RequestLogQuery, RequestError> {
    let mut parameters = Parameters::of(uri)?;
    let query = RequestLogQuery {
        status: parameters.take("status")?,
        model: parameters.take("model")?,
        key: parameters.take("key")?,
        provider: parameters.take("provider")?,
        organization: parameters.take("organization")?,
        team: parameters.take("team")?,
        project: parameters.take("project")?,
        user: parameters.take("user")?,
        since: parameters.take("since")?,
        cursor: parameters.take("cursor")?,
        limit: Some(parameters.take_limit(bounds)?),
    };
    parameters.finish()?;
    Ok(query)
}
