//! Thought signatures, verified.

use serde_json::Value;

use super::request::{Content, FunctionCall, Part};
use crate::simulator::{
    errors::Problem,
    state::{Kind, Tag, decode, open},
};

/// Documented ways to say that a call was not made by this model.
const SKIPPED: [&str; 2] = [
    "skip_thought_signature_validator",
    "context_engineering_is_the_way_to_go",
];

/// What a signature on a call vouches for.
pub(super) fn subject(call: &FunctionCall) -> String {
    vouched(&call.name, &Value::Object(call.args.clone()))
}

pub(super) fn vouched(name: &str, args: &Value) -> String {
    format!("{name} {}", canonical(args))
}

/// JSON with its names in order and all its numbers written alike: they pass through many hands.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort();
            let fields = names.into_iter().map(|name| {
                format!(
                    "{}:{}",
                    Value::from(name.as_str()),
                    canonical(&fields[name])
                )
            });
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(canonical).collect();
            format!("[{}]", values.join(","))
        }
        Value::Number(number) => number.as_f64().unwrap_or_default().to_string(),
        Value::Null | Value::Bool(_) | Value::String(_) => value.to_string(),
    }
}

/// Every signature is ours and stands where we put it, and the first call of each turn that was made with reasoning
/// has one.
pub(super) fn verify(contents: &[Content], strict: bool) -> Result<(), Problem> {
    for (position, content) in contents.iter().enumerate() {
        let mut is_first = true;
        for part in &content.parts {
            if let Some(signature) = part.thought_signature.as_deref() {
                verify_signature(part, signature)?;
            }
            let Some(call) = &part.function_call else {
                continue;
            };
            let id = call.id.as_deref().unwrap_or_default();
            let needed = Tag::in_id(id).is_some() || strict && is_first;
            if needed && part.thought_signature.is_none() {
                return Err(Problem::invalid(format!(
                    "Function call is missing a thought_signature in functionCall parts. This is required for tools \
                     to work correctly, and missing thought_signature may lead to degraded model performance. \
                     Additional data, function call `default_api:{}` , position {}. Please refer to \
                     https://ai.google.dev/gemini-api/docs/thought-signatures for more details.",
                    call.name,
                    position + 1,
                )));
            }
            is_first = false;
        }
    }
    Ok(())
}

fn verify_signature(part: &Part, signature: &str) -> Result<(), Problem> {
    let bytes = decode(signature).unwrap_or_default();
    let is_skipped = |word: &str| signature == word || bytes == word.as_bytes();
    if SKIPPED.into_iter().any(is_skipped) {
        return Ok(());
    }
    let tag = match &part.function_call {
        Some(call) => open(Kind::Call, &subject(call), signature),
        None => open(Kind::Text, "", signature),
    };
    let id = part
        .function_call
        .as_ref()
        .and_then(|call| call.id.as_deref());
    let named = id.and_then(Tag::in_id);
    // The answer that the id names is the one that the signature was made for.
    if tag.is_none() || named.is_some() && named != tag {
        return Err(Problem::invalid("Corrupted thought signature."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_same_arguments_are_vouched_for_in_whatever_order_and_form() {
        let one = json!({"b": [1, 2.5], "a": {"y": null, "x": "é"}});
        let other: Value =
            serde_json::from_str(r#"{"a":{"x":"\u00e9","y":null},"b":[1.0,2.50]}"#).unwrap();
        assert_eq!(vouched("f", &one), vouched("f", &other));
        assert_ne!(vouched("f", &one), vouched("g", &one));
        assert_ne!(vouched("f", &one), vouched("f", &json!({"b": [1, 2]})));
    }
}
