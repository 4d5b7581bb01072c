//! A provider's response stream, read as events.
//!
//! Items are told apart by their output index. What an item says is taken from its deltas; where there were none, from
//! the event that says it is done, and last from the closing event. Nothing is taken twice.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::Value;

use super::ending::{Held, Response, protocol_error, reported};
use super::read_calls::CallState;
use super::read_pieces::{Channel, Place, Wire, delta, parted};
use super::wire::{Item, PARAGRAPH, Thought, plain};
use crate::ai::conversation::{Delta, Event};
use crate::ai::dialects::AnswerContext;
use crate::ai::streaming::sse;
use crate::error::RequestError;

/// Reads one stream.
#[derive(Debug)]
pub struct EventReader {
    context: Arc<AnswerContext>,
    started: bool,
    ended: bool,
    held: Held,
    items: BTreeMap<u64, ItemState>,
    ids: BTreeMap<String, u64>,
    calls: u32,
    /// What was said last, to part paragraphs.
    last: Option<Place>,
}

#[derive(Debug, Default)]
struct ItemState {
    /// The parts of which something has been said.
    said: Vec<(Channel, u64)>,
    call: Option<CallState>,
    done: bool,
}

impl EventReader {
    pub(in crate::ai) fn new(context: Arc<AnswerContext>) -> Self {
        Self {
            context,
            started: false,
            ended: false,
            held: Held::default(),
            items: BTreeMap::new(),
            ids: BTreeMap::new(),
            calls: 0,
            last: None,
        }
    }

    /// Reads one whole server-sent event.
    ///
    /// # Errors
    /// `provider_protocol_error` when it is not one of this API's.
    pub(in crate::ai) fn read(
        &mut self,
        event: &[u8],
        out: &mut Vec<Event>,
    ) -> Result<(), RequestError> {
        let data = sse::data(event);
        // Some servers close with the chat API's marker besides the closing event.
        if data.is_empty() || &*data == b"[DONE]" || self.ended {
            return Ok(());
        }
        let wire: Wire<'_> = serde_json::from_slice(&data).map_err(|_| protocol_error("event"))?;
        self.read_event(wire, out)
    }

    /// No response ends without its closing event.
    pub(in crate::ai) fn may_end_here(&self) -> bool {
        self.ended
    }

    fn read_event(&mut self, mut wire: Wire<'_>, out: &mut Vec<Event>) -> Result<(), RequestError> {
        let Some(name) = wire.r#type.take() else {
            // A failure before the response has begun may come in the shape of every other error.
            return match &wire.error {
                Some(fault) => {
                    self.fail(Some(fault), out);
                    Ok(())
                }
                None => Err(protocol_error("event")),
            };
        };
        let Some(name) = name.strip_prefix("response.") else {
            if name == "error" {
                let flat = serde_json::json!({"code": wire.code, "message": wire.message});
                self.fail(Some(wire.error.as_ref().unwrap_or(&flat)), out);
            }
            return Ok(());
        };
        match name {
            "created" | "in_progress" | "queued" => self.start(wire.response.as_ref(), out),
            "completed" | "incomplete" => {
                let response = wire.response.unwrap_or_default().with_status(name);
                return self.end(response, out);
            }
            "failed" | "cancelled" => {
                let fault = wire.response.and_then(|response| response.error);
                self.fail(fault.as_ref(), out);
            }
            "output_item.added" | "output_item.done" => {
                let done = name == "output_item.done";
                let item = wire.item.take();
                self.start(None, out);
                return self.read_item(item, wire.output_index, done, out);
            }
            _ => self.read_piece(name, wire, out),
        }
        Ok(())
    }

    fn start(&mut self, response: Option<&Response>, out: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.started, true) {
            out.push(Event::Started {
                id: response.and_then(|response| response.id.clone()),
                model: response.and_then(|response| response.model.clone()),
            });
        }
    }

    fn fail(&mut self, fault: Option<&Value>, out: &mut Vec<Event>) {
        self.ended = true;
        out.push(Event::Failed(Box::new(reported(fault))));
    }

    fn read_piece(&mut self, name: &str, wire: Wire<'_>, out: &mut Vec<Event>) {
        let at = self.place(wire.output_index, wire.item_id.as_deref());
        let content = wire.content_index.unwrap_or_default();
        let summary = wire.summary_index.unwrap_or_default();
        let (channel, part) = match name.split_once('.').map_or(name, |(of, _)| of) {
            "output_text" => (Channel::Text, content),
            "refusal" => (Channel::Refusal, content),
            "reasoning_summary_text" => (Channel::Summary, summary),
            "reasoning_text" => (Channel::Thought, content),
            "function_call_arguments" | "custom_tool_call_input" => {
                let whole = wire
                    .arguments
                    .or(wire.input)
                    .map(|whole| plain(Some(whole)));
                self.start(None, out);
                self.read_arguments(at, (plain(wire.delta), whole), out);
                return;
            }
            // Parts that begin, annotations, what hosted tools do: nothing that crosses.
            _ => return,
        };
        self.start(None, out);
        if name.ends_with(".delta") {
            self.say((channel, at, part), plain(wire.delta), out);
        } else if name.ends_with(".done") {
            self.say_rest((channel, at, part), plain(wire.text.or(wire.refusal)), out);
        }
    }

    /// The output index that a piece belongs to. Some servers give an item another id in every event, others leave the
    /// index out.
    fn place(&self, output_index: Option<u64>, item_id: Option<&str>) -> u64 {
        let known = || self.ids.get(item_id?).copied();
        let last = || self.items.keys().next_back().copied();
        output_index
            .or_else(known)
            .or_else(last)
            .unwrap_or_default()
    }

    fn say(&mut self, place: Place, text: String, out: &mut Vec<Event>) {
        if text.is_empty() {
            return;
        }
        let (channel, at, part) = place;
        let said = &mut self.items.entry(at).or_default().said;
        if !said.contains(&(channel, part)) {
            said.push((channel, part));
        }
        if self.last.is_some_and(|last| parted(last, place)) {
            out.push(delta(channel.delta(PARAGRAPH.to_owned())));
        }
        self.last = Some(place);
        self.held.text |= channel == Channel::Text;
        self.held.refusal |= channel == Channel::Refusal;
        out.push(delta(channel.delta(text)));
    }

    /// All of a part, unless it has been said.
    fn say_rest(&mut self, place: Place, text: String, out: &mut Vec<Event>) {
        let (channel, at, part) = place;
        let item = self.items.get(&at);
        if !item.is_some_and(|item| item.said.contains(&(channel, part))) {
            self.say(place, text, out);
        }
    }

    /// More of a call's arguments, or all of them.
    fn read_arguments(
        &mut self,
        at: u64,
        (more, whole): (String, Option<String>),
        out: &mut Vec<Event>,
    ) {
        let call = self
            .items
            .entry(at)
            .or_default()
            .call
            .get_or_insert_default();
        match whole {
            None => call.more(&more, out),
            // Some servers leave it to the item to say them.
            Some(whole) if whole.is_empty() => {}
            Some(whole) => call.settle(whole, out),
        }
        self.last = None;
    }

    fn read_item(
        &mut self,
        item: Option<Value>,
        output_index: Option<u64>,
        done: bool,
        out: &mut Vec<Event>,
    ) -> Result<(), RequestError> {
        let item = item.ok_or_else(|| protocol_error("output item"))?;
        let id = item.get("id").and_then(Value::as_str).map(str::to_owned);
        let known = id.as_ref().and_then(|id| self.ids.get(id)).copied();
        let next = || self.items.keys().next_back().map_or(0, |last| last + 1);
        let at = output_index.or(known).unwrap_or_else(next);
        if let Some(id) = id {
            self.ids.insert(id, at);
        }
        let state = self.items.entry(at).or_default();
        if state.done {
            return Ok(());
        }
        state.done = done;
        match Item::read(item).map_err(|_| protocol_error("output item"))? {
            Item::Message(parts) if done => {
                for (part, content) in (0..).zip(parts) {
                    let text = content.text.unwrap_or_default();
                    self.say_rest((Channel::Text, at, part), text, out);
                    let refusal = content.refusal.unwrap_or_default();
                    self.say_rest((Channel::Refusal, at, part), refusal, out);
                }
            }
            Item::Reasoning(thought) if done => self.end_thought(at, &thought, out),
            Item::Call(mut call) => {
                let whole = done.then(|| call.text());
                let state = state.call.get_or_insert_default();
                if state.begin(call, self.calls, &self.context, out)? {
                    self.calls += 1;
                    self.held.call = true;
                }
                if let Some(whole) = whole {
                    state.settle(whole, out);
                }
                self.last = None;
            }
            Item::Message(_) | Item::Reasoning(_) | Item::Other => {}
        }
        Ok(())
    }

    fn end_thought(&mut self, at: u64, thought: &Thought, out: &mut Vec<Event>) {
        for (channel, parts) in [
            (Channel::Summary, &thought.summary),
            (Channel::Thought, &thought.content),
        ] {
            for (part, content) in (0..).zip(parts.iter().flatten()) {
                let text = content.text.clone().unwrap_or_default();
                self.say_rest((channel, at, part), text, out);
            }
        }
        if let Some(state) = thought.state() {
            out.push(delta(Delta::ReasoningState(state)));
            self.last = None;
        }
    }

    fn end(&mut self, mut response: Response, out: &mut Vec<Event>) -> Result<(), RequestError> {
        if let Some(error) = response.failure() {
            self.ended = true;
            out.push(Event::Failed(Box::new(error)));
            return Ok(());
        }
        self.start(Some(&response), out);
        let nothing_told = self.items.is_empty();
        for (at, item) in (0..).zip(response.output.take().into_iter().flatten()) {
            if nothing_told || self.items.contains_key(&at) {
                self.read_item(Some(item), Some(at), true, out)?;
            }
        }
        for call in self
            .items
            .values_mut()
            .filter_map(|item| item.call.as_mut())
        {
            call.settle(String::new(), out);
        }
        out.extend(response.tokens().map(Event::Usage));
        out.push(Event::Finished {
            choice: 0,
            finish: response.finish(self.held),
        });
        out.push(Event::Ended);
        self.ended = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
