//! A whole answer for a chat client.

use bytes::Bytes;
use serde::Serialize;

use super::wire::{Spoken, answer_id, finish_word};
use super::write_call::WrittenCall;
use crate::ai::conversation::{Answer, Choice, Part};
use crate::ai::dialects::AnswerContext;
use crate::ai::dialects::usage::ChatUsage;

/// What stands between two runs of reasoning that became one text.
pub(super) const BETWEEN_THOUGHTS: &str = "\n\n";

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Vec<WrittenChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<ChatUsage>,
}

#[derive(Serialize)]
struct WrittenChoice<'a> {
    index: usize,
    message: WrittenMessage<'a>,
    logprobs: (),
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct WrittenMessage<'a> {
    role: &'static str,
    content: Option<String>,
    refusal: Option<String>,
    /// Not OpenAI's: the name that compatible servers and their clients agree on.
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WrittenCall<'a>>,
}

/// Writes an answer. The provider's state in it has no place here.
pub(in crate::ai) fn write_answer(answer: &Answer, context: &AnswerContext) -> Bytes {
    let choices = answer.choices.iter().enumerate();
    let completion = Completion {
        id: &answer_id(answer.id.as_deref(), &context.request_id),
        object: "chat.completion",
        created: context.created_unix,
        model: answer.model.as_deref().unwrap_or(&context.model),
        choices: choices
            .map(|(index, choice)| write_choice(index, choice))
            .collect(),
        usage: answer.usage.map(ChatUsage::from),
    };
    serde_json::to_vec(&completion)
        .expect("texts, numbers and lists are always JSON")
        .into()
}

fn write_choice(index: usize, choice: &Choice) -> WrittenChoice<'_> {
    let mut message = WrittenMessage {
        role: "assistant",
        content: None,
        refusal: None,
        reasoning_content: None,
        tool_calls: Vec::new(),
    };
    for part in &choice.parts {
        match part {
            Part::Text(text) => join(&mut message.content, "", text),
            Part::Refusal(text) => join(&mut message.refusal, "", text),
            Part::Reasoning(thought) => {
                join(
                    &mut message.reasoning_content,
                    BETWEEN_THOUGHTS,
                    &thought.text,
                );
            }
            Part::ToolCall(call) => message
                .tool_calls
                .push(WrittenCall::whole(call, call.custom)),
            // No model of a conversation's answers with these.
            Part::Image { .. }
            | Part::Document { .. }
            | Part::Audio { .. }
            | Part::ToolResult(_) => {}
        }
    }
    let spoken = Spoken {
        calls: !message.tool_calls.is_empty(),
        refusal: message.refusal.is_some(),
    };
    if spoken == Spoken::default() && message.content.is_none() {
        // Clients take the text of such an answer without looking.
        message.content = Some(String::new());
    }
    WrittenChoice {
        index,
        message,
        logprobs: (),
        finish_reason: finish_word(&choice.finish, spoken),
    }
}

/// Appends `text`; empty is unsaid.
fn join(whole: &mut Option<String>, separator: &str, text: &str) {
    match whole {
        _ if text.is_empty() => {}
        Some(whole) => {
            whole.push_str(separator);
            whole.push_str(text);
        }
        None => *whole = Some(text.to_owned()),
    }
}
