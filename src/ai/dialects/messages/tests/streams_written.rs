//! Streams for clients, written.

use ferrogate_api::Tokens;
use serde_json::{Value, json};

use super::streams::*;
use super::*;
use crate::ai::conversation::{Delta, Event, Finish};
use crate::ai::dialects::messages::EventWriter;
use crate::error::{ErrorKind, RequestError};

#[test]
fn a_written_stream_begins_and_ends_as_sdks_expect() {
    let events = written(&[
        Event::Started {
            id: Some("chatcmpl-1".into()),
            model: Some("gpt-x".into()),
        },
        text("Hi"),
        Event::Usage(Tokens {
            input: 10,
            output: 4,
            cache_read: 3,
            cache_write: 2,
            reasoning: 1,
        }),
        finished(Finish::StopSequence(Some("END".into()))),
        Event::Ended,
    ]);
    assert_eq!(
        events,
        [
            json!({"type": "message_start", "message": {
                "id": "msg_chatcmpl-1", "type": "message", "role": "assistant", "model": "gpt-x", "content": [],
                "stop_reason": null, "stop_sequence": null, "stop_details": null, "container": null,
                "usage": {"input_tokens": 0, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0,
                    "output_tokens": 0, "server_tool_use": null}}}),
            start(0, json!({"type": "text", "text": ""})),
            piece(0, "text_delta", "text", "Hi"),
            stop(0),
            json!({"type": "message_delta",
                "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END", "stop_details": null, "container": null},
                "usage": {"input_tokens": 5, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 2,
                    "output_tokens": 4, "output_tokens_details": {"thinking_tokens": 1}, "server_tool_use": null}}),
            json!({"type": "message_stop"}),
        ]
    );
    let empty = written(&[]);
    let kinds: Vec<&Value> = empty.iter().map(|it| &it["type"]).collect();
    assert_eq!(kinds, ["message_start", "message_delta", "message_stop"]);
    assert_eq!(empty[0]["message"]["id"], "msg_0190abcd");
    assert_eq!(empty[1]["delta"]["stop_reason"], "end_turn");
}

#[test]
fn each_piece_is_written_at_once() {
    let mut writer = EventWriter::new(context(conversation(Dialect::Messages)));
    let mut out = Vec::new();
    for event in [
        text("a"),
        thought("b"),
        begins(0, "t", "f"),
        arguments(0, "{"),
    ] {
        out.clear();
        writer.write(&event, &mut out);
        assert!(!out.is_empty(), "{event:?}");
    }
}

#[test]
fn text_and_thought_take_turns_and_a_signature_ends_a_thought() {
    let thinking = json!({"type": "thinking", "thinking": "", "signature": ""});
    assert_eq!(
        blocks(&[
            thought("a"),
            thought("b"),
            state(Dialect::Messages, OpaqueKind::Signature, "RXE="),
            thought("c"),
            text("d"),
            text(""),
            state(Dialect::Messages, OpaqueKind::Encrypted, "ZW5j"),
            state(Dialect::Messages, OpaqueKind::Signature, "bG9uZQ=="),
            text("e"),
        ]),
        [
            start(0, thinking.clone()),
            piece(0, "thinking_delta", "thinking", "a"),
            piece(0, "thinking_delta", "thinking", "b"),
            piece(0, "signature_delta", "signature", "RXE="),
            stop(0),
            start(1, thinking.clone()),
            piece(1, "thinking_delta", "thinking", "c"),
            stop(1),
            start(2, json!({"type": "text", "text": ""})),
            piece(2, "text_delta", "text", "d"),
            stop(2),
            start(3, json!({"type": "redacted_thinking", "data": "ZW5j"})),
            stop(3),
            start(4, thinking),
            piece(4, "signature_delta", "signature", "bG9uZQ=="),
            stop(4),
            start(5, json!({"type": "text", "text": ""})),
            piece(5, "text_delta", "text", "e"),
            stop(5),
        ]
    );
}

#[test]
fn a_call_ends_with_its_arguments_and_one_without_any_has_an_empty_object() {
    assert_eq!(
        blocks(&[
            text("Looking."),
            begins(0, "t0", "f"),
            arguments(0, "{\"a\":\"}"),
            arguments(0, "\\\"\"}"),
            begins(1, "t1", "g"),
            text("Done."),
            begins(2, "t2", "h"),
            arguments(2, "{}"),
        ]),
        [
            start(0, json!({"type": "text", "text": ""})),
            piece(0, "text_delta", "text", "Looking."),
            stop(0),
            start(1, tool_use("t0", "f")),
            input(1, "{\"a\":\"}"),
            input(1, "\\\"\"}"),
            stop(1),
            start(2, tool_use("t1", "g")),
            start(3, json!({"type": "text", "text": ""})),
            piece(3, "text_delta", "text", "Done."),
            stop(3),
            start(4, tool_use("t2", "h")),
            input(4, "{}"),
            stop(4),
            input(2, "{}"),
            stop(2),
        ]
    );
}

#[test]
fn interleaved_calls_have_their_blocks_open_side_by_side() {
    assert_eq!(
        blocks(&[
            begins(0, "t0", "f"),
            arguments(0, "{\"a\":"),
            begins(1, "t1", "g"),
            arguments(1, "{\"b\":2}"),
            arguments(0, "[1]}"),
            arguments(0, "}"),
            begins(0, "t0", "f"),
            arguments(7, "{}"),
        ]),
        [
            start(0, tool_use("t0", "f")),
            input(0, "{\"a\":"),
            start(1, tool_use("t1", "g")),
            input(1, "{\"b\":2}"),
            stop(1),
            input(0, "[1]}"),
            stop(0),
        ]
    );
}

/// The blocks that begin, states by what was sealed in them.
fn beginnings(events: &[Event]) -> Vec<String> {
    let starts = blocks(events).into_iter().filter_map(|event| {
        let block = event.get("content_block")?;
        let name = match block["type"].as_str()? {
            "redacted_thinking" => {
                let sealed = Opaque::unseal(block["data"].as_str()?)?;
                [Some(sealed.data), sealed.item_id]
            }
            "tool_use" => [block["id"].as_str().map(str::to_owned), None],
            kind => [Some(kind.to_owned()), None],
        };
        Some(name.into_iter().flatten().collect::<Vec<_>>().join(" of "))
    });
    starts.collect()
}

#[test]
fn no_state_is_the_last_block_of_an_answer_that_says_something() {
    let lone = |data| state(Dialect::Gemini, OpaqueKind::Signature, data);
    let of_call = |index, data| {
        said(Delta::ToolCallState {
            index,
            state: opaque(Dialect::Gemini, OpaqueKind::Signature, data),
        })
    };
    let check = |events: &[Event], expected: &[&str]| {
        assert_eq!(beginnings(events), expected, "{events:?}");
    };
    check(&[text("a"), lone("s")], &["text"]);
    check(&[lone("s"), text("a")], &["s", "text"]);
    check(&[lone("s")], &["s"]);
    check(&[thought("a"), lone("s"), text("b")], &["thinking", "text"]);
    check(&[text("a"), lone("s"), text("b")], &["text", "s", "text"]);
    check(
        &[text("a"), lone("s"), begins(0, "t0", "f"), lone("u")],
        &["text", "s", "t0"],
    );
    // A call's state stands before it, if it comes before anything else does.
    let stated = [
        text("a"),
        lone("s"),
        begins(0, "t0", "f"),
        of_call(0, "u"),
        arguments(0, "{}"),
        begins(1, "t1", "f"),
        of_call(1, "v"),
    ];
    let expected = ["text", "s", "u of t0", "t0", "v of t1", "t1"];
    check(&stated, &expected);
    // Later it stands before the next block. Nothing else brings it back, so it is never left out.
    let late = [begins(0, "t0", "f"), arguments(0, "{}"), of_call(0, "u")];
    check(&late, &["t0", "u of t0"]);
    let next = [&late[..], &[lone("s"), begins(1, "t1", "f")]].concat();
    check(&next, &["t0", "u of t0", "s", "t1"]);
}

#[test]
fn free_text_arguments_become_an_object_piece_by_piece() {
    let begun = said(Delta::ToolCall {
        index: 0,
        id: "t".into(),
        name: "patch".into(),
        custom: true,
    });
    let found = blocks(&[begun, arguments(0, "a \"b\"\n"), arguments(0, "}")]);
    let json: String = found
        .iter()
        .filter_map(|event| event["delta"]["partial_json"].as_str())
        .collect();
    assert_eq!(ToolKind::custom_input(&json), "a \"b\"\n}");
    assert_eq!(found.last(), Some(&stop(0)));
}

#[test]
fn a_broken_stream_ends_in_an_error_event() {
    let writer = EventWriter::new(context(conversation(Dialect::Messages)));
    let error = RequestError::new(ErrorKind::ProviderStalled, "silent");
    let events = split(&writer.error_event(&error));
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["error"]["type"], "timeout_error");
    assert_eq!(events[0]["request_id"], "0190-ab-cd");
}

#[test]
fn other_choices_and_the_readers_own_endings_write_nothing() {
    let mut writer = EventWriter::new(context(conversation(Dialect::Messages)));
    let mut out = Vec::new();
    let other = Event::Delta {
        choice: 1,
        delta: Delta::Text("x".into()),
    };
    let failure = RequestError::new(ErrorKind::ProviderError, "no");
    for event in [other, Event::Ended, Event::Failed(Box::new(failure))] {
        writer.write(&event, &mut out);
    }
    assert!(out.is_empty());
}
