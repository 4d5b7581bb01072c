//! A stream for a client: every event is an answer that holds what is new.
//!
//! Text goes out as it comes. A call goes out once it is whole, since this dialect has no pieces of one: when the next
//! thing begins, or at the end of its choice. Reasons and usage wait for the last chunk, which is the closing one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ferrogate_api::Tokens;

use super::error;
use super::usage::UsageMetadata;
use super::wire::{Candidate, Content, MODEL, Part as WirePart, Response};
use super::write_answer::{call_part, reason, response_id};
use super::{calls, signature};
use crate::ai::conversation::{Delta, Event, Finish, Opaque, Reasoning, ToolCall};
use crate::ai::dialects::AnswerContext;
use crate::error::RequestError;

/// Writes the events of one stream in order.
#[derive(Debug)]
pub struct EventWriter {
    context: Arc<AnswerContext>,
    id: Option<String>,
    model: Option<String>,
    choices: BTreeMap<u32, Choice>,
    usage: Option<Tokens>,
}

/// What one choice has not been able to say yet.
#[derive(Debug, Default)]
struct Choice {
    /// Calls by their index that are not whole.
    calls: BTreeMap<u32, ToolCall>,
    /// The thought that is being shown, for its seal.
    thought: Reasoning,
    /// A call that had to be left out.
    broken: Option<String>,
    called: bool,
    finish: Option<Finish>,
}

impl EventWriter {
    pub(in crate::ai) fn new(context: Arc<AnswerContext>) -> Self {
        Self {
            context,
            id: None,
            model: None,
            choices: BTreeMap::new(),
            usage: None,
        }
    }

    /// Writes one event; the ends of a stream have calls of their own.
    pub(in crate::ai) fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Started { id, model } => {
                self.id.clone_from(id);
                self.model.clone_from(model);
            }
            Event::Delta { choice, delta } => self.write_delta(*choice, delta, out),
            Event::Usage(tokens) => self.usage = Some(*tokens),
            Event::Finished { choice, finish } => {
                let state = self.choices.entry(*choice).or_default();
                let calls = state.take_all();
                state.finish = Some(finish.clone());
                self.write_calls(*choice, &calls, out);
            }
            Event::Ended | Event::Failed(_) => {}
        }
    }

    fn write_delta(&mut self, choice: u32, delta: &Delta, out: &mut Vec<u8>) {
        let state = self.choices.entry(choice).or_default();
        // Whatever is not a piece of a call comes after the calls before it.
        let whole = match delta {
            Delta::Arguments { .. } | Delta::ToolCallState { .. } => Vec::new(),
            _ => state.take_whole(),
        };
        let seal = state.note(delta);
        self.write_calls(choice, &whole, out);
        let part = match delta {
            Delta::Text(text) | Delta::Refusal(text) => WirePart::text(text),
            Delta::Reasoning { text, .. } => WirePart {
                thought: Some(true),
                ..WirePart::text(text)
            },
            Delta::ReasoningState(_) => WirePart {
                thought: Some(true),
                thought_signature: seal.map(Cow::Owned),
                ..WirePart::text("")
            },
            Delta::ToolCall { .. } | Delta::Arguments { .. } | Delta::ToolCallState { .. } => {
                return;
            }
        };
        let says_nothing = part.text.as_deref() == Some("") && part.thought_signature.is_none();
        if !says_nothing {
            self.write_parts(choice, vec![part], out);
        }
    }

    fn write_calls(&self, choice: u32, calls: &[ToolCall], out: &mut Vec<u8>) {
        let parts: Vec<WirePart<'_>> = calls.iter().filter_map(call_part).collect();
        if !parts.is_empty() {
            self.write_parts(choice, parts, out);
        }
    }

    fn write_parts(&self, choice: u32, parts: Vec<WirePart<'_>>, out: &mut Vec<u8>) {
        let candidate = Candidate {
            content: Some(Content::new(MODEL, parts)),
            index: Some(choice),
            ..Candidate::default()
        };
        self.write_chunk(vec![candidate], None, out);
    }

    fn write_chunk(
        &self,
        candidates: Vec<Candidate<'_>>,
        usage_metadata: Option<UsageMetadata>,
        out: &mut Vec<u8>,
    ) {
        let model = self.model.as_deref().unwrap_or(&self.context.model);
        let chunk = Response {
            candidates,
            usage_metadata,
            model_version: Some(Cow::Borrowed(model)),
            response_id: Some(response_id(self.id.as_deref(), &self.context)),
            ..Response::default()
        };
        out.extend_from_slice(b"data: ");
        serde_json::to_writer(&mut *out, &chunk)
            .expect("plain structs with text keys are always JSON, and a list takes every byte");
        out.extend_from_slice(b"\n\n");
    }

    /// The last chunk: why each choice stopped, and what was used.
    pub(in crate::ai) fn close(&mut self) -> Bytes {
        let mut out = Vec::new();
        let mut choices = std::mem::take(&mut self.choices);
        if choices.is_empty() {
            choices.insert(0, Choice::default());
        }
        for (index, choice) in &mut choices {
            let calls = choice.take_all();
            self.write_calls(*index, &calls, &mut out);
        }
        let candidates = choices.iter().map(|(index, choice)| {
            let otherwise = if choice.called {
                Finish::ToolCalls
            } else {
                Finish::Stop
            };
            let finish = choice.finish.as_ref().unwrap_or(&otherwise);
            let (finish_reason, message) = reason(finish, choice.broken.as_deref());
            Candidate {
                // An empty text, as Google sends it: its libraries take a content without parts for a broken answer.
                content: Some(Content::new(MODEL, vec![WirePart::text("")])),
                finish_reason: Some(Cow::Borrowed(finish_reason)),
                finish_message: message.map(Cow::Owned),
                index: Some(*index),
            }
        });
        let candidates = candidates.collect();
        let usage = self.usage.map(UsageMetadata::from);
        self.write_chunk(candidates, usage, &mut out);
        out.into()
    }

    /// What a broken stream ends with.
    pub(in crate::ai) fn error_event(&self, error: &RequestError) -> Bytes {
        error::error_event(error, &self.context.request_id)
    }
}

impl Choice {
    /// Keeps what the delta adds to a call or a thought; gives the signature that ends a thought.
    fn note(&mut self, delta: &Delta) -> Option<String> {
        match delta {
            Delta::Reasoning { text, summary } => {
                self.thought.text.push_str(text);
                self.thought.summary = *summary;
                return None;
            }
            Delta::ReasoningState(state) => return self.seal(state),
            Delta::ToolCall {
                index,
                id,
                name,
                custom,
            } => {
                self.called = true;
                let call = ToolCall {
                    id: id.clone(),
                    name: name.clone(),
                    custom: *custom,
                    ..ToolCall::default()
                };
                self.calls.insert(*index, call);
            }
            Delta::Arguments { index, text } => {
                if let Some(call) = self.calls.get_mut(index) {
                    call.arguments.push_str(text);
                }
                return None;
            }
            Delta::ToolCallState { index, state } => {
                if let Some(call) = self.calls.get_mut(index) {
                    call.state = Some(state.clone());
                }
                return None;
            }
            Delta::Text(_) | Delta::Refusal(_) => {}
        }
        // Something else was said: the thought before it, if any, ended without a seal.
        self.thought = Reasoning::default();
        None
    }

    fn seal(&mut self, state: &Opaque) -> Option<String> {
        let mut thought = std::mem::take(&mut self.thought);
        thought.state = Some(state.clone());
        signature::for_client(&thought).map(Cow::into_owned)
    }

    /// The calls that are whole, up to the first that is not: they keep their order. A call without arguments may
    /// still get some, and so may one to a tool that takes any text.
    fn take_whole(&mut self) -> Vec<ToolCall> {
        let mut whole = Vec::new();
        while let Some(first) = self.calls.first_entry() {
            let call = first.get();
            if call.custom || calls::raw_object(&call.arguments).is_none() {
                break;
            }
            whole.push(first.remove());
        }
        whole
    }

    /// All calls: nothing more will come. One whose arguments are no object is left out.
    fn take_all(&mut self) -> Vec<ToolCall> {
        let all: Vec<ToolCall> = std::mem::take(&mut self.calls).into_values().collect();
        let broken = all.iter().find(|call| calls::object(call).is_none());
        if let Some(call) = broken {
            self.broken = Some(call.name.clone());
        }
        all
    }
}

#[cfg(test)]
mod tests;
