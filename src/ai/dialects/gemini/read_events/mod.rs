//! A provider's stream: every event is an answer that holds what is new. There is no closing event.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::finish;
use super::pass_stream::{Progress, not_a_chunk};
use super::read_answer::call_id;
use super::usage::UsageMetadata;
use super::wire::{Candidate, FunctionCall, Part as WirePart, Response};
use super::{calls, signature};
use crate::ai::conversation::{Delta, Event, Finish};
use crate::ai::dialects::AnswerContext;
use crate::ai::streaming::sse;
use crate::error::RequestError;

/// Reads the events of one stream in order.
#[derive(Debug)]
pub struct EventReader {
    context: Arc<AnswerContext>,
    started: bool,
    /// Calls so far, over all candidates.
    calls: u32,
    /// Calls so far of each candidate that has made any.
    calls_of: BTreeMap<u32, u32>,
    progress: Progress,
}

impl EventReader {
    pub(in crate::ai) fn new(context: Arc<AnswerContext>) -> Self {
        Self {
            context,
            started: false,
            calls: 0,
            calls_of: BTreeMap::new(),
            progress: Progress::default(),
        }
    }

    /// Reads one whole event.
    ///
    /// # Errors
    /// `provider_protocol_error` when its data is no answer.
    pub(in crate::ai) fn read(
        &mut self,
        event: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<(), RequestError> {
        let data = sse::data(event);
        if data.is_empty() {
            return Ok(());
        }
        let chunk: Response<'_> = serde_json::from_slice(&data).map_err(|_| not_a_chunk())?;
        if let Some(fault) = chunk.error {
            out.push(Event::Failed(Box::new(fault.into_answer_error())));
            return Ok(());
        }
        let blocked = chunk.is_blocked();
        if !self.started {
            self.started = true;
            out.push(Event::Started {
                id: chunk.response_id.map(Into::into),
                model: chunk.model_version.map(Into::into),
            });
        }
        let usage = chunk.usage_metadata.and_then(UsageMetadata::tokens);
        let mut finished = Vec::new();
        for (position, mut candidate) in (0..).zip(chunk.candidates) {
            let choice = candidate.index.unwrap_or(position);
            self.progress.begin(choice);
            for part in std::mem::take(&mut candidate.content)
                .unwrap_or_default()
                .parts
            {
                self.read_part(choice, part, out);
            }
            finished.extend(
                self.finish(choice, &candidate)
                    .map(|finish| (choice, finish)),
            );
        }
        if blocked && !self.progress.is_done() {
            self.progress.block();
            finished.push((0, Finish::ContentFilter));
        }
        // Before the ends, so that a writer which is told of the last one knows what was used.
        out.extend(usage.map(Event::Usage));
        out.extend(
            finished
                .into_iter()
                .map(|(choice, finish)| Event::Finished { choice, finish }),
        );
        Ok(())
    }

    /// Whether the stream may end now: every candidate that has begun has stopped.
    pub(in crate::ai) fn may_end_here(&self) -> bool {
        self.progress.is_done()
    }

    /// Why the candidate stopped, if this chunk says so for the first time.
    fn finish(&mut self, choice: u32, candidate: &Candidate<'_>) -> Option<Finish> {
        let word = candidate.finish_reason.as_deref()?;
        let finish = finish::read(word, self.calls_of.contains_key(&choice))?;
        self.progress.stop(choice).then_some(finish)
    }

    fn read_part(&mut self, choice: u32, part: WirePart<'_>, out: &mut Vec<Event>) {
        let signature = part.thought_signature.as_deref();
        if let Some(call) = part.function_call {
            self.read_call(choice, call, signature, out);
            return;
        }
        let text = part.text.unwrap_or_default().into_owned();
        let state = signature.map(|signature| signature::beside_text(signature, &text));
        let mut push = |delta| out.push(Event::Delta { choice, delta });
        if !text.is_empty() {
            push(if part.thought == Some(true) {
                Delta::Reasoning {
                    text,
                    summary: true,
                }
            } else {
                Delta::Text(text)
            });
        }
        if let Some(state) = state {
            push(Delta::ReasoningState(state));
        }
    }

    /// A call comes whole, and so do its arguments.
    fn read_call(
        &mut self,
        choice: u32,
        call: FunctionCall<'_>,
        signature: Option<&str>,
        out: &mut Vec<Event>,
    ) {
        let count = self.calls_of.entry(choice).or_default();
        let index = *count;
        *count += 1;
        let id = call_id(call.id.as_deref(), self.calls, &self.context);
        self.calls += 1;
        let custom = self.context.conversation.is_custom_tool(&call.name);
        let state = signature.map(|signature| signature::on_call(signature, &id));
        let mut push = |delta| out.push(Event::Delta { choice, delta });
        push(Delta::ToolCall {
            index,
            id,
            name: call.name.into_owned(),
            custom,
        });
        if let Some(state) = state {
            push(Delta::ToolCallState { index, state });
        }
        push(Delta::Arguments {
            index,
            text: calls::arguments(call.args.as_deref(), custom),
        });
    }
}

#[cfg(test)]
mod tests;
