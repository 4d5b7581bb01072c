//! The tools of a client's request, and which of them may be called.
//!
//! A tool without a type, or of type `custom`, is a function. All other types are Anthropic's own (`web_search_…`,
//! `bash_…`, `computer_…`, `mcp_toolset`): their models were taught to use them, and other providers do not know them.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::fields::{Fields, invalid, untranslatable};
use super::read_content::Notes;
use super::read_request::is_strict_everywhere;
use crate::ai::conversation::{Conversation, Tool, ToolChoice, ToolKind};
use crate::error::RequestError;

/// Not read: `eager_input_streaming`, which is about how arguments are cut into pieces.
#[derive(Deserialize)]
struct Wire {
    r#type: Option<String>,
    name: Option<String>,
    description: Option<String>,
    input_schema: Option<Value>,
    strict: Option<bool>,
    cache_control: Option<IgnoredAny>,
    defer_loading: Option<bool>,
    allowed_callers: Option<Vec<String>>,
    input_examples: Option<Vec<IgnoredAny>>,
}

#[derive(Deserialize)]
struct Choice {
    r#type: String,
    name: Option<String>,
    disable_parallel_tool_use: Option<bool>,
}

/// Takes `tools` and `tool_choice`.
pub(super) fn read_tools(
    fields: &mut Fields<'_>,
    conversation: &mut Conversation,
    notes: &mut Notes,
) -> Result<(), RequestError> {
    let wires: Vec<Wire> = fields.take("tools", "a list of tools")?.unwrap_or_default();
    let mut hosted = Vec::new();
    for (index, wire) in wires.into_iter().enumerate() {
        match wire.r#type.as_deref() {
            None | Some("custom") => {
                let tool = read_function(wire, index, notes)?;
                conversation.tools.push(tool);
            }
            Some(kind) => {
                notes.add(format!("tools.{kind}"));
                hosted.extend(wire.name);
            }
        }
    }
    let choice: Option<Choice> =
        fields.take("tool_choice", "an object with the type of a choice")?;
    if let Some(choice) = choice {
        read_choice(choice, conversation)?;
    }
    let forced_hosted = match &conversation.tool_choice {
        ToolChoice::Named(name) => {
            hosted.contains(name) && !conversation.tools.iter().any(|tool| tool.name == *name)
        }
        ToolChoice::Required => conversation.tools.is_empty() && !hosted.is_empty(),
        _ => false,
    };
    if forced_hosted {
        return Err(untranslatable(
            "tool_choice",
            "the tool that must be called is one of Anthropic's own",
        ));
    }
    Ok(())
}

fn read_function(wire: Wire, index: usize, notes: &mut Notes) -> Result<Tool, RequestError> {
    let name = wire
        .name
        .filter(|name| !name.is_empty())
        .ok_or_else(|| invalid(format!("tools.{index}.name"), "is missing"))?;
    if wire.cache_control.is_some() {
        notes.add("cache_control");
    }
    if wire.defer_loading == Some(true) {
        notes.add("tools.defer_loading");
    }
    if wire.input_examples.is_some_and(|list| !list.is_empty()) {
        notes.add("tools.input_examples");
    }
    let mut strict = wire.strict;
    let schema = wire.input_schema.as_ref();
    if strict == Some(true) && !schema.is_some_and(is_strict_everywhere) {
        strict = None;
        notes.add("tools.strict");
    }
    let others_call = |list: Vec<String>| list.iter().any(|caller| caller != "direct");
    if wire.allowed_callers.is_some_and(others_call) {
        notes.add("tools.allowed_callers");
    }
    Ok(Tool {
        name,
        description: wire.description,
        kind: ToolKind::Function {
            parameters: wire.input_schema,
            strict,
        },
    })
}

fn read_choice(choice: Choice, conversation: &mut Conversation) -> Result<(), RequestError> {
    conversation.tool_choice = match (&*choice.r#type, choice.name) {
        ("auto", _) => ToolChoice::Auto,
        ("any", _) => ToolChoice::Required,
        ("none", _) => ToolChoice::None,
        ("tool", Some(name)) => ToolChoice::Named(name),
        ("tool", None) => return Err(invalid("tool_choice.name", "is missing")),
        _ => {
            return Err(invalid(
                "tool_choice.type",
                "must be `auto`, `any`, `tool` or `none`",
            ));
        }
    };
    conversation.parallel_tool_calls = choice.disable_parallel_tool_use.map(|disable| !disable);
    Ok(())
}
