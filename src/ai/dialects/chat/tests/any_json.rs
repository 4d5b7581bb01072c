//! Whatever stands where something else should: an error or an answer, and never a panic.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{COMPATIBLE, OPENAI, context, target};
use crate::ai::dialects::chat::{EventReader, read_answer, read_request, write_request};

/// `whole` with each of its values replaced by one of every kind, one at a time.
fn variations(whole: &Value) -> Vec<Value> {
    let mut paths = Vec::new();
    walk(whole, String::new(), &mut paths);
    let kinds = [
        Value::Null,
        json!(true),
        json!(-7),
        json!(1e300),
        json!(""),
        json!("data:,"),
        json!([]),
        json!([[7]]),
        json!({}),
        json!({"type": "x"}),
    ];
    let mut found = Vec::new();
    for path in paths {
        for kind in &kinds {
            let mut changed = whole.clone();
            *changed.pointer_mut(&path).unwrap() = kind.clone();
            found.push(changed);
        }
    }
    found
}

fn walk(value: &Value, path: String, paths: &mut Vec<String>) {
    let mut go = |name: &str, inner: &Value| walk(inner, format!("{path}/{name}"), paths);
    match value {
        Value::Object(map) => map.iter().for_each(|(name, inner)| go(name, inner)),
        Value::Array(values) => values
            .iter()
            .enumerate()
            .for_each(|(at, inner)| go(&at.to_string(), inner)),
        _ => {}
    }
    paths.push(path);
}

#[test]
fn any_request_is_read_and_written_or_refused_with_a_name() {
    let whole = json!({
        "messages": [
            {"role": "developer", "content": "a"},
            {"role": "user", "name": "ann", "content": [
                {"type": "text", "text": "a"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "high"}},
                {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
                {"type": "file", "file": {"filename": "a", "file_data": "data:text/plain;base64,aGk="}},
            ]},
            {"role": "assistant", "content": "a", "reasoning_content": "b", "refusal": "c", "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": {"g": 1}},
                {"id": "2", "type": "custom", "custom": {"name": "p", "input": "x"}},
            ], "function_call": {"name": "o", "arguments": "{}"}},
            {"role": "tool", "tool_call_id": "1", "content": "a"},
            {"role": "function", "name": "o", "content": "a"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": true}},
            {"type": "custom", "custom": {"name": "p", "format": {"type": "grammar", "grammar": {"syntax": "s", "definition": "d"}}}},
        ],
        "functions": [{"name": "o"}],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "f"}}]}},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": true}},
        "reasoning": {"effort": "low", "max_tokens": 1, "exclude": true, "enabled": true, "summary": "auto"},
        "stop": ["a"], "n": 2, "seed": 1, "logprobs": false, "top_logprobs": 0, "logit_bias": {"1": 1},
        "metadata": {"a": "b"}, "modalities": ["text"], "user": "u", "safety_identifier": "u", "temperature": 1,
    });
    let (mut read, mut refused) = (0, 0);
    for body in variations(&whole) {
        match read_request(body.to_string().as_bytes()) {
            Ok(conversation) => {
                read += 1;
                for quirks in [OPENAI, COMPATIBLE] {
                    if let Err(error) = write_request(&conversation, &target(quirks)) {
                        assert!(error.param.is_some(), "{body}: {error}");
                    }
                }
            }
            Err(error) => {
                refused += 1;
                assert_eq!(error.status(), 400, "{body}: {error}");
                let named = error.param.is_some() || !body.is_object();
                assert!(named, "{body}: {error}");
            }
        }
    }
    assert!(
        read > 100 && refused > 100,
        "{read} read, {refused} refused"
    );
}

#[test]
fn any_answer_and_any_chunk_is_read_or_is_the_providers_failure() {
    let said = json!({
        "content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}, {"type": "text", "text": "b"}],
        "refusal": "c", "reasoning_content": "d", "reasoning": "e",
        "tool_calls": [{"index": 0, "id": "1", "function": {"name": "f", "arguments": "{}"}, "custom": {"name": "p", "input": "i"}, "extra_content": {}}],
        "function_call": {"name": "o", "arguments": "{}"},
    });
    let whole = json!({
        "id": "1", "model": "m", "object": "chat.completion",
        "choices": [{"index": 0, "message": said, "delta": said, "finish_reason": "stop", "usage": {"prompt_tokens": 1}}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "prompt_tokens_details": {"cached_tokens": 1}},
    });
    for body in variations(&whole) {
        let bytes = body.to_string();
        if let Err(error) = read_answer(bytes.as_bytes(), &context()) {
            assert!(error.status() >= 400, "{body}: {error}");
        }
        let mut reader = EventReader::new(Arc::new(context()));
        let event = format!("data: {bytes}\n\n");
        if let Err(error) = reader.read(event.as_bytes(), &mut Vec::new()) {
            assert_eq!(error.status(), 502, "{body}: {error}");
        }
    }
}
