//! The APIs the simulator speaks: each request parsed, each reply written in the exact shapes of the wire.
//!
//! No IO and no faults here: a dialect writes the flawless answer, and `answers` breaks it where a directive says so.

pub mod chat;
pub mod embeddings;
pub mod models;
pub mod responses;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    reply::Reply,
    stats::{Endpoint, Usage},
};

/// When every answer was made. Answers do not depend on the time of day, so that equal requests get equal bytes.
const CREATED_UNIX: u64 = 1_767_225_600;

/// A request of any dialect that a model answers.
#[derive(Debug)]
pub enum Request {
    Chat(chat::Request),
    Responses(responses::Request),
    Embeddings(embeddings::Request),
}

/// An answer's own names: the id all its parts share, and the model as the provider calls it.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    pub id: u64,
    pub model: &'a str,
}

impl Request {
    /// Reads the body of a request to `endpoint`.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence for the error envelope.
    pub fn parse(endpoint: Endpoint, body: &[u8]) -> Result<Self, String> {
        let parsed = match endpoint {
            Endpoint::Responses => serde_json::from_slice(body).map(Self::Responses),
            Endpoint::Embeddings => serde_json::from_slice(body).map(Self::Embeddings),
            Endpoint::Chat | Endpoint::Models | Endpoint::Echo => {
                serde_json::from_slice(body).map(Self::Chat)
            }
        };
        let request = parsed.map_err(|error| {
            format!("We could not parse the JSON body of your request: {error}.")
        })?;
        request.check()?;
        Ok(request)
    }

    fn check(&self) -> Result<(), String> {
        match self {
            Self::Chat(request) => request.check(),
            Self::Responses(_) => Ok(()),
            Self::Embeddings(request) => request.check(),
        }
    }

    pub fn model(&self) -> &str {
        match self {
            Self::Chat(request) => &request.model,
            Self::Responses(request) => &request.model,
            Self::Embeddings(request) => &request.model,
        }
    }

    /// The text that may carry a directive: the last user message, or the (first) input.
    pub fn prompt(&self) -> &str {
        match self {
            Self::Chat(request) => request.prompt(),
            Self::Responses(request) => request.prompt(),
            Self::Embeddings(request) => request.prompt(),
        }
    }

    pub fn wants_stream(&self) -> bool {
        match self {
            Self::Chat(request) => request.stream,
            Self::Responses(request) => request.stream,
            Self::Embeddings(_) => false,
        }
    }

    /// The bytes of one event that says the provider failed in the middle of its answer.
    pub fn error_event(&self, sequence_number: u64) -> Vec<u8> {
        let mut events = Events::default();
        match self {
            Self::Responses(_) => {
                let data = json!({
                    "type": "error", "sequence_number": sequence_number, "code": "server_error",
                    "message": FAILED_MESSAGE, "param": null,
                });
                events.named("error", &data);
            }
            Self::Chat(_) | Self::Embeddings(_) => events.data(&failed()),
        }
        events.bytes
    }
}

const FAILED_MESSAGE: &str = "The simulated provider failed while it was answering.";

/// The error object inside an answer that had begun well.
pub fn failed() -> Value {
    error_body(FAILED_MESSAGE, "server_error", Some("server_error"))
}

/// OpenAI's error envelope.
pub fn error_body(message: &str, kind: &str, code: Option<&str>) -> Value {
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

/// The events of a stream, in steps: what precedes the content, one step per content event, and what follows it.
#[derive(Debug, Default)]
pub struct Events {
    pub bytes: Vec<u8>,
    pub ends: Vec<usize>,
}

impl Events {
    /// An event without a name.
    fn data(&mut self, data: &impl Serialize) {
        self.bytes.extend_from_slice(b"data: ");
        serde_json::to_writer(&mut self.bytes, data).expect("plain data is always JSON");
        self.bytes.extend_from_slice(b"\n\n");
    }

    /// An event with a name.
    fn named(&mut self, name: &str, data: &impl Serialize) {
        self.bytes.extend_from_slice(b"event: ");
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(b'\n');
        self.data(data);
    }

    /// Ends a step.
    fn step(&mut self) {
        self.ends.push(self.bytes.len());
    }
}

/// What a dialect gives back: a whole answer, or the events of a stream, and the usage it reports.
#[derive(Debug)]
pub enum Written {
    Whole(Vec<u8>, Option<Usage>),
    Stream(Events, Option<Usage>),
}

impl Request {
    /// Writes `reply` as this request wants it.
    pub fn write(&self, reply: &Reply, identity: Identity<'_>) -> Written {
        match self {
            Self::Chat(request) if request.stream => request.stream(reply, identity),
            Self::Chat(request) => request.whole(reply, identity),
            Self::Responses(request) if request.stream => request.stream(reply, identity),
            Self::Responses(request) => request.whole(reply, identity),
            Self::Embeddings(request) => request.whole(reply, identity),
        }
    }
}

/// Text, or parts of which some are text, as chat messages and responses items both have it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(default)]
    text: String,
}

impl Content {
    /// The first text in it.
    fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Parts(parts) => parts
                .iter()
                .find(|part| !part.text.is_empty())
                .map_or("", |part| &part.text),
        }
    }

    fn len_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Parts(parts) => parts.iter().map(|part| part.text.len()).sum(),
        }
    }
}

fn json_bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain data is always JSON")
}
