//! What providers answer, whole or in chunks, as far as it is read. A chunk's `delta` and an answer's `message` have
//! the same fields, so one set of types reads both; what servers disagree about is settled here.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::failure::fault;
use crate::ai::dialects::usage::Usage;
use crate::error::RequestError;

/// An answer or a chunk of one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reply {
    pub(super) id: Option<String>,
    pub(super) model: Option<String>,
    pub(super) choices: Option<Vec<ReplyChoice>>,
    pub(super) usage: Option<Usage>,
    error: Option<Value>,
    // Older vLLM sends an error without an envelope, marked by its `object`.
    object: Option<String>,
    message: Option<Value>,
    code: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ReplyChoice {
    pub(super) index: Option<u32>,
    pub(super) message: Option<Said>,
    pub(super) delta: Option<Said>,
    pub(super) finish_reason: Option<String>,
    /// OpenRouter's, beside `finish_reason: "error"`.
    pub(super) error: Option<Value>,
    /// Moonshot's place for what `usage` beside the choices says elsewhere.
    pub(super) usage: Option<Usage>,
}

/// A message, or what is new of one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    content: Option<Content>,
    refusal: Option<String>,
    /// DeepSeek's name for reasoning, which most servers took over.
    reasoning_content: Option<Value>,
    /// OpenRouter's, and newer vLLM's. Some servers send both.
    reasoning: Option<Value>,
    tool_calls: Option<Vec<CallPiece>>,
    function_call: Option<FunctionPiece>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    /// Mistral's reasoning models answer in parts.
    Parts(Vec<ContentPart>),
    Other(IgnoredAny),
}

#[derive(Debug, Deserialize)]
struct ContentPart {
    text: Option<String>,
    thinking: Option<Thinking>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Thinking {
    Text(String),
    Parts(Vec<ContentPart>),
}

/// A tool call or a piece of one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CallPiece {
    pub(super) index: Option<i64>,
    pub(super) id: Option<String>,
    function: Option<FunctionPiece>,
    custom: Option<CustomPiece>,
    pub(super) extra_content: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FunctionPiece {
    name: Option<String>,
    /// A text; some servers send the object itself.
    arguments: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CustomPiece {
    name: Option<String>,
    input: Option<String>,
}

/// What a message says, in the order in which a model says it. Empty is unsaid.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pub(super) reasoning: String,
    pub(super) text: String,
    pub(super) refusal: String,
    pub(super) calls: Vec<CallPiece>,
}

impl Reply {
    /// The provider's own failure, which some report with status 200 or in the middle of a stream.
    pub(super) fn failure(&self) -> Option<RequestError> {
        if let Some(error) = &self.error {
            return Some(fault(error));
        }
        (self.object.as_deref() == Some("error"))
            .then(|| fault(&json!({"message": self.message, "code": self.code})))
    }
}

impl Said {
    pub(super) fn pieces(self) -> Pieces {
        let mut pieces = Pieces {
            refusal: self.refusal.unwrap_or_default(),
            calls: self.tool_calls.unwrap_or_default(),
            ..Pieces::default()
        };
        let reasoning = [self.reasoning_content, self.reasoning];
        let mut reasoning = reasoning.into_iter().flatten();
        pieces.reasoning = reasoning
            .find_map(|value| match value {
                Value::String(text) if !text.is_empty() => Some(text),
                _ => None,
            })
            .unwrap_or_default();
        match self.content {
            Some(Content::Text(text)) => pieces.text = text,
            Some(Content::Parts(parts)) => {
                for part in parts {
                    part.gather(&mut pieces);
                }
            }
            Some(Content::Other(_)) | None => {}
        }
        // The legacy form has one call, and neither id nor index.
        pieces
            .calls
            .extend(self.function_call.map(|function| CallPiece {
                index: Some(0),
                function: Some(function),
                ..CallPiece::default()
            }));
        pieces
    }
}

impl ContentPart {
    fn gather(self, pieces: &mut Pieces) {
        pieces.text.extend(self.text);
        match self.thinking {
            Some(Thinking::Text(text)) => pieces.reasoning.push_str(&text),
            Some(Thinking::Parts(parts)) => {
                let texts = parts.into_iter().filter_map(|part| part.text);
                pieces.reasoning.extend(texts);
            }
            None => {}
        }
    }
}

impl Pieces {
    pub(super) fn is_empty(&self) -> bool {
        self.reasoning.is_empty()
            && self.text.is_empty()
            && self.refusal.is_empty()
            && self.calls.is_empty()
    }
}

impl CallPiece {
    /// The provider's id for the call; empty is none.
    pub(super) fn id(&self) -> Option<&str> {
        self.id.as_deref().filter(|id| !id.is_empty())
    }

    pub(super) fn is_custom(&self) -> bool {
        self.custom.is_some()
    }

    /// The tool's name; empty where this piece does not say it.
    pub(super) fn name(&self) -> &str {
        let function = self.function.as_ref().and_then(|it| it.name.as_deref());
        let custom = self.custom.as_ref().and_then(|it| it.name.as_deref());
        function.or(custom).unwrap_or_default()
    }

    /// Arguments, or the text for a custom tool, as far as they are in this piece.
    pub(super) fn take_arguments(&mut self) -> String {
        if let Some(custom) = &mut self.custom {
            return custom.input.take().unwrap_or_default();
        }
        let arguments = self.function.as_mut().and_then(|it| it.arguments.take());
        match arguments {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text,
            Some(value) => value.to_string(),
        }
    }
}
