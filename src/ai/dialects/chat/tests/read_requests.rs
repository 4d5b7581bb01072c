//! What is read of a request.

use serde_json::{Value, json};

use super::{plain, read, refusal, thought};
use crate::ai::conversation::{
    Controls, Effort, Media, Message, OutputFormat, Part, ReasoningControl, ReasoningSummary, Role,
    Tool, ToolCall, ToolChoice, ToolKind, ToolResult,
};
use crate::error::ErrorKind;

fn messages(messages: Value) -> Vec<Message> {
    read(&json!({"model": "m", "messages": messages})).messages
}

/// The request with one field more.
fn with(name: &str, value: Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    body[name] = value;
    body
}

#[test]
fn every_role_is_read_with_its_content() {
    let check = |message: Value, role, parts: Vec<Part>| {
        let expected = vec![Message::new(role, parts)];
        assert_eq!(messages(json!([message])), expected);
    };
    let text = |text: &str| Part::Text(text.into());
    check(
        json!({"role": "system", "content": "be kind"}),
        Role::System,
        vec![text("be kind")],
    );
    check(
        json!({"role": "developer", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}),
        Role::Developer,
        vec![text("a"), text("b")],
    );
    check(
        json!({"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "no"}]}),
        Role::Assistant,
        vec![text("a"), Part::Refusal("no".into())],
    );
    check(
        json!({"role": "assistant", "content": "", "refusal": "no", "tool_calls": null, "audio": null, "annotations": []}),
        Role::Assistant,
        vec![Part::Refusal("no".into())],
    );
    check(
        json!({"role": "assistant", "content": "a", "reasoning_content": "hm"}),
        Role::Assistant,
        vec![thought("hm"), text("a")],
    );
    check(
        json!({"role": "assistant", "content": "a", "reasoning": "hm", "reasoning_content": null}),
        Role::Assistant,
        vec![thought("hm"), text("a")],
    );
    let named = messages(json!([{"role": "user", "content": "hi", "name": "ann"}]));
    assert_eq!(named[0].name.as_deref(), Some("ann"));
    assert_eq!(
        messages(json!([{"role": "assistant", "content": null}])),
        []
    );
}

#[test]
fn every_kind_of_part_is_read() {
    let check = |part: Value, expected: Part| {
        let found = messages(json!([{"role": "user", "content": [part]}]));
        assert_eq!(found[0].parts, vec![expected]);
    };
    let image = |media, detail: Option<&str>| Part::Image {
        media,
        detail: detail.map(str::to_owned),
    };
    let document = |media, file_name: Option<&str>| Part::Document {
        media,
        file_name: file_name.map(str::to_owned),
    };
    let url = |url: &str| Media::Url(url.into());
    let inline = |mime_type: &str| Media::Inline {
        mime_type: mime_type.into(),
        base64: "aGk=".into(),
    };
    check(
        json!({"type": "image_url", "image_url": {"url": "https://x.test/a.png", "detail": "low"}}),
        image(url("https://x.test/a.png"), Some("low")),
    );
    check(
        json!({"type": "image_url", "image_url": "https://x.test/a.png"}),
        image(url("https://x.test/a.png"), None),
    );
    check(
        json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}),
        image(inline("image/png"), None),
    );
    check(
        json!({"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}),
        Part::Audio {
            data: "aGk=".into(),
            format: "wav".into(),
        },
    );
    check(
        json!({"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}}),
        document(inline("application/pdf"), Some("a.pdf")),
    );
    check(
        json!({"type": "file", "file": {"file_data": "aGk="}}),
        document(inline("application/pdf"), None),
    );
    check(
        json!({"type": "file", "file": {"file_data": "https://x.test/a.pdf"}}),
        document(url("https://x.test/a.pdf"), None),
    );
    check(
        json!({"type": "file", "file": {"file_id": "file-1"}}),
        document(Media::FileId("file-1".into()), None),
    );
}

#[test]
fn calls_and_their_results_are_read_in_both_forms() {
    let found = messages(json!([
        {"role": "assistant", "content": "I look", "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{\"at\": 1}"},
             "extra_content": {"google": {"thought_signature": "c2ln"}}},
            {"id": "call_2", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}},
            {"id": "call_3", "function": {"name": "now", "arguments": ""}},
        ]},
        {"role": "tool", "tool_call_id": "call_1", "content": "seen"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "done"}]},
        {"role": "assistant", "content": null, "function_call": {"name": "old", "arguments": "{}"}},
        {"role": "function", "name": "old", "content": "7"},
    ]));
    let result = |call_id: &str, name: Option<&str>, text: &str, custom| {
        Part::ToolResult(ToolResult {
            call_id: call_id.into(),
            name: name.map(str::to_owned),
            parts: vec![Part::Text(text.into())],
            is_error: false,
            custom,
        })
    };
    let Part::ToolCall(first) = &found[0].parts[1] else {
        unreachable!("the text comes first");
    };
    assert_eq!(first.arguments, "{\"at\": 1}");
    assert_eq!(
        first.state.as_ref().unwrap().data,
        "{\"google\":{\"thought_signature\":\"c2ln\"}}"
    );
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
        found[0].parts[2..],
        [
            call("call_2", "patch", "*** Begin", true),
            call("call_3", "now", "{}", false)
        ]
    );
    assert_eq!(
        found[1],
        Message::new(
            Role::Tool,
            vec![
                result("call_1", None, "seen", false),
                result("call_2", None, "done", true)
            ]
        )
    );
    assert_eq!(
        found[2].parts,
        [call("call_function_0", "old", "{}", false)]
    );
    assert_eq!(
        found[3].parts,
        [result("call_function_0", Some("old"), "7", false)]
    );
}

#[test]
fn tools_of_every_kind_are_read_and_hosted_ones_named() {
    let body = json!({
        "messages": [],
        "tools": [
            {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}, "strict": true}},
            {"type": "custom", "custom": {"name": "patch", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "s: A"}}}},
            {"type": "web_search", "filters": {}},
        ],
        "functions": [{"name": "old"}],
        "parallel_tool_calls": false,
    });
    let found = read(&body);
    let tool = |name: &str, description: Option<&str>, kind| Tool {
        name: name.into(),
        description: description.map(str::to_owned),
        kind,
    };
    assert_eq!(
        found.tools,
        [
            tool(
                "look",
                Some("Looks."),
                ToolKind::Function {
                    parameters: Some(json!({"type": "object"})),
                    strict: Some(true),
                }
            ),
            tool(
                "patch",
                None,
                ToolKind::Custom {
                    format: Some(
                        json!({"type": "grammar", "syntax": "lark", "definition": "s: A"})
                    ),
                }
            ),
            tool(
                "old",
                None,
                ToolKind::Function {
                    parameters: None,
                    strict: None,
                }
            ),
        ]
    );
    assert_eq!(found.unread, ["tools.web_search"]);
    assert_eq!(found.parallel_tool_calls, Some(false));
}

#[test]
fn every_tool_choice_is_read() {
    let check = |field: &str, choice: Value, expected: ToolChoice| {
        assert_eq!(read(&with(field, choice)).tool_choice, expected);
    };
    let named = || ToolChoice::Named("look".into());
    check("tool_choice", json!("auto"), ToolChoice::Auto);
    check("tool_choice", json!("none"), ToolChoice::None);
    check("tool_choice", json!("required"), ToolChoice::Required);
    check("tool_choice", json!("any"), ToolChoice::Required);
    check(
        "tool_choice",
        json!({"type": "function", "function": {"name": "look"}}),
        named(),
    );
    check(
        "tool_choice",
        json!({"type": "custom", "custom": {"name": "look"}}),
        named(),
    );
    check(
        "tool_choice",
        json!({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [
            {"type": "function", "function": {"name": "a"}}, {"type": "custom", "custom": {"name": "b"}},
        ]}}),
        ToolChoice::Allowed {
            names: vec!["a".into(), "b".into()],
            required: true,
        },
    );
    check("function_call", json!("none"), ToolChoice::None);
    check("function_call", json!({"name": "look"}), named());
    check("tool_choice", Value::Null, ToolChoice::Auto);
    // Beside the modern field the legacy one says nothing, and is not called dropped.
    let mut both = with("tool_choice", json!("required"));
    both["function_call"] = json!("none");
    let found = read(&both);
    assert_eq!(found.tool_choice, ToolChoice::Required);
    assert!(found.unread.is_empty());
}

#[test]
fn every_control_is_read() {
    let body = json!({
        "model": "m", "messages": [], "stream": true, "stream_options": {"include_usage": true},
        "temperature": 0.5, "top_p": 0.9, "top_k": 40, "frequency_penalty": 0.1, "presence_penalty": -0.1,
        "seed": 7, "stop": ["a", "b"], "max_tokens": 5, "max_completion_tokens": 6, "n": 2,
        "logprobs": true, "top_logprobs": 3, "logit_bias": {"50256": -100}, "user": "ann",
        "metadata": {"k": "v"}, "service_tier": "flex", "verbosity": "low", "prompt_cache_key": "key",
        "store": true, "modalities": ["text"],
    });
    let found = read(&body);
    let expected = Controls {
        temperature: Some(0.5),
        top_p: Some(0.9),
        top_k: Some(40),
        frequency_penalty: Some(0.1),
        presence_penalty: Some(-0.1),
        seed: Some(7),
        stop: vec!["a".into(), "b".into()],
        max_output_tokens: Some(6),
        choices: Some(2),
        logprobs: Some(3),
        logit_bias: json!({"50256": -100}).as_object().cloned(),
        user: Some("ann".into()),
        metadata: [("k".to_owned(), json!("v"))].into(),
        service_tier: Some("flex".into()),
        verbosity: Some("low".into()),
        prompt_cache_key: Some("key".into()),
        store: Some(true),
    };
    assert_eq!(found.controls, expected);
    assert!(found.unread.is_empty(), "{:?}", found.unread);
    let controls = |name, value| read(&with(name, value)).controls;
    assert_eq!(controls("max_tokens", json!(5)).max_output_tokens, Some(5));
    assert_eq!(controls("stop", json!("x")).stop, ["x"]);
    assert_eq!(controls("logprobs", json!(false)).logprobs, None);
    assert_eq!(controls("logprobs", json!(true)).logprobs, Some(0));
    let safety = controls("safety_identifier", json!("u-1")).user;
    assert_eq!(safety.as_deref(), Some("u-1"));
}

#[test]
fn every_way_to_ask_for_thought_is_read() {
    let check = |field: &str, value: Value, expected: ReasoningControl| {
        assert_eq!(read(&with(field, value)).reasoning, expected);
    };
    let base = ReasoningControl::default;
    check(
        "reasoning_effort",
        json!("high"),
        ReasoningControl {
            effort: Some(Effort::High),
            ..base()
        },
    );
    check(
        "reasoning",
        json!({"effort": "low", "exclude": true}),
        ReasoningControl {
            effort: Some(Effort::Low),
            summary: Some(ReasoningSummary::Hidden),
            ..base()
        },
    );
    check(
        "reasoning",
        json!({"max_tokens": 2000, "summary": "auto"}),
        ReasoningControl {
            budget_tokens: Some(2000),
            summary: Some(ReasoningSummary::Auto),
            ..base()
        },
    );
    check(
        "reasoning",
        json!({"enabled": true}),
        ReasoningControl {
            dynamic: true,
            ..base()
        },
    );
    check(
        "reasoning",
        json!({"enabled": false}),
        ReasoningControl {
            budget_tokens: Some(0),
            ..base()
        },
    );
}

#[test]
fn every_output_format_is_read() {
    let check = |format: Value, expected: OutputFormat| {
        assert_eq!(read(&with("response_format", format)).output, expected);
    };
    check(json!({"type": "text"}), OutputFormat::Text);
    check(json!({"type": "json_object"}), OutputFormat::JsonObject);
    check(
        json!({"type": "json_schema", "json_schema": {"name": "person", "schema": {"type": "object"}, "strict": true}}),
        OutputFormat::JsonSchema {
            name: "person".into(),
            description: None,
            schema: json!({"type": "object"}),
            strict: Some(true),
        },
    );
    check(
        json!({"type": "json_schema", "json_schema": {"schema": {}}}),
        OutputFormat::JsonSchema {
            name: "response".into(),
            description: None,
            schema: json!({}),
            strict: None,
        },
    );
}

#[test]
fn what_has_no_place_is_named_once_and_what_says_nothing_is_not() {
    let body = json!({
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}},
            ]},
            {"role": "assistant", "content": "c", "reasoning_details": [{"type": "reasoning.text"}],
             "annotations": [{"type": "url_citation"}], "thinking_blocks": [{"type": "thinking"}]},
        ],
        "tools": [{"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}],
        "user": "ann", "safety_identifier": "u-1",
        "prediction": {"type": "content", "content": "x"}, "web_search_options": {"search_context_size": "low"},
        "audio": {"voice": "alloy", "format": "wav"}, "min_p": 0.1, "moderation": null, "functions": [],
    });
    let mut unread = read(&body).unread;
    unread.sort();
    assert_eq!(
        unread,
        [
            "audio",
            "messages.content.cache_control",
            "messages.thinking_blocks",
            "min_p",
            "prediction",
            "tools.cache_control",
            "user",
            "web_search_options",
        ]
    );
}

#[test]
fn what_is_wrong_is_refused_by_its_path() {
    let check = |body: Value, kind: ErrorKind, param: &str| {
        let error = refusal(&body);
        assert_eq!(error.kind, kind, "{body}: {error}");
        assert_eq!(error.param.as_deref(), Some(param), "{error}");
        assert!(error.message.ends_with('.'), "{error}");
    };
    let (wrong, unsupported) = (ErrorKind::InvalidRequest, ErrorKind::UnsupportedParameter);
    let said = |message: Value| json!({"messages": [message]});
    let part = |part: Value| said(json!({"role": "user", "content": [part]}));
    check(json!({}), wrong, "messages");
    check(json!({"messages": "hi"}), wrong, "messages");
    check(said(json!("hi")), wrong, "messages[0]");
    check(said(json!({"content": "hi"})), wrong, "messages[0].role");
    check(
        said(json!({"role": "robot", "content": "hi"})),
        wrong,
        "messages[0].role",
    );
    check(said(json!({"role": "user"})), wrong, "messages[0].content");
    check(
        said(json!({"role": "user", "content": 7})),
        wrong,
        "messages[0].content",
    );
    check(
        part(json!({"type": "text"})),
        wrong,
        "messages[0].content[0].text",
    );
    check(
        part(json!({"type": "video_url", "video_url": {"url": "x"}})),
        unsupported,
        "messages[0].content[0]",
    );
    check(
        part(json!({"type": "image_url", "image_url": {"url": "data:image/png,raw"}})),
        wrong,
        "messages[0].content[0].image_url.url",
    );
    check(
        part(json!({"type": "file", "file": {"filename": "a.pdf"}})),
        wrong,
        "messages[0].content[0].file",
    );
    check(
        said(json!({"role": "assistant", "audio": {"id": "audio_1"}})),
        unsupported,
        "messages[0].audio",
    );
    check(
        said(json!({"role": "tool", "content": "x"})),
        wrong,
        "messages[0].tool_call_id",
    );
    check(
        said(json!({"role": "function", "name": "f", "content": "x"})),
        wrong,
        "messages[0].name",
    );
    check(
        said(json!({"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]})),
        wrong,
        "messages[0].tool_calls[0].id",
    );
    check(with("temperature", json!("hot")), wrong, "temperature");
    check(with("max_tokens", json!(-1)), wrong, "max_tokens");
    check(with("stop", json!([1])), wrong, "stop");
    check(with("top_logprobs", json!(2)), wrong, "top_logprobs");
    check(
        with("reasoning_effort", json!("mighty")),
        wrong,
        "reasoning_effort",
    );
    check(
        with("reasoning", json!({"effort": "mighty"})),
        wrong,
        "reasoning.effort",
    );
    check(with("tool_choice", json!("maybe")), wrong, "tool_choice");
    check(
        with("tool_choice", json!({"type": "web_search"})),
        unsupported,
        "tool_choice",
    );
    check(
        with("tools", json!([{"type": "function", "function": {}}])),
        wrong,
        "tools[0].function.name",
    );
    check(
        with("response_format", json!({"type": "xml"})),
        wrong,
        "response_format.type",
    );
    check(
        with("modalities", json!(["text", "audio"])),
        unsupported,
        "modalities",
    );
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    for body in ["", "[]", "{\"messages\": [}", "\"hi\""] {
        let error = super::super::read_request(body.as_bytes()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidJson, "{body}");
    }
}

#[test]
fn state_that_a_client_brought_is_of_this_dialect() {
    let found = messages(json!([{"role": "assistant", "content": "", "reasoning_content": "hm"}]));
    let Part::Reasoning(reasoning) = &found[0].parts[0] else {
        unreachable!("there is nothing else");
    };
    assert_eq!(reasoning.state, Some(plain()));
}
