//! Errors in Anthropic's shape. A provider's is read by [`crate::ai::dialects::provider_error`]: its envelope holds
//! the same `error.type` and `error.message`. <https://docs.anthropic.com/en/api/errors>

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::ai::dialects::{error, provider_error};
use crate::error::{ErrorKind, RequestError};

/// Anthropic's error types with the status each comes with. The first of a status is the one that is written for it.
const TYPES: [(&str, u16); 11] = [
    ("invalid_request_error", 400),
    ("authentication_error", 401),
    ("billing_error", 402),
    ("permission_error", 403),
    ("not_found_error", 404),
    ("conflict_error", 409),
    ("request_too_large", 413),
    ("rate_limit_error", 429),
    ("api_error", 500),
    ("timeout_error", 504),
    ("overloaded_error", 529),
];

/// The envelope of an error: Anthropic's fields, and beside them the gateway's `code` and `param`.
pub(in crate::ai) fn error_body(error: &RequestError, request_id: &str) -> Value {
    let fault = error.provider.as_deref();
    let by_status = type_of(error.status());
    // The word for whatever is wrong with a request: others use it where Anthropic has one of its own.
    let says_more = |own: &&str| *own != TYPES[0].0 && TYPES.iter().any(|(known, _)| known == own);
    let own_type = fault
        .and_then(|fault| fault.r#type.as_deref())
        .filter(says_more);
    let code = fault
        .and_then(|fault| fault.code.as_deref())
        .unwrap_or_else(|| error.code());
    json!({
        "type": "error",
        "error": {
            "type": own_type.unwrap_or(by_status),
            "message": error.message,
            "code": code,
            "param": error.param,
        },
        "request_id": request_id,
    })
}

fn type_of(status: u16) -> &'static str {
    let exact = TYPES.iter().find(|(_, known)| *known == status);
    match (exact, status) {
        (Some((word, _)), _) => word,
        (None, 408) => "timeout_error",
        (None, 503) => "overloaded_error",
        (None, 400..=499) => "invalid_request_error",
        _ => "api_error",
    }
}

/// `event: error`, after which nothing comes.
pub(super) fn error_event(error: &RequestError, request_id: &str) -> Bytes {
    error::event(Some("error"), &error_body(error, request_id))
}

/// A failure that a provider reports inside of an answer that began with 200. It gets the status that its type has
/// elsewhere, which decides whether another attempt can help.
pub(super) fn failure(body: &[u8]) -> RequestError {
    #[derive(Deserialize)]
    struct Envelope {
        error: Detail,
    }
    #[derive(Deserialize)]
    struct Detail {
        r#type: String,
    }
    let known = serde_json::from_slice::<Envelope>(body)
        .ok()
        .and_then(|envelope| {
            let found = |entry: &&(&str, u16)| entry.0 == envelope.error.r#type;
            TYPES.iter().find(found)
        });
    let status = match known {
        // The provider had let the gateway in already; its credential is not what failed.
        None | Some((_, 401 | 403)) => ErrorKind::ProviderError.status(),
        Some((_, status)) => *status,
    };
    provider_error("", status, body, None)
}

/// An answer, or an event of one, that is not what the API promises.
pub(super) fn not_the_api(what: &'static str) -> RequestError {
    RequestError::new(ErrorKind::ProviderProtocolError, what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ProviderFault;

    #[test]
    fn every_status_has_a_type() {
        for (status, expected) in [
            (400, "invalid_request_error"),
            (401, "authentication_error"),
            (402, "billing_error"),
            (403, "permission_error"),
            (404, "not_found_error"),
            (405, "invalid_request_error"),
            (408, "timeout_error"),
            (413, "request_too_large"),
            (422, "invalid_request_error"),
            (429, "rate_limit_error"),
            (500, "api_error"),
            (502, "api_error"),
            (503, "overloaded_error"),
            (504, "timeout_error"),
            (529, "overloaded_error"),
        ] {
            assert_eq!(type_of(status), expected, "{status}");
        }
    }

    #[test]
    fn an_envelope_has_the_gateways_code_and_param_beside_anthropics_fields() {
        let error = RequestError::new(ErrorKind::InvalidRequest, "`n` must be 1.").with_param("n");
        assert_eq!(
            error_body(&error, "req-1"),
            json!({"type": "error", "request_id": "req-1", "error": {
                "type": "invalid_request_error", "message": "`n` must be 1.",
                "code": "invalid_request", "param": "n",
            }})
        );
    }

    #[test]
    fn a_providers_type_is_kept_where_it_is_one_of_these() {
        let check = |status, own: &str, expected: &str| {
            let error =
                RequestError::new(ErrorKind::ProviderError, "no").with_provider(ProviderFault {
                    status,
                    r#type: Some(own.into()),
                    code: Some("their_code".into()),
                });
            let body = error_body(&error, "r");
            assert_eq!(body["error"]["type"], expected, "{own}");
            assert_eq!(body["error"]["code"], "their_code");
        };
        check(529, "overloaded_error", "overloaded_error");
        check(400, "billing_error", "billing_error");
        check(429, "tokens", "rate_limit_error");
        check(404, "invalid_request_error", "not_found_error");
        check(400, "invalid_request_error", "invalid_request_error");
        check(500, "server_error", "api_error");
    }

    #[test]
    fn a_failure_inside_an_answer_has_the_status_of_its_type() {
        let check = |json: &str, status: u16, message: &str| {
            let error = failure(json.as_bytes());
            assert_eq!(error.status(), status, "{json}");
            assert_eq!(error.message, message, "{json}");
        };
        check(
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            529,
            "Overloaded",
        );
        check(
            r#"{"type":"error","error":{"type":"permission_error","message":"no"}}"#,
            502,
            "no",
        );
        check(
            r#"{"type":"error","error":{"type":"odd","message":"x"}}"#,
            502,
            "x",
        );
    }
}
