//! Requests for Anthropic: the messages.

use serde_json::{Value, json};

use super::writing::{refused, result, text, turn, written};
use super::*;
use crate::ai::conversation::{Media, Reasoning};
use crate::error::ErrorKind;

/// What is written for `messages`: system and messages.
fn history(messages: Vec<Message>) -> Value {
    let mut conversation = conversation(Dialect::Chat);
    conversation.messages = messages;
    let (body, _) = written(&conversation);
    json!([body["system"], body["messages"]])
}

fn system(text: &str) -> Message {
    Message::new(Role::System, vec![Part::Text(text.into())])
}

#[test]
fn leading_instructions_are_the_system_prompt_and_later_ones_stay_in_place() {
    let developer = Message::new(Role::Developer, vec![Part::Text("b".into())]);
    assert_eq!(
        history(vec![
            system("a"),
            developer.clone(),
            user("hi"),
            assistant(vec![Part::Text("yes?".into())]),
            developer,
            user("go on"),
        ]),
        json!([
            [text("a"), text("b")],
            [
                turn("user", json!([text("hi")])),
                turn("assistant", json!([text("yes?")])),
                turn(
                    "user",
                    json!([text("<system>\nb\n</system>"), text("go on")])
                ),
            ]
        ])
    );
    // Instructions alone would leave no message.
    assert_eq!(
        history(vec![system("do it")]),
        json!([null, [turn("user", json!([text("do it")]))]])
    );
}

#[test]
fn turns_alternate_and_results_come_first() {
    assert_eq!(
        history(vec![
            user("a"),
            user("b"),
            assistant(vec![Part::Text("c".into())]),
            assistant(vec![Part::ToolCall(call("t1", "f", ""))]),
            user("wait"),
            Message::new(Role::Tool, vec![result("t1", vec![Part::Text("x".into())])]),
        ]),
        json!([
            null,
            [
                turn("user", json!([text("a"), text("b")])),
                turn(
                    "assistant",
                    json!([text("c"), {"type": "tool_use", "id": "t1", "name": "f", "input": {}}])
                ),
                turn(
                    "user",
                    json!([{"type": "tool_result", "tool_use_id": "t1", "content": [text("x")]}, text("wait")])
                ),
            ]
        ])
    );
}

#[test]
fn a_history_that_begins_with_the_assistant_is_opened_and_a_prefill_is_kept() {
    assert_eq!(
        history(vec![
            assistant(vec![Part::Text("Hello!".into())]),
            user("hi")
        ]),
        json!([
            null,
            [
                turn("user", json!([text("(The conversation begins.)")])),
                turn("assistant", json!([text("Hello!")])),
                turn("user", json!([text("hi")])),
            ]
        ])
    );
    assert_eq!(
        history(vec![
            user("hi"),
            assistant(vec![Part::Text("The answer is \n".into())])
        ]),
        json!([
            null,
            [
                turn("user", json!([text("hi")])),
                turn("assistant", json!([text("The answer is")])),
            ]
        ])
    );
}

#[test]
fn empty_texts_are_left_out_and_refusals_are_text() {
    assert_eq!(
        history(vec![
            user("hi"),
            assistant(vec![Part::Text(" \n".into()), Part::Refusal("No.".into())]),
            user(""),
            user("why?"),
        ]),
        json!([
            null,
            [
                turn("user", json!([text("hi")])),
                turn("assistant", json!([text("No.")])),
                turn("user", json!([text("why?")])),
            ]
        ])
    );
}

#[test]
fn own_thoughts_go_back_and_foreign_ones_do_not() {
    let thought = |text: &str, state| {
        Part::Reasoning(Reasoning {
            text: text.into(),
            summary: true,
            state,
        })
    };
    let own = |kind, data: &str| Some(opaque(Dialect::Messages, kind, data));
    let foreign = Some(opaque(Dialect::Gemini, OpaqueKind::Signature, "x"));
    assert_eq!(
        history(vec![
            user("hi"),
            assistant(vec![
                thought("a", own(OpaqueKind::Signature, "RXE=")),
                thought("", own(OpaqueKind::Encrypted, "ZW5j")),
                thought("b", foreign),
                thought("c", None),
                Part::Text("yes".into()),
            ]),
            user("go on"),
        ]),
        json!([
            null,
            [
                turn("user", json!([text("hi")])),
                turn(
                    "assistant",
                    json!([
                        {"type": "thinking", "thinking": "a", "signature": "RXE="},
                        {"type": "redacted_thinking", "data": "ZW5j"},
                        text("yes"),
                    ])
                ),
                turn("user", json!([text("go on")])),
            ]
        ])
    );
}

#[test]
fn pictures_and_documents_are_written_where_anthropic_takes_them() {
    let inline = |mime_type: &str, base64: &str| Media::Inline {
        mime_type: mime_type.into(),
        base64: base64.into(),
    };
    let image = |media| Part::Image {
        media,
        detail: Some("auto".into()),
    };
    let document = |media| Part::Document {
        media,
        file_name: Some("a".into()),
    };
    let check = |part: Part, expected: Value| {
        let message = Message::new(Role::User, vec![part]);
        assert_eq!(
            history(vec![message])[1],
            json!([turn("user", json!([expected]))])
        );
    };
    let base64 = |kind: &str, media_type: &str| json!({"type": kind, "source": {"type": "base64", "media_type": media_type, "data": "QUJD"}});
    check(
        image(inline("image/png", "QUJD")),
        base64("image", "image/png"),
    );
    check(
        image(inline("image/JPG", "QUJD")),
        base64("image", "image/jpeg"),
    );
    check(
        image(Media::Url("https://a".into())),
        json!({"type": "image", "source": {"type": "url", "url": "https://a"}}),
    );
    let mut pdf = base64("document", "application/pdf");
    pdf["title"] = json!("a");
    check(document(inline("application/pdf", "QUJD")), pdf);
    check(
        document(inline("text/markdown", "QUJD")),
        json!({"type": "document", "title": "a", "source": {"type": "text", "media_type": "text/plain", "data": "ABC"}}),
    );
    let refuse = |role, part: Part, param: &str| {
        let mut conversation = conversation(Dialect::Chat);
        conversation.messages = vec![Message::new(role, vec![part])];
        let error = refused(&conversation);
        assert_eq!(error.kind, ErrorKind::UnsupportedParameter);
        assert_eq!(error.param.as_deref(), Some(param));
    };
    refuse(Role::User, image(inline("image/tiff", "QUJD")), "messages");
    refuse(Role::User, image(Media::FileId("f".into())), "messages");
    refuse(Role::User, document(Media::FileId("f".into())), "messages");
    refuse(
        Role::User,
        document(inline("application/zip", "/w==")),
        "messages",
    );
    refuse(
        Role::Assistant,
        image(Media::Url("https://a".into())),
        "messages",
    );
    let audio = Part::Audio {
        data: "QUJD".into(),
        format: "wav".into(),
    };
    refuse(Role::User, audio, "messages");
}

#[test]
fn calls_and_results_keep_naming_each_other_when_their_id_must_change() {
    let mut failed = result("functions.f:0", vec![Part::Text(String::new())]);
    if let Part::ToolResult(result) = &mut failed {
        result.is_error = true;
    }
    let found = history(vec![
        user("hi"),
        assistant(vec![Part::ToolCall(call(
            "functions.f:0",
            "f",
            r#"{"a": 1}"#,
        ))]),
        Message::new(Role::Tool, vec![failed]),
    ]);
    let id = &found[1][1]["content"][0]["id"];
    let given = id.as_str().unwrap();
    assert!(
        given.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'),
        "{given}"
    );
    assert_eq!(found[1][1]["content"][0]["input"], json!({"a": 1}));
    assert_eq!(
        found[1][2]["content"][0],
        json!({"type": "tool_result", "tool_use_id": id, "is_error": true})
    );
}
