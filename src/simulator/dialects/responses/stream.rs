//! The events of a responses stream.

use serde::Serialize;
use serde_json::{Value, json};

use super::output::{Output, summary_part};
use crate::simulator::{calls::CallStep, dialects::events::Events, faults::Arguments};

/// A stream while it is written.
#[derive(Default)]
pub(super) struct Stream {
    pub(super) events: Events,
    sequence_number: u64,
}

#[derive(Serialize)]
struct Event<'a> {
    r#type: &'a str,
    sequence_number: u64,
    #[serde(flatten)]
    fields: Value,
}

impl Stream {
    pub(super) fn event(&mut self, name: &str, fields: Value) {
        let event = Event {
            r#type: name,
            sequence_number: self.sequence_number,
            fields,
        };
        self.events.named(name, &event);
        self.sequence_number += 1;
    }

    /// Everything between the opening and the closing event.
    pub(super) fn output(&mut self, output: &Output<'_>) {
        if output.has_reasoning() {
            self.events.step();
            self.reasoning(output);
        }
        if output.has_message() {
            self.begin_message(output);
            if !output.has_reasoning() {
                self.events.step();
            }
            self.message(output);
        } else if !output.has_reasoning() {
            self.events.step();
        }
        self.calls(output);
    }

    fn reasoning(&mut self, output: &Output<'_>) {
        let id = output.reasoning_id();
        let begun = output.reasoning(false);
        self.event(
            "response.output_item.added",
            json!({"output_index": 0, "item": begun}),
        );
        let shown = output.shown_thought();
        if !shown.is_empty() {
            let at = |field: &str, value: Value| {
                let mut fields = json!({"item_id": id, "output_index": 0, "summary_index": 0});
                fields[field] = value;
                fields
            };
            let empty = at("part", summary_part(""));
            self.event("response.reasoning_summary_part.added", empty);
            for piece in shown {
                let delta = at("delta", piece.as_str().into());
                self.event("response.reasoning_summary_text.delta", delta);
                self.events.step();
            }
            let text = shown.concat();
            let part = at("part", summary_part(&text));
            self.event(
                "response.reasoning_summary_text.done",
                at("text", text.into()),
            );
            self.event("response.reasoning_summary_part.done", part);
        }
        let done = output.reasoning(true);
        self.event(
            "response.output_item.done",
            json!({"output_index": 0, "item": done}),
        );
    }

    fn begin_message(&mut self, output: &Output<'_>) {
        let index = usize::from(output.has_reasoning());
        let begun = output.message("in_progress", &[]);
        self.event(
            "response.output_item.added",
            json!({"output_index": index, "item": begun}),
        );
        self.event(
            "response.content_part.added",
            json!({"item_id": output.message_id(), "output_index": index, "content_index": 0, "part": output.part("")}),
        );
    }

    fn message(&mut self, output: &Output<'_>) {
        let index = usize::from(output.has_reasoning());
        let item_id = output.message_id();
        let (delta, done, field) = if output.is_refusal() {
            ("response.refusal.delta", "response.refusal.done", "refusal")
        } else {
            (
                "response.output_text.delta",
                "response.output_text.done",
                "text",
            )
        };
        let at = |field: &str, text: &str| {
            let mut fields = json!({"item_id": item_id, "output_index": index, "content_index": 0});
            fields[field] = text.into();
            if !output.is_refusal() {
                fields["logprobs"] = json!([]);
            }
            fields
        };
        for piece in &output.reply.text {
            self.event(delta, at("delta", piece));
            self.events.step();
        }
        let text = output.reply.text.concat();
        self.event(done, at(field, &text));
        let part = output.part(&text);
        self.event(
            "response.content_part.done",
            json!({"item_id": item_id, "output_index": index, "content_index": 0, "part": part}),
        );
        let item = output.message(output.status(), &[part]);
        self.event(
            "response.output_item.done",
            json!({"output_index": index, "item": item}),
        );
    }

    fn calls(&mut self, output: &Output<'_>) {
        let steps = output.reply.call_steps(true);
        for (position, step) in steps.iter().enumerate() {
            self.call_step(step, output);
            let goes_on = |later: &CallStep| later.call == step.call;
            if !steps[position + 1..].iter().any(goes_on) {
                self.call_done(step.call, output);
            }
            if step.piece.is_some() {
                self.events.step();
            }
        }
    }

    fn call_step(&mut self, step: &CallStep, output: &Output<'_>) {
        let call = &output.reply.calls[step.call];
        let index = output.first_call() + step.call;
        if step.begins {
            let item = output.call(step.call, call, false);
            self.event(
                "response.output_item.added",
                json!({"output_index": index, "item": item}),
            );
        }
        // With `args=end` the arguments are only in the closing events.
        let told = output.reply.form.arguments != Arguments::End;
        if let Some(piece) = step.piece.as_ref().filter(|_| told) {
            let name = if call.custom {
                "response.custom_tool_call_input.delta"
            } else {
                "response.function_call_arguments.delta"
            };
            let item_id = output.call_item_id(step.call);
            self.event(
                name,
                json!({"item_id": item_id, "output_index": index, "delta": piece}),
            );
        }
    }

    fn call_done(&mut self, index: usize, output: &Output<'_>) {
        let call = &output.reply.calls[index];
        let output_index = output.first_call() + index;
        let item_id = output.call_item_id(index);
        let text = call.arguments();
        if call.custom {
            let fields = json!({"item_id": item_id, "output_index": output_index, "input": text});
            self.event("response.custom_tool_call_input.done", fields);
        } else {
            let fields = json!({
                "item_id": item_id, "output_index": output_index, "arguments": text, "name": call.name,
            });
            self.event("response.function_call_arguments.done", fields);
        }
        let item = output.call(index, call, true);
        self.event(
            "response.output_item.done",
            json!({"output_index": output_index, "item": item}),
        );
    }
}
