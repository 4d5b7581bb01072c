//! Responses requests that pass through: the fields that the gateway reads.

use crate::ai::dialects::json_object::JsonObject;
use crate::error::{ErrorKind, RequestError};

/// The fields of a request that the gateway reads.
pub(in crate::ai) const FIELDS: &[&str] = &[
    "model",
    "stream",
    "max_output_tokens",
    "previous_response_id",
    "store",
    "background",
    "conversation",
];

/// Whether it streams, and its ceiling on output tokens. Usage always comes with the closing event.
///
/// # Errors
/// `unsupported_parameter` for what cannot be honoured whatever the provider speaks; `invalid_request` for what is not
/// what it must be.
pub(in crate::ai) fn controls(
    object: &JsonObject,
) -> Result<(bool, Option<u64>, bool), RequestError> {
    // Such an answer would be made, and paid for, when no request is there to settle it.
    if object.get("background", "a boolean")? == Some(true) {
        let message = "`background` cannot be honoured: an answer is made while its request is open. Leave it out.";
        return Err(
            RequestError::new(ErrorKind::UnsupportedParameter, message).with_param("background")
        );
    }
    // It would belong to the provider's account, and so to every key of the gateway.
    if object.raw("conversation").is_some() {
        let message = "`conversation` cannot be honoured: the gateway could not tell whose it is. \
                       Send `previous_response_id`, or the conversation itself.";
        return Err(
            RequestError::new(ErrorKind::UnsupportedParameter, message).with_param("conversation")
        );
    }
    let stream = object.get("stream", "a boolean")?.unwrap_or(false);
    let ceiling = object.get("max_output_tokens", "a whole number")?;
    Ok((stream, ceiling, true))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn read(body: &'static str) -> Result<(bool, Option<u64>, bool), RequestError> {
        let body = Bytes::from_static(body.as_bytes());
        controls(&JsonObject::parse(body, FIELDS)?)
    }

    #[test]
    fn what_outlives_its_request_or_belongs_to_nobody_is_refused() {
        let plain =
            r#"{"stream":true,"max_output_tokens":9,"background":false,"conversation":null}"#;
        assert_eq!(read(plain).unwrap(), (true, Some(9), true));
        for (body, param) in [
            (r#"{"background":true}"#, "background"),
            (r#"{"conversation":"conv_1"}"#, "conversation"),
            (r#"{"conversation":{"id":"conv_1"}}"#, "conversation"),
        ] {
            let error = read(body).unwrap_err();
            assert_eq!(error.kind, ErrorKind::UnsupportedParameter, "{body}");
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
    }
}
