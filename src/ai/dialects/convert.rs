//! The converters by dialect: one table for each direction. Embeddings are no conversation; see [`super::embeddings`].

use std::sync::Arc;

use bytes::Bytes;

use super::{AnswerContext, Dialect, Target, Written, chat, gemini, messages, responses};
use crate::ai::conversation::{Answer, Conversation, Event};
use crate::error::{ErrorKind, RequestError};

/// Reads a client's request.
///
/// # Errors
/// 400 naming the field that is wrong or cannot cross.
pub fn read_request(dialect: Dialect, body: &[u8]) -> Result<Conversation, RequestError> {
    match dialect {
        Dialect::Chat => chat::read_request(body),
        Dialect::Responses => responses::read_request(body),
        Dialect::Messages => messages::read_request(body),
        Dialect::Gemini => gemini::read_request(body),
        Dialect::Embeddings | Dialect::GeminiEmbeddings => Err(no_conversation()),
    }
}

/// Writes a request for a provider that speaks `api`.
///
/// # Errors
/// 400 naming the field that `api` has no way to say.
pub fn write_request(
    api: Dialect,
    conversation: &Conversation,
    target: &Target<'_>,
) -> Result<Written, RequestError> {
    match api {
        Dialect::Chat => chat::write_request(conversation, target),
        Dialect::Responses => responses::write_request(conversation, target),
        Dialect::Messages => messages::write_request(conversation, target),
        Dialect::Gemini => gemini::write_request(conversation, target),
        Dialect::Embeddings | Dialect::GeminiEmbeddings => Err(no_conversation()),
    }
}

/// Reads a provider's whole answer.
///
/// # Errors
/// `provider_protocol_error` where it is none, or the failure that the provider reports in it.
pub fn read_answer(
    api: Dialect,
    body: &[u8],
    context: &AnswerContext,
) -> Result<Answer, RequestError> {
    match api {
        Dialect::Chat => chat::read_answer(body, context),
        Dialect::Responses => responses::read_answer(body, context),
        Dialect::Messages => messages::read_answer(body, context),
        Dialect::Gemini => gemini::read_answer(body, context),
        Dialect::Embeddings | Dialect::GeminiEmbeddings => Err(no_conversation()),
    }
}

/// Writes an answer for a client of `dialect`; one that has no conversations gets nothing.
pub fn write_answer(dialect: Dialect, answer: &Answer, context: &AnswerContext) -> Bytes {
    match dialect {
        Dialect::Chat => chat::write_answer(answer, context),
        Dialect::Responses => responses::write_answer(answer, context),
        Dialect::Messages => messages::write_answer(answer, context),
        Dialect::Gemini => gemini::write_answer(answer, context),
        Dialect::Embeddings | Dialect::GeminiEmbeddings => Bytes::new(),
    }
}

/// A gateway's fault: routing lets an embeddings request meet embeddings providers alone.
fn no_conversation() -> RequestError {
    RequestError::new(
        ErrorKind::InternalError,
        "An embeddings request was taken for a conversation. Report it with the request id.",
    )
}

/// Reads a provider's events.
#[derive(Debug)]
pub enum EventReader {
    Chat(chat::EventReader),
    Responses(responses::EventReader),
    Messages(messages::EventReader),
    Gemini(gemini::EventReader),
}

impl EventReader {
    /// Embeddings have no streams; they are read as chat.
    pub fn new(api: Dialect, context: Arc<AnswerContext>) -> Self {
        match api {
            Dialect::Chat | Dialect::Embeddings | Dialect::GeminiEmbeddings => {
                Self::Chat(chat::EventReader::new(context))
            }
            Dialect::Responses => Self::Responses(responses::EventReader::new(context)),
            Dialect::Messages => Self::Messages(messages::EventReader::new(context)),
            Dialect::Gemini => Self::Gemini(gemini::EventReader::new(context)),
        }
    }

    /// Reads one whole server-sent event.
    ///
    /// # Errors
    /// `provider_protocol_error` when its data is not the dialect's JSON.
    pub fn read(&mut self, event: &[u8], out: &mut Vec<Event>) -> Result<(), RequestError> {
        match self {
            Self::Chat(reader) => reader.read(event, out),
            Self::Responses(reader) => reader.read(event, out),
            Self::Messages(reader) => reader.read(event, out),
            Self::Gemini(reader) => reader.read(event, out),
        }
    }

    /// Whether the stream may end now without a closing event.
    pub fn may_end_here(&self) -> bool {
        match self {
            Self::Chat(reader) => reader.may_end_here(),
            Self::Responses(reader) => reader.may_end_here(),
            Self::Messages(reader) => reader.may_end_here(),
            Self::Gemini(reader) => reader.may_end_here(),
        }
    }
}

/// Writes a client's events.
#[derive(Debug)]
pub enum EventWriter {
    Chat(chat::EventWriter),
    Responses(responses::EventWriter),
    Messages(messages::EventWriter),
    Gemini(gemini::EventWriter),
}

impl EventWriter {
    /// Embeddings have no streams; they are written as chat.
    pub fn new(dialect: Dialect, context: Arc<AnswerContext>) -> Self {
        match dialect {
            Dialect::Chat | Dialect::Embeddings | Dialect::GeminiEmbeddings => {
                Self::Chat(chat::EventWriter::new(context))
            }
            Dialect::Responses => Self::Responses(responses::EventWriter::new(context)),
            Dialect::Messages => Self::Messages(messages::EventWriter::new(context)),
            Dialect::Gemini => Self::Gemini(gemini::EventWriter::new(context)),
        }
    }

    /// Writes one event; the ends of a stream have calls of their own.
    pub fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        match self {
            Self::Chat(writer) => writer.write(event, out),
            Self::Responses(writer) => writer.write(event, out),
            Self::Messages(writer) => writer.write(event, out),
            Self::Gemini(writer) => writer.write(event, out),
        }
    }

    /// What a complete stream ends with.
    pub fn close(&mut self) -> Bytes {
        match self {
            Self::Chat(writer) => writer.close(),
            Self::Responses(writer) => writer.close(),
            Self::Messages(writer) => writer.close(),
            Self::Gemini(writer) => writer.close(),
        }
    }

    /// What a broken one ends with.
    pub fn error_event(&self, error: &RequestError) -> Bytes {
        match self {
            Self::Chat(writer) => writer.error_event(error),
            Self::Responses(writer) => writer.error_event(error),
            Self::Messages(writer) => writer.error_event(error),
            Self::Gemini(writer) => writer.error_event(error),
        }
    }
}
