//! The messages of a request: all roles, content as text or in parts, tool calls and their results, the legacy
//! `function_call` with its `function` messages too.

use std::borrow::Cow;

use serde_json::Value;

use super::fields::{Fields, cannot_cross, elements, note, wrong};
use super::read_part::read_part;
use super::wire::{arguments_text, call_state, thoughts};
use crate::ai::conversation::{Message, Part, Role, ToolCall, ToolResult};
use crate::error::RequestError;

/// What clients send back of an answer's message that says nothing new: citations of the text beside them, OpenRouter's
/// second form of the reasoning, and the object that OpenAI's library parsed the text into.
const HARMLESS: &[&str] = &["annotations", "reasoning_details", "parsed"];

/// Messages as they are read, oldest first.
#[derive(Debug, Default)]
pub(super) struct Messages {
    pub(super) read: Vec<Message>,
    pub(super) unread: Vec<Cow<'static, str>>,
    /// Ids of calls to custom tools: their results are told apart by them alone.
    custom_calls: Vec<String>,
    /// Calls in the legacy form have no id and are found by name.
    legacy_calls: Vec<LegacyCall>,
}

#[derive(Debug)]
struct LegacyCall {
    id: String,
    name: String,
    answered: bool,
}

impl Messages {
    /// Reads the next message.
    pub(super) fn add(&mut self, mut fields: Fields) -> Result<(), RequestError> {
        let role = fields.needed_text("role")?;
        let name = fields.text("name")?.filter(|name| !name.is_empty());
        match role.as_str() {
            "system" => self.say(Role::System, name, &mut fields)?,
            "developer" => self.say(Role::Developer, name, &mut fields)?,
            "user" => self.say(Role::User, name, &mut fields)?,
            "assistant" => self.answer(name, &mut fields)?,
            "tool" => self.tool_result(name, &mut fields)?,
            "function" => self.function_result(name, &mut fields)?,
            _ => {
                let problem =
                    "must be `developer`, `system`, `user`, `assistant`, `tool` or `function`";
                return Err(wrong(fields.path_of("role"), problem));
            }
        }
        for name in fields.left() {
            note(&mut self.unread, format!("messages.{name}"));
        }
        Ok(())
    }

    fn say(
        &mut self,
        role: Role,
        name: Option<String>,
        fields: &mut Fields,
    ) -> Result<(), RequestError> {
        let Some(parts) = self.content(fields)? else {
            let problem = "is missing; it must be a string or a list of parts";
            return Err(wrong(fields.path_of("content"), problem));
        };
        self.read.push(Message { role, parts, name });
        Ok(())
    }

    fn answer(&mut self, name: Option<String>, fields: &mut Fields) -> Result<(), RequestError> {
        if fields.has("audio") {
            return Err(cannot_cross(
                fields.path_of("audio"),
                "refers to speech that only the provider that made it has kept",
            ));
        }
        fields.ignore(HARMLESS);
        let mut parts = Vec::new();
        let reasoning = [fields.value("reasoning_content"), fields.value("reasoning")];
        let reasoning = reasoning.into_iter().find_map(|value| match value {
            Some(Value::String(text)) if !text.is_empty() => Some(text),
            _ => None,
        });
        parts.extend(reasoning.map(|text| Part::Reasoning(thoughts(text))));
        let content = self.content(fields)?.unwrap_or_default();
        parts.extend(
            content
                .into_iter()
                .filter(|part| part.as_text() != Some("")),
        );
        let refusal = fields.text("refusal")?.filter(|text| !text.is_empty());
        parts.extend(refusal.map(Part::Refusal));
        for call in fields.objects("tool_calls")? {
            parts.push(Part::ToolCall(self.call(call)?));
        }
        if let Some(call) = fields.object("function_call")? {
            parts.push(Part::ToolCall(self.legacy_call(call)?));
        }
        // An empty turn says nothing, and some APIs refuse one.
        if !parts.is_empty() {
            self.read.push(Message {
                role: Role::Assistant,
                parts,
                name,
            });
        }
        Ok(())
    }

    fn call(&mut self, mut fields: Fields) -> Result<ToolCall, RequestError> {
        let id = fields.needed_text("id")?;
        let state = fields
            .value("extra_content")
            .map(|extra| call_state(&extra));
        let kind = fields.text("type")?;
        let custom = kind.as_deref() == Some("custom");
        if !custom && !matches!(kind.as_deref(), None | Some("function")) {
            return Err(wrong(
                fields.path_of("type"),
                "must be `function` or `custom`",
            ));
        }
        let mut inner = fields.needed_object(if custom { "custom" } else { "function" })?;
        let name = inner.needed_text("name")?;
        let arguments = if custom {
            self.custom_calls.push(id.clone());
            inner.text("input")?.unwrap_or_default()
        } else {
            arguments_text(inner.value("arguments"))
        };
        Ok(ToolCall {
            id,
            name,
            arguments,
            custom,
            state,
        })
    }

    fn legacy_call(&mut self, mut fields: Fields) -> Result<ToolCall, RequestError> {
        let name = fields.needed_text("name")?;
        let id = format!("call_function_{}", self.legacy_calls.len());
        self.legacy_calls.push(LegacyCall {
            id: id.clone(),
            name: name.clone(),
            answered: false,
        });
        Ok(ToolCall {
            id,
            name,
            arguments: arguments_text(fields.value("arguments")),
            ..ToolCall::default()
        })
    }

    fn tool_result(
        &mut self,
        name: Option<String>,
        fields: &mut Fields,
    ) -> Result<(), RequestError> {
        let call_id = fields.needed_text("tool_call_id")?;
        let parts = self.content(fields)?.unwrap_or_default();
        let custom = self.custom_calls.contains(&call_id);
        self.push_result(ToolResult {
            call_id,
            name,
            parts,
            is_error: false,
            custom,
        });
        Ok(())
    }

    fn function_result(
        &mut self,
        name: Option<String>,
        fields: &mut Fields,
    ) -> Result<(), RequestError> {
        let Some(name) = name else {
            return Err(wrong(
                fields.path_of("name"),
                "is missing; it must name the function",
            ));
        };
        let parts = self.content(fields)?.unwrap_or_default();
        let open = |call: &&mut LegacyCall| call.name == name && !call.answered;
        let Some(call) = self.legacy_calls.iter_mut().find(open) else {
            return Err(wrong(
                fields.path_of("name"),
                "names a function that no `function_call` before it asked for",
            ));
        };
        call.answered = true;
        let call_id = call.id.clone();
        self.push_result(ToolResult {
            call_id,
            name: Some(name),
            parts,
            is_error: false,
            custom: false,
        });
        Ok(())
    }

    /// Results that follow each other are one turn.
    fn push_result(&mut self, result: ToolResult) {
        let part = Part::ToolResult(result);
        match self.read.last_mut() {
            Some(last) if last.role == Role::Tool => last.parts.push(part),
            _ => self.read.push(Message::new(Role::Tool, vec![part])),
        }
    }

    /// `content`, as one text or in parts; `None` where there is none.
    fn content(&mut self, fields: &mut Fields) -> Result<Option<Vec<Part>>, RequestError> {
        let path = fields.path_of("content");
        let values = match fields.value("content") {
            None => return Ok(None),
            Some(Value::String(text)) => return Ok(Some(vec![Part::Text(text)])),
            Some(Value::Array(values)) => values,
            Some(_) => return Err(wrong(path, "must be a string or a list of parts")),
        };
        let mut parts = Vec::with_capacity(values.len());
        for (path, value) in elements(&path, values) {
            let mut part = Fields::of(path, value)?;
            parts.push(read_part(&mut part)?);
            for name in part.left() {
                note(&mut self.unread, format!("messages.content.{name}"));
            }
        }
        Ok(Some(parts))
    }
}
