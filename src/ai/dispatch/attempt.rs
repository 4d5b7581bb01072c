//! One attempt at one candidate with one credential.

use std::pin::pin;

use bytes::Bytes;
use ferrogate_api::Outcome;
use http::{Method, header};
use tokio::time::Instant;

use super::failure::{Failure, shutting_down, unheard};
use super::headers::{call_headers, retry_after};
use super::whole::collect;
use super::{Asking, Reply};
use crate::ai::client::Client;
use crate::ai::dialects::{Dialect, read_error};
use crate::ai::health::Pass;
use crate::ai::profiles::TimeLimits;
use crate::ai::upstream::{Answer, Call};
use crate::ai::{Ai, Exchange};
use crate::error::{ErrorKind, RequestError};
use crate::metering::{Attempt, Recording, request_killed};

impl Ai {
    pub(super) async fn attempt<C: Client>(
        &self,
        asking: &Asking<'_>,
        pass: &Pass,
        exchange: &mut Exchange<'_, C>,
    ) -> Result<Reply, Failure> {
        let Asking {
            planned,
            prepared,
            turn,
            ..
        } = *asking;
        let candidate = planned.candidate;
        let asked = turn.asked;
        let output_max = asked
            .max_output_tokens
            .unwrap_or(candidate.default_max_output_tokens);
        exchange
            .recording
            .begin_attempt(
                Attempt::new(prepared.body.clone(), candidate.price),
                output_max,
            )
            .await
            .map_err(|error| Failure::for_good(error, Outcome::Refused))?;
        let headers = call_headers(asking, pass.credential(), exchange);
        let call = Call {
            provider: &candidate.provider,
            method: Method::POST,
            path: prepared.path.clone(),
            headers: &headers,
            body: prepared.body.clone(),
        };
        let times = TimeLimits::of(&self.limits(), turn.profile.as_deref());
        let limit = if asked.stream {
            times.dispatch
        } else {
            times.response
        };
        let deadline = Instant::now() + limit;
        let Exchange {
            client, recording, ..
        } = exchange;
        let name = &candidate.provider.name;
        let kill_switch = recording.kill_switch().clone();
        // Pinned where it is made: handed to `timeout` it would be copied, all ten kilobytes of it.
        let work = pin!(async {
            let answer = send(self, &call, recording).await?;
            if answer.status() >= 400 {
                return Err(self.refused(planned.api, name, answer).await);
            }
            if asked.stream && is_event_stream(&answer) {
                self.open(answer, asking, recording).await
            } else {
                self.read_whole(answer, asking, recording).await
            }
        });
        tokio::select! { biased;
            result = work => result,
            () = client.gone() => Err(Failure::for_good(RequestError::client_gone(), Outcome::ClientGone)),
            () = kill_switch.killed() => Err(Failure::for_good(request_killed(), Outcome::Killed)),
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
    async fn refused(&self, api: Dialect, provider: &str, mut answer: Answer) -> Failure {
        let status = answer.status();
        let retry_after = answer.headers().and_then(retry_after);
        let max = self.limits().provider_response_body_max_bytes;
        let body = match collect(&mut answer, max).await {
            Ok(body) => {
                answer.release().await;
                body
            }
            // What it had to say is lost; its status is not.
            Err(_) => Bytes::new(),
        };
        let error = read_error(api, provider, (status, &body), retry_after);
        Failure::refused(error, status)
    }
}

/// Sends a call and notes in the record that the provider may have seen it, and what status it answered with.
async fn send(ai: &Ai, call: &Call<'_>, recording: &mut Recording) -> Result<Answer, Failure> {
    let name = &call.provider.name;
    let answer = ai
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
    Ok(answer)
}

fn is_event_stream(answer: &Answer) -> bool {
    answer
        .headers()
        .and_then(|headers| headers.get(header::CONTENT_TYPE))
        .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"))
}
