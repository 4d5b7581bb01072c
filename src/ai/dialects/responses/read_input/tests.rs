use serde_json::json;

use super::*;
use crate::ai::conversation::{Media, OpaqueKind};
use crate::error::ErrorKind;

fn messages(input: Value) -> Vec<Message> {
    let mut messages = Vec::new();
    read(Some(input), false, &mut messages).unwrap();
    messages
}

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn call(id: &str, arguments: &str, custom: bool) -> ToolCall {
    ToolCall {
        id: id.into(),
        name: "f".into(),
        arguments: arguments.into(),
        custom,
        state: None,
    }
}

#[test]
fn messages_are_read_with_and_without_a_type_and_with_text_or_parts() {
    assert_eq!(
        messages(json!("hi")),
        [Message::new(Role::User, vec![text("hi")])]
    );
    let read = messages(json!([
        {"role": "developer", "content": "d"},
        {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "s"}], "status": "completed"},
        {"role": "user", "content": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b", "prompt_cache_breakpoint": null}]},
        {"role": "user", "content": "c"},
        {"type": "message", "id": "msg_1", "role": "assistant", "phase": "final_answer", "status": "completed", "content": [
            {"type": "output_text", "text": "x", "annotations": [], "logprobs": []}, {"type": "refusal", "refusal": "no"}]},
    ]));
    assert_eq!(
        read,
        [
            Message::new(Role::Developer, vec![text("d")]),
            Message::new(Role::System, vec![text("s")]),
            Message::new(Role::User, vec![text("a"), text("b")]),
            Message::new(Role::User, vec![text("c")]),
            Message::new(Role::Assistant, vec![text("x"), Part::Refusal("no".into())]),
        ]
    );
}

#[test]
fn media_are_read_from_wherever_they_are() {
    let check = |part: Value, expected: Part| {
        let read = messages(json!([{"role": "user", "content": [part]}]));
        assert_eq!(read[0].parts, [expected], "{part}");
    };
    let image = |media| Part::Image {
        media,
        detail: None,
    };
    let inline = |mime_type: &str, base64: &str| Media::Inline {
        mime_type: mime_type.into(),
        base64: base64.into(),
    };
    check(
        json!({"type": "input_image", "image_url": "https://x/a.png", "detail": "low"}),
        Part::Image {
            media: Media::Url("https://x/a.png".into()),
            detail: Some("low".into()),
        },
    );
    check(
        json!({"type": "input_image", "image_url": "data:image/png;base64,AAAA"}),
        image(inline("image/png", "AAAA")),
    );
    check(
        json!({"type": "input_image", "image_url": "data:image/svg+xml,%3Csvg"}),
        image(Media::Url("data:image/svg+xml,%3Csvg".into())),
    );
    check(
        json!({"type": "input_image", "file_id": "file_1", "image_url": null}),
        image(Media::FileId("file_1".into())),
    );
    let file = |media, name: Option<&str>| Part::Document {
        media,
        file_name: name.map(Into::into),
    };
    check(
        json!({"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}),
        file(inline("application/pdf", "AAAA"), Some("a.pdf")),
    );
    check(
        json!({"type": "input_file", "filename": "a.CSV", "file_data": "AAAA"}),
        file(inline("text/csv", "AAAA"), Some("a.CSV")),
    );
    check(
        json!({"type": "input_file", "file_data": "AAAA"}),
        file(inline("application/pdf", "AAAA"), None),
    );
    check(
        json!({"type": "input_file", "filename": "a.xyz", "file_data": "data:text/plain;charset=utf-8;base64,AAAA"}),
        file(inline("text/plain", "AAAA"), Some("a.xyz")),
    );
    check(
        json!({"type": "input_file", "file_url": "https://x/a.pdf"}),
        file(Media::Url("https://x/a.pdf".into()), None),
    );
    check(
        json!({"type": "input_file", "file_id": "file_1"}),
        file(Media::FileId("file_1".into()), None),
    );
    check(
        json!({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
        Part::Audio {
            data: "AAAA".into(),
            format: "wav".into(),
        },
    );
}

#[test]
fn what_the_assistant_did_is_one_message_and_so_are_the_results() {
    let read = messages(json!([
        {"role": "user", "content": "go"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "enc"},
        {"type": "message", "role": "assistant", "content": "I look."},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{\"a\":1}", "status": "completed"},
        {"type": "function_call", "call_id": "call_2", "name": "f", "arguments": ""},
        {"type": "custom_tool_call", "call_id": "call_3", "name": "f", "input": "free"},
        {"type": "function_call_output", "call_id": "call_1", "output": "one"},
        {"type": "function_call_output", "call_id": "call_2", "name": "f", "output": [
            {"type": "input_text", "text": "two"}, {"type": "input_image", "image_url": "https://x/a.png"}]},
        {"type": "custom_tool_call_output", "call_id": "call_3", "output": "three"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done."}]},
    ]));
    let roles: Vec<Role> = read.iter().map(|message| message.role).collect();
    assert_eq!(
        roles,
        [Role::User, Role::Assistant, Role::Tool, Role::Assistant]
    );
    let [Part::Reasoning(thought), said @ ..] = &*read[1].parts else {
        panic!("{read:?}");
    };
    let state = thought.state.as_ref().unwrap();
    assert_eq!((&*thought.text, thought.summary), ("hm", true));
    assert_eq!((state.kind, &*state.data), (OpaqueKind::Encrypted, "enc"));
    assert_eq!(state.item_id.as_deref(), Some("rs_1"));
    assert_eq!(
        said,
        [
            text("I look."),
            Part::ToolCall(call("call_1", "{\"a\":1}", false)),
            Part::ToolCall(call("call_2", "{}", false)),
            Part::ToolCall(call("call_3", "free", true)),
        ]
    );
    let results: Vec<_> = read[2]
        .parts
        .iter()
        .map(|part| match part {
            Part::ToolResult(result) => (
                &*result.call_id,
                result.name.as_deref(),
                result.parts.len(),
                result.custom,
            ),
            _ => panic!("{part:?}"),
        })
        .collect();
    assert_eq!(
        results,
        [
            ("call_1", None, 1, false),
            ("call_2", Some("f"), 2, false),
            ("call_3", None, 1, true),
        ]
    );
}

#[test]
fn sealed_state_comes_back_to_the_thought_or_the_call_it_belongs_to() {
    let state = |origin, data: &str| Opaque {
        origin,
        kind: OpaqueKind::Signature,
        data: data.into(),
        item_id: None,
    };
    let thought = Reasoning {
        text: "hm".into(),
        summary: false,
        state: Some(state(Dialect::Messages, "sig")),
    };
    let of_call = Opaque {
        item_id: Some("call_1".into()),
        ..state(Dialect::Gemini, "tsig")
    };
    let of_lost_call = Opaque {
        item_id: Some("call_9".into()),
        ..state(Dialect::Gemini, "lost")
    };
    let read = messages(json!([
        // The text that the client shows may be shortened; the sealed one counts.
        {"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "h"}], "encrypted_content": thought.sealed()},
        {"type": "reasoning", "summary": [], "encrypted_content": of_lost_call.sealed()},
        {"type": "function_call", "call_id": "call_0", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
        {"type": "reasoning", "summary": [], "encrypted_content": of_call.sealed()},
    ]));
    let with_state = ToolCall {
        state: Some(state(Dialect::Gemini, "tsig")),
        ..call("call_1", "{}", false)
    };
    assert_eq!(
        read,
        [Message::new(
            Role::Assistant,
            vec![
                Part::Reasoning(thought),
                Part::ToolCall(call("call_0", "{}", false)),
                Part::ToolCall(with_state),
            ]
        )]
    );
}

#[test]
fn an_item_that_cannot_be_read_is_refused_by_its_place() {
    let check = |item: Value, kind: ErrorKind| {
        let mut messages = Vec::new();
        let input = json!([{"role": "user", "content": "hi"}, item]);
        let error = read(Some(input), false, &mut messages).unwrap_err();
        assert_eq!(
            (error.kind, error.param.as_deref()),
            (kind, Some("input")),
            "{item}"
        );
        assert!(error.message.contains("`input[1]`"), "{}", error.message);
    };
    for item in [
        json!({"type": "item_reference", "id": "msg_1"}),
        json!({"id": "msg_1"}),
        json!({"type": "web_search_call", "id": "ws_1", "status": "completed"}),
        json!({"type": "local_shell_call", "id": "x", "call_id": "c", "action": {}}),
        json!({"type": "compaction", "encrypted_content": "x"}),
        json!({"role": "user", "content": [{"type": "input_video", "text": "x"}]}),
        json!({"type": "function_call_output", "call_id": "c", "output": [{"type": "audio"}]}),
    ] {
        check(item, ErrorKind::UnsupportedParameter);
    }
    for item in [
        json!("hi"),
        json!({}),
        json!({"content": "hi"}),
        json!({"type": "message", "content": "hi"}),
        json!({"role": "tool", "content": "hi"}),
        json!({"role": "user", "content": 7}),
        json!({"role": "user", "content": ["hi"]}),
        json!({"role": "user", "content": [{"type": "input_text"}]}),
        json!({"role": "user", "content": [{"type": "input_text", "text": 7}]}),
        json!({"role": "user", "content": [{"type": "input_image"}]}),
        json!({"role": "user", "content": [{"type": "input_file", "filename": "a"}]}),
        json!({"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "x"}}]}),
        json!({"role": "assistant", "content": [{"type": "refusal"}]}),
        json!({"type": "function_call", "name": "f", "arguments": "{}"}),
        json!({"type": "function_call", "call_id": "c", "arguments": "{}"}),
        json!({"type": "function_call_output", "output": "x"}),
        json!({"type": "function_call_output", "call_id": "c"}),
        json!({"type": "reasoning", "summary": "x"}),
    ] {
        check(item, ErrorKind::InvalidRequest);
    }
}
