//! A provider's whole answer. <https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse>

use super::wire::{Candidate, Part as WirePart, Response};
use super::{calls, finish, media, signature};
use crate::ai::conversation::{Answer, Choice, Finish, Part, Reasoning, ToolCall};
use crate::ai::dialects::AnswerContext;
use crate::error::{ErrorKind, RequestError};

/// Reads an answer.
///
/// # Errors
/// `provider_protocol_error` where it is none, or the failure that it reports.
pub(in crate::ai) fn read_answer(
    body: &[u8],
    context: &AnswerContext,
) -> Result<Answer, RequestError> {
    let not_an_answer = || {
        RequestError::new(
            ErrorKind::ProviderProtocolError,
            "The provider's answer is not one of the Gemini API.",
        )
    };
    let response: Response<'_> = serde_json::from_slice(body).map_err(|_| not_an_answer())?;
    let blocked = response.is_blocked();
    if let Some(fault) = response.error {
        return Err(fault.into_answer_error());
    }
    let mut calls = 0;
    let mut choices: Vec<(u32, Choice)> = (0..)
        .zip(response.candidates)
        .map(|(position, candidate)| {
            let index = candidate.index.unwrap_or(position);
            (index, read_candidate(candidate, &mut calls, context))
        })
        .collect();
    if blocked {
        choices.push((0, blocked_choice()));
    }
    if choices.is_empty() {
        return Err(not_an_answer());
    }
    choices.sort_by_key(|(index, _)| *index);
    Ok(Answer {
        id: response.response_id.map(Into::into),
        model: response.model_version.map(Into::into),
        choices: choices.into_iter().map(|(_, choice)| choice).collect(),
        usage: response.usage_metadata.and_then(|usage| usage.tokens()),
    })
}

/// The prompt was refused: there is no candidate, only the reason.
fn blocked_choice() -> Choice {
    Choice {
        parts: Vec::new(),
        finish: Finish::ContentFilter,
    }
}

/// `calls` counts over the whole answer.
fn read_candidate(candidate: Candidate<'_>, calls: &mut u32, context: &AnswerContext) -> Choice {
    let mut parts = Vec::new();
    let mut called = false;
    for part in candidate.content.unwrap_or_default().parts {
        if part.function_call.is_some() {
            called = true;
        }
        read_part(part, calls, context, &mut parts);
    }
    let word = candidate.finish_reason.unwrap_or_default();
    // Without a reason it is a whole answer all the same.
    let finish = finish::read(&word, called).unwrap_or(if called {
        Finish::ToolCalls
    } else {
        Finish::Stop
    });
    Choice { parts, finish }
}

fn read_part(part: WirePart<'_>, calls: &mut u32, context: &AnswerContext, out: &mut Vec<Part>) {
    let signature = part.thought_signature.as_deref();
    if let Some(call) = part.function_call {
        let custom = context.conversation.is_custom_tool(&call.name);
        let id = call_id(call.id.as_deref(), *calls, context);
        *calls += 1;
        out.push(Part::ToolCall(ToolCall {
            arguments: calls::arguments(call.args.as_deref(), custom),
            name: call.name.into_owned(),
            custom,
            state: signature.map(|signature| signature::on_call(signature, &id)),
            id,
        }));
        return;
    }
    if let Some(blob) = &part.inline_data {
        // A model that draws; what no dialect has a place for is left out.
        out.extend(media::read_inline(blob));
    }
    let text = part.text.unwrap_or_default().into_owned();
    let state = signature.map(|signature| signature::beside_text(signature, &text));
    let thought = part.thought == Some(true);
    if thought {
        if !text.is_empty() || state.is_some() {
            out.push(Part::Reasoning(Reasoning {
                text,
                summary: true,
                state,
            }));
        }
        return;
    }
    if !text.is_empty() {
        out.push(Part::Text(text));
    }
    if state.is_some() {
        out.push(Part::Reasoning(Reasoning {
            state,
            ..Reasoning::default()
        }));
    }
}

/// The provider's id for a call, or one for the call number `index`.
pub(super) fn call_id(id: Option<&str>, index: u32, context: &AnswerContext) -> String {
    id.filter(|id| !id.is_empty())
        .map_or_else(|| context.call_id(index), str::to_owned)
}

#[cfg(test)]
mod tests;
