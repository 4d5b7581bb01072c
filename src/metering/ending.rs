//! How a request ends that comes to no good end: what it is called, and what its client is told.

use ferrogate_api::Outcome;

use crate::error::{ErrorKind, RequestError};
use crate::store::StoreError;

/// An operator ended it through the admin API.
pub fn request_killed() -> RequestError {
    RequestError::new(
        ErrorKind::RequestKilled,
        "An operator of the gateway ended this request. Ask them why before you send it again.",
    )
}

pub(super) fn ledger_error(error: StoreError) -> RequestError {
    tracing::error!(%error, "the ledger could not be written");
    RequestError::new(
        ErrorKind::LedgerUnavailable,
        "The gateway could not write its ledger, and answers nothing it cannot account for. Try again shortly.",
    )
}

pub(super) fn outcome_of(kind: ErrorKind, upstream_was_asked: bool) -> Outcome {
    match kind {
        ErrorKind::ClientClosedRequest => Outcome::ClientGone,
        ErrorKind::StreamTimeLimit
        | ErrorKind::UpstreamTimeout
        | ErrorKind::ProviderTimeout
        | ErrorKind::NodeDraining => Outcome::TimeLimit,
        ErrorKind::ProviderStalled => Outcome::Stalled,
        ErrorKind::RequestKilled => Outcome::Killed,
        _ if upstream_was_asked => Outcome::UpstreamError,
        _ => Outcome::Refused,
    }
}
