//! `GET /admin/v1/request-logs:facets`: which values the request logs have, and how often, for the choices beside the
//! list. Of whole UTC days, and of all tenants: counts of one tenant alone are kept by nobody.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{RequestLogFacets, RequestLogFacetsQuery};
use http::Uri;

use super::{query::Parameters, respond::Failure};
use crate::config;
use crate::error::RequestError;
use crate::gateway::Gateway;

/// How many values of each field are named where nothing else is asked for.
const VALUES_DEFAULT: u32 = 20;

pub(super) async fn show(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<Json<RequestLogFacets>, Failure> {
    let query = read(&uri, &gateway.snapshot().config.admin)?;
    Ok(Json(gateway.store.request_log_facets(query).await?))
}

fn read(uri: &Uri, bounds: &config::Admin) -> Result<RequestLogFacetsQuery, RequestError> {
    let mut parameters = Parameters::of(uri)?;
    parameters.assume("limit", &VALUES_DEFAULT.to_string());
    let query = RequestLogFacetsQuery {
        since: parameters.take("since")?,
        until: parameters.take("until")?,
        limit: Some(parameters.take_limit(bounds)?),
    };
    parameters.finish()?;
    Ok(query)
}
