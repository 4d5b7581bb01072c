//! A messages request, as it was understood.

use serde_json::Value;

use super::{
    blocks::media,
    request::{Block, Body, Content, Effort, Message, Role, Thinking, ToolChoice},
};
use crate::simulator::heard::{self, Heard, Output, ToolCall, ToolResult};

pub(super) fn hear(body: &Body) -> Heard {
    let mut heard = Heard {
        model: body.model.clone(),
        tools: body.tools.iter().map(tool_name).collect(),
        tool_choice: body.tool_choice.as_ref().map(tool_choice),
        parallel: body.tool_choice.as_ref().and_then(parallel),
        output: match body.schema() {
            Some(_) => Output::JsonSchema,
            None => Output::Text,
        },
        stop: body.stop_sequences.clone(),
        temperature: body.temperature,
        top_p: body.top_p,
        top_k: body.top_k,
        max_tokens: body.max_tokens,
        effort: body.output_config.effort.map(effort),
        budget: match body.thinking {
            Some(Thinking::Enabled { budget_tokens, .. }) => Some(budget_tokens),
            Some(Thinking::Adaptive { .. }) => Some(-1),
            Some(Thinking::Disabled) => Some(0),
            Some(Thinking::BetweenTools) | None => None,
        },
        thoughts: match &body.thinking {
            Some(thinking @ (Thinking::Enabled { .. } | Thinking::Adaptive { .. })) => {
                Some(!thinking.is_omitted())
            }
            _ => None,
        },
        stream: body.stream,
        ..Heard::default()
    };
    if let Some(system) = &body.system {
        heard
            .system
            .extend(system.texts().into_iter().map(str::to_owned));
    }
    for message in &body.messages {
        hear_message(message, &mut heard);
    }
    heard
}

fn hear_message(message: &Message, heard: &mut Heard) {
    let role = match message.role {
        Role::User => heard::Role::User,
        Role::Assistant => heard::Role::Assistant,
        Role::System => {
            let texts = message.content.texts().into_iter();
            heard.system.extend(texts.map(str::to_owned));
            return;
        }
    };
    let turn = heard.turn(role);
    if let Content::Text(text) = &message.content {
        turn.say(text);
    }
    for block in message.content.blocks() {
        hear_block(block, turn);
    }
}

fn hear_block(block: &Block, turn: &mut heard::Turn) {
    match block.r#type.as_str() {
        "text" => turn.say(block.text.as_deref().unwrap_or_default()),
        "image" | "document" => show(block, turn),
        "thinking" | "redacted_thinking" => turn.reasoning_state = true,
        "tool_use" => turn.tool_calls.push(ToolCall {
            id: block.id.clone(),
            name: block.name.clone().unwrap_or_default(),
            arguments: Value::Object(block.input.clone().unwrap_or_default()),
        }),
        "tool_result" => {
            let content = block.result().unwrap_or_default();
            for inner in content.blocks() {
                show(inner, turn);
            }
            turn.tool_results.push(ToolResult {
                id: block.tool_use_id.clone(),
                name: None,
                text: content.texts().join("\n"),
                error: block.is_error,
            });
        }
        _ => {}
    }
}

fn show(block: &Block, turn: &mut heard::Turn) {
    let shown = match block.r#type.as_str() {
        "image" => &mut turn.images,
        "document" => &mut turn.documents,
        _ => return,
    };
    // What is broken was refused before anybody asks what was heard.
    if let Ok(Some(media)) = media(block, "") {
        shown.push(media.to_string());
    }
}

fn tool_name(tool: &Value) -> String {
    let kind = tool.get("type").and_then(Value::as_str).unwrap_or("custom");
    let name = tool.get("name").and_then(Value::as_str);
    let name = name.filter(|_| kind == "custom");
    name.unwrap_or(kind).to_owned()
}

fn tool_choice(choice: &ToolChoice) -> String {
    match choice {
        ToolChoice::Auto { .. } => "auto".into(),
        ToolChoice::Any { .. } => "required".into(),
        ToolChoice::Tool { name, .. } => format!("tool:{name}"),
        ToolChoice::None => "none".into(),
    }
}

/// Whether several tools may be used at once.
pub(super) fn parallel(choice: &ToolChoice) -> Option<bool> {
    match choice {
        ToolChoice::Auto {
            disable_parallel_tool_use,
        }
        | ToolChoice::Any {
            disable_parallel_tool_use,
        }
        | ToolChoice::Tool {
            disable_parallel_tool_use,
            ..
        } => disable_parallel_tool_use.map(|disabled| !disabled),
        ToolChoice::None => None,
    }
}

fn effort(effort: Effort) -> String {
    match effort {
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Xhigh => "xhigh",
        Effort::Max => "max",
    }
    .into()
}
