//! Reading a stream that passes through unchanged: what it used, what it said, and how it ends.

use bytes::Bytes;
use ferrogate_api::Tokens;

use super::{Dialect, Seen, chat, error, gemini, messages, responses, usage};
use crate::error::RequestError;

/// Reads the events of one stream in order and keeps what it learns about usage.
#[derive(Debug)]
pub enum Passing {
    Chat {
        stream: chat::Stream,
        /// The client asked for the usage event, so it is not hidden.
        wants_usage_event: bool,
    },
    Responses(responses::Stream),
    Messages(messages::Stream),
    Gemini(gemini::Stream),
}

impl Passing {
    /// A reader for `dialect`; embeddings have no streams and are read as chat.
    pub fn new(dialect: Dialect, wants_usage_event: bool) -> Self {
        match dialect {
            Dialect::Chat | Dialect::Embeddings | Dialect::GeminiEmbeddings => Self::Chat {
                stream: chat::Stream::default(),
                wants_usage_event,
            },
            Dialect::Responses => Self::Responses(responses::Stream::default()),
            Dialect::Messages => Self::Messages(messages::Stream::default()),
            Dialect::Gemini => Self::Gemini(gemini::Stream::default()),
        }
    }

    /// Reads one server-sent event, without changing it.
    ///
    /// # Errors
    /// `provider_protocol_error` when its data is not the dialect's JSON.
    pub fn read(&mut self, event: &[u8]) -> Result<Seen, RequestError> {
        match self {
            Self::Chat {
                stream,
                wants_usage_event,
            } => stream.read(event, *wants_usage_event),
            Self::Responses(stream) => stream.read(event),
            Self::Messages(stream) => stream.read(event),
            Self::Gemini(stream) => stream.read(event),
        }
    }

    /// The usage the provider reported so far.
    pub fn usage(&self) -> Option<Tokens> {
        match self {
            Self::Chat { stream, .. } => stream.usage,
            Self::Responses(stream) => stream.usage,
            Self::Messages(stream) => stream.usage,
            Self::Gemini(stream) => stream.usage,
        }
    }

    /// Bytes of content that passed, for an estimate when no usage comes.
    pub fn content_bytes(&self) -> u64 {
        match self {
            Self::Chat { stream, .. } => stream.content_bytes,
            Self::Responses(stream) => stream.content_bytes,
            Self::Messages(stream) => stream.content_bytes,
            Self::Gemini(stream) => stream.content_bytes,
        }
    }

    /// Whether a stream that ends now, without a closing event, has said all it had to say.
    pub fn may_end_here(&self) -> bool {
        match self {
            Self::Chat { stream, .. } => stream.finished,
            Self::Gemini(stream) => stream.finished,
            Self::Responses(_) | Self::Messages(_) => false,
        }
    }

    /// The event that tells this dialect's clients that the stream broke.
    pub fn error_event(&self, error: &RequestError, request_id: &str) -> Bytes {
        match self {
            Self::Chat { .. } => error::chat_event(error, request_id),
            Self::Responses(stream) => stream.failed_event(error, request_id),
            Self::Messages(_) => messages::error_event(error, request_id),
            Self::Gemini(_) => gemini::error_event(error, request_id),
        }
    }

    /// The id of the response that is being made, where the dialect keeps them.
    pub fn response_id(&self) -> Option<&str> {
        match self {
            Self::Responses(stream) => stream.id(),
            Self::Chat { .. } | Self::Messages(_) | Self::Gemini(_) => None,
        }
    }
}

/// What an answer of `dialect` that was not streamed says it used.
pub fn usage_of_answer(dialect: Dialect, answer: &[u8]) -> Option<Tokens> {
    match dialect {
        Dialect::Chat | Dialect::Responses | Dialect::Embeddings => usage::of_answer(answer),
        Dialect::Messages => messages::usage_of_answer(answer),
        Dialect::Gemini => gemini::usage_of_answer(answer),
        Dialect::GeminiEmbeddings => None,
    }
}
