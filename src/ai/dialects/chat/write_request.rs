//! A request for a provider that speaks chat completions.
//!
//! | what the client said | what the provider is told |
//! |---|---|
//! | `n` above 1, sampling, penalties, seed, stop, logit bias, user, verbosity, cache key | the same |
//! | a ceiling on output | `max_completion_tokens`, or `max_tokens` where only that is known |
//! | effort | `reasoning_effort` |
//! | a budget for thought | the least effort that is worth it; nothing where it is 0, which servers of models that do not think refuse |
//! | log probabilities | refused: answers in a conversation do not carry them |
//! | top k, metadata, how thoughts are shown, a foreign service tier, a user's name over 64 characters | left out and named |
//! | whether the answer is kept | left out; named unless the gateway itself keeps it |

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::write_messages::{WrittenMessage, write_messages};
use super::write_tools::{WrittenChoice, WrittenFormat, WrittenTool, write_format, write_tools};
use crate::ai::conversation::{Conversation, Effort};
use crate::ai::dialects::{Dialect, Dropped, Field, Target, Written, unsupported};
use crate::error::RequestError;

/// OpenAI's words for `service_tier`.
const SERVICE_TIERS: [&str; 6] = ["auto", "default", "flex", "scale", "priority", "fast"];
/// OpenAI refuses a longer name of a user, and other clients make longer ones.
const USER_CHARS_MAX: usize = 64;

#[derive(Serialize)]
struct Request<'c> {
    model: &'c str,
    messages: Vec<WrittenMessage<'c>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WrittenTool<'c>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<WrittenChoice<'c>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<WrittenFormat<'c>>,
    /// Everything that is a word or a number.
    #[serde(flatten)]
    controls: Map<String, Value>,
}

/// Writes a request.
///
/// # Errors
/// 400 naming the field that a chat request has no way to say.
pub(in crate::ai) fn write_request(
    conversation: &Conversation,
    target: &Target<'_>,
) -> Result<Written, RequestError> {
    let mut dropped = Dropped::new(conversation);
    let tools = write_tools(conversation, target.quirks, &mut dropped)?;
    let mut controls = Map::new();
    write_reasoning(conversation, &mut controls, &mut dropped);
    write_controls(conversation, target, &mut controls, &mut dropped)?;
    if target.stream {
        controls.insert("stream".to_owned(), true.into());
        controls.insert("stream_options".to_owned(), json!({"include_usage": true}));
    }
    let request = Request {
        model: target.model,
        messages: write_messages(conversation, target.quirks)?,
        tools: tools.tools,
        tool_choice: tools.choice,
        parallel_tool_calls: tools.parallel,
        response_format: write_format(&conversation.output),
        controls,
    };
    let body = serde_json::to_vec(&request).expect("texts, numbers and lists are always JSON");
    Ok(Written {
        body: body.into(),
        dropped: dropped.into_names(),
    })
}

fn write_reasoning(
    conversation: &Conversation,
    out: &mut Map<String, Value>,
    dropped: &mut Dropped<'_>,
) {
    let reasoning = &conversation.reasoning;
    let effort = match (reasoning.effort, reasoning.budget_tokens) {
        (Some(effort), budget) => {
            dropped.if_set(Field::ReasoningBudget, &budget);
            Some(effort)
        }
        (None, Some(0)) => {
            dropped.field(Field::ReasoningBudget);
            None
        }
        (None, budget) => budget.map(Effort::of_budget),
    };
    set(out, "reasoning_effort", effort.map(Effort::as_str));
    dropped.if_set(Field::ReasoningSummary, &reasoning.summary);
}

fn write_controls(
    conversation: &Conversation,
    target: &Target<'_>,
    out: &mut Map<String, Value>,
    dropped: &mut Dropped<'_>,
) -> Result<(), RequestError> {
    let controls = &conversation.controls;
    if controls.logprobs.is_some() {
        return Err(unsupported(
            conversation,
            Field::Logprobs,
            "log probabilities do not cross from one API to another",
        ));
    }
    let ceiling = if target.quirks.max_completion_tokens {
        "max_completion_tokens"
    } else {
        "max_tokens"
    };
    set(out, ceiling, controls.max_output_tokens);
    set(out, "temperature", controls.temperature);
    set(out, "top_p", controls.top_p);
    set(out, "frequency_penalty", controls.frequency_penalty);
    set(out, "presence_penalty", controls.presence_penalty);
    set(out, "seed", controls.seed);
    set(out, "n", controls.choices.filter(|choices| *choices != 1));
    let stop = Some(&controls.stop).filter(|stop| !stop.is_empty());
    set(out, "stop", stop.cloned());
    set(out, "logit_bias", controls.logit_bias.clone());
    let user = controls.user.as_deref();
    let fitting = user.filter(|user| user.chars().count() <= USER_CHARS_MAX);
    set(out, "user", fitting);
    if fitting.is_none() {
        dropped.if_set(Field::User, &user);
    }
    set(out, "verbosity", controls.verbosity.as_deref());
    set(
        out,
        "prompt_cache_key",
        controls.prompt_cache_key.as_deref(),
    );
    let tier = controls.service_tier.as_deref();
    let known_tier = tier.filter(|tier| SERVICE_TIERS.contains(tier));
    set(out, "service_tier", known_tier);
    if known_tier.is_none() {
        dropped.if_set(Field::ServiceTier, &tier);
    }
    dropped.if_set(Field::TopK, &controls.top_k);
    // OpenAI takes metadata only beside `store`, and others not at all.
    if !controls.metadata.is_empty() {
        dropped.field(Field::Metadata);
    }
    // The gateway keeps a responses client's answers itself; and not to keep is what a chat provider does anyway.
    if controls.store == Some(true) && conversation.dialect != Dialect::Responses {
        dropped.field(Field::Store);
    }
    Ok(())
}

fn set<T: Into<Value>>(out: &mut Map<String, Value>, name: &str, value: Option<T>) {
    if let Some(value) = value {
        out.insert(name.to_owned(), value.into());
    }
}
