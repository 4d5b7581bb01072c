//! The items of a response stream, from the pieces of one choice.
//!
//! 1. At most one item speaks: a message or reasoning. Whatever else begins ends it.
//! 2. Calls may be told interleaved. A call is done when something else begins and its arguments are a whole object,
//!    else when the choice has finished.
//! 3. State of a call is an item behind all others, for clients put a call together from events that follow each other.
//! 4. What an item says stands in the assembly, which has taken each piece before it is written.

use std::collections::BTreeSet;

use serde_json::value::RawValue;

use super::write_calls::{OpenCall, called, is_whole_object};
use super::write_items::{ContentPart, ItemIds, OutputItem, Status};
use super::write_pieces::{ItemBody, Numbers, Piece};
use crate::ai::conversation::{Assembly, Delta, Opaque, Part, Reasoning};
use crate::ai::dialects::AnswerContext;

pub(super) const ADDED: &str = "response.output_item.added";
const DONE: &str = "response.output_item.done";

/// The output so far.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) ids: ItemIds,
    pub(super) numbers: Numbers,
    /// By output index; `None` until it is done.
    pub(super) items: Vec<Option<Box<RawValue>>>,
    speech: Option<Speech>,
    /// In the order they began.
    pub(super) calls: Vec<OpenCall>,
    /// The calls whose state is still to be written, by their parts.
    pub(super) states: BTreeSet<usize>,
}

/// The item that speaks.
#[derive(Debug)]
struct Speech {
    id: String,
    output_index: usize,
    reasoning: bool,
    /// Its parts among those of the choice; the last is open.
    first: usize,
    last: usize,
}

impl Output {
    /// Its events are numbered behind the two that begin a stream.
    pub(super) fn new(context: &AnswerContext) -> Self {
        Self {
            ids: ItemIds::new(context),
            numbers: Numbers::from(2),
            items: Vec::new(),
            speech: None,
            calls: Vec::new(),
            states: BTreeSet::new(),
        }
    }

    /// The number of the event that comes next.
    pub(super) fn next_number(&self) -> u64 {
        self.numbers.next()
    }

    /// The items that are done.
    pub(super) fn items(&self) -> impl Iterator<Item = &RawValue> {
        self.items.iter().flatten().map(|item| &**item)
    }

    /// Writes one piece, which `said` has taken.
    pub(super) fn write(&mut self, delta: &Delta, said: &Assembly, out: &mut Vec<u8>) {
        match delta {
            Delta::Text(text) | Delta::Refusal(text) | Delta::Reasoning { text, .. } => {
                if !text.is_empty() {
                    self.say(text, said, out);
                }
            }
            Delta::ReasoningState(state) => self.end_reasoning(state, said, out),
            Delta::ToolCall { index, .. } => self.begin_call(*index, said, out),
            Delta::Arguments { index, text } => self.write_arguments(*index, text, said, out),
            Delta::ToolCallState { index, .. } => self.states.extend(said.part_of_call(0, *index)),
        }
    }

    /// More of the part that is now the last.
    fn say(&mut self, delta: &str, said: &Assembly, out: &mut Vec<u8>) {
        let Some(part) = said.parts(0).len().checked_sub(1) else {
            return;
        };
        let reasoning = matches!(said.parts(0).get(part), Some(Part::Reasoning(_)));
        match &mut self.speech {
            Some(speech) if speech.last == part => {}
            Some(speech) if !speech.reasoning && !reasoning => {
                self.end_part(said, out);
                self.begin_part(part, said, out);
            }
            Some(_) | None => {
                self.end_for_another(said, out);
                self.begin_speech(reasoning, part, out);
                self.begin_part(part, said, out);
            }
        }
        let (Some(speech), Some(content)) = (&self.speech, content(said.parts(0), part)) else {
            return;
        };
        let piece = speech.piece(content).more(content, delta);
        self.numbers.emit(out, content.events().delta, &piece);
    }

    fn begin_speech(&mut self, reasoning: bool, part: usize, out: &mut Vec<u8>) {
        let output_index = self.items.len();
        let id = match reasoning {
            true => self.ids.reasoning(output_index),
            false => self.ids.message(output_index),
        };
        let item = match reasoning {
            true => OutputItem::reasoning_begun(id.clone()),
            false => OutputItem::message(id.clone(), &[], Status::InProgress),
        };
        self.numbers
            .emit(out, ADDED, &ItemBody { output_index, item });
        self.items.push(None);
        self.speech = Some(Speech {
            id,
            output_index,
            reasoning,
            first: part,
            last: part,
        });
    }

    fn begin_part(&mut self, part: usize, said: &Assembly, out: &mut Vec<u8>) {
        let Some(speech) = &mut self.speech else {
            return;
        };
        speech.last = part;
        if let Some(content) = content(said.parts(0), part) {
            let piece = Piece {
                part: Some(content.emptied()),
                ..speech.piece(content)
            };
            self.numbers.emit(out, content.events().added, &piece);
        }
    }

    fn end_part(&mut self, said: &Assembly, out: &mut Vec<u8>) {
        let Some(speech) = &self.speech else {
            return;
        };
        if let Some(content) = content(said.parts(0), speech.last) {
            let (piece, events) = (speech.piece(content), content.events());
            self.numbers.emit(out, events.said, &piece.said(content));
            let done = Piece {
                part: Some(content),
                ..piece
            };
            self.numbers.emit(out, events.done, &done);
        }
    }

    /// Ends what the beginning of another item ends.
    pub(super) fn end_for_another(&mut self, said: &Assembly, out: &mut Vec<u8>) {
        self.end_speech(Status::Completed, said, out);
        let parts = said.parts(0);
        let is_whole = |call: &OpenCall| called(parts, call.part).is_some_and(is_whole_object);
        let (whole, open) = std::mem::take(&mut self.calls)
            .into_iter()
            .partition(is_whole);
        self.calls = open;
        for call in whole {
            self.end_call(&call, Status::Completed, said, out);
        }
    }

    fn end_speech(&mut self, status: Status, said: &Assembly, out: &mut Vec<u8>) {
        self.end_part(said, out);
        let Some(speech) = self.speech.take() else {
            return;
        };
        let parts = said.parts(0);
        let item = match parts.get(speech.last) {
            Some(Part::Reasoning(reasoning)) => OutputItem::reasoning(speech.id, reasoning),
            _ => {
                let said = parts.get(speech.first..=speech.last).unwrap_or_default();
                OutputItem::message(speech.id, said, status)
            }
        };
        self.done(speech.output_index, &item, out);
    }

    /// The state of the reasoning that speaks, which ends it; else it stands in an item of its own.
    fn end_reasoning(&mut self, state: &Opaque, said: &Assembly, out: &mut Vec<u8>) {
        if self.speech.as_ref().is_some_and(|speech| speech.reasoning) {
            self.end_speech(Status::Completed, said, out);
            return;
        }
        self.end_for_another(said, out);
        let reasoning = Reasoning {
            state: Some(state.clone()),
            ..Reasoning::default()
        };
        let id = self.ids.reasoning(self.items.len());
        self.write_whole(&OutputItem::reasoning(id, &reasoning), out);
    }

    /// An item that is begun and done at once.
    pub(super) fn write_whole(&mut self, item: &OutputItem<'_>, out: &mut Vec<u8>) {
        let output_index = self.items.len();
        self.items.push(None);
        self.numbers
            .emit(out, ADDED, &ItemBody { output_index, item });
        self.done(output_index, item, out);
    }

    /// Writes that an item is done, and keeps it for the closing event.
    pub(super) fn done(&mut self, output_index: usize, item: &OutputItem<'_>, out: &mut Vec<u8>) {
        let json = serde_json::value::to_raw_value(item).expect("an item is texts alone");
        let body = ItemBody {
            output_index,
            item: &json,
        };
        self.numbers.emit(out, DONE, &body);
        if let Some(place) = self.items.get_mut(output_index) {
            *place = Some(json);
        }
    }

    /// Ends every item, in their order, and writes the state of calls. In an answer that was cut, the last item that
    /// speaks or calls is where it was.
    pub(super) fn end(&mut self, cut: bool, said: &Assembly, out: &mut Vec<u8>) {
        let last = self.items.len().checked_sub(1);
        let status = |output_index| match cut && Some(output_index) == last {
            true => Status::Incomplete,
            false => Status::Completed,
        };
        for call in std::mem::take(&mut self.calls) {
            let speech = self.speech.as_ref().map(|speech| speech.output_index);
            if let Some(at) = speech.filter(|at| *at < call.output_index) {
                self.end_speech(status(at), said, out);
            }
            self.end_call(&call, status(call.output_index), said, out);
        }
        if let Some(at) = self.speech.as_ref().map(|speech| speech.output_index) {
            self.end_speech(status(at), said, out);
        }
        self.write_call_states(said, out);
    }
}

impl Speech {
    /// An event about its open part.
    fn piece(&self, content: ContentPart<'_>) -> Piece<'_> {
        let piece = Piece {
            item_id: &self.id,
            output_index: self.output_index,
            ..Piece::default()
        };
        piece.at(content, self.last - self.first)
    }
}

fn content(parts: &[Part], part: usize) -> Option<ContentPart<'_>> {
    match parts.get(part)? {
        Part::Reasoning(reasoning) => Some(ContentPart::of_reasoning(reasoning)),
        said => ContentPart::of_message(said),
    }
}
