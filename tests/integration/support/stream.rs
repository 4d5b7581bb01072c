//! An answer as it arrives: piece by piece, event by event.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use tokio_util::task::AbortOnDropHandle;

use super::{Answer, within};

/// An answer whose head is here. Dropping it hangs up.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    unread: BytesMut,
    _connection: AbortOnDropHandle<Result<(), String>>,
}

/// One server-sent event or comment, as it came, without the empty line behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event(pub(crate) String);

impl Opened {
    pub(super) fn new(
        response: Response<Incoming>,
        connection: AbortOnDropHandle<Result<(), String>>,
    ) -> Self {
        let (head, body) = response.into_parts();
        Self {
            status: head.status.as_u16(),
            headers: head.headers,
            body,
            unread: BytesMut::new(),
            _connection: connection,
        }
    }

    /// A header's value; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The next bytes that have arrived; `None` at the proper end of the answer.
    pub(crate) async fn piece(&mut self) -> Option<Bytes> {
        self.try_piece().await.unwrap()
    }

    pub(crate) async fn try_piece(&mut self) -> Result<Option<Bytes>, String> {
        match within("the next piece of an answer", self.body.frame()).await {
            Some(frame) => {
                let frame = frame.map_err(|error| error.to_string())?;
                Ok(Some(frame.into_data().unwrap_or_default()))
            }
            None => Ok(None),
        }
    }

    /// The next event or comment; `None` at the end.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        loop {
            let end = self.unread.windows(2).position(|two| two == b"\n\n");
            if let Some(end) = end {
                let event = self.unread.split_to(end + 2);
                let text = std::str::from_utf8(&event[..end]).unwrap();
                return Some(Event(text.to_owned()));
            }
            let Some(piece) = self.piece().await else {
                assert!(self.unread.is_empty(), "half an event: {:?}", self.unread);
                return None;
            };
            self.unread.extend_from_slice(&piece);
        }
    }

    /// Every event that is still to come.
    pub(crate) async fn events(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.event().await {
            events.push(event);
        }
        events
    }

    pub(super) async fn try_rest(mut self) -> Result<Answer, String> {
        let mut body = std::mem::take(&mut self.unread);
        while let Some(piece) = self.try_piece().await? {
            body.extend_from_slice(&piece);
        }
        Ok(Answer {
            status: self.status,
            headers: self.headers,
            body: body.freeze(),
        })
    }
}

impl Event {
    pub(crate) fn is_comment(&self) -> bool {
        self.0.starts_with(':')
    }

    /// What stands behind `name:`; empty when there is no such line.
    pub(crate) fn field(&self, name: &str) -> &str {
        let value = |line: &'_ str| line.strip_prefix(name)?.strip_prefix(':').map(str::len);
        self.0
            .lines()
            .find_map(|line| {
                let length = value(line)?;
                Some(line.split_at(line.len() - length).1.trim_start())
            })
            .unwrap_or_default()
    }

    pub(crate) fn data(&self) -> &str {
        self.field("data")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(self.data()).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    pub(crate) fn is_done(&self) -> bool {
        self.data() == "[DONE]"
    }
}
