//! A provider's chunks, for a client that speaks something else.
//!
//! A choice finishes at its first `finish_reason`; what a server still sends of it after that (Azure's filter results,
//! OpenRouter's repetition beside the usage) says nothing new. Usage is taken wherever it comes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::failure::{NO_CHUNK, failed_choice, protocol_error};
use super::read_calls::{Calls, Ids};
use super::reply::{Pieces, Reply, ReplyChoice, Said};
use super::wire::{Spoken, finish_of, plain_state};
use crate::ai::conversation::{Delta, Event};
use crate::ai::dialects::AnswerContext;
use crate::ai::dialects::usage::Usage;
use crate::ai::streaming::sse;
use crate::error::RequestError;

/// Reads the events of one stream in order.
#[derive(Debug)]
pub struct EventReader {
    ids: Ids,
    started: bool,
    /// `[DONE]` or a failure came; nothing after it counts.
    ended: bool,
    choices: BTreeMap<u32, ChoiceSoFar>,
}

#[derive(Debug, Default)]
struct ChoiceSoFar {
    calls: Calls,
    /// Reasoning came last.
    reasoning: bool,
    refusal: bool,
    /// Something was said.
    spoke: bool,
    finished: bool,
}

impl EventReader {
    pub(in crate::ai) fn new(context: Arc<AnswerContext>) -> Self {
        Self {
            ids: Ids::new(context),
            started: false,
            ended: false,
            choices: BTreeMap::new(),
        }
    }

    /// Reads one whole server-sent event.
    ///
    /// # Errors
    /// `provider_protocol_error` when its data is no chunk.
    pub(in crate::ai) fn read(
        &mut self,
        event: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<(), RequestError> {
        let data = sse::data(event);
        let data = data.trim_ascii();
        if self.ended || data.is_empty() {
            return Ok(());
        }
        if data == b"[DONE]" {
            return self.end(out);
        }
        let reply: Reply = serde_json::from_slice(data).map_err(|_| protocol_error(NO_CHUNK))?;
        if let Some(failure) = reply.failure() {
            self.fail(failure, out);
            return Ok(());
        }
        self.read_chunk(reply, out)
    }

    /// Whether the stream may end now without `[DONE]`, which some servers do not send.
    pub(in crate::ai) fn may_end_here(&self) -> bool {
        !self.choices.is_empty() && self.choices.values().all(|choice| choice.finished)
    }

    fn read_chunk(&mut self, reply: Reply, out: &mut Vec<Event>) -> Result<(), RequestError> {
        let choices = reply.choices.unwrap_or_default();
        let id = reply.id.filter(|id| !id.is_empty());
        let inner_usage = choices.iter().find_map(|choice| choice.usage);
        let usage = reply.usage.or(inner_usage).and_then(Usage::tokens);
        // Azure's first chunk reports on the prompt's filters, and has neither id nor model yet.
        let tells = id.is_some() || !choices.is_empty() || usage.is_some();
        if !self.started && tells {
            self.started = true;
            out.push(Event::Started {
                id,
                model: reply.model.filter(|model| !model.is_empty()),
            });
        }
        for (position, choice) in choices.into_iter().enumerate() {
            let position = u32::try_from(position).unwrap_or_default();
            self.read_choice(choice.index.unwrap_or(position), choice, out)?;
            if self.ended {
                return Ok(());
            }
        }
        out.extend(usage.map(Event::Usage));
        Ok(())
    }

    fn read_choice(
        &mut self,
        index: u32,
        choice: ReplyChoice,
        out: &mut Vec<Event>,
    ) -> Result<(), RequestError> {
        let so_far = self.choices.entry(index).or_default();
        if so_far.finished {
            return Ok(());
        }
        let mut pieces = choice.delta.map(Said::pieces).unwrap_or_default();
        if pieces.is_empty() && !so_far.spoke {
            // Some servers put the whole message into the last chunk.
            pieces = choice.message.map(Said::pieces).unwrap_or_default();
        }
        let mut say = |delta| {
            out.push(Event::Delta {
                choice: index,
                delta,
            });
        };
        so_far.add(pieces, &mut self.ids, &mut say);
        let word = choice.finish_reason.filter(|word| !word.is_empty());
        if choice.error.is_none() && word.is_none() {
            return Ok(());
        }
        let word = word.unwrap_or_default();
        match finish_of(&word, so_far.spoken()) {
            Some(finish) if choice.error.is_none() => {
                so_far.end(&mut say)?;
                out.push(Event::Finished {
                    choice: index,
                    finish,
                });
            }
            _ => self.fail(failed_choice(&word, choice.error.as_ref()), out),
        }
        Ok(())
    }

    /// `[DONE]`. A choice without a finish reason ends as one that has said what it had to say.
    fn end(&mut self, out: &mut Vec<Event>) -> Result<(), RequestError> {
        for (&choice, so_far) in &mut self.choices {
            if so_far.finished {
                continue;
            }
            so_far.end(&mut |delta| out.push(Event::Delta { choice, delta }))?;
            let finish = finish_of("", so_far.spoken());
            out.extend(finish.map(|finish| Event::Finished { choice, finish }));
        }
        self.ended = true;
        out.push(Event::Ended);
        Ok(())
    }

    fn fail(&mut self, failure: RequestError, out: &mut Vec<Event>) {
        self.ended = true;
        out.push(Event::Failed(Box::new(failure)));
    }
}

impl ChoiceSoFar {
    fn spoken(&self) -> Spoken {
        Spoken {
            calls: self.calls.any(),
            refusal: self.refusal,
        }
    }

    fn add(&mut self, pieces: Pieces, ids: &mut Ids, say: &mut impl FnMut(Delta)) {
        self.spoke |= !pieces.is_empty();
        if !pieces.reasoning.is_empty() {
            self.reasoning = true;
            say(Delta::Reasoning {
                text: pieces.reasoning,
                summary: false,
            });
        }
        if !pieces.text.is_empty() {
            self.end_reasoning(say);
            say(Delta::Text(pieces.text));
        }
        if !pieces.refusal.is_empty() {
            self.end_reasoning(say);
            self.refusal = true;
            say(Delta::Refusal(pieces.refusal));
        }
        for piece in pieces.calls {
            self.end_reasoning(say);
            self.calls.add(piece, ids, say);
        }
    }

    fn end_reasoning(&mut self, say: &mut impl FnMut(Delta)) {
        if std::mem::take(&mut self.reasoning) {
            say(Delta::ReasoningState(plain_state()));
        }
    }

    fn end(&mut self, say: &mut impl FnMut(Delta)) -> Result<(), RequestError> {
        self.end_reasoning(say);
        self.finished = true;
        self.calls.end(say)
    }
}
