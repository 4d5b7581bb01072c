//! Requests of clients: messages and their content.

use serde_json::{Value, json};

use super::*;
use crate::ai::conversation::{Media, Reasoning, ToolResult};
use crate::ai::dialects::messages::read_request;
use crate::error::RequestError;

pub(super) fn read(body: &Value) -> Conversation {
    read_request(body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"))
}

pub(super) fn refused(body: &Value) -> RequestError {
    let found = read_request(body.to_string().as_bytes());
    found.expect_err(&body.to_string())
}

/// A request whose messages are given.
pub(super) fn said(messages: Value) -> Conversation {
    read(&json!({"model": "m", "max_tokens": 9, "messages": messages}))
}

fn texts(texts: &[&str]) -> Vec<Part> {
    texts
        .iter()
        .map(|text| Part::Text((*text).into()))
        .collect()
}

#[test]
fn a_text_is_the_same_as_a_list_of_one_text_block() {
    let system = Message::new(Role::System, texts(&["be brief"]));
    let expected = vec![system, user("hi")];
    for body in [
        json!({"system": "be brief", "messages": [{"role": "user", "content": "hi"}]}),
        json!({"system": [{"type": "text", "text": "be brief"}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}),
    ] {
        let conversation = read(&body);
        assert_eq!(conversation.messages, expected);
        assert_eq!(conversation.dialect, Dialect::Messages);
        assert!(conversation.unread.is_empty());
    }
    let later =
        said(json!([{"role": "user", "content": "hi"}, {"role": "system", "content": "be brief"}]));
    assert_eq!(later.messages.last().map(|it| it.role), Some(Role::System));
}

#[test]
fn pictures_and_documents_are_read_wherever_they_are() {
    let check = |block: Value, expected: Vec<Part>| {
        let conversation = said(json!([{"role": "user", "content": [block]}]));
        assert_eq!(
            conversation.messages,
            [Message::new(Role::User, expected)],
            "{block}"
        );
    };
    let image = |media| {
        vec![Part::Image {
            media,
            detail: None,
        }]
    };
    let inline = |mime_type: &str| Media::Inline {
        mime_type: mime_type.into(),
        base64: "QUJD".into(),
    };
    let document = |media, name: Option<&str>| Part::Document {
        media,
        file_name: name.map(str::to_owned),
    };
    check(
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}),
        image(inline("image/png")),
    );
    check(
        json!({"type": "image", "source": {"type": "url", "url": "https://a/b.png"}}),
        image(Media::Url("https://a/b.png".into())),
    );
    check(
        json!({"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
        image(Media::FileId("file_1".into())),
    );
    check(
        json!({"type": "document", "title": "a.pdf", "context": "Read page 2.",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "QUJD"}}),
        vec![
            Part::Text("Read page 2.".into()),
            document(inline("application/pdf"), Some("a.pdf")),
        ],
    );
    check(
        json!({"type": "document", "source": {"type": "url", "url": "https://a/b.pdf"}}),
        vec![document(Media::Url("https://a/b.pdf".into()), None)],
    );
    check(
        json!({"type": "document", "source": {"type": "file", "file_id": "file_1"}}),
        vec![document(Media::FileId("file_1".into()), None)],
    );
    check(
        json!({"type": "document", "title": "Notes", "source": {"type": "text", "media_type": "text/plain", "data": "a b"}}),
        texts(&["Notes", "a b"]),
    );
    check(
        json!({"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}}),
        texts(&["a", "b"]),
    );
    check(
        json!({"type": "document", "source": {"type": "content", "content": "a"}}),
        texts(&["a"]),
    );
    check(
        json!({"type": "search_result", "source": "https://a", "title": "A", "content": [{"type": "text", "text": "found"}]}),
        texts(&["A\nhttps://a\nfound"]),
    );
    check(
        json!({"type": "tool_reference", "tool_name": "grep"}),
        texts(&["The tool `grep` is available."]),
    );
}

#[test]
fn a_tool_round_trip_is_three_messages() {
    let conversation = said(json!([
        {"role": "assistant", "content": [
            {"type": "text", "text": "Looking."},
            {"type": "tool_use", "id": "t1", "name": "read", "input": {"n": 1, "path": "a"}},
            {"type": "tool_use", "id": "t2", "name": "now", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "text", "text": "and then?"},
            {"type": "tool_result", "tool_use_id": "t1", "content": "gone", "is_error": true},
            {"type": "tool_result", "tool_use_id": "t2", "content": [
                {"type": "text", "text": "x"},
                {"type": "image", "source": {"type": "url", "url": "https://a"}},
            ]},
            {"type": "tool_result", "tool_use_id": "t3"},
        ]},
    ]));
    let result = |id: &str, parts, is_error| {
        Part::ToolResult(ToolResult {
            call_id: id.into(),
            name: None,
            parts,
            is_error,
            custom: false,
        })
    };
    let picture = Part::Image {
        media: Media::Url("https://a".into()),
        detail: None,
    };
    let with_picture = vec![Part::Text("x".into()), picture];
    assert_eq!(
        conversation.messages,
        [
            assistant(vec![
                Part::Text("Looking.".into()),
                Part::ToolCall(call("t1", "read", r#"{"n":1,"path":"a"}"#)),
                Part::ToolCall(call("t2", "now", "{}")),
            ]),
            Message::new(
                Role::Tool,
                vec![
                    result("t1", texts(&["gone"]), true),
                    result("t2", with_picture, false),
                    result("t3", vec![], false),
                ]
            ),
            user("and then?"),
        ]
    );
    assert_eq!(conversation.tool_of_call("t2"), Some("now"));
}

#[test]
fn thoughts_are_anthropics_own_unless_they_are_sealed() {
    let foreign = Reasoning {
        text: "hm".into(),
        summary: false,
        state: Some(opaque(Dialect::Responses, OpaqueKind::Encrypted, "gAAA")),
    };
    let conversation = said(json!([{"role": "assistant", "content": [
        {"type": "thinking", "thinking": "a", "signature": "RXE="},
        {"type": "redacted_thinking", "data": "ZW5j"},
        {"type": "thinking", "thinking": "b", "signature": ""},
        {"type": "thinking", "thinking": "ignored", "signature": foreign.sealed()},
    ]}]));
    let own = |kind, data: &str| Some(opaque(Dialect::Messages, kind, data));
    let thought = |text: &str, summary, state| {
        Part::Reasoning(Reasoning {
            text: text.into(),
            summary,
            state,
        })
    };
    assert_eq!(
        conversation.messages,
        [assistant(vec![
            thought("a", true, own(OpaqueKind::Signature, "RXE=")),
            thought("", false, own(OpaqueKind::Encrypted, "ZW5j")),
            thought("b", true, None),
            Part::Reasoning(foreign),
        ])]
    );
}

#[test]
fn blocks_nested_without_end_are_refused_and_not_followed() {
    let mut body = String::from(r#"{"messages":[{"role":"user","content":"#);
    let levels = 100_000;
    body.push_str(&r#"[{"type":"tool_result","tool_use_id":"t","content":"#.repeat(levels));
    body.push_str("\"x\"");
    body.push_str(&"}]".repeat(levels));
    body.push_str("}]}");
    let error = read_request(body.as_bytes()).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("messages.0.content.0"));
}
