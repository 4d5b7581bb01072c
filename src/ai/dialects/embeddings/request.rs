//! A client's request, read for a provider that does not speak its dialect.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::EncodingFormat;
use crate::ai::dialects::json_object::invalid;
use crate::error::{ErrorKind, RequestError};

/// What is to be turned into vectors, and how the client wants them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) inputs: Vec<String>,
    pub(super) dimensions: Option<u64>,
    pub(super) format: EncodingFormat,
    /// What has no place in another dialect, by the client's names.
    pub(super) unread: Vec<Cow<'static, str>>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    dimensions: Option<serde_json::Value>,
    encoding_format: Option<serde_json::Value>,
    // The plan has read it.
    #[serde(rename = "model")]
    _model: Option<IgnoredAny>,
    #[serde(flatten)]
    rest: BTreeMap<String, serde_json::Value>,
}

/// # Errors
/// 400 naming the field.
pub(super) fn read(body: &[u8]) -> Result<Request, RequestError> {
    let body: Body<'_> = serde_json::from_slice(body).map_err(|error| {
        RequestError::new(
            ErrorKind::InvalidJson,
            format!("The body is not a JSON object the gateway can read: {error}."),
        )
    })?;
    let input = body
        .input
        .ok_or_else(|| invalid("input", "is missing; send a text or a list of texts"))?;
    let dimensions = body
        .dimensions
        .map(|value| value.as_u64().filter(|dimensions| *dimensions > 0))
        .map(|value| value.ok_or_else(|| invalid("dimensions", "must be a number above 0")))
        .transpose()?;
    let format = match body.encoding_format.as_ref().map(serde_json::Value::as_str) {
        None | Some(Some("float")) => EncodingFormat::Float,
        Some(Some("base64")) => EncodingFormat::Base64,
        Some(_) => return Err(invalid("encoding_format", "must be `float` or `base64`")),
    };
    let rest = body.rest.into_iter().filter(|(_, value)| !value.is_null());
    Ok(Request {
        inputs: read_input(input)?,
        dimensions,
        format,
        unread: rest.map(|(name, _)| Cow::Owned(name)).collect(),
    })
}

/// One text or many. Tokens are numbers of one vocabulary, OpenAI's, and mean nothing to another model.
fn read_input(raw: &RawValue) -> Result<Vec<String>, RequestError> {
    if let Ok(text) = serde_json::from_str::<String>(raw.get()) {
        return not_empty(vec![text]);
    }
    if let Ok(texts) = serde_json::from_str::<Vec<String>>(raw.get()) {
        return not_empty(texts);
    }
    let numbers = serde_json::from_str::<Vec<u64>>(raw.get()).is_ok();
    if numbers || serde_json::from_str::<Vec<Vec<u64>>>(raw.get()).is_ok() {
        return Err(RequestError::new(
            ErrorKind::UnsupportedParameter,
            "`input` holds tokens, which the provider of this model cannot read. Send texts.",
        )
        .with_param("input"));
    }
    Err(invalid("input", "must be a text or a list of texts"))
}

fn not_empty(texts: Vec<String>) -> Result<Vec<String>, RequestError> {
    if texts.is_empty() || texts.iter().any(String::is_empty) {
        return Err(invalid("input", "must not be empty, nor any text in it"));
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_read_and_the_rest_is_told() {
        assert_eq!(
            read(
                br#"{"model":"m","input":["a","b"],"dimensions":8,"encoding_format":"base64","user":"u","new":null}"#
            )
            .unwrap(),
            Request {
                inputs: vec!["a".into(), "b".into()],
                dimensions: Some(8),
                format: EncodingFormat::Base64,
                unread: vec!["user".into()],
            }
        );
        let plain = read(br#"{"model":"m","input":"a","encoding_format":null}"#).unwrap();
        assert_eq!(plain.inputs, ["a"]);
        assert_eq!(plain.format, EncodingFormat::Float);
        assert_eq!(plain.dimensions, None);
    }

    #[test]
    fn what_cannot_be_embedded_is_refused_by_name() {
        for (fields, kind, param) in [
            (r#""input":[1,2]"#, ErrorKind::UnsupportedParameter, "input"),
            (
                r#""input":[[1,2],[3]]"#,
                ErrorKind::UnsupportedParameter,
                "input",
            ),
            (r#""input":[]"#, ErrorKind::InvalidRequest, "input"),
            (r#""input":"""#, ErrorKind::InvalidRequest, "input"),
            (r#""input":["a",""]"#, ErrorKind::InvalidRequest, "input"),
            (r#""input":["a",1]"#, ErrorKind::InvalidRequest, "input"),
            (r#""input":{}"#, ErrorKind::InvalidRequest, "input"),
            (r#""user":"u""#, ErrorKind::InvalidRequest, "input"),
            (
                r#""input":"a","dimensions":0"#,
                ErrorKind::InvalidRequest,
                "dimensions",
            ),
            (
                r#""input":"a","dimensions":"8""#,
                ErrorKind::InvalidRequest,
                "dimensions",
            ),
            (
                r#""input":"a","encoding_format":"int8""#,
                ErrorKind::InvalidRequest,
                "encoding_format",
            ),
        ] {
            let body = format!(r#"{{"model":"m",{fields}}}"#);
            let error = read(body.as_bytes()).expect_err(&body);
            assert_eq!(error.kind, kind, "{body}");
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
        assert_eq!(read(b"[]").unwrap_err().kind, ErrorKind::InvalidJson);
    }
}
