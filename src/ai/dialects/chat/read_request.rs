//! A chat request, read for a provider that speaks something else.
//!
//! Fields that have no place in a conversation are named as dropped; those that would change what the answer means
//! are refused.

use serde_json::{Map, Value};

use super::fields::{Fields, cannot_cross, note, wrong};
use super::read_message::Messages;
use super::read_tools::{read_format, read_tools};
use crate::ai::conversation::{Controls, Conversation, Effort, ReasoningControl, ReasoningSummary};
use crate::ai::dialects::Dialect;
use crate::error::{ErrorKind, RequestError};

/// Read elsewhere: the model is the provider's to be named, and how an answer streams is the client's own affair.
const READ_ELSEWHERE: &[&str] = &["model", "stream", "stream_options"];

/// Reads a client's request.
///
/// # Errors
/// 400 naming the field that is wrong or cannot cross.
pub(in crate::ai) fn read_request(body: &[u8]) -> Result<Conversation, RequestError> {
    let map: Map<String, Value> = serde_json::from_slice(body).map_err(|error| {
        RequestError::new(
            ErrorKind::InvalidJson,
            format!("The body is no JSON object: {error}."),
        )
    })?;
    let mut body = Fields::new("", map);
    let mut conversation = Conversation::new(Dialect::Chat);
    body.ignore(READ_ELSEWHERE);
    if !body.has("messages") {
        return Err(wrong("messages", "is missing; it must be a list"));
    }
    let mut messages = Messages::default();
    for message in body.objects("messages")? {
        messages.add(message)?;
    }
    conversation.messages = messages.read;
    conversation.unread = messages.unread;
    read_tools(&mut body, &mut conversation)?;
    conversation.output = read_format(&mut body)?;
    conversation.reasoning = read_reasoning(&mut body)?;
    conversation.controls = read_controls(&mut body)?;
    conversation.controls.user = read_user(&mut body, &mut conversation)?;
    refuse_speech(&mut body)?;
    for name in body.left() {
        note(&mut conversation.unread, name);
    }
    Ok(conversation)
}

fn read_controls(body: &mut Fields) -> Result<Controls, RequestError> {
    const NUMBER: &str = "a number";
    const COUNT: &str = "a whole number";
    let ceiling = body.take("max_completion_tokens", COUNT)?;
    let old_ceiling = body.take("max_tokens", COUNT)?;
    Ok(Controls {
        temperature: body.take("temperature", NUMBER)?,
        top_p: body.take("top_p", NUMBER)?,
        // Not OpenAI's, but known to most compatible servers and to the other APIs.
        top_k: body.take("top_k", COUNT)?,
        frequency_penalty: body.take("frequency_penalty", NUMBER)?,
        presence_penalty: body.take("presence_penalty", NUMBER)?,
        seed: body.take("seed", COUNT)?,
        stop: read_stop(body)?,
        max_output_tokens: ceiling.or(old_ceiling),
        choices: body.take("n", COUNT)?,
        logprobs: read_logprobs(body)?,
        logit_bias: body.take("logit_bias", "an object")?,
        user: None,
        metadata: body.take("metadata", "an object")?.unwrap_or_default(),
        service_tier: body.text("service_tier")?,
        verbosity: body.text("verbosity")?,
        prompt_cache_key: body.text("prompt_cache_key")?,
        store: body.take("store", "a boolean")?,
    })
}

fn read_stop(body: &mut Fields) -> Result<Vec<String>, RequestError> {
    match body.value("stop") {
        None => Ok(Vec::new()),
        Some(Value::String(stop)) => Ok(vec![stop]),
        Some(list) => serde_json::from_value(list)
            .map_err(|_| wrong("stop", "must be a string or a list of strings")),
    }
}

/// `top_logprobs` counts only beside `logprobs: true`.
fn read_logprobs(body: &mut Fields) -> Result<Option<u32>, RequestError> {
    let wanted: Option<bool> = body.take("logprobs", "a boolean")?;
    let alternatives: Option<u32> = body.take("top_logprobs", "a whole number")?;
    match (wanted, alternatives.unwrap_or_default()) {
        (Some(true), alternatives) => Ok(Some(alternatives)),
        (_, 0) => Ok(None),
        _ => Err(wrong("top_logprobs", "needs `logprobs` to be true")),
    }
}

/// `safety_identifier` replaces `user`. Where both are there and differ, the old one is named as dropped.
fn read_user(
    body: &mut Fields,
    conversation: &mut Conversation,
) -> Result<Option<String>, RequestError> {
    let user = body.text("user")?;
    let identifier = body.text("safety_identifier")?;
    if identifier.is_some() && user.is_some() && user != identifier {
        note(&mut conversation.unread, "user");
    }
    Ok(identifier.or(user))
}

/// `reasoning_effort`, and the `reasoning` object that OpenRouter takes beside it.
fn read_reasoning(body: &mut Fields) -> Result<ReasoningControl, RequestError> {
    let mut control = ReasoningControl {
        effort: read_effort(body, "reasoning_effort")?,
        ..ReasoningControl::default()
    };
    let Some(mut reasoning) = body.object("reasoning")? else {
        return Ok(control);
    };
    let effort = read_effort(&mut reasoning, "effort")?;
    control.effort = control.effort.or(effort);
    control.budget_tokens = reasoning.take("max_tokens", "a whole number")?;
    let says_how_much = control.effort.is_some() || control.budget_tokens.is_some();
    match reasoning.take("enabled", "a boolean")? {
        Some(true) => control.dynamic = !says_how_much,
        Some(false) => control.budget_tokens = Some(0),
        None => {}
    }
    let summary = reasoning.text("summary")?;
    control.summary = match summary.as_deref() {
        _ if reasoning.take("exclude", "a boolean")? == Some(true) => {
            Some(ReasoningSummary::Hidden)
        }
        None => None,
        Some("auto") => Some(ReasoningSummary::Auto),
        Some("concise") => Some(ReasoningSummary::Concise),
        Some("detailed") => Some(ReasoningSummary::Detailed),
        Some(_) => {
            let problem = "must be `auto`, `concise` or `detailed`";
            return Err(wrong(reasoning.path_of("summary"), problem));
        }
    };
    Ok(control)
}

fn read_effort(fields: &mut Fields, name: &str) -> Result<Option<Effort>, RequestError> {
    let Some(word) = fields.text(name)? else {
        return Ok(None);
    };
    Effort::parse(&word).map(Some).ok_or_else(|| {
        let problem = "must be `none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`";
        wrong(fields.path_of(name), problem)
    })
}

/// A spoken answer is another answer. `audio` alone, without the modality, only says which voice it would have had.
fn refuse_speech(body: &mut Fields) -> Result<(), RequestError> {
    let modalities: Option<Vec<String>> = body.take("modalities", "a list of strings")?;
    let other = modalities
        .into_iter()
        .flatten()
        .find(|modality| modality != "text");
    match other {
        Some(_) => Err(cannot_cross(
            "modalities",
            "asks for more than text, which this model's provider gives in no form the gateway can pass on",
        )),
        None => Ok(()),
    }
}
