//! Passing a provider's events on to the client.
//!
//! 1. An event is never delayed: what has come is written before more is waited for; what has come together may
//!    share one write.
//! 2. A stream ends once: with the provider's own closing event, or with the dialect's error event, never with a
//!    forged closing one.
//! 3. The closing event waits for the ledger when `storage.settle = "before-last-byte"`.
//! 4. When the client leaves, the call to the provider is broken off.
//!
//! ```text
//!            chunk ──▶ events ──▶ client
//! streaming ─┬─ closing event ───────────▶ settled: complete
//!            ├─ the provider's error event ▶ settled: upstream_error
//!            ├─ end without closing event ─▶ error event; upstream_cut
//!            ├─ silence, or too long ──────▶ error event; stalled, time_limit
//!            ├─ an operator's order ───────▶ error event; killed
//!            └─ client gone ───────────────▶ call cancelled; client_gone
//! ```

use std::time::Duration;

use bytes::Bytes;
use ferrogate_api::{Outcome, Phase};
use tokio::time::Instant;

use crate::ai::client::{Client, ClientGone};
use crate::ai::dialects::Seen;
use crate::ai::dispatch::{Opened, shutting_down};
use crate::ai::health::{Pass, Settled};
use crate::ai::upstream::{Answer, UpstreamError};
use crate::ai::{Ai, Exchange};
use crate::error::{ErrorKind, RequestError};
use crate::metering::request_killed;
use crate::tasks::Tasks;

/// Events that came together share writes of about this size.
const COALESCE_BYTES: usize = 16 * 1024;
/// How long the end of a finished answer may take to arrive for its connection to be worth keeping.
const RELEASE_WAIT: Duration = Duration::from_secs(1);

/// How a stream ended, as far as the client is to be told.
enum End {
    /// With these bytes, which close it properly; none where the provider's own were all.
    Closing(Bytes),
    /// The provider said that it failed, and this tells the client.
    Failed(Bytes, Box<RequestError>),
    /// It broke: the client gets the dialect's error event.
    Broken(RequestError, Outcome),
    ClientGone,
}

impl Ai {
    /// Sends the head and every event of `opened`, and settles the attempt however it ends.
    ///
    /// After the head there is nobody to return an error to: it goes into the stream.
    pub(in crate::ai) async fn relay<C: Client>(
        &self,
        mut opened: Box<Opened>,
        exchange: &mut Exchange<'_, C>,
    ) {
        exchange.recording.phase(Phase::Answering);
        exchange.keeping.take_head(opened.status, &opened.headers);
        let headers = exchange.head_of(std::mem::take(&mut opened.headers));
        let end = match exchange
            .client
            .send_head(opened.status, headers, None)
            .await
        {
            Ok(()) => self.pass_events(&mut opened, exchange).await,
            Err(ClientGone) => End::ClientGone,
        };
        // Boxed: an open stream need not carry the room that its end takes.
        Box::pin(self.finish(*opened, end, exchange)).await;
    }

    async fn pass_events<C: Client>(
        &self,
        opened: &mut Opened,
        exchange: &mut Exchange<'_, C>,
    ) -> End {
        let total = opened.ends_by;
        let mut out = std::mem::take(&mut opened.held);
        let mut end = opened.closing.take().map(End::Closing);
        loop {
            let sent = send_joined(&mut out, opened, exchange).await;
            if sent.is_err() {
                return End::ClientGone;
            }
            if let Some(end) = end {
                return end;
            }
            let waiting = Instant::now();
            let chunk = self.next_chunk(opened, total, exchange).await;
            exchange.recording.waited(waiting.elapsed());
            end = match chunk {
                Ok(chunk) => read_events(opened, chunk, &mut out),
                Err(end) => Some(end),
            };
            let event_max = self.limits().stream_event_max_bytes;
            if end.is_none() && opened.splitter.pending() > event_max {
                end = Some(End::Broken(
                    RequestError::new(
                        ErrorKind::ProviderProtocolError,
                        format!("The provider sent an event over {event_max} bytes."),
                    ),
                    Outcome::UpstreamError,
                ));
            }
        }
    }

    /// Waits for the provider, the client's departure, or a time limit, whichever comes first.
    async fn next_chunk<C: Client>(
        &self,
        opened: &mut Opened,
        total: Instant,
        exchange: &mut Exchange<'_, C>,
    ) -> Result<Result<Option<Bytes>, UpstreamError>, End> {
        let silent_until = Instant::now() + self.limits().provider_stream_idle_timeout;
        loop {
            let keepalive = self.limits().stream_keepalive_interval;
            let next_keepalive = (!keepalive.is_zero()).then(|| Instant::now() + keepalive);
            let wake = next_keepalive
                .unwrap_or(silent_until)
                .min(silent_until)
                .min(total);
            tokio::select! { biased;
                chunk = opened.answer.chunk() => return Ok(chunk),
                () = exchange.client.gone() => return Err(End::ClientGone),
                () = exchange.recording.kill_switch().killed() => {
                    return Err(End::Broken(request_killed(), Outcome::Killed));
                }
                () = self.cut.cancelled() => return Err(End::Broken(shutting_down(), Outcome::TimeLimit)),
                () = tokio::time::sleep_until(wake) => {}
            }
            let now = Instant::now();
            if now >= total {
                return Err(End::Broken(
                    RequestError::new(
                        ErrorKind::StreamTimeLimit,
                        "The stream ran longer than the gateway allows.",
                    ),
                    Outcome::TimeLimit,
                ));
            }
            if now >= silent_until {
                return Err(End::Broken(
                    RequestError::new(
                        ErrorKind::ProviderStalled,
                        format!(
                            "The provider sent nothing for {} s.",
                            self.limits().provider_stream_idle_timeout.as_secs()
                        ),
                    ),
                    Outcome::Stalled,
                ));
            }
            // Between events, never inside one: what is sent so far are whole events.
            if exchange
                .client
                .send(opened.reader.keepalive(), false)
                .await
                .is_err()
            {
                return Err(End::ClientGone);
            }
        }
    }

    /// Tells health how the attempt ended; a client that left says nothing about the provider.
    fn settle_pass(&self, pass: Option<Pass>, status: u16, end: &End) {
        let error = match end {
            End::Closing(_) => None,
            End::Failed(_, error) => Some(&**error),
            End::Broken(error, _) => Some(error),
            End::ClientGone => return,
        };
        if let Some(pass) = pass {
            pass.settle(Settled {
                error,
                status,
                at_unix_ms: self.clock.unix_ms(),
            });
        }
    }

    /// Settles, then sends what the client is to see last.
    async fn finish<C: Client>(
        &self,
        mut opened: Opened,
        end: End,
        exchange: &mut Exchange<'_, C>,
    ) {
        let recording = &mut *exchange.recording;
        opened.note_usage(recording);
        // Killed while the last event was on its way: it is not sent any more.
        let end = match recording.decide() {
            true => end,
            false => End::Broken(request_killed(), Outcome::Killed),
        };
        let request_id = recording.log.request_id.clone();
        self.settle_pass(opened.pass.take(), opened.status, &end);
        let complete = matches!(end, End::Closing(_));
        let (mut last, reusable) = match end {
            End::ClientGone => {
                recording.settle(Outcome::ClientGone);
                opened.answer.cancel().await;
                return;
            }
            End::Closing(event) => {
                recording.settle(Outcome::Complete);
                opened.keep(&self.store);
                (event, true)
            }
            End::Failed(event, error) => {
                recording.settle(Outcome::UpstreamError);
                recording.log.error_code = Some(error.kind.code().into());
                (event, true)
            }
            End::Broken(error, outcome) => {
                recording.settle(outcome);
                recording.log.error_code = Some(error.kind.code().into());
                (opened.reader.error_event(&error, &request_id), false)
            }
        };
        if let Err(error) = recording.commit().await {
            recording.log.error_code = Some(error.kind.code().into());
            last = opened.reader.error_event(&error, &request_id);
            exchange.keeping.give_up();
        }
        exchange.keeping.take(&last);
        if complete {
            exchange.keep_answer(true);
        } else {
            exchange.keeping.give_up();
        }
        // The record stands either way: a client that misses the last event has had all the others.
        let delivered = exchange.client.send(last, true).await;
        if delivered == Err(ClientGone) {
            tracing::debug!(
                request.id = request_id,
                "the client left before the last event"
            );
        }
        if reusable {
            release(opened.answer, &self.tasks).await;
        } else {
            opened.answer.cancel().await;
        }
    }
}

/// Reads the events in `chunk`, and in whatever else has arrived by now, into `out`.
fn read_events(
    opened: &mut Opened,
    chunk: Result<Option<Bytes>, UpstreamError>,
    out: &mut Vec<Bytes>,
) -> Option<End> {
    let mut chunk = chunk;
    let mut size = 0;
    loop {
        match chunk {
            Ok(Some(bytes)) => {
                size += bytes.len();
                opened.splitter.push(bytes);
            }
            Ok(None) if opened.reader.may_end_here() => {
                return Some(End::Closing(opened.reader.close()));
            }
            Ok(None) | Err(_) => {
                return Some(End::Broken(
                    RequestError::new(
                        ErrorKind::ProviderProtocolError,
                        "The provider's stream was cut before it was complete.",
                    ),
                    Outcome::UpstreamCut,
                ));
            }
        }
        while let Some(event) = opened.splitter.next_event() {
            let (seen, piece) = match opened.reader.read(event) {
                Ok(read) => read,
                Err(error) => return Some(End::Broken(error, Outcome::UpstreamError)),
            };
            match seen {
                Seen::Preamble | Seen::Hidden => out.push(piece),
                Seen::Content => {
                    opened.content = true;
                    out.push(piece);
                }
                Seen::Terminal => return Some(End::Closing(piece)),
                Seen::Failed(error) => return Some(End::Failed(piece, error)),
            }
        }
        if size >= COALESCE_BYTES {
            return None;
        }
        match opened.answer.chunk_now() {
            Some(next) => chunk = next,
            None => return None,
        }
    }
}

/// Writes the collected events in one go, and notes when the first content left.
async fn send_joined<C: Client>(
    out: &mut Vec<Bytes>,
    opened: &Opened,
    exchange: &mut Exchange<'_, C>,
) -> Result<(), ClientGone> {
    let piece = match out.len() {
        0 => return Ok(()),
        1 => out.remove(0),
        _ => {
            let joined = out.concat();
            out.clear();
            joined.into()
        }
    };
    if piece.is_empty() {
        // An event that means nothing in the client's dialect.
        return Ok(());
    }
    let recording = &mut *exchange.recording;
    opened.note_usage(recording);
    if opened.content {
        recording.first_content();
    }
    exchange.keeping.take(&piece);
    let writing = Instant::now();
    let sent = exchange.client.send(piece, false).await;
    exchange.recording.waited(writing.elapsed());
    sent
}

/// Keeps the connection if the answer's end is there or comes at once; nobody waits for it.
async fn release(mut answer: Answer, tasks: &Tasks) {
    match answer.chunk_now() {
        Some(Ok(None)) => answer.release().await,
        Some(_) => answer.cancel().await,
        None => {
            tasks.spawn("release provider connection", async move {
                match tokio::time::timeout(RELEASE_WAIT, answer.chunk()).await {
                    Ok(Ok(None)) => answer.release().await,
                    _ => answer.cancel().await,
                }
            });
        }
    }
}
