//! Messages, their parts, and answers.

use ferrogate_api::Tokens;
use serde::{Deserialize, Serialize};

use super::Opaque;

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    System,
    /// Instructions of the application's, below the system's.
    Developer,
    User,
    Assistant,
    /// Nothing but [`Part::ToolResult`].
    Tool,
}

/// One turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub role: Role,
    pub parts: Vec<Part>,
    /// The speaker's name, where the dialect has one.
    pub name: Option<String>,
}

/// A piece of a turn, in the order it was said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Part {
    Text(String),
    Image {
        media: Media,
        /// OpenAI's `low`, `high`, `auto`: how closely to look.
        detail: Option<String>,
    },
    /// A PDF or another file that is read as a whole.
    Document {
        media: Media,
        file_name: Option<String>,
    },
    Audio {
        /// Base64.
        data: String,
        /// The format as the client named it: `wav`, `mp3`.
        format: String,
    },
    Reasoning(Reasoning),
    /// The model declines, in words of its own.
    Refusal(String),
    ToolCall(ToolCall),
    ToolResult(ToolResult),
}

/// Where a picture or document is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Media {
    Url(String),
    Inline {
        /// `image/png`.
        mime_type: String,
        /// Base64, without a prefix.
        base64: String,
    },
    /// A file that was uploaded to the provider; means nothing to another one.
    FileId(String),
}

/// What a model thought before it spoke.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Reasoning {
    /// The thoughts, or a summary of them; may be empty where only `state` was given.
    pub text: String,
    /// `text` is a summary.
    pub summary: bool,
    /// What the provider wants to see again next turn.
    pub state: Option<Opaque>,
}

/// The model asks for a tool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    /// JSON text of an object; for a custom tool the free text itself.
    pub arguments: String,
    /// The tool takes free text (OpenAI's custom tools).
    pub custom: bool,
    /// What the provider wants to see again with this call (Gemini's `thoughtSignature`).
    pub state: Option<Opaque>,
}

/// What a tool gave back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    pub call_id: String,
    /// Where the dialect names the tool; else see `Conversation::tool_of_call`.
    pub name: Option<String>,
    /// Text, pictures, documents.
    pub parts: Vec<Part>,
    pub is_error: bool,
    /// The call was one to a custom tool.
    pub custom: bool,
}

/// A whole answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The provider's own id, if it gave one.
    pub id: Option<String>,
    /// The provider's own name for the model that answered.
    pub model: Option<String>,
    /// In the order of their index; one, except where several were asked for.
    pub choices: Vec<Choice>,
    pub usage: Option<Tokens>,
}

/// One of the answers to one request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Text, reasoning, refusals and tool calls, as they were said.
    pub parts: Vec<Part>,
    pub finish: Finish,
}

/// Why a model stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finish {
    /// It had said what it had to say.
    Stop,
    /// It wrote a stop sequence; which one, where the provider tells.
    StopSequence(Option<String>),
    /// The ceiling on output was reached.
    Length,
    /// Prompt and answer together filled the context window.
    ContextWindow,
    ToolCalls,
    /// A filter of the provider's cut the answer.
    ContentFilter,
    /// The model declined.
    Refusal,
    /// A reason that only its own dialect has a word for; written as [`Finish::Stop`] elsewhere.
    Other(String),
}

impl Part {
    /// Text of a text part.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is, or holds, a picture or a document.
    pub fn has_media(&self) -> bool {
        match self {
            Self::Image { .. } | Self::Document { .. } => true,
            Self::ToolResult(result) => result.parts.iter().any(Self::has_media),
            _ => false,
        }
    }
}

impl Message {
    pub fn new(role: Role, parts: Vec<Part>) -> Self {
        Self {
            role,
            parts,
            name: None,
        }
    }
}

/// The text parts of a list, joined by `separator`.
pub fn joined_text(parts: &[Part], separator: &str) -> String {
    let texts: Vec<&str> = parts.iter().filter_map(Part::as_text).collect();
    texts.join(separator)
}
