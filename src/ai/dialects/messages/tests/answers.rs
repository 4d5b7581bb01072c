//! Answers that are not streamed.

use ferrogate_api::Tokens;
use serde_json::{Value, json};

use super::*;
use crate::ai::conversation::{Answer, Choice, Finish, Reasoning};
use crate::ai::dialects::messages::{read_answer, write_answer};
use crate::error::ErrorKind;

fn thought(text: &str, state: Option<Opaque>) -> Part {
    Part::Reasoning(Reasoning {
        text: text.into(),
        summary: true,
        state,
    })
}

fn answer(parts: Vec<Part>, finish: Finish) -> Answer {
    Answer {
        choices: vec![Choice { parts, finish }],
        ..Answer::default()
    }
}

/// What a client of this dialect gets.
fn given(answer: &Answer) -> Value {
    json(&write_answer(
        answer,
        &context(conversation(Dialect::Messages)),
    ))
}

#[test]
fn every_block_of_an_answer_is_read() {
    let body = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-x",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "RXE="},
            {"type": "redacted_thinking", "data": "ZW5j"},
            {"type": "text", "text": "Hi.", "citations": null},
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": [1, 2]}},
            {"type": "tool_use", "id": "t2", "name": "patch", "input": {"input": "*** Begin"}},
        ],
        "stop_reason": "tool_use", "stop_sequence": null,
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 2, "output_tokens": 3},
    });
    let mut asked = conversation(Dialect::Chat);
    asked.tools = vec![function("f"), custom("patch")];
    let read = read_answer(body.to_string().as_bytes(), &context(asked)).unwrap();
    let own = |kind, data: &str| Some(opaque(Dialect::Messages, kind, data));
    let mut patch = call("t2", "patch", "*** Begin");
    patch.custom = true;
    let redacted = Reasoning {
        state: own(OpaqueKind::Encrypted, "ZW5j"),
        ..Reasoning::default()
    };
    assert_eq!(
        read,
        Answer {
            id: Some("msg_1".into()),
            model: Some("claude-x".into()),
            choices: vec![Choice {
                parts: vec![
                    thought("hm", own(OpaqueKind::Signature, "RXE=")),
                    Part::Reasoning(redacted),
                    Part::Text("Hi.".into()),
                    Part::ToolCall(call("t1", "f", r#"{"a":[1,2]}"#)),
                    Part::ToolCall(patch),
                ],
                finish: Finish::ToolCalls,
            }],
            usage: Some(Tokens {
                input: 7,
                output: 3,
                cache_read: 2,
                ..Tokens::default()
            }),
        }
    );
}

#[test]
fn an_error_in_the_place_of_an_answer_is_the_providers_and_nonsense_a_protocol_error() {
    let read = |body: &str| {
        let context = context(conversation(Dialect::Chat));
        read_answer(body.as_bytes(), &context).unwrap_err()
    };
    let error =
        read(r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#);
    assert_eq!(
        (error.kind, error.status()),
        (ErrorKind::ProviderError, 529)
    );
    for body in ["", "[]", "{}", r#"{"type":"message","content":7}"#] {
        assert_eq!(read(body).kind, ErrorKind::ProviderProtocolError, "{body}");
    }
}

#[test]
fn a_written_answer_has_every_field_that_sdks_promise() {
    let mut answer = answer(vec![Part::Text("Hi.".into())], Finish::Stop);
    answer.usage = Some(Tokens {
        input: 10,
        output: 4,
        cache_read: 3,
        cache_write: 2,
        reasoning: 1,
    });
    assert_eq!(
        given(&answer),
        json!({
            "id": "msg_0190abcd", "type": "message", "role": "assistant", "model": "claude-test",
            "content": [{"type": "text", "text": "Hi."}],
            "stop_reason": "end_turn", "stop_sequence": null, "stop_details": null, "container": null,
            "usage": {"input_tokens": 5, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 2,
                "output_tokens": 4, "output_tokens_details": {"thinking_tokens": 1}, "server_tool_use": null},
        })
    );
    answer.id = Some("chatcmpl-1".into());
    answer.model = Some("gpt-x".into());
    let body = given(&answer);
    assert_eq!(
        (&body["id"], &body["model"]),
        (&json!("msg_chatcmpl-1"), &json!("gpt-x"))
    );
    answer.id = Some("msg_1".into());
    assert_eq!(given(&answer)["id"], "msg_1");
}

#[test]
fn every_part_has_a_block() {
    let foreign = opaque(Dialect::Gemini, OpaqueKind::Signature, "c2ln");
    let mut stated = call("t1", "f", r#"{"a":1}"#);
    stated.state = Some(foreign.clone());
    let mut free = call("t2", "patch", "x");
    free.custom = true;
    let body = given(&answer(
        vec![
            thought(
                "hm",
                Some(opaque(Dialect::Messages, OpaqueKind::Signature, "RXE=")),
            ),
            thought("huh", Some(foreign.clone())),
            Part::Text(String::new()),
            Part::ToolCall(stated),
            Part::ToolCall(free),
            Part::ToolCall(call("t3", "cut", r#"{"a":"#)),
            Part::ToolCall(call("t4", "none", "")),
        ],
        Finish::Stop,
    ));
    let blocks = &body["content"];
    assert_eq!(
        blocks[0],
        json!({"type": "thinking", "thinking": "hm", "signature": "RXE="})
    );
    assert_eq!(blocks[1]["thinking"], "huh");
    let sealed = Reasoning::unseal(blocks[1]["signature"].as_str().unwrap()).unwrap();
    assert_eq!(sealed.state, Some(foreign.clone()));
    let of_call = Opaque::unseal(blocks[2]["data"].as_str().unwrap()).unwrap();
    assert_eq!(of_call.item_id.as_deref(), Some("t1"));
    assert_eq!(of_call.data, foreign.data);
    let tool_use = |id: &str, name: &str, input: Value| json!({"type": "tool_use", "id": id, "name": name, "input": input});
    assert_eq!(blocks[3], tool_use("t1", "f", json!({"a": 1})));
    assert_eq!(blocks[4], tool_use("t2", "patch", json!({"input": "x"})));
    assert_eq!(
        blocks[5],
        tool_use("t3", "cut", json!({"input": "{\"a\":"}))
    );
    assert_eq!(blocks[6], tool_use("t4", "none", json!({})));
    assert_eq!(body["stop_reason"], "tool_use");
}

#[test]
fn no_state_is_the_last_block_of_an_answer_that_says_something() {
    let lone = || {
        let state = opaque(Dialect::Gemini, OpaqueKind::Signature, "c2ln");
        thought("", Some(state))
    };
    let text = || Part::Text("Hi.".into());
    let check = |parts: Vec<Part>, expected: &[&str]| {
        let body = given(&answer(parts, Finish::Stop));
        let blocks = body["content"].as_array().unwrap().iter();
        let kinds: Vec<&str> = blocks.filter_map(|block| block["type"].as_str()).collect();
        assert_eq!(kinds, expected);
    };
    check(vec![text(), lone(), lone()], &["text"]);
    check(vec![lone(), text()], &["redacted_thinking", "text"]);
    check(vec![lone()], &["redacted_thinking"]);
    let mut stated = call("t1", "f", "{}");
    stated.state = Some(opaque(Dialect::Gemini, OpaqueKind::Signature, "c2ln"));
    check(
        vec![text(), lone(), Part::ToolCall(stated), lone()],
        &["text", "redacted_thinking", "redacted_thinking", "tool_use"],
    );
}

#[test]
fn a_refusal_is_text_with_its_own_stop_reason() {
    let body = given(&answer(vec![Part::Refusal("No.".into())], Finish::Stop));
    assert_eq!(body["content"], json!([{"type": "text", "text": "No."}]));
    assert_eq!(body["stop_reason"], "refusal");
    let empty = given(&Answer::default());
    assert_eq!(empty["content"], json!([]));
    assert_eq!(empty["stop_reason"], "end_turn");
}
