//! One call of a response stream, from whichever of its events say something new.

use super::ending::protocol_error;
use super::read_pieces::delta;
use super::wire::Call;
use crate::ai::conversation::{Delta, Event, ToolKind};
use crate::ai::dialects::AnswerContext;
use crate::error::RequestError;

/// How far a call has come.
#[derive(Debug, Default)]
pub(super) struct CallState {
    /// Its number among the calls; `None` until its name is known.
    index: Option<u32>,
    /// A function that stands in for a custom tool: its arguments are turned back when they are whole.
    stand_in: bool,
    custom: bool,
    /// Arguments that could not be told yet.
    pending: String,
    told: bool,
    settled: bool,
}

impl CallState {
    /// Begins it, unless it has begun; `index` is its number if it does.
    pub(super) fn begin(
        &mut self,
        call: Call,
        index: u32,
        context: &AnswerContext,
        out: &mut Vec<Event>,
    ) -> Result<bool, RequestError> {
        if self.index.is_some() {
            return Ok(false);
        }
        let name = call.name.filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| protocol_error("tool call"))?;
        self.stand_in = !call.custom && context.conversation.is_custom_tool(&name);
        self.custom = call.custom || self.stand_in;
        self.index = Some(index);
        let id = call.call_id.or(call.id).filter(|id| !id.is_empty());
        out.push(delta(Delta::ToolCall {
            index,
            id: id.unwrap_or_else(|| context.call_id(index)),
            name,
            custom: self.custom,
        }));
        let pending = std::mem::take(&mut self.pending);
        self.more(&pending, out);
        Ok(true)
    }

    /// More of its arguments.
    pub(super) fn more(&mut self, text: &str, out: &mut Vec<Event>) {
        match self.index {
            Some(index) if !self.stand_in && !self.settled => {
                self.tell(index, text.to_owned(), out);
            }
            Some(_) | None => self.pending.push_str(text),
        }
    }

    /// Its arguments are complete: `whole` is all of them, or empty where they were told before or never.
    pub(super) fn settle(&mut self, whole: String, out: &mut Vec<Event>) {
        let Some(index) = self.index else {
            if !whole.is_empty() {
                self.pending = whole;
            }
            return;
        };
        if std::mem::replace(&mut self.settled, true) || self.told {
            return;
        }
        let mut text = if whole.is_empty() {
            std::mem::take(&mut self.pending)
        } else {
            whole
        };
        if self.stand_in {
            text = ToolKind::custom_input(&text);
        } else if text.is_empty() && !self.custom {
            "{}".clone_into(&mut text);
        }
        self.tell(index, text, out);
    }

    fn tell(&mut self, index: u32, text: String, out: &mut Vec<Event>) {
        if !text.is_empty() {
            self.told = true;
            out.push(delta(Delta::Arguments { index, text }));
        }
    }
}
