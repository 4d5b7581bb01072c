use ferrogate_api::Tokens;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::read_events::EventReader;
use super::super::read_request::read_request;
use super::super::write_answer::write_answer;
use super::*;
use crate::ai::conversation::{Conversation, Opaque, OpaqueKind, Reasoning};
use crate::ai::dialects::Dialect;
use crate::error::ErrorKind;

fn context() -> Arc<AnswerContext> {
    let request = json!({"model": "m", "input": "hi", "metadata": {"a": "b"}, "temperature": 0.5});
    Arc::new(AnswerContext {
        request_id: "0198-ab".into(),
        created_unix: 7,
        model: "m".into(),
        response_id: "resp_1".into(),
        wants_usage_event: false,
        conversation: Arc::new(read_request(request.to_string().as_bytes()).unwrap()),
    })
}

/// Every event's data, after a check that its name says the same and its number follows.
fn parse(stream: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(stream).unwrap();
    let mut events = Vec::new();
    for (number, event) in text.split_terminator("\n\n").enumerate() {
        let (name, data) = event.split_once('\n').unwrap();
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!(name.strip_prefix("event: "), data["type"].as_str());
        assert_eq!(data["sequence_number"], number, "{data}");
        events.push(data);
    }
    events
}

fn stream_of(events: &[Event]) -> (Vec<u8>, EventWriter) {
    let mut writer = EventWriter::new(context());
    let mut out = Vec::new();
    for event in events {
        writer.write(event, &mut out);
    }
    out.extend_from_slice(&writer.close());
    (out, writer)
}

fn written(events: &[Event]) -> Vec<Value> {
    parse(&stream_of(events).0)
}

fn started() -> Event {
    Event::Started {
        id: Some("msg_9".into()),
        model: Some("m-2".into()),
    }
}

fn delta(delta: Delta) -> Event {
    Event::Delta { choice: 0, delta }
}

fn text(text: &str) -> Event {
    delta(Delta::Text(text.into()))
}

fn refusal(text: &str) -> Event {
    delta(Delta::Refusal(text.into()))
}

fn thought(text: &str, summary: bool) -> Event {
    delta(Delta::Reasoning {
        text: text.into(),
        summary,
    })
}

fn call(index: u32, custom: bool) -> Event {
    delta(Delta::ToolCall {
        index,
        id: format!("call_{index}"),
        name: "f".into(),
        custom,
    })
}

fn arguments(index: u32, text: &str) -> Event {
    delta(Delta::Arguments {
        index,
        text: text.into(),
    })
}

fn call_state(index: u32) -> Event {
    delta(Delta::ToolCallState {
        index,
        state: opaque(Dialect::Gemini),
    })
}

fn finished(finish: Finish) -> Event {
    Event::Finished { choice: 0, finish }
}

fn opaque(origin: Dialect) -> Opaque {
    Opaque {
        origin,
        kind: OpaqueKind::Encrypted,
        data: "enc".into(),
        item_id: None,
    }
}

/// The name of each event without its prefix, and the output index where it has one.
fn names(events: &[Value]) -> Vec<String> {
    let name = |event: &Value| {
        let name = event["type"]
            .as_str()
            .unwrap()
            .strip_prefix("response.")
            .unwrap();
        match event["output_index"].as_u64() {
            Some(index) => format!("{index} {name}"),
            None => name.to_owned(),
        }
    };
    events.iter().map(name).collect()
}

#[test]
fn a_stream_has_the_official_events_in_the_official_order() {
    let events = written(&[
        started(),
        thought("h", true),
        thought("m", true),
        delta(Delta::ReasoningState(opaque(Dialect::Responses))),
        text("He"),
        text(""),
        text("y"),
        finished(Finish::Stop),
        Event::Usage(Tokens {
            input: 3,
            output: 2,
            ..Tokens::default()
        }),
        Event::Ended,
    ]);
    let summary = |text: &str| json!({"type": "summary_text", "text": text});
    let part = |text: &str| json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text});
    let reasoning = json!({"type": "reasoning", "id": "rs_0198ab_0", "summary": [summary("hm")], "encrypted_content": "enc"});
    let message = |status: &str, content: Value| json!({"type": "message", "id": "msg_0198ab_1", "status": status, "role": "assistant", "content": content});
    let of_thought = |name: &str, field: &str, value: Value| json!({"type": format!("response.{name}"), "item_id": "rs_0198ab_0", "output_index": 0, "summary_index": 0, field: value});
    let of_message = |name: &str, field: &str, value: Value| json!({"type": format!("response.{name}"), "item_id": "msg_0198ab_1", "output_index": 1, "content_index": 0, field: value});
    let of_text = |name: &str, field: &str, value: Value| {
        let mut event = of_message(name, field, value);
        event["logprobs"] = json!([]);
        event
    };
    let of_item = |name: &str, output_index: u64, item: Value| json!({"type": format!("response.output_item.{name}"), "output_index": output_index, "item": item});
    let response = |status: &str, output: Value, usage: Value| {
        let empty = write_answer(&Answer::default(), &context());
        let mut response: Value = serde_json::from_slice(&empty).unwrap();
        response["model"] = json!("m-2");
        response["status"] = json!(status);
        response["output"] = output;
        response["usage"] = usage;
        response
    };
    let begun = response("in_progress", json!([]), Value::Null);
    let usage = json!({"input_tokens": 3, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 5});
    let mut golden = vec![
        json!({"type": "response.created", "response": begun}),
        json!({"type": "response.in_progress", "response": begun}),
        of_item(
            "added",
            0,
            json!({"type": "reasoning", "id": "rs_0198ab_0", "summary": []}),
        ),
        of_thought("reasoning_summary_part.added", "part", summary("")),
        of_thought("reasoning_summary_text.delta", "delta", json!("h")),
        of_thought("reasoning_summary_text.delta", "delta", json!("m")),
        of_thought("reasoning_summary_text.done", "text", json!("hm")),
        of_thought("reasoning_summary_part.done", "part", summary("hm")),
        of_item("done", 0, reasoning.clone()),
        of_item("added", 1, message("in_progress", json!([]))),
        of_message("content_part.added", "part", part("")),
        of_text("output_text.delta", "delta", json!("He")),
        of_text("output_text.delta", "delta", json!("y")),
        of_text("output_text.done", "text", json!("Hey")),
        of_message("content_part.done", "part", part("Hey")),
        of_item("done", 1, message("completed", json!([part("Hey")]))),
        json!({"type": "response.completed",
            "response": response("completed", json!([reasoning, message("completed", json!([part("Hey")]))]), usage)}),
    ];
    for (number, event) in golden.iter_mut().enumerate() {
        event["sequence_number"] = json!(number);
    }
    assert_eq!(events.len(), golden.len());
    for (event, expected) in events.iter().zip(&golden) {
        assert_eq!(event, expected);
    }
}

#[test]
fn each_kind_of_piece_has_its_own_events() {
    let check = |events: &[Event], expected: &[&str]| {
        let found = names(&written(events));
        let [created, in_progress, between @ .., closing] = &*found else {
            panic!("{found:?}");
        };
        assert_eq!((&**created, &**in_progress), ("created", "in_progress"));
        assert_eq!(closing, "completed");
        assert_eq!(between, expected);
    };
    check(&[started()], &[]);
    check(&[], &[]);
    check(
        &[thought("hm", false), finished(Finish::Stop)],
        &[
            "0 output_item.added",
            "0 content_part.added",
            "0 reasoning_text.delta",
            "0 reasoning_text.done",
            "0 content_part.done",
            "0 output_item.done",
        ],
    );
    check(
        &[text("a"), refusal("no"), finished(Finish::Refusal)],
        &[
            "0 output_item.added",
            "0 content_part.added",
            "0 output_text.delta",
            "0 output_text.done",
            "0 content_part.done",
            "0 content_part.added",
            "0 refusal.delta",
            "0 refusal.done",
            "0 content_part.done",
            "0 output_item.done",
        ],
    );
    check(
        &[
            call(0, false),
            arguments(0, "{}"),
            call(1, true),
            arguments(1, "x"),
        ],
        &[
            "0 output_item.added",
            "0 function_call_arguments.delta",
            "0 function_call_arguments.done",
            "0 output_item.done",
            "1 output_item.added",
            "1 custom_tool_call_input.delta",
            "1 custom_tool_call_input.done",
            "1 output_item.done",
        ],
    );
    // State that stands alone is an item of its own.
    check(
        &[
            delta(Delta::ReasoningState(opaque(Dialect::Gemini))),
            call(0, false),
        ],
        &[
            "0 output_item.added",
            "0 output_item.done",
            "1 output_item.added",
            "1 function_call_arguments.done",
            "1 output_item.done",
        ],
    );
}

/// Clients put the pieces of a call together by what comes next to what.
#[test]
fn the_state_of_a_call_is_an_item_behind_all_others() {
    let check = |pieces: &[Event], items: &[&str]| {
        for ending in [Finish::ToolCalls, Finish::Length] {
            let mut events = pieces.to_vec();
            events.push(finished(ending));
            let (stream, writer) = stream_of(&events);
            let parsed = parse(&stream);
            let found: Vec<String> = names(&parsed)
                .into_iter()
                .filter(|name| name.contains("output_item") || name.ends_with(".delta"))
                .collect();
            assert_eq!(found, items);
            let whole = write_answer(writer.answer(), &context());
            let whole: Value = serde_json::from_slice(&whole).unwrap();
            assert_eq!(parsed.last().unwrap()["response"], whole);
        }
    };
    // As Gemini tells it: between the name and the arguments.
    check(
        &[
            call(0, false),
            call_state(0),
            arguments(0, "{\"a\":1}"),
            call(1, false),
            arguments(1, "{}"),
        ],
        &[
            "0 output_item.added",
            "0 function_call_arguments.delta",
            "0 output_item.done",
            "1 output_item.added",
            "1 function_call_arguments.delta",
            "1 output_item.done",
            "2 output_item.added",
            "2 output_item.done",
        ],
    );
    // As a chat provider may: of interleaved calls, more than once, late, in any order, and of no call at all.
    check(
        &[
            call(0, false),
            call(1, false),
            call_state(1),
            arguments(0, "{"),
            arguments(1, "{}"),
            call_state(1),
            arguments(0, "}"),
            text("a"),
            call_state(0),
            call_state(7),
        ],
        &[
            "0 output_item.added",
            "1 output_item.added",
            "0 function_call_arguments.delta",
            "1 function_call_arguments.delta",
            "0 function_call_arguments.delta",
            "0 output_item.done",
            "1 output_item.done",
            "2 output_item.added",
            "2 output_text.delta",
            "2 output_item.done",
            "3 output_item.added",
            "3 output_item.done",
            "4 output_item.added",
            "4 output_item.done",
        ],
    );
}

#[test]
fn calls_may_come_interleaved_and_are_done_when_their_arguments_are_whole() {
    let events = written(&[
        text("a"),
        call(0, false),
        call(1, false),
        arguments(0, "{\"a\":"),
        arguments(1, "{\"b\":2}"),
        arguments(0, "1}"),
        call(2, false),
        // Again, and to a call that never began: nothing.
        call(2, false),
        arguments(7, "{}"),
        finished(Finish::ToolCalls),
    ]);
    let items: Vec<String> = names(&events)
        .into_iter()
        .filter(|name| name.contains("output_item"))
        .collect();
    assert_eq!(
        items,
        [
            "0 output_item.added",
            "0 output_item.done",
            "1 output_item.added",
            "2 output_item.added",
            "1 output_item.done",
            "2 output_item.done",
            "3 output_item.added",
            "3 output_item.done",
        ]
    );
    let output = &events.last().unwrap()["response"]["output"];
    let arguments: Vec<_> = (1..4)
        .map(|index| output[index]["arguments"].as_str().unwrap())
        .collect();
    assert_eq!(arguments, ["{\"a\":1}", "{\"b\":2}", "{}"]);
}

#[test]
fn every_piece_reaches_the_client_at_once() {
    let mut writer = EventWriter::new(context());
    for event in [
        started(),
        text("a"),
        refusal("b"),
        thought("c", true),
        call(0, false),
        arguments(0, "{"),
        call(1, true),
        arguments(1, "x"),
        arguments(0, "}"),
    ] {
        let mut out = Vec::new();
        writer.write(&event, &mut out);
        assert!(!out.is_empty(), "{event:?}");
    }
}

#[test]
fn only_the_first_choice_is_written_and_all_are_kept() {
    let second = |delta| Event::Delta { choice: 1, delta };
    let (stream, writer) = stream_of(&[
        text("a"),
        second(Delta::Text("unheard".into())),
        Event::Finished {
            choice: 1,
            finish: Finish::Length,
        },
        finished(Finish::Stop),
    ]);
    let text = std::str::from_utf8(&stream).unwrap();
    assert!(!text.contains("unheard") && text.contains("response.completed"));
    assert_eq!(writer.answer().choices.len(), 2);
}

#[test]
fn an_answer_that_was_cut_ends_incomplete() {
    let check = |finish: Finish, reason: &str| {
        let events = written(&[
            text("a"),
            call(0, false),
            arguments(0, "{\"a"),
            finished(finish),
        ]);
        let last = events.last().unwrap();
        assert_eq!(last["type"], "response.incomplete");
        assert_eq!(last["response"]["status"], "incomplete");
        assert_eq!(last["response"]["incomplete_details"]["reason"], reason);
        assert_eq!(last["response"]["output"][0]["status"], "completed");
        assert_eq!(last["response"]["output"][1]["status"], "incomplete");
    };
    check(Finish::Length, "max_output_tokens");
    check(Finish::ContentFilter, "content_filter");
}

#[test]
fn a_provider_that_gives_no_reason_is_closed_once() {
    let mut writer = EventWriter::new(context());
    let mut out = Vec::new();
    writer.write(&call(0, false), &mut out);
    assert!(!writer.close().is_empty());
    assert!(writer.close().is_empty());
    assert_eq!(writer.answer().choices[0].finish, Finish::ToolCalls);
}

#[test]
fn a_broken_stream_ends_in_response_failed_with_the_next_number() {
    let error = RequestError::new(ErrorKind::ProviderStalled, "silent");
    let mut writer = EventWriter::new(context());
    let mut out = Vec::new();
    for event in [started(), text("a")] {
        writer.write(&event, &mut out);
    }
    out.extend_from_slice(&writer.error_event(&error));
    let events = parse(&out);
    let last = events.last().unwrap();
    assert_eq!(last["type"], "response.failed");
    let response = &last["response"];
    assert_eq!(
        (&response["status"], &response["id"]),
        (&json!("failed"), &json!("resp_1"))
    );
    assert_eq!(
        response["error"],
        json!({"code": "provider_stalled", "message": "silent"})
    );
    assert_eq!(
        response["metadata"],
        json!({"a": "b", "ferrogate_request_id": "0198-ab"})
    );
    assert_eq!(response["temperature"], 0.5);
    // One that breaks before it has begun begins all the same.
    let unbegun = EventWriter::new(context()).error_event(&error);
    let events = parse(&unbegun);
    let named: Vec<_> = events
        .iter()
        .map(|event| (event["type"].as_str(), event["sequence_number"].as_u64()))
        .collect();
    assert_eq!(
        named,
        [
            (Some("response.created"), Some(0)),
            (Some("response.in_progress"), Some(1)),
            (Some("response.failed"), Some(2)),
        ]
    );
}

/// Any piece; calls are numbered as they begin, and state follows what it belongs to.
fn piece() -> impl Strategy<Value = u8> {
    0u8..11
}

fn events_of(pieces: &[u8]) -> Vec<Event> {
    let mut events = vec![started()];
    let mut calls: u32 = 0;
    let mut told = Vec::new();
    let mut thinks = false;
    for (at, piece) in pieces.iter().enumerate() {
        let word = format!("w{at} ");
        // Thoughts that are shown are ended by their state, which is all that tells them from a summary again.
        if thinks && *piece != 2 {
            events.push(delta(Delta::ReasoningState(opaque(Dialect::Responses))));
        }
        thinks = *piece == 2;
        match piece {
            0 => events.push(text(&word)),
            1 => events.push(refusal(&word)),
            2 => events.push(thought(&word, false)),
            3 => events.push(thought(&word, true)),
            4 => events.push(delta(Delta::ReasoningState(opaque(Dialect::Responses)))),
            5 | 6 => {
                events.push(call(calls, *piece == 6));
                calls += 1;
            }
            10 => events.extend(calls.checked_sub(1).map(call_state)),
            // All arguments of one of the last three calls, unless it has them.
            _ => {
                if let Some(index) = calls.checked_sub(u32::from(*piece) - 6)
                    && !told.contains(&index)
                {
                    told.push(index);
                    events.push(arguments(index, "{\"a\""));
                    events.push(arguments(index, ":1}"));
                }
            }
        }
    }
    if thinks {
        events.push(delta(Delta::ReasoningState(opaque(Dialect::Responses))));
    }
    events.push(finished(Finish::Stop));
    events.push(Event::Usage(Tokens::default()));
    events.push(Event::Ended);
    events
}

/// An answer without what a writer makes up, and without the state of calls, which is for a reader of requests to give
/// back.
fn told(mut answer: Answer) -> Answer {
    let of_call = |state: &Opaque| Reasoning::unseal(&state.data).is_some();
    answer.id = None;
    for choice in &mut answer.choices {
        choice.finish = Finish::Stop;
        choice.parts.retain_mut(|part| match part {
            Part::Reasoning(reasoning) => {
                reasoning.state = reasoning.state.take().filter(|state| !of_call(state));
                if let Some(state) = &mut reasoning.state {
                    state.item_id = None;
                }
                reasoning.state.is_some() || !reasoning.text.is_empty()
            }
            Part::ToolCall(call) => {
                call.state = None;
                true
            }
            _ => true,
        });
    }
    answer
}

proptest! {
    #[test]
    fn a_stream_sums_up_to_the_whole_answer_and_reads_as_what_was_written(
        pieces in proptest::collection::vec(piece(), 0..24),
    ) {
        let events = events_of(&pieces);
        let (stream, writer) = stream_of(&events);
        let parsed = parse(&stream);

        // Every item begins once, is done once, and closes the stream as it was when it was done.
        let of = |name: &str| -> Vec<(u64, Value)> {
            let mut items: Vec<_> = parsed
                .iter()
                .filter(|event| event["type"] == name)
                .map(|event| (event["output_index"].as_u64().unwrap(), event["item"].clone()))
                .collect();
            items.sort_by_key(|(index, _)| *index);
            items
        };
        let added = of("response.output_item.added");
        let done = of("response.output_item.done");
        prop_assert!(added.iter().map(|(at, _)| *at).eq(0..u64::try_from(added.len()).unwrap()));
        prop_assert_eq!(added.len(), done.len());
        let closing = &parsed.last().unwrap()["response"];
        let output: Vec<Value> = done.into_iter().map(|(_, item)| item).collect();
        prop_assert_eq!(&closing["output"], &Value::Array(output));

        // The same answer, not streamed, is the same response.
        let whole: Value = serde_json::from_slice(&write_answer(writer.answer(), &context())).unwrap();
        prop_assert_eq!(closing, &whole);

        // And a reader of the stream hears the same answer.
        let mut reader = EventReader::new(context());
        let mut heard = Vec::new();
        for event in std::str::from_utf8(&stream).unwrap().split_inclusive("\n\n") {
            reader.read(event.as_bytes(), &mut heard).unwrap();
        }
        let mut assembly = Assembly::default();
        for event in &heard {
            assembly.take(event);
        }
        prop_assert!(reader.may_end_here());
        prop_assert_eq!(told(assembly.into_answer()), told(writer.answer().clone()));
    }
}

#[test]
fn a_conversation_without_echo_is_answered_too() {
    let context = AnswerContext {
        conversation: Arc::new(Conversation::new(Dialect::Responses)),
        ..Arc::into_inner(context()).unwrap()
    };
    let events = parse(&EventWriter::new(Arc::new(context)).close());
    assert_eq!(names(&events), ["created", "in_progress", "completed"]);
}
