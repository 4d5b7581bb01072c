//! `contents` of a request for a provider.
//!
//! 1. Two roles take turns: what follows in the same role goes into the same content, so that all results of one turn
//!    stand in one.
//! 2. Nothing is put in front of a conversation that begins with the model: whether that will do is for the provider
//!    to say, and a turn that nobody said would be read as if somebody had.
//! 3. State goes back to the place it came from (see [`super::signature`]); another provider's stays out, together
//!    with the thoughts it belongs to.
//! 4. A current turn whose calls bear no signature, because another model made them or their state was lost, would be
//!    refused by models that check: the first call of each such step gets the placeholder that is documented for it.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use super::wire::{Content, FunctionCall, FunctionResponse, MODEL, Part as WirePart, USER};
use super::{calls, media, model_family, signature};
use crate::ai::conversation::{
    Conversation, Opaque, OpaqueKind, Part, Reasoning, Role, ToolCall, ToolResult, joined_text,
};
use crate::ai::dialects::{Dialect, Field};
use crate::error::{ErrorKind, RequestError};

/// All turns but the instructions.
///
/// # Errors
/// 400 naming the client's field for messages.
pub(super) fn contents<'c>(
    conversation: &'c Conversation,
    model: &str,
) -> Result<Vec<Content<'c>>, RequestError> {
    let mut writer = Writer {
        conversation,
        tools: tools_by_call(conversation),
        nests_media: model_family::takes_media_in_results(model),
        out: Vec::new(),
    };
    for message in &conversation.messages {
        match message.role {
            Role::System | Role::Developer => {}
            Role::User | Role::Tool => writer.write(USER, &message.parts)?,
            Role::Assistant => writer.write(MODEL, &message.parts)?,
        }
    }
    let mut contents = writer.out;
    if model_family::validates_signatures(model) {
        sign_current_turn(&mut contents);
    }
    Ok(contents)
}

/// The name of the tool of every call: results name it.
fn tools_by_call(conversation: &Conversation) -> HashMap<&str, &str> {
    let calls = conversation.parts().filter_map(|part| match part {
        Part::ToolCall(call) => Some((&*call.id, &*call.name)),
        _ => None,
    });
    calls.collect()
}

struct Writer<'c> {
    conversation: &'c Conversation,
    tools: HashMap<&'c str, &'c str>,
    /// A result's pictures go inside it; else beside it.
    nests_media: bool,
    out: Vec<Content<'c>>,
}

impl<'c> Writer<'c> {
    fn write(&mut self, role: &'static str, parts: &'c [Part]) -> Result<(), RequestError> {
        let mut written = Vec::with_capacity(parts.len());
        // State that came alone but belongs to a call, by the call's id.
        let mut call_states: HashMap<&str, &'c Opaque> = HashMap::new();
        for part in parts {
            if let Some((id, state)) = call_state(part) {
                call_states.insert(id, state);
            }
        }
        for part in parts {
            match part {
                Part::Text(text) | Part::Refusal(text) if text.is_empty() => {}
                Part::Text(text) | Part::Refusal(text) => written.push(WirePart::text(text)),
                Part::Reasoning(reasoning) => {
                    if call_state(part).is_none() {
                        write_reasoning(reasoning, &mut written);
                    }
                }
                Part::ToolCall(call) => {
                    let alone = call_states.get(&*call.id).copied();
                    written.push(self.call(call, alone)?);
                }
                Part::ToolResult(result) => self.result(result, &mut written)?,
                Part::Image { .. } | Part::Document { .. } | Part::Audio { .. } => {
                    written.extend(media::write(part, self.conversation)?);
                }
            }
        }
        self.push(role, written);
        Ok(())
    }

    fn push(&mut self, role: &'static str, parts: Vec<WirePart<'c>>) {
        if parts.is_empty() {
            return;
        }
        match self.out.last_mut() {
            Some(last) if last.role.as_deref() == Some(role) => last.parts.extend(parts),
            _ => self.out.push(Content::new(role, parts)),
        }
    }

    fn call(
        &self,
        call: &'c ToolCall,
        alone: Option<&'c Opaque>,
    ) -> Result<WirePart<'c>, RequestError> {
        let args = calls::object(call)
            .ok_or_else(|| self.wrong("holds a call whose arguments are not a JSON object"))?;
        let own = call.state.as_ref().filter(|state| is_native(state));
        Ok(WirePart {
            function_call: Some(FunctionCall {
                id: Some(Cow::Borrowed(&call.id)),
                name: Cow::Borrowed(&call.name),
                args: Some(args),
            }),
            thought_signature: own.or(alone).map(|state| Cow::Borrowed(&*state.data)),
            ..WirePart::default()
        })
    }

    fn result(
        &self,
        result: &'c ToolResult,
        written: &mut Vec<WirePart<'c>>,
    ) -> Result<(), RequestError> {
        let called = self.tools.get(&*result.call_id).copied();
        let name = called.or(result.name.as_deref()).ok_or_else(|| {
            self.wrong("holds the result of a call that no message before it makes")
        })?;
        let mut files = Vec::new();
        for part in &result.parts {
            files.extend(media::write(part, self.conversation)?);
        }
        let (inside, beside) = if self.nests_media {
            (files, Vec::new())
        } else {
            (Vec::new(), files)
        };
        written.push(WirePart {
            function_response: Some(FunctionResponse {
                id: Some(Cow::Borrowed(&result.call_id)),
                name: Cow::Borrowed(name),
                response: Some(Cow::Owned(response(result))),
                parts: inside,
            }),
            ..WirePart::default()
        });
        written.extend(beside);
        Ok(())
    }

    fn wrong(&self, problem: &str) -> RequestError {
        let name = self.conversation.spelling(Field::Messages);
        RequestError::new(ErrorKind::InvalidRequest, format!("`{name}` {problem}."))
            .with_param(name)
    }
}

fn is_native(state: &Opaque) -> bool {
    state.origin == Dialect::Gemini
}

/// The state of a call that a dialect without a place for it gave back as reasoning of its own.
fn call_state(part: &Part) -> Option<(&str, &Opaque)> {
    let Part::Reasoning(Reasoning {
        state: Some(state), ..
    }) = part
    else {
        return None;
    };
    is_native(state).then_some((state.item_id.as_deref()?, state))
}

fn write_reasoning<'c>(reasoning: &'c Reasoning, written: &mut Vec<WirePart<'c>>) {
    let Some(state) = reasoning.state.as_ref().filter(|state| is_native(state)) else {
        return;
    };
    let signature = Cow::Borrowed(&*state.data);
    let proves_text = reasoning.text.is_empty() && state.kind == OpaqueKind::Signature;
    if proves_text
        && let Some(last) = written.last_mut()
        && last.is_unsigned_text()
    {
        last.thought_signature = Some(signature);
        return;
    }
    written.push(WirePart {
        thought: (!reasoning.text.is_empty()).then_some(true),
        thought_signature: Some(signature),
        ..WirePart::text(&reasoning.text)
    });
}

/// The result as an object: as it is where it is one, else under the name that Google's libraries use.
fn response(result: &ToolResult) -> Box<RawValue> {
    let text = joined_text(&result.parts, "\n");
    if !result.is_error
        && let Some(object) = calls::raw_object(&text)
    {
        return object.to_owned();
    }
    let key = if result.is_error { "error" } else { "result" };
    let object = serde_json::json!({key: text}).to_string();
    RawValue::from_string(object).expect("a value printed as JSON is JSON")
}

/// Puts the placeholder on the first call of each step of the current turn that bears no signature. The turn begins
/// after the last content of the user's that is not results; earlier ones are not checked.
fn sign_current_turn(contents: &mut [Content<'_>]) {
    let asks = |content: &Content<'_>| {
        content.role.as_deref() == Some(USER)
            && content
                .parts
                .iter()
                .all(|part| part.function_response.is_none())
    };
    let begins = contents.iter().rposition(asks).unwrap_or_default();
    for content in contents.iter_mut().skip(begins) {
        let mut calls = content.parts.iter_mut();
        let first = calls.find(|part| part.function_call.is_some());
        if let Some(first) = first.filter(|part| part.thought_signature.is_none()) {
            first.thought_signature = Some(Cow::Borrowed(signature::PLACEHOLDER));
        }
    }
}
