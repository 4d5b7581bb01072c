//! Requests of clients: every field but the messages, and what is refused.

use serde_json::{Value, json};

use super::reading::{read, refused, said};
use super::*;
use crate::ai::conversation::{
    Controls, Effort, OutputFormat, ReasoningControl, ReasoningSummary, ToolChoice,
};
use crate::error::ErrorKind;

#[test]
fn controls_are_read_into_what_all_dialects_know() {
    let conversation = read(&json!({
        "model": "m", "stream": true, "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "top_k": 5,
        "stop_sequences": ["END"], "metadata": {"user_id": "u"}, "service_tier": "standard_only",
        "messages": [],
    }));
    assert_eq!(
        conversation.controls,
        Controls {
            temperature: Some(0.5),
            top_p: Some(0.9),
            top_k: Some(5),
            stop: vec!["END".into()],
            max_output_tokens: Some(9),
            user: Some("u".into()),
            service_tier: Some("default".into()),
            ..Controls::default()
        }
    );
    assert!(conversation.unread.is_empty(), "{:?}", conversation.unread);
}

#[test]
fn thinking_and_effort_are_read() {
    let check = |fields: Value, expected: ReasoningControl, unread: &[&str]| {
        let mut body = json!({"messages": []});
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        let conversation = read(&body);
        assert_eq!(conversation.reasoning, expected, "{fields}");
        assert_eq!(conversation.unread, unread, "{fields}");
    };
    let plain = ReasoningControl::default();
    check(
        json!({"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}}),
        ReasoningControl {
            budget_tokens: Some(2000),
            summary: Some(ReasoningSummary::Hidden),
            ..plain
        },
        &[],
    );
    check(
        json!({"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "xhigh"}}),
        ReasoningControl {
            dynamic: true,
            effort: Some(Effort::XHigh),
            summary: Some(ReasoningSummary::Auto),
            ..plain
        },
        &[],
    );
    let off = ReasoningControl {
        budget_tokens: Some(0),
        ..plain
    };
    check(json!({"thinking": {"type": "disabled"}}), off.clone(), &[]);
    check(
        json!({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}),
        off.clone(),
        &["output_config.effort"],
    );
    check(
        json!({"thinking": {"type": "between_tools"}}),
        off,
        &["thinking.type"],
    );
    check(
        json!({"output_config": {"effort": "medium", "task_budget": {"total": 5}}}),
        ReasoningControl {
            effort: Some(Effort::Medium),
            ..plain
        },
        &["output_config.task_budget"],
    );
    check(json!({"thinking": null}), plain, &[]);
}

#[test]
fn a_schema_is_read_under_either_name_and_strict_where_all_can_enforce_it() {
    let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
    let optional = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
    let check = |schema: &Value, strict| {
        let format = json!({"type": "json_schema", "schema": schema});
        for body in [
            json!({"messages": [], "output_config": {"format": format}}),
            json!({"messages": [], "output_format": format}),
        ] {
            assert_eq!(
                read(&body).output,
                OutputFormat::JsonSchema {
                    name: "response".into(),
                    description: None,
                    schema: schema.clone(),
                    strict,
                }
            );
        }
    };
    check(&closed, Some(true));
    check(&optional, None);
    check(
        &json!({"type": "object", "properties": {"a": optional}, "required": ["a"], "additionalProperties": false}),
        None,
    );
}

#[test]
fn functions_are_tools_and_anthropics_own_are_named_as_unread() {
    let schema = json!({"type": "object", "properties": {}});
    let conversation = read(&json!({"messages": [], "tools": [
        {"name": "a", "description": "A.", "input_schema": schema, "cache_control": {"type": "ephemeral"}},
        {"type": "custom", "name": "b", "input_schema": schema, "strict": true, "defer_loading": true,
            "eager_input_streaming": true, "input_examples": [{}], "allowed_callers": ["direct"]},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
        {"type": "bash_20250124", "name": "bash"},
    ], "tool_choice": {"type": "any", "disable_parallel_tool_use": true}}));
    let tool = |name: &str, description: Option<&str>, strict| Tool {
        name: name.into(),
        description: description.map(str::to_owned),
        kind: ToolKind::Function {
            parameters: Some(schema.clone()),
            strict,
        },
    };
    // The second one's schema is open, which others cannot enforce.
    assert_eq!(
        conversation.tools,
        [tool("a", Some("A."), None), tool("b", None, None)]
    );
    assert_eq!(conversation.tool_choice, ToolChoice::Required);
    assert_eq!(conversation.parallel_tool_calls, Some(false));
    assert_eq!(
        conversation.unread,
        [
            "cache_control",
            "tools.defer_loading",
            "tools.input_examples",
            "tools.strict",
            "tools.web_search_20250305",
            "tools.bash_20250124",
        ]
    );
}

#[test]
fn every_choice_of_tools_is_read() {
    let check = |choice: Value, expected: ToolChoice, parallel: Option<bool>| {
        let tools = json!([{"name": "a", "input_schema": {}}]);
        let conversation = read(&json!({"messages": [], "tools": tools, "tool_choice": choice}));
        assert_eq!(conversation.tool_choice, expected, "{choice}");
        assert_eq!(conversation.parallel_tool_calls, parallel, "{choice}");
    };
    check(json!({"type": "auto"}), ToolChoice::Auto, None);
    check(
        json!({"type": "auto", "disable_parallel_tool_use": false}),
        ToolChoice::Auto,
        Some(true),
    );
    check(json!({"type": "none"}), ToolChoice::None, None);
    check(
        json!({"type": "tool", "name": "a"}),
        ToolChoice::Named("a".into()),
        None,
    );
    check(Value::Null, ToolChoice::Auto, None);
}

#[test]
fn what_is_not_read_is_named_once() {
    let marked = json!({"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}});
    let conversation = read(&json!({
        "system": [marked, marked], "messages": [{"role": "user", "content": [marked]}],
        "cache_control": {"type": "ephemeral"},
        "context_management": {"edits": [{"type": "clear_tool_uses_20250919"}]},
        "inference_geo": "eu", "speed": "fast", "metadata": {"user_id": "u", "tag": 1},
        "container": null, "mcp_servers": [], "diagnostics": null,
    }));
    assert_eq!(
        conversation.unread,
        [
            "cache_control",
            "metadata.tag",
            "context_management",
            "inference_geo",
            "speed"
        ]
    );
    let cited = said(json!([
        {"role": "assistant", "content": [{"type": "text", "text": "a", "citations": [{"type": "char_location"}]}]},
        {"role": "user", "content": [{"type": "document", "citations": {"enabled": true},
            "source": {"type": "url", "url": "https://a"}}]},
    ]));
    assert_eq!(cited.unread, ["citations"]);
}

#[test]
fn what_no_other_provider_can_do_is_refused_by_name() {
    let check = |fields: Value, param: &str, kind: ErrorKind| {
        let mut body = json!({"messages": [{"role": "user", "content": "hi"}]});
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        let error = refused(&body);
        assert_eq!(error.param.as_deref(), Some(param), "{fields}: {error}");
        assert_eq!(error.kind, kind, "{fields}: {error}");
    };
    let unsupported = ErrorKind::UnsupportedParameter;
    let invalid = ErrorKind::InvalidRequest;
    check(json!({"container": "c_1"}), "container", unsupported);
    check(
        json!({"mcp_servers": [{"url": "x"}]}),
        "mcp_servers",
        unsupported,
    );
    check(
        json!({"tools": [{"type": "web_search_20250305", "name": "web_search"}],
            "tool_choice": {"type": "tool", "name": "web_search"}}),
        "tool_choice",
        unsupported,
    );
    check(
        json!({"tools": [{"type": "bash_20250124", "name": "bash"}], "tool_choice": {"type": "any"}}),
        "tool_choice",
        unsupported,
    );
    check(json!({"messages": null}), "messages", invalid);
    check(json!({"messages": [{"role": "user"}]}), "messages", invalid);
    check(
        json!({"messages": [{"role": "tool", "content": "x"}]}),
        "messages.0",
        invalid,
    );
    check(
        json!({"messages": [{"role": "user", "content": 7}]}),
        "messages.0",
        invalid,
    );
    check(json!({"system": 7}), "system", invalid);
    check(json!({"system": [{"type": "image"}]}), "system", invalid);
    check(json!({"max_tokens": "many"}), "max_tokens", invalid);
    check(json!({"max_tokens": -1}), "max_tokens", invalid);
    check(json!({"stop_sequences": "x"}), "stop_sequences", invalid);
    check(
        json!({"thinking": {"type": "hard"}}),
        "thinking.type",
        invalid,
    );
    check(
        json!({"output_config": {"effort": "huge"}}),
        "output_config.effort",
        invalid,
    );
    check(
        json!({"output_format": {"type": "json_object"}}),
        "output_format",
        invalid,
    );
    check(
        json!({"tools": [{"input_schema": {}}]}),
        "tools.0.name",
        invalid,
    );
    check(
        json!({"tool_choice": {"type": "tool"}}),
        "tool_choice.name",
        invalid,
    );
    check(
        json!({"tool_choice": {"type": "some"}}),
        "tool_choice.type",
        invalid,
    );
    let block = |block: Value, param: &str, kind: ErrorKind| {
        let text = json!({"type": "text", "text": "a"});
        check(
            json!({"messages": [{"role": "user", "content": [text, block]}]}),
            param,
            kind,
        );
    };
    let second = "messages.0.content.1";
    block(
        json!({"type": "container_upload", "file_id": "f"}),
        second,
        unsupported,
    );
    block(json!({"type": "something_new"}), second, unsupported);
    block(json!({"type": "text"}), second, invalid);
    block(json!({"type": "image"}), second, invalid);
    block(
        json!({"type": "image", "source": {"type": "base64", "data": "QUJD"}}),
        second,
        invalid,
    );
    block(json!({"type": "tool_result"}), second, invalid);
    block(
        json!({"type": "tool_use", "id": "a", "name": "b", "input": {}}),
        "messages.0",
        invalid,
    );
    block(
        json!({"type": "thinking", "thinking": "x", "signature": "s"}),
        "messages.0",
        invalid,
    );
    check(
        json!({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": 7}]}]}),
        "messages.0.content.0",
        invalid,
    );
}
