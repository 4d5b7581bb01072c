//! How a client wants to be answered: sampling, ceilings, output format, reasoning and labels.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::read_request::{Fields, note_unread};
use crate::ai::conversation::{
    Conversation, Effort, OutputFormat, ReasoningControl, ReasoningSummary,
};
use crate::ai::dialects::json_object::invalid;
use crate::error::RequestError;

const TEXT: &str = "text";
const REASONING: &str = "reasoning";

/// Reads every control that other dialects may have a word for.
///
/// # Errors
/// 400 naming the field.
pub(super) fn read(
    fields: &mut Fields,
    conversation: &mut Conversation,
) -> Result<(), RequestError> {
    let controls = &mut conversation.controls;
    controls.temperature = fields.take("temperature", "a number")?;
    controls.top_p = fields.take("top_p", "a number")?;
    controls.max_output_tokens = fields.take("max_output_tokens", "a whole number")?;
    let metadata: Option<BTreeMap<String, Value>> = fields.take("metadata", "an object")?;
    controls.metadata = metadata.unwrap_or_default();
    let user = fields.take("user", "a text")?;
    // The newer of two words for the same.
    controls.user = fields.take("safety_identifier", "a text")?.or(user);
    controls.service_tier = fields.take("service_tier", "a text")?;
    controls.prompt_cache_key = fields.take("prompt_cache_key", "a text")?;
    controls.store = fields.take("store", "a boolean")?;
    read_includes(fields, conversation)?;
    read_text(fields, conversation)?;
    read_reasoning(fields, conversation)?;
    let truncation: Option<String> = fields.take("truncation", "a text")?;
    if truncation.is_some_and(|word| word != "disabled") {
        note_unread(conversation, "truncation");
    }
    Ok(())
}

/// Encrypted reasoning is always in an answer. Log probabilities are asked for in two fields.
fn read_includes(fields: &mut Fields, conversation: &mut Conversation) -> Result<(), RequestError> {
    let alternatives: Option<u32> = fields.take("top_logprobs", "a whole number")?;
    conversation.controls.logprobs = alternatives.filter(|count| *count > 0);
    let includes: Option<Vec<String>> = fields.take("include", "a list of texts")?;
    for include in includes.into_iter().flatten() {
        match &*include {
            "reasoning.encrypted_content" => {}
            "message.output_text.logprobs" => {
                conversation.controls.logprobs = Some(alternatives.unwrap_or_default());
            }
            other => note_unread(conversation, format!("include.{other}")),
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Text {
    #[serde(default)]
    format: Option<Format>,
    #[serde(default)]
    verbosity: Option<String>,
    #[serde(flatten)]
    unread: Map<String, Value>,
}

#[derive(Deserialize)]
struct Format {
    r#type: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    schema: Option<Value>,
    #[serde(default)]
    strict: Option<bool>,
}

fn read_text(fields: &mut Fields, conversation: &mut Conversation) -> Result<(), RequestError> {
    let expected = "an object with a `format` and a `verbosity`";
    let Some(text) = fields.take::<Text>(TEXT, expected)? else {
        return Ok(());
    };
    conversation.controls.verbosity = text.verbosity;
    if let Some(format) = text.format {
        conversation.output = read_format(format)?;
    }
    for name in text.unread.keys() {
        note_unread(conversation, format!("{TEXT}.{name}"));
    }
    Ok(())
}

fn read_format(format: Format) -> Result<OutputFormat, RequestError> {
    match &*format.r#type {
        "text" => Ok(OutputFormat::Text),
        "json_object" => Ok(OutputFormat::JsonObject),
        "json_schema" => Ok(OutputFormat::JsonSchema {
            name: format.name.unwrap_or_else(|| "response".to_owned()),
            description: format.description,
            schema: format
                .schema
                .filter(Value::is_object)
                .ok_or_else(|| invalid(TEXT, "must have a JSON schema in `format.schema`"))?,
            strict: format.strict,
        }),
        _ => Err(invalid(
            TEXT,
            "must have a `format` whose type is `text`, `json_object` or `json_schema`",
        )),
    }
}

#[derive(Deserialize)]
struct ReasoningField {
    #[serde(default)]
    effort: Option<String>,
    #[serde(default)]
    summary: Option<String>,
    #[serde(default)]
    generate_summary: Option<String>,
    /// No field of OpenAI's, but that of servers that speak its dialect.
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(flatten)]
    unread: Map<String, Value>,
}

fn read_reasoning(
    fields: &mut Fields,
    conversation: &mut Conversation,
) -> Result<(), RequestError> {
    let expected = "an object with an `effort` and a `summary`";
    let Some(reasoning) = fields.take::<ReasoningField>(REASONING, expected)? else {
        return Ok(());
    };
    let effort = reasoning.effort.map(|word| {
        Effort::parse(&word).ok_or_else(|| {
            invalid(
                REASONING,
                "must have an `effort` of `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`",
            )
        })
    });
    let summary = reasoning.summary.or(reasoning.generate_summary);
    conversation.reasoning = ReasoningControl {
        effort: effort.transpose()?,
        budget_tokens: reasoning.max_tokens,
        dynamic: false,
        summary: summary.map(|word| read_summary(&word)).transpose()?,
    };
    for (name, value) in &reasoning.unread {
        // What they are if nothing is said.
        if !matches!(value.as_str(), Some("auto" | "standard")) && !value.is_null() {
            note_unread(conversation, format!("{REASONING}.{name}"));
        }
    }
    Ok(())
}

fn read_summary(word: &str) -> Result<ReasoningSummary, RequestError> {
    match word {
        "auto" => Ok(ReasoningSummary::Auto),
        "concise" => Ok(ReasoningSummary::Concise),
        "detailed" => Ok(ReasoningSummary::Detailed),
        // Not OpenAI's word; some clients say it instead of nothing.
        "none" => Ok(ReasoningSummary::Hidden),
        _ => Err(invalid(
            REASONING,
            "must have a `summary` of `auto`, `concise` or `detailed`",
        )),
    }
}
