use serde_json::json;

use super::*;
use crate::ai::conversation::{Controls, Effort, OutputFormat, ReasoningControl, ReasoningSummary};

fn read(body: &Value) -> Result<Conversation, RequestError> {
    read_request(body.to_string().as_bytes())
}

/// The smallest request, and `field`.
fn with(name: &str, field: Value) -> Value {
    json!({"model": "m", "input": "hi", name: field})
}

#[test]
fn every_control_is_read() {
    let conversation = read(&json!({
        "model": "m", "input": "hi", "stream": true, "stream_options": {"include_obfuscation": false},
        "temperature": 1, "top_p": 0.5, "max_output_tokens": 64, "metadata": {"a": "b"},
        "user": "old", "safety_identifier": "new", "service_tier": "flex", "prompt_cache_key": "k", "store": false,
        "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "description": "d", "strict": true, "schema": {"type": "object"}}},
        "reasoning": {"effort": "xhigh", "summary": "detailed", "context": "auto", "mode": "standard"},
        "truncation": "disabled", "background": false, "conversation": null, "prompt": null, "client_metadata": {"x": "y"},
        "include": ["reasoning.encrypted_content"], "top_logprobs": 0,
    }))
    .unwrap();
    assert_eq!(
        conversation.controls,
        Controls {
            temperature: Some(1.0),
            top_p: Some(0.5),
            max_output_tokens: Some(64),
            metadata: [("a".to_owned(), json!("b"))].into(),
            user: Some("new".into()),
            service_tier: Some("flex".into()),
            prompt_cache_key: Some("k".into()),
            verbosity: Some("low".into()),
            store: Some(false),
            ..Controls::default()
        }
    );
    assert_eq!(
        conversation.output,
        OutputFormat::JsonSchema {
            name: "n".into(),
            description: Some("d".into()),
            schema: json!({"type": "object"}),
            strict: Some(true),
        }
    );
    assert_eq!(
        conversation.reasoning,
        ReasoningControl {
            effort: Some(Effort::XHigh),
            summary: Some(ReasoningSummary::Detailed),
            ..ReasoningControl::default()
        }
    );
    assert_eq!(conversation.unread, [""; 0]);
}

#[test]
fn log_probabilities_are_wanted_in_two_fields() {
    let check = |fields: Value, expected: Option<u32>| {
        let mut body = json!({"input": "hi"});
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        assert_eq!(read(&body).unwrap().controls.logprobs, expected, "{fields}");
    };
    let include = "message.output_text.logprobs";
    check(json!({}), None);
    check(json!({"top_logprobs": 3}), Some(3));
    check(json!({"include": [include]}), Some(0));
    check(json!({"include": [include], "top_logprobs": 3}), Some(3));
}

#[test]
fn formats_and_summaries_have_their_words() {
    let output = |format: Value| {
        read(&with("text", json!({"format": format})))
            .unwrap()
            .output
    };
    assert_eq!(output(json!({"type": "text"})), OutputFormat::Text);
    assert_eq!(output(json!(null)), OutputFormat::Text);
    assert_eq!(
        output(json!({"type": "json_object"})),
        OutputFormat::JsonObject
    );
    let unnamed = output(json!({"type": "json_schema", "schema": {}}));
    assert!(
        matches!(unnamed, OutputFormat::JsonSchema { name, strict: None, .. } if name == "response")
    );
    let reasoning = |field: Value| read(&with("reasoning", field)).unwrap().reasoning;
    let old = reasoning(json!({"generate_summary": "concise", "effort": null}));
    assert_eq!(old.summary, Some(ReasoningSummary::Concise));
    assert_eq!(old.effort, None);
    let hidden = reasoning(json!({"summary": "none", "max_tokens": 9}));
    assert_eq!(hidden.summary, Some(ReasoningSummary::Hidden));
    assert_eq!(hidden.budget_tokens, Some(9));
}

#[test]
fn what_has_no_place_is_named_in_letters_that_a_header_can_hold() {
    let check = |body: Value, expected: &[&str]| {
        assert_eq!(read(&body).unwrap().unread, expected, "{body}");
    };
    check(with("truncation", json!("auto")), &["truncation"]);
    check(with("max_tool_calls", json!(3)), &["max_tool_calls"]);
    check(
        with("prompt_cache_retention", json!("24h")),
        &["prompt_cache_retention"],
    );
    check(with("new_field", json!({"a": 1})), &["new_field"]);
    check(with("new_field", json!(null)), &[]);
    check(with("a\r\nb: ü", json!(1)), &["a__b___"]);
    check(
        with("include", json!(["web_search_call.results"])),
        &["include.web_search_call.results"],
    );
    check(
        with("reasoning", json!({"context": "all_turns", "mode": "pro"})),
        &["reasoning.context", "reasoning.mode"],
    );
    check(with("text", json!({"tone": 1})), &["text.tone"]);
    let mut many = json!({"input": "hi", "x".repeat(500): 1});
    for index in 0..100 {
        many[format!("a{index}")] = json!(1);
    }
    let unread = read(&many).unwrap().unread;
    assert_eq!(unread.len(), 32);
    assert!(unread.iter().all(|name| name.len() <= 64));
}

#[test]
fn what_only_this_dialect_can_do_is_refused_by_name() {
    for (name, value) in [
        ("background", json!(true)),
        ("conversation", json!("conv_1")),
        ("conversation", json!({"id": "conv_1"})),
        ("prompt", json!({"id": "pmpt_1"})),
    ] {
        let error = read(&with(name, value)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnsupportedParameter);
        assert_eq!(error.param.as_deref(), Some(name));
    }
}

#[test]
fn a_field_of_the_wrong_type_is_named() {
    for (name, value) in [
        ("background", json!("yes")),
        ("instructions", json!(["x"])),
        ("temperature", json!("hot")),
        ("top_p", json!([])),
        ("max_output_tokens", json!(-1)),
        ("metadata", json!([])),
        ("user", json!(7)),
        ("safety_identifier", json!(7)),
        ("service_tier", json!(7)),
        ("prompt_cache_key", json!(7)),
        ("store", json!("no")),
        ("include", json!("x")),
        ("top_logprobs", json!("x")),
        ("truncation", json!(1)),
        ("text", json!("x")),
        ("text", json!({"format": {"type": "yaml"}})),
        (
            "text",
            json!({"format": {"type": "json_schema", "name": "n"}}),
        ),
        ("reasoning", json!("high")),
        ("reasoning", json!({"effort": "immense"})),
        ("reasoning", json!({"summary": "long"})),
        ("input", json!(7)),
        ("input", json!({"role": "user"})),
    ] {
        let error = read(&with(name, value.clone())).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest, "{name}: {value}");
        assert_eq!(error.param.as_deref(), Some(name), "{value}");
    }
    for body in ["[]", "nonsense", ""] {
        let error = read_request(body.as_bytes()).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidJson);
    }
}

#[test]
fn an_input_may_be_missing_only_where_the_request_continues_an_answer() {
    let error = read(&json!({"model": "m"})).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("input"));
    let continued = read(&json!({"previous_response_id": "resp_1"})).unwrap();
    assert!(continued.messages.is_empty());
}

#[test]
fn instructions_come_first_and_can_be_told_from_what_is_said() {
    let check = |body: Value, instructions: &[&str], said: usize| {
        let conversation = read(&body).unwrap();
        let (first, rest) = conversation
            .messages
            .split_at(conversation.own_instructions());
        let texts: Vec<_> = first
            .iter()
            .filter_map(|message| message.parts[0].as_text())
            .collect();
        assert_eq!(texts, instructions, "{body}");
        assert!(first.iter().all(|message| message.role == Role::System));
        assert_eq!(rest.len(), said, "{body}");
    };
    let system = json!([{"role": "system", "content": "said"}]);
    check(
        json!({"input": "hi", "instructions": "be brief"}),
        &["be brief"],
        1,
    );
    check(
        json!({"input": system, "instructions": "be brief"}),
        &["be brief"],
        1,
    );
    check(json!({"input": system}), &[], 1);
    check(json!({"input": system, "instructions": ""}), &[], 1);
    check(json!({"input": system, "instructions": null}), &[], 1);
    check(
        json!({"previous_response_id": "resp_1", "instructions": "be brief"}),
        &["be brief"],
        0,
    );
}

#[test]
fn what_a_response_repeats_is_kept_as_it_came() {
    let tools =
        json!([{"type": "web_search"}, {"type": "function", "name": "f", "parameters": null}]);
    let conversation = read(&json!({
        "model": "m", "input": "hi", "stream": true, "instructions": "be brief", "tools": tools, "temperature": 0.1,
        "metadata": {"a": "b"}, "previous_response_id": "resp_0", "top_p": null,
    }))
    .unwrap();
    assert_eq!(
        Value::Object(conversation.echo),
        json!({"instructions": "be brief", "tools": tools, "temperature": 0.1, "metadata": {"a": "b"}, "previous_response_id": "resp_0"})
    );
}
