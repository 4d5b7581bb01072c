//! Google's error envelope, with its status words and details.

use serde_json::{Value, json};

use super::Problem;
use crate::simulator::route::Surface;

pub(super) fn body(problem: &Problem, retry_after_secs: Option<u32>) -> Value {
    let code = match problem {
        Problem::Failed => 503,
        other => other.status(Surface::Gemini),
    };
    let message = match problem {
        Problem::NoKey => "Method doesn't allow unregistered callers (callers without established identity). Please \
             use API Key or other form of API consumer identity to call this API."
            .into(),
        Problem::WrongKey { .. } => "API key not valid. Please pass a valid API key.".into(),
        Problem::ContextWindow { tokens, tokens_max } => format!(
            "The input token count ({tokens}) exceeds the maximum number of tokens allowed ({tokens_max})."
        ),
        Problem::Failed => "The model is overloaded. Please try again later.".into(),
        other => other.message(),
    };
    let mut error = json!({"code": code, "message": message, "status": status_word(code)});
    let details = details(problem, retry_after_secs);
    if !details.is_empty() {
        error["details"] = details.into();
    }
    json!({"error": error})
}

fn details(problem: &Problem, retry_after_secs: Option<u32>) -> Vec<Value> {
    match problem {
        Problem::WrongKey { .. } => vec![
            json!({
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": {"service": "generativelanguage.googleapis.com"},
            }),
            json!({
                "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
                "locale": "en-US",
                "message": "API key not valid. Please pass a valid API key.",
            }),
        ],
        Problem::Status(429) => vec![
            json!({
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{
                    "quotaMetric": "generativelanguage.googleapis.com/generate_content_requests",
                    "quotaId": "GenerateRequestsPerMinutePerProjectPerModel",
                }],
            }),
            json!({
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": format!("{}s", retry_after_secs.unwrap_or_default()),
            }),
        ],
        _ => Vec::new(),
    }
}

/// The word for an HTTP status.
fn status_word(code: u16) -> &'static str {
    match code {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        400..=499 => "INVALID_ARGUMENT",
        501 => "UNIMPLEMENTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    }
}
