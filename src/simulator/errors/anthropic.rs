//! Anthropic's error envelope.

use serde_json::{Value, json};

use super::Problem;

pub(super) fn body(problem: &Problem, request_id: &str) -> Value {
    let message = match problem {
        Problem::NoKey => "x-api-key header is required".into(),
        Problem::WrongKey { .. } => "invalid x-api-key".into(),
        Problem::ContextWindow { tokens, tokens_max } => {
            format!("prompt is too long: {tokens} tokens > {tokens_max} maximum")
        }
        Problem::Failed | Problem::Status(529) => "Overloaded".into(),
        other => other.message(),
    };
    json!({
        "type": "error",
        "error": {"type": kind(problem), "message": message},
        "request_id": request_id,
    })
}

fn kind(problem: &Problem) -> &'static str {
    let status = match problem {
        Problem::Failed => 529,
        Problem::Status(status) => *status,
        Problem::NoKey | Problem::WrongKey { .. } => 401,
        Problem::NotFound { .. } => 404,
        Problem::TooLarge { .. } => 413,
        Problem::Invalid { .. }
        | Problem::MethodNotAllowed { .. }
        | Problem::ContextWindow { .. }
        | Problem::FilteredPrompt => 400,
    };
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}
