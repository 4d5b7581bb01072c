//! An answer of Anthropic's that was not streamed.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::{failure, not_the_api};
use super::thoughts;
use super::wire::{self, AnswerBlock, Usage};
use crate::ai::conversation::{Answer, Choice, Finish, Part, ToolCall, ToolKind};
use crate::ai::dialects::AnswerContext;
use crate::error::RequestError;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow, default)]
    r#type: Cow<'a, str>,
    id: Option<String>,
    model: Option<String>,
    content: Option<Vec<AnswerBlock>>,
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
    usage: Option<Usage>,
}

/// Reads the body of a 200.
///
/// # Errors
/// The provider's own error where the body is one; `provider_protocol_error` where it is no message.
pub(in crate::ai) fn read_answer(
    body: &[u8],
    context: &AnswerContext,
) -> Result<Answer, RequestError> {
    let what = "The provider's answer is not a message of the messages API.";
    let message: Message<'_> = serde_json::from_slice(body).map_err(|_| not_the_api(what))?;
    if message.r#type == "error" {
        return Err(failure(body));
    }
    let blocks = message.content.ok_or_else(|| not_the_api(what))?;
    let mut parts = Vec::with_capacity(blocks.len());
    for block in blocks {
        parts.extend(read_block(block, context));
    }
    let finish = match message.stop_reason {
        Some(reason) => wire::finish(&reason, message.stop_sequence),
        None => Finish::Stop,
    };
    Ok(Answer {
        id: message.id,
        model: message.model,
        choices: vec![Choice { parts, finish }],
        usage: message.usage.and_then(Usage::tokens),
    })
}

fn read_block(block: AnswerBlock, context: &AnswerContext) -> Option<Part> {
    match &*block.r#type {
        "text" => block.text.filter(|text| !text.is_empty()).map(Part::Text),
        "thinking" => Some(Part::Reasoning(thoughts::own_thinking(
            block.thinking.unwrap_or_default(),
            block.signature,
        ))),
        "redacted_thinking" => block
            .data
            .map(|data| Part::Reasoning(thoughts::own_redacted(data))),
        "tool_use" => {
            let name = block.name.unwrap_or_default();
            let input = block.input.as_deref().map_or("{}", RawValue::get);
            let custom = context.conversation.is_custom_tool(&name);
            Some(Part::ToolCall(ToolCall {
                id: block.id.unwrap_or_default(),
                arguments: match custom {
                    true => ToolKind::custom_input(input),
                    false => input.to_owned(),
                },
                name,
                custom,
                state: None,
            }))
        }
        _ => None,
    }
}
