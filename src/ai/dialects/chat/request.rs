//! Chat requests: the controls that the gateway reads, and the usage event it asks for.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::ai::dialects::json_object::{JsonObject, invalid};
use crate::error::RequestError;

/// The fields of a request that the gateway reads.
pub(in crate::ai::dialects) const FIELDS: &[&str] = &[
    "model",
    "stream",
    "stream_options",
    "max_completion_tokens",
    "max_tokens",
    "n",
];

/// Whether it streams, its ceiling on output tokens over all choices, and whether it asks for the usage event.
pub(in crate::ai::dialects) fn controls(
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
pub(in crate::ai::dialects) fn options_with_usage(
    object: &JsonObject,
) -> Result<String, RequestError> {
    let mut options: Map<String, Value> = match object.raw("stream_options") {
        Some(raw) => serde_json::from_slice(raw)
            .map_err(|_| invalid("stream_options", "must be an object"))?,
        None => Map::new(),
    };
    options.insert("include_usage".into(), Value::Bool(true));
    Ok(Value::Object(options).to_string())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use crate::ai::dialects::{AiRequest, Dialect};

    fn sent(body: &'static str) -> String {
        let request = AiRequest::parse(Dialect::Chat, Bytes::from_static(body.as_bytes())).unwrap();
        let bytes = request.for_provider("real").unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn usage_is_asked_for_on_streams_alone_and_the_rest_is_untouched() {
        assert_eq!(
            sent(r#"{"model":"m","messages":[ ]}"#),
            r#"{"model":"real","messages":[ ]}"#
        );
        assert_eq!(
            sent(r#"{"model":"m","stream":true}"#),
            r#"{"model":"real","stream":true,"stream_options":{"include_usage":true}}"#
        );
        assert_eq!(
            sent(r#"{"stream_options":null,"stream":true,"model":"m"}"#),
            r#"{"stream_options":{"include_usage":true},"stream":true,"model":"real"}"#
        );
        assert_eq!(
            sent(r#"{"stream_options":{"include_obfuscation":false},"stream":true,"model":"m"}"#),
            r#"{"stream_options":{"include_obfuscation":false,"include_usage":true},"stream":true,"model":"real"}"#
        );
        let asked = r#"{"stream_options":{"include_usage":true},"stream":true,"model":"real"}"#;
        assert_eq!(sent(asked), asked);
    }

    #[test]
    fn wrong_controls_are_refused_by_name() {
        for (body, param) in [
            (r#"{"messages":[]}"#, "model"),
            (r#"{"model":""}"#, "model"),
            (r#"{"model":1}"#, "model"),
            (r#"{"model":"m","stream":"yes"}"#, "stream"),
            (r#"{"model":"m","max_tokens":-1}"#, "max_tokens"),
            (r#"{"model":"m","stream_options":7}"#, "stream_options"),
            (
                r#"{"model":"m","stream_options":{"include_usage":true,"include_usage":false}}"#,
                "stream_options",
            ),
        ] {
            let error = AiRequest::parse(Dialect::Chat, Bytes::from_static(body.as_bytes()))
                .expect_err(body);
            assert_eq!(error.param.as_deref(), Some(param), "{body}");
        }
    }

    #[test]
    fn the_output_ceiling_counts_every_choice() {
        let body = r#"{"model":"m","max_tokens":5,"max_completion_tokens":10,"n":3}"#;
        let request = AiRequest::parse(Dialect::Chat, Bytes::from_static(body.as_bytes())).unwrap();
        assert_eq!(request.max_output_tokens, Some(30));
    }
}
