//! Why an attempt came to nothing: what the client is told, what the ledger says, and who may fare better.

use std::time::Duration;

use ferrogate_api::Outcome;
use serde::{Deserialize, de::IgnoredAny};
use serde_json::Value;

use crate::ai::dialects::{Dialect, is_context_window, read_error};
use crate::ai::upstream::UpstreamError;
use crate::error::{ErrorKind, Fault, RequestError};

/// Why an attempt came to nothing.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: RequestError,
    /// How the ledger calls it, if the provider saw the request.
    pub(super) outcome: Outcome,
    /// The same attempt may fare better later.
    pub(super) may_pass: bool,
    /// Another credential may fare better.
    pub(super) about_credential: bool,
    /// Another candidate may fare better.
    pub(super) elsewhere: bool,
    /// Nobody is to be asked again: there is no one left to answer, or nothing to pay with.
    pub(super) is_final: bool,
}

/// What is done after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The same candidate after a pause.
    Again(Duration),
    /// The same candidate with its next credential.
    Credential,
    Candidate,
    Nobody,
}

impl Next {
    /// For the decision trace: one clause.
    pub(super) fn describe(self, error: &RequestError) -> String {
        let why = match &error.provider {
            Some(fault) => format!("the provider answered {}", fault.status),
            None => error.kind.code().to_owned(),
        };
        match self {
            Self::Again(wait) => format!("tried again after {} ms: {why}", wait.as_millis()),
            Self::Credential => format!("tried the next credential: {why}"),
            Self::Candidate => format!("went on to the next candidate: {why}"),
            Self::Nobody => format!("gave up: {why}"),
        }
    }
}

impl Failure {
    /// Nobody is asked again.
    pub(super) fn for_good(error: RequestError, outcome: Outcome) -> Self {
        Self {
            error,
            outcome,
            may_pass: false,
            about_credential: false,
            elsewhere: false,
            is_final: true,
        }
    }

    /// The provider saw the request, and it came to nothing by no refusal of its own.
    pub(super) fn sent(error: RequestError, outcome: Outcome) -> Self {
        Self {
            may_pass: error.retry_can_help(),
            elsewhere: error.kind.fault() == Fault::Upstream,
            error,
            outcome,
            about_credential: false,
            is_final: false,
        }
    }

    /// The provider refused, in words of its own. A client's mistake is one everywhere; a prompt that is too long for
    /// one model may fit another.
    pub(super) fn refused(error: RequestError, status: u16) -> Self {
        let may_pass = matches!(status, 408 | 429 | 500..);
        let credential = error.kind == ErrorKind::ProviderCredentialRefused;
        Self {
            may_pass,
            about_credential: credential || status == 429,
            elsewhere: may_pass || credential || is_context_window(&error),
            error,
            outcome: Outcome::UpstreamError,
            is_final: false,
        }
    }

    /// An answer whose status was 200 is none. Where the provider itself says so, what it says the status should have
    /// been decides.
    pub(super) fn reported(error: RequestError) -> Self {
        let status = match (&error.provider, error.kind) {
            (Some(fault), _) => fault.status,
            (None, ErrorKind::ProviderCredentialRefused) => 401,
            (None, _) => return Self::sent(error, Outcome::UpstreamError),
        };
        Self::refused(error, status)
    }
}

/// The error in a whole answer whose status was 200 and which holds nothing else: some compatible servers know no other.
pub(super) fn inside(api: Dialect, provider: &str, body: &[u8]) -> Option<RequestError> {
    #[derive(Deserialize)]
    struct Told {
        error: Option<Value>,
        choices: Option<IgnoredAny>,
        output: Option<IgnoredAny>,
        content: Option<IgnoredAny>,
        candidates: Option<IgnoredAny>,
    }
    // Nearly every answer ends here, without another reading.
    memchr::memmem::find(body, b"\"error\"")?;
    let told: Told = serde_json::from_slice(body).ok()?;
    let error = told.error?;
    let is_error = error.is_object() || error.is_string();
    let answers = told.choices.is_some()
        || told.output.is_some()
        || told.content.is_some()
        || told.candidates.is_some();
    if !is_error || answers {
        return None;
    }
    let code = error.get("code").and_then(Value::as_u64);
    let status = code
        .and_then(|code| u16::try_from(code).ok())
        .filter(|code| (400..600).contains(code));
    let told = (status.unwrap_or(502), body);
    Some(read_error(api, provider, told, None))
}

/// The grace period is over: what is not answered by now will not be.
pub(in crate::ai) fn shutting_down() -> RequestError {
    RequestError::new(
        ErrorKind::NodeDraining,
        "The gateway is shutting down and could not wait for the provider any longer. Try again.",
    )
}

pub(super) fn unheard(provider: &str, error: &UpstreamError) -> Failure {
    tracing::warn!(
        provider,
        error = error as &dyn std::error::Error,
        "a provider could not be heard"
    );
    let kind = match error {
        UpstreamError::ConnectTimeout(_) => ErrorKind::ProviderTimeout,
        UpstreamError::Receive(_) => ErrorKind::ProviderProtocolError,
        _ => ErrorKind::ProviderUnreachable,
    };
    let error = RequestError::new(kind, format!("Provider `{provider}` failed: {error}."));
    Failure::sent(error, Outcome::UpstreamError)
}

pub(super) fn cut(error: &UpstreamError) -> Failure {
    Failure::sent(
        RequestError::new(
            ErrorKind::ProviderProtocolError,
            format!("The provider's answer was cut: {error}."),
        ),
        Outcome::UpstreamCut,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ProviderFault;

    fn refusal(kind: ErrorKind, status: u16, code: Option<&str>) -> Failure {
        let error = RequestError::new(kind, "no").with_provider(ProviderFault {
            status,
            r#type: None,
            code: code.map(str::to_owned),
        });
        Failure::refused(error, status)
    }

    #[test]
    fn who_may_fare_better_follows_from_the_status() {
        let check = |failure: &Failure, expected: (bool, bool, bool)| {
            let found = (
                failure.may_pass,
                failure.about_credential,
                failure.elsewhere,
            );
            assert_eq!(found, expected, "{:?}", failure.error);
        };
        let provider = ErrorKind::ProviderError;
        check(&refusal(provider, 400, None), (false, false, false));
        check(&refusal(provider, 404, None), (false, false, false));
        check(&refusal(provider, 408, None), (true, false, true));
        check(&refusal(provider, 429, None), (true, true, true));
        check(&refusal(provider, 503, None), (true, false, true));
        check(&refusal(provider, 529, None), (true, false, true));
        let too_long = Some("context_length_exceeded");
        check(&refusal(provider, 400, too_long), (false, false, true));
        let refused = ErrorKind::ProviderCredentialRefused;
        check(&refusal(refused, 401, None), (false, true, true));
    }

    #[test]
    fn an_error_inside_a_200_is_one_unless_there_is_an_answer_beside_it() {
        let check = |body: &str, expected: Option<u16>| {
            let found = inside(Dialect::Chat, "up", body.as_bytes());
            let status = found.map(|error| error.status());
            assert_eq!(status, expected, "{body}");
        };
        check(r#"{"error":{"message":"no","code":429}}"#, Some(429));
        check(r#"{"error":{"message":"no","code":"x"}}"#, Some(502));
        check(r#"{"error":"no"}"#, Some(502));
        check(r#"{"error":null,"id":"x"}"#, None);
        check(r#"{"error":{"message":"no"},"choices":[]}"#, None);
        check(
            r#"{"object":"response","error":{"code":"server_error"},"output":[]}"#,
            None,
        );
        check("[]", None);
        let refused = Failure::reported(RequestError::new(
            ErrorKind::ProviderCredentialRefused,
            "no",
        ));
        assert!(refused.about_credential && refused.elsewhere && !refused.may_pass);
        let limited = inside(Dialect::Chat, "up", br#"{"error":{"code":400}}"#).unwrap();
        assert!(!Failure::reported(limited).elsewhere);
    }

    #[test]
    fn a_failure_of_ours_is_nobody_elses_to_mend() {
        let gone = Failure::for_good(RequestError::client_gone(), Outcome::ClientGone);
        assert!(gone.is_final && !gone.elsewhere);
        let too_large = RequestError::new(ErrorKind::ProviderResponseTooLarge, "over");
        let failure = Failure::sent(too_large, Outcome::UpstreamError);
        assert!(!failure.may_pass && failure.elsewhere);
    }
}
