//! Failures that come in an answer whose status was 200: those that the provider reports, and answers that are none.

use serde_json::{Value, json};

use crate::ai::dialects::error;
use crate::error::{ErrorKind, RequestError};

/// A failure that a provider reports inside an answer whose status was 200. Compatible servers put the status it
/// should have had into `code`.
pub(super) fn fault(reported: &Value) -> RequestError {
    let status = reported
        .get("code")
        .and_then(|code| match code {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        })
        .and_then(|code| u16::try_from(code).ok())
        .filter(|code| (400..600).contains(code))
        .unwrap_or(502);
    if matches!(status, 401 | 403) {
        // About the gateway's own credential; the words may name it.
        return RequestError::new(
            ErrorKind::ProviderCredentialRefused,
            format!(
                "The provider refused the gateway's credential with code {status}. \
                 Its operator must check the provider's `api_key_env`."
            ),
        );
    }
    let envelope = json!({ "error": reported }).to_string();
    error::provider_error("", status, envelope.as_bytes(), None)
}

/// A choice that ended in `finish_reason: "error"`, whatever it says beside that.
pub(super) fn failed_choice(word: &str, reported: Option<&Value>) -> RequestError {
    match reported {
        Some(reported) => fault(reported),
        None => fault(&json!({
            "message": "The provider broke its answer off and reports that it failed.",
            "code": word,
        })),
    }
}

/// What an event of a stream is that no reader of chunks can read.
pub(super) const NO_CHUNK: &str =
    "The provider's stream holds a chunk that is not a chat completion chunk.";

pub(super) fn protocol_error(message: &'static str) -> RequestError {
    RequestError::new(ErrorKind::ProviderProtocolError, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_has_the_status_that_its_code_names() {
        let check = |reported: Value, status: u16, message: &str| {
            let error = fault(&reported);
            assert_eq!(error.status(), status, "{reported}");
            assert_eq!(error.message, message);
        };
        check(json!({"message": "slow", "code": 429}), 429, "slow");
        check(json!({"message": "slow", "code": "503"}), 503, "slow");
        check(
            json!({"message": "odd", "code": "server_error"}),
            502,
            "odd",
        );
        check(json!({"message": "odd", "code": 7}), 502, "odd");
        check(json!("overloaded"), 502, "overloaded");
        let refused = fault(&json!({"message": "key sk-1 is bad", "code": 401}));
        assert_eq!(refused.kind, ErrorKind::ProviderCredentialRefused);
        assert!(!refused.message.contains("sk-1"));
        let bare = failed_choice("error", None);
        assert_eq!(bare.provider.unwrap().code.as_deref(), Some("error"));
    }
}
