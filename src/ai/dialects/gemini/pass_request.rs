//! Requests that pass through: the model is in the path, so little is read and hardly anything written.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::model_family;
use super::whole::Count;
use crate::ai::dialects::json_object::JsonObject;
use crate::error::{ErrorKind, RequestError};

const CONFIG: [&str; 2] = ["generationConfig", "generation_config"];
/// `countTokens` may be given a whole request, which names a model of its own.
const COUNTED: [&str; 2] = ["generateContentRequest", "generate_content_request"];

/// The fields of a request that the gateway reads.
pub(in crate::ai) const FIELDS: &[&str] = &["model", CONFIG[0], CONFIG[1], COUNTED[0], COUNTED[1]];

/// The request's ceiling on output tokens over all candidates.
pub(in crate::ai) fn controls(object: &JsonObject) -> Result<Option<u64>, RequestError> {
    #[derive(Deserialize)]
    struct Config {
        // serde refuses a key that stands twice, in whatever spelling.
        #[serde(rename = "maxOutputTokens", alias = "max_output_tokens")]
        max_output_tokens: Option<Count>,
        #[serde(rename = "candidateCount", alias = "candidate_count")]
        candidate_count: Option<Count>,
    }
    let Some(name) = only_one(object, CONFIG)? else {
        return Ok(None);
    };
    let expected =
        "an object that names `maxOutputTokens` and `candidateCount` once, as whole numbers";
    let Some(config) = object.get::<Config>(name, expected)? else {
        return Ok(None);
    };
    let candidates = config.candidate_count.map_or(1, |count| count.0.max(1));
    let ceiling = config.max_output_tokens;
    Ok(ceiling.map(|ceiling| ceiling.0.saturating_mul(candidates)))
}

/// The body for a provider that calls the model `model`: the model's name, where the body repeats it, and nothing
/// else.
pub(in crate::ai) fn passing_body(object: &JsonObject, model: &str) -> Result<Bytes, RequestError> {
    let model = Value::from(model_family::resource(model)).to_string();
    let mut edits: Vec<(&str, &[u8])> = Vec::new();
    if object.raw("model").is_some() {
        edits.push(("model", model.as_bytes()));
    }
    let counted = match only_one(object, COUNTED)? {
        Some(name) => {
            let raw = object.raw(name).unwrap_or_default();
            let inner = JsonObject::parse(Bytes::copy_from_slice(raw), &["model"])?;
            Some((name, inner.with(&[("model", model.as_bytes())])))
        }
        None => None,
    };
    if let Some((name, body)) = &counted {
        edits.push((name, body));
    }
    if edits.is_empty() {
        return Ok(object.body().clone());
    }
    Ok(object.with(&edits))
}

/// Which of two spellings is there.
fn only_one(
    object: &JsonObject,
    [camel, snake]: [&'static str; 2],
) -> Result<Option<&'static str>, RequestError> {
    match (object.raw(camel).is_some(), object.raw(snake).is_some()) {
        (true, true) => Err(RequestError::new(
            ErrorKind::DuplicateJsonKey,
            format!("The body holds both `{camel}` and `{snake}`. Send one."),
        )
        .with_param(camel)),
        (true, false) => Ok(Some(camel)),
        (false, true) => Ok(Some(snake)),
        (false, false) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(body: &str) -> JsonObject {
        JsonObject::parse(Bytes::copy_from_slice(body.as_bytes()), FIELDS).unwrap()
    }

    #[test]
    fn the_ceiling_counts_every_candidate_in_either_spelling() {
        let check = |body: &str, expected: Option<u64>| {
            assert_eq!(controls(&object(body)).unwrap(), expected, "{body}");
        };
        check(r#"{"contents":[]}"#, None);
        check(r#"{"generationConfig":{"temperature":1}}"#, None);
        check(r#"{"generationConfig":null}"#, None);
        check(r#"{"generationConfig":{"maxOutputTokens":10}}"#, Some(10));
        check(
            r#"{"generationConfig":{"maxOutputTokens":10,"candidateCount":3}}"#,
            Some(30),
        );
        check(
            r#"{"generation_config":{"max_output_tokens":"10","candidate_count":2.0}}"#,
            Some(20),
        );
        check(
            r#"{"generationConfig":{"maxOutputTokens":10,"candidateCount":0}}"#,
            Some(10),
        );
        check(
            r#"{"generationConfig":{"maxOutputTokens":9223372036854775807,"candidateCount":9}}"#,
            Some(u64::MAX),
        );
    }

    #[test]
    fn a_ceiling_that_could_be_read_two_ways_is_refused() {
        for (body, kind) in [
            (
                r#"{"generationConfig":{},"generation_config":{}}"#,
                ErrorKind::DuplicateJsonKey,
            ),
            (
                r#"{"generationConfig":{"maxOutputTokens":1,"max_output_tokens":9}}"#,
                ErrorKind::InvalidRequest,
            ),
            (
                r#"{"generationConfig":{"maxOutputTokens":-1}}"#,
                ErrorKind::InvalidRequest,
            ),
            (
                r#"{"generationConfig":{"maxOutputTokens":"many"}}"#,
                ErrorKind::InvalidRequest,
            ),
            (r#"{"generationConfig":[]}"#, ErrorKind::InvalidRequest),
        ] {
            let error = controls(&object(body)).expect_err(body);
            assert_eq!(error.kind, kind, "{body}");
            assert_eq!(error.param.as_deref(), Some("generationConfig"), "{body}");
        }
    }

    #[test]
    fn a_body_passes_untouched_but_for_a_model_that_it_repeats() {
        let check = |body: &str, expected: &str| {
            let out = passing_body(&object(body), "real").unwrap();
            assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
        };
        check(r#"{"contents" : [ ]}"#, r#"{"contents" : [ ]}"#);
        check(
            r#"{"model":"models/mine","contents":[ ]}"#,
            r#"{"model":"models/real","contents":[ ]}"#,
        );
        check(
            r#"{"generateContentRequest":{"contents":[ ],"model":"models/mine"} }"#,
            r#"{"generateContentRequest":{"contents":[ ],"model":"models/real"} }"#,
        );
        check(
            r#"{"generate_content_request":{"contents":[]}}"#,
            r#"{"generate_content_request":{"contents":[],"model":"models/real"}}"#,
        );
    }
}
