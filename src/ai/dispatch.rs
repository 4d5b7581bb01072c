//! Trying the candidates until one answers: time limits, retries, and whose fault it was.
//!
//! Nothing reaches the client from here. A streamed answer is handed on once its first content event has come (or the
//! wait for it has run out), so that a 200 that dies at once can still be tried again; after that there is never a
//! silent switch.

use std::time::Duration;

use bytes::Bytes;
use ferrogate_api::{Outcome, Phase};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::time::Instant;

use crate::ai::client::Client;
use crate::ai::dialects::{AiRequest, Seen, StreamReader, provider_error};
use crate::ai::models::Model;
use crate::ai::streaming::sse::Splitter;
use crate::ai::upstream::{Answer, Call, UpstreamError};
use crate::ai::{Ai, Exchange};
use crate::config::Reliability;
use crate::error::{ErrorKind, RequestError};
use crate::governance::Permit;
use crate::metering::{Attempt, Recording};

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

/// A stream on its way, with what was held back of it.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) status: u16,
    pub(super) answer: Answer,
    pub(super) headers: HeaderMap,
    pub(super) reader: StreamReader,
    pub(super) splitter: Splitter,
    /// Whole events for the client, in order.
    pub(super) held: Vec<Bytes>,
    /// The closing event came already; it waits for the ledger.
    pub(super) closing: Option<Bytes>,
    /// When the call was sent.
    pub(super) began: Instant,
    /// Whether content has been seen.
    pub(super) content: bool,
}

/// Why an attempt came to nothing.
struct Failure {
    error: RequestError,
    /// How the ledger calls it; `None` when the provider never saw the request.
    outcome: Option<Outcome>,
    /// Another attempt may fare better.
    may_pass: bool,
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
            match failure.outcome {
                Some(outcome) => exchange.recording.settle(outcome),
                None => exchange.recording.withdraw_attempt(),
            }
            let wait = self.backoff(retries, failure.error.retry_after);
            let exhausted = retries >= self.limits.provider_dispatch_max_retries;
            let Some(wait) = wait.filter(|_| failure.may_pass && !exhausted) else {
                return Err(failure.error);
            };
            retries += 1;
            tokio::select! {
                () = tokio::time::sleep(wait) => exchange.recording.waited(wait),
                () = exchange.client.gone() => return Err(client_gone()),
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
        let work = async {
            let answer = self
                .upstream
                .send(call)
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
        };
        tokio::select! {
            result = tokio::time::timeout_at(deadline, work) => result.unwrap_or_else(|_| {
                Err(Failure::sent(
                    RequestError::new(
                        ErrorKind::ProviderTimeout,
                        format!("Provider `{name}` did not answer within {} s.", limit.as_secs()),
                    ),
                    Outcome::TimeLimit,
                ))
            }),
            () = client.gone() => Err(Failure {
                error: client_gone(),
                outcome: Some(Outcome::ClientGone),
                may_pass: false,
            }),
            () = self.cut.cancelled() => Err(Failure {
                error: shutting_down(),
                outcome: Some(Outcome::TimeLimit),
                may_pass: false,
            }),
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
            outcome: Some(Outcome::UpstreamError),
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

    /// Reads a stream up to its first content event, or for as long as holding it back is worth it.
    async fn open(
        &self,
        answer: Answer,
        asked: &AiRequest,
        deadline: Instant,
        recording: &mut Recording,
    ) -> Result<Reply, Failure> {
        let headers = answer.headers().map(passed_headers).unwrap_or_default();
        let mut opened = Box::new(Opened {
            status: answer.status(),
            answer,
            headers,
            reader: asked.dialect.stream_reader(),
            splitter: Splitter::default(),
            held: Vec::new(),
            closing: None,
            began: Instant::now(),
            content: false,
        });
        let give_up_holding = deadline.min(opened.began + self.limits.precommit_wait);
        loop {
            let chunk = tokio::select! { biased;
                chunk = opened.answer.chunk() => chunk,
                () = tokio::time::sleep_until(give_up_holding) => break,
            };
            let Some(chunk) = chunk.map_err(|error| cut(&error))? else {
                if opened.reader.may_end_here() {
                    break;
                }
                return Err(Failure::sent(
                    RequestError::new(
                        ErrorKind::ProviderProtocolError,
                        "The provider's stream ended before it had said anything.",
                    ),
                    Outcome::UpstreamCut,
                ));
            };
            opened.splitter.push(chunk);
            let done = opened.hold_events(asked, &self.limits)?;
            if done {
                break;
            }
        }
        if let Some(attempt) = recording.attempt() {
            attempt.reported = opened.reader.usage();
            attempt.content_bytes = opened.reader.content_bytes();
        }
        Ok(Reply::Stream(opened))
    }
}

impl Opened {
    /// Reads the events that are whole; true once there is no more reason to hold them back.
    fn hold_events(&mut self, asked: &AiRequest, limits: &Reliability) -> Result<bool, Failure> {
        while let Some(event) = self.splitter.next_event() {
            let seen = self
                .reader
                .read(&event, asked.wants_usage_event)
                .map_err(|error| Failure::sent(error, Outcome::UpstreamError))?;
            match seen {
                Seen::Preamble => self.held.push(event),
                Seen::Hidden => {}
                Seen::Content => {
                    self.held.push(event);
                    self.content = true;
                }
                Seen::Terminal => {
                    self.closing = Some(event);
                    return Ok(true);
                }
                Seen::Failed(error) => return Err(Failure::sent(*error, Outcome::UpstreamError)),
            }
        }
        let held: usize = self.held.iter().map(Bytes::len).sum();
        let held = held + self.splitter.pending();
        Ok(self.content || held > limits.precommit_max_bytes)
    }
}

impl Failure {
    fn unsent(error: RequestError) -> Self {
        Self {
            error,
            outcome: None,
            may_pass: false,
        }
    }

    fn sent(error: RequestError, outcome: Outcome) -> Self {
        Self {
            may_pass: error.kind.retry_can_help(),
            error,
            outcome: Some(outcome),
        }
    }
}

/// 499: nobody is there to read it, but the record names it.
pub(super) fn client_gone() -> RequestError {
    RequestError::new(
        ErrorKind::ClientClosedRequest,
        "The client left before it was answered.",
    )
}

/// The grace period is over: what is not answered by now will not be.
pub(super) fn shutting_down() -> RequestError {
    RequestError::new(
        ErrorKind::NodeDraining,
        "The gateway is shutting down and could not wait for the provider any longer. Try again.",
    )
}

fn unheard(provider: &str, error: &UpstreamError) -> Failure {
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
        outcome: error.may_have_been_sent().then_some(Outcome::UpstreamError),
        may_pass: true,
    }
}

fn cut(error: &UpstreamError) -> Failure {
    Failure::sent(
        RequestError::new(
            ErrorKind::ProviderProtocolError,
            format!("The provider's answer was cut: {error}."),
        ),
        Outcome::UpstreamCut,
    )
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

const OPENAI_BETA: HeaderName = HeaderName::from_static("openai-beta");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PROVIDER_REQUEST_ID: HeaderName = HeaderName::from_static("x-ferrogate-provider-request-id");

/// What of a provider's head the client gets to see.
const PASSED_BACK: [HeaderName; 4] = [
    header::CONTENT_TYPE,
    HeaderName::from_static("openai-processing-ms"),
    HeaderName::from_static("openai-version"),
    HeaderName::from_static("openai-model"),
];

fn passed_headers(from: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(PASSED_BACK.len() + 1);
    for name in PASSED_BACK {
        if let Some(value) = from.get(&name) {
            headers.insert(name, value.clone());
        }
    }
    if let Some(value) = from.get(&X_REQUEST_ID) {
        headers.insert(PROVIDER_REQUEST_ID, value.clone());
    }
    headers
}

/// The headers of a call: ours, the provider's credential, and the few of the client's that mean something to it.
fn call_headers<C: Client>(
    model: &Model,
    exchange: &Exchange<'_, C>,
) -> Result<HeaderMap, RequestError> {
    // Two more than here: host and length.
    let mut headers = HeaderMap::with_capacity(10);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    // Compressed answers could not be read for usage, nor streams passed on event by event.
    headers.insert(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("identity"),
    );
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("ferrogate/", env!("CARGO_PKG_VERSION"))),
    );
    if let Some(value) = model.provider.authorization()? {
        headers.insert(header::AUTHORIZATION, value.clone());
    }
    if let Ok(value) = HeaderValue::from_str(&exchange.recording.log.request_id) {
        headers.insert(X_REQUEST_ID, value);
    }
    headers.insert(TRACEPARENT, exchange.traceparent.clone());
    for name in [OPENAI_BETA, IDEMPOTENCY_KEY] {
        if let Some(value) = exchange.client.headers().get(&name) {
            headers.insert(name, value.clone());
        }
    }
    Ok(headers)
}

/// `retry-after-ms`, else `retry-after` in seconds; a date is rare enough to be left to the client.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    let seconds = number("retry-after-ms")
        .map(|ms| ms / 1000.0)
        .or_else(|| number("retry-after"))?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// A number from 0 to 1 that differs between processes and calls.
fn jitter() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    let bits = RandomState::new().hash_one(0) >> 32;
    f64::from(u32::try_from(bits).unwrap_or_default()) / f64::from(u32::MAX)
}
