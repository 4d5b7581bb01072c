use std::sync::Arc;

use super::super::read_answer::read_answer;
use super::super::read_request::read_request;
use super::*;
use crate::ai::conversation::{
    Choice, Conversation, Opaque, OpaqueKind, Part, Reasoning, ToolCall,
};
use crate::ai::dialects::Dialect;

fn context(conversation: Conversation) -> AnswerContext {
    AnswerContext {
        request_id: "0198-ab".into(),
        created_unix: 7,
        model: "m".into(),
        response_id: "resp_1".into(),
        wants_usage_event: false,
        conversation: Arc::new(conversation),
    }
}

fn plain() -> AnswerContext {
    context(Conversation::new(Dialect::Responses))
}

fn answer(parts: Vec<Part>, finish: Finish) -> Answer {
    Answer {
        id: Some("chatcmpl-1".into()),
        model: Some("m-2".into()),
        choices: vec![Choice { parts, finish }],
        usage: Some(Tokens {
            input: 9,
            output: 5,
            cache_read: 4,
            cache_write: 2,
            reasoning: 3,
        }),
    }
}

fn write(answer: &Answer, context: &AnswerContext) -> Value {
    serde_json::from_slice(&write_answer(answer, context)).unwrap()
}

fn state(origin: Dialect, item_id: Option<&str>) -> Opaque {
    Opaque {
        origin,
        kind: OpaqueKind::Signature,
        data: "sig".into(),
        item_id: item_id.map(Into::into),
    }
}

fn call(id: &str, custom: bool, state: Option<Opaque>) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "f".into(),
        arguments: String::new(),
        custom,
        state,
    })
}

#[test]
fn a_response_has_every_field_and_says_the_defaults_where_the_request_said_nothing() {
    let answer = answer(vec![Part::Text("Hi".into())], Finish::Stop);
    assert_eq!(
        write(&answer, &plain()),
        json!({
            "id": "resp_1", "object": "response", "created_at": 7, "status": "completed", "error": null,
            "incomplete_details": null, "model": "m-2",
            "output": [{"type": "message", "id": "msg_0198ab_0", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}]}],
            "background": false, "instructions": null, "max_output_tokens": null, "max_tool_calls": null,
            "parallel_tool_calls": true, "previous_response_id": null, "prompt_cache_key": null,
            "prompt_cache_retention": null, "reasoning": {"effort": null, "summary": null}, "safety_identifier": null,
            "service_tier": null, "store": true, "temperature": null, "text": {"format": {"type": "text"}},
            "tool_choice": "auto", "tools": [], "top_logprobs": null, "top_p": null, "truncation": "disabled",
            "user": null, "metadata": {},
            "usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
                "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 14},
        })
    );
}

#[test]
fn a_response_repeats_its_request() {
    let request = json!({
        "model": "alias", "input": "hi", "stream": false, "instructions": "be brief", "store": false, "temperature": 0.5,
        "tools": [{"type": "web_search"}], "tool_choice": "none", "metadata": {"a": "b"}, "user": "u",
        "reasoning": {"effort": "low"}, "text": {"verbosity": "low"}, "previous_response_id": "resp_0",
    });
    let conversation = read_request(request.to_string().as_bytes()).unwrap();
    let written = write(&Answer::default(), &context(conversation));
    for (name, value) in request.as_object().unwrap() {
        match name.as_str() {
            "model" => assert_eq!(
                written["model"], "m",
                "the provider's name, not the client's"
            ),
            "input" | "stream" => assert_eq!(written.get(name), None),
            _ => assert_eq!(&written[name], value, "{name}"),
        }
    }
    assert_eq!(
        (&written["output"], &written["usage"]),
        (&json!([]), &Value::Null)
    );
}

#[test]
fn every_ending_has_its_status() {
    let check = |finish: Finish, status: &str, reason: Value, item: &str| {
        let parts = vec![
            Part::Text("a".into()),
            call("call_1", false, None),
            Part::Text("b".into()),
        ];
        let written = write(&answer(parts, finish), &plain());
        assert_eq!(written["status"], status);
        assert_eq!(written["incomplete_details"], reason);
        assert_eq!(written["output"][0]["status"], "completed");
        assert_eq!(written["output"][1]["status"], "completed");
        assert_eq!(written["output"][2]["status"], item);
    };
    check(Finish::Stop, "completed", Value::Null, "completed");
    check(Finish::ToolCalls, "completed", Value::Null, "completed");
    check(
        Finish::Other("odd".into()),
        "completed",
        Value::Null,
        "completed",
    );
    let length = json!({"reason": "max_output_tokens"});
    check(Finish::Length, "incomplete", length.clone(), "incomplete");
    check(Finish::ContextWindow, "incomplete", length, "incomplete");
    let filter = json!({"reason": "content_filter"});
    check(Finish::ContentFilter, "incomplete", filter, "incomplete");
}

#[test]
fn items_are_told_apart_as_this_dialect_does() {
    let thought = |text: &str, summary, state| {
        Part::Reasoning(Reasoning {
            text: text.into(),
            summary,
            state,
        })
    };
    let foreign = Reasoning {
        text: "hm".into(),
        summary: false,
        state: Some(state(Dialect::Messages, None)),
    };
    let text_state = Opaque {
        kind: OpaqueKind::Text,
        data: String::new(),
        ..state(Dialect::Responses, None)
    };
    let of_call = state(Dialect::Gemini, None);
    let written = write(
        &answer(
            vec![
                Part::Reasoning(foreign.clone()),
                thought("s", true, Some(state(Dialect::Responses, Some("rs_x")))),
                thought("t", false, Some(text_state)),
                thought("", false, Some(state(Dialect::Responses, None))),
                Part::Text("a".into()),
                Part::Refusal("no".into()),
                Part::Text("b".into()),
                call("call_1", false, Some(of_call.clone())),
                call("call_2", true, None),
            ],
            Finish::ToolCalls,
        ),
        &plain(),
    );
    let text = |text: &str| json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []});
    let sealed_call = Opaque {
        item_id: Some("call_1".into()),
        ..of_call
    };
    assert_eq!(
        written["output"],
        json!([
            {"type": "reasoning", "id": "rs_0198ab_0", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}],
                "encrypted_content": foreign.sealed()},
            {"type": "reasoning", "id": "rs_x", "summary": [{"type": "summary_text", "text": "s"}], "encrypted_content": "sig"},
            {"type": "reasoning", "id": "rs_0198ab_2", "summary": [], "content": [{"type": "reasoning_text", "text": "t"}]},
            {"type": "reasoning", "id": "rs_0198ab_3", "summary": [], "encrypted_content": "sig"},
            {"type": "message", "id": "msg_0198ab_4", "role": "assistant", "status": "completed",
                "content": [text("a"), {"type": "refusal", "refusal": "no"}, text("b")]},
            {"type": "function_call", "id": "fc_0198ab_5", "status": "completed", "call_id": "call_1", "name": "f", "arguments": "{}"},
            {"type": "custom_tool_call", "id": "ctc_0198ab_6", "status": "completed", "call_id": "call_2", "name": "f", "input": ""},
            {"type": "reasoning", "id": "rs_0198ab_7", "summary": [], "encrypted_content": sealed_call.sealed()},
        ])
    );
}

#[test]
fn a_client_that_sends_an_answer_back_gives_back_all_of_it() {
    let parts = vec![
        Part::Reasoning(Reasoning {
            text: "hm".into(),
            summary: true,
            state: Some(state(Dialect::Messages, None)),
        }),
        Part::Text("a".into()),
        Part::ToolCall(ToolCall {
            id: "call_1".into(),
            name: "f".into(),
            arguments: "{\"a\":1}".into(),
            custom: false,
            state: Some(state(Dialect::Gemini, None)),
        }),
        call("call_2", true, None),
    ];
    let written = write(&answer(parts.clone(), Finish::ToolCalls), &plain());
    let request = json!({"model": "m", "input": written["output"]});
    let conversation = read_request(request.to_string().as_bytes()).unwrap();
    assert_eq!(conversation.messages.len(), 1);
    assert_eq!(conversation.messages[0].parts, parts);
}

#[test]
fn an_answer_that_is_written_reads_as_the_same() {
    let context = plain();
    let original = answer(
        vec![
            Part::Reasoning(Reasoning {
                text: "hm".into(),
                summary: true,
                state: Some(Opaque {
                    kind: OpaqueKind::Encrypted,
                    ..state(Dialect::Responses, Some("rs_1"))
                }),
            }),
            Part::Text("a".into()),
            Part::Refusal("no".into()),
        ],
        Finish::Length,
    );
    let again = read_answer(&write_answer(&original, &context), &context).unwrap();
    let expected = Answer {
        id: Some("resp_1".into()),
        ..original
    };
    assert_eq!(again, expected);
}
