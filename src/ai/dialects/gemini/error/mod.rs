//! Errors in Google's shape, both directions. <https://ai.google.dev/gemini-api/docs/troubleshooting>
//!
//! A code that repeats the HTTP status, a message, a status word of `google.rpc.Code`, and details by type: the
//! reason and what it is about (`ErrorInfo`), how long to wait (`RetryInfo`).

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::whole::Whole;
use super::wire::null_is_empty;
use crate::ai::dialects::error;
use crate::error::{ErrorKind, ProviderFault, RequestError};

const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";
/// The reason Google gives, with a 400, for a key it does not know.
const API_KEY_INVALID: &str = "API_KEY_INVALID";
/// A provider that fails inside an answer and does not say with which status.
const STATUS_UNKNOWN: u16 = 502;

/// What stands under `error`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fault {
    code: Option<Whole>,
    message: Option<String>,
    status: Option<String>,
    #[serde(deserialize_with = "null_is_empty")]
    details: Vec<Value>,
}

#[derive(Deserialize)]
struct Envelope {
    error: Fault,
}

/// What a client of this dialect is told.
pub(in crate::ai) fn error_body(error: &RequestError, request_id: &str) -> Value {
    let own_code = error.provider.as_ref().and_then(|own| own.code.as_deref());
    let mut metadata = json!({"request_id": request_id});
    if let Some(param) = &error.param {
        metadata["param"] = json!(param);
    }
    let mut details = vec![json!({
        "@type": ERROR_INFO,
        // `ErrorInfo` wants its reason in upper case; it is the same code as on every other surface.
        "reason": own_code.unwrap_or(error.code()).to_ascii_uppercase(),
        "domain": "ferrogate",
        "metadata": metadata,
    })];
    if let Some(wait) = error.retry_after {
        let seconds = wait.as_millis().div_ceil(1000);
        details.push(json!({"@type": RETRY_INFO, "retryDelay": format!("{seconds}s")}));
    }
    let status = error.status();
    json!({"error": {
        "code": status,
        "message": error.message,
        "status": own_code.filter(|code| is_status_word(code)).unwrap_or(status_word(status)),
        "details": details,
    }})
}

/// The event that ends a broken stream; nothing follows it.
pub(in crate::ai) fn error_event(error: &RequestError, request_id: &str) -> Bytes {
    error::event(None, &error_body(error, request_id))
}

/// A provider's refusal as the client is to see it, in Google's words where the body is Google's envelope.
pub(in crate::ai) fn provider_error(
    provider: &str,
    (status, body): (u16, &[u8]),
    retry_after: Option<Duration>,
) -> RequestError {
    let Some(fault) = read_error(body) else {
        return error::provider_error(provider, status, body, retry_after);
    };
    let subject = format!("Provider `{provider}`");
    fault.into_error(&subject, status, retry_after)
}

/// The error in a body; streams that are no events, and some proxies, wrap it in an array of one.
pub(super) fn read_error(body: &[u8]) -> Option<Fault> {
    // Asked first: serde takes an array for a struct, too.
    if body.trim_ascii_start().starts_with(b"[") {
        let [only] = serde_json::from_slice::<[Envelope; 1]>(body).ok()?;
        return Some(only.error);
    }
    serde_json::from_slice::<Envelope>(body)
        .ok()
        .map(|envelope| envelope.error)
}

impl Fault {
    /// The failure that a provider reports inside an answer or a stream.
    pub(super) fn into_answer_error(self) -> RequestError {
        let code = self.code.and_then(|code| u16::try_from(code.0).ok());
        let status = code.filter(|code| (400..600).contains(code));
        self.into_error("The provider", status.unwrap_or(STATUS_UNKNOWN), None)
    }

    fn into_error(self, subject: &str, status: u16, retry_after: Option<Duration>) -> RequestError {
        let refused_key = matches!(status, 401 | 403) || self.reason() == Some(API_KEY_INVALID);
        if refused_key {
            return RequestError::new(
                ErrorKind::ProviderCredentialRefused,
                format!(
                    "{subject} refused the gateway's credential with status {status}. \
                     Its operator must check the provider's `api_key_env`."
                ),
            );
        }
        let retry_after = retry_after.or_else(|| self.retry_delay());
        let message = self
            .message
            .unwrap_or_else(|| format!("{subject} answered with status {status}."));
        let mut error =
            RequestError::new(ErrorKind::ProviderError, message).with_provider(ProviderFault {
                status,
                r#type: Some(openai_type(status).to_owned()),
                code: self.status,
            });
        error.retry_after = retry_after;
        error
    }

    fn reason(&self) -> Option<&str> {
        self.detail(ERROR_INFO)?.get("reason")?.as_str()
    }

    /// `"34.07s"`.
    fn retry_delay(&self) -> Option<Duration> {
        let delay = self.detail(RETRY_INFO)?.get("retryDelay")?.as_str()?;
        let seconds: f64 = delay.strip_suffix('s')?.parse().ok()?;
        Duration::try_from_secs_f64(seconds).ok()
    }

    fn detail(&self, r#type: &str) -> Option<&Value> {
        self.details
            .iter()
            .find(|detail| detail.get("@type").and_then(Value::as_str) == Some(r#type))
    }
}

/// The word of `google.rpc.Code` that belongs to an HTTP status.
fn status_word(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        408 | 504 => "DEADLINE_EXCEEDED",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        400..=498 => "INVALID_ARGUMENT",
        501 => "UNIMPLEMENTED",
        // 529 is how others say that they are overloaded.
        502 | 503 | 529 => "UNAVAILABLE",
        _ => "INTERNAL",
    }
}

/// Whether a provider's own code is one of Google's words, so that it is passed on as it is.
fn is_status_word(code: &str) -> bool {
    const WORDS: [&str; 14] = [
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "UNAUTHENTICATED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNAVAILABLE",
        "INTERNAL",
    ];
    WORDS.contains(&code)
}

/// The `type` that clients of OpenAI's dialects expect beside such a status.
fn openai_type(status: u16) -> &'static str {
    match status {
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    }
}

#[cfg(test)]
mod tests;
