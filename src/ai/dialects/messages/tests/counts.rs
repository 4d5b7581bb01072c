//! Token counting.

use serde_json::json;

use super::*;
use crate::ai::conversation::{Effort, OutputFormat};
use crate::ai::dialects::messages::{
    read_count_answer, read_request, write_count_answer, write_count_request,
};

#[test]
fn a_count_is_asked_for_with_the_prompt_alone() {
    let mut conversation = conversation(Dialect::Gemini);
    conversation.tools = vec![function("f")];
    conversation.reasoning.effort = Some(Effort::Medium);
    conversation.controls.temperature = Some(0.1);
    conversation.controls.seed = Some(1);
    conversation.controls.max_output_tokens = Some(9000);
    conversation.output = OutputFormat::JsonObject;
    let written = write_count_request(&conversation, &target("claude-sonnet-4-5")).unwrap();
    assert_eq!(
        json(&written.body),
        json!({
            "model": "claude-sonnet-4-5",
            "system": [{"type": "text", "text": "Answer with one JSON object and nothing else."}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
            "tools": [{"name": "f", "input_schema": {"type": "object"}}],
            "thinking": {"type": "enabled", "budget_tokens": 6750},
        })
    );
    assert_eq!(written.dropped, ["generationConfig.responseSchema"]);
}

#[test]
fn a_clients_count_request_is_a_request_without_a_ceiling() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    let conversation = read_request(body.to_string().as_bytes()).unwrap();
    assert_eq!(conversation.controls.max_output_tokens, None);
    assert_eq!(conversation.messages, [user("hi")]);
}

#[test]
fn a_count_survives_its_answer() {
    assert_eq!(&*write_count_answer(42), br#"{"input_tokens":42}"#);
    assert_eq!(read_count_answer(&write_count_answer(42)), Some(42));
    for body in ["", "{}", r#"{"type":"error"}"#] {
        assert_eq!(read_count_answer(body.as_bytes()), None, "{body}");
    }
}
