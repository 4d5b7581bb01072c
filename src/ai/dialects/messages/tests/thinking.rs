//! Thinking, its budget, and sampling beside it.

use serde_json::{Value, json};

use super::*;
use crate::ai::conversation::{
    Effort, Reasoning, ReasoningControl, ReasoningSummary, ToolChoice, ToolResult,
};
use crate::ai::dialects::messages::write_request;

const OLD: &str = "claude-sonnet-4-5";
const MIDDLE: &str = "claude-opus-4-6";
const NEW: &str = "claude-opus-4-8";

fn effort(effort: Effort) -> ReasoningControl {
    ReasoningControl {
        effort: Some(effort),
        ..ReasoningControl::default()
    }
}

fn budget(tokens: u64) -> ReasoningControl {
    ReasoningControl {
        budget_tokens: Some(tokens),
        ..ReasoningControl::default()
    }
}

fn dynamic() -> ReasoningControl {
    ReasoningControl {
        dynamic: true,
        ..ReasoningControl::default()
    }
}

fn written(conversation: &Conversation, model: &str) -> (Value, Vec<String>) {
    let written = write_request(conversation, &target(model)).unwrap();
    let dropped = written.dropped.iter().map(ToString::to_string).collect();
    (json(&written.body), dropped)
}

fn enabled(budget_tokens: u64) -> Value {
    json!({"type": "enabled", "budget_tokens": budget_tokens})
}

#[test]
fn each_generation_is_asked_in_its_own_words() {
    let check = |reasoning: ReasoningControl,
                 model: &str,
                 thinking: Value,
                 effort: Value,
                 noted: &[&str]| {
        let mut conversation = conversation(Dialect::Chat);
        conversation.reasoning = reasoning.clone();
        let (body, dropped) = written(&conversation, model);
        assert_eq!(body["thinking"], thinking, "{reasoning:?} {model}");
        assert_eq!(
            body["output_config"]["effort"], effort,
            "{reasoning:?} {model}"
        );
        assert_eq!(dropped, noted, "{reasoning:?} {model}");
    };
    let nothing = Value::Null;
    let adaptive = json!({"type": "adaptive"});
    let disabled = json!({"type": "disabled"});
    check(
        ReasoningControl::default(),
        OLD,
        nothing.clone(),
        nothing.clone(),
        &[],
    );
    check(
        ReasoningControl::default(),
        NEW,
        nothing.clone(),
        nothing.clone(),
        &[],
    );

    check(
        effort(Effort::Low),
        OLD,
        enabled(1024),
        nothing.clone(),
        &[],
    );
    check(
        effort(Effort::Medium),
        OLD,
        enabled(8192),
        nothing.clone(),
        &[],
    );
    check(
        effort(Effort::High),
        "kimi-k2",
        enabled(24_576),
        nothing.clone(),
        &[],
    );
    check(
        effort(Effort::Minimal),
        MIDDLE,
        adaptive.clone(),
        json!("low"),
        &[],
    );
    check(
        effort(Effort::XHigh),
        MIDDLE,
        adaptive.clone(),
        json!("high"),
        &[],
    );
    check(
        effort(Effort::XHigh),
        NEW,
        adaptive.clone(),
        json!("xhigh"),
        &[],
    );
    check(
        effort(Effort::Max),
        NEW,
        adaptive.clone(),
        json!("max"),
        &[],
    );

    check(budget(2000), OLD, enabled(2000), nothing.clone(), &[]);
    check(budget(128), OLD, enabled(1024), nothing.clone(), &[]);
    check(budget(2000), MIDDLE, enabled(2000), nothing.clone(), &[]);
    check(
        budget(2000),
        NEW,
        adaptive.clone(),
        json!("medium"),
        &["reasoning.max_tokens"],
    );

    check(dynamic(), OLD, enabled(8192), nothing.clone(), &[]);
    check(dynamic(), NEW, adaptive, nothing.clone(), &[]);

    for model in [OLD, MIDDLE, NEW, "kimi-k2"] {
        check(
            effort(Effort::None),
            model,
            disabled.clone(),
            nothing.clone(),
            &[],
        );
        check(budget(0), model, disabled.clone(), nothing.clone(), &[]);
    }
    check(
        effort(Effort::None),
        "claude-fable-5",
        nothing,
        json!("low"),
        &["reasoning_effort"],
    );
}

#[test]
fn the_ceiling_has_room_for_the_thought_and_a_given_one_lowers_it() {
    let check = |reasoning: ReasoningControl,
                 ceiling: Option<u64>,
                 thinking: Value,
                 max_tokens: u64,
                 noted: &[&str]| {
        let mut conversation = conversation(Dialect::Chat);
        conversation.reasoning = reasoning.clone();
        conversation.controls.max_output_tokens = ceiling;
        let (body, dropped) = written(&conversation, OLD);
        assert_eq!(body["thinking"], thinking, "{reasoning:?} {ceiling:?}");
        assert_eq!(body["max_tokens"], max_tokens, "{reasoning:?} {ceiling:?}");
        assert_eq!(dropped, noted, "{reasoning:?} {ceiling:?}");
    };
    check(effort(Effort::Low), None, enabled(1024), 4096, &[]);
    check(
        effort(Effort::High),
        None,
        enabled(24_576),
        24_576 + 4096,
        &[],
    );
    check(effort(Effort::Max), None, enabled(63_999), 64_000, &[]);
    check(budget(100_000), None, enabled(100_000), 100_001, &[]);
    check(
        effort(Effort::High),
        Some(40_000),
        enabled(24_576),
        40_000,
        &[],
    );
    check(effort(Effort::High), Some(4000), enabled(3000), 4000, &[]);
    check(effort(Effort::High), Some(1200), enabled(1024), 1200, &[]);
    check(budget(3900), Some(4000), enabled(3900), 4000, &[]);
    check(budget(4000), Some(4000), enabled(3000), 4000, &[]);
    check(
        effort(Effort::High),
        Some(1024),
        Value::Null,
        1024,
        &["reasoning_effort"],
    );
    check(
        budget(2000),
        Some(100),
        Value::Null,
        100,
        &["reasoning.max_tokens"],
    );
}

#[test]
fn thinking_gives_way_to_a_forced_tool() {
    let forced = [
        ToolChoice::Required,
        ToolChoice::Named("f".into()),
        ToolChoice::Allowed {
            names: vec!["f".into()],
            required: true,
        },
    ];
    for choice in forced {
        let mut conversation = conversation(Dialect::Chat);
        conversation.tools = vec![function("f")];
        conversation.tool_choice = choice;
        conversation.reasoning = effort(Effort::High);
        for (model, left) in [(OLD, Value::Null), (NEW, json!("high"))] {
            let (body, dropped) = written(&conversation, model);
            assert_eq!(body.get("thinking"), None);
            assert_eq!(body["output_config"]["effort"], left);
            assert_eq!(dropped, ["reasoning_effort"]);
        }
        conversation.tool_choice = ToolChoice::Auto;
        let (body, dropped) = written(&conversation, OLD);
        assert!(body["thinking"].is_object() && dropped.is_empty());
    }
}

#[test]
fn a_turn_that_began_without_thought_goes_on_without() {
    let thought = Part::Reasoning(Reasoning {
        text: "hm".into(),
        summary: true,
        state: Some(opaque(Dialect::Messages, OpaqueKind::Signature, "RXE=")),
    });
    let calls = |id: &str| Part::ToolCall(call(id, "f", "{}"));
    let results = |id: &str| {
        let result = ToolResult {
            call_id: id.into(),
            name: None,
            parts: vec![],
            is_error: false,
            custom: false,
        };
        Message::new(Role::Tool, vec![Part::ToolResult(result)])
    };
    let check = |messages: Vec<Message>, model: &str, thinks: bool| {
        let mut conversation = conversation(Dialect::Chat);
        conversation.tools = vec![function("f")];
        conversation.messages.extend(messages);
        conversation.reasoning = effort(Effort::High);
        let (body, dropped) = written(&conversation, model);
        assert_eq!(body.get("thinking").is_some(), thinks, "{body}");
        assert_eq!(dropped.is_empty(), thinks);
    };
    let words = || assistant(vec![Part::Text("yes".into())]);
    check(vec![words(), user("more")], OLD, true);
    check(vec![words()], OLD, false);
    check(vec![assistant(vec![calls("a")]), results("a")], OLD, false);
    check(vec![assistant(vec![calls("a")]), results("a")], NEW, true);
    check(
        vec![assistant(vec![thought.clone(), calls("a")]), results("a")],
        OLD,
        true,
    );
    // Only the first step of a turn is thought about before it is taken.
    check(
        vec![
            assistant(vec![thought.clone(), calls("a")]),
            results("a"),
            assistant(vec![calls("b")]),
            results("b"),
        ],
        OLD,
        true,
    );
    // A turn before the last word of the user's does not count.
    check(
        vec![
            assistant(vec![thought, calls("a")]),
            results("a"),
            words(),
            user("more"),
            assistant(vec![calls("b")]),
            results("b"),
        ],
        OLD,
        false,
    );
}

#[test]
fn whether_thoughts_are_shown_is_passed_on_where_there_are_any() {
    let check = |summary, reasoning: ReasoningControl, display: Value, noted: &[&str]| {
        let mut conversation = conversation(Dialect::Chat);
        conversation.reasoning = ReasoningControl {
            summary: Some(summary),
            ..reasoning
        };
        for model in [OLD, NEW] {
            let (body, dropped) = written(&conversation, model);
            assert_eq!(body["thinking"]["display"], display, "{summary:?}");
            assert_eq!(dropped, noted, "{summary:?}");
        }
    };
    use ReasoningSummary::{Auto, Detailed, Hidden};
    check(Auto, effort(Effort::Low), json!("summarized"), &[]);
    check(Detailed, effort(Effort::Low), json!("summarized"), &[]);
    check(Hidden, effort(Effort::Low), json!("omitted"), &[]);
    check(Hidden, ReasoningControl::default(), Value::Null, &[]);
    check(
        Auto,
        ReasoningControl::default(),
        Value::Null,
        &["reasoning.summary"],
    );
}

#[test]
fn sampling_is_written_as_far_as_model_and_thinking_allow() {
    let check = |controls: Value, model: &str, thinks: bool, expected: Value, noted: &[&str]| {
        let mut conversation = conversation(Dialect::Chat);
        conversation.controls.temperature = controls["temperature"].as_f64();
        conversation.controls.top_p = controls["top_p"].as_f64();
        conversation.controls.top_k = controls["top_k"].as_u64();
        if thinks {
            conversation.reasoning = effort(Effort::Low);
        }
        let (body, dropped) = written(&conversation, model);
        let mut found = json!({});
        for name in ["temperature", "top_p", "top_k"] {
            if let Some(value) = body.get(name) {
                found[name] = value.clone();
            }
        }
        assert_eq!(found, expected, "{controls} {model}");
        assert_eq!(dropped, noted, "{controls} {model}");
    };
    let all = json!({"temperature": 0.5, "top_p": 0.9, "top_k": 5});
    check(
        all.clone(),
        OLD,
        false,
        json!({"temperature": 0.5, "top_k": 5}),
        &["top_p"],
    );
    check(all.clone(), "kimi-k2", false, all.clone(), &[]);
    check(
        all.clone(),
        OLD,
        true,
        json!({}),
        &["temperature", "top_k", "top_p"],
    );
    check(
        all,
        NEW,
        false,
        json!({}),
        &["temperature", "top_k", "top_p"],
    );
    check(
        json!({"temperature": 1.7}),
        OLD,
        false,
        json!({"temperature": 1.0}),
        &["temperature"],
    );
    check(
        json!({"temperature": 0.0}),
        OLD,
        false,
        json!({"temperature": 0.0}),
        &[],
    );
    check(
        json!({"temperature": 1.0, "top_p": 0.9}),
        OLD,
        false,
        json!({"top_p": 0.9}),
        &[],
    );
    check(
        json!({"temperature": 0.3, "top_p": 1.0}),
        OLD,
        false,
        json!({"temperature": 0.3}),
        &[],
    );
    check(
        json!({"temperature": 1, "top_p": 1}),
        NEW,
        true,
        json!({}),
        &[],
    );
    check(
        json!({"top_p": 0.97}),
        OLD,
        true,
        json!({"top_p": 0.97}),
        &[],
    );
    check(json!({"top_p": 0.5}), OLD, true, json!({}), &["top_p"]);
}
