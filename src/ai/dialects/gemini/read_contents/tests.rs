use serde_json::{Value, json};

use super::*;
use crate::ai::conversation::{Media, Opaque, OpaqueKind, ToolCall};
use crate::ai::dialects::Dialect;
use crate::error::ErrorKind;

fn read_all(contents: &Value) -> Result<Conversation, RequestError> {
    let text = contents.to_string();
    let contents: Vec<Content<'_>> = serde_json::from_str(&text).unwrap();
    let mut conversation = Conversation::new(Dialect::Gemini);
    read(contents, &mut conversation)?;
    Ok(conversation)
}

fn messages(contents: Value) -> Vec<Message> {
    read_all(&contents).unwrap().messages
}

fn state(data: &str, kind: OpaqueKind) -> Opaque {
    Opaque {
        origin: Dialect::Gemini,
        kind,
        data: data.into(),
        item_id: None,
    }
}

fn call(id: &str, name: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: "{}".into(),
        ..ToolCall::default()
    })
}

fn result_ids(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .flat_map(|message| &message.parts)
        .filter_map(|part| match part {
            Part::ToolResult(result) => Some(&*result.call_id),
            _ => None,
        })
        .collect()
}

#[test]
fn turns_are_the_users_or_the_models() {
    assert_eq!(
        messages(json!([
            {"parts": [{"text": "a"}, {"inline_data": {"mime_type": "image/png", "data": "QQ=="}}]},
            {"role": "model", "parts": [{"text": "b"}]},
            {"role": "user", "parts": [{"text": "c"}]},
        ])),
        [
            Message::new(
                Role::User,
                vec![
                    Part::Text("a".into()),
                    Part::Image {
                        media: Media::Inline {
                            mime_type: "image/png".into(),
                            base64: "QQ==".into()
                        },
                        detail: None
                    }
                ]
            ),
            Message::new(Role::Assistant, vec![Part::Text("b".into())]),
            Message::new(Role::User, vec![Part::Text("c".into())]),
        ]
    );
}

#[test]
fn calls_get_ids_and_results_find_theirs() {
    let turns = messages(json!([
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [
            {"functionCall": {"name": "f"}}, {"functionCall": {"name": "g", "args": {}}},
            {"function_call": {"name": "f", "args": { "a" : 1.5 }}}, {"functionCall": {"id": "own", "name": "f"}}]},
        {"role": "function", "parts": [
            {"functionResponse": {"name": "f", "response": {"output": "first"}}},
            {"functionResponse": {"name": "f", "response": {"output": "second"}}},
            {"functionResponse": {"id": "own", "name": "f", "response": {"output": "fourth"}}},
            {"functionResponse": {"name": "g", "response": {"output": "g"}}},
            {"text": "and now"}]},
    ]));
    assert_eq!(turns.len(), 4);
    assert_eq!(turns[1].parts[0], call("call_0", "f"));
    assert_eq!(turns[1].parts[1], call("call_1", "g"));
    assert!(matches!(&turns[1].parts[2], Part::ToolCall(c) if c.arguments == r#"{"a":1.5}"#));
    assert_eq!(turns[2].role, Role::Tool);
    assert_eq!(result_ids(&turns), ["call_0", "call_2", "own", "call_1"]);
    assert_eq!(
        turns[3],
        Message::new(Role::User, vec![Part::Text("and now".into())])
    );
}

#[test]
fn a_result_belongs_to_the_latest_turn_that_waits_for_one() {
    let turns = messages(json!([
        {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
        {"role": "user", "parts": [{"text": "never mind"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f"}}, {"functionCall": {"name": "f"}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f"}}, {"functionResponse": {"name": "f"}}]},
    ]));
    assert_eq!(result_ids(&turns), ["call_1", "call_2"]);
}

#[test]
fn a_result_is_text_an_error_or_the_object_itself() {
    let check = |response: Value, text: Option<&str>, is_error: bool| {
        let turns = messages(json!([
            {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": response}}]},
        ]));
        let Part::ToolResult(result) = &turns[1].parts[0] else {
            panic!("{turns:?}")
        };
        let expected: Vec<Part> = text
            .map(|text| Part::Text(text.into()))
            .into_iter()
            .collect();
        assert_eq!(result.parts, expected, "{response}");
        assert_eq!(result.is_error, is_error, "{response}");
        assert_eq!(result.name.as_deref(), Some("f"));
    };
    check(json!({"result": "a\nb"}), Some("a\nb"), false);
    check(json!({"output": {"x": [1]}}), Some(r#"{"x":[1]}"#), false);
    check(json!({"error": "no"}), Some("no"), true);
    check(
        json!({"error": "no", "code": 1}),
        Some(r#"{"error":"no","code":1}"#),
        false,
    );
    check(
        json!({"weather": "rain"}),
        Some(r#"{"weather":"rain"}"#),
        false,
    );
    check(json!({}), Some("{}"), false);
    check(Value::Null, None, false);
}

#[test]
fn a_result_may_hold_pictures() {
    let turns = messages(json!([
        {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"result": "see"},
            "parts": [{"inlineData": {"mimeType": "image/png", "data": "QQ=="}}, {"fileData": {"fileUri": "https://x.org/a.pdf"}}]}}]},
    ]));
    let Part::ToolResult(result) = &turns[1].parts[0] else {
        panic!("{turns:?}")
    };
    assert!(matches!(
        &*result.parts,
        [Part::Text(_), Part::Image { .. }, Part::Document { .. }]
    ));
}

#[test]
fn signatures_are_kept_where_they_stood() {
    let turns = messages(json!([{"role": "model", "parts": [
        {"text": "thought", "thought": true},
        {"text": "said", "thoughtSignature": "AAA="},
        {"text": "", "thought_signature": "BBB="},
        {"functionCall": {"name": "f"}, "thoughtSignature": "CCC="},
    ]}]));
    let bare = |data, kind| {
        Part::Reasoning(Reasoning {
            state: Some(state(data, kind)),
            ..Reasoning::default()
        })
    };
    let Part::ToolCall(mut signed) = call("call_0", "f") else {
        panic!()
    };
    signed.state = Some(Opaque {
        item_id: Some("call_0".into()),
        ..state("CCC=", OpaqueKind::Signature)
    });
    assert_eq!(
        turns[0].parts,
        [
            Part::Reasoning(Reasoning {
                text: "thought".into(),
                summary: true,
                state: None
            }),
            Part::Text("said".into()),
            bare("AAA=", OpaqueKind::Signature),
            bare("BBB=", OpaqueKind::Encrypted),
            Part::ToolCall(signed),
        ]
    );
}

#[test]
fn a_foreign_thought_comes_back_once_however_it_was_shown() {
    let reasoning = Reasoning {
        text: "let me see".into(),
        summary: false,
        state: Some(Opaque {
            origin: Dialect::Messages,
            ..state("sig", OpaqueKind::Signature)
        }),
    };
    let seal = signature::for_client(&reasoning).unwrap().into_owned();
    let whole = json!([{"text": "let me see", "thought": true, "thoughtSignature": seal}]);
    let streamed = json!([
        {"text": "let me ", "thought": true}, {"text": "see", "thought": true},
        {"text": "", "thought": true, "thoughtSignature": seal}]);
    let hidden = json!([{"text": "", "thought": true, "thoughtSignature": seal}]);
    for parts in [whole, streamed, hidden] {
        let turns = messages(json!([{"role": "model", "parts": parts}]));
        assert_eq!(turns[0].parts, [Part::Reasoning(reasoning.clone())]);
    }
    // Another thought before it is another thought.
    let turns = messages(json!([{"role": "model", "parts": [
        {"text": "other", "thought": true}, {"text": "", "thought": true, "thoughtSignature": seal}]}]));
    assert_eq!(turns[0].parts.len(), 2);
}

#[test]
fn foreign_state_on_a_call_is_unsealed() {
    let read = |origin, kind| {
        let foreign = Opaque {
            origin,
            ..state("enc", kind)
        };
        let seal = signature::call_for_client(&foreign).into_owned();
        let turns = messages(json!([{"role": "model", "parts": [
            {"functionCall": {"name": "f"}, "thoughtSignature": seal}]}]));
        (foreign, turns[0].parts.clone())
    };
    for placeholder in [
        signature::PLACEHOLDER,
        "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=",
    ] {
        let turns = messages(json!([{"role": "model", "parts": [
            {"functionCall": {"name": "f"}, "thoughtSignature": placeholder}]}]));
        assert!(matches!(&turns[0].parts[0], Part::ToolCall(call) if call.state.is_none()));
    }
    let (foreign, parts) = read(Dialect::Chat, OpaqueKind::Signature);
    assert!(matches!(&parts[..], [Part::ToolCall(call)] if call.state == Some(foreign)));
    // A thought's state, which its client put on the call, is a thought's again.
    let (foreign, parts) = read(Dialect::Responses, OpaqueKind::Encrypted);
    let [Part::Reasoning(thought), Part::ToolCall(call)] = &parts[..] else {
        panic!("{parts:?}")
    };
    assert_eq!((&thought.state, &call.state), (&Some(foreign), &None));
}

#[test]
fn hints_are_told_once_and_what_cannot_cross_is_refused() {
    let image = json!({"inlineData": {"mimeType": "image/png", "data": ""}, "mediaResolution": {"level": "x"}});
    let conversation = read_all(&json!([{"parts": [image, image]}])).unwrap();
    assert_eq!(conversation.unread, ["contents.parts.mediaResolution"]);
    for (content, kind) in [
        (
            json!({"role": "system", "parts": [{"text": "x"}]}),
            ErrorKind::InvalidRequest,
        ),
        (json!({"parts": [{}]}), ErrorKind::InvalidRequest),
        (
            json!({"parts": [{"somethingNew": {}}]}),
            ErrorKind::InvalidRequest,
        ),
        (
            json!({"parts": [{"functionCall": {"name": "f"}}]}),
            ErrorKind::InvalidRequest,
        ),
        (
            json!({"role": "model", "parts": [{"functionCall": {}}]}),
            ErrorKind::InvalidRequest,
        ),
        (
            json!({"parts": [{"functionResponse": {"name": "f"}}]}),
            ErrorKind::InvalidRequest,
        ),
        (
            json!({"role": "model", "parts": [{"executableCode": {"code": "1"}}]}),
            ErrorKind::UnsupportedParameter,
        ),
        (
            json!({"role": "model", "parts": [{"codeExecutionResult": {}}]}),
            ErrorKind::UnsupportedParameter,
        ),
        (
            json!({"role": "model", "parts": [{"toolCall": {}}]}),
            ErrorKind::UnsupportedParameter,
        ),
        (
            json!({"parts": [{"fileData": {"mimeType": "video/mp4", "fileUri": "https://x.org/v"}}]}),
            ErrorKind::UnsupportedParameter,
        ),
    ] {
        let error = read_all(&json!([content])).expect_err(&content.to_string());
        assert_eq!(error.kind, kind, "{content}");
        assert_eq!(error.param.as_deref(), Some("contents"), "{content}");
    }
}

#[test]
fn a_streams_pieces_are_one_text_again() {
    let turns = messages(json!([
        {"parts": [{"text": "a"}]}, {"parts": [{"text": "b"}]},
        {"role": "model", "parts": [{"text": "let ", "thought": true}]},
        {"role": "model", "parts": [{"text": "me", "thought": true}]},
        {"role": "model", "parts": [{"text": "He"}]},
        {"role": "model", "parts": [{"text": "y"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
        {"role": "model", "parts": [{"text": ""}]},
    ]));
    let thought = Part::Reasoning(Reasoning {
        text: "let me".into(),
        summary: true,
        state: None,
    });
    assert_eq!(
        turns,
        [
            Message::new(
                Role::User,
                vec![Part::Text("a".into()), Part::Text("b".into())]
            ),
            Message::new(
                Role::Assistant,
                vec![thought, Part::Text("Hey".into()), call("call_0", "f")]
            ),
        ]
    );
}
