//! A conversation, written as a request to a provider that speaks this dialect.
//!
//! What a response cannot do and an answer would mean something else without is refused; what is no more than a hint is
//! left out and named. The provider keeps nothing unless the client wants it to: its state comes back to us encrypted.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::write_controls::{self, Reasoning, Text, ToolChoiceWord, ToolWord};
use super::write_input::{self, InputItem};
use crate::ai::conversation::{Conversation, Opaque, Part, ToolChoice};
use crate::ai::dialects::{Dialect, Dropped, Field, Target, Written, unsupported};
use crate::error::RequestError;

const ENCRYPTED_REASONING: &str = "reasoning.encrypted_content";

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<String>,
    input: Vec<InputItem<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolWord<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ToolChoiceWord<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<Reasoning>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_output_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a BTreeMap<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_cache_key: Option<&'a str>,
    store: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    include: Option<[&'static str; 1]>,
    stream: bool,
}

/// Writes a request.
///
/// # Errors
/// 400 `unsupported_parameter` naming the client's field that this dialect has no way to say.
pub(in crate::ai) fn write_request(
    conversation: &Conversation,
    target: &Target<'_>,
) -> Result<Written, RequestError> {
    refuse_what_cannot_be_said(conversation)?;
    let mut dropped = Dropped::new(conversation);
    note_what_is_left_out(conversation, &mut dropped);
    let (instructions, input) = write_input::write(conversation, target.quirks, &mut dropped)?;
    let controls = &conversation.controls;
    let reasoning = write_controls::reasoning(&conversation.reasoning, &mut dropped);
    let tools = write_controls::tools(conversation, target.quirks, &mut dropped);
    let has_tools = !tools.is_empty();
    let body = Body {
        model: target.model,
        instructions,
        input,
        tools,
        tool_choice: write_controls::tool_choice(conversation, target.quirks),
        parallel_tool_calls: conversation.parallel_tool_calls.filter(|_| has_tools),
        text: write_controls::text(conversation),
        include: wants_state(conversation, reasoning.as_ref()).then_some([ENCRYPTED_REASONING]),
        reasoning,
        max_output_tokens: write_controls::max_output_tokens(controls, &mut dropped),
        temperature: controls.temperature,
        top_p: controls.top_p,
        metadata: write_controls::metadata(controls, &mut dropped),
        user: write_controls::user(controls, &mut dropped),
        service_tier: write_controls::service_tier(controls, &mut dropped),
        prompt_cache_key: controls.prompt_cache_key.as_deref(),
        store: controls.store == Some(true),
        stream: target.stream,
    };
    let json = serde_json::to_vec(&body).expect("a request is texts, numbers and JSON");
    Ok(Written {
        body: json.into(),
        dropped: dropped.into_names(),
    })
}

fn refuse_what_cannot_be_said(conversation: &Conversation) -> Result<(), RequestError> {
    let controls = &conversation.controls;
    let refuse = |field, why| Err(unsupported(conversation, field, why));
    if controls.choices.is_some_and(|count| count > 1) {
        return refuse(
            Field::Choices,
            "the responses API gives one answer at a time",
        );
    }
    if !controls.stop.is_empty() {
        return refuse(Field::Stop, "the responses API has no stop sequences");
    }
    if controls.logprobs.is_some() {
        return refuse(
            Field::Logprobs,
            "log probabilities are not carried over from the responses API",
        );
    }
    let demands_call = matches!(
        conversation.tool_choice,
        ToolChoice::Required | ToolChoice::Named(_) | ToolChoice::Allowed { required: true, .. }
    );
    if demands_call && conversation.tools.is_empty() {
        return refuse(
            Field::ToolChoice,
            "it demands a call, and none of the tools can be passed on",
        );
    }
    Ok(())
}

fn note_what_is_left_out(conversation: &Conversation, dropped: &mut Dropped<'_>) {
    let controls = &conversation.controls;
    dropped.if_set(Field::TopK, &controls.top_k);
    dropped.if_set(Field::FrequencyPenalty, &controls.frequency_penalty);
    dropped.if_set(Field::PresencePenalty, &controls.presence_penalty);
    dropped.if_set(Field::Seed, &controls.seed);
    dropped.if_set(Field::LogitBias, &controls.logit_bias);
}

/// Whether encrypted reasoning is asked for by name: where the model is known to reason. One that does not refuses to
/// be asked, and one that reasons by itself sends it unasked.
fn wants_state(conversation: &Conversation, reasoning: Option<&Reasoning>) -> bool {
    let own = |state: &Option<Opaque>| {
        state
            .as_ref()
            .is_some_and(|state| state.origin == Dialect::Responses)
    };
    reasoning.is_some_and(Reasoning::is_on)
        || conversation
            .parts()
            .any(|part| matches!(part, Part::Reasoning(reasoning) if own(&reasoning.state)))
}

#[cfg(test)]
mod tests;
