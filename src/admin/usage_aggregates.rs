//! `GET /admin/v1/usage-aggregates`: sums over the ledger.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{Page, UsageAggregate, UsageAggregateQuery, Window};
use http::Uri;

use super::{query::Parameters, respond::Failure};
use crate::config;
use crate::error::RequestError;
use crate::gateway::Gateway;

pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<Json<Page<UsageAggregate>>, Failure> {
    let query = read(&uri, &gateway.snapshot().config.admin)?;
    Ok(Json(gateway.store.usage_aggregates(query).await?))
}

fn read(uri: &Uri, bounds: &config::Admin) -> Result<UsageAggregateQuery, RequestError> {
    let mut parameters = Parameters::of(uri)?;
    let query = UsageAggregateQuery {
        window: parameters.take_with("window", window)?.unwrap_or_default(),
        model: parameters.take("model")?,
        key: parameters.take("key")?,
        provider: parameters.take("provider")?,
        since: parameters.take("since")?,
        limit: Some(parameters.take_limit(bounds)?),
    };
    parameters.finish()?;
    Ok(query)
}

fn window(name: &str) -> Result<Window, String> {
    match name {
        "minute" => Ok(Window::Minute),
        "hour" => Ok(Window::Hour),
        "day" => Ok(Window::Day),
        "total" => Ok(Window::Total),
        _ => Err("must be `minute`, `hour`, `day` or `total`".to_owned()),
    }
}
