//! A provider's whole answer, for a client that speaks something else.

use super::failure::{failed_choice, protocol_error};
use super::reply::{CallPiece, Pieces, Reply, ReplyChoice, Said};
use super::wire::{Spoken, arguments_text, call_state, finish_of, thoughts};
use crate::ai::conversation::{Answer, Choice, Part, ToolCall, ToolKind};
use crate::ai::dialects::AnswerContext;
use crate::ai::dialects::usage::Usage;
use crate::error::RequestError;

/// Reads an answer.
///
/// # Errors
/// `provider_protocol_error` where it is none, or the failure that the provider reports in it.
pub(in crate::ai) fn read_answer(
    body: &[u8],
    context: &AnswerContext,
) -> Result<Answer, RequestError> {
    let reply: Reply = serde_json::from_slice(body)
        .map_err(|_| protocol_error("The provider's answer is not a chat completion."))?;
    if let Some(failure) = reply.failure() {
        return Err(failure);
    }
    let mut choices = reply.choices.unwrap_or_default();
    if choices.is_empty() {
        return Err(protocol_error(
            "The provider's answer is a chat completion without a choice.",
        ));
    }
    choices.sort_by_key(|choice| choice.index);
    let inner_usage = choices.iter().find_map(|choice| choice.usage);
    let mut calls = 0;
    let choices: Result<Vec<Choice>, RequestError> = choices
        .into_iter()
        .map(|choice| read_choice(choice, context, &mut calls))
        .collect();
    Ok(Answer {
        id: reply.id.filter(|id| !id.is_empty()),
        model: reply.model.filter(|model| !model.is_empty()),
        choices: choices?,
        usage: reply.usage.or(inner_usage).and_then(Usage::tokens),
    })
}

/// `calls` counts the calls of all choices, for those that have no id.
fn read_choice(
    choice: ReplyChoice,
    context: &AnswerContext,
    calls: &mut u32,
) -> Result<Choice, RequestError> {
    let Pieces {
        reasoning,
        text,
        refusal,
        calls: pieces,
    } = choice.message.map(Said::pieces).unwrap_or_default();
    let mut parts = Vec::new();
    if !reasoning.is_empty() {
        parts.push(Part::Reasoning(thoughts(reasoning)));
    }
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    let mut spoken = Spoken::default();
    if !refusal.is_empty() {
        spoken.refusal = true;
        parts.push(Part::Refusal(refusal));
    }
    for piece in pieces {
        if let Some(call) = read_call(piece, context, calls)? {
            spoken.calls = true;
            parts.push(Part::ToolCall(call));
        }
    }
    let word = choice.finish_reason.unwrap_or_default();
    match finish_of(&word, spoken) {
        Some(finish) if choice.error.is_none() => Ok(Choice { parts, finish }),
        _ => Err(failed_choice(&word, choice.error.as_ref())),
    }
}

fn read_call(
    mut piece: CallPiece,
    context: &AnswerContext,
    calls: &mut u32,
) -> Result<Option<ToolCall>, RequestError> {
    let name = piece.name().to_owned();
    let arguments = piece.take_arguments();
    if name.is_empty() {
        return if arguments.is_empty() {
            Ok(None)
        } else {
            Err(protocol_error(
                "The provider's answer calls a tool without naming it.",
            ))
        };
    }
    let id = piece
        .id()
        .map_or_else(|| context.call_id(*calls), str::to_owned);
    *calls += 1;
    let stands_in = !piece.is_custom() && context.conversation.is_custom_tool(&name);
    Ok(Some(ToolCall {
        id,
        name,
        arguments: match (piece.is_custom(), stands_in) {
            (true, _) => arguments,
            (_, true) => ToolKind::custom_input(&arguments),
            _ => arguments_text(Some(arguments.into())),
        },
        custom: piece.is_custom() || stands_in,
        state: piece.extra_content.as_ref().map(call_state),
    }))
}
