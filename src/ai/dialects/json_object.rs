//! The top level of a JSON request body: where the fields that the gateway reads stand, everything else untouched.
//!
//! Bodies pass through as the client wrote them; only the bytes of a few values are replaced. A field that is read
//! here may stand in the body once: a gateway that reads the first and a provider that reads the last would see two
//! different models. Keys are compared after their escapes are decoded.

use std::{fmt, ops::Range};

use bytes::{Bytes, BytesMut};
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{ErrorKind, RequestError};

/// A parsed body: the spans of the watched fields, in the order of the list they were asked with.
#[derive(Debug)]
pub struct JsonObject {
    body: Bytes,
    spans: Vec<Option<Range<usize>>>,
    names: &'static [&'static str],
    /// Where the object's closing brace stands.
    end: usize,
    empty: bool,
}

impl JsonObject {
    /// Reads `body`, which must be one JSON object, and finds the fields in `names`.
    ///
    /// # Errors
    /// `invalid_json` where it is none; `duplicate_json_key` where one of `names` stands in it twice.
    pub fn parse(body: Bytes, names: &'static [&'static str]) -> Result<Self, RequestError> {
        if let Err(error) = std::str::from_utf8(&body) {
            return Err(unreadable(&error));
        }
        let (spans, empty) = {
            let mut found = Found {
                origin: body.as_ptr(),
                names,
                spans: vec![None; names.len()],
                duplicate: None,
                empty: true,
            };
            let mut reader = serde_json::Deserializer::from_slice(&body);
            let read = (&mut reader)
                .deserialize_map(&mut found)
                .and_then(|()| reader.end());
            if let Some(name) = found.duplicate {
                return Err(RequestError::new(
                    ErrorKind::DuplicateJsonKey,
                    format!("The body holds `{name}` twice. Send it once."),
                )
                .with_param(name));
            }
            if let Err(error) = read {
                return Err(unreadable(&error));
            }
            (found.spans, found.empty)
        };
        let end = body
            .iter()
            .rposition(|byte| *byte == b'}')
            .unwrap_or_default();
        Ok(Self {
            body,
            spans,
            names,
            end,
            empty,
        })
    }

    /// The raw JSON text of a watched field; `None` when it is absent or `null`.
    pub fn raw(&self, name: &str) -> Option<&[u8]> {
        let span = self.span(name)?;
        let text = self.body.get(span)?;
        (text != b"null").then_some(text)
    }

    /// A watched field as `T`; `None` when it is absent or `null`.
    ///
    /// # Errors
    /// `invalid_request` naming the field when it is something else; `expected` says what it must be.
    pub fn get<'b, T: serde::Deserialize<'b>>(
        &'b self,
        name: &'static str,
        expected: &str,
    ) -> Result<Option<T>, RequestError> {
        self.raw(name)
            .map(|raw| {
                serde_json::from_slice(raw)
                    .map_err(|_| invalid(name, &format!("must be {expected}")))
            })
            .transpose()
    }

    fn span(&self, name: &str) -> Option<Range<usize>> {
        let index = self.names.iter().position(|known| *known == name)?;
        self.spans.get(index)?.clone()
    }

    /// The body with each of `fields` set to the given JSON text, in place where it stands, else at the end.
    pub fn with(&self, fields: &[(&str, &[u8])]) -> Bytes {
        let mut edits: Vec<(Range<usize>, &[u8])> = Vec::with_capacity(fields.len());
        let mut added: Vec<(&str, &[u8])> = Vec::new();
        for (name, json) in fields {
            match self.span(name) {
                Some(span) => edits.push((span, json)),
                None => added.push((name, json)),
            }
        }
        edits.sort_by_key(|(span, _)| span.start);
        let growth: usize = fields
            .iter()
            .map(|(name, json)| name.len() + json.len() + 4)
            .sum();
        let mut out = BytesMut::with_capacity(self.body.len() + growth);
        let mut copied = 0;
        for (span, json) in edits {
            out.extend_from_slice(&self.body[copied..span.start]);
            out.extend_from_slice(json);
            copied = span.end;
        }
        out.extend_from_slice(&self.body[copied..self.end]);
        for (index, (name, json)) in added.into_iter().enumerate() {
            if index > 0 || !self.empty {
                out.extend_from_slice(b",");
            }
            out.extend_from_slice(b"\"");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            out.extend_from_slice(json);
        }
        out.extend_from_slice(&self.body[self.end..]);
        out.freeze()
    }

    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

fn unreadable(error: &dyn fmt::Display) -> RequestError {
    RequestError::new(
        ErrorKind::InvalidJson,
        format!("The body is not a JSON object the gateway can read: {error}."),
    )
}

/// 400 `invalid_request` for one field.
pub fn invalid(name: &'static str, problem: &str) -> RequestError {
    RequestError::new(ErrorKind::InvalidRequest, format!("`{name}` {problem}.")).with_param(name)
}

struct Found {
    origin: *const u8,
    names: &'static [&'static str],
    spans: Vec<Option<Range<usize>>>,
    duplicate: Option<&'static str>,
    empty: bool,
}

impl<'de> Visitor<'de> for &mut Found {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(index) = map.next_key_seed(WatchedKey(self.names))? {
            self.empty = false;
            let Some(index) = index else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = map.next_value::<&'de RawValue>()?.get();
            let start = value.as_ptr().addr() - self.origin.addr();
            let span = start..start + value.len();
            if self.spans[index].replace(span).is_some() {
                self.duplicate = self.names.get(index).copied();
                return Err(A::Error::custom("a field stands twice"));
            }
        }
        Ok(())
    }
}

/// Reads a key and says which of the watched names it is, without keeping it.
struct WatchedKey(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for WatchedKey {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for WatchedKey {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Option<usize>, E> {
        Ok(self.0.iter().position(|name| *name == key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &["model", "stream"];

    fn parse(text: &str) -> Result<JsonObject, RequestError> {
        JsonObject::parse(Bytes::copy_from_slice(text.as_bytes()), NAMES)
    }

    #[test]
    fn a_value_is_replaced_in_place_and_the_rest_stays_byte_for_byte() {
        let check = |text: &str, expected: &str| {
            let out = parse(text).unwrap().with(&[("model", b"\"b\"")]);
            assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
        };
        check(r#"{"model":"a","x":1.50}"#, r#"{"model":"b","x":1.50}"#);
        check(
            "{ \"x\" : [1, {\"model\":2}] ,\n \"mod\\u0065l\" : \"a\" }\n",
            "{ \"x\" : [1, {\"model\":2}] ,\n \"mod\\u0065l\" : \"b\" }\n",
        );
        check("{}", r#"{"model":"b"}"#);
        check(r#"{"x":"}"}"#, r#"{"x":"}","model":"b"}"#);
    }

    #[test]
    fn a_watched_key_that_stands_twice_is_refused_in_any_spelling() {
        for text in [
            r#"{"model":"a","model":"b"}"#,
            r#"{"model":"a","mod\u0065l":"a"}"#,
            r#"{"stream":true,"model":"a","stream":true}"#,
        ] {
            assert_eq!(
                parse(text).unwrap_err().kind,
                ErrorKind::DuplicateJsonKey,
                "{text}"
            );
        }
        assert!(parse(r#"{"other":1,"other":2,"model":"a"}"#).is_ok());
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in [
            "",
            "[]",
            "1",
            "{",
            r#"{"model":}"#,
            r#"{"a":1} x"#,
            "nul",
            "{\"a\":\"\u{1}\"}",
        ] {
            assert_eq!(
                parse(text).unwrap_err().kind,
                ErrorKind::InvalidJson,
                "{text}"
            );
        }
        let not_utf8 = Bytes::from_static(b"{\"a\":\"\xff\"}");
        assert!(JsonObject::parse(not_utf8, NAMES).is_err());
    }

    #[test]
    fn a_field_of_the_wrong_type_is_named() {
        let object = parse(r#"{"model":7,"stream":null}"#).unwrap();
        let error = object.get::<String>("model", "a string").unwrap_err();
        assert_eq!(error.param.as_deref(), Some("model"));
        assert_eq!(object.get::<bool>("stream", "a boolean").unwrap(), None);
    }
}
