//! A request for Anthropic, from any other dialect.
//!
//! The tables of what crosses how stand where it is decided: the history, thinking with sampling, tools, schemas.
//! Here is the rest: what is refused, what is left out and named, and the body itself.

use serde::Serialize;
use serde_json::Value;

use super::blocks::Block;
use super::history::{History, Turn};
use super::output_schema::output_schema;
use super::thinking::{Plan, Thinking, plan, sampling};
use super::tools::{WrittenChoice, WrittenTool, write_tools};
use crate::ai::conversation::{Controls, Conversation, OutputFormat};
use crate::ai::dialects::{Dialect, Dropped, Field, Target, Written, unsupported};
use crate::error::RequestError;

/// Said where any JSON object is asked for: the API knows schemas alone. Noted as dropped, since nothing enforces it.
const JSON_INSTRUCTION: &str = "Answer with one JSON object and nothing else.";

/// What a request to answer and a request to count have in common.
#[derive(Debug, Serialize)]
pub(super) struct Prompt<'c> {
    model: &'c str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    system: Vec<Block<'c>>,
    messages: Vec<Turn<'c>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WrittenTool<'c>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<WrittenChoice<'c>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<Thinking>,
    #[serde(skip_serializing_if = "OutputConfig::is_empty")]
    output_config: OutputConfig,
}

#[derive(Debug, Serialize)]
struct OutputConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    effort: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format>,
}

#[derive(Debug, Serialize)]
struct Format {
    r#type: &'static str,
    schema: Value,
}

impl OutputConfig {
    fn is_empty(&self) -> bool {
        self.effort.is_none() && self.format.is_none()
    }
}

#[derive(Debug, Serialize)]
struct Body<'c> {
    #[serde(flatten)]
    prompt: Prompt<'c>,
    max_tokens: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    stream: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    stop_sequences: Vec<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Metadata<'c>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Metadata<'c> {
    user_id: &'c str,
}

/// Writes the body of `POST /v1/messages`.
///
/// # Errors
/// 400 naming the field that cannot be said to Anthropic, or that is not what it must be.
pub(in crate::ai) fn write_request(
    conversation: &Conversation,
    target: &Target<'_>,
) -> Result<Written, RequestError> {
    let controls = &conversation.controls;
    if controls.choices.is_some_and(|choices| choices > 1) {
        let why = "Anthropic's API gives one answer at a time";
        return Err(unsupported(conversation, Field::Choices, why));
    }
    if controls.logprobs.is_some() {
        let why = "Anthropic's API gives no token probabilities";
        return Err(unsupported(conversation, Field::Logprobs, why));
    }
    let mut dropped = Dropped::new(conversation);
    let (prompt, plan) = prompt(conversation, target, &mut dropped)?;
    let sampling = sampling(controls, target.model, plan.thinks, &mut dropped);
    drop_hints(conversation, &mut dropped);
    let body = Body {
        prompt,
        max_tokens: plan.max_tokens,
        stream: target.stream,
        stop_sequences: stop_sequences(controls, &mut dropped),
        temperature: sampling.temperature,
        top_p: sampling.top_p,
        top_k: sampling.top_k,
        metadata: controls.user.as_deref().map(|user_id| Metadata { user_id }),
        service_tier: service_tier(controls, &mut dropped),
    };
    Ok(written(&body, dropped))
}

/// The body as bytes.
pub(super) fn written(body: &impl Serialize, dropped: Dropped<'_>) -> Written {
    let json = serde_json::to_vec(body).expect("strings, numbers and JSON are always JSON");
    Written {
        body: json.into(),
        dropped: dropped.into_names(),
    }
}

/// Everything the model reads, and how it is to think about it.
pub(super) fn prompt<'c>(
    conversation: &'c Conversation,
    target: &Target<'c>,
    dropped: &mut Dropped<'_>,
) -> Result<(Prompt<'c>, Plan), RequestError> {
    let mut history = History::of(conversation, dropped)?;
    let (tools, tool_choice) = write_tools(conversation, dropped)?;
    let mut plan = plan(
        conversation,
        target,
        history.goes_on_without_thought(),
        dropped,
    );
    let mut format = None;
    match &conversation.output {
        OutputFormat::Text => {}
        OutputFormat::JsonObject => {
            dropped.field(Field::OutputFormat);
            history.system.extend(Block::text(JSON_INSTRUCTION));
        }
        OutputFormat::JsonSchema { schema, .. } => {
            format = Some(Format {
                r#type: "json_schema",
                schema: output_schema(schema),
            });
        }
    }
    let prompt = Prompt {
        model: target.model,
        system: history.system,
        messages: history.messages,
        tools,
        tool_choice,
        thinking: plan.thinking.take(),
        output_config: OutputConfig {
            effort: plan.effort,
            format,
        },
    };
    Ok((prompt, plan))
}

/// Notes what is a wish and has no word here.
fn drop_hints(conversation: &Conversation, dropped: &mut Dropped<'_>) {
    let controls = &conversation.controls;
    dropped.if_set(Field::FrequencyPenalty, &controls.frequency_penalty);
    dropped.if_set(Field::PresencePenalty, &controls.presence_penalty);
    dropped.if_set(Field::Seed, &controls.seed);
    dropped.if_set(Field::LogitBias, &controls.logit_bias);
    dropped.if_set(Field::Verbosity, &controls.verbosity);
    dropped.if_set(Field::PromptCacheKey, &controls.prompt_cache_key);
    if !controls.metadata.is_empty() {
        dropped.field(Field::Metadata);
    }
    // What a responses client wants stored, the gateway stores.
    if controls.store == Some(true) && conversation.dialect != Dialect::Responses {
        dropped.field(Field::Store);
    }
}

/// Stop sequences of white space alone are refused.
fn stop_sequences<'c>(controls: &'c Controls, dropped: &mut Dropped<'_>) -> Vec<&'c str> {
    let says = |stop: &&str| !stop.trim().is_empty();
    let kept: Vec<&str> = controls
        .stop
        .iter()
        .map(|stop| &**stop)
        .filter(says)
        .collect();
    if kept.len() < controls.stop.len() {
        dropped.field(Field::Stop);
    }
    kept
}

/// OpenAI's `default` is what is called standard here; its other tiers have no counterpart.
fn service_tier(controls: &Controls, dropped: &mut Dropped<'_>) -> Option<&'static str> {
    match controls.service_tier.as_deref()? {
        "auto" => Some("auto"),
        "default" | "standard_only" => Some("standard_only"),
        _ => {
            dropped.field(Field::ServiceTier);
            None
        }
    }
}
