//! Errors by surface: the envelope that a client's library reads, and what a provider's says.

use std::time::Duration;

use serde_json::Value;

use super::{Dialect, error::provider_error, gemini, messages};
use crate::error::RequestError;
use crate::routes::Surface;

/// The error envelope of the libraries that call this surface.
pub fn error_body(surface: Surface, error: &RequestError, request_id: &str) -> Value {
    match surface {
        Surface::OpenAi => serde_json::to_value(error.openai_body(request_id)).unwrap_or_default(),
        Surface::Anthropic => messages::error_body(error, request_id),
        Surface::Gemini => gemini::error_body(error, request_id),
    }
}

/// A refusal of a provider that speaks `api`, as the client is to see it. A prompt that is too long gets OpenAI's code
/// for it, whoever says so: agents shorten their history when they read it.
pub fn read_error(
    api: Dialect,
    provider: &str,
    (status, body): (u16, &[u8]),
    retry_after: Option<Duration>,
) -> RequestError {
    let mut error = match api {
        Dialect::Gemini | Dialect::GeminiEmbeddings => {
            gemini::provider_error(provider, (status, body), retry_after)
        }
        Dialect::Chat | Dialect::Responses | Dialect::Messages | Dialect::Embeddings => {
            provider_error(provider, status, body, retry_after)
        }
    };
    if is_context_window(&error)
        && let Some(fault) = &mut error.provider
    {
        fault.code = Some(CONTEXT_WINDOW_CODE.to_owned());
    }
    error
}

/// OpenAI's.
const CONTEXT_WINDOW_CODE: &str = "context_length_exceeded";

/// What providers say, in lower case, when a prompt is longer than their model can read. OpenAI has a code for it;
/// the others have only words, which are those of their own errors.
const CONTEXT_WINDOW_WORDS: [&str; 5] = [
    "prompt is too long",
    "exceeds the maximum number of tokens allowed",
    "maximum context length",
    "exceed context limit",
    "context window",
];

/// Whether a provider refused because the prompt does not fit, so that a model with a larger window could take it.
pub fn is_context_window(error: &RequestError) -> bool {
    let Some(fault) = &error.provider else {
        return false;
    };
    if fault.code.as_deref() == Some(CONTEXT_WINDOW_CODE) {
        return true;
    }
    let message = error.message.to_lowercase();
    matches!(fault.status, 400 | 413)
        && CONTEXT_WINDOW_WORDS
            .iter()
            .any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_providers_way_of_saying_too_long_is_known() {
        let check = |api, status, body: &str, expected| {
            let error = read_error(api, "up", (status, body.as_bytes()), None);
            assert_eq!(is_context_window(&error), expected, "{body}");
            let code = error.openai_body("").error.code;
            assert_eq!(code == CONTEXT_WINDOW_CODE, expected, "{body}");
        };
        check(
            Dialect::Chat,
            400,
            r#"{"error":{"message":"This model's maximum context length is 8 tokens.","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
            true,
        );
        check(
            Dialect::Messages,
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 9 tokens > 8 maximum"}}"#,
            true,
        );
        check(
            Dialect::Gemini,
            400,
            r#"{"error":{"code":400,"message":"The input token count (9) exceeds the maximum number of tokens allowed (8).","status":"INVALID_ARGUMENT"}}"#,
            true,
        );
        check(
            Dialect::Messages,
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: required"}}"#,
            false,
        );
        check(
            Dialect::Chat,
            500,
            r#"{"error":{"message":"context window"}}"#,
            false,
        );
    }
}
