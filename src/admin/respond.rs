//! How answers leave: an id on each, an envelope around each error, what keeps browsers from misusing it, and no copy in
//! any cache.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};

use super::{preconditions, security_headers};
use crate::error::{ErrorKind, RequestError};
use crate::gateway::Gateway;
use crate::ids::RequestId;
use crate::store::StoreError;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// What a handler gives instead of an answer. [`finish`] makes it one, because only there the request's id is known.
#[derive(Debug)]
pub(super) struct Failure(pub(super) RequestError);

impl From<RequestError> for Failure {
    fn from(error: RequestError) -> Self {
        Self(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::InvalidCursor) {
            return Self(invalid(
                "cursor",
                "must be the `next_cursor` of a page of this list",
            ));
        }
        let error: &dyn std::error::Error = &error;
        tracing::error!(error, "the admin API could not read the database");
        Self(RequestError::new(
            ErrorKind::InternalError,
            "The database could not be read; the gateway's log says why.",
        ))
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(Arc::new(self.0));
        response
    }
}

/// A parameter that is wrong, and what it has to be.
pub(super) fn invalid(param: &str, must: &str) -> RequestError {
    RequestError::new(ErrorKind::InvalidRequest, format!("`{param}` {must}."))
        .with_param(param.to_owned())
}

/// Nothing has this id.
pub(super) fn not_found(what: &str, id: &str) -> Failure {
    Failure(RequestError::new(
        ErrorKind::ResourceNotFound,
        format!("There is no {what} `{id}`."),
    ))
}

/// The outermost layer. A listener that gave the request an id already has put it into its extensions.
pub(super) async fn finish(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
    next: Next,
) -> Response {
    let id = request
        .extensions()
        .get::<RequestId>()
        .copied()
        .unwrap_or_else(|| RequestId::new(&gateway.clock))
        .to_string();
    let is_look = matches!(*request.method(), Method::GET | Method::HEAD);
    let conditions = is_look.then(|| conditions_of(request.headers()));
    let mut response = next.run(request).await;
    if let Some(error) = response.extensions_mut().remove::<Arc<RequestError>>() {
        response = envelope(&error, &id, response.headers().get(header::ALLOW));
    } else if let Some(conditions) = conditions {
        response = unless_known(response, &conditions);
    }
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::try_from(id) {
        headers.insert(X_REQUEST_ID, id);
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    security_headers::add(headers);
    response
}

/// Of a request, what says which state its client has.
fn conditions_of(headers: &HeaderMap) -> HeaderMap {
    let given = headers.get_all(header::IF_NONE_MATCH).iter();
    given
        .map(|value| (header::IF_NONE_MATCH, value.clone()))
        .collect()
}

/// 304 in place of what the client has already.
fn unless_known(response: Response, conditions: &HeaderMap) -> Response {
    let tag = response.headers().get(header::ETAG).cloned();
    let Some(tag) = tag.filter(|_| response.status() == StatusCode::OK) else {
        return response;
    };
    let known = tag
        .to_str()
        .is_ok_and(|tag| preconditions::has_already(conditions, tag));
    match known {
        true => (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response(),
        false => response,
    }
}

fn envelope(error: &RequestError, id: &str, allow: Option<&HeaderValue>) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, Json(error.openai_body(id))).into_response();
    if let Some(allow) = allow {
        response.headers_mut().insert(header::ALLOW, allow.clone());
    }
    if let Some(wait) = error.retry_after {
        let headers = response.headers_mut();
        // Rounded up: a client that comes a moment early is refused again.
        let secs = wait.as_millis().div_ceil(1000);
        headers.insert(header::RETRY_AFTER, decimal(secs));
        headers.insert(RETRY_AFTER_MS, decimal(wait.as_millis()));
    }
    if status == StatusCode::UNAUTHORIZED {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn decimal(number: u128) -> HeaderValue {
    HeaderValue::from(u64::try_from(number).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_left_out_for_whoever_has_it() {
        let check = |known: &'static str, status: StatusCode| {
            let conditions =
                HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(known))]);
            let answer = ([(header::ETAG, "\"3-1a\"")], "a").into_response();
            let answer = unless_known(answer, &conditions);
            assert_eq!(answer.status(), status, "{known}");
            assert_eq!(answer.headers()[header::ETAG], "\"3-1a\"");
        };
        check("\"3-1a\"", StatusCode::NOT_MODIFIED);
        check("\"2-1a\"", StatusCode::OK);
    }

    #[test]
    fn what_was_not_found_or_has_no_tag_is_never_left_out() {
        let conditions =
            HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static("*"))]);
        let check = |answer: Response| {
            let status = answer.status();
            assert_eq!(unless_known(answer, &conditions).status(), status);
        };
        check("a".into_response());
        check((StatusCode::NOT_FOUND, [(header::ETAG, "\"3-1a\"")]).into_response());
    }
}
