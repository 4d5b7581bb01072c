//! The endpoints, one line each.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Deserialize;
use serde_json::json;

use super::{
    Authority, CallerToken,
    respond::{self, Failure},
    wire::{
        AUTHORIZE_PATH, AuthorizeRequest, Decision, RESOLVE_PATH, ResolveRequest, ResolvedKey,
        TenantList,
    },
};
use crate::clock::Clock;

/// Both questions fit many times over.
const BODY_BYTES_MAX: usize = 64 << 10;
const BODY_TIME_MAX: Duration = Duration::from_secs(10);

/// What the endpoints answer from.
#[derive(Debug)]
pub struct AuthServer {
    authority: ArcSwap<Authority>,
    token: Option<CallerToken>,
    clock: Clock,
}

impl AuthServer {
    /// Without a token everybody who can connect may ask.
    pub fn new(authority: Authority, token: Option<CallerToken>, clock: Clock) -> Self {
        Self {
            authority: ArcSwap::from_pointee(authority),
            token,
            clock,
        }
    }

    /// What is asked from now on is answered from `authority`.
    pub fn replace(&self, authority: Authority) {
        self.authority.store(Arc::new(authority));
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }
}

/// The service over HTTP.
#[rustfmt::skip]
pub fn router(server: Arc<AuthServer>) -> Router {
    let protected = Router::new()
        .route("/v1/tenants",  get(tenants))
        .route(RESOLVE_PATH,   post(resolve))
        .route(AUTHORIZE_PATH, post(authorize))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&server), require_token));
    Router::new()
        .route("/healthz",     get(health))
        .route("/v1/healthz",  get(health))
        .merge(protected)
        .fallback(no_such_endpoint)
        .method_not_allowed_fallback(no_such_method)
        .layer(middleware::from_fn_with_state(Arc::clone(&server), respond::finish))
        .with_state(server)
}

async fn health() -> Response {
    Json(json!({"service": "ferrogate-auth", "status": "ok"})).into_response()
}

async fn tenants(State(server): State<Arc<AuthServer>>) -> Json<TenantList> {
    Json(server.authority.load().tenants())
}

async fn resolve(
    State(server): State<Arc<AuthServer>>,
    body: Body,
) -> Result<Json<ResolvedKey>, Failure> {
    let body = read_body(body).await?;
    let request: ResolveRequest<'_> = parse(&body)?;
    let found = server.authority.load().resolve(&request.presented_key);
    found.map(Json).ok_or_else(Failure::unknown_key)
}

async fn authorize(
    State(server): State<Arc<AuthServer>>,
    body: Body,
) -> Result<Json<Decision>, Failure> {
    let body = read_body(body).await?;
    let request: AuthorizeRequest = parse(&body)?;
    let decision = server.authority.load().authorize(request);
    tracing::debug!(
        allowed = decision.allowed,
        reason = %decision.reason,
        "a question was decided"
    );
    Ok(Json(decision))
}

async fn require_token(
    State(server): State<Arc<AuthServer>>,
    request: Request,
    next: Next,
) -> Response {
    match &server.token {
        Some(token) if !token.is_in(request.headers()) => Failure::unknown_caller().into_response(),
        _ => next.run(request).await,
    }
}

async fn no_such_endpoint(request: Request) -> Failure {
    Failure::not_found(request.uri().path())
}

async fn no_such_method(request: Request) -> Failure {
    Failure::method_not_allowed(&request)
}

async fn read_body(body: Body) -> Result<Bytes, Failure> {
    let reading = Limited::new(body, BODY_BYTES_MAX).collect();
    let read = tokio::time::timeout(BODY_TIME_MAX, reading)
        .await
        .map_err(|_| Failure::too_slow())?;
    read.map(http_body_util::Collected::to_bytes)
        .map_err(|error| {
            if error.is::<LengthLimitError>() {
                Failure::too_large(BODY_BYTES_MAX)
            } else {
                Failure::body_broken()
            }
        })
}

fn parse<'b, T: Deserialize<'b>>(body: &'b Bytes) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure::invalid_json(&error))
}
