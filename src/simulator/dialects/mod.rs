//! The APIs the simulator speaks: each request parsed, each reply written in the exact shapes of the wire.
//!
//! No IO and no faults here: a dialect writes the flawless answer, and `answers` breaks it where a directive says so.

pub mod chat;
pub mod content;
pub mod embeddings;
pub mod events;
pub mod gemini;
pub mod messages;
pub mod models;
pub mod open_ai;
pub mod responses;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use self::events::Events;
use super::{
    errors::Problem,
    heard::Heard,
    memory::{Memory, Stored},
    reply::{Reply, Turn},
    route::{Endpoint, Route},
    stats::Usage,
};

/// When every answer was made. Answers do not depend on the time of day, so that equal requests get equal bytes.
const CREATED_UNIX: u64 = 1_767_225_600;

/// The same, as Anthropic and Google write it.
const CREATED_AT: &str = "2026-01-01T00:00:00Z";

/// A request that a model answers, in any dialect.
pub trait Request: std::fmt::Debug {
    fn model(&self) -> &str;

    /// The text that may carry a directive: the last user message that has any, or the (first) input.
    fn prompt(&self) -> &str;

    fn wants_stream(&self) -> bool {
        false
    }

    /// Fetches what the request refers to; `true` when the answer depends on it.
    ///
    /// # Errors
    /// What is not, or no longer, there.
    fn recall(&mut self, _memory: &Memory) -> Result<bool, Problem> {
        Ok(false)
    }

    /// Verifies the reasoning state that earlier answers left in the history; `strict` wants it with every call.
    ///
    /// # Errors
    /// What is missing or was altered.
    fn verify_state(&self, _strict: bool) -> Result<(), Problem> {
        Ok(())
    }

    /// What the model is asked, once the directive is taken out of the prompt.
    fn turn(&self, prompt: &str) -> Turn;

    /// What arrived.
    fn hear(&self) -> Heard;

    /// Writes `reply` as this request wants it.
    fn write(&self, reply: &Reply, identity: Identity<'_>) -> Written;

    /// What a later request may refer to, if this one wants its answer kept.
    fn stored(&self, _reply: &Reply, _identity: Identity<'_>) -> Option<Stored> {
        None
    }

    /// Appends the event that says the provider failed in the middle of its answer; `body` is its error envelope.
    fn write_error(&self, events: &mut Events, body: &Value) {
        events.data(body);
    }

    /// An event that is no valid JSON.
    fn malformed(&self) -> &'static str {
        "data: {\"id\":\"chatcmpl-malformed\",\"object\":\"chat.compl\n\n"
    }
}

/// An answer's own names: the id all its parts share, and the model as the provider calls it.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    pub id: u64,
    pub model: &'a str,
}

/// What a dialect gives back: a whole answer, or the events of a stream, and the usage it reports.
#[derive(Debug)]
pub enum Written {
    Whole(Vec<u8>, Option<Usage>),
    Stream(Events, Option<Usage>),
}

/// Reads the body of a request.
///
/// # Errors
/// What is wrong with it.
pub fn parse(route: &Route, body: &[u8]) -> Result<Box<dyn Request>, Problem> {
    Ok(match route.endpoint {
        Endpoint::Responses | Endpoint::StoredResponse => {
            Box::new(responses::Request::parse(route, body)?)
        }
        Endpoint::InputTokens => Box::new(responses::CountRequest::parse(route, body)?),
        Endpoint::Embeddings => Box::new(embeddings::Request::parse(route, body)?),
        Endpoint::Messages => Box::new(messages::Request::parse(body)?),
        Endpoint::CountMessages => Box::new(messages::CountRequest::parse(body)?),
        Endpoint::Generate => Box::new(gemini::Request::parse(route, body)?),
        Endpoint::CountContents => Box::new(gemini::CountRequest::parse(route, body)?),
        Endpoint::EmbedContent | Endpoint::BatchEmbed => {
            Box::new(gemini::EmbedRequest::parse(route, body)?)
        }
        Endpoint::Chat | Endpoint::Models | Endpoint::Echo => {
            Box::new(chat::Request::parse(route, body)?)
        }
    })
}

/// The body as `T`, or the parser's words about it in `words`.
fn read<T: DeserializeOwned>(body: &[u8], words: fn(&str) -> String) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::invalid(words(&error.to_string())))
}

/// The field that the parser does not know, from its words.
fn unknown_field(error: &str) -> Option<&str> {
    let (_, rest) = error.split_once("unknown field `")?;
    rest.split_once('`').map(|(field, _)| field)
}

fn json_bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain data is always JSON")
}
