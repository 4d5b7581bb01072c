use std::sync::Arc;

use ferrogate_api::Tokens;
use serde_json::{Value, json};

use super::*;
use crate::ai::conversation::{Conversation, Opaque, OpaqueKind, Tool, ToolKind};
use crate::ai::dialects::Dialect;

fn context() -> AnswerContext {
    let mut conversation = Conversation::new(Dialect::Chat);
    conversation.tools.push(Tool {
        name: "patch".into(),
        description: None,
        kind: ToolKind::Custom { format: None },
    });
    AnswerContext {
        request_id: "0-1".into(),
        created_unix: 0,
        model: "m".into(),
        response_id: String::new(),
        wants_usage_event: false,
        conversation: Arc::new(conversation),
    }
}

fn read(body: &Value) -> Result<Answer, RequestError> {
    read_answer(body.to_string().as_bytes(), &context())
}

fn choices(candidates: Value) -> Vec<Choice> {
    read(&json!({"candidates": candidates})).unwrap().choices
}

fn state(data: &str, kind: OpaqueKind, item_id: Option<&str>) -> Option<Opaque> {
    Some(Opaque {
        origin: Dialect::Gemini,
        kind,
        data: data.into(),
        item_id: item_id.map(Into::into),
    })
}

#[test]
fn an_answer_has_its_id_model_and_usage() {
    let answer = read(&json!({
        "candidates": [{"content": {"role": "model", "parts": [{"text": "hi"}]}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2, "thoughtsTokenCount": 5},
        "modelVersion": "gemini-x", "responseId": "abc", "somethingNew": {},
    }))
    .unwrap();
    assert_eq!(
        answer,
        Answer {
            id: Some("abc".into()),
            model: Some("gemini-x".into()),
            choices: vec![Choice {
                parts: vec![Part::Text("hi".into())],
                finish: Finish::Stop
            }],
            usage: Some(Tokens {
                input: 3,
                output: 7,
                reasoning: 5,
                ..Tokens::default()
            }),
        }
    );
}

#[test]
fn calls_without_ids_are_numbered_over_the_whole_answer() {
    let found = choices(json!([
        {"index": 1, "content": {"parts": [{"functionCall": {"name": "f"}}]}, "finishReason": "STOP"},
        {"index": 0, "content": {"parts": [{"functionCall": {"name": "f", "args": { "a" : 1 }}},
            {"functionCall": {"id": "own", "name": "patch", "args": {"input": "text"}}}]}, "finishReason": "STOP"},
    ]));
    let call = |id: &str, name: &str, arguments: &str, custom| {
        Part::ToolCall(ToolCall {
            id: id.into(),
            name: name.into(),
            arguments: arguments.into(),
            custom,
            state: None,
        })
    };
    assert_eq!(
        found,
        [
            Choice {
                parts: vec![
                    call("call_01_1", "f", r#"{"a":1}"#, false),
                    call("own", "patch", "text", true)
                ],
                finish: Finish::ToolCalls
            },
            Choice {
                parts: vec![call("call_01_0", "f", "{}", false)],
                finish: Finish::ToolCalls
            },
        ]
    );
}

#[test]
fn thoughts_and_signatures_are_kept_in_their_order() {
    let found = choices(json!([{"content": {"parts": [
        {"text": "hm", "thought": true},
        {"text": "hi", "thoughtSignature": "AA=="},
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "BB=="},
        {"text": "", "thoughtSignature": "CC=="},
        {"text": "", "thought": true},
    ]}, "finishReason": "MAX_TOKENS"}]));
    let alone = |state| {
        Part::Reasoning(Reasoning {
            state,
            ..Reasoning::default()
        })
    };
    assert_eq!(
        found[0].parts,
        [
            Part::Reasoning(Reasoning {
                text: "hm".into(),
                summary: true,
                state: None
            }),
            Part::Text("hi".into()),
            alone(state("AA==", OpaqueKind::Signature, None)),
            Part::ToolCall(ToolCall {
                id: "call_01_0".into(),
                name: "f".into(),
                arguments: "{}".into(),
                custom: false,
                state: state("BB==", OpaqueKind::Signature, Some("call_01_0")),
            }),
            alone(state("CC==", OpaqueKind::Encrypted, None)),
        ]
    );
    assert_eq!(found[0].finish, Finish::Length);
}

#[test]
fn an_answer_that_was_filtered_is_an_answer() {
    let filtered = Choice {
        parts: Vec::new(),
        finish: Finish::ContentFilter,
    };
    for body in [
        json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 4}}),
        json!({"candidates": [{"finishReason": "SAFETY", "index": 0}]}),
        json!({"candidates": [{"finishReason": "RECITATION", "content": {"role": "model"}}]}),
    ] {
        let found = read(&body).unwrap().choices;
        assert_eq!(found, std::slice::from_ref(&filtered), "{body}");
    }
}

#[test]
fn a_picture_is_a_part() {
    let found = choices(json!([{"content": {"parts": [
        {"inlineData": {"mimeType": "image/png", "data": "QQ=="}}]}, "finishReason": "STOP"}]));
    assert!(matches!(&*found[0].parts, [Part::Image { .. }]));
}

#[test]
fn what_is_no_answer_is_an_error() {
    for (body, kind, status) in [
        ("not json", ErrorKind::ProviderProtocolError, 502),
        ("{}", ErrorKind::ProviderProtocolError, 502),
        (
            r#"{"candidates":[]}"#,
            ErrorKind::ProviderProtocolError,
            502,
        ),
        (
            r#"{"promptFeedback":{}}"#,
            ErrorKind::ProviderProtocolError,
            502,
        ),
        (
            r#"{"error":{"code":503,"message":"m"}}"#,
            ErrorKind::ProviderError,
            503,
        ),
    ] {
        let error = read_answer(body.as_bytes(), &context()).unwrap_err();
        assert_eq!((error.kind, error.status()), (kind, status), "{body}");
    }
}
