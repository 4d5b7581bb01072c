//! The dialects that clients and providers speak. Pure: no IO and no clock.
//!
//! Client and provider speak the same dialect here, so bytes pass through: only the model's name and the stream
//! options are spliced in, and answers are read for usage and for how they end.

mod chat;
mod embeddings;
mod error;
pub mod json_object;
mod responses;
pub mod usage;

use bytes::Bytes;
use ferrogate_api::Tokens;

use crate::error::RequestError;
use crate::routes::Endpoint;
use json_object::{JsonObject, invalid};

pub use error::provider_error;

/// Which API a request is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI chat completions.
    Chat,
    /// OpenAI responses.
    Responses,
    /// OpenAI embeddings.
    Embeddings,
}

impl From<Endpoint> for Dialect {
    fn from(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::ChatCompletions => Self::Chat,
            Endpoint::Responses => Self::Responses,
            Endpoint::Embeddings => Self::Embeddings,
        }
    }
}

impl Dialect {
    /// The path below a provider's base URL.
    pub fn path(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Responses => "/responses",
            Self::Embeddings => "/embeddings",
        }
    }

    /// What an answer that was not streamed says it used.
    pub fn usage_of(self, answer: &[u8]) -> Option<Tokens> {
        usage::of_answer(answer)
    }

    /// A reader for the events of this dialect's streams; embeddings have none and are read as chat.
    pub fn stream_reader(self) -> StreamReader {
        match self {
            Self::Chat | Self::Embeddings => StreamReader::Chat(chat::Stream::default()),
            Self::Responses => StreamReader::Responses(responses::Stream::default()),
        }
    }
}

/// A client's request: the fields the gateway needs, the body kept as it came.
#[derive(Debug)]
pub struct AiRequest {
    pub dialect: Dialect,
    pub model: String,
    pub stream: bool,
    /// The client's own ceiling on output, over all choices.
    pub max_output_tokens: Option<u64>,
    /// The client asked for the usage event at the end of a chat stream.
    pub wants_usage_event: bool,
    object: JsonObject,
}

impl AiRequest {
    /// Reads a request body.
    ///
    /// # Errors
    /// `invalid_json`, `duplicate_json_key`, or `invalid_request` naming the field.
    pub fn parse(dialect: Dialect, body: Bytes) -> Result<Self, RequestError> {
        let object = JsonObject::parse(
            body,
            match dialect {
                Dialect::Chat => chat::FIELDS,
                Dialect::Responses => responses::FIELDS,
                Dialect::Embeddings => embeddings::FIELDS,
            },
        )?;
        let model = object
            .get::<String>("model", "a string")?
            .filter(|model| !model.is_empty())
            .ok_or_else(|| {
                invalid(
                    "model",
                    "is missing; GET /v1/models lists the models this key may use",
                )
            })?;
        let (stream, max_output_tokens, wants_usage_event) = match dialect {
            Dialect::Chat => chat::controls(&object)?,
            Dialect::Responses => responses::controls(&object)?,
            Dialect::Embeddings => (false, Some(0), false),
        };
        Ok(Self {
            dialect,
            model,
            stream,
            max_output_tokens,
            wants_usage_event,
            object,
        })
    }

    /// The body for a provider that calls the model `provider_model`.
    ///
    /// # Errors
    /// `invalid_request` when `stream_options` is no object.
    pub fn for_provider(&self, provider_model: &str) -> Result<Bytes, RequestError> {
        let model = serde_json::Value::from(provider_model).to_string();
        if self.dialect == Dialect::Chat && self.stream && !self.wants_usage_event {
            let options = chat::options_with_usage(&self.object)?;
            return Ok(self.object.with(&[
                ("model", model.as_bytes()),
                ("stream_options", options.as_bytes()),
            ]));
        }
        Ok(self.object.with(&[("model", model.as_bytes())]))
    }

    /// The body as the client sent it.
    pub fn body(&self) -> &Bytes {
        self.object.body()
    }
}

/// What one event of a stream means to the relay.
#[derive(Debug, PartialEq, Eq)]
pub enum Seen {
    /// A comment, a role, a `created`: nothing a client could not do without if the stream died now.
    Preamble,
    /// Text, tool call, reasoning, refusal or a finish reason.
    Content,
    /// The usage event, which only the gateway asked for: not for the client.
    Hidden,
    /// The dialect's closing event: after it nothing follows.
    Terminal,
    /// The provider reports that it failed; the event is itself the dialect's closing one.
    Failed(Box<RequestError>),
}

/// Reads the events of one stream in order and keeps what it learns about usage.
#[derive(Debug)]
pub enum StreamReader {
    Chat(chat::Stream),
    Responses(responses::Stream),
}

impl StreamReader {
    /// Reads one server-sent event, without changing it.
    ///
    /// # Errors
    /// `provider_protocol_error` when its data is not the dialect's JSON.
    pub fn read(&mut self, event: &[u8], wants_usage_event: bool) -> Result<Seen, RequestError> {
        match self {
            Self::Chat(stream) => stream.read(event, wants_usage_event),
            Self::Responses(stream) => stream.read(event),
        }
    }

    /// The usage the provider reported so far.
    pub fn usage(&self) -> Option<Tokens> {
        match self {
            Self::Chat(stream) => stream.usage,
            Self::Responses(stream) => stream.usage,
        }
    }

    /// Bytes of content that passed, for an estimate when no usage comes.
    pub fn content_bytes(&self) -> u64 {
        match self {
            Self::Chat(stream) => stream.content_bytes,
            Self::Responses(stream) => stream.content_bytes,
        }
    }

    /// Whether a stream that ends now, without its closing event, has said all it had to say.
    pub fn may_end_here(&self) -> bool {
        match self {
            Self::Chat(stream) => stream.finished,
            Self::Responses(_) => false,
        }
    }

    /// The event that tells this dialect's clients that the stream broke.
    pub fn error_event(&self, error: &RequestError, request_id: &str) -> Bytes {
        match self {
            Self::Chat(_) => error::chat_event(error, request_id),
            Self::Responses(stream) => stream.failed_event(error, request_id),
        }
    }
}
