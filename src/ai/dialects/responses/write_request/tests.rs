use serde_json::json;

use super::super::read_request::read_request;
use super::*;
use crate::ai::conversation::{
    Controls, Effort, Media, Message, OpaqueKind, Reasoning as Thought, ReasoningControl,
    ReasoningSummary, Role, Tool, ToolCall, ToolChoice, ToolKind, ToolResult,
};
use crate::ai::dialects::Quirks;
use crate::error::ErrorKind;

const FULL: Quirks = Quirks {
    max_completion_tokens: true,
    developer_role: true,
    custom_tools: true,
};

fn write_for(
    conversation: &Conversation,
    quirks: Quirks,
) -> Result<(Value, Vec<String>), RequestError> {
    let target = Target {
        model: "gpt-x",
        stream: false,
        quirks,
        default_max_output_tokens: 4096,
    };
    let written = write_request(conversation, &target)?;
    let body = serde_json::from_slice(&written.body).unwrap();
    let dropped = written
        .dropped
        .iter()
        .map(|name| name.to_string())
        .collect();
    Ok((body, dropped))
}

fn write(conversation: &Conversation) -> (Value, Vec<String>) {
    write_for(conversation, FULL).unwrap()
}

fn said(role: Role, parts: Vec<Part>) -> Conversation {
    let mut conversation = Conversation::new(Dialect::Chat);
    conversation.messages.push(Message::new(role, parts));
    conversation
}

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn hi() -> Conversation {
    said(Role::User, vec![text("hi")])
}

#[test]
fn the_smallest_request_says_nothing_that_the_client_did_not() {
    let (body, dropped) = write(&hi());
    assert_eq!(
        body,
        json!({"model": "gpt-x", "store": false, "stream": false,
            "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}]})
    );
    assert_eq!(dropped, [""; 0]);
}

#[test]
fn what_is_read_from_this_dialect_is_written_as_it_was() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let body = json!({
        "model": "gpt-x", "stream": true, "store": true, "instructions": "be brief",
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "d"}]},
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "look"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
                {"type": "input_image", "file_id": "file_1", "detail": "auto"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
                {"type": "input_file", "file_url": "https://x/a.pdf"},
                {"type": "input_file", "file_id": "file_2"},
            ]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "enc"},
            {"type": "reasoning", "id": "rs_2", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
            {"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": "x", "annotations": []}, {"type": "refusal", "refusal": "no"}]},
            {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{\"a\":1}"},
            {"type": "custom_tool_call", "call_id": "call_2", "name": "patch", "input": "free"},
            {"type": "function_call_output", "call_id": "call_1", "output": "one"},
            {"type": "custom_tool_call_output", "call_id": "call_2", "output": [
                {"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "https://x/a.png", "detail": "auto"}]},
        ],
        "tools": [
            {"type": "function", "name": "f", "description": "d", "parameters": schema, "strict": true},
            {"type": "custom", "name": "patch", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
        ],
        "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [
            {"type": "function", "name": "f"}, {"type": "custom", "name": "patch"}]},
        "parallel_tool_calls": false,
        "text": {"format": {"type": "json_schema", "name": "n", "description": "d", "schema": schema, "strict": true}, "verbosity": "low"},
        "reasoning": {"effort": "high", "summary": "auto"}, "include": ["reasoning.encrypted_content"],
        "max_output_tokens": 64, "temperature": 0.5, "top_p": 0.25, "metadata": {"a": "b"}, "user": "u",
        "service_tier": "flex", "prompt_cache_key": "k",
    });
    let conversation = read_request(body.to_string().as_bytes()).unwrap();
    let target = Target {
        model: "gpt-x",
        stream: true,
        quirks: FULL,
        default_max_output_tokens: 4096,
    };
    let written = write_request(&conversation, &target).unwrap();
    let again: Value = serde_json::from_slice(&written.body).unwrap();
    assert_eq!(again, body);
    assert!(written.dropped.is_empty());
}

#[test]
fn leading_system_messages_are_instructions_unless_nothing_else_is_said() {
    let mut conversation = said(Role::System, vec![text("a"), text("b")]);
    conversation
        .messages
        .push(Message::new(Role::System, vec![text("c")]));
    let (alone, _) = write(&conversation);
    assert_eq!(alone["instructions"], Value::Null);
    assert_eq!(alone["input"][1]["role"], "system");
    conversation
        .messages
        .push(Message::new(Role::User, vec![text("hi")]));
    conversation
        .messages
        .push(Message::new(Role::System, vec![text("later")]));
    conversation
        .messages
        .push(Message::new(Role::Developer, vec![text("d")]));
    let (body, _) = write(&conversation);
    assert_eq!(body["instructions"], "a\n\nb\n\nc");
    let roles = |body: &Value| -> Vec<String> {
        let items = body["input"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["role"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(roles(&body), ["user", "system", "developer"]);
    let (plain, _) = write_for(&conversation, Quirks::default()).unwrap();
    assert_eq!(roles(&plain), ["user", "system", "system"]);
}

#[test]
fn only_the_providers_own_thoughts_go_back_to_it() {
    let thought = |origin| {
        Part::Reasoning(Thought {
            text: "hm".into(),
            summary: true,
            state: Some(Opaque {
                origin,
                kind: OpaqueKind::Encrypted,
                data: "enc".into(),
                item_id: None,
            }),
        })
    };
    let stateless = Part::Reasoning(Thought {
        text: "hm".into(),
        ..Thought::default()
    });
    let (foreign, dropped) = write(&said(
        Role::Assistant,
        vec![thought(Dialect::Messages), stateless, text("x")],
    ));
    assert_eq!(foreign["input"].as_array().unwrap().len(), 1);
    assert_eq!((&foreign["include"], dropped.len()), (&Value::Null, 0));
    let (own, _) = write(&said(
        Role::Assistant,
        vec![text("a"), text("b"), thought(Dialect::Responses), text("c")],
    ));
    assert_eq!(
        own["input"],
        json!([
            {"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": "a", "annotations": []}, {"type": "output_text", "text": "b", "annotations": []}]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "enc"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "c", "annotations": []}]},
        ])
    );
    assert_eq!(own["include"], json!([ENCRYPTED_REASONING]));
}

#[test]
fn state_is_asked_for_where_the_model_is_to_think() {
    let check = |reasoning: ReasoningControl, expected: Value, asked: bool| {
        let mut conversation = hi();
        conversation.reasoning = reasoning;
        let (body, dropped) = write(&conversation);
        assert_eq!(body["reasoning"], expected);
        assert_eq!(body.get("include").is_some(), asked, "{expected}");
        assert_eq!(dropped, [""; 0]);
    };
    let control = ReasoningControl::default;
    check(control(), Value::Null, false);
    check(
        ReasoningControl {
            dynamic: true,
            ..control()
        },
        Value::Null,
        false,
    );
    check(
        ReasoningControl {
            effort: Some(Effort::None),
            ..control()
        },
        json!({"effort": "none"}),
        false,
    );
    check(
        ReasoningControl {
            budget_tokens: Some(8000),
            ..control()
        },
        json!({"effort": "medium"}),
        true,
    );
    check(
        ReasoningControl {
            effort: Some(Effort::Minimal),
            summary: Some(ReasoningSummary::Hidden),
            ..control()
        },
        json!({"effort": "minimal"}),
        true,
    );
    check(
        ReasoningControl {
            summary: Some(ReasoningSummary::Concise),
            ..control()
        },
        json!({"summary": "concise"}),
        true,
    );
}

fn with_tools() -> Conversation {
    let mut conversation = said(
        Role::Assistant,
        vec![
            Part::ToolCall(ToolCall {
                id: "call_1".into(),
                name: "patch".into(),
                arguments: "free".into(),
                custom: true,
                state: None,
            }),
            Part::ToolCall(ToolCall {
                id: "call_2".into(),
                name: "f".into(),
                ..ToolCall::default()
            }),
        ],
    );
    let result = |call_id: &str, parts, is_error| {
        Part::ToolResult(ToolResult {
            call_id: call_id.into(),
            name: None,
            parts,
            is_error,
            // The chat API does not say so.
            custom: false,
        })
    };
    conversation.messages.push(Message::new(
        Role::Tool,
        vec![
            result("call_1", vec![text("ok")], false),
            result("call_2", vec![], true),
        ],
    ));
    conversation.tools = vec![
        Tool {
            name: "patch".into(),
            description: Some("d".into()),
            kind: ToolKind::Custom {
                format: Some(json!({"type": "grammar", "syntax": "lark", "definition": "x"})),
            },
        },
        Tool {
            name: "f".into(),
            description: None,
            kind: ToolKind::Function {
                parameters: None,
                strict: None,
            },
        },
    ];
    conversation.tool_choice = ToolChoice::Named("patch".into());
    conversation.parallel_tool_calls = Some(true);
    conversation
}

#[test]
fn custom_tools_are_their_own_kind_where_they_are_known() {
    let (body, dropped) = write(&with_tools());
    assert_eq!(
        body["input"],
        json!([
            {"type": "custom_tool_call", "call_id": "call_1", "name": "patch", "input": "free"},
            {"type": "function_call", "call_id": "call_2", "name": "f", "arguments": "{}"},
            {"type": "custom_tool_call_output", "call_id": "call_1", "output": "ok"},
            {"type": "function_call_output", "call_id": "call_2", "output": "Error: "},
        ])
    );
    assert_eq!(
        body["tools"],
        json!([
            {"type": "custom", "name": "patch", "description": "d", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
            {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": false},
        ])
    );
    assert_eq!(
        body["tool_choice"],
        json!({"type": "custom", "name": "patch"})
    );
    assert_eq!(body["parallel_tool_calls"], true);
    assert!(dropped.is_empty(), "{dropped:?}");
}

#[test]
fn functions_stand_in_for_custom_tools_where_they_are_not() {
    let (body, dropped) = write_for(&with_tools(), Quirks::default()).unwrap();
    assert_eq!(
        body["input"][0],
        json!({"type": "function_call", "call_id": "call_1", "name": "patch", "arguments": "{\"input\":\"free\"}"})
    );
    assert_eq!(body["input"][2]["type"], "function_call_output");
    assert_eq!(
        body["tools"][0],
        json!({"type": "function", "name": "patch", "description": "d", "parameters": ToolKind::custom_schema(), "strict": false})
    );
    assert_eq!(
        body["tool_choice"],
        json!({"type": "function", "name": "patch"})
    );
    assert_eq!(dropped, ["tools.custom.format"]);
}

#[test]
fn choices_that_say_the_default_are_not_written() {
    let check = |choice: ToolChoice, tools: bool, expected: Value| {
        let mut conversation = with_tools();
        conversation.tool_choice = choice;
        if !tools {
            conversation.tools.clear();
        }
        let (body, _) = write(&conversation);
        assert_eq!(body["tool_choice"], expected);
        assert_eq!(body.get("parallel_tool_calls").is_some(), tools);
    };
    check(ToolChoice::Auto, true, Value::Null);
    check(ToolChoice::None, false, Value::Null);
    check(ToolChoice::None, true, json!("none"));
    check(ToolChoice::Required, true, json!("required"));
    check(
        ToolChoice::Allowed {
            names: vec!["f".into()],
            required: false,
        },
        true,
        json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]}),
    );
}

#[test]
fn a_server_that_may_not_know_allowed_tools_is_given_those_alone() {
    let check = |required: bool, expected: Value| {
        let mut conversation = with_tools();
        conversation.tool_choice = ToolChoice::Allowed {
            names: vec!["f".into()],
            required,
        };
        let (body, _) = write_for(&conversation, Quirks::default()).unwrap();
        assert_eq!(body["tool_choice"], expected);
        let tools = body["tools"].as_array().unwrap();
        assert_eq!((tools.len(), &tools[0]["name"]), (1, &json!("f")));
    };
    check(true, json!("required"));
    check(false, Value::Null);
}

#[test]
fn hints_that_cannot_be_said_are_left_out_and_named() {
    let check = |controls: Controls, expected: &[&str]| {
        let mut conversation = hi();
        conversation.controls = controls;
        let (body, dropped) = write(&conversation);
        assert_eq!(dropped, expected);
        for name in [
            "seed",
            "top_k",
            "logit_bias",
            "user",
            "metadata",
            "service_tier",
            "frequency_penalty",
        ] {
            assert_eq!(body.get(name), None, "{name}");
        }
    };
    let none = Controls::default;
    check(none(), &[]);
    check(
        Controls {
            top_k: Some(1),
            ..none()
        },
        &["top_k"],
    );
    check(
        Controls {
            seed: Some(1),
            ..none()
        },
        &["seed"],
    );
    check(
        Controls {
            frequency_penalty: Some(1.0),
            ..none()
        },
        &["frequency_penalty"],
    );
    check(
        Controls {
            presence_penalty: Some(1.0),
            ..none()
        },
        &["presence_penalty"],
    );
    check(
        Controls {
            logit_bias: Some(serde_json::Map::new()),
            ..none()
        },
        &["logit_bias"],
    );
    check(
        Controls {
            user: Some("u".repeat(65)),
            ..none()
        },
        &["user"],
    );
    check(
        Controls {
            service_tier: Some("standard_only".into()),
            ..none()
        },
        &["service_tier"],
    );
    check(
        Controls {
            metadata: [("a".to_owned(), json!(1))].into(),
            ..none()
        },
        &["metadata"],
    );
    check(
        Controls {
            choices: Some(1),
            ..none()
        },
        &[],
    );
    let mut thinking = hi();
    for (effort, tokens, expected) in [
        (None, 0, Value::Null),
        (Some(Effort::Low), 5000, json!({"effort": "low"})),
    ] {
        thinking.reasoning.effort = effort;
        thinking.reasoning.budget_tokens = Some(tokens);
        let (body, dropped) = write(&thinking);
        assert_eq!(body["reasoning"], expected);
        assert_eq!(dropped, ["reasoning.max_tokens"]);
    }
    let mut conversation = said(Role::System, vec![text("be kind")]);
    conversation.messages.extend(hi().messages);
    conversation.messages[0].name = Some("Ann".into());
    conversation.unread.push("audio".into());
    conversation.controls.max_output_tokens = Some(1);
    let (body, dropped) = write(&conversation);
    assert_eq!(dropped, ["audio", "messages.name", "max_completion_tokens"]);
    assert_eq!(body["max_output_tokens"], 16);
}

#[test]
fn what_an_answer_would_mean_something_else_without_is_refused_by_name() {
    let check = |conversation: Conversation, param: &str| {
        let error = write_for(&conversation, FULL).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnsupportedParameter);
        assert_eq!(error.param.as_deref(), Some(param));
    };
    let with = |controls: Controls| Conversation { controls, ..hi() };
    let none = Controls::default;
    check(
        with(Controls {
            choices: Some(2),
            ..none()
        }),
        "n",
    );
    check(
        with(Controls {
            stop: vec!["x".into()],
            ..none()
        }),
        "stop",
    );
    check(
        with(Controls {
            logprobs: Some(0),
            ..none()
        }),
        "logprobs",
    );
    let mut call_to_nothing = hi();
    call_to_nothing.tool_choice = ToolChoice::Required;
    check(call_to_nothing, "tool_choice");
    let audio = Part::Audio {
        data: "AAAA".into(),
        format: "wav".into(),
    };
    check(said(Role::User, vec![audio]), "messages");
    let image = Part::Image {
        media: Media::FileId("file_1".into()),
        detail: None,
    };
    check(said(Role::Assistant, vec![image.clone()]), "messages");
    let mut elsewhere = said(Role::User, vec![image.clone()]);
    assert!(write_for(&elsewhere, FULL).is_ok());
    elsewhere.dialect = Dialect::Gemini;
    check(elsewhere, "contents");
    let document = Part::Document {
        media: Media::FileId("file_1".into()),
        file_name: None,
    };
    check(said(Role::Assistant, vec![document]), "messages");
}

#[test]
fn a_file_without_a_name_is_given_one() {
    let check = |mime_type: &str, expected: &str| {
        let (body, _) = write(&said(
            Role::User,
            vec![Part::Document {
                media: Media::Inline {
                    mime_type: mime_type.into(),
                    base64: "AAAA".into(),
                },
                file_name: None,
            }],
        ));
        assert_eq!(body["input"][0]["content"][0]["filename"], expected);
    };
    check("application/pdf", "document.pdf");
    check("text/plain", "document.txt");
    check("application/xhtml+xml", "document.xml");
    check("odd", "document.odd");
}
