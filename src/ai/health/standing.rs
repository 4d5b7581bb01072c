//! How one candidate stands at one moment: what routing goes by.

use super::{Health, credentials::Credentials};
use crate::ai::models::Candidate;

/// How one candidate stands at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Until when the circuit breaker lets nothing through; `None` when it does.
    pub shut_until_unix_ms: Option<i64>,
    pub credentials: CredentialStanding,
    /// Average time to the first content of a stream, or to a whole answer; `None` where it was not measured lately.
    pub latency_us: Option<u64>,
    /// Share of recent attempts that failed by the provider's fault; `None` before the first one.
    pub failure_permille: Option<u32>,
    /// Half or more of them failed.
    pub failing: bool,
}

/// How a provider's credentials stand together: as the best of them does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialStanding {
    /// One can be presented, or none is needed.
    Live,
    /// All are over a limit, or were forbidden something; the first is back then.
    Resting { until_unix_ms: i64 },
    /// All were refused; the first is tried again then.
    Refused { until_unix_ms: i64 },
    /// None of their variables is set.
    Unset,
}

impl Health {
    /// How `candidate` stands; its latency for streams, or for whole answers.
    pub fn standing(&self, candidate: &Candidate, stream: bool, now_unix_ms: i64) -> Standing {
        let provider = &*candidate.provider;
        let Some(tracked) = self.known(&provider.name) else {
            return Standing {
                shut_until_unix_ms: None,
                credentials: Credentials::default().standing(provider, now_unix_ms),
                latency_us: None,
                failure_permille: None,
                failing: false,
            };
        };
        let state = tracked.0.lock();
        let model = state.models.get(&candidate.provider_model);
        Standing {
            shut_until_unix_ms: state.breaker.shut_until(now_unix_ms, self.options()),
            credentials: state.credentials.standing(provider, now_unix_ms),
            latency_us: model.and_then(|model| model.latency_us(stream, now_unix_ms)),
            failure_permille: model.map(|model| model.failure_permille(now_unix_ms)),
            failing: model.is_some_and(|model| model.is_failing(now_unix_ms)),
        }
    }
}
