//! The body of a request: read whole, under `[admin] body_max_bytes` and `[limits] body_timeout_secs`.

use std::{fmt, sync::Arc};

use axum::{
    body::Body,
    extract::{FromRequest, Request},
};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::{
    Deserialize,
    de::{DeserializeOwned, Deserializer, Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value, error::Category};

use super::respond::Failure;
use crate::error::{ErrorKind, RequestError};
use crate::gateway::Gateway;

/// The bytes of a body.
pub(super) struct Bounded(pub(super) Bytes);

impl FromRequest<Arc<Gateway>> for Bounded {
    type Rejection = Failure;

    async fn from_request(request: Request, gateway: &Arc<Gateway>) -> Result<Self, Failure> {
        Self::read(request.into_body(), gateway).await
    }
}

impl Bounded {
    /// Reads a body whole.
    pub(super) async fn read(body: Body, gateway: &Gateway) -> Result<Self, Failure> {
        let (max, time_limit) = {
            let config = &gateway.snapshot().config;
            (config.admin.body_max_bytes, config.limits.body_timeout)
        };
        let bytes_max = usize::try_from(max).unwrap_or(usize::MAX);
        let reading = Limited::new(body, bytes_max).collect();
        match tokio::time::timeout(time_limit, reading).await {
            Ok(Ok(body)) => Ok(Self(body.to_bytes())),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Failure(RequestError::new(
                ErrorKind::PayloadTooLarge,
                format!("The body is over {max} bytes; raise `[admin] body_max_bytes`."),
            ))),
            Ok(Err(_)) => Err(Failure(RequestError::client_gone())),
            Err(_) => Err(Failure(RequestError::new(
                ErrorKind::RequestTimeout,
                "The body did not arrive within `[limits] body_timeout_secs`.",
            ))),
        }
    }
}

/// A resource as its writer sent it: a JSON object in which no name stands twice, at any depth. What it must hold is
/// for [`crate::config`] to say.
pub(super) struct Document(pub(super) Map<String, Value>);

impl FromRequest<Arc<Gateway>> for Document {
    type Rejection = Failure;

    async fn from_request(request: Request, gateway: &Arc<Gateway>) -> Result<Self, Failure> {
        let Bounded(body) = Bounded::from_request(request, gateway).await?;
        match parse(&body)? {
            Strict(Value::Object(fields)) => Ok(Self(fields)),
            Strict(_) => Err(Failure(no_object())),
        }
    }
}

/// What an endpoint is to do. No body at all is an empty object.
pub(super) struct Command<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Gateway>> for Command<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, gateway: &Arc<Gateway>) -> Result<Self, Failure> {
        let Bounded(body) = Bounded::from_request(request, gateway).await?;
        let body = if body.is_empty() { b"{}" } else { &*body };
        Ok(Self(parse(no_list(body)?)?))
    }
}

/// The command that needs no more than its path.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// A type with fields can be read from a list of their values, too, which nobody means.
pub(super) fn no_list(body: &[u8]) -> Result<&[u8], RequestError> {
    let mut visible = body.iter().filter(|byte| !byte.is_ascii_whitespace());
    match visible.next() {
        Some(b'[') => Err(no_object()),
        Some(_) | None => Ok(body),
    }
}

fn no_object() -> RequestError {
    RequestError::new(ErrorKind::InvalidJson, "The body is no JSON object.")
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, RequestError> {
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        Category::Data => RequestError::new(
            ErrorKind::InvalidRequest,
            format!("The body is not what this endpoint takes: {error}."),
        ),
        Category::Io | Category::Syntax | Category::Eof => RequestError::new(
            ErrorKind::InvalidJson,
            format!("The body is no JSON: {error}."),
        ),
    })
}

/// A JSON value of which two readers cannot see two different things.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Strict, E> {
        Ok(Strict(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Strict, E> {
        Ok(Strict(Value::Number(value.into())))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Strict, E> {
        Ok(Strict(Value::Number(value.into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Strict, E> {
        Ok(Strict(
            Number::from_f64(value).map_or(Value::Null, Value::Number),
        ))
    }

    fn visit_str<E>(self, value: &str) -> Result<Strict, E> {
        Ok(Strict(Value::String(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Strict, A::Error> {
        let mut array = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Strict(Value::Array(array)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Strict, A::Error> {
        let mut object = Map::new();
        while let Some((name, Strict(value))) = fields.next_entry::<String, Strict>()? {
            if object.contains_key(&name) {
                return Err(A::Error::custom(format_args!(
                    "`{}` stands there twice",
                    name.escape_debug()
                )));
            }
            object.insert(name, value);
        }
        Ok(Strict(Value::Object(object)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_as_it_is_written() {
        let text = r#"{"id":"a","limits":[1,-2,2.5,null,true,"é"],"nested":{"x":{}}}"#;
        let Strict(value) = parse(text.as_bytes()).unwrap();
        assert_eq!(value.to_string(), text);
    }

    #[test]
    fn a_list_of_values_is_no_command() {
        let check = |body: &str, is_taken: bool| {
            let taken = no_list(body.as_bytes());
            assert_eq!(taken.is_ok(), is_taken, "{body}");
        };
        check("{}", true);
        check(r#" {"a":[1]}"#, true);
        check("[]", false);
        check("\n [null, null]", false);
        // Of no type with fields: refused where it is read.
        check("7", true);
        check("", true);
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for (text, kind) in [
            (r#"{"a":1,"a":1}"#, ErrorKind::InvalidRequest),
            (r#"{"a":1,"\u0061":1}"#, ErrorKind::InvalidRequest),
            (r#"[{"a":{"b":1,"b":2}}]"#, ErrorKind::InvalidRequest),
            (r#"{"a":1"#, ErrorKind::InvalidJson),
            (r#"{"a":1} {"#, ErrorKind::InvalidJson),
            ("", ErrorKind::InvalidJson),
        ] {
            let error = parse::<Strict>(text.as_bytes()).map(|Strict(value)| value);
            assert_eq!(error.unwrap_err().kind, kind, "{text}");
        }
    }
}
