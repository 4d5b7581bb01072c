//! How each client says a field: what the page calls a field must be read as that field.

use serde_json::{Value, json};

use super::DIALECTS;
use super::fields::rows;
use super::page::{Table, hold};
use crate::ai::conversation::Conversation;
use crate::ai::dialects::{Dialect, Field, convert};

/// A request in which a function can be called; for the grammar of one, a tool of free text.
fn body(dialect: Dialect, field: Field) -> Value {
    let custom = field == Field::ToolGrammar;
    match dialect {
        Dialect::Responses => json!({
            "input": [{"role": "user", "content": "hi"}],
            "tools": [{"type": if custom { "custom" } else { "function" }, "name": "look"}],
        }),
        Dialect::Messages => json!({
            "messages": [{"role": "user", "content": "hi"}],
            "tools": [{"name": "look", "input_schema": closed()}],
            "tool_choice": {"type": "auto"},
            "thinking": {"type": "enabled"},
        }),
        Dialect::Gemini => json!({
            "contents": [{"parts": [{"text": "hi"}]}],
            "tools": [{"functionDeclarations": [{"name": "look"}]}],
        }),
        _ => json!({
            "messages": [{"role": "user", "content": "hi"}],
            "tools": [match custom {
                true => json!({"type": "custom", "custom": {"name": "look"}}),
                false => json!({"type": "function", "function": {"name": "look"}}),
            }],
            // Alternatives are asked for beside it.
            "logprobs": false,
        }),
    }
}

/// A schema that every provider can enforce: elsewhere the wish to is left out.
fn closed() -> Value {
    json!({"type": "object", "properties": {}, "required": [], "additionalProperties": false})
}

/// Something to say in a field.
fn sample(field: Field, dialect: Dialect) -> Value {
    match (field, dialect) {
        (Field::ToolChoice, Dialect::Messages) => json!({"type": "any"}),
        (Field::ToolChoice, Dialect::Gemini) => json!({"functionCallingConfig": {"mode": "ANY"}}),
        (Field::ToolChoice, _) => json!("required"),
        (Field::Tools, Dialect::Gemini) => json!([{"functionDeclarations": [{"name": "other"}]}]),
        (Field::Tools, Dialect::Messages) => json!([{"name": "other"}]),
        (Field::Tools, Dialect::Responses) => json!([{"type": "function", "name": "other"}]),
        (Field::Tools, _) => json!([{"type": "function", "function": {"name": "other"}}]),
        (Field::OutputFormat, Dialect::Gemini) => json!({"type": "OBJECT"}),
        (Field::OutputFormat, Dialect::Messages) => json!({"type": "json_schema", "schema": {}}),
        (Field::OutputFormat, _) => json!({"type": "json_object"}),
        (Field::ToolGrammar, _) => json!({"type": "text"}),
        (Field::ReasoningEffort | Field::Verbosity, _) => json!("low"),
        (Field::ReasoningSummary, Dialect::Gemini) => json!(true),
        (Field::ReasoningSummary, Dialect::Messages) => json!("summarized"),
        (Field::ReasoningSummary, _) => json!("auto"),
        (Field::ToolStrict | Field::ParallelToolCalls | Field::Store, _) => json!(true),
        (Field::Temperature | Field::TopP, _) => json!(0.5),
        (Field::FrequencyPenalty | Field::PresencePenalty, _) => json!(0.5),
        (Field::Logprobs, Dialect::Chat | Dialect::Gemini) => json!(true),
        (Field::Stop, _) => json!(["END"]),
        (Field::LogitBias, _) => json!({"1": -99}),
        (Field::Metadata, _) => json!({"team": "blue"}),
        (Field::SpeakerName | Field::User | Field::PromptCacheKey, _) => json!("ann"),
        (Field::ServiceTier, _) => json!("flex"),
        (
            Field::ReasoningBudget
            | Field::TopK
            | Field::Seed
            | Field::MaxOutputTokens
            | Field::Choices
            | Field::Logprobs,
            _,
        ) => json!(2000),
        (
            Field::Messages | Field::Instructions | Field::Image | Field::Document | Field::Audio,
            _,
        ) => Value::Null,
    }
}

/// Sets the field at `path`, in the first element of every list on the way.
fn set(body: &mut Value, path: &str, value: Value) {
    let mut at = body;
    for name in path.split('.') {
        if let Value::Array(list) = at {
            at = &mut list[0];
        }
        at = &mut at[name];
    }
    *at = value;
}

/// Whether a client can say `field` under the name that the gateway calls it by.
fn is_said(field: Field, dialect: Dialect) -> bool {
    let read = |body: &Value| -> Option<Conversation> {
        convert::read_request(dialect, body.to_string().as_bytes()).ok()
    };
    let mut asked = body(dialect, field);
    let without = read(&asked).unwrap();
    set(&mut asked, field.spelling(dialect), sample(field, dialect));
    // What a responses answer repeats says nothing about what was understood.
    let with = read(&asked).map(|with| Conversation {
        echo: without.echo.clone(),
        ..with
    });
    with.is_some_and(|with| with.unread == without.unread && with != without)
}

#[test]
fn every_field_is_read_under_its_name() {
    let mut table = Table::new(&[
        "asked for",
        "chat client",
        "responses client",
        "messages client",
        "Gemini client",
    ]);
    let mut seen = Vec::new();
    for (field, label, _) in rows() {
        if seen.contains(&field) {
            continue;
        }
        seen.push(field);
        let mut cells = vec![name_of(field).unwrap_or(label).to_owned()];
        for dialect in DIALECTS {
            let spelling = field.spelling(dialect);
            cells.push(match is_said(field, dialect) {
                true => format!("`{spelling}`"),
                false => "–".into(),
            });
        }
        assert!(
            cells.iter().filter(|cell| cell.starts_with('`')).count() > 0,
            "no client can say {field:?}"
        );
        table.row(&cells);
    }
    hold("spelling", &table);
}

/// A field that has several rows in the table of rules, as a whole.
fn name_of(field: Field) -> Option<&'static str> {
    Some(match field {
        Field::Tools => "tools",
        Field::ToolChoice => "tool choice",
        Field::OutputFormat => "output format",
        Field::Choices => "number of answers",
        Field::Store => "store",
        Field::ServiceTier => "service tier",
        _ => return None,
    })
}
