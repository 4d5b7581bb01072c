//! Responses requests: the controls that the gateway reads.

use crate::ai::dialects::json_object::JsonObject;
use crate::error::RequestError;

/// The fields of a request that the gateway reads.
pub(in crate::ai::dialects) const FIELDS: &[&str] = &["model", "stream", "max_output_tokens"];

/// Whether it streams, and its ceiling on output tokens. Usage always comes with the closing event.
pub(in crate::ai::dialects) fn controls(
    object: &JsonObject,
) -> Result<(bool, Option<u64>, bool), RequestError> {
    let stream = object.get("stream", "a boolean")?.unwrap_or(false);
    let ceiling = object.get("max_output_tokens", "a whole number")?;
    Ok((stream, ceiling, true))
}
