//! `GET /admin/v1/status`: the process at a glance.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::Status;
use http::Uri;

use super::{cache, process, query::Parameters, respond::Failure};
use crate::gateway::Gateway;

pub(super) async fn show(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<Json<Status>, Failure> {
    Parameters::none(&uri)?;
    Ok(Json(status(&gateway)))
}

fn status(gateway: &Gateway) -> Status {
    let snapshot = gateway.snapshot();
    let config = &snapshot.config;
    let listening = gateway.listening();
    let in_flight = gateway.live.in_flight_count();
    let drain = gateway.drain.status(in_flight);
    Status {
        service: "ferrogate".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at_unix_ms: gateway.started_at_unix_ms,
        now_unix_ms: gateway.clock.unix_ms(),
        listen: listening.map_or(config.listen, |at| at.gateway).to_string(),
        admin_listen: listening
            .and_then(|at| at.admin)
            .map(|address| address.to_string()),
        admin_socket: listening.map(|at| at.admin_socket.display().to_string()),
        ready: gateway.readiness().ready,
        draining: drain.draining,
        drain_reason: drain.drain_reason,
        config_revision: gateway.revision(),
        providers: count(&config.providers),
        models: count(&config.models),
        api_keys: count(snapshot.rules.keys.all()),
        upstreams: count(&config.upstreams),
        routes: count(&config.routes),
        in_flight,
        process: process::status(),
        writer: gateway.store.status(),
        live: gateway.live.status(),
        retention: gateway.store.retention_status(),
        cluster: gateway.cluster_status(),
        cache: cache::stats(gateway),
    }
}

fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}
