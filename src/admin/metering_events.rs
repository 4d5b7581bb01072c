//! `GET /admin/v1/metering-events`: the ledger, row by row.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{MeteringEvent, MeteringEventQuery, Page};
use http::Uri;

use super::{query::Parameters, respond::Failure};
use crate::config;
use crate::error::RequestError;
use crate::gateway::Gateway;

pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<Json<Page<MeteringEvent>>, Failure> {
    let query = read(&uri, &gateway.snapshot().config.admin)?;
    Ok(Json(gateway.store.metering_events(query).await?))
}

fn read(uri: &Uri, bounds: &config::Admin) -> Result<MeteringEventQuery, RequestError> {
    let mut parameters = Parameters::of(uri)?;
    let query = MeteringEventQuery {
        model: parameters.take("model")?,
        key: parameters.take("key")?,
        provider: parameters.take("provider")?,
        since: parameters.take("since")?,
        cursor: parameters.take("cursor")?,
        limit: Some(parameters.take_limit(bounds)?),
    };
    parameters.finish()?;
    Ok(query)
}
