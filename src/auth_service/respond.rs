//! How answers leave: an id on each, one shape for every error, and no copy in any cache.

use std::{borrow::Cow, sync::Arc};

use axum::{
    Json,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::{
    AuthServer,
    wire::{ErrorBody, ErrorDetail, codes},
};
use crate::ids::RequestId;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a handler gives instead of an answer. [`finish`] writes it, because only there the request's id is known.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
}

impl Failure {
    fn new(status: StatusCode, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }

    pub(super) fn unknown_key() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            codes::INVALID_API_KEY,
            "Nobody who may be let in has this key.",
        )
    }

    pub(super) fn unknown_caller() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            codes::INVALID_CALLER_TOKEN,
            "Present this service's own token as `Authorization: Bearer …`; see --token-env and --token-file.",
        )
    }

    pub(super) fn invalid_json(error: &serde_json::Error) -> Self {
        // What serde says of the values could quote a key, so only the place is told.
        let message = format!(
            "The body is not the JSON object this endpoint takes: see line {}, column {}.",
            error.line(),
            error.column()
        );
        Self::new(StatusCode::BAD_REQUEST, "invalid_json", message)
    }

    pub(super) fn too_large(max_bytes: usize) -> Self {
        let message = format!("The body is over {max_bytes} bytes.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message)
    }

    pub(super) fn too_slow() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "request_timeout",
            "The body did not arrive in time.",
        )
    }

    pub(super) fn body_broken() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "The body broke off.",
        )
    }

    pub(super) fn not_found(path: &str) -> Self {
        let message = format!("There is no endpoint `{path}`.");
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(super) fn method_not_allowed(request: &Request) -> Self {
        let message = format!(
            "`{}` does not take {}.",
            request.uri().path(),
            request.method()
        );
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            message,
        )
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The outermost layer.
pub(super) async fn finish(
    State(server): State<Arc<AuthServer>>,
    request: Request,
    next: Next,
) -> Response {
    let id = RequestId::new(server.clock()).to_string();
    let mut response = next.run(request).await;
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        response = envelope(failure, &id, response.headers().get(header::ALLOW));
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert(X_REQUEST_ID, id);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn envelope(failure: Failure, id: &str, allow: Option<&HeaderValue>) -> Response {
    let status = failure.status;
    let asks_for_token = failure.code == codes::INVALID_CALLER_TOKEN;
    let body = ErrorBody {
        error: ErrorDetail {
            code: failure.code.into(),
            message: failure.message.into_owned(),
            request_id: id.to_owned(),
        },
    };
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    if let Some(allow) = allow {
        headers.insert(header::ALLOW, allow.clone());
    }
    if asks_for_token {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
