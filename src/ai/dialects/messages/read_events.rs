//! A stream of Anthropic's, as events.
//!
//! ```text
//! message_start ─▶ (content_block_start ─▶ content_block_delta* ─▶ content_block_stop)* ─▶ message_delta ─▶ message_stop
//! ```
//!
//! `ping`s and events that are not known may come anywhere. A stream without `message_stop` has not ended.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::error::{failure, not_the_api};
use super::thoughts;
use super::wire::{self, AnswerBlock, Usage};
use crate::ai::conversation::{Delta, Event, Finish, Opaque, ToolKind};
use crate::ai::dialects::AnswerContext;
use crate::ai::streaming::sse;
use crate::error::RequestError;

/// Reads one stream.
#[derive(Debug)]
pub struct EventReader {
    context: Arc<AnswerContext>,
    /// The blocks that have begun and not stopped, by their index.
    open: BTreeMap<u64, Open>,
    calls: u32,
    usage: Usage,
    finished: bool,
}

#[derive(Debug)]
enum Open {
    Thinking {
        signature: String,
    },
    Call {
        index: u32,
        /// What the arguments are if no piece of them comes. Compatible servers give the whole input where the block
        /// begins; a tool without parameters is given none, and clients of other dialects parse what they are told.
        input: Option<String>,
        /// The arguments of a function that stands in for a custom tool: its text is known once they are whole.
        collected: Option<String>,
    },
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(default)]
    index: u64,
    message: Option<Started>,
    content_block: Option<AnswerBlock>,
    delta: Option<Piece>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Started {
    id: Option<String>,
    model: Option<String>,
    usage: Option<Usage>,
}

/// The delta of a content block, or of the message.
#[derive(Deserialize)]
struct Piece {
    text: Option<String>,
    thinking: Option<String>,
    signature: Option<String>,
    partial_json: Option<String>,
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
}

impl EventReader {
    pub(in crate::ai) fn new(context: Arc<AnswerContext>) -> Self {
        Self {
            context,
            open: BTreeMap::new(),
            calls: 0,
            usage: Usage::default(),
            finished: false,
        }
    }

    /// Reads one whole server-sent event.
    ///
    /// # Errors
    /// `provider_protocol_error` when its data is not the dialect's JSON.
    pub(in crate::ai) fn read(
        &mut self,
        event: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<(), RequestError> {
        let data = sse::data(event);
        if data.is_empty() {
            return Ok(());
        }
        let wire: Wire<'_> = serde_json::from_slice(&data).map_err(|_| {
            not_the_api("The provider's stream holds an event that is not one of the messages API.")
        })?;
        match &*wire.r#type {
            "message_start" => self.start(wire.message, out),
            "content_block_start" => {
                if let Some(block) = wire.content_block {
                    self.begin(wire.index, block, out);
                }
            }
            "content_block_delta" => {
                if let Some(piece) = wire.delta {
                    self.go_on(wire.index, piece, out);
                }
            }
            "content_block_stop" => self.stop(wire.index, out),
            "message_delta" => {
                self.count(wire.usage, out);
                if let Some(piece) = wire.delta {
                    self.finish(piece.stop_reason, piece.stop_sequence, out);
                }
            }
            "message_stop" => {
                self.finish(Some("end_turn".to_owned()), None, out);
                out.push(Event::Ended);
            }
            "error" => out.push(Event::Failed(Box::new(failure(&data)))),
            _ => {}
        }
        Ok(())
    }

    /// Whether the stream may end without another event: it has a closing one, so never.
    pub(in crate::ai) fn may_end_here(&self) -> bool {
        false
    }

    fn start(&mut self, message: Option<Started>, out: &mut Vec<Event>) {
        let (id, model, usage) =
            message.map_or((None, None, None), |it| (it.id, it.model, it.usage));
        out.push(Event::Started { id, model });
        self.count(usage, out);
    }

    fn count(&mut self, usage: Option<Usage>, out: &mut Vec<Event>) {
        if let Some(usage) = usage {
            self.usage.update(usage);
            out.extend(self.usage.tokens().map(Event::Usage));
        }
    }

    fn begin(&mut self, block: u64, start: AnswerBlock, out: &mut Vec<Event>) {
        match &*start.r#type {
            "text" => out.extend(text(start.text)),
            "thinking" => {
                out.extend(thought(start.thinking));
                let signature = start.signature.unwrap_or_default();
                self.open.insert(block, Open::Thinking { signature });
            }
            "redacted_thinking" => {
                let state = start
                    .data
                    .and_then(|data| thoughts::own_redacted(data).state);
                out.extend(state.map(Delta::ReasoningState).map(said));
            }
            "tool_use" => {
                let index = self.calls;
                self.calls += 1;
                let name = start.name.unwrap_or_default();
                let custom = self.context.conversation.is_custom_tool(&name);
                out.push(said(Delta::ToolCall {
                    index,
                    id: start.id.unwrap_or_default(),
                    name,
                    custom,
                }));
                let input = start.input.map(|raw| raw.get().to_owned());
                let input = input.filter(|json| !matches!(&**json, "{}" | "null"));
                self.open.insert(
                    block,
                    Open::Call {
                        index,
                        input: input.or_else(|| (!custom).then(|| "{}".to_owned())),
                        collected: custom.then(String::new),
                    },
                );
            }
            // Of a hosted tool, which was not asked for.
            _ => {}
        }
    }

    fn go_on(&mut self, block: u64, piece: Piece, out: &mut Vec<Event>) {
        out.extend(text(piece.text));
        out.extend(thought(piece.thinking));
        match (
            self.open.get_mut(&block),
            piece.signature,
            piece.partial_json,
        ) {
            (Some(Open::Thinking { signature }), Some(given), _) => *signature = given,
            (
                Some(Open::Call {
                    index,
                    input,
                    collected,
                }),
                _,
                Some(json),
            ) if !json.is_empty() => {
                *input = None;
                match collected {
                    Some(collected) => collected.push_str(&json),
                    None => out.push(said(Delta::Arguments {
                        index: *index,
                        text: json,
                    })),
                }
            }
            _ => {}
        }
    }

    fn stop(&mut self, block: u64, out: &mut Vec<Event>) {
        match self.open.remove(&block) {
            Some(Open::Thinking { signature }) => out.extend(state(signature)),
            Some(Open::Call {
                index,
                input,
                collected,
            }) => {
                let text = match collected {
                    Some(collected) => {
                        let whole = input.unwrap_or(collected);
                        Some(ToolKind::custom_input(&whole))
                    }
                    None => input,
                };
                out.extend(text.map(|text| said(Delta::Arguments { index, text })));
            }
            None => {}
        }
    }

    /// The first stop reason counts; blocks that were not stopped are over with it.
    fn finish(&mut self, reason: Option<String>, sequence: Option<String>, out: &mut Vec<Event>) {
        let Some(reason) = reason.filter(|_| !self.finished) else {
            return;
        };
        self.finished = true;
        let open: Vec<u64> = self.open.keys().copied().collect();
        for block in open {
            self.stop(block, out);
        }
        let finish: Finish = wire::finish(&reason, sequence);
        out.push(Event::Finished { choice: 0, finish });
    }
}

fn said(delta: Delta) -> Event {
    Event::Delta { choice: 0, delta }
}

fn text(text: Option<String>) -> Option<Event> {
    let text = text.filter(|text| !text.is_empty())?;
    Some(said(Delta::Text(text)))
}

fn thought(text: Option<String>) -> Option<Event> {
    let text = text.filter(|text| !text.is_empty())?;
    let reasoning = thoughts::own_thinking(text, None);
    Some(said(Delta::Reasoning {
        text: reasoning.text,
        summary: reasoning.summary,
    }))
}

fn state(signature: String) -> Option<Event> {
    let state: Opaque = thoughts::own_thinking(String::new(), Some(signature)).state?;
    Some(said(Delta::ReasoningState(state)))
}
