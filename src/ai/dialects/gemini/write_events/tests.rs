use serde_json::{Value, json};

use super::*;
use crate::ai::conversation::{Conversation, OpaqueKind};
use crate::ai::dialects::Dialect;
use crate::error::ErrorKind;

fn writer() -> EventWriter {
    EventWriter::new(Arc::new(AnswerContext {
        request_id: "a-b".into(),
        created_unix: 0,
        model: "asked".into(),
        response_id: String::new(),
        wants_usage_event: false,
        conversation: Arc::new(Conversation::new(Dialect::Gemini)),
    }))
}

fn chunks(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    let events = text.split_terminator("\n\n");
    events
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
        .collect()
}

fn write(writer: &mut EventWriter, delta: Delta) -> Vec<Value> {
    write_event(writer, &Event::Delta { choice: 0, delta })
}

fn write_event(writer: &mut EventWriter, event: &Event) -> Vec<Value> {
    let mut out = Vec::new();
    writer.write(event, &mut out);
    chunks(&out)
}

/// The parts of the only candidate of the only chunk.
fn parts(chunks: &[Value]) -> Value {
    let [chunk] = chunks else {
        panic!("{chunks:?}")
    };
    chunk["candidates"][0]["content"]["parts"].clone()
}

fn call(index: u32, name: &str) -> Delta {
    Delta::ToolCall {
        index,
        id: format!("id_{index}"),
        name: name.into(),
        custom: false,
    }
}

fn arguments(index: u32, text: &str) -> Delta {
    Delta::Arguments {
        index,
        text: text.into(),
    }
}

fn called(index: u32, args: Value) -> Value {
    json!({"functionCall": {"id": format!("id_{index}"), "name": "f", "args": args}})
}

fn finished(finish: Finish) -> Event {
    Event::Finished { choice: 0, finish }
}

#[test]
fn text_goes_out_at_once_and_the_last_chunk_has_reason_and_usage() {
    let mut writer = writer();
    let started = Event::Started {
        id: Some("x".into()),
        model: Some("gpt".into()),
    };
    assert!(write_event(&mut writer, &started).is_empty());
    assert_eq!(
        write(&mut writer, Delta::Text("hi".into())),
        [
            json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]}, "index": 0}],
            "modelVersion": "gpt", "responseId": "x"})
        ]
    );
    assert!(write(&mut writer, Delta::Text(String::new())).is_empty());
    assert_eq!(
        parts(&write(&mut writer, Delta::Refusal("no".into()))),
        json!([{"text": "no"}])
    );
    let usage = Event::Usage(Tokens {
        input: 3,
        output: 2,
        ..Tokens::default()
    });
    assert!(write_event(&mut writer, &finished(Finish::Length)).is_empty());
    assert!(write_event(&mut writer, &usage).is_empty());
    assert_eq!(
        chunks(&writer.close()),
        [
            json!({"candidates": [{"content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": "MAX_TOKENS", "index": 0}],
            "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5},
            "modelVersion": "gpt", "responseId": "x"})
        ]
    );
}

#[test]
fn a_stream_that_says_nothing_still_closes() {
    let last = chunks(&writer().close());
    assert_eq!(last[0]["candidates"][0]["finishReason"], "STOP");
    assert_eq!(last[0]["modelVersion"], "asked");
    assert_eq!(last[0]["responseId"], "ab");
}

#[test]
fn a_call_goes_out_whole_when_the_next_thing_begins() {
    let mut writer = writer();
    assert!(write(&mut writer, call(0, "f")).is_empty());
    assert!(write(&mut writer, arguments(0, "{\"a\":")).is_empty());
    assert!(write(&mut writer, arguments(0, "1}")).is_empty());
    assert_eq!(
        parts(&write(&mut writer, call(1, "f"))),
        json!([called(0, json!({"a": 1}))])
    );
    assert!(write(&mut writer, arguments(1, "{\"b\":2}")).is_empty());
    let both = write(&mut writer, Delta::Text("x".into()));
    assert_eq!(
        both[0]["candidates"][0]["content"]["parts"],
        json!([called(1, json!({"b": 2}))])
    );
    assert_eq!(
        both[1]["candidates"][0]["content"]["parts"],
        json!([{"text": "x"}])
    );
    assert!(write_event(&mut writer, &finished(Finish::ToolCalls)).is_empty());
    assert_eq!(
        chunks(&writer.close())[0]["candidates"][0]["finishReason"],
        "STOP"
    );
}

#[test]
fn calls_that_come_interleaved_keep_their_order() {
    let mut writer = writer();
    write(&mut writer, call(0, "f"));
    write(&mut writer, call(1, "f"));
    write(&mut writer, arguments(1, "{\"b\":2}"));
    write(&mut writer, arguments(0, "{\"a\""));
    assert!(write(&mut writer, call(2, "f")).is_empty());
    write(&mut writer, arguments(0, ":1}"));
    assert_eq!(
        parts(&write_event(&mut writer, &finished(Finish::ToolCalls))),
        json!([
            called(0, json!({"a": 1})),
            called(1, json!({"b": 2})),
            called(2, json!({}))
        ])
    );
    assert_eq!(chunks(&writer.close()).len(), 1);
}

#[test]
fn a_call_to_a_tool_of_free_text_waits_for_its_end() {
    let mut writer = writer();
    let custom = Delta::ToolCall {
        index: 0,
        id: "id_0".into(),
        name: "f".into(),
        custom: true,
    };
    write(&mut writer, custom);
    write(&mut writer, arguments(0, "{}"));
    assert!(write(&mut writer, call(1, "f")).is_empty());
    write(&mut writer, arguments(0, " and more"));
    assert_eq!(
        parts(&write_event(&mut writer, &finished(Finish::ToolCalls))),
        json!([
            called(0, json!({"input": "{} and more"})),
            called(1, json!({}))
        ])
    );
}

#[test]
fn a_call_that_was_cut_off_is_left_out_and_one_without_a_finish_is_not() {
    for (finish, reason) in [
        (Finish::Length, "MAX_TOKENS"),
        (Finish::ToolCalls, "MALFORMED_FUNCTION_CALL"),
    ] {
        let mut writer = writer();
        write(&mut writer, call(0, "f"));
        write(&mut writer, arguments(0, "{\"a\":"));
        assert!(write_event(&mut writer, &finished(finish)).is_empty());
        let last = chunks(&writer.close());
        assert_eq!(last[0]["candidates"][0]["finishReason"], reason);
    }
    let mut writer = writer();
    write(&mut writer, call(0, "f"));
    let last = chunks(&writer.close());
    assert_eq!(
        last[0]["candidates"][0]["content"]["parts"],
        json!([called(0, json!({}))])
    );
    assert_eq!(last[1]["candidates"][0]["finishReason"], "STOP");
}

#[test]
fn a_thought_is_shown_as_it_comes_and_sealed_at_its_end() {
    let mut writer = writer();
    let thought = |text: &str| Delta::Reasoning {
        text: text.into(),
        summary: false,
    };
    let state = |origin| Opaque {
        origin,
        kind: OpaqueKind::Signature,
        data: "sig".into(),
        item_id: None,
    };
    assert_eq!(
        parts(&write(&mut writer, thought("let "))),
        json!([{"text": "let ", "thought": true}])
    );
    write(&mut writer, thought("me see"));
    let last = parts(&write(
        &mut writer,
        Delta::ReasoningState(state(Dialect::Messages)),
    ));
    let seal = last[0]["thoughtSignature"].as_str().unwrap();
    assert_eq!(last[0]["text"], "");
    let expected = Reasoning {
        text: "let me see".into(),
        summary: false,
        state: Some(state(Dialect::Messages)),
    };
    assert_eq!(signature::unsealed(seal), Some(expected));
    // What ended without a seal does not get into the next one.
    write(&mut writer, thought("other"));
    write(&mut writer, Delta::Text("x".into()));
    let alone = parts(&write(
        &mut writer,
        Delta::ReasoningState(state(Dialect::Messages)),
    ));
    let unsealed = signature::unsealed(alone[0]["thoughtSignature"].as_str().unwrap()).unwrap();
    assert_eq!(unsealed.text, "");
}

#[test]
fn a_calls_state_goes_with_it() {
    let mut writer = writer();
    let state = Opaque {
        origin: Dialect::Responses,
        kind: OpaqueKind::Encrypted,
        data: "enc".into(),
        item_id: None,
    };
    write(&mut writer, call(0, "f"));
    let with_state = Delta::ToolCallState {
        index: 0,
        state: state.clone(),
    };
    write(&mut writer, with_state);
    let parts = parts(&write_event(&mut writer, &finished(Finish::ToolCalls)));
    let seal = parts[0]["thoughtSignature"].as_str().unwrap();
    assert_eq!(signature::unsealed(seal).and_then(|r| r.state), Some(state));
}

#[test]
fn several_choices_end_in_one_chunk() {
    let mut writer = writer();
    for choice in [1, 0] {
        let delta = Delta::Text("x".into());
        write_event(&mut writer, &Event::Delta { choice, delta });
    }
    write_event(&mut writer, &finished(Finish::Length));
    let last = chunks(&writer.close());
    let reasons: Vec<_> = last[0]["candidates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| {
            (
                c["index"].as_u64().unwrap(),
                c["finishReason"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(reasons, [(0, "MAX_TOKENS"), (1, "STOP")]);
}

#[test]
fn a_broken_stream_ends_in_an_error() {
    let error = RequestError::new(ErrorKind::ProviderStalled, "silent");
    let event = chunks(&writer().error_event(&error));
    assert_eq!(event[0]["error"]["code"], 504);
    assert_eq!(event[0]["error"]["status"], "DEADLINE_EXCEEDED");
    assert_eq!(
        event[0]["error"]["details"][0]["reason"],
        "PROVIDER_STALLED"
    );
}
