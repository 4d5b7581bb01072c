//! `contents` of a client's request: turns whose calls and results need no ids.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::fields::{untranslatable, wrong};
use super::read_calls::Calls;
use super::signature;
use super::wire::{Content, FunctionResponse, MODEL, Part as WirePart, USER};
use super::{calls, media};
use crate::ai::conversation::{Conversation, Message, Part, Reasoning, Role, ToolResult};
use crate::error::RequestError;

const CONTENTS: &str = "contents";

/// Reads the turns into `conversation`.
///
/// # Errors
/// 400 naming `contents`.
pub(super) fn read(
    contents: Vec<Content<'_>>,
    conversation: &mut Conversation,
) -> Result<(), RequestError> {
    let mut reader = Reader {
        calls: Calls::default(),
        conversation,
    };
    contents
        .into_iter()
        .try_for_each(|content| reader.read_content(content))
}

struct Reader<'c> {
    calls: Calls,
    conversation: &'c mut Conversation,
}

impl Reader<'_> {
    fn read_content(&mut self, content: Content<'_>) -> Result<(), RequestError> {
        let role = match content.role.as_deref() {
            // `function` is how results were sent once.
            None | Some("" | USER | "function") => Role::User,
            Some(MODEL) => Role::Assistant,
            Some(_) => {
                return Err(wrong(
                    CONTENTS,
                    "has a `role` that is neither `user` nor `model`",
                ));
            }
        };
        self.calls.begin_turn();
        for part in content.parts {
            self.note_hints(&part);
            let signature = part.thought_signature.clone();
            if let (Some(_), Some(signature)) = (&part.function_call, &signature)
                && let Some(thought) = signature::moved_to_call(signature)
                && role == Role::Assistant
            {
                push(self.message(role), Part::Reasoning(thought), role);
            }
            let Some(part) = self.read_part(part, role)? else {
                continue;
            };
            if let Part::ToolResult(_) = part {
                self.message(Role::Tool).push(part);
                continue;
            }
            let text = part.as_text().map(str::to_owned);
            let parts = self.message(role);
            push(parts, part, role);
            if let (Some(signature), Some(text)) = (signature, text) {
                parts.push(Part::Reasoning(beside(&signature, &text)));
            }
        }
        Ok(())
    }

    /// The parts of the message that is being read; a part that another role says begins a new one.
    fn message(&mut self, role: Role) -> &mut Vec<Part> {
        let messages = &mut self.conversation.messages;
        let goes_on = messages.last().is_some_and(|last| last.role == role);
        if !goes_on {
            messages.push(Message::new(role, Vec::new()));
        }
        let last = messages
            .last_mut()
            .expect("one was pushed if there was none");
        &mut last.parts
    }

    fn read_part(&mut self, part: WirePart<'_>, role: Role) -> Result<Option<Part>, RequestError> {
        if let Some(text) = part.text {
            return Ok(read_text(
                text,
                part.thought == Some(true),
                part.thought_signature.as_deref(),
            ));
        }
        if let Some(call) = part.function_call {
            if role != Role::Assistant {
                return Err(wrong(
                    CONTENTS,
                    "holds a `functionCall` that the model did not make",
                ));
            }
            let call = self.calls.call(call, part.thought_signature.as_deref())?;
            return Ok(Some(Part::ToolCall(call)));
        }
        if let Some(response) = part.function_response {
            return self.read_result(response).map(Some);
        }
        if let Some(blob) = &part.inline_data {
            return media::read_inline(blob).map(Some);
        }
        if let Some(file) = part.file_data {
            return media::read_file(file).map(Some);
        }
        if part.executable_code.is_some() || part.code_execution_result.is_some() {
            return Err(untranslatable(
                CONTENTS,
                "Code that Google ran (`executableCode`)",
            ));
        }
        if part.tool_call.is_some() || part.tool_response.is_some() {
            return Err(untranslatable(
                CONTENTS,
                "A call that Google made itself (`toolCall`)",
            ));
        }
        // A part of a stream that held nothing but a signature may have lost its empty text on the way.
        if let Some(signature) = &part.thought_signature {
            return Ok(Some(Part::Reasoning(beside(signature, ""))));
        }
        Err(wrong(
            CONTENTS,
            "holds a part of a kind that the gateway does not know",
        ))
    }

    fn read_result(&mut self, response: FunctionResponse<'_>) -> Result<Part, RequestError> {
        let (text, is_error) = read_response(response.response.as_deref());
        let mut parts: Vec<Part> = text.map(Part::Text).into_iter().collect();
        for part in response.parts {
            if let Some(blob) = &part.inline_data {
                parts.push(media::read_inline(blob)?);
            } else if let Some(file) = part.file_data {
                parts.push(media::read_file(file)?);
            }
        }
        let name = response.name.into_owned();
        Ok(Part::ToolResult(ToolResult {
            call_id: self.calls.answered(response.id.as_deref(), &name)?,
            name: (!name.is_empty()).then_some(name),
            parts,
            is_error,
            custom: false,
        }))
    }

    /// How closely to look, and at which seconds: nobody else can be told.
    fn note_hints(&mut self, part: &WirePart<'_>) {
        let hints = [
            (
                "contents.parts.videoMetadata",
                part.video_metadata.is_some(),
            ),
            (
                "contents.parts.mediaResolution",
                part.media_resolution.is_some(),
            ),
        ];
        for (name, there) in hints {
            if there && !self.conversation.unread.contains(&Cow::Borrowed(name)) {
                self.conversation.unread.push(Cow::Borrowed(name));
            }
        }
    }
}

/// A text part: said or thought; an empty one may be there for its signature alone.
fn read_text(text: Cow<'_, str>, thought: bool, signature: Option<&str>) -> Option<Part> {
    let text = text.into_owned();
    match signature {
        Some(signature) if thought || text.is_empty() => {
            let reasoning = signature::unsealed(signature).unwrap_or_else(|| Reasoning {
                state: Some(signature::beside_text(signature, &text)),
                text,
                summary: thought,
            });
            Some(Part::Reasoning(reasoning))
        }
        None if thought && text.is_empty() => None,
        None if thought => Some(Part::Reasoning(Reasoning {
            text,
            summary: true,
            state: None,
        })),
        _ => Some(Part::Text(text)),
    }
}

/// The state in `signature`, which stands beside `text`: what this gateway sealed into it, or the provider's own.
fn beside(signature: &str, text: &str) -> Reasoning {
    signature::unsealed(signature).unwrap_or_else(|| Reasoning {
        state: Some(signature::beside_text(signature, text)),
        ..Reasoning::default()
    })
}

/// Adds a part to a message. A client that was given a stream sends the model's words back in the pieces they came
/// in, an empty last one among them, and a thought as it was shown together with its seal, which holds it again.
fn push(parts: &mut Vec<Part>, part: Part, role: Role) {
    match (parts.last_mut(), &part) {
        (Some(Part::Text(said)), Part::Text(more)) if role == Role::Assistant => {
            said.push_str(more);
        }
        (_, Part::Text(text)) if role == Role::Assistant && text.is_empty() => {}
        (Some(Part::Reasoning(shown)), Part::Reasoning(more)) if shown.state.is_none() => {
            if more.state.is_none() {
                shown.text.push_str(&more.text);
            } else if shown.text == more.text {
                *shown = more.clone();
            } else {
                parts.push(part);
            }
        }
        _ => parts.push(part),
    }
}

/// What a function gave back, as text, and whether that is an error. Google reads `output` and `error` alone where one
/// of them is there, and so do its libraries with `result`; any other object is the result itself.
fn read_response(response: Option<&RawValue>) -> (Option<String>, bool) {
    let Some(response) = response else {
        return (None, false);
    };
    let text_of = |raw: &RawValue| {
        serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| calls::compact(raw.get()))
    };
    let fields = serde_json::from_str::<BTreeMap<String, &RawValue>>(response.get());
    let only = fields.ok().filter(|fields| fields.len() == 1);
    match only.as_ref().and_then(BTreeMap::first_key_value) {
        Some((key, value)) if matches!(&**key, "output" | "result" | "error") => {
            (Some(text_of(value)), key == "error")
        }
        _ => (Some(text_of(response)), false),
    }
}

#[cfg(test)]
mod tests;
