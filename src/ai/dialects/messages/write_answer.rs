//! An answer for a client of this dialect. It has one choice, since no request of this dialect can ask for more.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;

use super::blocks::{Block, input};
use super::thoughts;
use super::wire::{Said, WrittenUsage, message_id, model_name, stop_reason};
use crate::ai::conversation::{Answer, Finish, Part, ToolCall};
use crate::ai::dialects::AnswerContext;

/// Every field that the SDKs' types promise.
#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    pub(super) id: String,
    pub(super) r#type: &'static str,
    pub(super) role: &'static str,
    pub(super) model: &'a str,
    pub(super) content: Vec<Block<'a>>,
    pub(super) stop_reason: Option<&'static str>,
    pub(super) stop_sequence: Option<&'a str>,
    pub(super) stop_details: Option<()>,
    pub(super) container: Option<()>,
    pub(super) usage: WrittenUsage,
}

/// Writes the body of a 200.
pub(in crate::ai) fn write_answer(answer: &Answer, context: &AnswerContext) -> Bytes {
    let choice = answer.choices.first();
    let parts = choice.map_or(&[][..], |choice| &choice.parts);
    let finish = choice.map_or(&Finish::Stop, |choice| &choice.finish);
    let mut content = Vec::with_capacity(parts.len());
    let mut said = Said::default();
    for part in parts {
        write_part(part, &mut content, &mut said);
    }
    leave_out_last_states(&mut content);
    let (reason, sequence) = stop_reason(finish, said);
    let message = Message {
        id: message_id(answer.id.as_deref(), context),
        r#type: "message",
        role: "assistant",
        model: model_name(answer.model.as_deref(), context),
        content,
        stop_reason: Some(reason),
        stop_sequence: sequence,
        stop_details: None,
        container: None,
        usage: answer.usage.unwrap_or_default().into(),
    };
    serde_json::to_vec(&message)
        .expect("strings, numbers and JSON are always JSON")
        .into()
}

fn write_part<'a>(part: &'a Part, out: &mut Vec<Block<'a>>, said: &mut Said) {
    match part {
        Part::Text(text) if text.is_empty() => {}
        Part::Text(text) => out.push(Block::Text {
            text: Cow::Borrowed(text),
        }),
        // There is no block for it: the words, and the stop reason that says what they are.
        Part::Refusal(text) => {
            said.refused = true;
            out.push(Block::Text {
                text: Cow::Borrowed(text),
            });
        }
        Part::Reasoning(reasoning) => out.extend(thoughts::for_client(reasoning).block()),
        Part::ToolCall(call) => {
            said.called = true;
            out.extend(thoughts::call_state_block(call));
            out.push(tool_use(call));
        }
        // A model says none of these, as far as the APIs go.
        Part::Image { .. } | Part::Document { .. } | Part::Audio { .. } | Part::ToolResult(_) => {}
    }
}

/// As in a stream: clients take the last block for the answer.
fn leave_out_last_states(content: &mut Vec<Block<'_>>) {
    if content.iter().any(Block::is_said) {
        while content.last().is_some_and(thoughts::is_sealed_alone) {
            content.pop();
        }
    }
}

/// Arguments that are no JSON object were cut off by a ceiling; the client gets what there is of them, as the value
/// of one field, for `input` must be an object.
fn tool_use(call: &ToolCall) -> Block<'_> {
    let input = input(&call.arguments, call.custom)
        .or_else(|| input(&call.arguments, true))
        .unwrap_or(Cow::Borrowed(RawValue::NULL));
    Block::ToolUse {
        id: Cow::Borrowed(&call.id),
        name: &call.name,
        input,
    }
}
