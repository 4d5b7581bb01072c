//! Every endpoint of the admin API, one line each. All of them read; each needs the scope `admin.read`.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    middleware,
    routing::{get, post},
};

use super::{
    api_keys, auth, events, metering_events, metrics, provider_health, provider_models,
    request_logs,
    respond::{self, Failure},
    routes_explain, status, usage_aggregates,
};
use crate::error::{ErrorKind, RequestError};
use crate::gateway::Gateway;

/// The admin API of one gateway. Requests bring their [`crate::peer::PeerIdentity`] as an extension; one that does
/// not is a stranger.
#[rustfmt::skip]
pub fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/metrics",                       get(metrics::show))
        .route("/admin/v1/status",               get(status::show))
        .route("/admin/v1/request-logs",         get(request_logs::list))
        .route("/admin/v1/request-logs/{id}",    get(request_logs::show))
        .route("/admin/v1/metering-events",      get(metering_events::list))
        .route("/admin/v1/usage-aggregates",     get(usage_aggregates::list))
        .route("/admin/v1/api-keys",             get(api_keys::list))
        .route("/admin/v1/api-keys/{id}",        get(api_keys::show))
        .route("/admin/v1/provider-health",      get(provider_health::list))
        .route("/admin/v1/provider-models",      get(provider_models::list))
        .route("/admin/v1/routes:explain",       post(routes_explain::explain))
        .route("/admin/v1/events",               get(events::stream))
        .fallback(no_such_endpoint)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&gateway), auth::authorize))
        .layer(middleware::from_fn_with_state(Arc::clone(&gateway), respond::finish))
        .with_state(gateway)
}

async fn no_such_endpoint(request: Request) -> Failure {
    Failure(RequestError::new(
        ErrorKind::RouteNotFound,
        format!("The admin API has no endpoint `{}`.", request.uri().path()),
    ))
}

async fn no_such_method(request: Request) -> Failure {
    Failure(RequestError::new(
        ErrorKind::MethodNotAllowed,
        format!(
            "`{}` does not take {}.",
            request.uri().path(),
            request.method()
        ),
    ))
}
