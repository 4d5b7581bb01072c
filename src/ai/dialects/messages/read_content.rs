//! The content of a client's messages, block by block.
//!
//! Results of tools stand in user messages here and in messages of their own elsewhere: a user message is read as
//! its results, then the rest.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::fields::{invalid, untranslatable};
use super::read_sources::{read_document, read_image, read_search_result};
use super::thoughts;
use crate::ai::conversation::{Message, Part, Role, ToolCall, ToolResult};
use crate::error::RequestError;

/// What was sent and is not read, each named once.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<Cow<'static, str>>);

impl Notes {
    pub(super) fn add(&mut self, name: impl Into<Cow<'static, str>>) {
        let name = name.into();
        if !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    pub(super) fn extend(&mut self, names: impl Iterator<Item = Cow<'static, str>>) {
        for name in names {
            self.add(name);
        }
    }

    pub(super) fn into_names(self) -> Vec<Cow<'static, str>> {
        self.0
    }
}

/// Where a message, or a block of it, stands: `messages.3.content.1`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    message: usize,
    block: Option<usize>,
    /// How many blocks it is inside of.
    depth: u32,
}

/// A document of blocks in a tool's result is the deepest there is. Without a bound a body could nest blocks until
/// the stack is full.
const DEPTH_MAX: u32 = 3;

impl Place {
    pub(super) fn message(message: usize) -> Self {
        Self {
            message,
            block: None,
            depth: 0,
        }
    }

    /// One block of it; inside a block the outer one is what is named.
    fn block(self, block: usize) -> Self {
        Self {
            block: Some(self.block.unwrap_or(block)),
            depth: self.depth + 1,
            ..self
        }
    }

    pub(super) fn invalid(self, problem: &str) -> RequestError {
        invalid(self.to_string(), problem)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "messages.{}", self.message)?;
        match self.block {
            Some(block) => write!(f, ".content.{block}"),
            None => Ok(()),
        }
    }
}

/// A content block of any type: one flat form, since tagged enums are read twice.
#[derive(Deserialize)]
pub(super) struct Wire<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    text: Option<String>,
    /// An object in pictures and documents, a text in search results.
    #[serde(borrow)]
    pub(super) source: Option<&'a RawValue>,
    pub(super) title: Option<String>,
    pub(super) context: Option<String>,
    id: Option<String>,
    name: Option<String>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    tool_use_id: Option<String>,
    #[serde(borrow)]
    pub(super) content: Option<&'a RawValue>,
    is_error: Option<bool>,
    thinking: Option<String>,
    signature: Option<String>,
    data: Option<String>,
    tool_name: Option<String>,
    #[serde(borrow)]
    cache_control: Option<&'a RawValue>,
    #[serde(borrow)]
    citations: Option<&'a RawValue>,
}

/// Reads one message into one or two.
pub(super) fn read_message(
    role: &str,
    content: &RawValue,
    place: Place,
    notes: &mut Notes,
    out: &mut Vec<Message>,
) -> Result<(), RequestError> {
    if role == "system" {
        let parts = read_system(content, place.to_string(), notes)?;
        out.push(Message::new(Role::System, parts));
        return Ok(());
    }
    let mut parts = read_content(content, place, notes)?;
    let is_result = |part: &Part| matches!(part, Part::ToolResult(_));
    match role {
        "assistant" => {
            if parts.iter().any(is_result) {
                return Err(place.invalid("holds a `tool_result`, which only a user message can"));
            }
            thoughts::return_call_states(&mut parts);
            out.push(Message::new(Role::Assistant, parts));
        }
        "user" => {
            let is_models = |part: &Part| matches!(part, Part::ToolCall(_) | Part::Reasoning(_));
            if parts.iter().any(is_models) {
                return Err(place.invalid("holds a block that only an assistant message can"));
            }
            let (results, rest): (Vec<Part>, Vec<Part>) = parts.into_iter().partition(is_result);
            if !results.is_empty() {
                out.push(Message::new(Role::Tool, results));
            }
            if !rest.is_empty() {
                out.push(Message::new(Role::User, rest));
            }
        }
        _ => return Err(place.invalid("must have the role `user`, `assistant` or `system`")),
    }
    Ok(())
}

/// A system prompt: a text, or a list of text blocks.
pub(super) fn read_system(
    content: &RawValue,
    place: impl Into<Cow<'static, str>>,
    notes: &mut Notes,
) -> Result<Vec<Part>, RequestError> {
    let wires = match blocks(content) {
        Some(Content::Text(text)) => return Ok(vec![Part::Text(text)]),
        Some(Content::Blocks(wires)) => wires,
        None => return Err(invalid(place, "must be a string or a list of text blocks")),
    };
    let mut parts = Vec::with_capacity(wires.len());
    for wire in wires {
        note_extras(&wire, notes);
        match (&*wire.r#type, wire.text) {
            ("text", Some(text)) => parts.push(Part::Text(text)),
            _ => return Err(invalid(place, "must hold text blocks alone")),
        }
    }
    Ok(parts)
}

enum Content<'a> {
    Text(String),
    Blocks(Vec<Wire<'a>>),
}

/// A content: a text or a list of blocks. `None` where it is neither.
fn blocks(content: &RawValue) -> Option<Content<'_>> {
    match content.get().as_bytes().first()? {
        b'"' => serde_json::from_str(content.get()).ok().map(Content::Text),
        b'[' => serde_json::from_str(content.get())
            .ok()
            .map(Content::Blocks),
        _ => None,
    }
}

/// The parts of a content, for blocks that have one.
pub(super) fn read_content(
    content: &RawValue,
    place: Place,
    notes: &mut Notes,
) -> Result<Vec<Part>, RequestError> {
    if place.depth > DEPTH_MAX {
        return Err(place.invalid("nests blocks too deeply"));
    }
    match blocks(content) {
        Some(Content::Text(text)) => Ok(vec![Part::Text(text)]),
        Some(Content::Blocks(wires)) => {
            let mut parts = Vec::with_capacity(wires.len());
            for (index, wire) in wires.into_iter().enumerate() {
                read_block(wire, place.block(index), notes, &mut parts)?;
            }
            Ok(parts)
        }
        None => Err(place.invalid("must have a string or a list of blocks as its content")),
    }
}

fn note_extras(wire: &Wire<'_>, notes: &mut Notes) {
    #[derive(Deserialize)]
    struct Wanted {
        enabled: bool,
    }
    if wire.cache_control.is_some() {
        notes.add("cache_control");
    }
    // The citations in an earlier answer are a list; only the wish for them is a control.
    let wanted = wire
        .citations
        .and_then(|raw| serde_json::from_str(raw.get()).ok());
    if wanted.is_some_and(|wanted: Wanted| wanted.enabled) {
        notes.add("citations");
    }
}

fn read_block(
    wire: Wire<'_>,
    place: Place,
    notes: &mut Notes,
    out: &mut Vec<Part>,
) -> Result<(), RequestError> {
    note_extras(&wire, notes);
    let lacks = |field: &str| place.invalid(&format!("lacks `{field}`"));
    match &*wire.r#type {
        "text" => out.push(Part::Text(wire.text.ok_or_else(|| lacks("text"))?)),
        "image" => out.push(read_image(&wire, place)?),
        "document" => read_document(wire, place, notes, out)?,
        "search_result" => out.push(read_search_result(&wire, place, notes)?),
        "thinking" => {
            let thinking = wire.thinking.unwrap_or_default();
            let signature = wire.signature.unwrap_or_default();
            let reasoning = thoughts::read_thinking(thinking, signature);
            out.push(Part::Reasoning(reasoning));
        }
        "redacted_thinking" => {
            let data = wire.data.ok_or_else(|| lacks("data"))?;
            out.push(Part::Reasoning(thoughts::read_redacted(data)));
        }
        "tool_use" => out.push(Part::ToolCall(ToolCall {
            id: wire.id.ok_or_else(|| lacks("id"))?,
            name: wire.name.ok_or_else(|| lacks("name"))?,
            arguments: match wire.input.map(RawValue::get) {
                None => "{}".to_owned(),
                Some(input) if input.starts_with('{') => input.to_owned(),
                Some(_) => return Err(place.invalid("must have an object as its `input`")),
            },
            custom: false,
            state: None,
        })),
        "tool_result" => out.push(Part::ToolResult(ToolResult {
            call_id: wire.tool_use_id.ok_or_else(|| lacks("tool_use_id"))?,
            name: None,
            parts: match wire.content {
                Some(content) => read_content(content, place, notes)?,
                None => Vec::new(),
            },
            is_error: wire.is_error.unwrap_or(false),
            custom: false,
        })),
        // A tool that was found by searching among tools that are not loaded; here all of them are.
        "tool_reference" => {
            let name = wire.tool_name.ok_or_else(|| lacks("tool_name"))?;
            out.push(Part::Text(format!("The tool `{name}` is available.")));
        }
        other => {
            return Err(untranslatable(
                place.to_string(),
                &format!("blocks of type `{other}` mean something to Anthropic's API alone"),
            ));
        }
    }
    Ok(())
}
