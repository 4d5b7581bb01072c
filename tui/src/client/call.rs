//! One call of the admin API, whatever it is: what is asked, and what was answered.
//!
//! 1. A write carries an `Idempotency-Key`, so that it can be sent again without being done twice.
//! 2. A call whose connection broke is sent once more, with the same key. One that could not be made at all is not:
//!    nothing was sent.
//! 3. Where the gateway is still at the first one, the second waits for what came of it.

use std::{fmt::Write as _, time::Duration};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use tokio::time::sleep;
use uuid::Uuid;

use crate::client::{ClientError, query, sanitise};

/// What the gateway answers to the second of two equal writes while it is at the first.
const IN_PROGRESS: &str = "idempotency_in_progress";
const IN_PROGRESS_REST: Duration = Duration::from_millis(250);
/// A write that takes longer than these asks is told to its caller.
const IN_PROGRESS_ASKS_MAX: u32 = 40;

/// What to ask. [`segment`] writes a name into `resource`.
#[derive(Debug, Clone)]
pub struct Call<'c> {
    pub method: Method,
    /// The path below `/admin/v1/`, percent-encoded.
    pub resource: &'c str,
    /// Names and values as they are; they are encoded on the way.
    pub query: &'c [(&'c str, &'c str)],
    pub body: Option<Value>,
    pub headers: &'c [(&'c str, &'c str)],
    /// Waits for as long as the gateway takes.
    pub patient: bool,
}

impl<'c> Call<'c> {
    /// A call without query, body and headers of its own.
    pub fn new(method: Method, resource: &'c str) -> Self {
        Self {
            method,
            resource,
            query: &[],
            body: None,
            headers: &[],
            patient: false,
        }
    }

    /// The path with its query, below `/admin/v1/`.
    pub(super) fn target(&self) -> String {
        let mut target = self.resource.to_owned();
        for (index, (name, value)) in self.query.iter().enumerate() {
            target.push(if index == 0 { '?' } else { '&' });
            query::percent_encode(name, &mut target);
            target.push('=');
            query::percent_encode(value, &mut target);
        }
        target
    }

    fn is_write(&self) -> bool {
        self.method != Method::GET && self.method != Method::HEAD
    }
}

/// What was answered, and with which success.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    /// What `If-Match` takes.
    pub etag: Option<String>,
    pub body: Body,
    raw: Bytes,
}

/// The content of an answer, safe to show: see [`sanitise`]. Line ends and tabs are left in it.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    Json(Value),
    Text(String),
}

impl Answer {
    /// The JSON of the answer; `null` where it was none.
    pub fn json(&self) -> &Value {
        match &self.body {
            Body::Json(value) => value,
            Body::Text(_) => &Value::Null,
        }
    }

    /// The bytes as they came, for a file. They are not safe to show.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The JSON as it came, indented. It is safe to show, and has lost nothing: what a terminal could be tricked with
    /// stands there as an escape.
    pub fn pretty(&self) -> String {
        let pretty = serde_json::from_slice::<Value>(&self.raw)
            .and_then(|value| serde_json::to_string_pretty(&value));
        match (pretty, &self.body) {
            (Ok(text), _) => escape(&text),
            (Err(_), Body::Json(value)) => value.to_string(),
            (Err(_), Body::Text(text)) => text.clone(),
        }
    }
}

/// Escapes in JSON text what [`sanitise::clean`] would replace. Such characters stand in its strings alone.
pub fn escape(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c == '\n' || !sanitise::is_unsafe(c) {
            text.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            write!(text, "\\u{unit:04x}").unwrap_or_default();
        }
    }
    text
}

/// A name as one segment of a path.
pub fn segment(name: &str) -> String {
    let mut text = String::new();
    // A segment of dots alone would be taken for a way up.
    if name.bytes().all(|byte| byte == b'.') {
        for _ in name.bytes() {
            text.push_str("%2E");
        }
        return text;
    }
    query::percent_encode(name, &mut text);
    text
}

/// A request of `call` before it has an address.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
}

impl Outgoing {
    pub(super) fn of(call: &Call<'_>) -> Result<Self, ClientError> {
        let mut headers = Vec::with_capacity(call.headers.len() + 1);
        if call.is_write() {
            let key = HeaderValue::try_from(Uuid::now_v7().to_string());
            headers.extend(key.map(|key| (HeaderName::from_static("idempotency-key"), key)));
        }
        for (name, value) in call.headers {
            let wrong = || ClientError::Header {
                name: (*name).to_owned(),
            };
            let header = HeaderName::try_from(*name).map_err(|_| wrong())?;
            // Text for people may be in any language: it travels as UTF-8.
            let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| wrong())?;
            headers.push((header, value));
        }
        let body = match &call.body {
            Some(body) => serde_json::to_vec(body)
                .map_err(|source| ClientError::Decode {
                    path: call.resource.to_owned(),
                    source,
                })?
                .into(),
            None => Bytes::new(),
        };
        Ok(Self {
            method: call.method.clone(),
            target: call.target(),
            headers,
            body,
        })
    }
}

/// Sends with `send`, and once more where the connection broke.
pub(super) async fn send_once_more<F: Future<Output = Result<Answer, ClientError>>>(
    send: impl Fn() -> F,
) -> Result<Answer, ClientError> {
    let broken = match send().await {
        Err(error) if error.is_broken_connection() => error,
        done => return done,
    };
    let mut again = send().await;
    for _ in 0..IN_PROGRESS_ASKS_MAX {
        match &again {
            Err(ClientError::Refused { detail, .. }) if detail.code == IN_PROGRESS => {
                sleep(IN_PROGRESS_REST).await;
                again = send().await;
            }
            _ => break,
        }
    }
    // Nobody there any more: what broke says more than that.
    match again {
        Err(ClientError::Unreachable { .. }) => Err(broken),
        done => done,
    }
}

pub(super) fn read(
    status: StatusCode,
    headers: &http::HeaderMap,
    raw: Bytes,
    resource: &str,
) -> Result<Answer, ClientError> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let is_json = text(header::CONTENT_TYPE).is_none_or(|kind| kind.contains("json"));
    let body = if is_json && !raw.is_empty() {
        let mut value: Value =
            serde_json::from_slice(&raw).map_err(|source| ClientError::Decode {
                path: resource.to_owned(),
                source,
            })?;
        sanitise::clean_lines_of(&mut value);
        Body::Json(value)
    } else {
        Body::Text(sanitise::clean_lines(&String::from_utf8_lossy(&raw)).into_owned())
    };
    Ok(Answer {
        status,
        etag: text(header::ETAG).map(str::to_owned),
        body,
        raw,
    })
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use ferrogate_api::ErrorDetail;
    use serde_json::json;

    use super::*;

    fn answer(raw: &str, kind: &'static str) -> Answer {
        let mut headers = http::HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        let raw = Bytes::copy_from_slice(raw.as_bytes());
        read(StatusCode::OK, &headers, raw, "x").unwrap()
    }

    #[test]
    fn names_and_values_are_encoded_into_the_target() {
        let resource = format!("policies/{}", segment("no chat / night"));
        let call = Call {
            query: &[("q", "a&b=c"), ("limit", "5")],
            ..Call::new(Method::GET, &resource)
        };
        assert_eq!(
            call.target(),
            "policies/no%20chat%20%2F%20night?q=a%26b%3Dc&limit=5"
        );
        assert_eq!(segment(".."), "%2E%2E");
        assert_eq!(segment("a.b"), "a.b");
    }

    #[test]
    fn a_write_has_a_key_of_its_own_and_a_read_has_none() {
        let key = |method: Method| {
            let outgoing = Outgoing::of(&Call::new(method, "drain")).unwrap();
            outgoing.headers.first().map(|(_, value)| value.clone())
        };
        assert_eq!(key(Method::GET), None);
        let (first, second) = (key(Method::POST).unwrap(), key(Method::DELETE).unwrap());
        assert_ne!(first, second);
        let call = Call {
            headers: &[("x-ferrogate-reason", "größer"), ("if-match", "\"1-2\"")],
            ..Call::new(Method::PATCH, "drain")
        };
        let headers = Outgoing::of(&call).unwrap().headers;
        assert_eq!(headers[1].1.as_bytes(), "größer".as_bytes());
        let call = Call {
            headers: &[("x-ferrogate-reason", "two\nlines")],
            ..call
        };
        assert!(matches!(
            Outgoing::of(&call),
            Err(ClientError::Header { .. })
        ));
    }

    #[test]
    fn what_is_shown_is_harmless_and_what_is_printed_as_json_has_lost_nothing() {
        let raw = "{\"b\":\"x\u{202e}y\\u001b[2J\\n\",\"a\":\"\u{e0001}\"}";
        let made = answer(raw, "application/json");
        assert_eq!(made.json()["b"], "x\u{FFFD}y\u{FFFD}[2J\n");
        let printed = made.pretty();
        assert_eq!(
            printed,
            "{\n  \"b\": \"x\\u202ey\\u001b[2J\\n\",\n  \"a\": \"\\udb40\\udc01\"\n}"
        );
        let (read, sent): (Value, Value) = (
            serde_json::from_str(&printed).unwrap(),
            serde_json::from_str(raw).unwrap(),
        );
        assert_eq!(read, sent);
        let made = answer("a = 1\n\u{1b}[2J\n", "application/toml");
        assert_eq!(made.body, Body::Text("a = 1\n\u{FFFD}[2J\n".to_owned()));
        assert_eq!(made.raw(), "a = 1\n\u{1b}[2J\n".as_bytes());
        assert_eq!(made.json(), &Value::Null);
    }

    fn broken() -> ClientError {
        ClientError::Body {
            path: "x".to_owned(),
            source: "reset".into(),
        }
    }

    fn refused(code: &str) -> ClientError {
        ClientError::Refused {
            status: StatusCode::CONFLICT,
            detail: Box::new(ErrorDetail {
                message: String::new(),
                r#type: String::new(),
                param: None,
                code: code.to_owned(),
                request_id: String::new(),
            }),
        }
    }

    /// How often it was sent, and whether it came to anything.
    async fn sent(outcomes: &[fn() -> Result<Answer, ClientError>]) -> (usize, bool) {
        let count = Cell::new(0);
        let done = send_once_more(|| {
            let number = count.get();
            count.set(number + 1);
            async move { outcomes[number]() }
        })
        .await;
        (count.get(), done.is_ok())
    }

    #[tokio::test]
    async fn only_a_broken_connection_is_tried_once_more() {
        let done = || Ok(answer(&json!({}).to_string(), "application/json"));
        assert_eq!(sent(&[done]).await, (1, true));
        assert_eq!(sent(&[|| Err(broken()), done]).await, (2, true));
        assert_eq!(
            sent(&[|| Err(broken()), || Err(broken())]).await,
            (2, false)
        );
        assert_eq!(
            sent(&[|| Err(refused("resource_exists"))]).await,
            (1, false)
        );
        // The first came through and is not done: the second waits for it.
        let pending = || Err(refused(IN_PROGRESS));
        assert_eq!(sent(&[|| Err(broken()), pending, done]).await, (3, true));
        assert_eq!(sent(&[pending]).await, (1, false));
    }
}
