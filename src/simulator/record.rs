//! One of the last calls, as `GET /sim/calls` shows it: what came in, without its secrets, and how it ended.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use bytes::Bytes;
use http::{HeaderMap, Method, header, request::Parts};
use serde_json::{Map, Value, json};

use super::{
    credentials::{last_four, presented},
    playback::Prepared,
    route::Route,
    stats::Outcome,
};

/// A kept body is cut off here.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// A call and how it stands.
#[derive(Debug)]
pub struct Record {
    number: u64,
    seen: Seen,
    outcome: AtomicU8,
}

/// What the simulator saw of a request.
#[derive(Debug)]
pub struct Seen {
    method: Method,
    path: String,
    query: Option<String>,
    headers: HeaderMap,
    /// What it was recognized as; `None` for a path that no API claims.
    route: Option<Route>,
    model: Option<Arc<str>>,
    stream: bool,
    /// Absent where the body was still arriving when the call began.
    body_sha256: Option<[u8; 32]>,
    /// Absent unless bodies are kept.
    body: Option<Bytes>,
}

impl Seen {
    pub fn of(parts: Parts, route: Option<Route>) -> Self {
        Self {
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(without_key),
            method: parts.method,
            headers: parts.headers,
            route,
            model: None,
            stream: false,
            body_sha256: None,
            body: None,
        }
    }

    /// With what its body was understood to ask.
    #[must_use]
    pub fn asking(mut self, prepared: &Prepared) -> Self {
        self.model.clone_from(&prepared.model);
        self.stream = prepared.stream;
        self.body_sha256 = Some(prepared.body_sha256);
        self
    }

    /// Keeps the body too, up to a bound.
    pub fn keep_body(&mut self, body: &Bytes) {
        let kept = body.len().min(BODY_BYTES_MAX);
        // A copy: a slice would keep the whole read buffer of its connection alive.
        self.body = Some(Bytes::copy_from_slice(&body[..kept]));
    }
}

impl Record {
    pub fn new(number: u64, seen: Seen) -> Self {
        Self {
            number,
            seen,
            outcome: AtomicU8::new(Outcome::InFlight as u8),
        }
    }

    pub fn end(&self, outcome: Outcome) {
        self.outcome.store(outcome as u8, Ordering::Relaxed);
    }

    pub fn report(&self) -> Value {
        let outcome = Outcome::ALL[usize::from(self.outcome.load(Ordering::Relaxed))];
        let seen = &self.seen;
        let credential = presented(&seen.headers)
            .map(|(header, secret)| json!({"header": header, "last_four": last_four(secret)}));
        let route = seen.route.as_ref();
        json!({
            "number": self.number,
            "method": seen.method.as_str(),
            "path": seen.path,
            "query": seen.query,
            "dialect": route.map(|route| route.endpoint.dialect()),
            "surface": route.map(|route| route.surface.name()),
            "credential": credential,
            "model": seen.model,
            "stream": seen.stream,
            "headers": headers(&seen.headers),
            "body_sha256": seen.body_sha256.map(hex),
            "body": seen.body.as_deref().map(body),
            "outcome": outcome.name(),
        })
    }
}

/// The body as JSON, or as text where it is none or was cut off.
fn body(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(bytes).into_owned()))
}

fn headers(headers: &HeaderMap) -> Map<String, Value> {
    let shown = headers.iter().map(|(name, value)| {
        let text = String::from_utf8_lossy(value.as_bytes());
        let secret = matches!(*name, header::AUTHORIZATION | header::PROXY_AUTHORIZATION)
            || matches!(name.as_str(), "x-api-key" | "api-key" | "x-goog-api-key");
        let shown = if secret {
            format!("…{}", last_four(&text))
        } else {
            text.into_owned()
        };
        (name.as_str().to_owned(), Value::from(shown))
    });
    shown.collect()
}

/// The query without the key that some clients put into it.
fn without_key(query: &str) -> String {
    let shown = query.split('&').map(|pair| match pair.split_once('=') {
        Some(("key", secret)) => format!("key=…{}", last_four(secret)),
        _ => pair.to_owned(),
    });
    shown.collect::<Vec<_>>().join("&")
}

/// Lower-case hexadecimal.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    use std::fmt::Write;
    let bytes = bytes.as_ref();
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("a string takes any text");
            text
        })
}
