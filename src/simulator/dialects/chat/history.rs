//! What OpenAI demands of a history: known parts, and an answer to every tool call right behind it.

use super::Message;
use crate::simulator::errors::Problem;

const PARTS: [&str; 5] = ["text", "image_url", "input_audio", "file", "refusal"];
const ROLES: [&str; 6] = [
    "system",
    "developer",
    "user",
    "assistant",
    "tool",
    "function",
];

pub(super) fn check(messages: &[Message]) -> Result<(), Problem> {
    let mut open: Vec<&str> = Vec::new();
    let mut may_answer = false;
    for (index, message) in messages.iter().enumerate() {
        let at = format!("messages[{index}]");
        if !ROLES.contains(&message.role.as_str()) {
            let message = format!(
                "Invalid value: '{}'. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.",
                message.role
            );
            return Err(
                Problem::invalid_at(format!("{at}.role"), message).with_code("invalid_value")
            );
        }
        if let Some(content) = &message.content {
            content.check(&PARTS, &format!("{at}.content"))?;
        }
        if message.role == "tool" {
            let id = message.tool_call_id.as_deref().unwrap_or_default();
            let Some(answered) = open
                .iter()
                .position(|call| *call == id)
                .filter(|_| may_answer)
            else {
                let message = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
                return Err(Problem::invalid_at(format!("{at}.role"), message));
            };
            open.swap_remove(answered);
        } else {
            unanswered(&open, &at)?;
            open = message
                .tool_calls
                .iter()
                .map(|call| call.id.as_str())
                .collect();
            may_answer = !open.is_empty();
        }
    }
    unanswered(&open, "messages")
}

fn unanswered(open: &[&str], at: &str) -> Result<(), Problem> {
    if open.is_empty() {
        return Ok(());
    }
    let message = format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. \
         The following tool_call_ids did not have response messages: {}",
        open.join(", ")
    );
    Err(Problem::invalid_at(at, message))
}
