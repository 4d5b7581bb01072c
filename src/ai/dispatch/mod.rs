//! Trying the candidates until one answers: time limits, retries, and whose fault it was.
//!
//! Nothing reaches the client from here. A streamed answer is handed on once its first content event has come (or the
//! wait for it has run out), so that a 200 that dies at once can still be tried again; after that there is never a
//! silent switch.

mod failure;
mod headers;
mod precommit;

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use ferrogate_api::{Outcome, Phase};
use http::{HeaderMap, header};
use tokio::time::Instant;

use crate::ai::client::Client;
use crate::ai::dialects::{AiRequest, provider_error};
use crate::ai::models::Model;
use crate::ai::upstream::{Answer, Call};
use crate::ai::{Ai, Exchange};
use crate::error::{ErrorKind, RequestError};
use crate::governance::Permit;
use crate::metering::{Attempt, Recording};
use failure::{Failure, cut, unheard};
use headers::{call_headers, passed_headers, retry_after};

pub(super) use failure::shutting_down;
pub(super) use precommit::Opened;

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

impl Ai {
    /// Tries `model` until it answers, as often as `provider_dispatch_max_retries` allows.
    ///
    /// The permit is the proof that the request was admitted; without one nothing goes to a provider.
    pub(super) async fn dispatch<C: Client>(
        &self,
        _permit: &Permit,
        model: &Model,
        asked: &AiRequest,
        exchange: &mut Exchange<'_, C>,
    ) -> Result<Reply, RequestError> {
        let body = asked.for_provider(&model.provider_model)?;
        let headers = call_headers(model, exchange)?;
        let call = Call {
            provider: &model.provider,
            path: model.provider.path(asked.dialect.path()),
            headers: &headers,
            body,
        };
        let mut retries = 0;
        loop {
            exchange.recording.phase(Phase::Waiting);
            let began = Instant::now();
            let attempted = self.attempt(&call, model, asked, exchange).await;
            exchange.recording.waited(began.elapsed());
            let fault = attempted.as_ref().err().map(|failure| failure.error.kind);
            self.metrics.upstream_attempt(&model.provider.name, fault);
            let failure = match attempted {
                Ok(reply) => return Ok(reply),
                Err(failure) => failure,
            };
            exchange.recording.settle(failure.outcome);
            let wait = self.backoff(retries, failure.error.retry_after);
            let exhausted = retries >= self.limits.provider_dispatch_max_retries;
            let Some(wait) = wait.filter(|_| failure.may_pass && !exhausted) else {
                return Err(failure.error);
            };
            retries += 1;
            tokio::select! {
                () = tokio::time::sleep(wait) => exchange.recording.waited(wait),
                () = exchange.client.gone() => return Err(RequestError::client_gone()),
                () = self.cut.cancelled() => return Err(failure.error),
            }
        }
    }

    /// How long to wait before the next attempt; `None` when the provider asks for longer than we are willing to.
    fn backoff(&self, retries: u32, retry_after: Option<Duration>) -> Option<Duration> {
        let longest = self.limits.provider_retry_wait_max;
        if let Some(asked) = retry_after {
            return (asked <= longest).then_some(asked);
        }
        let base = self.limits.provider_retry_backoff;
        let ceiling = base
            .saturating_mul(2u32.saturating_pow(retries))
            .min(longest);
        // Full jitter, so that clients that failed together do not come back together.
        Some(ceiling.mul_f64(jitter()))
    }

    async fn attempt<C: Client>(
        &self,
        call: &Call<'_>,
        model: &Model,
        asked: &AiRequest,
        exchange: &mut Exchange<'_, C>,
    ) -> Result<Reply, Failure> {
        let output_max = asked
            .max_output_tokens
            .unwrap_or(model.default_max_output_tokens);
        exchange
            .recording
            .begin_attempt(Attempt::new(call.body.clone(), model.price), output_max)
            .await
            .map_err(Failure::unsent)?;
        let Exchange {
            client, recording, ..
        } = exchange;
        let name = &model.provider.name;
        let limit = if asked.stream {
            self.limits.provider_dispatch_timeout
        } else {
            self.limits.provider_response_timeout
        };
        let deadline = Instant::now() + limit;
        // Pinned where it is made: handed to `timeout` it would be copied, all ten kilobytes of it.
        let work = pin!(async {
            let answer = self
                .upstream
                .send(call, || {
                    if let Some(attempt) = recording.attempt() {
                        attempt.sent = true;
                    }
                })
                .await
                .map_err(|error| unheard(name, &error))?;
            if let Some(attempt) = recording.attempt() {
                attempt.status = answer.status();
            }
            if answer.status() >= 400 {
                return Err(self.refused(name, answer).await);
            }
            if asked.stream && is_event_stream(&answer) {
                self.open(answer, asked, deadline, recording).await
            } else {
                self.read_whole(answer, asked, recording).await
            }
        });
        tokio::select! { biased;
            result = work => result,
            () = client.gone() => Err(Failure::for_good(RequestError::client_gone(), Outcome::ClientGone)),
            () = self.cut.cancelled() => Err(Failure::for_good(shutting_down(), Outcome::TimeLimit)),
            () = tokio::time::sleep_until(deadline) => Err(Failure::sent(
                RequestError::new(
                    ErrorKind::ProviderTimeout,
                    format!("Provider `{name}` did not answer within {} s.", limit.as_secs()),
                ),
                Outcome::TimeLimit,
            )),
        }
    }

    /// Reads a refusal to its end and turns it into the client's error.
    async fn refused(&self, provider: &str, mut answer: Answer) -> Failure {
        let status = answer.status();
        let retry_after = answer.headers().and_then(retry_after);
        let max = self.limits.provider_response_body_max_bytes;
        let body = match collect(&mut answer, max).await {
            Ok(body) => {
                answer.release().await;
                body
            }
            // What it had to say is lost; its status is not.
            Err(_) => Bytes::new(),
        };
        Failure {
            error: provider_error(provider, status, &body, retry_after),
            outcome: Outcome::UpstreamError,
            may_pass: matches!(status, 408 | 429 | 500..),
        }
    }

    async fn read_whole(
        &self,
        mut answer: Answer,
        asked: &AiRequest,
        recording: &mut Recording,
    ) -> Result<Reply, Failure> {
        let max = self.limits.provider_response_body_max_bytes;
        let body = collect(&mut answer, max).await?;
        let status = answer.status();
        let headers = answer.headers().map(passed_headers).unwrap_or_default();
        answer.release().await;
        if is_json(&headers) && serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_err() {
            return Err(Failure::sent(
                RequestError::new(
                    ErrorKind::ProviderProtocolError,
                    "The provider's answer is not the JSON it says it is; it was cut short.",
                ),
                Outcome::UpstreamCut,
            ));
        }
        if let Some(attempt) = recording.attempt() {
            attempt.reported = asked.dialect.usage_of(&body);
            attempt.content_bytes = u64::try_from(body.len()).unwrap_or_default();
        }
        Ok(Reply::Whole {
            status,
            headers,
            body,
        })
    }
}

/// Reads a body to its end, up to `max` bytes.
async fn collect(answer: &mut Answer, max: u64) -> Result<Bytes, Failure> {
    let mut pieces: Vec<Bytes> = Vec::new();
    let mut total = 0u64;
    while let Some(piece) = answer.chunk().await.map_err(|error| cut(&error))? {
        total += u64::try_from(piece.len()).unwrap_or(u64::MAX);
        if total > max {
            return Err(Failure::sent(
                RequestError::new(
                    ErrorKind::ProviderResponseTooLarge,
                    format!(
                        "The provider's answer is over {max} bytes; raise `[reliability] provider_response_body_max_bytes`."
                    ),
                ),
                Outcome::UpstreamError,
            ));
        }
        pieces.push(piece);
    }
    Ok(match pieces.len() {
        1 => pieces.remove(0),
        _ => pieces.concat().into(),
    })
}

fn is_event_stream(answer: &Answer) -> bool {
    answer
        .headers()
        .and_then(|headers| headers.get(header::CONTENT_TYPE))
        .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"))
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/json"))
}

/// A number from 0 to 1 that differs between processes and calls.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let bits = RandomState::new().hash_one(0) >> 32;
    f64::from(u32::try_from(bits).unwrap_or_default()) / f64::from(u32::MAX)
}
