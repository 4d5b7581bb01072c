//! `Idempotency-Key`: a write that is sent twice is done once.
//!
//! 1. What a key stands for is noted before the write runs, with a fingerprint of method, path, query and body, and the
//!    answer after it ([`crate::store`] keeps both). The same request with the same key is answered with that, and
//!    `idempotency-replayed: true`; another request with it is refused.
//! 2. Keys belong to their caller: nobody is answered with what somebody else was told.
//! 3. A write that was refused changed nothing, and is not remembered: it may be repeated with the same key.
//! 4. A secret that is told once is not written to the disk. For as long as the process lives a repetition is told it
//!    again, from memory; after that it is `null`, and the key has to be rotated.
//! 5. When the process ended in the middle nobody knows whether the write was made, and that is what a repetition is
//!    told.
//!
//! All of it happens in the task that goes on when the client leaves, so that no key stays in progress because somebody
//! hung up.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use serde_json::Value;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{
    auth::Layers,
    body::Bounded,
    caller::Caller,
    respond::{Failure, invalid},
};
use crate::clock::millis;
use crate::config;
use crate::error::{ErrorKind, RequestError};
use crate::gateway::Gateway;
use crate::store::{Begun, IdempotentAnswer, IdempotentBegin, StoreError};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const KEY_CHARS_MAX: usize = 255;
/// The member of an answer that is told once.
const SECRET: &str = "secret";
const SOON: Duration = Duration::from_secs(1);

/// Whose key it is, and the key.
type Name = (String, String);

/// The answers that told a secret.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<HashMap<Name, Whole>>);

#[derive(Debug)]
struct Whole {
    at_unix_ms: i64,
    body: Zeroizing<Vec<u8>>,
}

/// Runs a write, or answers as it was answered before.
pub(super) async fn once(
    layers: Arc<Layers>,
    caller: Caller,
    request: Request,
    next: Next,
) -> Response {
    // What changes nothing may be repeated as it is, and its answer is on no disk.
    if request.method().is_safe() {
        return next.run(request).await;
    }
    match key_of(request.headers()) {
        Ok(None) => next.run(request).await,
        Ok(Some(key)) => {
            let name = (caller.to_string(), key);
            let answered = run_once(&layers, name, request, next).await;
            answered.unwrap_or_else(|failure| failure.into_response())
        }
        Err(error) => Failure(error).into_response(),
    }
}

async fn run_once(
    layers: &Layers,
    name: Name,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let gateway = &*layers.gateway;
    let (parts, body) = request.into_parts();
    let Bounded(body) = Bounded::read(body, gateway).await?;
    let begin = begin(gateway, &name, fingerprint(&parts, &body));
    match gateway.store.begin_idempotent(begin).await {
        // What is remembered under this name is of a request that the database has forgotten.
        Ok(Begun::Fresh) => layers.answers.forget(&name),
        Ok(Begun::Done(answer)) => return Ok(replay(layers.answers.completed(&name, answer))),
        Ok(refused) => return Err(Failure(not_again(&refused))),
        Err(error) => return Err(Failure(not_noted(&error))),
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    Ok(note(layers, name, response).await)
}

/// Keeps the answer, and gives it back.
async fn note(layers: &Layers, (caller, key): Name, response: Response) -> Response {
    let gateway = &*layers.gateway;
    let is_error = response.extensions().get::<Arc<RequestError>>().is_some();
    if is_error || !response.status().is_success() {
        log_failure(gateway.store.drop_idempotent(caller, key).await);
        return response;
    }
    let (parts, body) = response.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => {
            tracing::error!(%error, "an answer of the admin API broke off");
            return Failure(RequestError::new(
                ErrorKind::InternalError,
                "The change was made, but its answer broke off. Read what there is now.",
            ))
            .into_response();
        }
    };
    let (kept, had_secret) = without_secret(&body);
    if had_secret {
        let whole = Whole {
            at_unix_ms: gateway.clock.unix_ms(),
            body: Zeroizing::new(body.to_vec()),
        };
        let bounds = &gateway.snapshot().config.admin;
        layers
            .answers
            .keep((caller.clone(), key.clone()), whole, bounds);
    }
    let tag = parts.headers.get(header::ETAG);
    let answer = IdempotentAnswer {
        status: parts.status.as_u16(),
        etag: tag.and_then(|tag| Some(tag.to_str().ok()?.to_owned())),
        body: kept,
    };
    log_failure(gateway.store.end_idempotent(caller, key, answer).await);
    Response::from_parts(parts, Body::from(body))
}

impl Answers {
    fn keep(&self, name: Name, whole: Whole, bounds: &config::Admin) {
        let mut answers = self.0.lock();
        let oldest = oldest_kept(whole.at_unix_ms, bounds.idempotency_retention);
        answers.retain(|_, one| one.at_unix_ms >= oldest);
        let max = usize::try_from(bounds.idempotency_keys_max).unwrap_or(usize::MAX);
        while answers.len() >= max {
            let first = answers.iter().min_by_key(|(_, one)| one.at_unix_ms);
            let Some(name) = first.map(|(name, _)| name.clone()) else {
                break;
            };
            answers.remove(&name);
        }
        answers.insert(name, whole);
    }

    fn forget(&self, name: &Name) {
        self.0.lock().remove(name);
    }

    /// With the secret that the disk does not have, as long as it is known.
    fn completed(&self, name: &Name, answer: IdempotentAnswer) -> IdempotentAnswer {
        let answers = self.0.lock();
        match answers.get(name) {
            Some(whole) => IdempotentAnswer {
                body: whole.body.to_vec(),
                ..answer
            },
            None => answer,
        }
    }
}

fn begin(gateway: &Gateway, (caller, key): &Name, fingerprint: [u8; 32]) -> IdempotentBegin {
    let now = gateway.clock.unix_ms();
    let bounds = &gateway.snapshot().config.admin;
    IdempotentBegin {
        caller: caller.clone(),
        key: key.clone(),
        fingerprint,
        now_unix_ms: now,
        forget_before_unix_ms: oldest_kept(now, bounds.idempotency_retention),
        keep_max: bounds.idempotency_keys_max,
    }
}

fn oldest_kept(now_unix_ms: i64, retention: Duration) -> i64 {
    let retention_ms = millis(retention);
    now_unix_ms.saturating_sub(retention_ms)
}

/// Everything that tells one request from another, each with its length before it.
fn fingerprint(parts: &Parts, body: &Bytes) -> [u8; 32] {
    let mut hash = Sha256::new();
    let query = parts.uri.query().unwrap_or_default();
    for piece in [
        parts.method.as_str().as_bytes(),
        parts.uri.path().as_bytes(),
        query.as_bytes(),
        body,
    ] {
        let length = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        hash.update(length.to_be_bytes());
        hash.update(piece);
    }
    hash.finalize().into()
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, RequestError> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(key) = given.next() else {
        return Ok(None);
    };
    if given.next().is_some() {
        return Err(invalid("idempotency-key", "is given twice"));
    }
    let key = key.to_str().ok().filter(|key| {
        (1..=KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    });
    key.map(|key| Some(key.to_owned())).ok_or_else(|| {
        let must = format!("must be 1 to {KEY_CHARS_MAX} visible ASCII characters");
        invalid("idempotency-key", &must)
    })
}

/// What the disk may have of an answer, and whether something was left out.
fn without_secret(body: &Bytes) -> (Vec<u8>, bool) {
    let read: Option<Value> = serde_json::from_slice(body).ok();
    let Some(Value::Object(mut members)) = read else {
        return (body.to_vec(), false);
    };
    match members.get_mut(SECRET) {
        Some(secret) if secret.is_string() => {
            *secret = Value::Null;
            (Value::Object(members).to_string().into_bytes(), true)
        }
        Some(_) | None => (body.to_vec(), false),
    }
}

fn replay(answer: IdempotentAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, Body::from(answer.body)).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    if let Some(tag) = answer.etag.and_then(|tag| HeaderValue::try_from(tag).ok()) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// Why a request with a known key is neither run nor answered as the first one was.
fn not_again(known: &Begun) -> RequestError {
    match known {
        Begun::OtherRequest => RequestError::new(
            ErrorKind::IdempotencyKeyReused,
            "This `Idempotency-Key` came with another request before. Use a new key for each request.",
        ),
        Begun::Unknown => RequestError::new(
            ErrorKind::IdempotencyOutcomeUnknown,
            "The gateway ended while the first request with this `Idempotency-Key` was running. Look whether it was \
             done, then use a new key.",
        ),
        Begun::InProgress | Begun::Fresh | Begun::Done(_) => RequestError::new(
            ErrorKind::IdempotencyInProgress,
            "The first request with this `Idempotency-Key` is still running. Repeat it a moment later.",
        )
        .with_retry_after(SOON),
    }
}

fn not_noted(error: &StoreError) -> RequestError {
    let error: &dyn std::error::Error = error;
    tracing::error!(error, "an idempotency key could not be written");
    RequestError::new(
        ErrorKind::LedgerUnavailable,
        "The `Idempotency-Key` could not be written, and nothing was changed; the gateway's log says why.",
    )
}

/// The change is made, or refused, whatever becomes of the note about it.
fn log_failure(noted: Result<(), StoreError>) {
    if let Err(error) = noted {
        let error: &dyn std::error::Error = &error;
        tracing::error!(
            error,
            "the answer to an idempotency key could not be written"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_visible_ascii() {
        let check = |values: &[&[u8]], expected: Option<Option<&str>>| {
            let headers = values
                .iter()
                .map(|value| (IDEMPOTENCY_KEY, HeaderValue::from_bytes(value).unwrap()))
                .collect();
            let key = key_of(&headers).ok();
            let key = key.as_ref().map(|key| key.as_deref());
            assert_eq!(key, expected, "{values:?}");
        };
        check(&[], Some(None));
        check(&[b"a"], Some(Some("a")));
        check(&[b"\"a-b\""], Some(Some("\"a-b\"")));
        check(
            &[&[b'k'; KEY_CHARS_MAX]],
            Some(Some(&"k".repeat(KEY_CHARS_MAX))),
        );
        check(&[b""], None);
        check(&[b"a b"], None);
        check(&["é".as_bytes()], None);
        check(&[&[b'k'; KEY_CHARS_MAX + 1]], None);
        check(&[b"a", b"a"], None);
    }

    #[test]
    fn another_request_has_another_fingerprint() {
        let of = |method: &str, uri: &str, body: &'static str| {
            let request = http::Request::builder().method(method).uri(uri);
            let (parts, ()) = request.body(()).unwrap().into_parts();
            fingerprint(&parts, &Bytes::from_static(body.as_bytes()))
        };
        let one = of("POST", "/a?b=c", "d");
        assert_eq!(one, of("POST", "/a?b=c", "d"));
        for other in [
            of("PUT", "/a?b=c", "d"),
            of("POST", "/ab?=c", "d"),
            of("POST", "/a", "b=cd"),
            of("POST", "/a?b=c", "e"),
            of("POST", "/a?b=c", ""),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn the_disk_has_no_secret() {
        let check = |body: &str, kept: &str, had_secret| {
            let (stored, had) = without_secret(&Bytes::from(body.to_owned()));
            assert_eq!(
                (String::from_utf8(stored).unwrap().as_str(), had),
                (kept, had_secret)
            );
        };
        check(
            r#"{"id":"a","secret":"s3cret"}"#,
            r#"{"id":"a","secret":null}"#,
            true,
        );
        check(
            r#"{"id":"a","secret":null}"#,
            r#"{"id":"a","secret":null}"#,
            false,
        );
        check(r#"{"id": "a"}"#, r#"{"id": "a"}"#, false);
        check("[1]", "[1]", false);
        check("no JSON", "no JSON", false);
    }

    #[test]
    fn secrets_are_kept_for_a_while_and_a_number_of_them() {
        let text = "[admin]\nidempotency_keys_max = 2\nidempotency_retention_hours = 1";
        let bounds = config::parse(text, "test.toml", &|_| None)
            .unwrap()
            .config
            .admin;
        let answers = Answers::default();
        let name = |key: &str| ("caller".to_owned(), key.to_owned());
        let keep = |key: &str, at_unix_ms| {
            let body = Zeroizing::new(key.as_bytes().to_vec());
            answers.keep(name(key), Whole { at_unix_ms, body }, &bounds);
        };
        let knows = |key: &str| {
            let stored = IdempotentAnswer {
                status: 201,
                etag: None,
                body: Vec::new(),
            };
            answers.completed(&name(key), stored).body == key.as_bytes()
        };
        keep("a", 0);
        keep("b", 1);
        assert_eq!([knows("a"), knows("b")], [true, true]);
        keep("c", 2);
        assert_eq!([knows("a"), knows("b"), knows("c")], [false, true, true]);
        keep("d", 3_600_002);
        assert_eq!([knows("b"), knows("c"), knows("d")], [false, true, true]);
        let other = ("somebody else".to_owned(), "d".to_owned());
        let stored = IdempotentAnswer {
            status: 201,
            etag: None,
            body: Vec::new(),
        };
        assert_eq!(answers.completed(&other, stored.clone()), stored);
    }
}
