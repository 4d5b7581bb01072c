//! A prepared answer and its playback: a response body that gives the events out at their pace, stalls or breaks
//! off where the script says so, and tells the statistics how the call ended.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::{
    memory::Stored,
    stats::{Call, Outcome, Usage},
};

/// An answer, ready to be sent any number of times.
#[derive(Debug)]
pub struct Prepared {
    pub status: StatusCode,
    pub content_type: HeaderValue,
    pub retry_after_secs: Option<u32>,
    pub first_byte: Duration,
    /// The wait before each content event.
    pub gap: Duration,
    pub script: Script,
    /// What the answer reports, when it reports any.
    pub usage: Option<Usage>,
    /// For the statistics: the model as the provider knows it, whether a stream was asked for, and the request's hash.
    pub model: Option<Arc<str>>,
    pub stream: bool,
    pub body_sha256: [u8; 32],
    /// What is kept of it whenever it is given out.
    pub stored: Option<Arc<Stored>>,
}

/// The bytes of an answer, in steps: what comes at once, one step per content event, and the rest.
#[derive(Debug)]
pub struct Script {
    pub bytes: Bytes,
    /// Where each step ends in `bytes`; the last one ends where `bytes` does.
    pub ends: Vec<usize>,
    /// Steps `1..=paced` wait for the gap before they are sent.
    pub paced: usize,
    /// The announced length, for answers that are no stream; a cut one is shorter.
    pub length: Option<u64>,
    pub ending: Ending,
}

/// What comes behind the last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Complete,
    Stall,
    Cut,
}

impl Script {
    /// An answer in one piece.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self {
            ends: vec![bytes.len()],
            paced: 0,
            length: u64::try_from(bytes.len()).ok(),
            ending: Ending::Complete,
            bytes,
        }
    }
}

impl Prepared {
    /// A small answer of the simulator's own.
    pub fn json(status: StatusCode, body: &serde_json::Value) -> Self {
        Self::whole(status, body.to_string())
    }

    /// The same, of JSON that is written already.
    pub fn whole(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            content_type: JSON,
            retry_after_secs: None,
            first_byte: Duration::ZERO,
            gap: Duration::ZERO,
            script: Script::whole(body),
            usage: None,
            model: None,
            stream: false,
            body_sha256: [0; 32],
            stored: None,
        }
    }
}

pub const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub const EVENT_STREAM: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");

/// The body of every answer.
#[derive(Debug)]
pub struct Playback {
    prepared: Arc<Prepared>,
    step: usize,
    sent: usize,
    wait: Option<Pin<Box<Sleep>>>,
    broke_off: bool,
    call: Option<Call>,
}

impl Playback {
    /// The response that plays `prepared`; `call` ends when it does.
    pub fn respond(prepared: Arc<Prepared>, call: Option<Call>) -> Response<Self> {
        let mut response = Response::new(Self {
            step: 0,
            sent: 0,
            wait: None,
            broke_off: false,
            call,
            prepared,
        });
        let prepared = response.body().prepared.clone();
        *response.status_mut() = prepared.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, prepared.content_type.clone());
        if prepared.script.length.is_none() {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        if let Some(secs) = prepared.retry_after_secs {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        response
    }

    /// Ends the call as if all had been sent: an answer to HEAD has no body to be polled for.
    pub fn end_without_body(&mut self) {
        self.end_complete();
    }

    fn end_complete(&mut self) {
        let outcome = if self.prepared.status.as_u16() < 400 {
            Outcome::Completed
        } else {
            Outcome::Refused
        };
        if let Some(call) = &mut self.call {
            call.end(outcome);
        }
    }

    /// Waits out the gap before the next step, measured from when the last one was due: a stream keeps its rate.
    fn poll_gap(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let gap = self.prepared.gap;
        let wait = self
            .wait
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(gap)));
        ready!(wait.as_mut().poll(cx));
        let next = wait.deadline() + gap;
        wait.as_mut().reset(next);
        Poll::Ready(())
    }

    fn poll_ending(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.prepared.script.ending {
            Ending::Complete => {
                self.end_complete();
                Poll::Ready(None)
            }
            // Nobody wakes this task again but the client, by hanging up.
            Ending::Stall => Poll::Pending,
            Ending::Cut if !self.broke_off => {
                // One turn for the connection to flush: an error throws away what it has buffered.
                self.broke_off = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Ending::Cut => {
                if let Some(call) = &mut self.call {
                    call.end(Outcome::Cut);
                }
                Poll::Ready(Some(Err(io::Error::other("cut as the directive asked"))))
            }
        }
    }
}

impl Body for Playback {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let prepared = self.prepared.clone();
        let script = &prepared.script;
        if self.sent == script.bytes.len() {
            return self.poll_ending(cx);
        }
        let end = if prepared.gap.is_zero() {
            script.bytes.len()
        } else {
            if (1..=script.paced).contains(&self.step) {
                ready!(self.poll_gap(cx));
            }
            script.ends[self.step]
        };
        let frame = Frame::data(script.bytes.slice(self.sent..end));
        self.step += 1;
        self.sent = end;
        if self.is_end_stream() {
            // The connection does not poll again for an end that it knows already.
            self.end_complete();
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        let script = &self.prepared.script;
        script.ending == Ending::Complete && self.sent == script.bytes.len()
    }

    fn size_hint(&self) -> SizeHint {
        self.prepared
            .script
            .length
            .map(SizeHint::with_exact)
            .unwrap_or_default()
    }
}
