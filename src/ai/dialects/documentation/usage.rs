//! What is counted, from each provider's object and in each client's.

use std::sync::Arc;

use ferrogate_api::Tokens;
use serde_json::{Value, json};

use super::DIALECTS;
use super::page::{Table, hold};
use crate::ai::conversation::{Answer, Choice, Conversation, Finish, Part};
use crate::ai::dialects::{AnswerContext, Dialect, convert};

pub(super) fn context(client: Dialect) -> AnswerContext {
    AnswerContext {
        request_id: "01980000-0000-7000-8000-000000000001".into(),
        created_unix: 1_750_000_000,
        model: "m".into(),
        response_id: "resp_1".into(),
        wants_usage_event: true,
        conversation: Arc::new(Conversation::new(client)),
    }
}

/// Of 100 tokens read, 30 came from a cache and 20 went into one; of 50 written, 10 were thoughts.
const TOKENS: Tokens = Tokens {
    input: 100,
    output: 50,
    cache_read: 30,
    cache_write: 20,
    reasoning: 10,
};

/// Where an answer has its counts.
fn name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Gemini => "usageMetadata",
        _ => "usage",
    }
}

#[test]
fn counts_are_written_in_each_clients_way() {
    let answer = Answer {
        choices: vec![Choice {
            parts: vec![Part::Text("x".into())],
            finish: Finish::Stop,
        }],
        usage: Some(TOKENS),
        ..Answer::default()
    };
    let mut table = Table::new(&["client", "gets"]);
    for client in DIALECTS {
        let written = convert::write_answer(client, &answer, &context(client));
        let written: Value = serde_json::from_slice(&written).unwrap();
        let counts = &written[name(client)];
        table.row(&[format!("`{}`", client.as_str()), format!("`{counts}`")]);
    }
    hold("usage-written", &table);
}

/// The same counts as each provider reports them.
fn reported(dialect: Dialect) -> Value {
    match dialect {
        Dialect::Responses => json!({
            "input_tokens": 100, "input_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 20},
            "output_tokens": 50, "output_tokens_details": {"reasoning_tokens": 10},
        }),
        Dialect::Messages => json!({
            "input_tokens": 50, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 20,
            "output_tokens": 50, "output_tokens_details": {"thinking_tokens": 10},
        }),
        // What is written to a cache is not told.
        Dialect::Gemini => json!({
            "promptTokenCount": 100, "cachedContentTokenCount": 30,
            "candidatesTokenCount": 40, "thoughtsTokenCount": 10,
        }),
        _ => json!({
            "prompt_tokens": 100, "prompt_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 20},
            "completion_tokens": 50, "completion_tokens_details": {"reasoning_tokens": 10},
        }),
    }
}

#[test]
fn counts_are_read_from_each_providers_way() {
    let mut table = Table::new(&["provider", "reports"]);
    for provider in DIALECTS {
        let counts = reported(provider);
        let mut answer = match provider {
            Dialect::Responses => json!({"status": "completed", "output": []}),
            Dialect::Messages => json!({"type": "message", "content": []}),
            Dialect::Gemini => json!({"candidates": [{"finishReason": "STOP"}]}),
            _ => json!({"choices": [{"message": {"content": "x"}}]}),
        };
        answer[name(provider)] = counts.clone();
        let body = answer.to_string();
        let read = convert::read_answer(provider, body.as_bytes(), &context(provider)).unwrap();
        let mut expected = TOKENS;
        if provider == Dialect::Gemini {
            expected.cache_write = 0;
        }
        assert_eq!(read.usage, Some(expected), "{provider:?}");
        table.row(&[format!("`{}`", provider.as_str()), format!("`{counts}`")]);
    }
    hold("usage-read", &table);
}
