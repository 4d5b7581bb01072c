//! Streams of servers that speak this API in ways of their own.

use std::sync::Arc;

use ferrogate_api::Tokens;
use serde_json::{Value, json};

use super::{chunk, context, deltas, events, plain};
use crate::ai::conversation::{Delta, Event, Finish};
use crate::ai::dialects::chat::EventReader;
use crate::error::ErrorKind;

fn call(index: u32, id: &str, name: &str) -> Delta {
    Delta::ToolCall {
        index,
        id: id.into(),
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

fn thought(text: &str) -> Delta {
    Delta::Reasoning {
        text: text.into(),
        summary: false,
    }
}

fn made_up(index: u32) -> String {
    format!("call_0197a0b1000070008000000000000001_{index}")
}

/// The tool calls of a stream whose chunks have these lists of pieces; the last chunk finishes.
fn calls(pieces: &[Value]) -> Vec<Delta> {
    let last = pieces.len().checked_sub(1);
    let chunks: Vec<Value> = pieces
        .iter()
        .enumerate()
        .map(|(at, pieces)| {
            let finish = (Some(at) == last).then_some("stop");
            chunk(json!({"content": null, "tool_calls": pieces}), finish)
        })
        .collect();
    let found = events(context(), &chunks);
    let expected = Event::Finished {
        choice: 0,
        finish: Finish::ToolCalls,
    };
    assert_eq!(found.last(), Some(&expected));
    deltas(&found)
}

#[test]
fn pieces_find_their_call_however_they_are_marked() {
    let two = || {
        vec![
            call(0, "a", "look"),
            arguments(0, "{\"at\":1}"),
            call(1, "b", "look"),
            arguments(1, "{\"at\":2}"),
        ]
    };
    let whole = |index: Option<u32>, id: &str, at: u32| json!({"index": index, "id": id, "function": {"name": "look", "arguments": format!("{{\"at\":{at}}}")}});
    // All in the last chunk; one a chunk; without an index; every one at index 0.
    assert_eq!(
        calls(&[
            json!([]),
            json!([whole(Some(0), "a", 1), whole(Some(1), "b", 2)])
        ]),
        two()
    );
    assert_eq!(
        calls(&[
            json!([whole(Some(0), "a", 1)]),
            json!([whole(Some(1), "b", 2)])
        ]),
        two()
    );
    assert_eq!(
        calls(&[json!([whole(None, "a", 1)]), json!([whole(None, "b", 2)])]),
        two()
    );
    assert_eq!(
        calls(&[
            json!([whole(Some(0), "a", 1)]),
            json!([whole(Some(0), "b", 2)])
        ]),
        two()
    );
    // An id and a name on every piece; neither after the first; an id of its own on every piece.
    let piece = |id: Option<&str>, name: Option<&str>, index: Option<u32>, text: &str| json!([{"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": text}}]);
    let one = || vec![call(0, "a", "look"), arguments(0, "{"), arguments(0, "}")];
    let (a, look) = (Some("a"), Some("look"));
    let check = |second: Value| {
        assert_eq!(
            calls(&[piece(a, look, Some(0), "{"), second.clone()]),
            one(),
            "{second}"
        );
    };
    check(piece(a, look, Some(0), "}"));
    check(piece(None, None, Some(0), "}"));
    check(piece(Some(""), Some(""), Some(0), "}"));
    check(piece(Some("z"), None, Some(0), "}"));
    check(piece(None, None, None, "}"));
    check(piece(a, None, None, "}"));
    check(piece(Some("z"), None, None, "}"));
}

#[test]
fn a_call_begins_when_it_has_a_name_and_has_an_id_in_any_case() {
    let check = |pieces: &[Value], expected: &[Delta]| assert_eq!(calls(pieces), expected);
    check(
        &[
            json!([{"index": 0, "id": "a"}]),
            json!([{"index": 0, "function": {"arguments": "{\"at\":"}}]),
            json!([{"index": 0, "function": {"name": "look", "arguments": "1}"}}]),
        ],
        &[call(0, "a", "look"), arguments(0, "{\"at\":1}")],
    );
    check(
        &[
            json!([{"function": {"name": "look", "arguments": {"at": 1}}}]),
            json!([{"function": {"name": "look", "arguments": ""}}]),
        ],
        &[
            call(0, &made_up(0), "look"),
            arguments(0, "{\"at\":1}"),
            call(1, &made_up(1), "look"),
            arguments(1, "{}"),
        ],
    );
}

#[test]
fn an_empty_list_of_calls_calls_nothing() {
    let found = events(
        context(),
        &[
            chunk(json!({"content": "a", "tool_calls": []}), None),
            chunk(
                json!({"content": "", "tool_calls": [{"index": 0, "function": {"name": "", "arguments": ""}}]}),
                Some("tool_calls"),
            ),
        ],
    );
    assert_eq!(deltas(&found), [Delta::Text("a".into())]);
    let finish = Event::Finished {
        choice: 0,
        finish: Finish::Stop,
    };
    assert_eq!(found.last(), Some(&finish));
}

#[test]
fn arguments_of_a_call_that_is_never_named_are_an_error() {
    let mut reader = EventReader::new(Arc::new(context()));
    let data = chunk(
        json!({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
        Some("stop"),
    );
    let error = reader
        .read(format!("data: {data}\n\n").as_bytes(), &mut Vec::new())
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::ProviderProtocolError);
}

#[test]
fn the_legacy_form_of_a_call_is_read() {
    let found = events(
        context(),
        &[
            chunk(
                json!({"function_call": {"name": "look", "arguments": ""}}),
                None,
            ),
            chunk(json!({"function_call": {"arguments": "{\"at\":"}}), None),
            chunk(json!({"function_call": {"arguments": "1}"}}), None),
            chunk(json!({}), Some("function_call")),
        ],
    );
    assert_eq!(
        deltas(&found),
        [
            call(0, &made_up(0), "look"),
            arguments(0, "{\"at\":"),
            arguments(0, "1}")
        ]
    );
}

#[test]
fn reasoning_is_read_under_every_name_and_ends_when_something_else_comes() {
    let check = |delta: Value, text: &str| {
        let found = events(
            context(),
            &[chunk(delta, None), chunk(json!({"content": "a"}), None)],
        );
        let expected = [
            thought(text),
            Delta::ReasoningState(plain()),
            Delta::Text("a".into()),
        ];
        assert_eq!(deltas(&found), expected);
    };
    check(json!({"reasoning_content": "hm", "content": null}), "hm");
    check(json!({"reasoning": "hm", "content": ""}), "hm");
    check(json!({"reasoning": "hm", "reasoning_content": "hm"}), "hm");
    check(json!({"reasoning": "hm", "reasoning_content": ""}), "hm");
    check(
        json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}),
        "hm",
    );
    let alone = events(
        context(),
        &[chunk(json!({"reasoning_content": "hm"}), Some("length"))],
    );
    assert_eq!(
        deltas(&alone),
        [thought("hm"), Delta::ReasoningState(plain())]
    );
}

#[test]
fn usage_is_read_wherever_it_comes() {
    let tokens = Tokens {
        input: 3,
        output: 2,
        ..Tokens::default()
    };
    let usage = json!({"prompt_tokens": 3, "completion_tokens": 2});
    let check = |chunks: &[Value], times: usize| {
        let found = events(context(), chunks);
        let reports = found.iter().filter(|event| **event == Event::Usage(tokens));
        assert_eq!(reports.count(), times, "{chunks:?}");
        assert!(matches!(found.first(), Some(Event::Started { .. })));
    };
    let with_usage = |mut chunk: Value| {
        chunk["usage"] = usage.clone();
        chunk
    };
    let said = || chunk(json!({"content": "a"}), None);
    let last = || chunk(json!({}), Some("stop"));
    let own = json!({"choices": [], "usage": usage});
    check(&[said(), last(), own], 1);
    check(&[said(), with_usage(last())], 1);
    check(&[with_usage(said()), with_usage(last())], 2);
    let mut inside = last();
    inside["choices"][0]["usage"] = usage.clone();
    check(&[said(), inside], 1);
    // A finish reason that comes once more, beside the usage, finishes nothing a second time.
    check(&[said(), last(), with_usage(last())], 1);
}

#[test]
fn a_choice_finishes_once_and_nothing_is_said_after_it() {
    let found = events(
        context(),
        &[
            chunk(json!({"content": "a"}), Some("")),
            chunk(json!({}), Some("stop")),
            chunk(json!({"content": ""}), Some("stop")),
            json!({"choices": [{"index": 0, "content_filter_offsets": {}}]}),
        ],
    );
    assert_eq!(
        found,
        [
            Event::Started {
                id: Some("c1".into()),
                model: Some("served".into())
            },
            Event::Delta {
                choice: 0,
                delta: Delta::Text("a".into())
            },
            Event::Finished {
                choice: 0,
                finish: Finish::Stop
            },
        ]
    );
}

#[test]
fn a_first_chunk_that_names_nothing_does_not_start_the_answer() {
    let found = events(
        context(),
        &[
            json!({"id": "", "model": "", "choices": [], "prompt_filter_results": []}),
            chunk(json!({"role": "assistant"}), None),
        ],
    );
    let expected = Event::Started {
        id: Some("c1".into()),
        model: Some("served".into()),
    };
    assert_eq!(found, [expected]);
}

#[test]
fn a_whole_message_in_the_last_chunk_is_read_unless_it_repeats() {
    let last = json!({"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": "whole"}}]});
    let whole = events(context(), std::slice::from_ref(&last));
    assert_eq!(deltas(&whole), [Delta::Text("whole".into())]);
    let repeated = events(context(), &[chunk(json!({"content": "wh"}), None), last]);
    assert_eq!(deltas(&repeated), [Delta::Text("wh".into())]);
}

#[test]
fn choices_are_told_apart_by_index_or_place() {
    let found = events(
        context(),
        &[json!({"choices": [
            {"delta": {"tool_calls": [{"function": {"name": "look", "arguments": "{}"}}]}},
            {"delta": {"tool_calls": [{"function": {"name": "look", "arguments": "{}"}}]}, "finish_reason": "stop"},
            {"index": 4_000_000_000_u32, "delta": {"content": "far"}},
        ]})],
    );
    let said = |choice, delta| Event::Delta { choice, delta };
    assert_eq!(
        found[1..],
        [
            said(0, call(0, &made_up(0), "look")),
            said(0, arguments(0, "{}")),
            said(1, call(0, &made_up(1), "look")),
            said(1, arguments(0, "{}")),
            Event::Finished {
                choice: 1,
                finish: Finish::ToolCalls
            },
            said(4_000_000_000, Delta::Text("far".into())),
        ]
    );
}

#[test]
fn a_stream_may_end_without_done_once_every_choice_has_finished() {
    let mut reader = EventReader::new(Arc::new(context()));
    let mut read = |data: &str| {
        let mut out = Vec::new();
        reader
            .read(format!("data: {data}\n\n").as_bytes(), &mut out)
            .unwrap();
        (reader.may_end_here(), out)
    };
    assert!(!read("").0);
    assert!(!read(r#"{"choices":[]}"#).0);
    assert!(!read(r#"{"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}"#).0);
    assert!(!read(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#).0);
    // `[DONE]` finishes what has no finish reason, and nothing after it counts.
    let (may_end, out) = read("[DONE]");
    assert!(may_end);
    let finish = Event::Finished {
        choice: 1,
        finish: Finish::Stop,
    };
    assert_eq!(out, [finish, Event::Ended]);
    assert_eq!(
        read(r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#).1,
        []
    );
}

#[test]
fn every_way_to_report_a_failure_fails_the_stream_and_ends_it() {
    let check = |data: &str, status: u16, message: &str| {
        let mut reader = EventReader::new(Arc::new(context()));
        let mut out = Vec::new();
        for event in [
            data,
            r#"{"choices":[{"delta":{"content":"more"}}]}"#,
            "[DONE]",
        ] {
            let event = format!("data: {event}\n\n");
            reader.read(event.as_bytes(), &mut out).unwrap();
        }
        let Some(Event::Failed(error)) = out.last() else {
            unreachable!("{data} gave {out:?}");
        };
        assert_eq!((error.status(), &*error.message), (status, message));
    };
    check(r#"{"error":{"message":"overloaded"}}"#, 502, "overloaded");
    check(r#"{"error":"overloaded"}"#, 502, "overloaded");
    check(
        r#"{"id":"g","error":{"code":503,"message":"gone"},"choices":[{"delta":{"content":""},"finish_reason":"error"}]}"#,
        503,
        "gone",
    );
    check(
        r#"{"choices":[{"delta":{"content":"a"},"finish_reason":"error"}]}"#,
        502,
        "The provider broke its answer off and reports that it failed.",
    );
    check(
        r#"{"choices":[{"delta":{},"error":{"code":429,"message":"slow"}}]}"#,
        429,
        "slow",
    );
    check(
        r#"{"object":"error","message":"too long","type":"BadRequestError","code":400}"#,
        400,
        "too long",
    );
}

#[test]
fn a_chunk_that_is_none_is_a_protocol_error() {
    for data in [
        "{\"choi",
        "\"hi\"",
        "7",
        r#"{"choices":[{"delta":{"content":"a"}"#,
    ] {
        let mut reader = EventReader::new(Arc::new(context()));
        let event = format!("data: {data}\n\n");
        let error = reader.read(event.as_bytes(), &mut Vec::new()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::ProviderProtocolError, "{data}");
    }
}
