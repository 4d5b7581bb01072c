use bytes::Bytes;
use ferrogate_api::Tokens;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ai::conversation::{Conversation, Opaque, OpaqueKind, Tool, ToolKind};
use crate::ai::dialects::Dialect;
use crate::ai::streaming::sse::Splitter;
use crate::error::ErrorKind;

fn reader() -> EventReader {
    let mut conversation = Conversation::new(Dialect::Chat);
    conversation.tools.push(Tool {
        name: "patch".into(),
        description: None,
        kind: ToolKind::Custom { format: None },
    });
    EventReader::new(Arc::new(AnswerContext {
        request_id: "0-1".into(),
        created_unix: 0,
        model: "m".into(),
        response_id: String::new(),
        wants_usage_event: false,
        conversation: Arc::new(conversation),
    }))
}

fn read(reader: &mut EventReader, chunk: &Value) -> Vec<Event> {
    let mut out = Vec::new();
    let event = format!("data: {chunk}\r\n\r\n");
    reader.read(event.as_bytes(), &mut out).unwrap();
    out
}

fn parts(parts: Value) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "index": 0}]})
}

fn delta(delta: Delta) -> Event {
    Event::Delta { choice: 0, delta }
}

fn started() -> Event {
    Event::Started {
        id: None,
        model: None,
    }
}

fn state(data: &str, kind: OpaqueKind, item_id: Option<&str>) -> Opaque {
    Opaque {
        origin: Dialect::Gemini,
        kind,
        data: data.into(),
        item_id: item_id.map(Into::into),
    }
}

#[test]
fn text_comes_in_pieces_and_the_last_chunk_has_reason_and_usage() {
    let mut reader = reader();
    let first = json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "He"}]}, "index": 0}],
        "usageMetadata": {"promptTokenCount": 3}, "modelVersion": "gemini-x", "responseId": "abc"});
    let usage = |output| {
        Event::Usage(Tokens {
            input: 3,
            output,
            ..Tokens::default()
        })
    };
    assert_eq!(
        read(&mut reader, &first),
        [
            Event::Started {
                id: Some("abc".into()),
                model: Some("gemini-x".into())
            },
            delta(Delta::Text("He".into())),
            usage(0),
        ]
    );
    assert_eq!(
        read(&mut reader, &parts(json!([{"text": "y"}]))),
        [delta(Delta::Text("y".into()))]
    );
    assert!(!reader.may_end_here());
    let last = json!({"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "MAX_TOKENS", "index": 0}],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2}});
    assert_eq!(
        read(&mut reader, &last),
        [
            usage(2),
            Event::Finished {
                choice: 0,
                finish: Finish::Length
            }
        ]
    );
    assert!(reader.may_end_here());
    // A reason that is repeated is told once.
    assert_eq!(read(&mut reader, &last), [usage(2)]);
}

#[test]
fn calls_are_whole_and_numbered() {
    let mut reader = reader();
    let call = |index, id: &str, name: &str, custom| {
        delta(Delta::ToolCall {
            index,
            id: id.into(),
            name: name.into(),
            custom,
        })
    };
    let arguments = |index, text: &str| {
        delta(Delta::Arguments {
            index,
            text: text.into(),
        })
    };
    let first = parts(json!([
        {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "AA=="},
        {"functionCall": {"id": "own", "name": "f"}}]));
    assert_eq!(
        read(&mut reader, &first),
        [
            started(),
            call(0, "call_01_0", "f", false),
            delta(Delta::ToolCallState {
                index: 0,
                state: state("AA==", OpaqueKind::Signature, Some("call_01_0"))
            }),
            arguments(0, r#"{"a":1}"#),
            call(1, "own", "f", false),
            arguments(1, "{}"),
        ]
    );
    let second = json!({"candidates": [
        {"content": {"parts": [{"functionCall": {"name": "patch", "args": {"input": "x"}}}]}, "finishReason": "STOP"},
        {"content": {"parts": [{"functionCall": {"name": "f"}}]}, "index": 1}]});
    assert_eq!(
        read(&mut reader, &second),
        [
            call(2, "call_01_2", "patch", true),
            arguments(2, "x"),
            Event::Delta {
                choice: 1,
                delta: Delta::ToolCall {
                    index: 0,
                    id: "call_01_3".into(),
                    name: "f".into(),
                    custom: false
                }
            },
            Event::Delta {
                choice: 1,
                delta: Delta::Arguments {
                    index: 0,
                    text: "{}".into()
                }
            },
            Event::Finished {
                choice: 0,
                finish: Finish::ToolCalls
            },
        ]
    );
    // The other candidate has not stopped.
    assert!(!reader.may_end_here());
}

#[test]
fn thoughts_and_signatures_are_pieces_of_their_own() {
    let mut reader = reader();
    let chunk = parts(json!([
        {"text": "hm", "thought": true}, {"text": "hi", "thoughtSignature": "AA=="}, {"text": "", "thoughtSignature": "BB=="}]));
    assert_eq!(
        read(&mut reader, &chunk),
        [
            started(),
            delta(Delta::Reasoning {
                text: "hm".into(),
                summary: true
            }),
            delta(Delta::Text("hi".into())),
            delta(Delta::ReasoningState(state(
                "AA==",
                OpaqueKind::Signature,
                None
            ))),
            delta(Delta::ReasoningState(state(
                "BB==",
                OpaqueKind::Encrypted,
                None
            ))),
        ]
    );
}

#[test]
fn a_refused_prompt_ends_filtered() {
    let mut reader = reader();
    let chunk = json!({"promptFeedback": {"blockReason": "SAFETY"}});
    let end = Event::Finished {
        choice: 0,
        finish: Finish::ContentFilter,
    };
    assert_eq!(read(&mut reader, &chunk), [started(), end]);
    assert!(reader.may_end_here());
    assert_eq!(read(&mut reader, &chunk), []);
}

#[test]
fn an_error_is_a_failure_and_a_broken_chunk_a_protocol_error() {
    let mut reader = reader();
    let events = read(
        &mut reader,
        &json!({"error": {"code": 500, "message": "boom"}}),
    );
    assert!(
        matches!(&*events, [Event::Failed(error)] if error.message == "boom" && error.status() == 500)
    );
    let mut out = Vec::new();
    let error = reader.read(b"data: {\"candi\n\n", &mut out).unwrap_err();
    assert_eq!(error.kind, ErrorKind::ProviderProtocolError);
    assert!(reader.read(b": ping\n\n", &mut out).is_ok());
    assert!(out.is_empty());
}

fn events_of(chunks: &[&[u8]]) -> Vec<Event> {
    let mut reader = reader();
    let mut splitter = Splitter::default();
    let mut out = Vec::new();
    for chunk in chunks {
        splitter.push(Bytes::copy_from_slice(chunk));
        while let Some(event) = splitter.next_event() {
            reader.read(&event, &mut out).unwrap();
        }
    }
    out
}

proptest! {
    #[test]
    fn the_same_events_come_however_the_bytes_are_cut(cuts in proptest::collection::vec(0usize..1000, 0..8)) {
        let stream = [
            parts(json!([{"text": "grüße 🦀 \"x\"", "thought": true}])),
            parts(json!([{"functionCall": {"name": "f", "args": {"k\n": [1.5, "ü"]}}, "thoughtSignature": "AA=="}])),
            json!({"candidates": [{"finishReason": "STOP", "index": 0}], "usageMetadata": {"promptTokenCount": 1}}),
        ];
        let text: String = stream.iter().map(|chunk| format!("data: {chunk}\r\n\r\n")).collect();
        let bytes = text.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let events = events_of(&chunks);
        prop_assert_eq!(events.len(), 7);
        prop_assert_eq!(events, events_of(&[bytes]));
    }
}
