//! How a request counts that ended: charts, the live feed and filters all say the same.

use ferrogate_api::{Outcome, RequestLog};

/// How a request counts that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Good,
    /// A status of 400 to 499 other than 429.
    ClientError,
    /// 429: a client error too.
    RateLimited,
    /// A status of 500 or more, or it broke after the status was sent.
    ServerError,
}

impl Verdict {
    pub fn of(log: &RequestLog) -> Self {
        match log.status {
            429 => Self::RateLimited,
            400..=499 => Self::ClientError,
            500.. => Self::ServerError,
            _ if broke(log.outcome) => Self::ServerError,
            _ => Self::Good,
        }
    }
}

/// Whether the answer ended badly although its status was good. A client that leaves is nobody's error.
fn broke(outcome: Outcome) -> bool {
    match outcome {
        Outcome::UpstreamError
        | Outcome::UpstreamCut
        | Outcome::Stalled
        | Outcome::TimeLimit
        | Outcome::Killed
        | Outcome::Orphaned => true,
        Outcome::Complete | Outcome::Refused | Outcome::ClientGone => false,
    }
}
