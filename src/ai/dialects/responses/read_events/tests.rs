use ferrogate_api::Tokens;
use serde_json::json;

use super::*;
use crate::ai::conversation::{Conversation, Finish, Opaque, OpaqueKind, Tool, ToolKind};
use crate::ai::dialects::Dialect;
use crate::error::ErrorKind;

fn reader() -> EventReader {
    let mut conversation = Conversation::new(Dialect::Chat);
    conversation.tools.push(Tool {
        name: "patch".into(),
        description: None,
        kind: ToolKind::Custom { format: None },
    });
    EventReader::new(Arc::new(AnswerContext {
        request_id: "0198-ab".into(),
        created_unix: 7,
        model: "m".into(),
        response_id: "resp_1".into(),
        wants_usage_event: false,
        conversation: Arc::new(conversation),
    }))
}

fn read(events: &[Value]) -> Vec<Event> {
    let mut reader = reader();
    let mut out = Vec::new();
    for event in events {
        let event = format!("event: x\ndata: {event}\n\n");
        reader.read(event.as_bytes(), &mut out).unwrap();
    }
    out
}

/// What is told between the beginning and the end of a stream of `events`.
fn deltas(events: Vec<Value>) -> Vec<Delta> {
    let mut all =
        vec![json!({"type": "response.created", "response": {"id": "resp_9", "model": "m-2"}})];
    all.extend(events);
    all.push(
        json!({"type": "response.completed", "response": {"status": "completed", "output": []}}),
    );
    read(&all)
        .into_iter()
        .filter_map(|event| match event {
            Event::Delta { choice: 0, delta } => Some(delta),
            Event::Delta { .. } | Event::Failed(_) => panic!("{event:?}"),
            Event::Started { .. } | Event::Usage(_) | Event::Finished { .. } | Event::Ended => None,
        })
        .collect()
}

fn text(text: &str) -> Delta {
    Delta::Text(text.into())
}

fn thought(text: &str, summary: bool) -> Delta {
    Delta::Reasoning {
        text: text.into(),
        summary,
    }
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

fn state(kind: OpaqueKind, data: &str) -> Delta {
    Delta::ReasoningState(Opaque {
        origin: Dialect::Responses,
        kind,
        data: data.into(),
        item_id: Some("rs_1".into()),
    })
}

fn added(output_index: u64, item: Value) -> Value {
    json!({"type": "response.output_item.added", "output_index": output_index, "item": item})
}

fn done(output_index: u64, item: Value) -> Value {
    json!({"type": "response.output_item.done", "output_index": output_index, "item": item})
}

fn function(id: &str, arguments: &str) -> Value {
    json!({"type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": "f", "arguments": arguments})
}

fn message(content: Value) -> Value {
    json!({"type": "message", "id": "msg_1", "role": "assistant", "content": content})
}

#[test]
fn a_whole_stream_is_read_from_its_beginning_to_its_end() {
    let events = read(&[
        json!({"type": "response.created", "sequence_number": 0, "response": {"id": "resp_9", "model": "m-2", "status": "in_progress", "output": [], "usage": null, "error": null}}),
        json!({"type": "response.in_progress", "sequence_number": 1, "response": {"id": "resp_9", "model": "m-2"}}),
        added(
            0,
            json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "en"}),
        ),
        json!({"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 0, "part": {"type": "summary_text", "text": ""}}),
        json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "h", "obfuscation": "xyz"}),
        json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "m"}),
        json!({"type": "response.reasoning_summary_text.done", "output_index": 0, "summary_index": 0, "text": "hm"}),
        json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 1, "delta": "so"}),
        done(
            0,
            json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}, {"type": "summary_text", "text": "so"}], "encrypted_content": "enc"}),
        ),
        added(1, message(json!([]))),
        json!({"type": "response.content_part.added", "output_index": 1, "content_index": 0, "part": {"type": "output_text", "text": ""}}),
        json!({"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "He", "logprobs": []}),
        json!({"type": "response.output_text.annotation.added", "output_index": 1, "content_index": 0, "annotation": {}}),
        json!({"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": "y"}),
        json!({"type": "response.output_text.done", "output_index": 1, "content_index": 0, "text": "Hey"}),
        json!({"type": "response.content_part.done", "output_index": 1, "content_index": 0, "part": {"type": "output_text", "text": "Hey"}}),
        done(1, message(json!([{"type": "output_text", "text": "Hey"}]))),
        json!({"type": "response.completed", "response": {"id": "resp_9", "status": "completed", "output": [
            {"type": "reasoning", "id": "rs_1", "summary": [{"text": "hm"}], "encrypted_content": "enc"},
            message(json!([{"type": "output_text", "text": "Hey"}]))],
            "usage": {"input_tokens": 3, "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 1}}}}),
        json!({"type": "response.output_text.delta", "output_index": 1, "delta": "late"}),
    ]);
    let delta = |delta| Event::Delta { choice: 0, delta };
    assert_eq!(
        events,
        [
            Event::Started {
                id: Some("resp_9".into()),
                model: Some("m-2".into()),
            },
            delta(thought("h", true)),
            delta(thought("m", true)),
            delta(thought("\n\n", true)),
            delta(thought("so", true)),
            delta(state(OpaqueKind::Encrypted, "enc")),
            delta(text("He")),
            delta(text("y")),
            Event::Usage(Tokens {
                input: 3,
                output: 2,
                reasoning: 1,
                ..Tokens::default()
            }),
            Event::Finished {
                choice: 0,
                finish: Finish::Stop,
            },
            Event::Ended,
        ]
    );
}

#[test]
fn parallel_calls_are_told_apart_by_their_output_index() {
    let piece = |output_index: u64, delta: &str| json!({"type": "response.function_call_arguments.delta", "output_index": output_index, "delta": delta});
    let whole = |output_index: u64, arguments: &str| json!({"type": "response.function_call_arguments.done", "output_index": output_index, "arguments": arguments});
    assert_eq!(
        deltas(vec![
            added(4, function("a", "")),
            added(7, function("b", "")),
            piece(4, "{\"x\""),
            piece(7, "{}"),
            piece(4, ":1}"),
            whole(7, "{}"),
            whole(4, "{\"x\":1}"),
            done(4, function("a", "{\"x\":1}")),
            done(7, function("b", "{}")),
        ]),
        [
            call(0, "a", "f", false),
            call(1, "b", "f", false),
            arguments(0, "{\"x\""),
            arguments(1, "{}"),
            arguments(0, ":1}"),
        ]
    );
}

#[test]
fn arguments_are_taken_from_the_first_event_that_has_them_and_from_no_other() {
    let said = [call(0, "a", "f", false), arguments(0, "{\"x\":1}")];
    let json = "{\"x\":1}";
    let whole = |arguments: &str| json!({"type": "response.function_call_arguments.done", "output_index": 0, "arguments": arguments});
    let piece =
        json!({"type": "response.function_call_arguments.delta", "output_index": 0, "delta": json});
    let closing =
        json!({"type": "response.completed", "response": {"output": [function("a", json)]}});
    for events in [
        // Only in the event that says they are done.
        vec![
            added(0, function("a", "")),
            whole(json),
            done(0, function("a", json)),
        ],
        // Only in the item, at its end.
        vec![added(0, function("a", "")), done(0, function("a", json))],
        vec![
            added(0, function("a", "")),
            whole(""),
            done(0, function("a", json)),
        ],
        vec![done(0, function("a", json))],
        // From its beginning on, and again at its end.
        vec![
            added(0, function("a", json)),
            done(0, function("a", json)),
            done(0, function("a", json)),
        ],
        // Before the item was named.
        vec![piece.clone(), added(0, function("a", ""))],
        vec![whole(json), done(0, function("a", ""))],
        // Only in the closing event.
        vec![closing.clone()],
        vec![added(0, function("a", "")), closing],
    ] {
        assert_eq!(deltas(events.clone()), said, "{events:?}");
    }
    // Never.
    assert_eq!(
        deltas(vec![added(0, function("a", ""))]),
        [call(0, "a", "f", false), arguments(0, "{}")]
    );
    // As an object, from a server that does not know better, and with no id at all.
    let odd = json!({"type": "function_call", "name": "f", "arguments": {"x": 1}});
    assert_eq!(
        deltas(vec![done(0, odd)]),
        [call(0, "call_0198ab_0", "f", false), arguments(0, json)]
    );
}

#[test]
fn custom_tools_are_called_with_free_text_and_stand_ins_are_turned_back() {
    let custom = |input: &str| json!({"type": "custom_tool_call", "id": "ctc_1", "call_id": "a", "name": "patch", "input": input});
    let stand_in = |arguments: &str| json!({"type": "function_call", "id": "fc_1", "call_id": "a", "name": "patch", "arguments": arguments});
    let piece = |name: &str, delta: &str| json!({"type": format!("response.{name}.delta"), "output_index": 0, "delta": delta});
    let input = "custom_tool_call_input";
    assert_eq!(
        deltas(vec![
            added(0, custom("")),
            piece(input, "*** "),
            piece(input, "x"),
            json!({"type": "response.custom_tool_call_input.done", "output_index": 0, "input": "*** x"}),
            done(0, custom("*** x")),
        ]),
        [
            call(0, "a", "patch", true),
            arguments(0, "*** "),
            arguments(0, "x")
        ]
    );
    assert_eq!(
        deltas(vec![added(0, custom("")), done(0, custom("*** x"))]),
        [call(0, "a", "patch", true), arguments(0, "*** x")]
    );
    assert_eq!(
        deltas(vec![done(0, custom(""))]),
        [call(0, "a", "patch", true)]
    );
    let pieces = ["{\"input\":\"*** ", "x\"}"].map(|delta| piece("function_call_arguments", delta));
    let [first, second] = pieces;
    let whole = [call(0, "a", "patch", true), arguments(0, "*** x")];
    assert_eq!(
        deltas(vec![
            added(0, stand_in("")),
            first.clone(),
            second.clone(),
            done(0, stand_in("{\"input\":\"*** x\"}")),
        ]),
        whole
    );
    assert_eq!(deltas(vec![added(0, stand_in("")), first, second]), whole);
}

#[test]
fn text_and_refusals_that_were_never_streamed_are_taken_from_the_item() {
    let content = json!([{"type": "output_text", "text": "a"}, {"type": "refusal", "refusal": "no"}, {"type": "output_text", "text": "b"}]);
    let said = [text("a"), Delta::Refusal("no".into()), text("b")];
    assert_eq!(deltas(vec![done(0, message(content.clone()))]), said);
    assert_eq!(
        deltas(vec![
            json!({"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "a"}),
            json!({"type": "response.refusal.done", "output_index": 0, "content_index": 1, "refusal": "no"}),
            done(0, message(content)),
        ]),
        said
    );
}

#[test]
fn messages_and_thoughts_that_follow_each_other_are_paragraphs() {
    let say = |name: &str, output_index: u64, content_index: u64| json!({"type": format!("response.{name}.delta"), "output_index": output_index, "content_index": content_index, "delta": "x"});
    assert_eq!(
        deltas(vec![
            say("output_text", 0, 0),
            say("output_text", 0, 1),
            say("output_text", 1, 0)
        ]),
        [text("x"), text("x"), text("\n\n"), text("x")]
    );
    let x = thought("x", false);
    assert_eq!(
        deltas(vec![
            say("reasoning_text", 0, 0),
            say("reasoning_text", 1, 0)
        ]),
        [x.clone(), thought("\n\n", false), x.clone()]
    );
    // Thoughts that are shown are wanted back as they are, and that ends them.
    let item = json!({"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "x"}]});
    assert_eq!(
        deltas(vec![
            say("reasoning_text", 0, 0),
            done(0, item),
            say("reasoning_text", 1, 0)
        ]),
        [x.clone(), state(OpaqueKind::Text, ""), x]
    );
}

#[test]
fn servers_that_leave_out_indices_or_change_ids_are_understood() {
    let piece = |item_id: &str| json!({"type": "response.function_call_arguments.delta", "item_id": item_id, "delta": "{}"});
    let begin = |id: &str| json!({"type": "response.output_item.added", "item": function(id, "")});
    assert_eq!(
        deltas(vec![
            begin("a"),
            begin("b"),
            piece("fc_a"),
            piece("fc_unknown")
        ]),
        [
            call(0, "a", "f", false),
            call(1, "b", "f", false),
            arguments(0, "{}"),
            arguments(1, "{}"),
        ]
    );
    // The index is right, the ids are not.
    let mut odd = piece("other");
    odd["output_index"] = json!(0);
    assert_eq!(
        deltas(vec![
            added(0, function("a", "")),
            odd,
            done(0, function("a", "{}"))
        ]),
        [call(0, "a", "f", false), arguments(0, "{}")]
    );
}

#[test]
fn the_closing_event_says_how_it_ended() {
    let check = |closing: Value, expected: Finish| {
        let events = read(std::slice::from_ref(&closing));
        let finish = events.iter().find_map(|event| match event {
            Event::Finished { choice: 0, finish } => Some(finish.clone()),
            _ => None,
        });
        assert_eq!(finish, Some(expected), "{closing}");
        assert!(matches!(events.first(), Some(Event::Started { .. })));
        assert_eq!(events.last(), Some(&Event::Ended));
    };
    let of = |name: &str, response: Value| json!({"type": format!("response.{name}"), "response": response});
    check(
        of("completed", json!({"status": "completed"})),
        Finish::Stop,
    );
    check(
        of("completed", json!({"output": [function("a", "{}")]})),
        Finish::ToolCalls,
    );
    let refusal = message(json!([{"type": "refusal", "refusal": "no"}]));
    check(
        of("completed", json!({"output": [refusal]})),
        Finish::Refusal,
    );
    check(json!({"type": "response.incomplete"}), Finish::Length);
    let filter =
        json!({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}});
    check(of("incomplete", filter), Finish::ContentFilter);
}

#[test]
fn every_way_of_failing_is_seen_and_nothing_after_it() {
    let fault = json!({"code": "rate_limit_exceeded", "message": "slow"});
    for event in [
        json!({"type": "response.failed", "response": {"status": "failed", "error": fault}}),
        json!({"type": "response.completed", "response": {"status": "failed", "error": fault}}),
        json!({"type": "error", "code": "rate_limit_exceeded", "message": "slow", "param": null, "sequence_number": 1}),
        json!({"type": "error", "error": fault}),
        json!({"error": fault}),
    ] {
        let events = read(&[
            event.clone(),
            json!({"type": "response.output_text.delta", "delta": "x"}),
        ]);
        let [Event::Failed(error)] = &*events else {
            panic!("{event}: {events:?}");
        };
        assert_eq!((error.status(), &*error.message), (429, "slow"));
    }
    let silent = read(&[json!({"type": "response.failed"})]);
    assert!(matches!(&*silent, [Event::Failed(error)] if error.status() == 502));
}

#[test]
fn what_is_no_event_of_this_api_is_a_protocol_error_and_what_is_new_is_passed_over() {
    let mut out = Vec::new();
    for data in [
        "{\"type\":",
        "[]",
        "{}",
        "7",
        r#"{"type":"response.output_item.done"}"#,
        r#"{"type":"response.output_item.done","item":{"type":"function_call","call_id":"a"}}"#,
    ] {
        let event = format!("data: {data}\n\n");
        let error = reader().read(event.as_bytes(), &mut out).unwrap_err();
        assert_eq!(error.kind, ErrorKind::ProviderProtocolError, "{data}");
    }
    let mut reader = reader();
    out.clear();
    for event in [
        ": ping\n\n",
        "event: keepalive\n\n",
        "data: [DONE]\n\n",
        "data: {\"type\":\"response.web_search_call.in_progress\",\"output_index\":0}\n\n",
        "data: {\"type\":\"response.new_thing.delta\",\"delta\":{\"a\":1}}\n\n",
        "data: {\"type\":\"keepalive\"}\n\n",
    ] {
        reader.read(event.as_bytes(), &mut out).unwrap();
    }
    assert!(out.is_empty(), "{out:?}");
    assert!(!reader.may_end_here());
    let item = format!(
        "data: {}\n\n",
        done(0, json!({"type": "web_search_call", "id": "ws_1"}))
    );
    reader.read(item.as_bytes(), &mut out).unwrap();
    assert!(matches!(
        &*out,
        [Event::Started {
            id: None,
            model: None
        }]
    ));
}
