//! Messages as the items of an `input`.

use std::borrow::Cow;

use serde::Serialize;

use super::wire::PARAGRAPH;
use super::write_parts::{InputPart, part};
use crate::ai::conversation::{
    Conversation, Message, OpaqueKind, Part, Reasoning, Role, ToolCall, ToolKind, ToolResult,
    joined_text,
};
use crate::ai::dialects::failed_call::with_error_named;
use crate::ai::dialects::{Dialect, Dropped, Field, Quirks};
use crate::error::RequestError;

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum InputItem<'a> {
    Message {
        role: &'static str,
        content: Vec<InputPart<'a>>,
    },
    Reasoning {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<&'a str>,
        summary: Vec<InputPart<'a>>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<InputPart<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        encrypted_content: Option<&'a str>,
    },
    FunctionCall {
        call_id: &'a str,
        name: &'a str,
        arguments: Cow<'a, str>,
    },
    CustomToolCall {
        call_id: &'a str,
        name: &'a str,
        input: &'a str,
    },
    FunctionCallOutput {
        call_id: &'a str,
        output: ToolOutput<'a>,
    },
    CustomToolCallOutput {
        call_id: &'a str,
        output: ToolOutput<'a>,
    },
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ToolOutput<'a> {
    Text(Cow<'a, str>),
    Parts(Vec<InputPart<'a>>),
}

/// The instructions that come before all else, and the items.
///
/// # Errors
/// 400 naming the client's field for a part that has no place here.
pub(super) fn write<'a>(
    conversation: &'a Conversation,
    quirks: Quirks,
    dropped: &mut Dropped<'_>,
) -> Result<(Option<String>, Vec<InputItem<'a>>), RequestError> {
    let messages = &*conversation.messages;
    let leading = messages
        .iter()
        .take_while(|message| is_instruction(message));
    let (instructions, said) = messages.split_at(leading.count());
    // An input must hold something.
    let (instructions, said) = match said.is_empty() {
        true => (&[][..], messages),
        false => (instructions, said),
    };
    let mut writer = Writer {
        conversation,
        quirks,
        items: Vec::new(),
    };
    for message in messages {
        dropped.if_set(Field::SpeakerName, &message.name);
    }
    for message in said {
        writer.message(message)?;
    }
    let texts: Vec<String> = instructions
        .iter()
        .map(|message| joined_text(&message.parts, PARAGRAPH))
        .collect();
    let instructions = (!texts.is_empty()).then(|| texts.join(PARAGRAPH));
    Ok((instructions, writer.items))
}

fn is_instruction(message: &Message) -> bool {
    message.role == Role::System && message.parts.iter().all(|part| part.as_text().is_some())
}

struct Writer<'a> {
    conversation: &'a Conversation,
    quirks: Quirks,
    items: Vec<InputItem<'a>>,
}

impl<'a> Writer<'a> {
    /// Parts that are said go together into one item, as long as nothing else comes between them.
    fn message(&mut self, message: &'a Message) -> Result<(), RequestError> {
        let role = match message.role {
            Role::System => "system",
            Role::Developer if self.quirks.developer_role => "developer",
            Role::Developer => "system",
            Role::User | Role::Tool => "user",
            Role::Assistant => "assistant",
        };
        let mut content = Vec::new();
        for said in &message.parts {
            let item = match said {
                Part::ToolCall(call) => self.call(call),
                Part::ToolResult(result) => self.result(result)?,
                Part::Reasoning(reasoning) => match reasoning_item(reasoning) {
                    Some(item) => item,
                    None => continue,
                },
                said => {
                    content.push(part(self.conversation, said, message.role)?);
                    continue;
                }
            };
            self.say(role, &mut content);
            self.items.push(item);
        }
        self.say(role, &mut content);
        Ok(())
    }

    fn say(&mut self, role: &'static str, content: &mut Vec<InputPart<'a>>) {
        if !content.is_empty() {
            self.items.push(InputItem::Message {
                role,
                content: std::mem::take(content),
            });
        }
    }

    fn call(&self, call: &'a ToolCall) -> InputItem<'a> {
        let (call_id, name) = (&*call.id, &*call.name);
        if call.custom && self.quirks.custom_tools {
            return InputItem::CustomToolCall {
                call_id,
                name,
                input: &call.arguments,
            };
        }
        let arguments = match &*call.arguments {
            text if call.custom => ToolKind::custom_arguments(text).into(),
            "" => "{}".into(),
            text => text.into(),
        };
        InputItem::FunctionCall {
            call_id,
            name,
            arguments,
        }
    }

    fn result(&self, result: &'a ToolResult) -> Result<InputItem<'a>, RequestError> {
        let call_id = &*result.call_id;
        let output = match &*result.parts {
            [] => ToolOutput::Text(with_error_named("".into(), result.is_error)),
            [Part::Text(text)] => ToolOutput::Text(with_error_named(text.into(), result.is_error)),
            parts => {
                let failed = result
                    .is_error
                    .then_some(Ok(InputPart::InputText { text: "Error:" }));
                let parts = parts
                    .iter()
                    .map(|one| part(self.conversation, one, Role::Tool));
                ToolOutput::Parts(failed.into_iter().chain(parts).collect::<Result<_, _>>()?)
            }
        };
        let custom = result.custom || self.is_custom_call(call_id);
        Ok(if custom && self.quirks.custom_tools {
            InputItem::CustomToolCallOutput { call_id, output }
        } else {
            InputItem::FunctionCallOutput { call_id, output }
        })
    }

    /// The chat API does not say it with the result.
    fn is_custom_call(&self, id: &str) -> bool {
        let mut calls = self.conversation.parts();
        calls.any(|part| matches!(part, Part::ToolCall(call) if call.custom && call.id == id))
    }
}

/// A thought of this dialect's own; another's means nothing to the provider.
fn reasoning_item(reasoning: &Reasoning) -> Option<InputItem<'_>> {
    let state = reasoning.state.as_ref();
    let state = state.filter(|state| state.origin == Dialect::Responses)?;
    let text = &*reasoning.text;
    let (summary, content) = match (text.is_empty(), reasoning.summary) {
        (true, _) => (vec![], vec![]),
        (false, true) => (vec![InputPart::SummaryText { text }], vec![]),
        (false, false) => (vec![], vec![InputPart::ReasoningText { text }]),
    };
    Some(InputItem::Reasoning {
        id: state.item_id.as_deref(),
        summary,
        content,
        encrypted_content: (state.kind != OpaqueKind::Text).then_some(&*state.data),
    })
}
