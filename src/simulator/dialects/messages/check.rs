//! What Anthropic refuses: the rules that a translation into its dialect gets wrong most easily.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    blocks::{self, is_name},
    request::{Block, Body, Content, Message, Role, Thinking, ToolChoice},
};
use crate::simulator::errors::Problem;

/// Thinking takes at least so many tokens.
const BUDGET_MIN: i64 = 1024;

pub(super) fn check(body: &Body) -> Result<(), Problem> {
    if body.model.is_empty() {
        return Err(at("model", "String should have at least 1 character"));
    }
    if body.messages.is_empty() {
        return Err(at("messages", "at least one message is required"));
    }
    if body
        .temperature
        .is_some_and(|temperature| !(0.0..=1.0).contains(&temperature))
    {
        return Err(at("temperature", "range: 0..1"));
    }
    if body
        .stop_sequences
        .iter()
        .any(|stop| stop.trim().is_empty())
    {
        return Err(at(
            "stop_sequences",
            "each stop sequence must contain non-whitespace",
        ));
    }
    thinking(body)?;
    for (index, tool) in body.tools.iter().enumerate() {
        self::tool(tool, index)?;
    }
    if body.tool_choice.is_some() && body.tools.is_empty() {
        return Err(at(
            "tool_choice",
            "may only be specified while providing `tools`",
        ));
    }
    let last = body.messages.len() - 1;
    for (index, message) in body.messages.iter().enumerate() {
        self::message(message, index, index == last)?;
    }
    pairs(&body.messages)
}

pub(super) fn at(place: &str, message: &str) -> Problem {
    Problem::invalid(format!("{place}: {message}"))
}

fn thinking(body: &Body) -> Result<(), Problem> {
    let Some(Thinking::Enabled { budget_tokens, .. }) = &body.thinking else {
        return Ok(());
    };
    if *budget_tokens < BUDGET_MIN {
        let message = "Input should be greater than or equal to 1024";
        return Err(at("thinking.enabled.budget_tokens", message));
    }
    let max_tokens = body.max_tokens.and_then(|max| i64::try_from(max).ok());
    if max_tokens.is_some_and(|max_tokens| max_tokens <= *budget_tokens) {
        return Err(Problem::invalid(
            "`max_tokens` must be greater than `thinking.budget_tokens`.",
        ));
    }
    if body
        .temperature
        .is_some_and(|temperature| temperature < 1.0)
    {
        return Err(Problem::invalid(
            "`temperature` may only be set to 1 when thinking is enabled.",
        ));
    }
    if body.top_k.is_some() {
        return Err(Problem::invalid(
            "`top_k` must be unset when thinking is enabled.",
        ));
    }
    match body.tool_choice {
        Some(ToolChoice::Any { .. } | ToolChoice::Tool { .. }) => Err(Problem::invalid(
            "Thinking may not be enabled when tool_choice forces tool use.",
        )),
        _ => Ok(()),
    }
}

/// A tool of the client's has a name and the schema of an object; one that Anthropic runs has a type.
fn tool(tool: &Value, index: usize) -> Result<(), Problem> {
    let place = format!("tools.{index}");
    let kind = tool.get("type").and_then(Value::as_str).unwrap_or("custom");
    let name = tool.get("name").and_then(Value::as_str);
    if kind != "custom" {
        let versioned = kind.rsplit_once('_').is_some_and(|(_, version)| {
            version.chars().all(|digit| digit.is_ascii_digit()) && version.len() == 8
        });
        return if versioned || kind == "mcp_toolset" {
            Ok(())
        } else {
            Err(at(
                &place,
                &format!(
                    "Input tag '{kind}' found using 'type' does not match any of the expected tags"
                ),
            ))
        };
    }
    let Some(name) = name else {
        return Err(at(&format!("{place}.custom.name"), "Field required"));
    };
    if !is_name(name) {
        let message = "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'";
        return Err(at(&format!("{place}.custom.name"), message));
    }
    if tool.get("parameters").is_some() || tool.get("function").is_some() {
        return Err(at(
            &format!("{place}.custom.parameters"),
            "Extra inputs are not permitted",
        ));
    }
    match tool.get("input_schema").map(|schema| schema.get("type")) {
        Some(Some(kind)) if kind == "object" => Ok(()),
        Some(Some(_)) => Err(at(
            &format!("{place}.custom.input_schema.type"),
            "Input should be 'object'",
        )),
        Some(None) => Err(at(
            &format!("{place}.custom.input_schema.type"),
            "Field required",
        )),
        None => Err(at(
            &format!("{place}.custom.input_schema"),
            "Field required",
        )),
    }
}

fn message(message: &Message, index: usize, is_last: bool) -> Result<(), Problem> {
    let place = format!("messages.{index}");
    let is_empty = match &message.content {
        Content::Text(text) => text.is_empty(),
        Content::Parts(blocks) => blocks.is_empty(),
    };
    if is_empty && !(is_last && message.role == Role::Assistant) {
        let message = "all messages must have non-empty content except for the optional final assistant message";
        return Err(at(&place, message));
    }
    if let (Content::Text(text), Role::Assistant, true) = (&message.content, message.role, is_last)
        && text.ends_with(char::is_whitespace)
    {
        return Err(at(
            "messages",
            "final assistant content cannot end with trailing whitespace",
        ));
    }
    for (position, block) in message.content.blocks().iter().enumerate() {
        blocks::check(block, message.role, &format!("{place}.content.{position}"))?;
    }
    Ok(())
}

/// Every tool that was used has its result in the very next message, and every result its use right before.
fn pairs(messages: &[Message]) -> Result<(), Problem> {
    let mut used: HashSet<&str> = HashSet::new();
    for (index, turn) in turns(messages) {
        let ids = |kind: &str, id: fn(&Block) -> Option<&str>| -> HashSet<&str> {
            let blocks = turn.iter().flat_map(|message| message.content.blocks());
            let of_kind = blocks.filter(|block| block.r#type == kind);
            of_kind.filter_map(id).collect()
        };
        let results = ids("tool_result", |block| block.tool_use_id.as_deref());
        if let Some(id) = results.iter().find(|id| !used.contains(*id)) {
            return Err(Problem::invalid(format!(
                "messages.{index}.content: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each \
                 `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )));
        }
        unanswered(used.difference(&results), index)?;
        used = ids("tool_use", |block| block.id.as_deref());
    }
    unanswered(used.iter(), messages.len())
}

fn unanswered<'a>(mut ids: impl Iterator<Item = &'a &'a str>, index: usize) -> Result<(), Problem> {
    let Some(id) = ids.next() else { return Ok(()) };
    Err(Problem::invalid(format!(
        "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {id}. Each `tool_use` \
         block must have a corresponding `tool_result` block in the next message.",
        index.saturating_sub(1)
    )))
}

/// Messages of one role in a row count as one turn.
pub(super) fn turns(messages: &[Message]) -> impl Iterator<Item = (usize, &[Message])> {
    let mut begun = 0;
    messages
        .chunk_by(|one, next| one.role == next.role)
        .map(move |turn| {
            let index = begun;
            begun += turn.len();
            (index, turn)
        })
}
