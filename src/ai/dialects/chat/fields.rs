//! A JSON object of a request, taken apart field by field. An error names the field by its whole path, and what
//! nobody took is left to be named as dropped. `null` is the same as absent.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::{ErrorKind, RequestError};

/// The fields of one object that nobody has taken yet.
#[derive(Debug)]
pub(super) struct Fields {
    /// Where it stands, `messages[2].content[0]`; empty for the body itself.
    path: String,
    map: Map<String, Value>,
}

impl Fields {
    pub(super) fn new(path: impl Into<String>, map: Map<String, Value>) -> Self {
        Self {
            path: path.into(),
            map,
        }
    }

    /// `value` as an object.
    pub(super) fn of(path: String, value: Value) -> Result<Self, RequestError> {
        match value {
            Value::Object(map) => Ok(Self { path, map }),
            _ => Err(wrong(path, "must be an object")),
        }
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The path of a field in here.
    pub(super) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    pub(super) fn value(&mut self, name: &str) -> Option<Value> {
        self.map.remove(name).filter(|value| !value.is_null())
    }

    /// The field as `T`, which is `expected`: "a number".
    pub(super) fn take<T: DeserializeOwned>(
        &mut self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, RequestError> {
        let Some(value) = self.value(name) else {
            return Ok(None);
        };
        serde_json::from_value(value)
            .map(Some)
            .map_err(|_| wrong(self.path_of(name), &format!("must be {expected}")))
    }

    /// A text, copied nowhere.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, RequestError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(self.path_of(name), "must be a string")),
        }
    }

    /// A text that has to be there.
    pub(super) fn needed_text(&mut self, name: &str) -> Result<String, RequestError> {
        self.text(name)?
            .ok_or_else(|| wrong(self.path_of(name), "is missing; it must be a string"))
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Option<Self>, RequestError> {
        let path = self.path_of(name);
        self.value(name)
            .map(|value| Self::of(path, value))
            .transpose()
    }

    pub(super) fn needed_object(&mut self, name: &str) -> Result<Self, RequestError> {
        self.object(name)?
            .ok_or_else(|| wrong(self.path_of(name), "is missing; it must be an object"))
    }

    /// The elements of a list, each with its path; none where the field is absent.
    pub(super) fn list(&mut self, name: &str) -> Result<Vec<(String, Value)>, RequestError> {
        let path = self.path_of(name);
        match self.value(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => Ok(elements(&path, values)),
            Some(_) => Err(wrong(path, "must be a list")),
        }
    }

    /// Objects in a list.
    pub(super) fn objects(&mut self, name: &str) -> Result<Vec<Self>, RequestError> {
        let elements = self.list(name)?;
        elements
            .into_iter()
            .map(|(path, value)| Self::of(path, value))
            .collect()
    }

    /// Drops fields that say nothing an answer could depend on.
    pub(super) fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.map.remove(*name);
        }
    }

    /// The names of what is left and says something: no `null`, no empty list, object or text.
    pub(super) fn left(self) -> impl Iterator<Item = String> {
        self.map
            .into_iter()
            .filter(|(_, value)| match value {
                Value::Null => false,
                Value::String(text) => !text.is_empty(),
                Value::Array(values) => !values.is_empty(),
                Value::Object(map) => !map.is_empty(),
                Value::Bool(_) | Value::Number(_) => true,
            })
            .map(|(name, _)| name)
    }
}

/// The values of a list with their paths.
pub(super) fn elements(path: &str, values: Vec<Value>) -> Vec<(String, Value)> {
    values
        .into_iter()
        .enumerate()
        .map(|(index, value)| (format!("{path}[{index}]"), value))
        .collect()
}

/// 400 `invalid_request` for the field at `path`; `problem` goes on from its name: "must be a string".
pub(super) fn wrong(path: impl Into<Cow<'static, str>>, problem: &str) -> RequestError {
    let path = path.into();
    RequestError::new(ErrorKind::InvalidRequest, format!("`{path}` {problem}.")).with_param(path)
}

/// 400 `unsupported_parameter` for what no other API can be told; `why` goes on from the field's name.
pub(super) fn cannot_cross(path: impl Into<Cow<'static, str>>, why: &str) -> RequestError {
    let path = path.into();
    RequestError::new(
        ErrorKind::UnsupportedParameter,
        format!(
            "`{path}` {why}. Leave it out, or ask for a model whose provider speaks chat completions."
        ),
    )
    .with_param(path)
}

/// Notes a name once.
pub(super) fn note(names: &mut Vec<Cow<'static, str>>, name: impl Into<Cow<'static, str>>) {
    let name = name.into();
    if !names.contains(&name) {
        names.push(name);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        Fields::of("messages[1]".into(), value).unwrap()
    }

    #[test]
    fn an_error_names_the_whole_path_of_the_field() {
        let check = |error: RequestError, param: &str, problem: &str| {
            assert_eq!(error.kind, ErrorKind::InvalidRequest);
            assert_eq!(error.param.as_deref(), Some(param));
            assert_eq!(error.message, format!("`{param}` {problem}."));
        };
        let mut object = fields(json!({"role": 7, "image_url": {}, "parts": [1]}));
        check(
            object.text("role").unwrap_err(),
            "messages[1].role",
            "must be a string",
        );
        let mut inner = object.needed_object("image_url").unwrap();
        check(
            inner.needed_text("url").unwrap_err(),
            "messages[1].image_url.url",
            "is missing; it must be a string",
        );
        check(
            object.objects("parts").unwrap_err(),
            "messages[1].parts[0]",
            "must be an object",
        );
        let mut body = Fields::new("", Map::new());
        check(
            body.needed_object("x").unwrap_err(),
            "x",
            "is missing; it must be an object",
        );
    }

    #[test]
    fn null_is_absent_and_what_says_nothing_is_not_left() {
        let mut object = fields(json!({
            "a": null, "b": [], "c": {}, "d": "", "e": false, "f": "x", "g": 1, "h": null,
        }));
        assert!(!object.has("h"));
        assert_eq!(object.take::<u64>("h", "a number").unwrap(), None);
        object.ignore(&["g"]);
        assert_eq!(object.left().collect::<Vec<_>>(), ["e", "f"]);
    }
}
