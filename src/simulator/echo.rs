//! Every path that no API claims answers with the request itself, the way httpbin does.
//!
//! A body of any size is read as it comes and hashed; only a small one is sent back whole.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{StatusCode, header, request::Parts};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{playback::Prepared, record::hex};

/// A larger body is answered by size and hash alone.
const ECHOED_BYTES_MAX: usize = 64 * 1024;

/// Reads the body to its end and writes the answer.
///
/// # Errors
/// The connection's, when the body breaks off.
pub async fn answer(
    parts: &Parts,
    body: Incoming,
    peer: SocketAddr,
) -> Result<Prepared, hyper::Error> {
    let body = Body::read(body).await?;
    let host = parts
        .headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .or_else(|| parts.uri.authority().map(|authority| authority.as_str()))
        .unwrap_or_default();
    let path_and_query = parts
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let echo = json!({
        "method": parts.method.as_str(),
        "path": parts.uri.path(),
        "args": args(parts.uri.query().unwrap_or_default()),
        "headers": headers(parts),
        "origin": peer.ip().to_string(),
        "url": format!("http://{host}{path_and_query}"),
        "body": body.text(),
        "body_bytes": body.size_bytes,
        "body_sha256": hex(body.sha256),
    });
    Ok(Prepared::json(StatusCode::OK, &echo))
}

struct Body {
    /// The start of it, empty once it is too long to be echoed.
    kept: Vec<u8>,
    size_bytes: u64,
    sha256: [u8; 32],
}

impl Body {
    async fn read(mut incoming: Incoming) -> Result<Self, hyper::Error> {
        let mut kept = Vec::new();
        let mut size_bytes = 0;
        let mut hash = Sha256::new();
        let mut echoed = true;
        while let Some(frame) = incoming.frame().await {
            let data: Bytes = frame?.into_data().unwrap_or_default();
            hash.update(&data);
            size_bytes += u64::try_from(data.len()).unwrap_or_default();
            echoed &= kept.len() + data.len() <= ECHOED_BYTES_MAX;
            if echoed {
                kept.extend_from_slice(&data);
            } else {
                kept = Vec::new();
            }
        }
        Ok(Self {
            kept,
            size_bytes,
            sha256: hash.finalize().into(),
        })
    }

    /// The body as text; `null` when it is long or no text.
    fn text(&self) -> Option<&str> {
        let whole = u64::try_from(self.kept.len()) == Ok(self.size_bytes);
        whole
            .then(|| std::str::from_utf8(&self.kept).ok())
            .flatten()
    }
}

fn headers(parts: &Parts) -> Map<String, Value> {
    let mut all = Map::new();
    for (name, value) in &parts.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        match all.get_mut(name.as_str()) {
            Some(Value::String(values)) => {
                values.push_str(", ");
                values.push_str(&value);
            }
            _ => {
                all.insert(name.as_str().to_owned(), value.into());
            }
        }
    }
    all
}

/// The query's parameters; one that comes more than once is a list.
fn args(query: &str) -> Map<String, Value> {
    let mut all: Map<String, Value> = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = Value::from(decode(value));
        match all.get_mut(&decode(name)) {
            Some(Value::Array(values)) => values.push(value),
            Some(single) => *single = Value::Array(vec![single.take(), value]),
            None => {
                all.insert(decode(name), value);
            }
        }
    }
    all
}

/// Undoes percent-encoding; a broken escape stays as it is.
pub fn decode(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let [first, rest @ ..] = bytes {
        let escaped = match rest {
            [high, low, ..] if *first == b'%' => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                decoded.push(high << 4 | low);
                bytes = &rest[2..];
            }
            None => {
                decoded.push(if *first == b'+' { b' ' } else { *first });
                bytes = rest;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}
