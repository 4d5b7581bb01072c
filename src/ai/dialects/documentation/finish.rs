//! Why an answer ended: from each provider's word to each client's.

use serde_json::{Value, json};

use super::DIALECTS;
use super::page::{Table, hold};
use super::usage::context;
use crate::ai::dialects::{Dialect, convert};

/// What an answer holds beside its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Text,
    Call,
    Refusal,
    Nothing,
}

use Holds::{Call, Nothing, Refusal, Text};

/// A provider's words, with what the answer holds where it matters.
const WORDS: [(Dialect, &[(&str, Holds)]); 4] = [
    (
        Dialect::Chat,
        &[
            ("stop", Text),
            ("stop", Call),
            ("stop", Refusal),
            ("tool_calls", Call),
            ("tool_calls", Text),
            ("length", Text),
            ("model_length", Text),
            ("content_filter", Nothing),
            ("of tomorrow", Text),
        ],
    ),
    (
        Dialect::Responses,
        &[
            ("completed", Text),
            ("completed", Call),
            ("completed", Refusal),
            ("incomplete: max_output_tokens", Text),
            ("incomplete: content_filter", Nothing),
            ("incomplete: of tomorrow", Text),
        ],
    ),
    (
        Dialect::Messages,
        &[
            ("end_turn", Text),
            ("tool_use", Call),
            ("stop_sequence", Text),
            ("max_tokens", Text),
            ("model_context_window_exceeded", Text),
            ("refusal", Text),
            ("refusal", Nothing),
            ("pause_turn", Text),
            ("of tomorrow", Text),
        ],
    ),
    (
        Dialect::Gemini,
        &[
            ("STOP", Text),
            ("STOP", Call),
            ("MAX_TOKENS", Text),
            ("SAFETY", Nothing),
            ("RECITATION", Nothing),
            ("PROHIBITED_CONTENT", Nothing),
            ("no candidate, promptFeedback.blockReason", Nothing),
            ("MALFORMED_FUNCTION_CALL", Nothing),
            ("OF_TOMORROW", Text),
        ],
    ),
];

/// An answer that ends with `word`.
fn answer(dialect: Dialect, word: &str, holds: Holds) -> Value {
    match dialect {
        Dialect::Responses => responses(word, holds),
        Dialect::Messages => {
            let content = match holds {
                Call => json!([{"type": "tool_use", "id": "t", "name": "look", "input": {}}]),
                Text => json!([{"type": "text", "text": "x"}]),
                Refusal | Nothing => json!([]),
            };
            let sequence = (word == "stop_sequence").then_some("END");
            json!({"type": "message", "content": content, "stop_reason": word, "stop_sequence": sequence})
        }
        Dialect::Gemini if word.contains("blockReason") => {
            json!({"promptFeedback": {"blockReason": "SAFETY"}})
        }
        Dialect::Gemini => {
            let parts = match holds {
                Call => json!([{"functionCall": {"name": "look", "args": {}}}]),
                Text => json!([{"text": "x"}]),
                Refusal | Nothing => json!([]),
            };
            json!({"candidates": [{"content": {"parts": parts}, "finishReason": word}]})
        }
        _ => {
            let message = match holds {
                Call => {
                    json!({"tool_calls": [{"id": "t", "function": {"name": "look", "arguments": "{}"}}]})
                }
                Text => json!({"content": "x"}),
                Refusal => json!({"refusal": "no"}),
                Nothing => json!({}),
            };
            json!({"choices": [{"message": message, "finish_reason": word}]})
        }
    }
}

fn responses(word: &str, holds: Holds) -> Value {
    let (status, reason) = word.split_once(": ").unwrap_or((word, ""));
    let said = |part: Value| json!([{"type": "message", "content": [part]}]);
    let output = match holds {
        Call => {
            json!([{"type": "function_call", "call_id": "t", "name": "look", "arguments": "{}"}])
        }
        Text => said(json!({"type": "output_text", "text": "x"})),
        Refusal => said(json!({"type": "refusal", "refusal": "no"})),
        Nothing => json!([]),
    };
    json!({"status": status, "incomplete_details": {"reason": reason}, "output": output})
}

/// The reason in an answer for a client.
fn reason(client: Dialect, answer: &Value) -> String {
    let words = match client {
        Dialect::Responses => [&answer["status"], &answer["incomplete_details"]["reason"]],
        Dialect::Messages => [&answer["stop_reason"], &Value::Null],
        Dialect::Gemini => [&answer["candidates"][0]["finishReason"], &Value::Null],
        _ => [&answer["choices"][0]["finish_reason"], &Value::Null],
    };
    let words: Vec<&str> = words.into_iter().filter_map(Value::as_str).collect();
    assert!(!words.is_empty(), "{answer}");
    format!("`{}`", words.join(": "))
}

#[test]
fn every_reason_to_end_reaches_every_client() {
    let mut table = Table::new(&[
        "provider",
        "says",
        "and the answer holds",
        "chat client",
        "responses client",
        "messages client",
        "Gemini client",
    ]);
    for (provider, words) in WORDS {
        for (word, holds) in words {
            let context = context(Dialect::Chat);
            let body = answer(provider, word, *holds).to_string();
            let read = convert::read_answer(provider, body.as_bytes(), &context).unwrap();
            let held = match holds {
                Text => "text",
                Call => "a call",
                Refusal => "a refusal",
                Nothing => "nothing",
            };
            let mut cells = vec![
                format!("`{}`", provider.as_str()),
                format!("`{word}`"),
                held.to_owned(),
            ];
            for client in DIALECTS {
                let written = convert::write_answer(client, &read, &context);
                let cell = reason(client, &serde_json::from_slice(&written).unwrap());
                // Between the two of one dialect bytes pass.
                cells.push(if client == provider {
                    "as it is".into()
                } else {
                    cell
                });
            }
            table.row(&cells);
        }
    }
    hold("finish", &table);
}
