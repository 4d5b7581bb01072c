//! Requests for Anthropic: everything but the messages.

use serde_json::{Map, Value, json};

use super::*;
use crate::ai::conversation::{Media, OutputFormat, ToolChoice, ToolResult};
use crate::ai::dialects::messages::write_request;
use crate::error::{ErrorKind, RequestError};

const MODEL: &str = "claude-sonnet-4-5";

pub(super) fn written(conversation: &Conversation) -> (Value, Vec<String>) {
    let written = write_request(conversation, &target(MODEL)).unwrap();
    let dropped = written.dropped.iter().map(ToString::to_string).collect();
    (json(&written.body), dropped)
}

pub(super) fn refused(conversation: &Conversation) -> RequestError {
    write_request(conversation, &target(MODEL)).unwrap_err()
}

pub(super) fn turn(role: &str, content: Value) -> Value {
    json!({"role": role, "content": content})
}

pub(super) fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

pub(super) fn result(id: &str, parts: Vec<Part>) -> Part {
    Part::ToolResult(ToolResult {
        call_id: id.into(),
        name: None,
        parts,
        is_error: false,
        custom: false,
    })
}

#[test]
fn a_plain_request_has_what_the_api_demands_and_no_more() {
    let mut conversation = conversation(Dialect::Chat);
    let (body, dropped) = written(&conversation);
    assert_eq!(
        body,
        json!({"model": MODEL, "max_tokens": 4096, "messages": [turn("user", json!([text("hi")]))]})
    );
    assert!(dropped.is_empty());
    conversation.controls.max_output_tokens = Some(7);
    let streamed = Target {
        stream: true,
        ..target(MODEL)
    };
    let body = json(&write_request(&conversation, &streamed).unwrap().body);
    assert_eq!(
        (&body["max_tokens"], &body["stream"]),
        (&json!(7), &json!(true))
    );
}

#[test]
fn arguments_that_are_no_object_are_the_clients_error() {
    let mut conversation = conversation(Dialect::Responses);
    conversation
        .messages
        .push(assistant(vec![Part::ToolCall(call("t", "f", "{oops"))]));
    let error = refused(&conversation);
    assert_eq!(error.kind, ErrorKind::InvalidRequest);
    assert_eq!(error.param.as_deref(), Some("input"));
    assert!(error.message.contains("`f`"), "{}", error.message);
}

#[test]
fn tools_are_written_and_custom_ones_as_functions_of_one_text() {
    let mut conversation = conversation(Dialect::Chat);
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let tool = |name: &str, kind| Tool {
        name: name.into(),
        description: Some("Does.".into()),
        kind,
    };
    conversation.tools = vec![
        tool(
            "f",
            ToolKind::Function {
                parameters: Some(schema.clone()),
                strict: Some(true),
            },
        ),
        tool(
            "g",
            ToolKind::Function {
                parameters: None,
                strict: None,
            },
        ),
        tool(
            "h",
            ToolKind::Function {
                parameters: Some(json!({"properties": {}})),
                strict: None,
            },
        ),
        tool(
            "p",
            ToolKind::Custom {
                format: Some(json!({"type": "grammar"})),
            },
        ),
    ];
    let mut patch = call("t", "p", "*** Begin");
    patch.custom = true;
    conversation
        .messages
        .push(assistant(vec![Part::ToolCall(patch)]));
    conversation
        .messages
        .push(Message::new(Role::Tool, vec![result("t", vec![])]));
    let (body, dropped) = written(&conversation);
    let expected = |name: &str, schema: Value| json!({"name": name, "description": "Does.", "input_schema": schema});
    let empty = json!({"type": "object", "properties": {}});
    assert_eq!(
        body["tools"],
        json!([
            expected("f", schema),
            expected("g", empty.clone()),
            expected("h", empty),
            expected("p", ToolKind::custom_schema()),
        ])
    );
    assert_eq!(
        body["messages"][1]["content"][0]["input"],
        json!({"input": "*** Begin"})
    );
    assert_eq!(dropped, ["tools.function.strict", "tools.custom.format"]);
    assert_eq!(body.get("tool_choice"), None);
}

#[test]
fn every_choice_of_tools_is_written() {
    let check = |choice: ToolChoice, parallel, expected: Value, shown: &[&str]| {
        let mut conversation = conversation(Dialect::Chat);
        conversation.tools = vec![function("a"), function("b")];
        conversation.tool_choice = choice.clone();
        conversation.parallel_tool_calls = parallel;
        let (body, dropped) = written(&conversation);
        assert_eq!(body["tool_choice"], expected, "{choice:?}");
        let names: Vec<&str> = body["tools"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|tool| tool["name"].as_str())
            .collect();
        assert_eq!(names, shown, "{choice:?}");
        assert!(dropped.is_empty());
    };
    let both = &["a", "b"];
    let single = json!({"type": "auto", "disable_parallel_tool_use": true});
    check(ToolChoice::Auto, None, Value::Null, both);
    check(ToolChoice::Auto, Some(true), Value::Null, both);
    check(ToolChoice::Auto, Some(false), single.clone(), both);
    check(ToolChoice::None, Some(false), json!({"type": "none"}), both);
    check(ToolChoice::Required, None, json!({"type": "any"}), both);
    check(
        ToolChoice::Named("b".into()),
        Some(false),
        json!({"type": "tool", "name": "b", "disable_parallel_tool_use": true}),
        both,
    );
    let allowed = |required| ToolChoice::Allowed {
        names: vec!["b".into()],
        required,
    };
    check(allowed(true), None, json!({"type": "any"}), &["b"]);
    check(allowed(false), Some(false), single, &["b"]);
}

#[test]
fn a_tool_that_must_be_called_must_be_there() {
    for choice in [ToolChoice::Required, ToolChoice::Named("web_search".into())] {
        let mut conversation = conversation(Dialect::Chat);
        conversation.tool_choice = choice;
        assert_eq!(refused(&conversation).param.as_deref(), Some("tool_choice"));
    }
}

#[test]
fn a_history_with_calls_declares_their_tools_where_the_request_has_none() {
    let mut conversation = conversation(Dialect::Chat);
    let calls = ["a", "b", "a"].map(|name| Part::ToolCall(call(name, name, "{}")));
    conversation.messages.push(assistant(calls.to_vec()));
    let (body, _) = written(&conversation);
    let tool = |name: &str| json!({"name": name, "input_schema": {"type": "object"}});
    assert_eq!(body["tools"], json!([tool("a"), tool("b")]));
    assert_eq!(body["tool_choice"], json!({"type": "none"}));
}

#[test]
fn structured_output_is_a_schema_or_an_instruction() {
    let mut conversation = conversation(Dialect::Chat);
    conversation.output = OutputFormat::JsonSchema {
        name: "n".into(),
        description: None,
        schema: json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}}),
        strict: Some(true),
    };
    let (body, dropped) = written(&conversation);
    assert_eq!(
        body["output_config"],
        json!({"format": {"type": "json_schema", "schema": {"type": "object", "additionalProperties": false,
            "properties": {"a": {"type": "integer", "description": "{minimum: 1}"}}}}})
    );
    assert!(dropped.is_empty());
    conversation.output = OutputFormat::JsonObject;
    let (body, dropped) = written(&conversation);
    assert_eq!(
        body["system"],
        json!([text("Answer with one JSON object and nothing else.")])
    );
    assert_eq!(body.get("output_config"), None);
    assert_eq!(dropped, ["response_format"]);
}

#[test]
fn hints_without_a_word_here_are_left_out_and_named_as_the_client_spells_them() {
    let mut conversation = conversation(Dialect::Chat);
    conversation.unread = vec!["prediction".into()];
    conversation.messages[0].name = Some("Ann".into());
    conversation.messages[0].parts.push(Part::Image {
        media: Media::Url("https://a".into()),
        detail: Some("low".into()),
    });
    let controls = &mut conversation.controls;
    controls.frequency_penalty = Some(0.5);
    controls.presence_penalty = Some(0.5);
    controls.seed = Some(1);
    controls.logit_bias = Some(Map::new());
    controls.verbosity = Some("low".into());
    controls.prompt_cache_key = Some("k".into());
    controls.metadata.insert("a".into(), json!("b"));
    controls.store = Some(true);
    controls.service_tier = Some("flex".into());
    controls.stop = vec!["\n".into(), "END".into()];
    controls.user = Some("u-1".into());
    controls.choices = Some(1);
    let (body, mut dropped) = written(&conversation);
    assert_eq!(body["stop_sequences"], json!(["END"]));
    assert_eq!(body["metadata"], json!({"user_id": "u-1"}));
    assert_eq!(body.get("service_tier"), None);
    dropped.sort();
    assert_eq!(
        dropped,
        [
            "frequency_penalty",
            "logit_bias",
            "messages.detail",
            "messages.name",
            "metadata",
            "prediction",
            "presence_penalty",
            "prompt_cache_key",
            "seed",
            "service_tier",
            "stop",
            "store",
            "verbosity",
        ]
    );
}

#[test]
fn service_tiers_are_renamed() {
    for (tier, expected) in [("auto", "auto"), ("default", "standard_only")] {
        let mut conversation = conversation(Dialect::Chat);
        conversation.controls.service_tier = Some(tier.into());
        let (body, dropped) = written(&conversation);
        assert_eq!(body["service_tier"], expected);
        assert!(dropped.is_empty());
    }
}

#[test]
fn what_an_answer_would_lack_is_refused() {
    let mut several = conversation(Dialect::Chat);
    several.controls.choices = Some(2);
    assert_eq!(refused(&several).param.as_deref(), Some("n"));
    let mut probable = conversation(Dialect::Responses);
    probable.controls.logprobs = Some(0);
    assert_eq!(refused(&probable).param.as_deref(), Some("top_logprobs"));
}
