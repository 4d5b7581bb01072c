//! Events, written as the stream of a response.
//!
//! ```text
//! created ▶ in_progress ▶ ( output_item.added ▶ parts and deltas ▶ output_item.done )* ▶ completed | incomplete
//!                └────────────────────── failed, from anywhere, and nothing after it
//! ```
//!
//! The closing event holds every item as it was when it was done; see [`super::write_output`] for when that is.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::ending::{incomplete_reason, shown};
use super::write_answer::{Response, State};
use super::write_output::Output;
use super::write_pieces::{ResponseBody, emit};
use crate::ai::conversation::{Answer, Assembly, Delta, Event, Finish, Part};
use crate::ai::dialects::AnswerContext;
use crate::error::RequestError;

/// Writes one stream; of several choices the first alone.
#[derive(Debug)]
pub struct EventWriter {
    context: Arc<AnswerContext>,
    assembly: Assembly,
    output: Output,
    begun: bool,
    finished: bool,
    closed: bool,
}

impl EventWriter {
    pub(in crate::ai) fn new(context: Arc<AnswerContext>) -> Self {
        Self {
            output: Output::new(&context),
            context,
            assembly: Assembly::default(),
            begun: false,
            finished: false,
            closed: false,
        }
    }

    /// Writes what one event means to the client behind what is in `out`.
    pub(in crate::ai) fn write(&mut self, event: &Event, out: &mut Vec<u8>) {
        let begins_again = match event {
            Event::Delta {
                choice: 0,
                delta: Delta::ToolCall { index, .. },
            } => self.assembly.part_of_call(0, *index).is_some(),
            _ => false,
        };
        self.assembly.take(event);
        match event {
            Event::Started { .. } => self.begin(out),
            Event::Delta { choice: 0, delta } if !begins_again => {
                self.begin(out);
                self.output.write(delta, &self.assembly, out);
            }
            Event::Finished { choice: 0, finish } => {
                self.begin(out);
                self.finished = true;
                let finish = shown(finish, self.assembly.parts(0));
                let cut = incomplete_reason(finish).is_some();
                self.output.end(cut, &self.assembly, out);
            }
            Event::Delta { .. }
            | Event::Finished { .. }
            | Event::Usage(_)
            | Event::Ended
            | Event::Failed(_) => {}
        }
    }

    /// The closing event, and before it whatever is still open. A provider that gave no reason to stop had said what
    /// it had to say.
    pub(in crate::ai) fn close(&mut self) -> Bytes {
        if std::mem::replace(&mut self.closed, true) {
            return Bytes::new();
        }
        let mut out = Vec::new();
        if !self.finished {
            let finish = match self.assembly.parts(0) {
                [.., Part::ToolCall(_)] => Finish::ToolCalls,
                _ => Finish::Stop,
            };
            self.write(&Event::Finished { choice: 0, finish }, &mut out);
        }
        self.output.end(false, &self.assembly, &mut out);
        let answer = self.assembly.answer();
        let choice = answer.choices.first();
        let finish = choice.map_or(&Finish::Stop, |choice| shown(&choice.finish, &choice.parts));
        let name = match incomplete_reason(finish) {
            Some(_) => "response.incomplete",
            None => "response.completed",
        };
        let output: Vec<&RawValue> = self.output.items().collect();
        let response = Response {
            state: State::Done(finish),
            output,
            model: answer.model.as_deref(),
            usage: answer.usage,
            context: &self.context,
        };
        emit(
            &mut out,
            name,
            self.output.next_number(),
            &ResponseBody { response },
        );
        out.into()
    }

    /// `response.failed`, which is what clients of this API end on; some ignore a plain `error` event.
    pub(in crate::ai) fn error_event(&self, error: &RequestError) -> Bytes {
        let detail = error.openai_body(&self.context.request_id).error;
        let state = State::Failed {
            code: &detail.code,
            message: &detail.message,
        };
        let body = ResponseBody {
            response: self.response(state),
        };
        let mut out = Vec::new();
        if !self.begun {
            // OpenAI's library refuses a stream that begins in the middle.
            self.write_beginning(&mut out);
        }
        emit(
            &mut out,
            "response.failed",
            self.output.next_number(),
            &body,
        );
        out.into()
    }

    /// What has been said so far, to be kept under the response's id.
    pub(in crate::ai) fn answer(&self) -> &Answer {
        self.assembly.answer()
    }

    /// A response without output.
    fn response<'a>(&'a self, state: State<'a>) -> Response<'a, [(); 0]> {
        Response {
            state,
            output: [],
            model: self.assembly.answer().model.as_deref(),
            usage: None,
            context: &self.context,
        }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            self.write_beginning(out);
        }
    }

    fn write_beginning(&self, out: &mut Vec<u8>) {
        for (number, name) in (0..).zip(["response.created", "response.in_progress"]) {
            let body = ResponseBody {
                response: self.response(State::InProgress),
            };
            emit(out, name, number, &body);
        }
    }
}

#[cfg(test)]
mod tests;
