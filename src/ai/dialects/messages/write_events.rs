//! A stream for a client of this dialect.
//!
//! 1. Blocks are numbered in the order in which they begin; SDKs look them up by that number.
//! 2. Of text and thought one block is open at a time. A call's block is open until its arguments are a whole JSON
//!    object, so calls whose arguments come interleaved have their blocks open side by side.
//! 3. A thought's signature comes right before its block stops.
//! 4. `message_delta` has the whole usage, since the prompt's is seldom known when the stream begins.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ferrogate_api::Tokens;
use serde_json::json;

use super::arguments::Arguments;
use super::error::error_event;
use super::frames::{Piece, push, push_delta, push_stop};
use super::thoughts;
use super::wire::{Said, WrittenUsage, message_id, model_name, stop_reason};
use super::write_answer::Message;
use crate::ai::conversation::{Delta, Event, Finish, Opaque, OpaqueKind};
use crate::ai::dialects::{AnswerContext, Dialect};
use crate::error::RequestError;

/// Writes one stream.
#[derive(Debug)]
pub struct EventWriter {
    context: Arc<AnswerContext>,
    started: bool,
    closed: bool,
    /// The index of the next block.
    next: u32,
    speech: Option<Speech>,
    /// By the call's index.
    calls: BTreeMap<u32, Call>,
    usage: Tokens,
    finish: Finish,
    said: Said,
}

/// The block of text or thought that is open.
#[derive(Debug, Clone, Copy)]
enum Speech {
    Text { block: u32 },
    Thinking { block: u32, summary: bool },
}

#[derive(Debug)]
struct Call {
    block: u32,
    id: String,
    open: bool,
    /// Its arguments are free text, and are written as the value of one field.
    custom: bool,
    arguments: Arguments,
    /// To be written when its block has stopped.
    state: Option<Opaque>,
}

impl EventWriter {
    pub(in crate::ai) fn new(context: Arc<AnswerContext>) -> Self {
        Self {
            context,
            started: false,
            closed: false,
            next: 0,
            speech: None,
            calls: BTreeMap::new(),
            usage: Tokens::default(),
            finish: Finish::Stop,
            said: Said::default(),
        }
    }

    /// Writes what the client sees of `event`, at once.
    pub(in crate::ai) fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Started { id, model } => self.start(id.as_deref(), model.as_deref(), out),
            // A request of this dialect has one answer.
            Event::Delta { choice: 0, delta } => {
                self.start(None, None, out);
                self.delta(delta, out);
            }
            Event::Usage(tokens) => self.usage = *tokens,
            Event::Finished { choice: 0, finish } => self.finish = finish.clone(),
            Event::Delta { .. } | Event::Finished { .. } | Event::Ended | Event::Failed(_) => {}
        }
    }

    /// Stops what is open and ends the message. Once; after that there is nothing to write.
    pub(in crate::ai) fn close(&mut self) -> Bytes {
        let mut out = Vec::new();
        if std::mem::replace(&mut self.closed, true) {
            return Bytes::new();
        }
        self.start(None, None, &mut out);
        self.stop_speech(&mut out);
        let open: Vec<u32> = self.calls.keys().copied().collect();
        for index in open {
            self.stop_call(index, &mut out);
        }
        let (reason, sequence) = stop_reason(&self.finish, self.said);
        let delta = json!({
            "type": "message_delta",
            "delta": {
                "stop_reason": reason,
                "stop_sequence": sequence,
                "stop_details": null,
                "container": null,
            },
            "usage": WrittenUsage::from(self.usage),
        });
        push(&mut out, "message_delta", &delta);
        push(&mut out, "message_stop", &json!({"type": "message_stop"}));
        out.into()
    }

    /// The event that tells the client that the stream broke; nothing comes after it.
    pub(in crate::ai) fn error_event(&self, error: &RequestError) -> Bytes {
        error_event(error, &self.context.request_id)
    }

    fn start(&mut self, id: Option<&str>, model: Option<&str>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let message = Message {
            id: message_id(id, &self.context),
            r#type: "message",
            role: "assistant",
            model: model_name(model, &self.context),
            content: Vec::new(),
            stop_reason: None,
            stop_sequence: None,
            stop_details: None,
            container: None,
            usage: self.usage.into(),
        };
        let event = json!({"type": "message_start", "message": message});
        push(out, "message_start", &event);
    }

    fn delta(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        match delta {
            Delta::Text(text) => self.text(text, out),
            Delta::Refusal(text) => {
                self.said.refused = true;
                self.text(text, out);
            }
            Delta::Reasoning { text, summary } if !text.is_empty() => {
                let block = self.thinking(*summary, out);
                push_delta(out, block, Piece::Thinking { thinking: text });
            }
            Delta::Reasoning { .. } => {}
            Delta::ReasoningState(state) => self.reasoning_state(state, out),
            Delta::ToolCall {
                index,
                id,
                name,
                custom,
            } => self.call(*index, id, (name, *custom), out),
            Delta::Arguments { index, text } => self.arguments(*index, text, out),
            Delta::ToolCallState { index, state } => {
                if let Some(call) = self.calls.get_mut(index) {
                    call.state = Some(state.clone());
                    if !call.open {
                        self.call_state(*index, out);
                    }
                }
            }
        }
    }

    fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        let block = match self.speech {
            Some(Speech::Text { block }) => block,
            _ => {
                self.stop_speech(out);
                let block = self.begin(&json!({"type": "text", "text": ""}), out);
                self.speech = Some(Speech::Text { block });
                block
            }
        };
        push_delta(out, block, Piece::Text { text });
    }

    /// The open block of thought.
    fn thinking(&mut self, summary: bool, out: &mut Vec<u8>) -> u32 {
        if let Some(Speech::Thinking { block, .. }) = self.speech {
            return block;
        }
        self.stop_speech(out);
        let start = json!({"type": "thinking", "thinking": "", "signature": ""});
        let block = self.begin(&start, out);
        self.speech = Some(Speech::Thinking { block, summary });
        block
    }

    /// See [`thoughts`] for what is carried where.
    fn reasoning_state(&mut self, state: &Opaque, out: &mut Vec<u8>) {
        let own = state.origin == Dialect::Messages;
        let open = match self.speech {
            Some(Speech::Thinking { summary, .. }) => Some(summary),
            _ => None,
        };
        let signature = match (own, state.kind, open) {
            (true, OpaqueKind::Encrypted, _) => None,
            (true, ..) => Some(state.data.clone()),
            (false, _, Some(summary)) => Some(thoughts::sealed(state, summary)),
            (false, _, None) => None,
        };
        match signature {
            Some(signature) => {
                let block = self.thinking(true, out);
                let signature = &signature;
                push_delta(out, block, Piece::Signature { signature });
                self.stop_speech(out);
            }
            None if own => self.redacted(&state.data, out),
            None => self.redacted(&thoughts::sealed(state, false), out),
        }
    }

    /// A block that is whole with its beginning.
    fn redacted(&mut self, data: &str, out: &mut Vec<u8>) {
        self.stop_speech(out);
        let block = self.begin(&json!({"type": "redacted_thinking", "data": data}), out);
        push_stop(out, block);
    }

    fn call(&mut self, index: u32, id: &str, (name, custom): (&str, bool), out: &mut Vec<u8>) {
        if self.calls.contains_key(&index) {
            return;
        }
        self.said.called = true;
        self.stop_speech(out);
        let start = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
        let block = self.begin(&start, out);
        self.calls.insert(
            index,
            Call {
                block,
                id: id.to_owned(),
                open: true,
                custom,
                arguments: Arguments::default(),
                state: None,
            },
        );
        if custom {
            let partial_json = "{\"input\":\"";
            push_delta(out, block, Piece::Input { partial_json });
        }
    }

    fn arguments(&mut self, index: u32, text: &str, out: &mut Vec<u8>) {
        let Some(call) = self.calls.get_mut(&index).filter(|call| call.open) else {
            return;
        };
        if text.is_empty() {
            return;
        }
        if call.custom {
            let quoted = json!(text).to_string();
            let partial_json = quoted
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                .unwrap_or_default();
            push_delta(out, call.block, Piece::Input { partial_json });
            return;
        }
        push_delta(out, call.block, Piece::Input { partial_json: text });
        if call.arguments.push(text) {
            self.stop_call(index, out);
        }
    }

    fn stop_call(&mut self, index: u32, out: &mut Vec<u8>) {
        let Some(call) = self.calls.get_mut(&index).filter(|call| call.open) else {
            return;
        };
        call.open = false;
        // SDKs take no piece at all for an empty input; other clients parse what they collected.
        let rest = match (call.custom, call.arguments.have_begun()) {
            (true, _) => Some("\"}"),
            (false, false) => Some("{}"),
            (false, true) => None,
        };
        if let Some(partial_json) = rest {
            push_delta(out, call.block, Piece::Input { partial_json });
        }
        push_stop(out, call.block);
        self.call_state(index, out);
    }

    /// The block that carries a call's state, once the call's own has stopped.
    fn call_state(&mut self, index: u32, out: &mut Vec<u8>) {
        let sealed = self.calls.get_mut(&index).and_then(|call| {
            let state = call.state.take()?;
            Some(thoughts::sealed_for_call(&state, &call.id))
        });
        if let Some(sealed) = sealed {
            self.redacted(&sealed, out);
        }
    }

    fn begin(&mut self, content_block: &serde_json::Value, out: &mut Vec<u8>) -> u32 {
        let index = self.next;
        self.next += 1;
        let event = json!({
            "type": "content_block_start",
            "index": index,
            "content_block": content_block,
        });
        push(out, "content_block_start", &event);
        index
    }

    fn stop_speech(&mut self, out: &mut Vec<u8>) {
        if let Some(Speech::Text { block } | Speech::Thinking { block, .. }) = self.speech.take() {
            push_stop(out, block);
        }
    }
}
