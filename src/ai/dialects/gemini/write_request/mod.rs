//! A request for a Gemini provider. <https://ai.google.dev/api/generate-content#request-body>

use serde::Serialize;

use super::wire::{Content, Part as WirePart, USER};
use super::write_config::{self, GenerationConfig};
use super::write_contents;
use super::write_tools::{self, ToolConfig, Tools};
use crate::ai::conversation::{Conversation, Message, Part, Role};
use crate::ai::dialects::{Dropped, Field, Target, Written, unsupported};
use crate::error::{ErrorKind, RequestError};

/// The body of `generateContent`; the model and whether to stream are in the path.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request<'c> {
    /// Only where the request is itself a part of another (`countTokens`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    contents: Vec<Content<'c>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<Content<'c>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tools<'c>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfig<'c>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_config: Option<GenerationConfig<'c>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
}

/// Writes a request of another dialect.
///
/// # Errors
/// 400 naming the field, in the client's spelling, that this dialect has no way to say.
pub(in crate::ai) fn write_request(
    conversation: &Conversation,
    target: &Target<'_>,
) -> Result<Written, RequestError> {
    let (request, dropped) = build(conversation, target)?;
    Ok(written(&request, dropped))
}

/// The request, and what is not in it.
pub(super) fn build<'c>(
    conversation: &'c Conversation,
    target: &Target<'_>,
) -> Result<(Request<'c>, Dropped<'c>), RequestError> {
    let mut dropped = Dropped::new(conversation);
    let mut contents = write_contents::contents(conversation, target.model)?;
    let mut instruction = instruction(conversation)?;
    if contents.is_empty() {
        // At least one turn is demanded. Of a conversation that is nothing but instructions, they are the turn.
        contents.extend(
            instruction
                .take()
                .map(|content| Content::new(USER, content.parts)),
        );
    }
    if contents.is_empty() {
        let name = conversation.spelling(Field::Messages);
        return Err(RequestError::new(
            ErrorKind::InvalidRequest,
            format!("`{name}` says nothing. Send at least one message with content."),
        )
        .with_param(name));
    }
    note_hints(conversation, &mut dropped);
    write_tools::refuse_a_call_to_nothing(conversation)?;
    let request = Request {
        model: None,
        contents,
        system_instruction: instruction,
        tools: write_tools::tools(conversation, &mut dropped),
        tool_config: write_tools::tool_config(conversation),
        generation_config: write_config::generation_config(
            conversation,
            target.model,
            &mut dropped,
        )?,
        service_tier: write_config::service_tier(conversation, &mut dropped),
    };
    Ok((request, dropped))
}

pub(super) fn written(body: &impl Serialize, dropped: Dropped<'_>) -> Written {
    Written {
        body: serde_json::to_vec(body)
            .expect("plain structs with text keys are always JSON")
            .into(),
        dropped: dropped.into_names(),
    }
}

/// Everything that the system and the application say, wherever it stands: there is one place for it.
fn instruction(conversation: &Conversation) -> Result<Option<Content<'_>>, RequestError> {
    let mut parts = Vec::new();
    for part in conversation
        .messages
        .iter()
        .filter(|message| matches!(message.role, Role::System | Role::Developer))
        .flat_map(|message| &message.parts)
    {
        match part {
            Part::Text(text) if text.is_empty() => {}
            Part::Text(text) => parts.push(WirePart::text(text)),
            _ => {
                return Err(unsupported(
                    conversation,
                    Field::Instructions,
                    "the Gemini API takes instructions as text alone",
                ));
            }
        }
    }
    Ok((!parts.is_empty()).then_some(Content { role: None, parts }))
}

/// Notes what messages carry besides what they say.
fn note_hints(conversation: &Conversation, dropped: &mut Dropped<'_>) {
    let names_speaker = |message: &Message| message.name.is_some();
    if conversation.messages.iter().any(names_speaker) {
        dropped.field(Field::SpeakerName);
    }
    let is_hint = |detail: &str| detail != "auto";
    let has_detail = conversation.parts().any(|part| match part {
        Part::Image { detail, .. } => detail.as_deref().is_some_and(is_hint),
        _ => false,
    });
    if has_detail {
        dropped.name(format!("{}.detail", conversation.spelling(Field::Image)));
    }
}

#[cfg(test)]
mod tests;
