//! `generationConfig` of a request for a provider. <https://ai.google.dev/api/generate-content#generationconfig>

use serde::Serialize;
use serde_json::Value;

use super::model_family;
use crate::ai::conversation::{Conversation, Effort, OutputFormat, ReasoningSummary};
use crate::ai::dialects::{Dialect, Dropped, Field, unsupported};
use crate::error::RequestError;

const JSON: &str = "application/json";
/// The most thought that every thinking model of this API takes; a higher number is an error at most of them. Models
/// that are told more by other dialects think no less than these can.
const THINKING_BUDGET_MAX: u64 = 24_576;
/// The least that models take which cannot do without; they refuse a request for none.
const THINKING_BUDGET_MIN: u64 = 128;
/// The model decides.
const DYNAMIC: i64 = -1;

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GenerationConfig<'c> {
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    stop_sequences: &'c [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_mime_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_json_schema: Option<&'c Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_config: Option<ThinkingConfig>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct ThinkingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    include_thoughts: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking_budget: Option<i64>,
}

/// The controls; `None` where the client set none. What this API does not have is noted in `dropped`.
///
/// # Errors
/// `unsupported_parameter` for log probabilities, which no dialect of the gateway carries back.
pub(super) fn generation_config<'c>(
    conversation: &'c Conversation,
    model: &str,
    dropped: &mut Dropped<'_>,
) -> Result<Option<GenerationConfig<'c>>, RequestError> {
    let controls = &conversation.controls;
    if controls.logprobs.is_some() {
        return Err(unsupported(
            conversation,
            Field::Logprobs,
            "log probabilities do not cross from the Gemini API",
        ));
    }
    note_dropped(conversation, dropped);
    // A number of 32 bits: another one would be refused, and is only a wish.
    let seed = controls.seed.and_then(|seed| i32::try_from(seed).ok());
    if seed.is_none() {
        dropped.if_set(Field::Seed, &controls.seed);
    }
    let (response_mime_type, response_json_schema) = match &conversation.output {
        OutputFormat::Text => (None, None),
        OutputFormat::JsonObject => (Some(JSON), None),
        OutputFormat::JsonSchema { schema, .. } => (Some(JSON), Some(schema)),
    };
    let config = GenerationConfig {
        temperature: controls.temperature,
        top_p: controls.top_p,
        top_k: controls.top_k,
        candidate_count: controls.choices.filter(|count| *count != 1),
        max_output_tokens: controls.max_output_tokens,
        stop_sequences: &controls.stop,
        presence_penalty: controls.presence_penalty,
        frequency_penalty: controls.frequency_penalty,
        seed,
        response_mime_type,
        response_json_schema,
        thinking_config: thinking_config(conversation, model, dropped),
    };
    Ok((config != GenerationConfig::default()).then_some(config))
}

/// The tiers that both OpenAI and Google know. `auto` and `default` ask for what happens anyway.
pub(super) fn service_tier(
    conversation: &Conversation,
    dropped: &mut Dropped<'_>,
) -> Option<&'static str> {
    match conversation.controls.service_tier.as_deref()? {
        "flex" => Some("flex"),
        "priority" => Some("priority"),
        "auto" | "default" => None,
        _ => {
            dropped.field(Field::ServiceTier);
            None
        }
    }
}

fn note_dropped(conversation: &Conversation, dropped: &mut Dropped<'_>) {
    let controls = &conversation.controls;
    dropped.if_set(Field::LogitBias, &controls.logit_bias);
    dropped.if_set(Field::User, &controls.user);
    dropped.if_set(Field::Verbosity, &controls.verbosity);
    dropped.if_set(Field::PromptCacheKey, &controls.prompt_cache_key);
    if !controls.metadata.is_empty() {
        dropped.field(Field::Metadata);
    }
    // One number is all there is; the client's own wins over one made of a word.
    let reasoning = &conversation.reasoning;
    if reasoning.budget_tokens.is_some() || reasoning.dynamic {
        dropped.if_set(Field::ReasoningEffort, &reasoning.effort);
    }
    // Responses are kept by the gateway itself.
    if controls.store == Some(true) && conversation.dialect != Dialect::Responses {
        dropped.field(Field::Store);
    }
}

/// A budget in tokens, which every thinking model takes; the words of `thinkingLevel` are for the newest alone, and
/// not all of them for each.
fn thinking_config(
    conversation: &Conversation,
    model: &str,
    dropped: &mut Dropped<'_>,
) -> Option<ThinkingConfig> {
    let wanted = &conversation.reasoning;
    let (mut budget, field) = match (wanted.budget_tokens, wanted.dynamic) {
        (Some(tokens), _) => (Some(tokens), Field::ReasoningBudget),
        (None, true) => (None, Field::ReasoningBudget),
        (None, false) => (
            wanted.effort.map(Effort::budget_tokens),
            Field::ReasoningEffort,
        ),
    };
    if budget == Some(0) && model_family::always_thinks(model) {
        dropped.field(field);
        budget = Some(THINKING_BUDGET_MIN);
    }
    let tokens = budget.and_then(|tokens| i64::try_from(tokens.min(THINKING_BUDGET_MAX)).ok());
    let config = ThinkingConfig {
        include_thoughts: wanted
            .summary
            .map(|summary| summary != ReasoningSummary::Hidden)
            .or_else(|| shown_unasked(conversation)),
        thinking_budget: tokens.or(wanted.dynamic.then_some(DYNAMIC)),
    };
    (config != ThinkingConfig::default()).then_some(config)
}

/// Who switches thinking on in Anthropic's dialect is shown thoughts without asking for them, and here nobody is.
fn shown_unasked(conversation: &Conversation) -> Option<bool> {
    let wanted = &conversation.reasoning;
    let thinks = wanted.dynamic || wanted.budget_tokens.is_some_and(|tokens| tokens > 0);
    (thinks && conversation.dialect == Dialect::Messages).then_some(true)
}
