//! The one typed form between dialects: what a client asked, what a model answered, and the events of a stream.
//!
//! Each dialect reads into it and writes from it, so that N dialects need 2N converters and not N². It holds what
//! crosses; what one dialect alone knows stays behind, and is named to the client. Nothing here is sent anywhere when
//! client and provider speak the same dialect: then bytes pass through.

mod assembly;
mod controls;
mod event;
mod message;
mod opaque;

pub use assembly::Assembly;
pub use controls::{
    Controls, Effort, OutputFormat, ReasoningControl, ReasoningSummary, Tool, ToolChoice, ToolKind,
};
pub use event::{Delta, Event};
pub use message::{
    Answer, Choice, Finish, Media, Message, Part, Reasoning, Role, ToolCall, ToolResult,
    joined_text,
};
pub use opaque::{Opaque, OpaqueKind, holds_sealed};

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::dialects::{Dialect, Field};

/// A request, read from the dialect it came in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    /// What the client speaks: errors about a field spell it as this dialect does.
    pub dialect: Dialect,
    /// Oldest first. Instructions are messages of their own; a dialect that keeps them apart gathers them.
    pub messages: Vec<Message>,
    pub tools: Vec<Tool>,
    pub tool_choice: ToolChoice,
    /// `None`: the provider's default.
    pub parallel_tool_calls: Option<bool>,
    pub output: OutputFormat,
    pub reasoning: ReasoningControl,
    pub controls: Controls,
    /// What the client sent that has no place here, by the client's own spelling; the answer names it as dropped.
    pub unread: Vec<Cow<'static, str>>,
    /// Top-level fields of a Responses request that its answer repeats; empty for other dialects.
    pub echo: Map<String, Value>,
}

impl Conversation {
    /// An empty one, to be filled by a reader.
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            messages: Vec::new(),
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            parallel_tool_calls: None,
            output: OutputFormat::Text,
            reasoning: ReasoningControl::default(),
            controls: Controls::default(),
            unread: Vec::new(),
            echo: Map::new(),
        }
    }

    /// How the client's dialect spells `field`.
    pub fn spelling(&self, field: Field) -> &'static str {
        field.spelling(self.dialect)
    }

    /// The name of the tool that the call `id` was made to, for dialects whose results name the tool.
    pub fn tool_of_call(&self, id: &str) -> Option<&str> {
        self.parts().find_map(|part| match part {
            Part::ToolCall(call) if call.id == id => Some(&*call.name),
            _ => None,
        })
    }

    /// Whether the client declared `name` as a tool that takes free text (see [`ToolKind::Custom`]).
    pub fn is_custom_tool(&self, name: &str) -> bool {
        self.tools
            .iter()
            .any(|tool| tool.name == name && matches!(tool.kind, ToolKind::Custom { .. }))
    }

    /// How many of the first messages are instructions of this request alone: a responses request gives them anew each
    /// time, and what is kept of it leaves them out.
    pub fn own_instructions(&self) -> usize {
        let given = self.echo.get("instructions").and_then(Value::as_str);
        let count = usize::from(given.is_some_and(|text| !text.is_empty()));
        count.min(self.messages.len())
    }

    /// Puts the turns that came before in front of this one's, behind its own instructions.
    pub fn go_on_from(&mut self, earlier: Vec<Message>) {
        let at = self.own_instructions();
        self.messages.splice(at..at, earlier);
    }

    /// Every part of every message, tool results themselves but not what is inside them.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.messages.iter().flat_map(|message| &message.parts)
    }

    /// Whether a picture or a document is among what is to be read, inside tool results too.
    pub fn has_media(&self) -> bool {
        self.parts().any(Part::has_media)
    }
}
