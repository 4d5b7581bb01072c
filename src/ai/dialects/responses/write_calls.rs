//! The calls of a response stream.

use super::write_items::{OutputItem, Status, arguments_done};
use super::write_output::{ADDED, Output};
use super::write_pieces::{ItemBody, Piece};
use crate::ai::conversation::{Assembly, Part, ToolCall};

/// A call that is not done yet.
#[derive(Debug)]
pub(super) struct OpenCall {
    pub(super) id: String,
    pub(super) output_index: usize,
    pub(super) index: u32,
    pub(super) part: usize,
}

impl Output {
    pub(super) fn begin_call(&mut self, index: u32, said: &Assembly, out: &mut Vec<u8>) {
        self.end_for_another(said, out);
        let Some(part) = said.part_of_call(0, index) else {
            return;
        };
        let Some(call) = called(said.parts(0), part) else {
            return;
        };
        let output_index = self.items.len();
        let id = self.ids.call(output_index, call);
        let item = OutputItem::call(id.clone(), call, "", Status::InProgress);
        self.numbers
            .emit(out, ADDED, &ItemBody { output_index, item });
        self.items.push(None);
        self.calls.push(OpenCall {
            id,
            output_index,
            index,
            part,
        });
    }

    pub(super) fn write_arguments(
        &mut self,
        index: u32,
        delta: &str,
        said: &Assembly,
        out: &mut Vec<u8>,
    ) {
        let Some(open) = self.calls.iter().find(|call| call.index == index) else {
            return;
        };
        let Some(call) = called(said.parts(0), open.part) else {
            return;
        };
        if !delta.is_empty() {
            let piece = Piece {
                delta: Some(delta),
                ..open.piece()
            };
            let name = match call.custom {
                true => "response.custom_tool_call_input.delta",
                false => "response.function_call_arguments.delta",
            };
            self.numbers.emit(out, name, &piece);
        }
    }

    pub(super) fn end_call(
        &mut self,
        open: &OpenCall,
        status: Status,
        said: &Assembly,
        out: &mut Vec<u8>,
    ) {
        let Some(call) = called(said.parts(0), open.part) else {
            return;
        };
        let arguments = arguments_done(call);
        let (name, piece) = if call.custom {
            let piece = Piece {
                input: Some(arguments),
                ..open.piece()
            };
            ("response.custom_tool_call_input.done", piece)
        } else {
            let piece = Piece {
                name: Some(&call.name),
                arguments: Some(arguments),
                ..open.piece()
            };
            ("response.function_call_arguments.done", piece)
        };
        self.numbers.emit(out, name, &piece);
        let item = OutputItem::call(open.id.clone(), call, arguments, status);
        self.done(open.output_index, &item, out);
    }

    pub(super) fn write_call_states(&mut self, said: &Assembly, out: &mut Vec<u8>) {
        for part in std::mem::take(&mut self.states) {
            let id = self.ids.reasoning(self.items.len());
            let call = called(said.parts(0), part);
            if let Some(item) = call.and_then(|call| OutputItem::state_of_call(id, call)) {
                self.write_whole(&item, out);
            }
        }
    }
}

impl OpenCall {
    fn piece(&self) -> Piece<'_> {
        Piece {
            item_id: &self.id,
            output_index: self.output_index,
            ..Piece::default()
        }
    }
}

pub(super) fn called(parts: &[Part], part: usize) -> Option<&ToolCall> {
    match parts.get(part)? {
        Part::ToolCall(call) => Some(call),
        _ => None,
    }
}

/// Whether nothing but blanks can follow. Of free text nobody can know.
pub(super) fn is_whole_object(call: &ToolCall) -> bool {
    let arguments = call.arguments.trim_end();
    !call.custom
        && arguments.ends_with('}')
        && serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok()
}
