//! OpenAI's error envelope, and Azure's exceptions from it.

use serde_json::{Value, json};

use super::Problem;
use crate::simulator::route::Endpoint;

/// OpenAI's error envelope.
pub(super) fn body(problem: &Problem, endpoint: Endpoint) -> Value {
    let message = message(problem, endpoint);
    let mut param = Value::Null;
    let (kind, code) = match problem {
        Problem::Invalid {
            param: at, code, ..
        } => {
            param = json!(at);
            ("invalid_request_error", *code)
        }
        Problem::NotFound { code, .. } => ("invalid_request_error", *code),
        Problem::Status(429) => ("requests", Some("rate_limit_exceeded")),
        Problem::Status(401) | Problem::WrongKey { .. } => {
            ("invalid_request_error", Some("invalid_api_key"))
        }
        Problem::ContextWindow { .. } => {
            param = match endpoint {
                Endpoint::Chat => "messages".into(),
                _ => "input".into(),
            };
            ("invalid_request_error", Some("context_length_exceeded"))
        }
        Problem::FilteredPrompt => {
            param = "prompt".into();
            ("invalid_request_error", Some("content_filter"))
        }
        Problem::Status(500..) => ("server_error", None),
        Problem::Failed => ("server_error", Some("server_error")),
        Problem::Status(_)
        | Problem::NoKey
        | Problem::MethodNotAllowed { .. }
        | Problem::TooLarge { .. } => ("invalid_request_error", None),
    };
    json!({"error": {"message": message, "type": kind, "param": param, "code": code}})
}

fn message(problem: &Problem, endpoint: Endpoint) -> String {
    match problem {
        Problem::Status(401) => "Incorrect API key provided.".into(),
        Problem::WrongKey { last_four } => format!(
            "Incorrect API key provided: …{last_four}. You can find your API key at \
             https://platform.openai.com/account/api-keys."
        ),
        Problem::NoKey => "You didn't provide an API key. You need to provide your API key in an Authorization header \
             using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
            .into(),
        Problem::ContextWindow { tokens, tokens_max } => match endpoint {
            Endpoint::Chat => format!(
                "This model's maximum context length is {tokens_max} tokens. However, your messages resulted in \
                 {tokens} tokens. Please reduce the length of the messages."
            ),
            Endpoint::Embeddings => format!(
                "This model's maximum context length is {tokens_max} tokens, however you requested {tokens} tokens. \
                 Please reduce your prompt."
            ),
            _ => "Your input exceeds the context window of this model. Please adjust your input and try again."
                .into(),
        },
        Problem::FilteredPrompt => {
            "Invalid prompt: your prompt was flagged as potentially violating our usage policy.".into()
        }
        other => other.message(),
    }
}

/// What Azure words in its own way.
pub(super) fn azure_body(problem: &Problem) -> Option<Value> {
    let (code, message) = match problem {
        Problem::NoKey | Problem::WrongKey { .. } | Problem::Status(401) => (
            "401",
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key \
             for an active subscription and use a correct regional API endpoint for your resource.",
        ),
        Problem::Status(429) => (
            "429",
            "Requests to this deployment have exceeded the rate limit of its pricing tier. Please retry after the \
             time that the headers name.",
        ),
        Problem::NotFound { .. } => ("404", "Resource not found"),
        Problem::FilteredPrompt => return Some(filtered()),
        _ => return None,
    };
    Some(json!({"error": {"code": code, "message": message}}))
}

fn filtered() -> Value {
    let harmless = json!({"filtered": false, "severity": "safe"});
    json!({"error": {
        "message": "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. \
            Please modify your prompt and retry.",
        "type": null,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {
                "hate": harmless, "self_harm": harmless, "sexual": harmless,
                "violence": {"filtered": true, "severity": "high"},
            },
        },
    }})
}
