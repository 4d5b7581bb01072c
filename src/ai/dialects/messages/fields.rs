//! A JSON object of a request, field by field: what is taken is read, what is left over is named to the client.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::{ErrorKind, RequestError};

/// The fields of one object that nobody has taken yet, by name.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    /// Where the object stands: `thinking`; empty for the body.
    place: &'static str,
    left: BTreeMap<String, &'a RawValue>,
}

impl<'a> Fields<'a> {
    /// The top level of a body.
    pub(super) fn of_body(body: &'a [u8]) -> Result<Self, RequestError> {
        let left = serde_json::from_slice(body).map_err(|error| {
            RequestError::new(
                ErrorKind::InvalidJson,
                format!("The body is not a JSON object the gateway can read: {error}."),
            )
        })?;
        Ok(Self { place: "", left })
    }

    /// Takes a field that is itself an object; an absent one has no fields.
    pub(super) fn object(&mut self, name: &'static str) -> Result<Self, RequestError> {
        let left = self.take(name, "an object")?.unwrap_or_default();
        Ok(Self { place: name, left })
    }

    /// Takes the raw text of a field; `None` when it is absent or `null`.
    pub(super) fn raw(&mut self, name: &'static str) -> Option<&'a RawValue> {
        let raw = self.left.remove(name)?;
        (raw.get() != "null").then_some(raw)
    }

    /// Takes a field as `T`; `None` when it is absent or `null`.
    pub(super) fn take<T: Deserialize<'a>>(
        &mut self,
        name: &'static str,
        expected: &str,
    ) -> Result<Option<T>, RequestError> {
        let Some(raw) = self.raw(name) else {
            return Ok(None);
        };
        match serde_json::from_str(raw.get()) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(invalid(self.name_of(name), &format!("must be {expected}"))),
        }
    }

    /// Takes fields that say nothing here.
    pub(super) fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.left.remove(*name);
        }
    }

    /// The full names of the fields that are left and hold something.
    pub(super) fn names_left(self) -> impl Iterator<Item = Cow<'static, str>> {
        let place = self.place;
        self.left
            .into_iter()
            .filter(|(_, raw)| !matches!(raw.get(), "null" | "[]" | "{}"))
            .map(move |(name, _)| match place {
                "" => Cow::Owned(name),
                place => Cow::Owned(format!("{place}.{name}")),
            })
    }

    /// The full name of a field.
    pub(super) fn name_of(&self, name: &'static str) -> Cow<'static, str> {
        match self.place {
            "" => Cow::Borrowed(name),
            place => Cow::Owned(format!("{place}.{name}")),
        }
    }
}

/// 400 `invalid_request` about `place`; `problem` goes on from its name.
pub(super) fn invalid(place: impl Into<Cow<'static, str>>, problem: &str) -> RequestError {
    let place = place.into();
    RequestError::new(ErrorKind::InvalidRequest, format!("`{place}` {problem}.")).with_param(place)
}

/// 400 `unsupported_parameter` about what no other provider can do.
pub(super) fn untranslatable(place: impl Into<Cow<'static, str>>, why: &str) -> RequestError {
    let place = place.into();
    RequestError::new(
        ErrorKind::UnsupportedParameter,
        format!(
            "`{place}` cannot be passed on to the provider of this model: {why}. \
             Leave it out, or ask for a model of Anthropic's."
        ),
    )
    .with_param(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_is_named_with_its_place() {
        let body = br#"{"a":1,"b":null,"c":[],"thinking":{"type":"enabled","new":true},"z":2}"#;
        let mut fields = Fields::of_body(body).unwrap();
        assert_eq!(fields.take::<u64>("a", "a number").unwrap(), Some(1));
        assert_eq!(fields.take::<u64>("absent", "a number").unwrap(), None);
        let mut thinking = fields.object("thinking").unwrap();
        assert_eq!(
            thinking
                .take::<String>("type", "a word")
                .unwrap()
                .as_deref(),
            Some("enabled")
        );
        assert_eq!(thinking.names_left().collect::<Vec<_>>(), ["thinking.new"]);
        assert_eq!(fields.names_left().collect::<Vec<_>>(), ["z"]);
    }

    #[test]
    fn a_field_of_the_wrong_kind_is_named() {
        let mut fields = Fields::of_body(br#"{"thinking":{"budget_tokens":"much"}}"#).unwrap();
        let mut thinking = fields.object("thinking").unwrap();
        let error = thinking
            .take::<u64>("budget_tokens", "a whole number")
            .unwrap_err();
        assert_eq!(error.param.as_deref(), Some("thinking.budget_tokens"));
        assert_eq!(
            error.message,
            "`thinking.budget_tokens` must be a whole number."
        );
        assert_eq!(
            Fields::of_body(b"[1]").unwrap_err().kind,
            ErrorKind::InvalidJson
        );
    }
}
