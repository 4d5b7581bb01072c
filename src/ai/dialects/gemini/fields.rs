//! The fields of one JSON object in a client's request, in either of Google's spellings; what nobody takes is told.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{ErrorKind, RequestError};

/// The fields of one object, under the name that the object itself has in the request.
pub(super) struct Fields<'a> {
    /// `generationConfig`, or empty for the body itself.
    path: &'static str,
    entries: Vec<Entry<'a>>,
}

struct Entry<'a> {
    /// As it stands in the request.
    spelled: String,
    /// `camelCase`.
    name: String,
    value: &'a RawValue,
}

impl<'a> Fields<'a> {
    /// Reads `json`, which must be an object that names no field twice, not even in two spellings.
    ///
    /// # Errors
    /// `invalid_json` for a body, `invalid_request` for an object inside; `duplicate_json_key`.
    pub(super) fn parse(path: &'static str, json: &'a [u8]) -> Result<Self, RequestError> {
        let Pairs(pairs) = serde_json::from_slice(json).map_err(|error| {
            if path.is_empty() {
                return RequestError::new(
                    ErrorKind::InvalidJson,
                    format!("The body is not a JSON object the gateway can read: {error}."),
                );
            }
            wrong(path, "must be an object")
        })?;
        let mut names = HashSet::with_capacity(pairs.len());
        let mut entries = Vec::with_capacity(pairs.len());
        for (spelled, value) in pairs {
            let name = camel_case(&spelled);
            if !names.insert(name.clone()) {
                return Err(RequestError::new(
                    ErrorKind::DuplicateJsonKey,
                    format!("The body holds `{name}` twice. Send it once, in one spelling."),
                )
                .with_param(joined(path, &name)));
            }
            if value.get() != "null" {
                entries.push(Entry {
                    spelled,
                    name,
                    value,
                });
            }
        }
        Ok(Self { path, entries })
    }

    /// The JSON of a field, which is then no longer there.
    pub(super) fn take_raw(&mut self, name: &str) -> Option<&'a RawValue> {
        let index = self.entries.iter().position(|entry| entry.name == name)?;
        Some(self.entries.swap_remove(index).value)
    }

    /// A field as `T`.
    ///
    /// # Errors
    /// `invalid_request` naming the field when it is something else; `expected` says what it must be.
    pub(super) fn take<T: Deserialize<'a>>(
        &mut self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, RequestError> {
        let Some(raw) = self.take_raw(name) else {
            return Ok(None);
        };
        serde_json::from_str(raw.get())
            .map(Some)
            .map_err(|_| wrong(joined(self.path, name), &format!("must be {expected}")))
    }

    /// A field that is an object itself; `path` is its whole name.
    ///
    /// # Errors
    /// As [`Fields::parse`].
    pub(super) fn take_object(
        &mut self,
        name: &str,
        path: &'static str,
    ) -> Result<Option<Self>, RequestError> {
        self.take_raw(name)
            .map(|raw| Fields::parse(path, raw.get().as_bytes()))
            .transpose()
    }

    /// The whole names of the fields that are left, as the client spelled them.
    pub(super) fn rest(self) -> impl Iterator<Item = String> {
        let path = self.path;
        self.entries
            .into_iter()
            .map(move |entry| joined(path, &entry.spelled))
    }
}

/// 400 `invalid_request` for one field.
pub(super) fn wrong(param: impl Into<String>, problem: &str) -> RequestError {
    let param = param.into();
    RequestError::new(ErrorKind::InvalidRequest, format!("`{param}` {problem}.")).with_param(param)
}

/// 400 `unsupported_parameter` for what means something to Gemini's own models alone.
pub(super) fn untranslatable(param: &'static str, what: &str) -> RequestError {
    RequestError::new(
        ErrorKind::UnsupportedParameter,
        format!(
            "{what} cannot be passed on: the provider of this model does not speak the Gemini API. \
             Leave it out, or ask for a model whose provider does."
        ),
    )
    .with_param(param)
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// `max_output_tokens` as `maxOutputTokens`; a name without underscores as it is.
pub(super) fn camel_case(name: &str) -> String {
    let mut words = name.split('_').filter(|word| !word.is_empty());
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Pairs<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;

        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry::<String, &'de RawValue>()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(PairsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::super::whole::Count;
    use super::*;

    #[test]
    fn a_field_is_found_in_either_spelling_and_the_rest_is_told_as_it_was_spelled() {
        let mut fields = Fields::parse(
            "generationConfig",
            br#"{"max_output_tokens":5,"topP":0.5,"speech_config":{},"seed":null}"#,
        )
        .unwrap();
        let ceiling: Option<Count> = fields.take("maxOutputTokens", "a whole number").unwrap();
        assert_eq!(ceiling, Some(Count(5)));
        assert_eq!(fields.take::<f64>("topP", "a number").unwrap(), Some(0.5));
        assert_eq!(fields.take::<f64>("topK", "a number").unwrap(), None);
        let rest: Vec<String> = fields.rest().collect();
        assert_eq!(rest, ["generationConfig.speech_config"]);
    }

    #[test]
    fn a_field_that_stands_twice_is_refused_in_any_spelling() {
        for json in [
            r#"{"topP":1,"topP":1}"#,
            r#"{"topP":1,"top_p":1}"#,
            r#"{"topP":null,"top_p":1}"#,
        ] {
            let error = Fields::parse("generationConfig", json.as_bytes())
                .err()
                .unwrap();
            assert_eq!(error.kind, ErrorKind::DuplicateJsonKey, "{json}");
            assert_eq!(error.param.as_deref(), Some("generationConfig.topP"));
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_never_quoted() {
        let mut fields = Fields::parse("generationConfig", br#"{"top_p":"secret"}"#).unwrap();
        let error = fields.take::<f64>("topP", "a number").unwrap_err();
        assert_eq!(error.param.as_deref(), Some("generationConfig.topP"));
        assert!(!error.message.contains("secret"));
        let error = Fields::parse("toolConfig", b"[]").err().unwrap();
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
        let error = Fields::parse("", b"{").err().unwrap();
        assert_eq!(error.kind, ErrorKind::InvalidJson);
    }

    #[test]
    fn names_become_camel_case() {
        for (name, expected) in [
            ("max_output_tokens", "maxOutputTokens"),
            ("maxOutputTokens", "maxOutputTokens"),
            ("contents", "contents"),
            ("_x__y", "xY"),
            ("", ""),
        ] {
            assert_eq!(camel_case(name), expected);
        }
    }
}
