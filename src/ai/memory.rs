//! What a later request needs of an earlier one: kept responses, and reasoning that its client may not carry.
//!
//! Everything is bound to the key that made it. Responses that a provider keeps are remembered by name alone, so that
//! the next turn goes to the same provider; those of providers that keep none are kept here, whole.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::conversation::{Answer, Conversation, Message, Opaque, Part, Reasoning, Role, ToolCall};
use super::dialects::{AnswerContext, Dialect, convert};
use crate::error::{ErrorKind, RequestError};
use crate::store::{Store, StoreError, StoredResponse};

/// What a responses request goes on from.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// The provider that keeps it, and the only one that can go on from it.
    pub(super) provider: Option<Arc<str>>,
    /// The turns so far, where the gateway keeps them.
    pub(super) messages: Option<Vec<Message>>,
}

impl Earlier {
    /// Finds the response `id` of the key `owner`.
    ///
    /// # Errors
    /// `previous_response_not_found`; `ledger_unavailable` when the state could not be read.
    pub(super) async fn find(store: &Store, owner: &str, id: &str) -> Result<Self, RequestError> {
        let kept = store.response(owner, id).await.map_err(unreadable)?;
        let Some(kept) = kept else {
            return Err(RequestError::new(
                ErrorKind::PreviousResponseNotFound,
                format!(
                    "There is no response `{}` to go on from: it was made by another key, was not stored, has been \
                     deleted, or is past its retention. Send the conversation itself.",
                    id.chars().take(80).collect::<String>()
                ),
            )
            .with_param("previous_response_id"));
        };
        if kept.provider.is_some() {
            return Ok(Self {
                provider: kept.provider.clone(),
                messages: None,
            });
        }
        let messages = serde_json::from_slice(&kept.conversation).map_err(|error| {
            tracing::error!(%error, response.id = id, "a kept conversation cannot be read");
            RequestError::new(
                ErrorKind::PreviousResponseNotFound,
                "The kept conversation cannot be read any more. Send the conversation itself.",
            )
            .with_param("previous_response_id")
        })?;
        Ok(Self {
            provider: None,
            messages: Some(messages),
        })
    }
}

/// What is to be kept of an answer once it is whole.
#[derive(Debug)]
pub(super) enum Remember {
    Nothing,
    /// A response that the provider keeps: its id belongs to this key, model and provider.
    AtProvider(Kept),
    /// A translated response.
    Response(Kept, Arc<AnswerContext>),
    /// Reasoning beside tool calls: a chat client has no place for it, and others often leave it out of the next turn.
    Reasoning {
        owner: Arc<str>,
    },
}

/// Whose response it is and where it was made.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) owner: Arc<str>,
    pub(super) model: Arc<str>,
    pub(super) provider: Arc<str>,
    pub(super) created_at_unix_ms: i64,
}

impl Remember {
    /// Whether the answer has to be put together while it passes.
    pub(super) fn wants_answer(&self) -> bool {
        matches!(self, Self::Response(..) | Self::Reasoning { .. })
    }

    /// Keeps a translated answer.
    pub(super) fn answer(self, store: &Store, answer: &Answer) {
        match self {
            Self::Nothing | Self::AtProvider(_) => {}
            Self::Response(kept, context) => {
                // Clients that name a response need none of it; those that send the turn again often leave it out.
                keep_reasoning(store, &kept.owner, answer);
                keep_response(store, kept, &context, answer);
            }
            Self::Reasoning { owner } => keep_reasoning(store, &owner, answer),
        }
    }

    /// Keeps the id of a response that passed through, which is looked for only where it is to be kept.
    pub(super) fn passed(self, store: &Store, id: impl FnOnce() -> Option<String>) {
        if let Self::AtProvider(kept) = self
            && let Some(id) = id()
        {
            store.keep_response(StoredResponse {
                id,
                owner: kept.owner,
                created_at_unix_ms: kept.created_at_unix_ms,
                model: kept.model,
                provider: Some(kept.provider),
                answer: Bytes::new(),
                conversation: Bytes::new(),
            });
        }
    }
}

fn keep_response(store: &Store, kept: Kept, context: &AnswerContext, answer: &Answer) {
    // Instructions are given anew with each request of this API; they are not part of what a response remembers.
    let conversation = &context.conversation;
    let mut messages: Vec<&Message> = conversation
        .messages
        .iter()
        .skip(conversation.own_instructions())
        .collect();
    let said = answer
        .choices
        .first()
        .map(|choice| Message::new(Role::Assistant, choice.parts.clone()));
    messages.extend(&said);
    match serde_json::to_vec(&messages) {
        Ok(conversation) => store.keep_response(StoredResponse {
            id: context.response_id.clone(),
            owner: kept.owner,
            created_at_unix_ms: kept.created_at_unix_ms,
            model: kept.model,
            provider: None,
            answer: convert::write_answer(Dialect::Responses, answer, context),
            conversation: conversation.into(),
        }),
        Err(error) => {
            tracing::error!(%error, "a conversation could not be written and is not kept");
        }
    }
}

/// What is kept for one tool call.
#[derive(Debug, Serialize, Deserialize)]
struct BesideCall {
    /// The thoughts that came before it, since the call before.
    reasoning: Vec<Reasoning>,
    /// The call's own state.
    state: Option<Opaque>,
}

fn keep_reasoning(store: &Store, owner: &str, answer: &Answer) {
    for choice in &answer.choices {
        let mut reasoning = Vec::new();
        for part in &choice.parts {
            match part {
                Part::Reasoning(thought) if thought.state.is_some() => {
                    reasoning.push(thought.clone());
                }
                Part::ToolCall(call) if call.state.is_some() || !reasoning.is_empty() => {
                    let beside = BesideCall {
                        reasoning: std::mem::take(&mut reasoning),
                        state: call.state.clone(),
                    };
                    match serde_json::to_vec(&beside) {
                        Ok(json) => store.keep_reasoning(owner, &call.id, json.into()),
                        Err(error) => {
                            tracing::error!(%error, "reasoning could not be written and is not kept");
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

/// Puts kept reasoning back beside the tool calls it belongs to.
///
/// # Errors
/// `ledger_unavailable` when the state could not be read.
pub(super) async fn recall_reasoning(
    store: &Store,
    owner: &str,
    conversation: &mut Conversation,
) -> Result<(), RequestError> {
    let ids: Vec<&str> = conversation
        .messages
        .iter()
        .filter(|message| !carries_state(message))
        .flat_map(|message| message.parts.iter().filter_map(bare_call))
        .map(|call| &*call.id)
        .collect();
    if ids.is_empty() {
        return Ok(());
    }
    let found = store.reasoning(owner, &ids).await.map_err(unreadable)?;
    let mut found = found.into_iter();
    for message in &mut conversation.messages {
        if carries_state(message) {
            continue;
        }
        for mut part in std::mem::take(&mut message.parts) {
            if let Part::ToolCall(call) = &mut part
                && call.state.is_none()
                && let Some(Some(json)) = found.next()
                && let Ok(beside) = serde_json::from_slice::<BesideCall>(&json)
            {
                call.state = beside.state;
                let reasoning = beside.reasoning.into_iter().map(Part::Reasoning);
                message.parts.extend(reasoning);
            }
            message.parts.push(part);
        }
    }
    Ok(())
}

fn bare_call(part: &Part) -> Option<&ToolCall> {
    match part {
        Part::ToolCall(call) if call.state.is_none() => Some(call),
        _ => None,
    }
}

/// Whether the client carried a turn's reasoning itself: what is kept would stand there twice. The text that a chat
/// client sends back is no proof of anything.
fn carries_state(message: &Message) -> bool {
    message.parts.iter().any(|part| match part {
        Part::Reasoning(reasoning) => reasoning
            .state
            .as_ref()
            .is_some_and(|state| state.origin != Dialect::Chat),
        _ => false,
    })
}

/// The request could be answered without the state, but not rightly.
pub(super) fn unreadable(error: StoreError) -> RequestError {
    tracing::error!(%error, "kept state could not be read");
    RequestError::new(
        ErrorKind::LedgerUnavailable,
        "The gateway could not read what it keeps of earlier turns. Try again shortly.",
    )
}
