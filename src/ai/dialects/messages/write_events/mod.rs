//! A stream for a client of this dialect.
//!
//! 1. Blocks are numbered in the order in which they begin; SDKs look them up by that number.
//! 2. Of text and thought one block is open at a time. A call's block is open until its arguments are a whole JSON
//!    object, so calls whose arguments come interleaved have their blocks open side by side.
//! 3. A thought's signature comes right before its block stops.
//! 4. Another dialect's state that comes when something has been said waits for the next block and stands before it,
//!    since clients take the last block for the answer. At the end what belongs to no call is left out.
//! 5. A call's block begins with whatever comes next, so that its state, which comes right behind it, stands before it.
//! 6. `message_delta` has the whole usage, since the prompt's is seldom known when the stream begins.

mod calls;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use calls::{Call, Coming};
use ferrogate_api::Tokens;
use serde_json::json;

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
    /// The call whose block has not begun.
    coming: Option<Coming>,
    /// Text or a call has been written.
    has_said: bool,
    /// Those that wait for the next block.
    states: Vec<State>,
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

/// What a block of state holds.
#[derive(Debug)]
struct State {
    data: String,
    of_call: bool,
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
            coming: None,
            has_said: false,
            states: Vec::new(),
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
        self.begin_call(&mut out);
        let open: Vec<u32> = self.calls.keys().copied().collect();
        for index in open {
            self.stop_call(index, &mut out);
        }
        // The state of a call that came late: without it the provider may refuse the next turn.
        self.states.retain(|state| state.of_call);
        self.write_states(&mut out);
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
        if let Delta::ToolCallState { index, state } = delta {
            self.call_state(*index, state);
            return;
        }
        self.begin_call(out);
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
            Delta::ToolCallState { .. } => {}
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
                self.has_said = true;
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
            None => {
                let data = match own {
                    true => state.data.clone(),
                    false => thoughts::sealed(state, false),
                };
                self.stop_speech(out);
                self.states.push(State {
                    data,
                    of_call: false,
                });
                if own || !self.has_said {
                    self.write_states(out);
                }
            }
        }
    }

    /// The blocks of all that waits, each of them whole with its beginning.
    fn write_states(&mut self, out: &mut Vec<u8>) {
        for State { data, .. } in std::mem::take(&mut self.states) {
            let start = json!({"type": "redacted_thinking", "data": data});
            let block = self.begin(&start, out);
            push_stop(out, block);
        }
    }

    fn begin(&mut self, content_block: &serde_json::Value, out: &mut Vec<u8>) -> u32 {
        self.write_states(out);
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
