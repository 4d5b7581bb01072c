//! Answers that the gateway writes itself: JSON, plain text, and [`RequestError`] in the envelope of the client's library.
//!
//! A body that was not read ends the connection after the answer (HTTP/1.1), so that 100 MiB without a key are refused
//! and not drained. Nothing is written twice: once an answer has begun, its own writer reports what goes wrong.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use pingora::{http::ResponseHeader, proxy::Session};
use serde::Serialize;

use crate::ai::dialects::error_body;
use crate::error::{ErrorKind, RequestError};
use crate::routes::{self, Surface};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What Anthropic's libraries read in its place.
pub(super) const ANTHROPIC_REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
pub(super) const TRACE_ID: HeaderName = HeaderName::from_static("x-trace-id");
/// What `allow` says where no built-in endpoint knows better, as for TRACE.
const METHODS_SERVED: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// What every answer says about its request.
#[derive(Debug, Clone, Copy)]
pub struct ResponseMeta<'a> {
    pub request_id: &'a str,
    pub trace_id: &'a str,
    /// Whose envelope an error comes in.
    pub surface: Surface,
    /// Further headers, such as `x-ratelimit-*`.
    pub headers: &'a [(HeaderName, HeaderValue)],
}

/// A complete answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub content_type: HeaderValue,
    pub body: Bytes,
}

impl Answer {
    /// `body` as JSON; the wire types always serialise, so a failure is a fault of ours and is answered as one.
    pub fn json(status: StatusCode, body: &impl Serialize) -> Self {
        let (status, body) = match serde_json::to_vec(body) {
            Ok(json) => (status, json.into()),
            Err(error) => {
                tracing::error!(%error, "an answer could not be written as JSON");
                (StatusCode::INTERNAL_SERVER_ERROR, Bytes::from_static(b"{}"))
            }
        };
        Self {
            status,
            content_type: JSON,
            body,
        }
    }

    /// A body that is JSON already.
    pub fn json_bytes(status: StatusCode, body: Bytes) -> Self {
        Self {
            status,
            content_type: JSON,
            body,
        }
    }

    pub fn text(status: StatusCode, body: &'static str) -> Self {
        Self {
            status,
            content_type: HeaderValue::from_static("text/plain; charset=utf-8"),
            body: Bytes::from_static(body.as_bytes()),
        }
    }
}

/// Writes `error` in its envelope. Does nothing when an answer has begun already, or when nobody is left to read it.
///
/// # Errors
/// Pingora's, when the client cannot be written to.
pub async fn write_error(
    session: &mut Session,
    error: &RequestError,
    meta: &ResponseMeta<'_>,
) -> pingora::Result<()> {
    if error.kind == ErrorKind::ClientClosedRequest || has_begun(session) {
        return Ok(());
    }
    let body = error_body(meta.surface, error, meta.request_id);
    let answer = Answer::json(status(error), &body);
    let mut headers: Vec<_> = meta.headers.to_vec();
    headers.extend(retry_headers(error));
    if error.kind == ErrorKind::MethodNotAllowed {
        headers.push((header::ALLOW, allow(session)));
    }
    let headers = &headers;
    write(session, answer, &ResponseMeta { headers, ..*meta }).await
}

/// Writes `body` as JSON.
///
/// # Errors
/// Pingora's, when the client cannot be written to.
pub async fn write_json(
    session: &mut Session,
    status: StatusCode,
    body: &impl Serialize,
    meta: &ResponseMeta<'_>,
) -> pingora::Result<()> {
    write(session, Answer::json(status, body), meta).await
}

/// Writes a complete answer; to HEAD, its headers alone.
///
/// # Errors
/// Pingora's, when the client cannot be written to.
pub async fn write(
    session: &mut Session,
    answer: Answer,
    meta: &ResponseMeta<'_>,
) -> pingora::Result<()> {
    if !session.as_downstream_mut().is_body_done() {
        session.set_keepalive(None);
    }
    let mut response = ResponseHeader::build_no_case(answer.status, Some(8 + meta.headers.len()))?;
    response.insert_header(header::CONTENT_TYPE, answer.content_type)?;
    response.insert_header(header::CONTENT_LENGTH, answer.body.len())?;
    if !meta.request_id.is_empty() {
        response.insert_header(REQUEST_ID, meta.request_id)?;
        if meta.surface == Surface::Anthropic {
            response.insert_header(ANTHROPIC_REQUEST_ID, meta.request_id)?;
        }
    }
    if !meta.trace_id.is_empty() {
        response.insert_header(TRACE_ID, meta.trace_id)?;
    }
    for (name, value) in meta.headers {
        response.insert_header(name.clone(), value.clone())?;
    }
    let without_body = session.req_header().method == http::Method::HEAD || answer.body.is_empty();
    session
        .write_response_header(Box::new(response), without_body)
        .await?;
    let body = (!without_body).then_some(answer.body);
    session.write_response_body(body, true).await
}

/// A whole HTTP/1.1 answer as bytes, for refusals that happen below HTTP, where no request id exists.
pub(super) fn http1_answer(error: &RequestError) -> Bytes {
    use std::fmt::Write;

    let status = status(error);
    let body = serde_json::to_string(&error.openai_body("")).unwrap_or_default();
    let mut answer = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n");
    for (name, value) in retry_headers(error) {
        // Written to a string, which does not fail; the values are our own ASCII.
        write!(answer, "{name}: {}\r\n", value.to_str().unwrap_or_default()).unwrap_or_default();
    }
    write!(
        answer,
        "content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
    .unwrap_or_default();
    answer.into()
}

fn has_begun(session: &Session) -> bool {
    status_sent(session).is_some()
}

/// The status of the answer, once that has begun.
pub(super) fn status_sent(session: &Session) -> Option<StatusCode> {
    let status = session.response_written()?.status;
    let announces = status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS;
    (!announces).then_some(status)
}

fn status(error: &RequestError) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_GATEWAY)
}

/// `retry-after` where a wait is known, `x-should-retry` on the statuses that client libraries retry by themselves.
fn retry_headers(error: &RequestError) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let retried = matches!(error.status(), 408 | 409 | 429 | 500..);
    let should_retry = retried.then(|| {
        let answer = if error.retry_can_help() {
            "true"
        } else {
            "false"
        };
        (SHOULD_RETRY, HeaderValue::from_static(answer))
    });
    let wait_ms = error
        .retry_after
        .map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    // Rounded up: a client that comes a moment early is refused again.
    let seconds = wait_ms.map(|ms| (header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000))));
    let millis = wait_ms.map(|ms| (RETRY_AFTER_MS, HeaderValue::from(ms)));
    [should_retry, seconds, millis].into_iter().flatten()
}

fn allow(session: &Session) -> HeaderValue {
    let path = routes::path::normalise(session.req_header().uri.path());
    let own = path.ok().and_then(|path| routes::allow_for(&path));
    HeaderValue::from_static(own.unwrap_or(METHODS_SERVED))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const META: ResponseMeta<'static> = ResponseMeta {
        request_id: "id-1",
        trace_id: "trace-1",
        surface: Surface::OpenAi,
        headers: &[],
    };

    /// Sends `request`, answers `error`, and gives what the client sees and whether the connection stays open.
    async fn answered(request: &str, error: &RequestError) -> (String, bool) {
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        client.write_all(request.as_bytes()).await.unwrap();
        let mut session = Session::new_h1(Box::new(server));
        session.as_downstream_mut().read_request().await.unwrap();
        write_error(&mut session, error, &META).await.unwrap();
        let stays_open = session.get_keepalive().is_some();
        drop(session);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        (answer, stays_open)
    }

    #[tokio::test]
    async fn an_error_carries_its_envelope_and_all_its_headers() {
        let error = RequestError::new(ErrorKind::RateLimitExceeded, "Wait a little.")
            .with_retry_after(Duration::from_millis(1500));
        let (answer, stays_open) =
            answered("GET /v1/models HTTP/1.1\r\nHost: h\r\n\r\n", &error).await;
        assert!(stays_open, "nothing was left unread");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let head = head.to_lowercase();
        assert!(head.starts_with("http/1.1 429"), "{head}");
        for line in [
            "content-type: application/json",
            &format!("content-length: {}", body.len()),
            "retry-after: 2",
            "retry-after-ms: 1500",
            "x-should-retry: true",
            "x-request-id: id-1",
            "x-trace-id: trace-1",
        ] {
            assert!(
                head.lines().any(|own| own == line),
                "{line} is not in {head}"
            );
        }
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["code"], "rate_limit_exceeded");
        assert_eq!(body["error"]["request_id"], "id-1");
    }

    #[tokio::test]
    async fn a_body_that_was_not_read_ends_the_connection() {
        let error = RequestError::new(ErrorKind::MissingApiKey, "Send a key.");
        let request = "POST /v1/responses HTTP/1.1\r\nHost: h\r\nContent-Length: 104857600\r\n\r\n";
        let (answer, stays_open) = answered(request, &error).await;
        assert!(!stays_open);
        assert!(
            answer.to_lowercase().contains("connection: close"),
            "{answer}"
        );
        assert!(
            !answer.contains("should-retry"),
            "no client retries a 401 by itself"
        );
    }

    #[tokio::test]
    async fn a_405_names_the_methods_and_head_gets_no_body() {
        let error = RequestError::new(ErrorKind::MethodNotAllowed, "Send POST.");
        let (answer, _) = answered("HEAD /v1/responses HTTP/1.1\r\nHost: h\r\n\r\n", &error).await;
        assert!(
            answer.to_lowercase().contains("allow: post\r\n"),
            "{answer}"
        );
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        let (answer, _) = answered("TRACE /x HTTP/1.1\r\nHost: h\r\n\r\n", &error).await;
        assert!(answer.contains(METHODS_SERVED), "{answer}");
    }

    #[tokio::test]
    async fn an_error_after_the_answer_has_begun_adds_nothing() {
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            .await
            .unwrap();
        let mut session = Session::new_h1(Box::new(server));
        session.as_downstream_mut().read_request().await.unwrap();
        write(&mut session, Answer::text(StatusCode::OK, "ok"), &META)
            .await
            .unwrap();
        let error = RequestError::new(ErrorKind::InternalError, "Too late.");
        write_error(&mut session, &error, &META).await.unwrap();
        drop(session);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    }

    #[test]
    fn an_answer_below_http_is_complete() {
        let error = RequestError::new(ErrorKind::TooManyConnections, "Too many.");
        let answer = String::from_utf8(http1_answer(&error).to_vec()).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
            "{head}"
        );
        assert!(head.contains(&format!("content-length: {}", body.len())));
        assert!(head.contains("x-should-retry: true"));
        assert!(body.contains("too_many_connections"));
    }
}
