//! What is written of a conversation.

use serde_json::{Value, json};

use super::{COMPATIBLE, OPENAI, conversation, read, target, thought, with_custom_tool, written};
use crate::ai::conversation::{
    Conversation, Effort, Media, Message, Opaque, OpaqueKind, Part, Reasoning, ReasoningControl,
    ReasoningSummary, Role, ToolCall, ToolChoice, ToolResult,
};
use crate::ai::dialects::chat::write_request;
use crate::ai::dialects::{Dialect, Quirks, Target};
use crate::error::ErrorKind;

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn call(id: &str, custom: bool) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "look".into(),
        arguments: if custom { "free" } else { "{\"at\":1}" }.into(),
        custom,
        state: None,
    })
}

fn result(call_id: &str, parts: Vec<Part>, is_error: bool) -> Part {
    Part::ToolResult(ToolResult {
        call_id: call_id.into(),
        name: None,
        parts,
        is_error,
        custom: false,
    })
}

fn messages(quirks: Quirks, list: Vec<Message>) -> Value {
    let conversation = conversation(Dialect::Messages, list);
    written(&conversation, quirks).0["messages"].take()
}

#[test]
fn a_request_comes_back_as_it_was() {
    let body = json!({
        "model": "m-1",
        "messages": [
            {"role": "developer", "content": "be kind"},
            {"role": "user", "name": "ann", "content": [
                {"type": "text", "text": "what is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "high"}},
                {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
                {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="}},
                {"type": "file", "file": {"file_id": "file-1"}},
            ]},
            {"role": "assistant", "content": "I look", "reasoning_content": "hm", "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{\"at\": 1}"},
                 "extra_content": {"google": {"thought_signature": "c2ln"}}},
                {"id": "call_2", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}},
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "seen"},
            {"role": "tool", "tool_call_id": "call_2", "content": "done"},
            {"role": "assistant", "content": null, "refusal": "no more"},
            {"role": "user", "content": "go on"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}, "strict": true}},
            {"type": "custom", "custom": {"name": "patch", "description": "Patches.", "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "s: A"}}}},
        ],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [
            {"type": "function", "function": {"name": "look"}}, {"type": "custom", "custom": {"name": "patch"}},
        ]}},
        "parallel_tool_calls": false,
        "response_format": {"type": "json_schema", "json_schema": {"name": "person", "description": "One.", "schema": {"type": "object"}, "strict": true}},
        "reasoning_effort": "xhigh",
        "max_completion_tokens": 9, "temperature": 0.5, "top_p": 0.9, "frequency_penalty": 0.1,
        "presence_penalty": -0.1, "seed": 7, "n": 2, "stop": ["a", "b"], "logit_bias": {"1": -100}, "user": "ann",
        "verbosity": "low", "prompt_cache_key": "key", "service_tier": "flex",
    });
    let (found, dropped) = written(&read(&body), OPENAI);
    assert_eq!(found, body);
    assert!(dropped.is_empty(), "{dropped:?}");
}

#[test]
fn a_legacy_request_becomes_a_modern_one() {
    let (found, _) = written(
        &read(&json!({
            "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": null, "function_call": {"name": "f", "arguments": "{}"}},
                {"role": "function", "name": "f", "content": "7"},
            ],
            "functions": [{"name": "f", "parameters": {"type": "object"}}],
            "function_call": {"name": "f"},
        })),
        OPENAI,
    );
    assert_eq!(
        found,
        json!({
            "model": "m-1",
            "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "content": null, "tool_calls": [
                    {"id": "call_function_0", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                ]},
                {"role": "tool", "tool_call_id": "call_function_0", "content": "7"},
            ],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
        })
    );
}

#[test]
fn turns_of_the_assistant_that_follow_each_other_are_one_message() {
    let found = messages(
        COMPATIBLE,
        vec![
            Message::new(
                Role::Assistant,
                vec![thought("first"), text("I "), text("look")],
            ),
            Message::new(Role::Assistant, vec![call("call_1", false)]),
            Message::new(
                Role::Assistant,
                vec![thought("then"), call("call_2", false)],
            ),
            Message::new(Role::Assistant, vec![text("soon")]),
            Message::new(
                Role::Tool,
                vec![
                    result("call_1", vec![text("a")], false),
                    result("call_2", vec![text("b"), text("c")], false),
                ],
            ),
            Message::new(Role::Assistant, vec![text("done")]),
        ],
    );
    let function = json!({"name": "look", "arguments": "{\"at\":1}"});
    assert_eq!(
        found,
        json!([
            {"role": "assistant", "content": "I look\n\nsoon", "reasoning_content": "first\n\nthen", "tool_calls": [
                {"id": "call_1", "type": "function", "function": function},
                {"id": "call_2", "type": "function", "function": function},
            ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "a"},
            {"role": "tool", "tool_call_id": "call_2", "content": "b\n\nc"},
            {"role": "assistant", "content": "done"},
        ])
    );
}

#[test]
fn what_a_tool_shows_follows_its_results_in_a_user_message() {
    let image = || Part::Image {
        media: Media::Url("https://x.test/a.png".into()),
        detail: None,
    };
    let results = || {
        Message::new(
            Role::Tool,
            vec![
                result("call_1", vec![image()], false),
                result("call_2", vec![text("b")], false),
            ],
        )
    };
    let shown = json!([
        {"type": "text", "text": "Returned by the tool call call_1:"},
        {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}},
    ]);
    let tools = [
        json!({"role": "tool", "tool_call_id": "call_1", "content": "The result follows in the next user message."}),
        json!({"role": "tool", "tool_call_id": "call_2", "content": "b"}),
    ];
    let check = |next: Option<Message>, rest: Vec<Value>| {
        let list = std::iter::once(results()).chain(next).collect();
        let expected: Vec<Value> = tools.iter().cloned().chain(rest).collect();
        assert_eq!(messages(COMPATIBLE, list), Value::Array(expected));
    };
    let alone = json!({"role": "user", "content": shown});
    check(None, vec![alone.clone()]);
    check(
        Some(Message::new(Role::Assistant, vec![text("I see")])),
        vec![alone, json!({"role": "assistant", "content": "I see"})],
    );
    let mut with_words = shown.as_array().unwrap().clone();
    with_words.push(json!({"type": "text", "text": "and?"}));
    check(
        Some(Message::new(Role::User, vec![text("and?")])),
        vec![json!({"role": "user", "content": with_words})],
    );
}

#[test]
fn a_failed_call_is_called_so_once() {
    let check = |said: &str, expected: &str| {
        let found = messages(
            COMPATIBLE,
            vec![Message::new(
                Role::Tool,
                vec![result("call_1", vec![text(said)], true)],
            )],
        );
        assert_eq!(found[0]["content"], expected);
    };
    check("no such file", "Error: no such file");
    check("IOError: no such file", "IOError: no such file");
    check("", "Error: ");
}

#[test]
fn reasoning_goes_back_only_where_it_came_from() {
    let foreign = Part::Reasoning(Reasoning {
        text: "secret".into(),
        summary: false,
        state: Some(Opaque {
            origin: Dialect::Messages,
            kind: OpaqueKind::Signature,
            data: "c2ln".into(),
            item_id: None,
        }),
    });
    let stateless = Part::Reasoning(Reasoning {
        text: "mere".into(),
        ..Reasoning::default()
    });
    let found = messages(
        OPENAI,
        vec![
            Message::new(Role::Assistant, vec![foreign.clone()]),
            Message::new(Role::User, vec![text("hi")]),
            Message::new(Role::Assistant, vec![foreign, stateless, text("yes")]),
            Message::new(Role::User, vec![text("hi")]),
            Message::new(Role::Assistant, vec![thought("ours"), text("yes")]),
        ],
    );
    assert_eq!(
        found,
        json!([
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "yes"},
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "yes", "reasoning_content": "ours"},
        ])
    );
}

#[test]
fn a_quirk_decides_how_a_thing_is_said() {
    let mut asked = with_custom_tool();
    asked.tool_choice = ToolChoice::Named("patch".into());
    asked.controls.max_output_tokens = Some(9);
    asked.messages = vec![
        Message::new(Role::Developer, vec![text("a"), text("b")]),
        Message::new(
            Role::Assistant,
            vec![Part::Refusal("no".into()), call("call_1", true)],
        ),
    ];
    let (openai, dropped) = written(&asked, OPENAI);
    assert_eq!(
        openai,
        json!({
            "model": "m-1", "max_completion_tokens": 9,
            "messages": [
                {"role": "developer", "content": "a\n\nb"},
                {"role": "assistant", "content": null, "refusal": "no", "tool_calls": [
                    {"id": "call_1", "type": "custom", "custom": {"name": "look", "input": "free"}},
                ]},
            ],
            "tools": [{"type": "custom", "custom": {"name": "patch"}}],
            "tool_choice": {"type": "custom", "custom": {"name": "patch"}},
        })
    );
    assert!(dropped.is_empty());
    let (compatible, _) = written(&asked, COMPATIBLE);
    assert_eq!(
        compatible,
        json!({
            "model": "m-1", "max_tokens": 9,
            "messages": [
                {"role": "system", "content": "a\n\nb"},
                {"role": "assistant", "content": "no", "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{\"input\":\"free\"}"}},
                ]},
            ],
            "tools": [{"type": "function", "function": {"name": "patch", "parameters": {
                "type": "object", "properties": {"input": {"type": "string"}},
                "required": ["input"], "additionalProperties": false,
            }}}],
            "tool_choice": {"type": "function", "function": {"name": "patch"}},
        })
    );
}

#[test]
fn allowed_tools_are_the_only_ones_offered_where_they_cannot_be_named() {
    let mut asked = read(&json!({
        "messages": [],
        "tools": [
            {"type": "function", "function": {"name": "a"}},
            {"type": "function", "function": {"name": "b"}},
        ],
    }));
    asked.tool_choice = ToolChoice::Allowed {
        names: vec!["b".into()],
        required: true,
    };
    let (found, _) = written(&asked, COMPATIBLE);
    assert_eq!(
        found["tools"],
        json!([{"type": "function", "function": {"name": "b", "parameters": {"type": "object", "properties": {}}}}])
    );
    assert_eq!(found["tool_choice"], "required");
}

#[test]
fn what_cannot_be_said_is_named_in_the_clients_words() {
    let check = |change: &dyn Fn(&mut Conversation), expected: &[&str]| {
        let mut asked = Conversation::new(Dialect::Messages);
        asked.unread.push("thinking.other".into());
        change(&mut asked);
        let (_, dropped) = written(&asked, COMPATIBLE);
        let mut names = vec!["thinking.other"];
        names.extend(expected);
        assert_eq!(dropped, names);
    };
    check(&|_| {}, &[]);
    check(&|asked| asked.controls.top_k = Some(4), &["top_k"]);
    check(
        &|asked| asked.controls.metadata = [("k".to_owned(), json!("v"))].into(),
        &["metadata"],
    );
    check(
        &|asked| asked.controls.service_tier = Some("standard_only".into()),
        &["service_tier"],
    );
    check(
        &|asked| asked.controls.user = Some("u".repeat(65)),
        &["metadata.user_id"],
    );
    check(&|asked| asked.controls.user = Some("u".repeat(64)), &[]);
    check(&|asked| asked.controls.store = Some(true), &["store"]);
    check(&|asked| asked.controls.store = Some(false), &[]);
    check(
        &|asked| asked.reasoning.summary = Some(ReasoningSummary::Auto),
        &["thinking.display"],
    );
    check(
        &|asked| {
            let mut tools = with_custom_tool().tools;
            tools[0].kind = crate::ai::conversation::ToolKind::Custom {
                format: Some(json!({"type": "grammar", "syntax": "lark", "definition": "s: A"})),
            };
            asked.tools = tools;
        },
        &["tools.format"],
    );
}

#[test]
fn a_kept_response_is_the_gateways_own_affair() {
    let mut asked = Conversation::new(Dialect::Responses);
    asked.controls.store = Some(true);
    let (found, dropped) = written(&asked, OPENAI);
    assert!(found.get("store").is_none() && dropped.is_empty());
}

#[test]
fn a_budget_becomes_an_effort_and_none_at_all_is_left_out() {
    let check = |effort, budget_tokens, expected: Option<&str>, dropped: &[&str]| {
        let mut asked = Conversation::new(Dialect::Messages);
        asked.reasoning = ReasoningControl {
            effort,
            budget_tokens,
            ..ReasoningControl::default()
        };
        let (found, names) = written(&asked, OPENAI);
        let word = found.get("reasoning_effort").and_then(Value::as_str);
        assert_eq!(word, expected, "{effort:?} {budget_tokens:?}");
        assert_eq!(names, dropped);
    };
    check(None, None, None, &[]);
    check(Some(Effort::None), None, Some("none"), &[]);
    check(Some(Effort::Max), None, Some("max"), &[]);
    check(None, Some(5000), Some("medium"), &[]);
    check(None, Some(0), None, &["thinking.budget_tokens"]);
    check(
        Some(Effort::Low),
        Some(5000),
        Some("low"),
        &["thinking.budget_tokens"],
    );
}

#[test]
fn a_stream_asks_for_its_usage() {
    let asked = Conversation::new(Dialect::Messages);
    let target = Target {
        stream: true,
        ..target(COMPATIBLE)
    };
    let body = write_request(&asked, &target).unwrap().body;
    let found: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        found,
        json!({"model": "m-1", "messages": [], "stream": true, "stream_options": {"include_usage": true}})
    );
}

#[test]
fn documents_are_written_as_what_the_api_takes() {
    let check = |media: Media, file_name: Option<&str>, expected: Value| {
        let part = Part::Document {
            media,
            file_name: file_name.map(str::to_owned),
        };
        let found = messages(COMPATIBLE, vec![Message::new(Role::User, vec![part])]);
        assert_eq!(found[0]["content"], expected);
    };
    let inline = |mime_type: &str| Media::Inline {
        mime_type: mime_type.into(),
        base64: "aGk=".into(),
    };
    check(
        inline("application/pdf"),
        None,
        json!([{"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,aGk="}}]),
    );
    check(inline("text/plain"), None, json!("hi"));
    check(inline("text/csv"), Some("a.csv"), json!("a.csv:\n\nhi"));
}

#[test]
fn what_would_change_the_answer_is_refused_by_the_clients_word() {
    let check = |dialect, change: &dyn Fn(&mut Conversation), param: &str| {
        let mut asked = Conversation::new(dialect);
        change(&mut asked);
        let error = write_request(&asked, &target(OPENAI)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnsupportedParameter, "{error}");
        assert_eq!(error.param.as_deref(), Some(param), "{error}");
    };
    let say = |role, part: Part| {
        move |asked: &mut Conversation| {
            asked.messages = vec![Message::new(role, vec![part.clone()])];
        }
    };
    let image = |media| Part::Image {
        media,
        detail: None,
    };
    let document = |media| Part::Document {
        media,
        file_name: None,
    };
    let id = || Media::FileId("file_1".into());
    let url = || Media::Url("https://x.test/a".into());
    check(
        Dialect::Responses,
        &|asked| asked.controls.logprobs = Some(2),
        "top_logprobs",
    );
    check(
        Dialect::Responses,
        &|asked| asked.tool_choice = ToolChoice::Required,
        "tool_choice",
    );
    check(
        Dialect::Gemini,
        &|asked| asked.tool_choice = ToolChoice::Named("gone".into()),
        "toolConfig",
    );
    check(Dialect::Messages, &say(Role::User, image(id())), "messages");
    check(
        Dialect::Messages,
        &say(Role::User, document(id())),
        "messages",
    );
    check(
        Dialect::Gemini,
        &say(Role::User, document(url())),
        "contents",
    );
    check(
        Dialect::Responses,
        &say(Role::Assistant, image(url())),
        "input",
    );
    let bytes = Media::Inline {
        mime_type: "text/plain".into(),
        base64: "/w==".into(),
    };
    check(
        Dialect::Messages,
        &say(Role::User, document(bytes)),
        "messages",
    );
}
