//! `POST /v1/responses`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{CREATED_UNIX, Content, Events, Identity, Written, json_bytes};
use crate::simulator::{
    reply::{Reply, Said, Tool, ToolCall, Turn, tokens_of},
    stats::Usage,
};

/// What an item of the input costs beyond its text.
const TOKENS_PER_ITEM: u64 = 3;

#[derive(Debug, Deserialize)]
pub struct Request {
    pub model: String,
    input: Input,
    instructions: Option<String>,
    max_output_tokens: Option<u64>,
    #[serde(default)]
    pub stream: bool,
    #[serde(default)]
    tools: Vec<Value>,
    #[serde(default)]
    metadata: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Input {
    Text(String),
    Items(Vec<Item>),
}

#[derive(Debug, Deserialize)]
struct Item {
    #[serde(default)]
    r#type: String,
    #[serde(default)]
    role: String,
    content: Option<Content>,
}

impl Item {
    fn cost(&self) -> u64 {
        TOKENS_PER_ITEM + tokens_of(self.content.as_ref().map_or(0, Content::len_bytes))
    }
}

impl Request {
    pub(super) fn prompt(&self) -> &str {
        match &self.input {
            Input::Text(text) => text,
            Input::Items(items) => items
                .iter()
                .rev()
                .find(|item| item.role == "user")
                .and_then(|item| item.content.as_ref())
                .map_or("", Content::text),
        }
    }

    /// What the model is asked, once the directive is taken out of the prompt.
    pub fn turn(&self, prompt: &str) -> Turn {
        let input_tokens = match &self.input {
            Input::Text(text) => TOKENS_PER_ITEM + tokens_of(text.len()),
            Input::Items(items) => items.iter().map(Item::cost).sum(),
        };
        let instructions = self.instructions.as_ref().map_or(0, String::len);
        let after_tools = match &self.input {
            Input::Text(_) => false,
            Input::Items(items) => items
                .last()
                .is_some_and(|last| last.r#type == "function_call_output"),
        };
        Turn {
            prompt: prompt.to_owned(),
            input_tokens: input_tokens + tokens_of(instructions),
            output_tokens_max: self.max_output_tokens,
            tools: self.tools.iter().filter_map(tool).collect(),
            after_tools,
        }
    }

    pub(super) fn whole(&self, reply: &Reply, identity: Identity<'_>) -> Written {
        let output = items(&reply.said, identity);
        let response = self.response(identity, &Progress::ended(reply, output));
        Written::Whole(json_bytes(&response), reply.usage)
    }

    pub(super) fn stream(&self, reply: &Reply, identity: Identity<'_>) -> Written {
        let mut stream = Stream::default();
        let begun = json!({"response": self.response(identity, &Progress::begun())});
        stream.event("response.created", begun.clone());
        stream.event("response.in_progress", begun);
        match &reply.said {
            Said::Text { pieces, .. } => stream.text(pieces, status(&reply.said), identity),
            Said::Calls(calls) => stream.calls(calls, identity),
        }
        let output = items(&reply.said, identity);
        let progress = Progress::ended(reply, output);
        let last = match progress.status {
            "completed" => "response.completed",
            _ => "response.incomplete",
        };
        stream.event(
            last,
            json!({"response": self.response(identity, &progress)}),
        );
        stream.events.step();
        Written::Stream(stream.events, reply.usage)
    }

    fn response(&self, identity: Identity<'_>, progress: &Progress) -> Value {
        json!({
            "id": format!("resp_{:016x}", identity.id),
            "object": "response",
            "created_at": CREATED_UNIX,
            "status": progress.status,
            "background": false,
            "error": null,
            "incomplete_details": match progress.status {
                "incomplete" => json!({"reason": "max_output_tokens"}),
                _ => Value::Null,
            },
            "instructions": self.instructions,
            "max_output_tokens": self.max_output_tokens,
            "max_tool_calls": null,
            "metadata": self.metadata.clone().unwrap_or_default(),
            "model": identity.model,
            "output": progress.output,
            "parallel_tool_calls": true,
            "previous_response_id": null,
            "reasoning": {"effort": null, "summary": null},
            "service_tier": "default",
            "store": false,
            "temperature": 1.0,
            "text": {"format": {"type": "text"}, "verbosity": "medium"},
            "tool_choice": "auto",
            "tools": self.tools,
            "top_logprobs": 0,
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": progress.usage.map(usage_field),
            "user": null,
        })
    }
}

fn tool(field: &Value) -> Option<Tool> {
    Some(Tool {
        name: field.get("name")?.as_str()?.to_owned(),
        parameters: field.get("parameters").cloned().unwrap_or_default(),
    })
}

/// How far a response has come.
struct Progress {
    status: &'static str,
    output: Vec<Value>,
    usage: Option<Usage>,
}

impl Progress {
    fn begun() -> Self {
        Self {
            status: "in_progress",
            output: Vec::new(),
            usage: None,
        }
    }

    fn ended(reply: &Reply, output: Vec<Value>) -> Self {
        Self {
            status: status(&reply.said),
            output,
            usage: reply.usage,
        }
    }
}

fn status(said: &Said) -> &'static str {
    match said {
        Said::Text {
            cut_short: true, ..
        } => "incomplete",
        Said::Text { .. } | Said::Calls(_) => "completed",
    }
}

fn usage_field(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.input,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.output,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    })
}

/// The finished output items.
fn items(said: &Said, identity: Identity<'_>) -> Vec<Value> {
    match said {
        Said::Text { pieces, .. } => vec![message(
            identity,
            status(said),
            &[text_part(&pieces.concat())],
        )],
        Said::Calls(calls) => (0..)
            .zip(calls)
            .map(|(index, call)| function_call(identity, index, call, "completed"))
            .collect(),
    }
}

fn message_id(identity: Identity<'_>) -> String {
    format!("msg_{:016x}", identity.id)
}

fn call_item_id(identity: Identity<'_>, index: u64) -> String {
    format!("fc_{:016x}", identity.id.wrapping_add(index))
}

fn message(identity: Identity<'_>, status: &str, content: &[Value]) -> Value {
    json!({
        "id": message_id(identity), "type": "message", "status": status, "content": content, "role": "assistant",
    })
}

fn text_part(text: &str) -> Value {
    json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text})
}

/// A call as an output item; while it is in progress, its arguments are still to come.
fn function_call(identity: Identity<'_>, index: u64, call: &ToolCall, status: &str) -> Value {
    let arguments = match status {
        "completed" => call.pieces.concat(),
        _ => String::new(),
    };
    json!({
        "id": call_item_id(identity, index),
        "type": "function_call",
        "status": status,
        "arguments": arguments,
        "call_id": format!("call_{:016x}", identity.id.wrapping_add(index)),
        "name": call.name,
    })
}

/// A stream while it is written.
#[derive(Default)]
struct Stream {
    events: Events,
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
    fn event(&mut self, name: &str, fields: Value) {
        let event = Event {
            r#type: name,
            sequence_number: self.sequence_number,
            fields,
        };
        self.events.named(name, &event);
        self.sequence_number += 1;
    }

    fn text(&mut self, pieces: &[String], status: &str, identity: Identity<'_>) {
        let item_id = message_id(identity);
        let begun = message(identity, "in_progress", &[]);
        self.event(
            "response.output_item.added",
            json!({"output_index": 0, "item": begun}),
        );
        self.event(
            "response.content_part.added",
            json!({"item_id": item_id, "output_index": 0, "content_index": 0, "part": text_part("")}),
        );
        self.events.step();
        for piece in pieces {
            let delta = json!({
                "item_id": item_id, "output_index": 0, "content_index": 0, "delta": piece, "logprobs": [],
            });
            self.event("response.output_text.delta", delta);
            self.events.step();
        }
        let text = pieces.concat();
        self.event(
            "response.output_text.done",
            json!({"item_id": item_id, "output_index": 0, "content_index": 0, "text": text, "logprobs": []}),
        );
        self.event(
            "response.content_part.done",
            json!({"item_id": item_id, "output_index": 0, "content_index": 0, "part": text_part(&text)}),
        );
        let done = message(identity, status, &[text_part(&text)]);
        self.event(
            "response.output_item.done",
            json!({"output_index": 0, "item": done}),
        );
    }

    fn calls(&mut self, calls: &[ToolCall], identity: Identity<'_>) {
        self.events.step();
        for (index, call) in (0..).zip(calls) {
            let item_id = call_item_id(identity, index);
            let begun = function_call(identity, index, call, "in_progress");
            self.event(
                "response.output_item.added",
                json!({"output_index": index, "item": begun}),
            );
            for piece in &call.pieces {
                self.event(
                    "response.function_call_arguments.delta",
                    json!({"item_id": item_id, "output_index": index, "delta": piece}),
                );
                self.events.step();
            }
            let arguments = call.pieces.concat();
            let done = function_call(identity, index, call, "completed");
            self.event(
                "response.function_call_arguments.done",
                json!({"item_id": item_id, "output_index": index, "arguments": arguments, "name": call.name}),
            );
            self.event(
                "response.output_item.done",
                json!({"output_index": index, "item": done}),
            );
        }
    }
}
