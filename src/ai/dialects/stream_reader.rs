//! What the relay knows of a stream, whether it passes through or is translated.

use bytes::Bytes;
use ferrogate_api::Tokens;

use super::gemini::ArrayFraming;
use super::{Dialect, Passing, Seen, Translator};
use crate::ai::conversation::Answer;
use crate::error::RequestError;

/// How the client's stream is cut into pieces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Framing {
    /// Server-sent events.
    #[default]
    Events,
    /// One JSON array: Gemini's streams without `alt=sse`.
    Array,
}

/// Reads a provider's events in order, and says what the client gets for each.
#[derive(Debug)]
pub struct StreamReader {
    way: Way,
    /// What the client speaks.
    client: Dialect,
    framing: Option<ArrayFraming>,
}

#[derive(Debug)]
enum Way {
    Passing(Passing),
    Translating(Box<Translator>),
}

/// A comment, which every parser of server-sent events passes over.
const COMMENT: Bytes = Bytes::from_static(b": keep-alive\n\n");
/// Anthropic's own event for the purpose.
const PING: Bytes = Bytes::from_static(b"event: ping\ndata: {\"type\": \"ping\"}\n\n");
/// White space between two elements of an array, and an empty line between two events.
const SPACE: Bytes = Bytes::from_static(b"\n");

impl StreamReader {
    pub fn passing(passing: Passing, client: Dialect, framing: Framing) -> Self {
        Self::new(Way::Passing(passing), client, framing)
    }

    pub fn translating(translator: Translator, client: Dialect, framing: Framing) -> Self {
        Self::new(Way::Translating(Box::new(translator)), client, framing)
    }

    fn new(way: Way, client: Dialect, framing: Framing) -> Self {
        Self {
            way,
            client,
            framing: (framing == Framing::Array).then(ArrayFraming::default),
        }
    }

    /// Reads one whole event; gives what it means and what the client is sent for it, which may be nothing.
    ///
    /// # Errors
    /// `provider_protocol_error` when its data is not the provider's dialect.
    pub fn read(&mut self, event: Bytes) -> Result<(Seen, Bytes), RequestError> {
        let (seen, out) = match &mut self.way {
            Way::Passing(passing) => match passing.read(&event)? {
                Seen::Hidden => (Seen::Hidden, Bytes::new()),
                seen => (seen, event),
            },
            Way::Translating(translator) => translator.read(&event)?,
        };
        let ends = matches!(seen, Seen::Terminal | Seen::Failed(_));
        Ok((seen, self.framed(out, ends)))
    }

    fn framed(&mut self, out: Bytes, ends: bool) -> Bytes {
        match &mut self.framing {
            None => out,
            Some(framing) => framing.frame(&out, ends),
        }
    }

    /// The usage the provider reported so far.
    pub fn usage(&self) -> Option<Tokens> {
        match &self.way {
            Way::Passing(passing) => passing.usage(),
            Way::Translating(translator) => translator.usage(),
        }
    }

    /// Bytes of content that passed, for an estimate when no usage comes.
    pub fn content_bytes(&self) -> u64 {
        match &self.way {
            Way::Passing(passing) => passing.content_bytes(),
            Way::Translating(translator) => translator.content_bytes(),
        }
    }

    /// Whether a stream that ends now, without a closing event, has said all it had to say.
    pub fn may_end_here(&self) -> bool {
        match &self.way {
            Way::Passing(passing) => passing.may_end_here(),
            Way::Translating(translator) => translator.may_end_here(),
        }
    }

    /// What the client is sent last, when the provider's stream ended without a closing event and may do so.
    pub fn close(&mut self) -> Bytes {
        let closing = match &mut self.way {
            Way::Passing(_) => Bytes::new(),
            Way::Translating(translator) => translator.close(),
        };
        self.framed(closing, true)
    }

    /// What tells the client that the stream broke.
    pub fn error_event(&mut self, error: &RequestError, request_id: &str) -> Bytes {
        let event = match &self.way {
            Way::Passing(passing) => passing.error_event(error, request_id),
            Way::Translating(translator) => translator.error_event(error),
        };
        self.framed(event, true)
    }

    /// What shows a waiting client that the stream is alive, between two events.
    pub fn keepalive(&self) -> Bytes {
        match (&self.framing, self.client) {
            // Google's Python library takes a comment for a broken stream.
            (Some(_), _) | (None, Dialect::Gemini) => SPACE,
            (None, Dialect::Messages) => PING,
            (None, _) => COMMENT,
        }
    }

    /// The id of a passing response, see [`Passing::response_id`].
    pub fn response_id(&self) -> Option<&str> {
        match &self.way {
            Way::Passing(passing) => passing.response_id(),
            Way::Translating(_) => None,
        }
    }

    /// The whole of a translated answer that was to be kept.
    pub fn take_answer(&mut self) -> Option<Answer> {
        match &mut self.way {
            Way::Passing(_) => None,
            Way::Translating(translator) => translator.take_answer(),
        }
    }
}
