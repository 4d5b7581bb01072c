//! The events of a messages stream.

use serde_json::{Map, Value, json};

use super::answer::{Answer, usage_field};
use crate::simulator::{dialects::events::Events, stats::Usage};

/// Everything from `message_start` to `message_stop`.
pub(super) fn write(answer: Answer<'_>) -> Events {
    let mut stream = Stream {
        events: Events::default(),
        index: 0,
    };
    let mut message = answer.message(&[]);
    if let Some(usage) = answer.reply.usage {
        // What is still to be written is not known yet.
        message["usage"] = usage_field(Usage {
            output: 1,
            reasoning: 0,
            ..usage
        });
    }
    stream.event("message_start", json!({"message": message}));
    stream.event("ping", json!({}));
    stream.events.step();
    stream.thought(answer);
    stream.text(answer);
    stream.calls(answer);
    stream.end(answer);
    stream.events
}

struct Stream {
    events: Events,
    /// Of the block that is being written.
    index: usize,
}

impl Stream {
    fn event(&mut self, name: &str, mut fields: Value) {
        fields["type"] = name.into();
        self.events.named(name, &fields);
    }

    fn start(&mut self, block: Value) {
        let index = self.index;
        self.event(
            "content_block_start",
            json!({"index": index, "content_block": block}),
        );
    }

    fn delta(&mut self, kind: &str, field: &str, text: &str) {
        let mut delta = json!({"type": kind});
        delta[field] = text.into();
        let index = self.index;
        self.event(
            "content_block_delta",
            json!({"index": index, "delta": delta}),
        );
    }

    fn stop(&mut self) {
        let index = self.index;
        self.event("content_block_stop", json!({"index": index}));
        self.index += 1;
    }

    fn thought(&mut self, answer: Answer<'_>) {
        if answer.has_redacted() {
            self.start(answer.redacted());
            self.stop();
        }
        if answer.has_thinking() {
            self.start(answer.thinking("", ""));
            for piece in answer.shown_thought() {
                self.delta("thinking_delta", "thinking", piece);
                self.events.step();
            }
            self.delta("signature_delta", "signature", &answer.signature());
            self.stop();
        }
    }

    fn text(&mut self, answer: Answer<'_>) {
        if answer.reply.text.is_empty() {
            return;
        }
        self.start(json!({"type": "text", "text": ""}));
        for piece in &answer.reply.text {
            self.delta("text_delta", "text", piece);
            self.events.step();
        }
        self.stop();
    }

    fn calls(&mut self, answer: Answer<'_>) {
        let mut is_open = false;
        for step in answer.reply.call_steps(false) {
            if step.begins {
                if is_open {
                    self.stop();
                }
                is_open = true;
                let call = &answer.reply.calls[step.call];
                self.start(answer.tool_use(step.call, call, Map::new()));
                self.delta("input_json_delta", "partial_json", "");
            }
            if let Some(piece) = &step.piece {
                self.delta("input_json_delta", "partial_json", piece);
                self.events.step();
            }
        }
        if is_open {
            self.stop();
        }
    }

    fn end(&mut self, answer: Answer<'_>) {
        let (reason, sequence) = answer.stop();
        let mut delta = json!({"stop_reason": reason, "stop_sequence": sequence});
        if let Some(details) = answer.stop_details() {
            delta["stop_details"] = details;
        }
        let mut fields = json!({"delta": delta});
        if let Some(usage) = answer.reply.usage {
            let mut told = usage_field(usage);
            // The closing event does not repeat these.
            if let Value::Object(told) = &mut told {
                told.remove("cache_creation");
                told.remove("service_tier");
            }
            fields["usage"] = told;
        }
        self.event("message_delta", fields);
        self.event("message_stop", json!({}));
        self.events.step();
    }
}
