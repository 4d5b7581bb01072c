//! Chat requests: the controls that the gateway reads, and the usage event it asks for.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::ai::dialects::json_object::{JsonObject, invalid};
use crate::error::RequestError;

/// The fields of a request that the gateway reads.
pub(in crate::ai) const FIELDS: &[&str] = &[
    "model",
    "stream",
    "stream_options",
    "max_completion_tokens",
    "max_tokens",
    "n",
];

/// Whether it streams, its ceiling on output tokens over all choices, and whether it asks for the usage event.
pub(in crate::ai) fn controls(
    object: &JsonObject,
) -> Result<(bool, Option<u64>, bool), RequestError> {
    #[derive(Deserialize)]
    struct Options {
        include_usage: Option<bool>,
    }
    let stream = object.get("stream", "a boolean")?.unwrap_or(false);
    let number = "a whole number";
    let ceiling = match object.get::<u64>("max_completion_tokens", number)? {
        Some(ceiling) => Some(ceiling),
        None => object.get::<u64>("max_tokens", number)?,
    };
    let choices = object.get::<u64>("n", number)?.unwrap_or(1).max(1);
    // serde refuses a key that stands twice in a struct, so `include_usage` cannot be read two ways.
    let options = object.get::<Options>(
        "stream_options",
        "an object whose `include_usage` is a boolean",
    )?;
    let wants_usage = options.and_then(|options| options.include_usage) == Some(true);
    Ok((
        stream,
        ceiling.map(|ceiling| ceiling.saturating_mul(choices)),
        wants_usage,
    ))
}

/// The client's `stream_options` with `include_usage` switched on.
pub(in crate::ai) fn options_with_usage(object: &JsonObject) -> Result<String, RequestError> {
    let mut options: Map<String, Value> = match object.raw("stream_options") {
        Some(raw) => serde_json::from_slice(raw)
            .map_err(|_| invalid("stream_options", "must be an object"))?,
        None => Map::new(),
    };
    options.insert("include_usage".into(), Value::Bool(true));
    Ok(Value::Object(options).to_string())
}
