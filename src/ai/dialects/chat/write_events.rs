//! A stream for a chat client, chunk for chunk as OpenAI's own libraries expect it:
//!
//! 1. each choice begins with a chunk that has the role and an empty text;
//! 2. every piece is a chunk at once;
//! 3. each choice ends with an empty delta and its `finish_reason`;
//! 4. one chunk without choices has the usage, if the client asked for it;
//! 5. then comes `[DONE]`, or, where the stream broke, an `error` object and nothing after it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use ferrogate_api::Tokens;
use serde::Serialize;

use super::wire::{Spoken, answer_id, finish_word};
use super::write_answer::BETWEEN_THOUGHTS;
use super::write_call::WrittenCall;
use crate::ai::conversation::{Delta, Event, Finish};
use crate::ai::dialects::usage::ChatUsage;
use crate::ai::dialects::{AnswerContext, error};
use crate::error::RequestError;

/// Writes the events of one stream in order.
#[derive(Debug)]
pub struct EventWriter {
    context: Arc<AnswerContext>,
    id: String,
    model: String,
    choices: BTreeMap<u32, ChoiceSoFar>,
    usage: Option<Tokens>,
    closed: bool,
}

#[derive(Debug, Default)]
struct ChoiceSoFar {
    spoken: Spoken,
    custom_calls: BTreeSet<u32>,
    thoughts: Thoughts,
    finished: bool,
}

/// Whether reasoning has been written, and whether more of it would be a run of its own.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Thoughts {
    #[default]
    None,
    Running,
    Over,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [ChunkChoice<'a>],
    /// `null` in every chunk but the last, for a client that asked for it; else absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<ChatUsage>>,
}

#[derive(Serialize)]
struct ChunkChoice<'a> {
    index: u32,
    delta: WrittenDelta<'a>,
    logprobs: (),
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct WrittenDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[WrittenCall<'a>; 1]>,
}

impl EventWriter {
    pub(in crate::ai) fn new(context: Arc<AnswerContext>) -> Self {
        Self {
            id: answer_id(None, &context.request_id),
            model: context.model.clone(),
            context,
            choices: BTreeMap::new(),
            usage: None,
            closed: false,
        }
    }

    /// Writes one event. `Ended` and `Failed` have calls of their own.
    pub(in crate::ai) fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Started { id, model } => {
                if let Some(id) = id {
                    self.id = answer_id(Some(id), &self.context.request_id);
                }
                if let Some(model) = model {
                    self.model.clone_from(model);
                }
                self.begin(0, out);
            }
            Event::Delta { choice, delta } => self.write_delta(*choice, delta, out),
            Event::Usage(tokens) => self.usage = Some(*tokens),
            Event::Finished { choice, finish } => self.finish(*choice, finish, out),
            Event::Ended | Event::Failed(_) => {}
        }
    }

    /// What a complete stream ends with; nothing the second time.
    pub(in crate::ai) fn close(&mut self) -> Bytes {
        if std::mem::replace(&mut self.closed, true) {
            return Bytes::new();
        }
        let mut out = Vec::new();
        self.begin(0, &mut out);
        let open: Vec<u32> = self
            .choices
            .iter()
            .filter(|(_, choice)| !choice.finished)
            .map(|(index, _)| *index)
            .collect();
        for index in open {
            self.finish(index, &Finish::Stop, &mut out);
        }
        if let Some(tokens) = self.usage.filter(|_| self.context.wants_usage_event) {
            self.chunk(&[], Some(tokens.into()), &mut out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
        out.into()
    }

    /// What a broken stream ends with.
    pub(in crate::ai) fn error_event(&self, error: &RequestError) -> Bytes {
        error::chat_event(error, &self.context.request_id)
    }

    /// The first chunk of a choice, once.
    fn begin(&mut self, choice: u32, out: &mut Vec<u8>) {
        if self.choices.contains_key(&choice) {
            return;
        }
        self.choices.insert(choice, ChoiceSoFar::default());
        let delta = WrittenDelta {
            role: Some("assistant"),
            content: Some(""),
            ..WrittenDelta::default()
        };
        self.piece(choice, delta, None, out);
    }

    fn write_delta(&mut self, choice: u32, delta: &Delta, out: &mut Vec<u8>) {
        self.begin(choice, out);
        let Some(so_far) = self.choices.get_mut(&choice) else {
            return;
        };
        if so_far.finished {
            return;
        }
        let mut parted = false;
        if let Delta::Reasoning { text, .. } = delta {
            if text.is_empty() {
                return;
            }
            parted = so_far.thoughts == Thoughts::Over;
            so_far.thoughts = Thoughts::Running;
        } else if so_far.thoughts == Thoughts::Running {
            so_far.thoughts = Thoughts::Over;
        }
        let Some(written) = so_far.delta(delta) else {
            return;
        };
        if parted {
            let separator = WrittenDelta {
                reasoning_content: Some(BETWEEN_THOUGHTS),
                ..WrittenDelta::default()
            };
            self.piece(choice, separator, None, out);
        }
        self.piece(choice, written, None, out);
    }

    fn finish(&mut self, choice: u32, finish: &Finish, out: &mut Vec<u8>) {
        self.begin(choice, out);
        let Some(so_far) = self.choices.get_mut(&choice) else {
            return;
        };
        if !std::mem::replace(&mut so_far.finished, true) {
            let word = finish_word(finish, so_far.spoken);
            self.piece(choice, WrittenDelta::default(), Some(word), out);
        }
    }

    fn piece(
        &self,
        index: u32,
        delta: WrittenDelta<'_>,
        finish_reason: Option<&'static str>,
        out: &mut Vec<u8>,
    ) {
        let choice = ChunkChoice {
            index,
            delta,
            logprobs: (),
            finish_reason,
        };
        self.chunk(&[choice], None, out);
    }

    fn chunk(&self, choices: &[ChunkChoice<'_>], usage: Option<ChatUsage>, out: &mut Vec<u8>) {
        let chunk = Chunk {
            id: &self.id,
            object: "chat.completion.chunk",
            created: self.context.created_unix,
            model: &self.model,
            choices,
            usage: self.context.wants_usage_event.then_some(usage),
        };
        out.extend_from_slice(b"data: ");
        serde_json::to_writer(&mut *out, &chunk).expect("texts and numbers are always JSON");
        out.extend_from_slice(b"\n\n");
    }
}

impl ChoiceSoFar {
    /// The delta as this dialect has it; `None` for what has no place in it.
    fn delta<'d>(&mut self, delta: &'d Delta) -> Option<WrittenDelta<'d>> {
        let empty = WrittenDelta::default();
        Some(match delta {
            Delta::Text(text) | Delta::Refusal(text) if text.is_empty() => return None,
            Delta::Text(text) => WrittenDelta {
                content: Some(text),
                ..empty
            },
            Delta::Refusal(text) => {
                self.spoken.refusal = true;
                WrittenDelta {
                    refusal: Some(text),
                    ..empty
                }
            }
            Delta::Reasoning { text, .. } => WrittenDelta {
                reasoning_content: Some(text),
                ..empty
            },
            Delta::ToolCall {
                index,
                id,
                name,
                custom,
            } => {
                self.spoken.calls = true;
                if *custom {
                    self.custom_calls.insert(*index);
                }
                let call = WrittenCall::first_piece(*index, (id, name), *custom);
                WrittenDelta {
                    tool_calls: Some([call]),
                    ..empty
                }
            }
            Delta::Arguments { text, .. } if text.is_empty() => return None,
            Delta::Arguments { index, text } => {
                let custom = self.custom_calls.contains(index);
                WrittenDelta {
                    tool_calls: Some([WrittenCall::next_piece(*index, text, custom)]),
                    ..empty
                }
            }
            Delta::ReasoningState(_) | Delta::ToolCallState { .. } => return None,
        })
    }
}
