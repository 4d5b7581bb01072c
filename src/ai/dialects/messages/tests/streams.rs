//! Streams there and back, and what their tests share.

use bytes::Bytes;
use ferrogate_api::Tokens;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ai::conversation::{Delta, Event, Finish};
use crate::ai::dialects::messages::{EventReader, EventWriter, read_request};
use crate::ai::streaming::sse::{self, Splitter};

pub(super) fn event(json: &Value) -> Vec<u8> {
    let name = json["type"].as_str().unwrap();
    format!("event: {name}\ndata: {json}\n\n").into_bytes()
}

pub(super) fn read_as(asked: Conversation, events: &[Value]) -> Vec<Event> {
    let mut reader = EventReader::new(context(asked));
    let mut out = Vec::new();
    for json in events {
        reader.read(&event(json), &mut out).unwrap();
        assert!(!reader.may_end_here());
    }
    out
}

pub(super) fn read(events: &[Value]) -> Vec<Event> {
    read_as(conversation(Dialect::Chat), events)
}

pub(super) fn said(delta: Delta) -> Event {
    Event::Delta { choice: 0, delta }
}

pub(super) fn text(text: &str) -> Event {
    said(Delta::Text(text.into()))
}

pub(super) fn thought(text: &str) -> Event {
    said(Delta::Reasoning {
        text: text.into(),
        summary: true,
    })
}

pub(super) fn state(origin: Dialect, kind: OpaqueKind, data: &str) -> Event {
    said(Delta::ReasoningState(opaque(origin, kind, data)))
}

pub(super) fn begins(index: u32, id: &str, name: &str) -> Event {
    said(Delta::ToolCall {
        index,
        id: id.into(),
        name: name.into(),
        custom: false,
    })
}

pub(super) fn arguments(index: u32, text: &str) -> Event {
    said(Delta::Arguments {
        index,
        text: text.into(),
    })
}

pub(super) fn finished(finish: Finish) -> Event {
    Event::Finished { choice: 0, finish }
}

pub(super) fn start(index: u32, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

pub(super) fn piece(index: u32, kind: &str, field: &str, value: &str) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": {"type": kind, field: value}})
}

pub(super) fn stop(index: u32) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

pub(super) fn tool_use(id: &str, name: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": name, "input": {}})
}

pub(super) fn input(index: u32, json: &str) -> Value {
    piece(index, "input_json_delta", "partial_json", json)
}

/// What a client is sent for `events` and the closing: the data of each event, whose name must be its type.
pub(super) fn written(events: &[Event]) -> Vec<Value> {
    let mut writer = EventWriter::new(context(conversation(Dialect::Messages)));
    let mut out = Vec::new();
    for event in events {
        writer.write(event, &mut out);
    }
    out.extend_from_slice(&writer.close());
    assert!(writer.close().is_empty());
    split(&out)
}

pub(super) fn split(bytes: &[u8]) -> Vec<Value> {
    let mut splitter = Splitter::default();
    splitter.push(Bytes::copy_from_slice(bytes));
    let mut found = Vec::new();
    while let Some(event) = splitter.next_event() {
        let data: Value = json(&sse::data(&event));
        let name = format!("event: {}\n", data["type"].as_str().unwrap());
        assert!(event.starts_with(name.as_bytes()), "{data}");
        found.push(data);
    }
    assert_eq!(splitter.pending(), 0);
    found
}

/// The events between `message_start` and `message_delta`.
pub(super) fn blocks(events: &[Event]) -> Vec<Value> {
    let all = written(events);
    assert_eq!(
        all.first().map(|it| &it["type"]),
        Some(&json!("message_start"))
    );
    let end = all
        .iter()
        .position(|it| it["type"] == "message_delta")
        .unwrap();
    assert_eq!(all.len(), end + 2);
    all[1..end].to_vec()
}

/// The assistant message that a client makes of a stream, as SDKs do.
fn accumulated(events: &[Value]) -> Value {
    let mut blocks: Vec<Value> = Vec::new();
    let mut inputs: Vec<String> = Vec::new();
    for event in events {
        let at = usize::try_from(event["index"].as_u64().unwrap_or_default()).unwrap();
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                assert_eq!(at, blocks.len());
                blocks.push(event["content_block"].clone());
                inputs.push(String::new());
            }
            "content_block_delta" => {
                let delta = &event["delta"];
                for field in ["text", "thinking"] {
                    if let Some(more) = delta[field].as_str() {
                        let so_far = blocks[at][field].as_str().unwrap();
                        blocks[at][field] = json!(format!("{so_far}{more}"));
                    }
                }
                if let Some(signature) = delta["signature"].as_str() {
                    blocks[at]["signature"] = json!(signature);
                }
                inputs[at].push_str(delta["partial_json"].as_str().unwrap_or_default());
            }
            "content_block_stop" if !inputs[at].is_empty() => {
                blocks[at]["input"] = serde_json::from_str(&inputs[at]).unwrap();
            }
            _ => {}
        }
    }
    json!({"role": "assistant", "content": blocks})
}

#[test]
fn foreign_state_comes_back_with_the_thought_or_call_it_belongs_to() {
    let foreign = opaque(Dialect::Gemini, OpaqueKind::Signature, "c2ln");
    let of_call = |index| {
        said(Delta::ToolCallState {
            index,
            state: foreign.clone(),
        })
    };
    let events = written(&[
        said(Delta::Reasoning {
            text: "hm".into(),
            summary: false,
        }),
        state(Dialect::Responses, OpaqueKind::Encrypted, "gAAA"),
        state(Dialect::Responses, OpaqueKind::Encrypted, "gBBB"),
        begins(0, "t0", "f"),
        of_call(0),
        arguments(0, "{\"a\":1}"),
        begins(1, "t1", "g"),
        arguments(1, "{}"),
        of_call(1),
    ]);
    let body = json!({"messages": [accumulated(&events)]});
    let back = read_request(body.to_string().as_bytes()).unwrap();
    let reasoning = |text: &str, data: &str| {
        Part::Reasoning(crate::ai::conversation::Reasoning {
            text: text.into(),
            summary: false,
            state: Some(opaque(Dialect::Responses, OpaqueKind::Encrypted, data)),
        })
    };
    let stated = |id: &str, name: &str, arguments: &str| {
        let mut call = call(id, name, arguments);
        call.state = Some(Opaque {
            item_id: Some(id.into()),
            ..foreign.clone()
        });
        Part::ToolCall(call)
    };
    assert_eq!(
        back.messages,
        [assistant(vec![
            reasoning("hm", "gAAA"),
            reasoning("", "gBBB"),
            stated("t0", "f", "{\"a\":1}"),
            stated("t1", "g", "{}"),
        ])]
    );
}

/// One delta of any kind; calls are numbered by how many there are before.
fn some_delta() -> impl Strategy<Value = (u8, String)> {
    (0u8..6, "[ -~äß\"\\\\]{0,6}")
}

proptest! {
    /// What is written is read back as what was said, whatever comes after what.
    #[test]
    fn a_written_stream_reads_back_as_it_was(pieces in proptest::collection::vec(some_delta(), 0..24)) {
        let mut events = vec![Event::Started { id: Some("msg_1".into()), model: Some("m".into()) }];
        let mut calls = 0;
        let mut thinking = false;
        for (kind, word) in pieces {
            let deltas = match kind {
                0 if !word.is_empty() => vec![text(&word)],
                1 if !word.is_empty() => {
                    thinking = true;
                    events.push(thought(&word));
                    continue;
                }
                2 if thinking => vec![state(Dialect::Messages, OpaqueKind::Signature, "RXE=")],
                3 => vec![state(Dialect::Messages, OpaqueKind::Encrypted, "ZW5j")],
                4 => {
                    let json = json!({ "a": word }).to_string();
                    let (head, tail) = json.split_at(4);
                    let index = calls;
                    calls += 1;
                    vec![begins(index, &format!("t{index}"), "f"), arguments(index, head), arguments(index, tail)]
                }
                _ => continue,
            };
            thinking = false;
            events.extend(deltas);
        }
        events.push(Event::Usage(Tokens { input: 9, output: 5, cache_read: 2, cache_write: 1, reasoning: 0 }));
        events.push(finished(if calls > 0 { Finish::ToolCalls } else { Finish::Stop }));
        events.push(Event::Ended);
        let wire = written(&events);
        let mut back = read(&wire);
        // The usage known at the start, which is none.
        prop_assert!(matches!(back.remove(1), Event::Usage(tokens) if tokens == Tokens::default()));
        prop_assert_eq!(back, events);
    }

    #[test]
    fn no_event_of_a_providers_is_too_odd(data in "\\PC{0,60}", kind in 0u8..5) {
        let name = ["message_start", "content_block_start", "content_block_delta", "message_delta", "error"][usize::from(kind)];
        let mut reader = EventReader::new(context(conversation(Dialect::Chat)));
        let mut out = Vec::new();
        let event = format!("data: {{\"type\":\"{name}\",{data}}}\n\n");
        // An error is fine; a panic is not.
        let _ignored = reader.read(event.as_bytes(), &mut out).is_ok();
    }
}
