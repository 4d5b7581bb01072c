use serde_json::{Value, json};

use super::*;
use crate::ai::conversation::{
    Effort, Media, Opaque, OpaqueKind, OutputFormat, Reasoning, ReasoningControl, ReasoningSummary,
    Tool, ToolCall, ToolChoice, ToolKind, ToolResult,
};
use crate::ai::dialects::{Dialect, Quirks};

fn target(model: &str) -> Target<'_> {
    Target {
        model,
        stream: false,
        quirks: Quirks::default(),
        default_max_output_tokens: 1000,
    }
}

fn write_for(
    model: &str,
    conversation: &Conversation,
) -> Result<(Value, Vec<String>), RequestError> {
    let written = write_request(conversation, &target(model))?;
    let dropped = written.dropped.iter().map(ToString::to_string).collect();
    Ok((serde_json::from_slice(&written.body).unwrap(), dropped))
}

fn write(conversation: &Conversation) -> Value {
    write_for("gemini-2.5-flash", conversation).unwrap().0
}

fn text(text: &str) -> Part {
    Part::Text(text.into())
}

fn chat(messages: Vec<Message>) -> Conversation {
    Conversation {
        messages,
        ..Conversation::new(Dialect::Chat)
    }
}

fn hi() -> Conversation {
    chat(vec![Message::new(Role::User, vec![text("hi")])])
}

fn call(id: &str, state: Option<Opaque>) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "f".into(),
        arguments: "{}".into(),
        custom: false,
        state,
    })
}

fn result(id: &str) -> Message {
    Message::new(
        Role::Tool,
        vec![Part::ToolResult(ToolResult {
            call_id: id.into(),
            name: None,
            parts: vec![text("done")],
            is_error: false,
            custom: false,
        })],
    )
}

fn state(origin: Dialect, kind: OpaqueKind, item_id: Option<&str>) -> Opaque {
    Opaque {
        origin,
        kind,
        data: "c2ln".into(),
        item_id: item_id.map(Into::into),
    }
}

#[test]
fn a_plain_request_is_its_contents_and_nothing_else() {
    assert_eq!(
        write(&hi()),
        json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]})
    );
}

#[test]
fn instructions_are_gathered_and_turns_of_one_role_are_one_content() {
    let conversation = chat(vec![
        Message::new(Role::System, vec![text("a")]),
        Message::new(Role::User, vec![text("1"), text("")]),
        Message::new(Role::User, vec![text("2")]),
        Message::new(Role::Developer, vec![text("b"), text("c")]),
        Message::new(Role::Assistant, vec![]),
        Message::new(Role::Assistant, vec![Part::Refusal("no".into())]),
    ]);
    assert_eq!(
        write(&conversation),
        json!({
            "systemInstruction": {"parts": [{"text": "a"}, {"text": "b"}, {"text": "c"}]},
            "contents": [
                {"role": "user", "parts": [{"text": "1"}, {"text": "2"}]},
                {"role": "model", "parts": [{"text": "no"}]},
            ],
        })
    );
}

#[test]
fn a_conversation_of_instructions_alone_is_one_turn_of_the_users() {
    let conversation = chat(vec![Message::new(Role::System, vec![text("sing")])]);
    assert_eq!(
        write(&conversation),
        json!({"contents": [{"role": "user", "parts": [{"text": "sing"}]}]})
    );
    let empty = chat(vec![Message::new(Role::User, vec![text("")])]);
    let error = write_for("m", &empty).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("messages"));
}

#[test]
fn calls_and_all_their_results_are_two_contents() {
    let conversation = chat(vec![
        Message::new(Role::User, vec![text("go")]),
        Message::new(
            Role::Assistant,
            vec![
                text("on it"),
                Part::ToolCall(ToolCall {
                    id: "a".into(),
                    name: "f".into(),
                    arguments: r#"{"x":1.50}"#.into(),
                    ..ToolCall::default()
                }),
                Part::ToolCall(ToolCall {
                    id: "b".into(),
                    name: "patch".into(),
                    arguments: "free text".into(),
                    custom: true,
                    state: None,
                }),
            ],
        ),
        Message::new(
            Role::Tool,
            vec![Part::ToolResult(ToolResult {
                call_id: "a".into(),
                name: None,
                parts: vec![text(r#"{"temp": 7}"#)],
                is_error: false,
                custom: false,
            })],
        ),
        Message::new(
            Role::Tool,
            vec![Part::ToolResult(ToolResult {
                call_id: "b".into(),
                name: None,
                parts: vec![text("it"), text("broke")],
                is_error: true,
                custom: true,
            })],
        ),
        Message::new(Role::User, vec![text("well?")]),
    ]);
    assert_eq!(
        write(&conversation)["contents"],
        json!([
            {"role": "user", "parts": [{"text": "go"}]},
            {"role": "model", "parts": [
                {"text": "on it"},
                {"functionCall": {"id": "a", "name": "f", "args": {"x": 1.5}}},
                {"functionCall": {"id": "b", "name": "patch", "args": {"input": "free text"}}}]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "a", "name": "f", "response": {"temp": 7}}},
                {"functionResponse": {"id": "b", "name": "patch", "response": {"error": "it\nbroke"}}},
                {"text": "well?"}]},
        ])
    );
}

#[test]
fn a_results_text_is_wrapped_unless_it_is_an_object() {
    let check = |given: &str, expected: Value| {
        let mut answered = result("a");
        if let Some(Part::ToolResult(result)) = answered.parts.first_mut() {
            result.parts = vec![text(given)];
        }
        let conversation = chat(vec![
            Message::new(Role::Assistant, vec![call("a", None)]),
            answered,
        ]);
        let body = write(&conversation);
        let part = &body["contents"][1]["parts"][0];
        assert_eq!(part["functionResponse"]["response"], expected, "{given}");
    };
    check("plain", json!({"result": "plain"}));
    check("[1]", json!({"result": "[1]"}));
    check("{\"a\":", json!({"result": "{\"a\":"}));
    check(" {\"a\":1} ", json!({"a": 1}));
    check("", json!({"result": ""}));
}

#[test]
fn a_results_picture_is_inside_it_where_the_model_takes_that() {
    let mut answered = result("a");
    if let Some(Part::ToolResult(result)) = answered.parts.first_mut() {
        result.parts.push(Part::Image {
            media: Media::Inline {
                mime_type: "image/png".into(),
                base64: "QQ==".into(),
            },
            detail: None,
        });
    }
    let conversation = chat(vec![
        Message::new(Role::User, vec![text("go")]),
        Message::new(Role::Assistant, vec![call("a", None)]),
        answered,
    ]);
    let picture = json!({"inlineData": {"mimeType": "image/png", "data": "QQ=="}});
    let parts = |model| write_for(model, &conversation).unwrap().0["contents"][2]["parts"].clone();
    let older = parts("gemini-2.5-pro");
    assert_eq!(older[1], picture);
    assert_eq!(older[0]["functionResponse"].get("parts"), None);
    let newer = parts("gemini-3-pro");
    assert_eq!(newer[0]["functionResponse"]["parts"], json!([picture]));
    assert_eq!(newer.as_array().map(Vec::len), Some(1));
}

#[test]
fn what_messages_cannot_say_here_is_refused_by_the_clients_name() {
    let orphan = chat(vec![result("a")]);
    let mut bad = ToolCall {
        id: "a".into(),
        name: "f".into(),
        arguments: "not json".into(),
        ..ToolCall::default()
    };
    let unreadable = chat(vec![Message::new(
        Role::Assistant,
        vec![Part::ToolCall(bad.clone())],
    )]);
    bad.custom = true;
    let readable = chat(vec![Message::new(
        Role::Assistant,
        vec![Part::ToolCall(bad)],
    )]);
    let picture = Part::Image {
        media: Media::FileId("file-1".into()),
        detail: None,
    };
    let uploaded = chat(vec![Message::new(Role::User, vec![picture.clone()])]);
    let instructed = chat(vec![Message::new(Role::System, vec![picture])]);
    for (conversation, kind) in [
        (orphan, ErrorKind::InvalidRequest),
        (unreadable, ErrorKind::InvalidRequest),
        (uploaded, ErrorKind::UnsupportedParameter),
        (instructed, ErrorKind::UnsupportedParameter),
    ] {
        let error = write_for("m", &conversation).unwrap_err();
        assert_eq!(error.kind, kind);
        assert_eq!(error.param.as_deref(), Some("messages"));
    }
    assert!(write_for("m", &readable).is_ok());
}

#[test]
fn state_goes_back_where_it_stood_and_a_foreign_one_stays_out() {
    let alone = |state| {
        Part::Reasoning(Reasoning {
            state: Some(state),
            ..Reasoning::default()
        })
    };
    let native = |kind, item_id| state(Dialect::Gemini, kind, item_id);
    let thought = |origin| {
        Part::Reasoning(Reasoning {
            text: "hm".into(),
            summary: true,
            state: Some(state(origin, OpaqueKind::Signature, None)),
        })
    };
    let check = |parts: Vec<Part>, expected: Value| {
        let conversation = chat(vec![Message::new(Role::Assistant, parts)]);
        assert_eq!(write(&conversation)["contents"][0]["parts"], expected);
    };
    let called = |signature: Option<&str>| {
        let mut part = json!({"functionCall": {"id": "a", "name": "f", "args": {}}});
        if let Some(signature) = signature {
            part["thoughtSignature"] = json!(signature);
        }
        part
    };
    // On text, and on a part of its own.
    check(
        vec![text("x"), alone(native(OpaqueKind::Signature, None))],
        json!([{"text": "x", "thoughtSignature": "c2ln"}]),
    );
    check(
        vec![text("x"), alone(native(OpaqueKind::Encrypted, None))],
        json!([{"text": "x"}, {"text": "", "thoughtSignature": "c2ln"}]),
    );
    // On a call, its own or given back alone before or after it.
    check(
        vec![call("a", Some(native(OpaqueKind::Signature, None)))],
        json!([called(Some("c2ln"))]),
    );
    check(
        vec![
            text("x"),
            alone(native(OpaqueKind::Signature, Some("a"))),
            call("a", None),
        ],
        json!([{"text": "x"}, called(Some("c2ln"))]),
    );
    check(
        vec![thought(Dialect::Gemini), call("a", None)],
        json!([{"text": "hm", "thought": true, "thoughtSignature": "c2ln"}, called(None)]),
    );
    // Another provider's, and thoughts that nothing proves.
    check(
        vec![
            thought(Dialect::Messages),
            Part::Reasoning(Reasoning {
                text: "hm".into(),
                ..Reasoning::default()
            }),
            call(
                "a",
                Some(state(Dialect::Responses, OpaqueKind::Encrypted, None)),
            ),
        ],
        json!([called(None)]),
    );
}

#[test]
fn unsigned_calls_of_the_current_turn_get_the_placeholder_where_it_is_checked() {
    let signed = state(Dialect::Gemini, OpaqueKind::Signature, None);
    let conversation = chat(vec![
        Message::new(Role::User, vec![text("1")]),
        Message::new(Role::Assistant, vec![call("a", None)]),
        result("a"),
        Message::new(Role::Assistant, vec![text("ok")]),
        Message::new(Role::User, vec![text("2")]),
        Message::new(
            Role::Assistant,
            vec![text("x"), call("b", None), call("c", None)],
        ),
        result("b"),
        result("c"),
        Message::new(
            Role::Assistant,
            vec![call("d", Some(signed)), call("e", None)],
        ),
        result("d"),
        result("e"),
    ]);
    let signatures = |model| -> Vec<(String, String)> {
        let body = write_for(model, &conversation).unwrap().0;
        let contents = body["contents"].as_array().unwrap().clone();
        contents
            .iter()
            .flat_map(|content| content["parts"].as_array().unwrap().clone())
            .filter_map(|part| {
                let signature = part["thoughtSignature"].as_str()?.to_owned();
                Some((part["functionCall"]["id"].as_str()?.to_owned(), signature))
            })
            .collect()
    };
    let pair = |id: &str, signature: &str| (id.to_owned(), signature.to_owned());
    assert_eq!(
        signatures("gemini-3-pro-preview"),
        [
            pair("b", "skip_thought_signature_validator"),
            pair("d", "c2ln")
        ]
    );
    assert_eq!(signatures("gemini-2.5-flash"), [pair("d", "c2ln")]);
}

#[test]
fn every_control_has_its_place() {
    let mut conversation = hi();
    conversation.controls.temperature = Some(0.5);
    conversation.controls.top_p = Some(0.9);
    conversation.controls.top_k = Some(40);
    conversation.controls.presence_penalty = Some(0.25);
    conversation.controls.frequency_penalty = Some(0.75);
    conversation.controls.seed = Some(7);
    conversation.controls.stop = vec!["a".into()];
    conversation.controls.max_output_tokens = Some(100);
    conversation.controls.choices = Some(2);
    let (body, dropped) = write_for("m", &conversation).unwrap();
    assert_eq!(
        body["generationConfig"],
        json!({"temperature": 0.5, "topP": 0.9, "topK": 40, "presencePenalty": 0.25, "frequencyPenalty": 0.75,
            "seed": 7, "stopSequences": ["a"], "maxOutputTokens": 100, "candidateCount": 2})
    );
    assert!(dropped.is_empty(), "{dropped:?}");
}

#[test]
fn output_formats_have_their_fields() {
    let check = |output: OutputFormat, expected: Value| {
        let mut conversation = hi();
        conversation.output = output;
        assert_eq!(write(&conversation)["generationConfig"], expected);
    };
    check(OutputFormat::Text, Value::Null);
    check(
        OutputFormat::JsonObject,
        json!({"responseMimeType": "application/json"}),
    );
    let schema = json!({"type": "object", "additionalProperties": false});
    check(
        OutputFormat::JsonSchema {
            name: "n".into(),
            description: None,
            schema: schema.clone(),
            strict: Some(true),
        },
        json!({"responseMimeType": "application/json", "responseJsonSchema": schema}),
    );
}

#[test]
fn thinking_is_a_budget() {
    let check = |reasoning: ReasoningControl, expected: Value| {
        let mut conversation = hi();
        conversation.reasoning = reasoning.clone();
        let body = write(&conversation);
        let config = &body["generationConfig"]["thinkingConfig"];
        assert_eq!(*config, expected, "{reasoning:?}");
    };
    let effort = |effort| ReasoningControl {
        effort: Some(effort),
        ..ReasoningControl::default()
    };
    check(ReasoningControl::default(), Value::Null);
    check(effort(Effort::None), json!({"thinkingBudget": 0}));
    check(effort(Effort::Low), json!({"thinkingBudget": 1024}));
    check(effort(Effort::Medium), json!({"thinkingBudget": 8192}));
    check(effort(Effort::High), json!({"thinkingBudget": 24576}));
    check(effort(Effort::Max), json!({"thinkingBudget": 24576}));
    check(
        ReasoningControl {
            dynamic: true,
            effort: Some(Effort::Low),
            summary: Some(ReasoningSummary::Detailed),
            ..ReasoningControl::default()
        },
        json!({"thinkingBudget": -1, "includeThoughts": true}),
    );
    check(
        ReasoningControl {
            budget_tokens: Some(2000),
            effort: Some(Effort::High),
            summary: Some(ReasoningSummary::Hidden),
            ..ReasoningControl::default()
        },
        json!({"thinkingBudget": 2000, "includeThoughts": false}),
    );
}

#[test]
fn a_model_that_always_thinks_thinks_as_little_as_it_can() {
    let mut conversation = hi();
    let check = |conversation: &Conversation, model: &str, budget: u64, expected: &[&str]| {
        let (body, dropped) = write_for(model, conversation).unwrap();
        let config = &body["generationConfig"]["thinkingConfig"];
        assert_eq!(*config, json!({"thinkingBudget": budget}), "{model}");
        assert_eq!(dropped, expected, "{model}");
    };
    conversation.reasoning.effort = Some(Effort::None);
    check(&conversation, "gemini-2.5-flash", 0, &[]);
    check(&conversation, "gemini-2.5-pro", 128, &["reasoning_effort"]);
    conversation.reasoning.budget_tokens = Some(0);
    conversation.reasoning.effort = None;
    check(
        &conversation,
        "gemini-3-pro-preview",
        128,
        &["reasoning.max_tokens"],
    );
}

#[test]
fn who_switches_thinking_on_in_anthropics_dialect_is_shown_it() {
    let check = |dialect, reasoning: ReasoningControl, expected: Value| {
        let mut conversation = hi();
        conversation.dialect = dialect;
        conversation.reasoning = reasoning;
        let body = write(&conversation);
        assert_eq!(body["generationConfig"]["thinkingConfig"], expected);
    };
    let budget = |tokens, summary| ReasoningControl {
        budget_tokens: Some(tokens),
        summary,
        ..ReasoningControl::default()
    };
    check(
        Dialect::Messages,
        budget(1024, None),
        json!({"thinkingBudget": 1024, "includeThoughts": true}),
    );
    check(
        Dialect::Messages,
        budget(1024, Some(ReasoningSummary::Hidden)),
        json!({"thinkingBudget": 1024, "includeThoughts": false}),
    );
    check(
        Dialect::Messages,
        budget(0, None),
        json!({"thinkingBudget": 0}),
    );
    check(
        Dialect::Responses,
        budget(1024, None),
        json!({"thinkingBudget": 1024}),
    );
}

#[test]
fn tools_are_functions_with_json_schema() {
    let mut conversation = hi();
    let schema = json!({"type": "object", "$defs": {}});
    let function = |name: &str, parameters, strict| Tool {
        name: name.into(),
        description: Some("d".into()),
        kind: ToolKind::Function { parameters, strict },
    };
    conversation.tools = vec![
        function("f", Some(schema.clone()), Some(true)),
        function("g", None, Some(false)),
        Tool {
            name: "patch".into(),
            description: None,
            kind: ToolKind::Custom {
                format: Some(json!({"type": "grammar"})),
            },
        },
    ];
    conversation.parallel_tool_calls = Some(false);
    let (body, dropped) = write_for("m", &conversation).unwrap();
    assert_eq!(
        body["tools"],
        json!([{"functionDeclarations": [
            {"name": "f", "description": "d", "parametersJsonSchema": schema},
            {"name": "g", "description": "d"},
            {"name": "patch", "parametersJsonSchema": ToolKind::custom_schema()},
        ]}])
    );
    assert_eq!(body.get("toolConfig"), None);
    assert_eq!(
        dropped,
        [
            "parallel_tool_calls",
            "tools.function.strict",
            "tools.custom.format"
        ]
    );
}

#[test]
fn every_choice_has_its_mode() {
    let check = |choice: ToolChoice, expected: Value| {
        let mut conversation = hi();
        conversation.tool_choice = choice;
        match write_for("m", &conversation) {
            Ok((body, _)) => {
                assert_eq!(body.get("toolConfig"), None);
                assert_ne!(expected["mode"], "ANY");
            }
            Err(error) => {
                assert_eq!(error.param.as_deref(), Some("tool_choice"));
                assert_eq!(expected["mode"], "ANY");
            }
        }
        conversation.tools = vec![Tool {
            name: "f".into(),
            description: None,
            kind: ToolKind::Function {
                parameters: None,
                strict: None,
            },
        }];
        assert_eq!(
            write(&conversation)["toolConfig"]["functionCallingConfig"],
            expected
        );
    };
    let some = |required| ToolChoice::Allowed {
        names: vec!["f".into(), "g".into()],
        required,
    };
    check(ToolChoice::Auto, Value::Null);
    check(ToolChoice::None, json!({"mode": "NONE"}));
    check(ToolChoice::Required, json!({"mode": "ANY"}));
    check(
        ToolChoice::Named("f".into()),
        json!({"mode": "ANY", "allowedFunctionNames": ["f"]}),
    );
    check(
        some(true),
        json!({"mode": "ANY", "allowedFunctionNames": ["f", "g"]}),
    );
    check(
        some(false),
        json!({"mode": "VALIDATED", "allowedFunctionNames": ["f", "g"]}),
    );
}

#[test]
fn a_word_beside_a_number_is_named_and_tiers_that_both_know_are_passed_on() {
    let mut conversation = hi();
    conversation.reasoning.effort = Some(Effort::High);
    conversation.reasoning.dynamic = true;
    let (_, dropped) = write_for("m", &conversation).unwrap();
    assert_eq!(dropped, ["reasoning_effort"]);
    for (tier, expected) in [
        ("flex", json!("flex")),
        ("priority", json!("priority")),
        ("default", Value::Null),
    ] {
        let mut conversation = hi();
        conversation.controls.service_tier = Some(tier.into());
        let (body, dropped) = write_for("m", &conversation).unwrap();
        assert_eq!(body["serviceTier"], expected);
        assert!(dropped.is_empty());
    }
}

#[test]
fn hints_that_have_no_place_are_named_and_log_probabilities_refused() {
    let mut conversation = hi();
    conversation.unread.push("audio".into());
    conversation.messages[0].name = Some("ann".into());
    conversation.messages[0].parts.push(Part::Image {
        media: Media::Url("https://x.org/a.png".into()),
        detail: Some("low".into()),
    });
    conversation.controls.logit_bias = Some(serde_json::Map::new());
    conversation.controls.user = Some("u".into());
    conversation
        .controls
        .metadata
        .insert("k".into(), json!("v"));
    conversation.controls.service_tier = Some("scale".into());
    conversation.controls.verbosity = Some("low".into());
    conversation.controls.prompt_cache_key = Some("k".into());
    conversation.controls.store = Some(true);
    conversation.controls.seed = Some(i64::MAX);
    let (_, mut dropped) = write_for("m", &conversation).unwrap();
    dropped.sort();
    assert_eq!(
        dropped,
        [
            "audio",
            "logit_bias",
            "messages.detail",
            "messages.name",
            "metadata",
            "prompt_cache_key",
            "seed",
            "service_tier",
            "store",
            "user",
            "verbosity"
        ]
    );
    conversation.controls.logprobs = Some(0);
    let error = write_for("m", &conversation).unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnsupportedParameter);
    assert_eq!(error.param.as_deref(), Some("logprobs"));
}
