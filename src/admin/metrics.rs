//! `GET /metrics`: everything Prometheus scrapes.

use std::sync::Arc;

use axum::{extract::State, response::IntoResponse};
use http::{Uri, header};

use super::{query::Parameters, respond::Failure};
use crate::gateway::Gateway;

const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn show(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<impl IntoResponse, Failure> {
    Parameters::none(&uri)?;
    let metrics = &gateway.metrics;
    let in_flight = gateway.live.in_flight_count();
    metrics
        .requests_in_flight
        .set(i64::try_from(in_flight).unwrap_or(i64::MAX));
    metrics.set_writer(&gateway.store.status());
    metrics.set_cache(&super::cache::stats(&gateway));
    Ok(([(header::CONTENT_TYPE, TEXT_FORMAT)], metrics.encode()))
}
