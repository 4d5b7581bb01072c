//! Errors in OpenAI's shape: reading a provider's, and writing ours into a chat stream.
//! <https://platform.openai.com/docs/guides/error-codes>

use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;

use crate::error::{ErrorKind, ProviderFault, RequestError};

/// How much of a provider's message is passed on when its body is no error envelope.
const PLAIN_MESSAGE_CHARS_MAX: usize = 300;

#[derive(Deserialize)]
struct Envelope {
    error: EnvelopeError,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum EnvelopeError {
    Detail(Detail),
    /// Some compatible servers send the message alone.
    Text(String),
}

#[derive(Deserialize)]
struct Detail {
    message: Option<String>,
    r#type: Option<String>,
    param: Option<String>,
    /// A text at OpenAI's, a number at some compatible servers.
    code: Option<serde_json::Value>,
}

/// A provider's refusal as the client is to see it: its own status, type, code and words.
///
/// A 401 or 403 is about the credential that the gateway presented, not about the client's: the client gets 502.
pub fn provider_error(
    provider: &str,
    status: u16,
    body: &[u8],
    retry_after: Option<Duration>,
) -> RequestError {
    let (message, detail) = match serde_json::from_slice::<Envelope>(body) {
        Ok(Envelope {
            error: EnvelopeError::Detail(detail),
        }) => (detail.message.clone(), Some(detail)),
        Ok(Envelope {
            error: EnvelopeError::Text(text),
        }) => (Some(text), None),
        Err(_) => (plain_message(body), None),
    };
    let message =
        message.unwrap_or_else(|| format!("Provider `{provider}` answered with status {status}."));
    if matches!(status, 401 | 403) {
        return RequestError::new(
            ErrorKind::ProviderCredentialRefused,
            format!(
                "Provider `{provider}` refused the gateway's credential with status {status}. \
                 Its operator must check the provider's `api_key_env`."
            ),
        );
    }
    let code = detail.as_ref().and_then(|detail| match &detail.code {
        Some(serde_json::Value::String(code)) => Some(code.clone()),
        Some(serde_json::Value::Number(code)) => Some(code.to_string()),
        _ => None,
    });
    let (r#type, param) = detail.map_or((None, None), |detail| (detail.r#type, detail.param));
    let mut error =
        RequestError::new(ErrorKind::ProviderError, message).with_provider(ProviderFault {
            status,
            r#type,
            code,
        });
    error.param = param.map(Into::into);
    error.retry_after = retry_after;
    error
}

/// A body that is no envelope, if it is short readable text.
fn plain_message(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?.trim();
    let readable = !text.is_empty() && !text.starts_with('<') && !text.starts_with('{');
    readable.then(|| text.chars().take(PLAIN_MESSAGE_CHARS_MAX).collect())
}

/// The event that ends a broken chat stream: an `error` object, and no `[DONE]` after it.
pub(super) fn chat_event(error: &RequestError, request_id: &str) -> Bytes {
    event(None, &error.openai_body(request_id))
}

/// One server-sent event with `data` as JSON.
pub(super) fn event(name: Option<&str>, data: &impl serde::Serialize) -> Bytes {
    let json = serde_json::to_string(data).expect("an error envelope is plain strings");
    match name {
        Some(name) => format!("event: {name}\ndata: {json}\n\n"),
        None => format!("data: {json}\n\n"),
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_providers_words_are_kept_whatever_shape_they_have() {
        let check = |status, body: &str, message: &str, code: Option<&str>| {
            let error = provider_error("up", status, body.as_bytes(), None);
            assert_eq!(error.message, message);
            assert_eq!(error.status(), status);
            assert_eq!(error.provider.unwrap().code.as_deref(), code);
        };
        check(
            429,
            r#"{"error":{"message":"slow down","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#,
            "slow down",
            Some("rate_limit_exceeded"),
        );
        check(
            400,
            r#"{"error":{"message":"no","code":400}}"#,
            "no",
            Some("400"),
        );
        check(500, r#"{"error":"oops"}"#, "oops", None);
        check(503, "busy", "busy", None);
        check(
            502,
            "<html>bad gateway</html>",
            "Provider `up` answered with status 502.",
            None,
        );
    }

    #[test]
    fn a_refused_credential_is_not_the_clients_401() {
        let error = provider_error(
            "up",
            401,
            b"{\"error\":{\"message\":\"key sk-1 is bad\"}}",
            None,
        );
        assert_eq!(error.kind, ErrorKind::ProviderCredentialRefused);
        assert_eq!(error.status(), 502);
        assert!(!error.message.contains("sk-1"));
    }
}
