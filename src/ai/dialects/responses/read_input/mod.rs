//! The `input` of a client's request: a text, or items. What the assistant said in items that follow each other is
//! one message, and so are tool results that do.

use serde::Deserialize;
use serde_json::Value;

use super::read_content::{Problem, read_content};
use super::wire::Item;
use crate::ai::conversation::{Message, Opaque, Part, Reasoning, Role, ToolCall, ToolResult};
use crate::ai::dialects::{Dialect, json_object::invalid};
use crate::error::RequestError;

/// Reads `input` to the end of `messages`. It may be missing where the request `continues` an earlier answer.
///
/// # Errors
/// 400 whose param is `input`; the message names the item.
pub(super) fn read(
    input: Option<Value>,
    continues: bool,
    messages: &mut Vec<Message>,
) -> Result<(), RequestError> {
    let items = match input {
        Some(Value::String(text)) => {
            messages.push(Message::new(Role::User, vec![Part::Text(text)]));
            return Ok(());
        }
        Some(Value::Array(items)) => items,
        None if continues => return Ok(()),
        Some(_) | None => return Err(invalid("input", "must be a text or a list of items")),
    };
    let first = messages.len();
    let mut call_states = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        read_item(item, messages, &mut call_states)
            .map_err(|problem| problem.at(format_args!("input[{index}]")))?;
    }
    for message in messages.iter_mut().skip(first) {
        for part in &mut message.parts {
            if let Part::ToolCall(call) = part {
                give_state(call, &mut call_states);
            }
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct MessageItem {
    role: String,
    content: Option<Value>,
}

#[derive(Deserialize)]
struct Output {
    call_id: String,
    #[serde(default)]
    name: Option<String>,
    output: Value,
}

fn read_item(
    item: Value,
    messages: &mut Vec<Message>,
    call_states: &mut Vec<(String, Opaque)>,
) -> Result<(), Problem> {
    let r#type = item.get("type").and_then(Value::as_str);
    match r#type {
        Some("message") => read_message(item, messages),
        None if item.get("role").is_some() => read_message(item, messages),
        Some("function_call_output") => read_output(item, false, messages),
        Some("custom_tool_call_output") => read_output(item, true, messages),
        Some("reasoning" | "function_call" | "custom_tool_call") => {
            let expected = "a call with `call_id` and `name`, or reasoning";
            let malformed = |_| Problem::Expected(expected);
            match Item::read(item).map_err(malformed)? {
                Item::Reasoning(thought) => {
                    for reasoning in thought.into_reasoning() {
                        match call_state(reasoning) {
                            Ok(state) => call_states.push(state),
                            Err(own) => assistant(messages).push(Part::Reasoning(own)),
                        }
                    }
                }
                Item::Call(call) => {
                    let call = call.into_tool_call().ok_or(Problem::Expected(expected))?;
                    assistant(messages).push(Part::ToolCall(call));
                }
                Item::Message(_) | Item::Other => {}
            }
            Ok(())
        }
        Some("item_reference") => Err(Problem::Reference),
        Some(other) => Err(Problem::Unknown(other.to_owned())),
        None if item.get("id").is_some() => Err(Problem::Reference),
        None => Err(Problem::Expected("an item with a `type`")),
    }
}

/// The state of a call, if that is what reasoning was sealed for: see [`super::write_items`].
fn call_state(reasoning: Reasoning) -> Result<(String, Opaque), Reasoning> {
    match reasoning.state {
        Some(Opaque {
            origin,
            kind,
            data,
            item_id: Some(call_id),
        }) if origin != Dialect::Responses && reasoning.text.is_empty() => {
            let state = Opaque {
                origin,
                kind,
                data,
                item_id: None,
            };
            Ok((call_id, state))
        }
        state => Err(Reasoning { state, ..reasoning }),
    }
}

fn give_state(call: &mut ToolCall, states: &mut Vec<(String, Opaque)>) {
    if let Some(at) = states.iter().position(|(id, _)| *id == call.id) {
        call.state = Some(states.swap_remove(at).1);
    }
}

/// Where the assistant goes on speaking.
fn assistant(messages: &mut Vec<Message>) -> &mut Vec<Part> {
    turn(messages, Role::Assistant)
}

fn turn(messages: &mut Vec<Message>, role: Role) -> &mut Vec<Part> {
    if messages.last().is_none_or(|last| last.role != role) {
        messages.push(Message::new(role, Vec::new()));
    }
    let last = messages
        .last_mut()
        .expect("one was pushed if there was none");
    &mut last.parts
}

fn read_message(item: Value, messages: &mut Vec<Message>) -> Result<(), Problem> {
    let message: MessageItem = serde_json::from_value(item)
        .map_err(|_| Problem::Expected("a message with a `role` and `content`"))?;
    let role = match &*message.role {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        "developer" => Role::Developer,
        _ => {
            return Err(Problem::Expected(
                "a message whose role is `user`, `assistant`, `system` or `developer`",
            ));
        }
    };
    let parts = read_content(message.content.unwrap_or_default())?;
    if role == Role::Assistant {
        assistant(messages).extend(parts);
    } else {
        messages.push(Message::new(role, parts));
    }
    Ok(())
}

fn read_output(item: Value, custom: bool, messages: &mut Vec<Message>) -> Result<(), Problem> {
    let output: Output = serde_json::from_value(item)
        .map_err(|_| Problem::Expected("a tool's output with a `call_id`"))?;
    turn(messages, Role::Tool).push(Part::ToolResult(ToolResult {
        call_id: output.call_id,
        name: output.name,
        parts: read_content(output.output)?,
        is_error: false,
        custom,
    }));
    Ok(())
}

#[cfg(test)]
mod tests;
