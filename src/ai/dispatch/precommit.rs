//! The start of a stream, held back until it has said something: until then it can still be tried elsewhere.

use bytes::Bytes;
use ferrogate_api::Outcome;
use http::{HeaderMap, HeaderValue, header};
use tokio::time::Instant;

use super::failure::{Failure, cut};
use super::headers::{note_dropped, passed_headers};
use super::{Asking, Reply};
use crate::ai::Ai;
use crate::ai::dialects::{Framing, Seen, StreamReader};
use crate::ai::health::Pass;
use crate::ai::memory::Remember;
use crate::ai::profiles::TimeLimits;
use crate::ai::streaming::sse::Splitter;
use crate::ai::upstream::Answer;
use crate::config::Reliability;
use crate::error::{ErrorKind, RequestError};
use crate::metering::Recording;
use crate::store::Store;

/// Of a stream that is one JSON array.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A stream on its way, with what was held back of it.
#[derive(Debug)]
pub(in crate::ai) struct Opened {
    pub(in crate::ai) status: u16,
    pub(in crate::ai) answer: Answer,
    pub(in crate::ai) headers: HeaderMap,
    pub(in crate::ai) reader: StreamReader,
    /// What is to be kept once the stream is complete.
    pub(in crate::ai) remember: Remember,
    /// The attempt's leave to ask, settled when the stream ends.
    pub(in crate::ai) pass: Option<Pass>,
    pub(in crate::ai) splitter: Splitter,
    /// Whole events for the client, in order.
    pub(in crate::ai) held: Vec<Bytes>,
    /// The closing event came already; it waits for the ledger.
    pub(in crate::ai) closing: Option<Bytes>,
    /// When it has to be over.
    pub(in crate::ai) ends_by: Instant,
    /// Whether content has been seen.
    pub(in crate::ai) content: bool,
}

impl Ai {
    /// Reads a stream up to its first content event, or for as long as holding it back is worth it.
    pub(super) async fn open(
        &self,
        answer: Answer,
        asking: &Asking<'_>,
        recording: &mut Recording,
    ) -> Result<Reply, Failure> {
        let Asking {
            prepared,
            turn,
            planned,
            ..
        } = *asking;
        let remember = turn
            .remember(&prepared.answer, &planned.candidate.provider.name)
            .map_err(|error| Failure::for_good(error, Outcome::UpstreamError))?;
        let mut headers = answer.headers().map(passed_headers).unwrap_or_default();
        if turn.asked.framing == Framing::Array {
            headers.insert(header::CONTENT_TYPE, JSON);
        }
        note_dropped(&mut headers, &prepared.dropped);
        let began = Instant::now();
        let mut opened = Box::new(Opened {
            status: answer.status(),
            answer,
            headers,
            reader: prepared
                .answer
                .stream_reader(turn.asked, remember.wants_answer()),
            remember,
            pass: None,
            splitter: Splitter::default(),
            held: Vec::new(),
            closing: None,
            ends_by: began + TimeLimits::of(&self.limits(), turn.profile.as_deref()).stream,
            content: false,
        });
        // Not the attempt's own deadline: where that comes first, another provider may still be asked.
        let give_up_holding = began + self.limits().precommit_wait;
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
            let done = opened.hold_events(&self.limits())?;
            if done {
                break;
            }
        }
        opened.note_usage(recording);
        Ok(Reply::Stream(opened))
    }
}

impl Opened {
    /// Tells the record what the stream has told so far, so that it is right whenever the request ends.
    pub(in crate::ai) fn note_usage(&self, recording: &mut Recording) {
        if let Some(attempt) = recording.attempt() {
            attempt.reported = self.reader.usage();
            attempt.content_bytes = self.reader.content_bytes();
        }
    }

    /// Keeps what later turns need of the answer, which is whole; before its last byte, so that they find it.
    pub(in crate::ai) fn keep(&mut self, store: &Store) {
        let remember = std::mem::replace(&mut self.remember, Remember::Nothing);
        match self.reader.take_answer() {
            Some(answer) => remember.answer(store, &answer),
            None => remember.passed(store, || self.reader.response_id().map(str::to_owned)),
        }
    }

    /// Reads the events that are whole; true once there is no more reason to hold them back.
    fn hold_events(&mut self, limits: &Reliability) -> Result<bool, Failure> {
        while let Some(event) = self.splitter.next_event() {
            let (seen, out) = self
                .reader
                .read(event)
                .map_err(|error| Failure::sent(error, Outcome::UpstreamError))?;
            match seen {
                Seen::Preamble | Seen::Hidden => self.held.push(out),
                Seen::Content => {
                    self.held.push(out);
                    self.content = true;
                }
                Seen::Terminal => {
                    self.closing = Some(out);
                    return Ok(true);
                }
                Seen::Failed(error) => return Err(Failure::reported(*error)),
            }
        }
        let held: usize = self.held.iter().map(Bytes::len).sum();
        let held = held + self.splitter.pending();
        Ok(self.content || held > limits.precommit_max_bytes)
    }
}
