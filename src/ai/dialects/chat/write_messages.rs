//! The messages of a request.
//!
//! 1. Assistant turns that follow each other become one message: text, then all calls. A chat provider wants the
//!    results right after the message with the calls.
//! 2. Each tool result is a message of its own, of text alone. Pictures and documents that a tool returned come in a
//!    user message after the last of the results that stand together.
//! 3. Reasoning goes back only to the kind of server it came from, as `reasoning_content`.

use std::borrow::Cow;

use serde::Serialize;

use super::wire::extra_content;
use super::write_answer::BETWEEN_THOUGHTS;
use super::write_call::WrittenCall;
use super::write_content::{BETWEEN_TEXTS, Content, WrittenPart, write_part};
use crate::ai::conversation::{Conversation, Message, Part, Reasoning, Role, ToolCall, ToolResult};
use crate::ai::dialects::failed_call::with_error_named;
use crate::ai::dialects::{Dialect, Field, Quirks, unsupported};
use crate::error::RequestError;

/// The text of a result that has none of its own.
const SEE_BELOW: &str = "The result follows in the next user message.";

#[derive(Debug, Default, Serialize)]
pub(super) struct WrittenMessage<'c> {
    role: &'static str,
    /// `null` beside calls or a refusal.
    content: Option<Content<'c>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<Cow<'c, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<Cow<'c, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<WrittenCall<'c>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'c str>,
}

/// Writes all messages.
///
/// # Errors
/// 400 for what a chat request has no place for.
pub(super) fn write_messages(
    conversation: &Conversation,
    quirks: Quirks,
) -> Result<Vec<WrittenMessage<'_>>, RequestError> {
    let mut writer = Writer {
        conversation,
        quirks,
        messages: Vec::with_capacity(conversation.messages.len()),
        returned: Vec::new(),
    };
    for message in &conversation.messages {
        writer.add(message)?;
    }
    writer.show_returned();
    Ok(writer.messages)
}

struct Writer<'c> {
    conversation: &'c Conversation,
    quirks: Quirks,
    messages: Vec<WrittenMessage<'c>>,
    /// Pictures and documents of tool results, until the results that stand together are over.
    returned: Vec<WrittenPart<'c>>,
}

impl<'c> Writer<'c> {
    fn add(&mut self, message: &'c Message) -> Result<(), RequestError> {
        for part in &message.parts {
            if let Part::ToolResult(result) = part {
                self.add_result(result)?;
            }
        }
        match message.role {
            Role::System => self.say("system", message),
            Role::Developer if self.quirks.developer_role => self.say("developer", message),
            Role::Developer => self.say("system", message),
            Role::User | Role::Tool => self.say("user", message),
            Role::Assistant => self.answer(message),
        }
    }

    fn content(&self, message: &'c Message) -> Result<Vec<WrittenPart<'c>>, RequestError> {
        let parts = message.parts.iter();
        parts
            .filter_map(|part| write_part(self.conversation, part).transpose())
            .collect()
    }

    fn say(&mut self, role: &'static str, message: &'c Message) -> Result<(), RequestError> {
        let mut parts = self.content(message)?;
        if parts.is_empty() {
            return Ok(());
        }
        if role == "user" {
            let returned = std::mem::take(&mut self.returned);
            parts.splice(0..0, returned);
        } else {
            self.show_returned();
        }
        self.messages.push(WrittenMessage {
            role,
            content: Content::of(parts),
            name: message.name.as_deref(),
            ..WrittenMessage::default()
        });
        Ok(())
    }

    fn show_returned(&mut self) {
        let returned = std::mem::take(&mut self.returned);
        if !returned.is_empty() {
            self.messages.push(WrittenMessage {
                role: "user",
                content: Content::of(returned),
                ..WrittenMessage::default()
            });
        }
    }

    fn add_result(&mut self, result: &'c ToolResult) -> Result<(), RequestError> {
        let mut texts: Vec<Cow<'c, str>> = Vec::new();
        let mut media = Vec::new();
        for part in &result.parts {
            match write_part(self.conversation, part)? {
                Some(WrittenPart::Text { text }) => texts.push(text),
                Some(other) => media.push(other),
                None => {}
            }
        }
        if !media.is_empty() {
            let label = format!("Returned by the tool call {}:", result.call_id);
            self.returned.push(WrittenPart::text(label));
            self.returned.extend(media);
            if texts.is_empty() {
                texts.push(Cow::Borrowed(SEE_BELOW));
            }
        }
        let text = match texts.as_slice() {
            [_] => texts.pop().unwrap_or_default(),
            _ => texts.join(BETWEEN_TEXTS).into(),
        };
        self.messages.push(WrittenMessage {
            role: "tool",
            content: Some(Content::Text(with_error_named(text, result.is_error))),
            tool_call_id: Some(&result.call_id),
            ..WrittenMessage::default()
        });
        Ok(())
    }

    fn answer(&mut self, message: &'c Message) -> Result<(), RequestError> {
        let mut written = self.written_answer(message)?;
        let says_nothing = written.content.is_none()
            && written.refusal.is_none()
            && written.reasoning_content.is_none()
            && written.tool_calls.is_empty();
        if says_nothing {
            return Ok(());
        }
        self.show_returned();
        match self.messages.last_mut() {
            Some(last) if last.role == "assistant" && last.name == written.name => {
                last.append(&mut written);
            }
            _ => self.messages.push(written),
        }
        Ok(())
    }

    fn written_answer(&self, message: &'c Message) -> Result<WrittenMessage<'c>, RequestError> {
        let mut written = WrittenMessage {
            role: "assistant",
            name: message.name.as_deref(),
            ..WrittenMessage::default()
        };
        let mut text = None;
        for part in &message.parts {
            match part {
                Part::Text(said) => join(&mut text, "", said),
                // Only OpenAI's own API has a place for it.
                Part::Refusal(said) if self.quirks.developer_role => {
                    join(&mut written.refusal, "", said);
                }
                Part::Refusal(said) => join(&mut text, "", said),
                Part::Reasoning(thought) if is_ours(thought) => {
                    join(
                        &mut written.reasoning_content,
                        BETWEEN_THOUGHTS,
                        &thought.text,
                    );
                }
                Part::ToolCall(call) => written.tool_calls.push(self.write_call(call)),
                Part::Image { .. } => return Err(self.not_from_a_model(Field::Image)),
                Part::Document { .. } => return Err(self.not_from_a_model(Field::Document)),
                Part::Audio { .. } => return Err(self.not_from_a_model(Field::Audio)),
                // Results were written before; foreign reasoning means nothing to this provider.
                Part::Reasoning(_) | Part::ToolResult(_) => {}
            }
        }
        written.content = text.map(Content::Text);
        Ok(written)
    }

    fn write_call(&self, call: &'c ToolCall) -> WrittenCall<'c> {
        let mut written = WrittenCall::whole(call, call.custom && self.quirks.custom_tools);
        written.extra_content = call.state.as_ref().and_then(extra_content);
        written
    }

    fn not_from_a_model(&self, field: Field) -> RequestError {
        unsupported(
            self.conversation,
            field,
            "its API takes nothing but text from an earlier answer",
        )
    }
}

impl<'c> WrittenMessage<'c> {
    /// Goes on with a turn of the same speaker.
    fn append(&mut self, next: &mut Self) {
        if let Some(Content::Text(said)) = next.content.take() {
            match &mut self.content {
                Some(Content::Text(text)) => {
                    text.to_mut().push_str(BETWEEN_TEXTS);
                    text.to_mut().push_str(&said);
                }
                other => *other = Some(Content::Text(said)),
            }
        }
        join_owned(&mut self.refusal, BETWEEN_TEXTS, next.refusal.take());
        let thoughts = next.reasoning_content.take();
        join_owned(&mut self.reasoning_content, BETWEEN_THOUGHTS, thoughts);
        self.tool_calls.append(&mut next.tool_calls);
    }
}

fn is_ours(thought: &Reasoning) -> bool {
    let state = thought.state.as_ref();
    state.is_some_and(|state| state.origin == Dialect::Chat)
}

fn join<'c>(whole: &mut Option<Cow<'c, str>>, separator: &str, text: &'c str) {
    let text = Some(Cow::Borrowed(text)).filter(|text| !text.is_empty());
    join_owned(whole, separator, text);
}

fn join_owned<'c>(whole: &mut Option<Cow<'c, str>>, separator: &str, text: Option<Cow<'c, str>>) {
    match (whole.as_mut(), text) {
        (_, None) => {}
        (Some(whole), Some(text)) => {
            let whole = whole.to_mut();
            whole.push_str(separator);
            whole.push_str(&text);
        }
        (None, text) => *whole = text,
    }
}
