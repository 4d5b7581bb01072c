//! Streams of chunks, read and written.

use std::sync::Arc;

use bytes::Bytes;
use ferrogate_api::Tokens;
use serde_json::{Value, json};

use super::{chunk, context, context_of, deltas, events, plain, stream_of, with_custom_tool};
use crate::ai::conversation::{Delta, Event, Finish, Opaque, OpaqueKind};
use crate::ai::dialects::AnswerContext;
use crate::ai::dialects::chat::{EventReader, EventWriter};
use crate::ai::streaming::sse::Splitter;
use crate::error::{ErrorKind, RequestError};

fn delta(delta: Delta) -> Event {
    Event::Delta { choice: 0, delta }
}

fn text(text: &str) -> Delta {
    Delta::Text(text.into())
}

fn call(index: u32, id: &str, name: &str, custom: bool) -> Delta {
    Delta::ToolCall {
        index,
        id: id.into(),
        name: name.into(),
        custom,
    }
}

fn arguments(index: u32, text: &str) -> Delta {
    Delta::Arguments {
        index,
        text: text.into(),
    }
}

fn started() -> Event {
    Event::Started {
        id: Some("c1".into()),
        model: Some("served".into()),
    }
}

fn finished(finish: Finish) -> Event {
    Event::Finished { choice: 0, finish }
}

fn usage(input: u64, output: u64) -> Tokens {
    Tokens {
        input,
        output,
        ..Tokens::default()
    }
}

/// A stream of OpenAI's: parallel calls in pieces, usage on its own chunk.
const PARALLEL_CALLS: &str = concat!(
    "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"served\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n",
    ": ping\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"look\",\"arguments\":\"\"}}]},\"finish_reason\":null}],\"usage\":null}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"at\\\":\"}}]},\"finish_reason\":null}],\"usage\":null}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":1,\"id\":\"call_2\",\"type\":\"function\",\"function\":{\"name\":\"now\",\"arguments\":\"\"}}]},\"finish_reason\":null}],\"usage\":null}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"1}\"}}]},\"finish_reason\":null}],\"usage\":null}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}],\"usage\":null}\n\n",
    "data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n",
    "data: [DONE]\n\n",
);

fn parallel_calls() -> Vec<Event> {
    vec![
        started(),
        delta(call(0, "call_1", "look", false)),
        delta(arguments(0, "{\"at\":")),
        delta(call(1, "call_2", "now", false)),
        delta(arguments(0, "1}")),
        // A function called with nothing is called with an empty object.
        delta(arguments(1, "{}")),
        finished(Finish::ToolCalls),
        Event::Usage(usage(3, 2)),
        Event::Ended,
    ]
}

#[test]
fn a_stream_is_read_the_same_wherever_its_bytes_are_cut() {
    let bytes = PARALLEL_CALLS.as_bytes();
    for cut in 0..=bytes.len() {
        let (mut splitter, mut out) = (Splitter::default(), Vec::new());
        let mut reader = EventReader::new(Arc::new(context()));
        for chunk in [&bytes[..cut], &bytes[cut..]] {
            splitter.push(Bytes::copy_from_slice(chunk));
            while let Some(event) = splitter.next_event() {
                reader.read(&event, &mut out).unwrap();
            }
        }
        assert_eq!(out, parallel_calls(), "cut at {cut}");
    }
}

#[test]
fn a_written_stream_is_chunk_for_chunk_what_openai_sends() {
    let found = stream_of(
        context(),
        &[
            started(),
            delta(Delta::Reasoning {
                text: "hm".into(),
                summary: false,
            }),
            delta(Delta::ReasoningState(plain())),
            delta(text("I look")),
            delta(call(0, "toolu_1", "look", false)),
            delta(arguments(0, "{}")),
            delta(call(1, "toolu_2", "patch", true)),
            delta(arguments(1, "free")),
            Event::Usage(usage(3, 2)),
            finished(Finish::ToolCalls),
            Event::Ended,
        ],
    );
    let piece = |delta: Value, finish_reason: Option<&str>| {
        json!({
            "id": "chatcmpl-c1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "served",
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason}],
            "usage": null,
        })
    };
    let expected = [
        piece(json!({"role": "assistant", "content": ""}), None),
        piece(json!({"reasoning_content": "hm"}), None),
        piece(json!({"content": "I look"}), None),
        piece(
            json!({"tool_calls": [{"index": 0, "id": "toolu_1", "type": "function", "function": {"name": "look", "arguments": ""}}]}),
            None,
        ),
        piece(
            json!({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
            None,
        ),
        piece(
            json!({"tool_calls": [{"index": 1, "id": "toolu_2", "type": "custom", "custom": {"name": "patch", "input": ""}}]}),
            None,
        ),
        piece(
            json!({"tool_calls": [{"index": 1, "custom": {"input": "free"}}]}),
            None,
        ),
        piece(json!({}), Some("tool_calls")),
        json!({
            "id": "chatcmpl-c1", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "served",
            "choices": [],
            "usage": {
                "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0},
            },
        }),
    ];
    let (chunks, done) = found.rsplit_once("data: [DONE]").unwrap();
    assert_eq!(done, "\n\n");
    let chunks: Vec<Value> = chunks
        .split_terminator("\n\n")
        .map(|event| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap())
        .collect();
    assert_eq!(chunks, expected);
}

#[test]
fn a_client_that_did_not_ask_for_usage_gets_none() {
    let context = AnswerContext {
        wants_usage_event: false,
        ..context()
    };
    let found = stream_of(context, &[started(), Event::Usage(usage(3, 2))]);
    assert!(!found.contains("usage"), "{found}");
}

#[test]
fn a_stream_that_ends_early_is_closed_properly() {
    let ends = |events: &[Event]| {
        let found = stream_of(context(), events);
        let words: Vec<String> = found
            .split("\"finish_reason\":\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().to_owned())
            .collect();
        assert!(found.starts_with("data: {\"id\":\"chatcmpl-"), "{found}");
        assert!(found.ends_with("data: [DONE]\n\n"), "{found}");
        words
    };
    assert_eq!(ends(&[]), ["stop"]);
    assert_eq!(ends(&[started(), delta(text("a"))]), ["stop"]);
    assert_eq!(ends(&[delta(call(0, "c", "look", false))]), ["tool_calls"]);
    assert_eq!(
        ends(&[
            delta(text("a")),
            Event::Delta {
                choice: 1,
                delta: text("b")
            },
            finished(Finish::Length),
        ]),
        ["length", "stop"]
    );
    assert_eq!(ends(&[finished(Finish::Refusal)]), ["content_filter"]);
    assert_eq!(
        ends(&[
            delta(Delta::Refusal("no".into())),
            finished(Finish::Refusal)
        ]),
        ["stop"]
    );
}

#[test]
fn runs_of_reasoning_are_kept_apart() {
    let thought = |text: &str| {
        delta(Delta::Reasoning {
            text: text.into(),
            summary: true,
        })
    };
    let state = || delta(Delta::ReasoningState(plain()));
    let read_back = |events: &[Event]| {
        let found = stream_of(context(), events);
        let pieces = found
            .split("\"reasoning_content\":\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap());
        pieces.collect::<String>()
    };
    assert_eq!(read_back(&[thought("a"), thought("b")]), "ab");
    assert_eq!(
        read_back(&[thought("a"), state(), thought("b")]),
        "a\\n\\nb"
    );
    assert_eq!(
        read_back(&[thought("a"), delta(text("x")), thought("b"), thought("c")]),
        "a\\n\\nbc"
    );
    assert_eq!(read_back(&[state(), thought("b")]), "b");
}

#[test]
fn a_stream_that_is_written_is_read_as_it_was() {
    let said = vec![
        Event::Started {
            id: Some("chatcmpl-1".into()),
            model: Some("served".into()),
        },
        delta(Delta::Reasoning {
            text: "hm \u{1f914}\n".into(),
            summary: false,
        }),
        delta(Delta::ReasoningState(plain())),
        delta(text("\"a\"")),
        Event::Delta {
            choice: 1,
            delta: text("b"),
        },
        delta(call(0, "call_1", "look", false)),
        delta(arguments(0, "{\"at\":")),
        delta(call(1, "call_2", "patch", true)),
        delta(arguments(0, "1}")),
        delta(arguments(1, "free")),
        finished(Finish::ToolCalls),
        Event::Finished {
            choice: 1,
            finish: Finish::Stop,
        },
        Event::Usage(usage(3, 2)),
        Event::Ended,
    ];
    let written = stream_of(context(), &said);
    let mut splitter = Splitter::default();
    splitter.push(written.into_bytes().into());
    let mut reader = EventReader::new(Arc::new(context()));
    let mut found = Vec::new();
    while let Some(event) = splitter.next_event() {
        reader.read(&event, &mut found).unwrap();
    }
    assert_eq!(found, said);
}

#[test]
fn a_broken_stream_ends_in_an_error_without_done() {
    let writer = EventWriter::new(Arc::new(context()));
    let error = RequestError::new(ErrorKind::ProviderStalled, "silent");
    let bytes = writer.error_event(&error);
    let found = std::str::from_utf8(&bytes).unwrap();
    let json: Value = serde_json::from_str(found.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(json["error"]["code"], "provider_stalled");
    assert_eq!(
        json["error"]["request_id"],
        "0197a0b1-0000-7000-8000-000000000001"
    );
    assert!(found.ends_with("\n\n") && !found.contains("[DONE]"));
}

#[test]
fn a_stand_ins_text_comes_whole_at_the_end() {
    let found = events(
        context_of(with_custom_tool()),
        &[
            chunk(
                json!({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "patch", "arguments": "{\"in"}}]}),
                None,
            ),
            chunk(
                json!({"tool_calls": [{"index": 0, "function": {"arguments": "put\": \"free\"}"}}]}),
                None,
            ),
            chunk(json!({}), Some("tool_calls")),
        ],
    );
    assert_eq!(
        deltas(&found),
        [call(0, "call_1", "patch", true), arguments(0, "free")]
    );
}

#[test]
fn a_custom_call_and_a_signature_pass_as_they_are() {
    let found = events(
        context(),
        &[
            chunk(
                json!({"tool_calls": [{"index": 0, "id": "call_1", "type": "custom", "custom": {"name": "patch", "input": ""}}]}),
                None,
            ),
            chunk(
                json!({"tool_calls": [{"index": 0, "custom": {"input": "fr"}}]}),
                None,
            ),
            chunk(
                json!({"tool_calls": [{"index": 0, "custom": {"input": "ee"}}]}),
                None,
            ),
            chunk(
                json!({"tool_calls": [{"index": 1, "id": "call_2", "function": {"name": "look", "arguments": "{}"}, "extra_content": {"google": {}}}]}),
                Some("stop"),
            ),
        ],
    );
    assert_eq!(
        deltas(&found),
        [
            call(0, "call_1", "patch", true),
            arguments(0, "fr"),
            arguments(0, "ee"),
            call(1, "call_2", "look", false),
            Delta::ToolCallState {
                index: 1,
                state: Opaque {
                    kind: OpaqueKind::Signature,
                    data: "{\"google\":{}}".into(),
                    ..plain()
                },
            },
            arguments(1, "{}"),
        ]
    );
    assert_eq!(found.last(), Some(&finished(Finish::ToolCalls)));
}
