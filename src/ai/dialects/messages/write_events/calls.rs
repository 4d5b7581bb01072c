//! The calls of a stream.

use serde_json::json;

use super::{EventWriter, State};
use crate::ai::conversation::Opaque;
use crate::ai::dialects::messages::arguments::Arguments;
use crate::ai::dialects::messages::frames::{Piece, push_delta, push_stop};
use crate::ai::dialects::messages::thoughts;

#[derive(Debug)]
pub(super) struct Call {
    block: u32,
    id: String,
    open: bool,
    /// Its arguments are free text, and are written as the value of one field.
    custom: bool,
    arguments: Arguments,
}

#[derive(Debug)]
pub(super) struct Coming {
    index: u32,
    id: String,
    name: String,
    custom: bool,
}

impl EventWriter {
    pub(super) fn call(
        &mut self,
        index: u32,
        id: &str,
        (name, custom): (&str, bool),
        out: &mut Vec<u8>,
    ) {
        if self.calls.contains_key(&index) {
            return;
        }
        self.said.called = true;
        self.stop_speech(out);
        self.coming = Some(Coming {
            index,
            id: id.to_owned(),
            name: name.to_owned(),
            custom,
        });
    }

    /// Begins the block of the call that is coming, if one is.
    pub(super) fn begin_call(&mut self, out: &mut Vec<u8>) {
        let Some(call) = self.coming.take() else {
            return;
        };
        let start = json!({"type": "tool_use", "id": call.id, "name": call.name, "input": {}});
        let block = self.begin(&start, out);
        self.has_said = true;
        if call.custom {
            let partial_json = "{\"input\":\"";
            push_delta(out, block, Piece::Input { partial_json });
        }
        self.calls.insert(
            call.index,
            Call {
                block,
                id: call.id,
                open: true,
                custom: call.custom,
                arguments: Arguments::default(),
            },
        );
    }

    pub(super) fn arguments(&mut self, index: u32, text: &str, out: &mut Vec<u8>) {
        let Some(call) = self.calls.get_mut(&index).filter(|call| call.open) else {
            return;
        };
        if text.is_empty() {
            return;
        }
        if call.custom {
            let quoted = json!(text).to_string();
            let partial_json = quoted
                .strip_prefix('"')
                .and_then(|rest| rest.strip_suffix('"'))
                .unwrap_or_default();
            push_delta(out, call.block, Piece::Input { partial_json });
            return;
        }
        push_delta(out, call.block, Piece::Input { partial_json: text });
        if call.arguments.push(text) {
            self.stop_call(index, out);
        }
    }

    pub(super) fn stop_call(&mut self, index: u32, out: &mut Vec<u8>) {
        let Some(call) = self.calls.get_mut(&index).filter(|call| call.open) else {
            return;
        };
        call.open = false;
        // SDKs take no piece at all for an empty input; other clients parse what they collected.
        let rest = match (call.custom, call.arguments.have_begun()) {
            (true, _) => Some("\"}"),
            (false, false) => Some("{}"),
            (false, true) => None,
        };
        if let Some(partial_json) = rest {
            push_delta(out, call.block, Piece::Input { partial_json });
        }
        push_stop(out, call.block);
    }

    /// Waits for the next block, which is the call's own if that has not begun.
    pub(super) fn call_state(&mut self, index: u32, state: &Opaque) {
        let coming = self.coming.as_ref().filter(|call| call.index == index);
        let begun = self.calls.get(&index).map(|call| &*call.id);
        if let Some(id) = coming.map(|call| &*call.id).or(begun) {
            let data = thoughts::sealed_for_call(state, id);
            self.states.push(State {
                data,
                of_call: true,
            });
        }
    }
}
