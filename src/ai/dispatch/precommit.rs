//! The start of a stream, held back until it has said something: until then it can still be tried elsewhere.

use bytes::Bytes;
use ferrogate_api::Outcome;
use http::HeaderMap;
use tokio::time::Instant;

use super::Reply;
use super::failure::{Failure, cut};
use super::headers::passed_headers;
use crate::ai::Ai;
use crate::ai::dialects::{AiRequest, Seen, StreamReader};
use crate::ai::streaming::sse::Splitter;
use crate::ai::upstream::Answer;
use crate::config::Reliability;
use crate::error::{ErrorKind, RequestError};
use crate::metering::Recording;

/// A stream on its way, with what was held back of it.
#[derive(Debug)]
pub(in crate::ai) struct Opened {
    pub(in crate::ai) status: u16,
    pub(in crate::ai) answer: Answer,
    pub(in crate::ai) headers: HeaderMap,
    pub(in crate::ai) reader: StreamReader,
    pub(in crate::ai) splitter: Splitter,
    /// Whole events for the client, in order.
    pub(in crate::ai) held: Vec<Bytes>,
    /// The closing event came already; it waits for the ledger.
    pub(in crate::ai) closing: Option<Bytes>,
    /// When the call was sent.
    pub(in crate::ai) began: Instant,
    /// Whether content has been seen.
    pub(in crate::ai) content: bool,
}

impl Ai {
    /// Reads a stream up to its first content event, or for as long as holding it back is worth it.
    pub(super) async fn open(
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
