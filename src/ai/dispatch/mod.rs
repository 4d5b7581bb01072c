//! Trying the candidates until one answers: time limits, credentials, retries, fallbacks, and whose fault it was.
//!
//! Nothing reaches the client from here. A streamed answer is handed on once its first content event has come (or the
//! wait for it has run out), so that a 200 that dies at once can still be tried again; after that there is never a
//! silent switch.
//!
//! ```text
//!            ┌──────── the same again, after a pause ◀─ may pass, retries are left
//!            ├──────── the next credential, at once  ◀─ refused or limited, another is live
//! candidate ─┴▶ attempt ─▶ answered
//!                  ├─ may pass, no retry left; credential refused; prompt too long ─▶ the next candidate
//!                  └─ the client's fault, the client gone, shutting down ──────────▶ the error
//! ```

mod attempt;
mod failure;
mod fetch;
mod headers;
mod precommit;
mod whole;

use std::time::Duration;

use bytes::Bytes;
use ferrogate_api::Phase;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::time::Instant;

use super::request::Operation;
use super::routing::{Plan, Planned};
use super::turn::{Prepared, Turn};
use crate::ai::admission::Admitted;
use crate::ai::client::Client;
use crate::ai::health::{Pass, Settled};
use crate::ai::{Ai, Exchange};
use crate::error::{ErrorKind, RequestError};
use crate::metering::{AttemptNote, request_killed};
use failure::{Failure, Next};

pub(super) use failure::shutting_down;
pub(super) use fetch::fetch;
pub(super) use headers::PASSED_ON;
pub(super) use precommit::Opened;

/// Where a count comes from, when it is not the provider's.
const USAGE_SOURCE: HeaderName = HeaderName::from_static("x-ferrogate-usage-source");

/// A provider's answer, not yet sent to the client.
#[derive(Debug)]
pub(super) enum Reply {
    /// All of it.
    Whole {
        status: u16,
        headers: HeaderMap,
        body: Bytes,
    },
    /// A stream that has begun.
    Stream(Box<Opened>),
}

/// One candidate that is being asked, and what.
#[derive(Clone, Copy)]
struct Asking<'a> {
    planned: &'a Planned<'a>,
    prepared: &'a Prepared,
    turn: &'a Turn<'a>,
    /// There is nobody to go on to.
    last: bool,
}

/// What may still be tried.
struct Left {
    retries: u32,
    /// How many retries have been waited for.
    pauses: u32,
    /// Credentials that have not been presented.
    credentials: usize,
    /// Another candidate.
    others: bool,
}

/// Why there is no answer from one candidate, and what became of the request.
enum Unanswered {
    /// Another candidate may fare better.
    Passed(RequestError),
    Final(RequestError),
}

impl Ai {
    /// Tries the candidates of `plan`, each as often as `provider_dispatch_max_retries` allows.
    ///
    /// `admitted` is the proof that the request was admitted; without one nothing goes to a provider.
    pub(super) async fn dispatch<C: Client>(
        &self,
        _admitted: &Admitted,
        plan: &Plan<'_>,
        turn: &mut Turn<'_>,
        exchange: &mut Exchange<'_, C>,
    ) -> Result<Reply, RequestError> {
        if turn.asked.operation == Operation::CountTokens && !counts_tokens(plan) {
            return Ok(estimate(turn));
        }
        let mut unasked = None;
        let mut failed = None;
        for (number, planned) in (1..).zip(&plan.candidates) {
            let prepared = match turn.prepare(planned).await {
                Ok(prepared) => prepared,
                Err(error) => {
                    // What this candidate cannot be told, the next one may be.
                    exchange.recording.passed_over(name(planned), &error);
                    unasked.get_or_insert(error);
                    continue;
                }
            };
            let asking = Asking {
                planned,
                prepared: &prepared,
                turn,
                last: number == plan.candidates.len(),
            };
            match self.try_candidate(&asking, exchange).await {
                Ok(reply) => return Ok(reply),
                Err(Unanswered::Passed(error)) => failed = Some(error),
                Err(Unanswered::Final(error)) => return Err(error),
            }
        }
        Err(failed.or(unasked).unwrap_or_else(nobody))
    }

    async fn try_candidate<C: Client>(
        &self,
        asking: &Asking<'_>,
        exchange: &mut Exchange<'_, C>,
    ) -> Result<Reply, Unanswered> {
        let Asking {
            planned,
            turn,
            last,
            ..
        } = *asking;
        let candidate = planned.candidate;
        let provider = &candidate.provider;
        let recording = &mut *exchange.recording;
        recording.set_target(&turn.model, &provider.name);
        recording.log.provider_model = Some(candidate.provider_model.clone());
        let mut left = Left {
            retries: self.limits().provider_dispatch_max_retries,
            pauses: 0,
            // A key that comes back soon while its provider goes on refusing must not go round for ever.
            credentials: provider.credentials().len().saturating_sub(1),
            others: !last,
        };
        let mut failed = None;
        loop {
            exchange.recording.phase(Phase::Waiting);
            let pass = self
                .health
                .enter(provider, &candidate.provider_model, self.clock.unix_ms())
                // What it failed with says more than that it is left alone since.
                .map_err(|error| Unanswered::Passed(failed.take().unwrap_or(error)))?;
            let began = Instant::now();
            let attempted = self.attempt(asking, &pass, exchange).await;
            let took = began.elapsed();
            exchange.recording.waited(took);
            let note = AttemptNote {
                credential: pass.credential().map(|credential| credential.index),
                took,
                status: exchange
                    .recording
                    .attempt()
                    .map_or(0, |attempt| attempt.status),
            };
            let failure = match self.judge(pass, attempted, &note) {
                Ok(reply) => {
                    exchange.recording.answered(&note);
                    return Ok(reply);
                }
                Err(failure) => failure,
            };
            let recording = &mut *exchange.recording;
            recording.settle(failure.outcome);
            let next = self.next(planned, &failure, &mut left);
            recording.attempt_failed(&note, &failure.error, next.describe(&failure.error));
            match next {
                Next::Candidate => return Err(Unanswered::Passed(failure.error)),
                Next::Nobody => return Err(Unanswered::Final(failure.error)),
                Next::Credential => {}
                Next::Again(wait) => self
                    .pause(wait, failure.error.clone(), exchange)
                    .await
                    .map_err(Unanswered::Final)?,
            }
            failed = Some(failure.error);
        }
    }

    /// Tells health and metrics how an attempt went. A stream's pass goes on with it, for it may still break.
    fn judge(
        &self,
        mut pass: Pass,
        attempted: Result<Reply, Failure>,
        note: &AttemptNote,
    ) -> Result<Reply, Failure> {
        let fault = attempted.as_ref().err().map(|failure| failure.error.kind);
        self.metrics.upstream_attempt(pass.provider(), fault);
        let at_unix_ms = self.clock.unix_ms();
        match attempted {
            Ok(Reply::Stream(mut opened)) => {
                pass.answering(note.took, true);
                opened.pass = Some(pass);
                Ok(Reply::Stream(opened))
            }
            Ok(whole) => {
                pass.answering(note.took, false);
                pass.settle(Settled {
                    error: None,
                    status: note.status,
                    at_unix_ms,
                });
                Ok(whole)
            }
            Err(failure) => {
                pass.settle(Settled {
                    error: Some(&failure.error),
                    status: note.status,
                    at_unix_ms,
                });
                Err(failure)
            }
        }
    }

    /// What to do after a failure.
    fn next(&self, planned: &Planned<'_>, failure: &Failure, left: &mut Left) -> Next {
        if failure.is_final {
            return Next::Nobody;
        }
        let now = self.clock.unix_ms();
        let provider = &planned.candidate.provider;
        let another = left.credentials > 0 && self.health.has_live_credential(provider, now);
        if failure.about_credential && another {
            left.credentials -= 1;
            return Next::Credential;
        }
        if failure.may_pass && left.retries > 0 {
            let wait = self.backoff(left.pauses, failure.error.retry_after);
            if let Some(wait) = wait {
                left.retries -= 1;
                left.pauses += 1;
                return Next::Again(wait);
            }
        }
        if failure.elsewhere && left.others {
            Next::Candidate
        } else {
            Next::Nobody
        }
    }

    async fn pause<C: Client>(
        &self,
        wait: Duration,
        error: RequestError,
        exchange: &mut Exchange<'_, C>,
    ) -> Result<(), RequestError> {
        tokio::select! {
            () = tokio::time::sleep(wait) => {
                exchange.recording.waited(wait);
                Ok(())
            }
            () = exchange.client.gone() => Err(RequestError::client_gone()),
            () = exchange.recording.kill_switch().killed() => Err(request_killed()),
            () = self.cut.cancelled() => Err(error),
        }
    }

    /// How long to wait before the next attempt; `None` when the provider asks for longer than we are willing to.
    fn backoff(&self, retries: u32, retry_after: Option<Duration>) -> Option<Duration> {
        let longest = self.limits().provider_retry_wait_max;
        if let Some(asked) = retry_after {
            return (asked <= longest).then_some(asked);
        }
        let base = self.limits().provider_retry_backoff;
        let ceiling = base
            .saturating_mul(2u32.saturating_pow(retries))
            .min(longest);
        // Full jitter, so that clients that failed together do not come back together.
        Some(ceiling.mul_f64(jitter()))
    }
}

/// Whether the first candidate can count tokens itself.
fn counts_tokens(plan: &Plan<'_>) -> bool {
    plan.candidates.first().is_some_and(|planned| {
        let candidate = planned.candidate;
        let model = &candidate.provider_model;
        candidate
            .provider
            .target(planned.api, Operation::CountTokens, model, false)
            .is_some()
    })
}

/// A count for a provider that counts none itself, and an answer that says so.
fn estimate(turn: &Turn<'_>) -> Reply {
    let tokens = turn.asked.estimated_input_tokens();
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(USAGE_SOURCE, HeaderValue::from_static("estimated"));
    Reply::Whole {
        status: 200,
        headers,
        body: whole::write_count(turn.asked.dialect, tokens),
    }
}

/// A candidate as traces name it.
pub(super) fn name<'p>(planned: &Planned<'p>) -> (&'p str, &'p str) {
    let candidate = planned.candidate;
    (&candidate.provider.name, &candidate.provider_model)
}

/// Routing gives no plan without a candidate.
fn nobody() -> RequestError {
    RequestError::new(
        ErrorKind::InternalError,
        "The request was planned for nobody. Report it with the request id.",
    )
}

/// A number from 0 to 1 that differs between processes and calls.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let bits = RandomState::new().hash_one(0) >> 32;
    f64::from(u32::try_from(bits).unwrap_or_default()) / f64::from(u32::MAX)
}
