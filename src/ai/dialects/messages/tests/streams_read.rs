//! Streams of Anthropic's, read.

use ferrogate_api::Tokens;
use serde_json::json;

use super::streams::*;
use super::*;
use crate::ai::conversation::{Delta, Event, Finish};
use crate::ai::dialects::messages::EventReader;
use crate::error::ErrorKind;

#[test]
fn a_whole_stream_is_read() {
    let events = read(&[
        json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude-x", "content": [],
            "usage": {"input_tokens": 10, "cache_read_input_tokens": 5, "output_tokens": 1}}}),
        start(
            0,
            json!({"type": "thinking", "thinking": "", "signature": ""}),
        ),
        json!({"type": "ping"}),
        piece(0, "thinking_delta", "thinking", "hm"),
        piece(0, "thinking_delta", "thinking", "…"),
        piece(0, "signature_delta", "signature", "RXE="),
        stop(0),
        start(1, json!({"type": "redacted_thinking", "data": "ZW5j"})),
        stop(1),
        start(2, json!({"type": "text", "text": ""})),
        piece(2, "text_delta", "text", "Hi"),
        json!({"type": "content_block_delta", "index": 2, "delta": {"type": "citations_delta", "citation": {}}}),
        stop(2),
        json!({"type": "something_new", "news": {}}),
        start(3, tool_use("t1", "f")),
        input(3, ""),
        input(3, "{\"a\":"),
        input(3, " 1}"),
        stop(3),
        start(4, tool_use("t2", "g")),
        stop(4),
        json!({"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": null},
            "usage": {"output_tokens": 20}}),
        json!({"type": "message_stop"}),
    ]);
    let usage = |output| {
        Event::Usage(Tokens {
            input: 15,
            output,
            cache_read: 5,
            ..Tokens::default()
        })
    };
    assert_eq!(
        events,
        [
            Event::Started {
                id: Some("msg_1".into()),
                model: Some("claude-x".into())
            },
            usage(1),
            thought("hm"),
            thought("…"),
            state(Dialect::Messages, OpaqueKind::Signature, "RXE="),
            state(Dialect::Messages, OpaqueKind::Encrypted, "ZW5j"),
            text("Hi"),
            begins(0, "t1", "f"),
            arguments(0, "{\"a\":"),
            arguments(0, " 1}"),
            begins(1, "t2", "g"),
            arguments(1, "{}"),
            usage(20),
            finished(Finish::ToolCalls),
            Event::Ended,
        ]
    );
}

#[test]
fn a_stand_ins_arguments_come_whole_as_the_text_they_carry() {
    let mut asked = conversation(Dialect::Responses);
    asked.tools = vec![custom("patch")];
    let events = read_as(
        asked,
        &[
            start(0, tool_use("t1", "patch")),
            input(0, "{\"inp"),
            input(0, "ut\": \"a\\nb\"}"),
            stop(0),
        ],
    );
    let begun = said(Delta::ToolCall {
        index: 0,
        id: "t1".into(),
        name: "patch".into(),
        custom: true,
    });
    assert_eq!(events, [begun, arguments(0, "a\nb")]);
}

#[test]
fn compatible_servers_may_give_all_with_the_beginning_and_leave_out_stops() {
    let events = read(&[
        start(0, json!({"type": "text", "text": "Hi"})),
        start(
            1,
            json!({"type": "thinking", "thinking": "hm", "signature": "RXE="}),
        ),
        start(
            2,
            json!({"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}),
        ),
        json!({"type": "message_stop"}),
    ]);
    assert_eq!(
        events,
        [
            text("Hi"),
            thought("hm"),
            begins(0, "t1", "f"),
            state(Dialect::Messages, OpaqueKind::Signature, "RXE="),
            arguments(0, "{\"a\":1}"),
            finished(Finish::Stop),
            Event::Ended,
        ]
    );
}

#[test]
fn pieces_of_an_input_replace_what_its_block_began_with() {
    let begun = json!({"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}});
    let events = read(&[start(0, begun), input(0, "{\"a\":2}"), stop(0)]);
    assert_eq!(events, [begins(0, "t1", "f"), arguments(0, "{\"a\":2}")]);
}

#[test]
fn a_tool_that_is_given_nothing_is_given_an_empty_object() {
    let begun = json!({"type": "tool_use", "id": "t1", "name": "f", "input": {}});
    let events = read(&[start(0, begun), input(0, ""), stop(0)]);
    assert_eq!(events, [begins(0, "t1", "f"), arguments(0, "{}")]);
}

#[test]
fn every_end_is_read_and_only_the_first() {
    let check = |reason: &str, expected: Finish| {
        let delta = json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": "END"}});
        let events = read(&[delta, json!({"type": "message_stop"})]);
        assert_eq!(events, [finished(expected), Event::Ended], "{reason}");
    };
    check("end_turn", Finish::Stop);
    check("stop_sequence", Finish::StopSequence(Some("END".into())));
    check("max_tokens", Finish::Length);
    let unended = read(&[json!({"type": "message_delta", "delta": {"stop_reason": null}})]);
    assert_eq!(unended, []);
}

#[test]
fn a_failing_provider_is_seen_and_a_broken_event_refused() {
    let failed = read(&[
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
    ]);
    assert!(
        matches!(&failed[..], [Event::Failed(error)] if error.message == "Overloaded" && error.status() == 529),
        "{failed:?}"
    );
    let mut reader = EventReader::new(context(conversation(Dialect::Chat)));
    let mut out = Vec::new();
    let error = reader.read(b"data: {\"type\n\n", &mut out).unwrap_err();
    assert_eq!(error.kind, ErrorKind::ProviderProtocolError);
    reader.read(b": comment\n\n", &mut out).unwrap();
    assert!(out.is_empty());
}
