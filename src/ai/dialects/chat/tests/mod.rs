//! Both directions against each other, and against what other servers and clients make of this API.

mod answers;
mod any_json;
mod odd_servers;
mod read_requests;
mod streams;
mod write_requests;

use std::sync::Arc;

use serde_json::{Value, json};

use super::{EventReader, EventWriter, read_request, write_request};
use crate::ai::conversation::{
    Conversation, Delta, Event, Message, Opaque, OpaqueKind, Part, Reasoning, Tool, ToolKind,
};
use crate::ai::dialects::{AnswerContext, Dialect, Quirks, Target};
use crate::error::RequestError;

/// OpenAI's own API.
const OPENAI: Quirks = Quirks {
    max_completion_tokens: true,
    developer_role: true,
    custom_tools: true,
};

/// A server that knows what all know.
const COMPATIBLE: Quirks = Quirks {
    max_completion_tokens: false,
    developer_role: false,
    custom_tools: false,
};

fn target(quirks: Quirks) -> Target<'static> {
    Target {
        model: "m-1",
        stream: false,
        quirks,
        default_max_output_tokens: 4096,
    }
}

fn read(body: &Value) -> Conversation {
    read_request(body.to_string().as_bytes()).unwrap()
}

fn refusal(body: &Value) -> RequestError {
    read_request(body.to_string().as_bytes()).unwrap_err()
}

/// The body that is written, and the names of what is not in it.
fn written(conversation: &Conversation, quirks: Quirks) -> (Value, Vec<String>) {
    let written = write_request(conversation, &target(quirks)).unwrap();
    let dropped = written.dropped.iter().map(ToString::to_string).collect();
    (serde_json::from_slice(&written.body).unwrap(), dropped)
}

fn conversation(dialect: Dialect, messages: Vec<Message>) -> Conversation {
    Conversation {
        messages,
        ..Conversation::new(dialect)
    }
}

/// A request in which `patch` is a custom tool.
fn with_custom_tool() -> Conversation {
    let mut conversation = Conversation::new(Dialect::Responses);
    conversation.tools.push(Tool {
        name: "patch".into(),
        description: None,
        kind: ToolKind::Custom { format: None },
    });
    conversation
}

fn context_of(conversation: Conversation) -> AnswerContext {
    AnswerContext {
        request_id: "0197a0b1-0000-7000-8000-000000000001".into(),
        created_unix: 1_700_000_000,
        model: "m-1".into(),
        response_id: "resp_1".into(),
        wants_usage_event: true,
        conversation: Arc::new(conversation),
    }
}

fn context() -> AnswerContext {
    context_of(Conversation::new(Dialect::Messages))
}

/// Reasoning as a compatible server said it.
fn thought(text: &str) -> Part {
    Part::Reasoning(Reasoning {
        text: text.into(),
        summary: false,
        state: Some(plain()),
    })
}

fn plain() -> Opaque {
    Opaque {
        origin: Dialect::Chat,
        kind: OpaqueKind::Text,
        data: String::new(),
        item_id: None,
    }
}

/// Everything that a stream of these data says, the reader's closing word included.
fn events(context: AnswerContext, data: &[Value]) -> Vec<Event> {
    let mut reader = EventReader::new(Arc::new(context));
    let mut out = Vec::new();
    for data in data {
        reader
            .read(format!("data: {data}\n\n").as_bytes(), &mut out)
            .unwrap();
    }
    out
}

/// A chunk of one choice.
fn chunk(delta: Value, finish_reason: Option<&str>) -> Value {
    json!({
        "id": "c1",
        "model": "served",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    })
}

/// The deltas among the events of a stream.
fn deltas(events: &[Event]) -> Vec<Delta> {
    let deltas = events.iter().filter_map(|event| match event {
        Event::Delta { delta, .. } => Some(delta.clone()),
        _ => None,
    });
    deltas.collect()
}

/// What a client is sent for these events and the end after them.
fn stream_of(context: AnswerContext, events: &[Event]) -> String {
    let mut writer = EventWriter::new(Arc::new(context));
    let mut out = Vec::new();
    for event in events {
        writer.write(event, &mut out);
    }
    out.extend_from_slice(&writer.close());
    assert!(writer.close().is_empty(), "a stream is closed once");
    String::from_utf8(out).unwrap()
}
