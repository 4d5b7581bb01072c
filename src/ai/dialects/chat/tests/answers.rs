//! Whole answers.

use ferrogate_api::Tokens;
use serde_json::{Value, json};

use super::{context, context_of, plain, thought, with_custom_tool};
use crate::ai::conversation::{
    Answer, Choice, Finish, Opaque, OpaqueKind, Part, Reasoning, ToolCall,
};
use crate::ai::dialects::Dialect;
use crate::ai::dialects::chat::{read_answer, write_answer};
use crate::error::ErrorKind;

fn read(message: Value, finish_reason: &str) -> Choice {
    let body = json!({
        "id": "c1", "model": "served",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
    });
    let answer = read_answer(body.to_string().as_bytes(), &context()).unwrap();
    answer.choices.into_iter().next().unwrap()
}

fn call(id: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "look".into(),
        arguments: arguments.into(),
        ..ToolCall::default()
    })
}

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn answer(parts: Vec<Part>, finish: Finish) -> Answer {
    Answer {
        id: Some("msg_1".into()),
        model: Some("served".into()),
        choices: vec![Choice { parts, finish }],
        usage: None,
    }
}

#[test]
fn an_answer_of_openais_is_read_whole() {
    let body = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "served",
        "choices": [
            {"index": 1, "message": {"role": "assistant", "content": "two", "refusal": null, "annotations": []},
             "logprobs": null, "finish_reason": "length"},
            {"index": 0, "message": {"role": "assistant", "content": null, "refusal": null, "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{\"at\": 1}"}},
                {"id": "call_2", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}},
             ]}, "finish_reason": "tool_calls"},
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21,
                  "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
                  "completion_tokens_details": {"reasoning_tokens": 3, "audio_tokens": 0}},
        "service_tier": "default", "system_fingerprint": "fp",
    });
    let found = read_answer(body.to_string().as_bytes(), &context()).unwrap();
    let custom = Part::ToolCall(ToolCall {
        id: "call_2".into(),
        name: "patch".into(),
        arguments: "*** Begin".into(),
        custom: true,
        state: None,
    });
    let expected = Answer {
        id: Some("chatcmpl-1".into()),
        model: Some("served".into()),
        choices: vec![
            Choice {
                parts: vec![call("call_1", "{\"at\": 1}"), custom],
                finish: Finish::ToolCalls,
            },
            Choice {
                parts: vec![text("two")],
                finish: Finish::Length,
            },
        ],
        usage: Some(Tokens {
            input: 9,
            output: 12,
            cache_read: 4,
            cache_write: 0,
            reasoning: 3,
        }),
    };
    assert_eq!(found, expected);
}

#[test]
fn what_compatible_servers_say_is_read() {
    let check = |message: Value, word: &str, parts: Vec<Part>, finish: Finish| {
        assert_eq!(
            read(message.clone(), word),
            Choice { parts, finish },
            "{message}"
        );
    };
    let made_up = "call_0197a0b1000070008000000000000001_0";
    check(
        json!({"content": "yes", "reasoning_content": "hm"}),
        "stop",
        vec![thought("hm"), text("yes")],
        Finish::Stop,
    );
    check(
        json!({"content": "yes", "reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}),
        "stop",
        vec![thought("hm"), text("yes")],
        Finish::Stop,
    );
    check(
        json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "yes"}]}),
        "stop",
        vec![thought("hm"), text("yes")],
        Finish::Stop,
    );
    check(
        json!({"content": "yes", "tool_calls": [], "reasoning": {"odd": 1}}),
        "tool_calls",
        vec![text("yes")],
        Finish::Stop,
    );
    check(
        json!({"content": "", "tool_calls": [{"id": "call_1", "function": {"name": "look", "arguments": {"at": 1}}}]}),
        "stop",
        vec![call("call_1", "{\"at\":1}")],
        Finish::ToolCalls,
    );
    check(
        json!({"content": "", "tool_calls": [{"id": "", "function": {"name": "look"}}]}),
        "stop",
        vec![call(made_up, "{}")],
        Finish::ToolCalls,
    );
    check(
        json!({"content": null, "function_call": {"name": "look", "arguments": "{}"}}),
        "function_call",
        vec![call(made_up, "{}")],
        Finish::ToolCalls,
    );
    check(
        json!({"content": null, "refusal": "no"}),
        "stop",
        vec![Part::Refusal("no".into())],
        Finish::Refusal,
    );
    check(
        json!({"content": ""}),
        "content_filter",
        vec![],
        Finish::ContentFilter,
    );
}

#[test]
fn a_signature_beside_a_call_is_its_state() {
    let message = json!({"tool_calls": [{"id": "call_1", "function": {"name": "look", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "c2ln"}}}]});
    let Part::ToolCall(found) = &read(message, "tool_calls").parts[0] else {
        unreachable!("there is nothing else");
    };
    let expected = Opaque {
        kind: OpaqueKind::Signature,
        data: "{\"google\":{\"thought_signature\":\"c2ln\"}}".into(),
        ..plain()
    };
    assert_eq!(found.state, Some(expected));
}

#[test]
fn a_call_to_a_stand_in_is_turned_back() {
    let body = json!({"choices": [{"message": {"tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "patch", "arguments": "{\"input\": \"free\"}"}},
    ]}, "finish_reason": "tool_calls"}]});
    let context = context_of(with_custom_tool());
    let found = read_answer(body.to_string().as_bytes(), &context).unwrap();
    let expected = Part::ToolCall(ToolCall {
        id: "call_1".into(),
        name: "patch".into(),
        arguments: "free".into(),
        custom: true,
        state: None,
    });
    assert_eq!(found.choices[0].parts, [expected]);
}

#[test]
fn what_is_no_answer_is_an_error() {
    let check = |body: &str, kind: ErrorKind, status: u16| {
        let error = read_answer(body.as_bytes(), &context()).unwrap_err();
        assert_eq!(
            (error.kind, error.status()),
            (kind, status),
            "{body}: {error}"
        );
    };
    let protocol = ErrorKind::ProviderProtocolError;
    check("", protocol, 502);
    check("<html>", protocol, 502);
    check("[]", protocol, 502);
    check("{}", protocol, 502);
    check(r#"{"choices":[]}"#, protocol, 502);
    check(
        r#"{"choices":[{"message":{"tool_calls":[{"id":"c","function":{"arguments":"{}"}}]}}]}"#,
        protocol,
        502,
    );
    let failed = ErrorKind::ProviderError;
    check(
        r#"{"error":{"message":"slow down","code":429}}"#,
        failed,
        429,
    );
    check(
        r#"{"object":"error","message":"bad","code":400}"#,
        failed,
        400,
    );
    check(
        r#"{"choices":[{"message":{"content":"half"},"finish_reason":"error"}]}"#,
        failed,
        502,
    );
    check(
        r#"{"choices":[{"message":{"content":""},"finish_reason":"stop","error":{"message":"gone","code":503}}]}"#,
        failed,
        503,
    );
}

#[test]
fn an_answer_is_written_as_openai_writes_it() {
    let mut said = answer(
        vec![
            thought("hm"),
            thought("so"),
            text("I "),
            text("look"),
            call("toolu_1", "{\"at\":1}"),
            Part::ToolCall(ToolCall {
                id: "toolu_2".into(),
                name: "patch".into(),
                arguments: "free".into(),
                custom: true,
                state: None,
            }),
        ],
        Finish::ToolCalls,
    );
    said.usage = Some(Tokens {
        input: 9,
        output: 12,
        cache_read: 4,
        cache_write: 2,
        reasoning: 3,
    });
    let found: Value = serde_json::from_slice(&write_answer(&said, &context())).unwrap();
    assert_eq!(
        found,
        json!({
            "id": "chatcmpl-msg_1", "object": "chat.completion", "created": 1_700_000_000, "model": "served",
            "choices": [{
                "index": 0,
                "message": {
                    "role": "assistant", "content": "I look", "refusal": null, "reasoning_content": "hm\n\nso",
                    "tool_calls": [
                        {"id": "toolu_1", "type": "function", "function": {"name": "look", "arguments": "{\"at\":1}"}},
                        {"id": "toolu_2", "type": "custom", "custom": {"name": "patch", "input": "free"}},
                    ],
                },
                "logprobs": null, "finish_reason": "tool_calls",
            }],
            "usage": {
                "prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21,
                "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 3},
            },
        })
    );
}

#[test]
fn an_answer_that_names_nothing_gets_its_names_from_the_request() {
    let said = Answer {
        choices: vec![Choice {
            parts: vec![],
            finish: Finish::Refusal,
        }],
        ..Answer::default()
    };
    let found: Value = serde_json::from_slice(&write_answer(&said, &context())).unwrap();
    assert_eq!(
        found,
        json!({
            "id": "chatcmpl-0197a0b1000070008000000000000001", "object": "chat.completion",
            "created": 1_700_000_000, "model": "m-1",
            "choices": [{
                "index": 0, "message": {"role": "assistant", "content": "", "refusal": null},
                "logprobs": null, "finish_reason": "content_filter",
            }],
        })
    );
}

#[test]
fn a_written_answer_is_read_as_it_was() {
    let check = |parts: Vec<Part>, finish: Finish| {
        let mut said = answer(parts, finish);
        said.id = Some("chatcmpl-1".into());
        said.choices.push(Choice {
            parts: vec![text("another")],
            finish: Finish::Length,
        });
        let found = read_answer(&write_answer(&said, &context()), &context()).unwrap();
        assert_eq!(found, said);
    };
    check(vec![text("a \"b\" ä\n")], Finish::Stop);
    check(
        vec![
            thought("hm"),
            text("a"),
            call("call_1", "{}"),
            call("call_2", "{}"),
        ],
        Finish::ToolCalls,
    );
    check(vec![Part::Refusal("no".into())], Finish::Refusal);
    check(vec![], Finish::ContentFilter);
}

#[test]
fn a_foreign_state_is_not_shown() {
    let signed = Part::Reasoning(Reasoning {
        text: "hm".into(),
        summary: false,
        state: Some(Opaque {
            origin: Dialect::Messages,
            data: "SIGNATURE".into(),
            ..plain()
        }),
    });
    let bytes = write_answer(&answer(vec![signed, text("a")], Finish::Stop), &context());
    let found = std::str::from_utf8(&bytes).unwrap();
    assert!(
        found.contains("hm") && !found.contains("SIGNATURE"),
        "{found}"
    );
}
