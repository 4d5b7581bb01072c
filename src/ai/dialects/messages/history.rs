//! The messages of a conversation as Anthropic takes them: user and assistant in turn, the system prompt apart.
//!
//! 1. Instructions that come first are the system prompt. Later ones stay where they were said, as text of the user's
//!    inside `<system>` tags: only newer models know a role for them.
//! 2. Messages of one role that follow each other are one; results of tools come first in it.
//! 3. Text that says nothing is left out, as are thoughts of other providers' models.
//! 4. A history that begins with the assistant gets a user's word before it, which the API demands. One of
//!    instructions alone is the user's.
//! 5. An assistant's last word is a prefill, and stays; white space at its end is refused and taken off.

use std::borrow::Cow;

use serde::Serialize;

use super::blocks::{Block, input};
use super::media::{document, image};
use super::thoughts;
use crate::ai::conversation::{Conversation, Message, Part, Role, ToolCall, ToolResult};
use crate::ai::dialects::{Dropped, Field, unsupported};
use crate::error::{ErrorKind, RequestError};

/// What a history that begins with the assistant begins with.
const OPENING: &str = "(The conversation begins.)";

#[derive(Debug)]
pub(super) struct History<'c> {
    pub(super) system: Vec<Block<'c>>,
    pub(super) messages: Vec<Turn<'c>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Turn<'c> {
    role: &'static str,
    content: Vec<Block<'c>>,
}

const USER: &str = "user";
const ASSISTANT: &str = "assistant";

impl<'c> History<'c> {
    pub(super) fn of(
        conversation: &'c Conversation,
        dropped: &mut Dropped<'_>,
    ) -> Result<Self, RequestError> {
        let mut history = Self {
            system: Vec::new(),
            messages: Vec::new(),
        };
        for message in &conversation.messages {
            if message.name.is_some() {
                dropped.field(Field::SpeakerName);
            }
            history.add(message, conversation, dropped)?;
        }
        history.settle();
        Ok(history)
    }

    fn add(
        &mut self,
        message: &'c Message,
        conversation: &'c Conversation,
        dropped: &mut Dropped<'_>,
    ) -> Result<(), RequestError> {
        let mut content = Vec::with_capacity(message.parts.len());
        for part in &message.parts {
            write_part(part, message.role, conversation, dropped, &mut content)?;
        }
        match message.role {
            Role::System | Role::Developer if self.messages.is_empty() => {
                self.system.append(&mut content);
            }
            Role::System | Role::Developer => self.push(USER, content.into_iter().map(tagged)),
            Role::User | Role::Tool => self.push(USER, content.into_iter()),
            Role::Assistant => self.push(ASSISTANT, content.into_iter()),
        }
        Ok(())
    }

    fn push(&mut self, role: &'static str, content: impl ExactSizeIterator<Item = Block<'c>>) {
        if content.len() == 0 {
            return;
        }
        match self.messages.last_mut() {
            Some(last) if last.role == role => last.content.extend(content),
            _ => self.messages.push(Turn {
                role,
                content: content.collect(),
            }),
        }
    }

    /// Rules 2, 4 and 5, once all is there.
    fn settle(&mut self) {
        for turn in self.messages.iter_mut().filter(|turn| turn.role == USER) {
            turn.content.sort_by_key(|block| !block.is_tool_result());
        }
        match self.messages.first() {
            None => {
                let content = std::mem::take(&mut self.system);
                self.push(USER, content.into_iter());
            }
            Some(first) if first.role == ASSISTANT => {
                let content = Block::text(OPENING).into_iter().collect();
                self.messages.insert(
                    0,
                    Turn {
                        role: USER,
                        content,
                    },
                );
            }
            Some(_) => {}
        }
        if let Some(last) = self
            .messages
            .last_mut()
            .filter(|turn| turn.role == ASSISTANT)
            && let Some(Block::Text { text }) = last.content.last_mut()
        {
            *text = Cow::Owned(text.trim_end().to_owned());
        }
    }

    /// Whether the assistant's turn that is to go on was begun without thinking: by another provider's model, or by a
    /// prefill. A model with a thinking budget refuses to go on with such a turn.
    pub(super) fn goes_on_without_thought(&self) -> bool {
        let mut goes_on = false;
        let mut follows_results = true;
        for turn in self.messages.iter().rev() {
            match turn.role {
                ASSISTANT if follows_results => {
                    if turn.content.iter().any(Block::is_thought) {
                        return false;
                    }
                    goes_on = true;
                }
                _ => {
                    follows_results = turn.content.first().is_some_and(Block::is_tool_result);
                    if !follows_results {
                        break;
                    }
                }
            }
        }
        goes_on
    }
}

/// Instructions in the middle of a conversation.
fn tagged(block: Block<'_>) -> Block<'_> {
    match block {
        Block::Text { text } => Block::Text {
            text: Cow::Owned(format!("<system>\n{text}\n</system>")),
        },
        other => other,
    }
}

fn write_part<'c>(
    part: &'c Part,
    role: Role,
    conversation: &'c Conversation,
    dropped: &mut Dropped<'_>,
    out: &mut Vec<Block<'c>>,
) -> Result<(), RequestError> {
    let instructs = matches!(role, Role::System | Role::Developer);
    match part {
        Part::Text(text) | Part::Refusal(text) => out.extend(Block::text(text)),
        Part::Image { .. } | Part::Document { .. } if instructs || role == Role::Assistant => {
            let why = "Anthropic's API takes pictures and documents from the user alone";
            return Err(unsupported(conversation, Field::Image, why));
        }
        Part::Image { media, detail } => {
            if detail.as_deref().is_some_and(|detail| detail != "auto") {
                dropped.name(format!("{}.detail", conversation.spelling(Field::Image)));
            }
            out.push(image(media, conversation)?);
        }
        Part::Document { media, file_name } => {
            out.push(document(media, file_name.as_deref(), conversation)?);
        }
        Part::Audio { .. } => {
            let why = "Anthropic's API takes no audio";
            return Err(unsupported(conversation, Field::Audio, why));
        }
        Part::Reasoning(reasoning) => out.extend(thoughts::for_provider(reasoning).block()),
        Part::ToolCall(call) => out.push(tool_use(call, conversation)?),
        Part::ToolResult(result) => {
            out.push(tool_result(result, conversation, dropped)?);
        }
    }
    Ok(())
}

fn tool_use<'c>(
    call: &'c ToolCall,
    conversation: &Conversation,
) -> Result<Block<'c>, RequestError> {
    let input = input(&call.arguments, call.custom).ok_or_else(|| {
        let field = conversation.spelling(Field::Messages);
        RequestError::new(
            ErrorKind::InvalidRequest,
            format!(
                "`{field}` holds a call of the tool `{}` whose arguments are no JSON object.",
                call.name
            ),
        )
        .with_param(field)
    })?;
    Ok(Block::ToolUse {
        id: call_id(&call.id),
        name: &call.name,
        input,
    })
}

fn tool_result<'c>(
    result: &'c ToolResult,
    conversation: &'c Conversation,
    dropped: &mut Dropped<'_>,
) -> Result<Block<'c>, RequestError> {
    let mut content = Vec::with_capacity(result.parts.len());
    for part in &result.parts {
        write_part(part, Role::Tool, conversation, dropped, &mut content)?;
    }
    Ok(Block::ToolResult {
        tool_use_id: call_id(&result.call_id),
        content,
        is_error: result.is_error,
    })
}

/// A call's id as Anthropic takes it: letters, digits, `_` and `-`. Another is made over, the same one each time and
/// no two alike, since a call and its result must still name each other.
fn call_id(id: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !id.is_empty() && id.chars().all(fits) {
        return Cow::Borrowed(id);
    }
    let plain: String = id.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    // FNV-1a, which tells "a.b" from "a:b"; nobody gains from a collision in their own history.
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Cow::Owned(format!("{plain}_{hash:016x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_calls_id_is_kept_where_it_fits_and_else_made_over_the_same_way() {
        assert_eq!(call_id("call_a-1"), "call_a-1");
        let made = call_id("functions.read:0");
        assert!(made.starts_with("functions_read_0_"), "{made}");
        assert_eq!(made, call_id("functions.read:0"));
        assert_ne!(call_id("a.b"), call_id("a:b"));
        assert!(!call_id("").is_empty());
        for id in ["", "ä", "a b", "functions.read:0"] {
            let made = call_id(id);
            assert_eq!(made, call_id(&made), "{id}");
        }
    }
}
