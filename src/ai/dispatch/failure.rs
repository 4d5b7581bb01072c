//! Why an attempt came to nothing: what the client is told, what the ledger says, and whether another may fare better.

use ferrogate_api::Outcome;

use crate::ai::upstream::UpstreamError;
use crate::error::{ErrorKind, RequestError};

/// Why an attempt came to nothing.
pub(super) struct Failure {
    pub(super) error: RequestError,
    /// How the ledger calls it, if the provider saw the request.
    pub(super) outcome: Outcome,
    /// Another attempt may fare better.
    pub(super) may_pass: bool,
}

impl Failure {
    pub(super) fn unsent(error: RequestError) -> Self {
        Self {
            error,
            outcome: Outcome::Refused,
            may_pass: false,
        }
    }

    /// Nobody waits for another attempt.
    pub(super) fn for_good(error: RequestError, outcome: Outcome) -> Self {
        Self {
            error,
            outcome,
            may_pass: false,
        }
    }

    pub(super) fn sent(error: RequestError, outcome: Outcome) -> Self {
        Self {
            may_pass: error.kind.retry_can_help(),
            error,
            outcome,
        }
    }
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
    Failure {
        error: RequestError::new(kind, format!("Provider `{provider}` failed: {error}.")),
        outcome: Outcome::UpstreamError,
        may_pass: true,
    }
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
