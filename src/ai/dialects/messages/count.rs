//! Token counting: the same prompt, and a number for an answer.
//! <https://docs.anthropic.com/en/api/messages-count-tokens>

use bytes::Bytes;
use serde::Deserialize;

use super::write_request::{prompt, written};
use crate::ai::conversation::Conversation;
use crate::ai::dialects::{Dropped, Target, Written};
use crate::error::RequestError;

/// Writes the body of `POST /v1/messages/count_tokens`. Controls that bear on the answer alone are not in it, and
/// not noted: they count nothing.
///
/// # Errors
/// 400 naming the part of the prompt that cannot be said to Anthropic.
pub(in crate::ai) fn write_count_request(
    conversation: &Conversation,
    target: &Target<'_>,
) -> Result<Written, RequestError> {
    let mut dropped = Dropped::new(conversation);
    let (prompt, _) = prompt(conversation, target, &mut dropped)?;
    Ok(written(&prompt, dropped))
}

/// The count in Anthropic's answer.
pub(in crate::ai) fn read_count_answer(body: &[u8]) -> Option<u64> {
    #[derive(Deserialize)]
    struct Count {
        input_tokens: u64,
    }
    let count: Count = serde_json::from_slice(body).ok()?;
    Some(count.input_tokens)
}

/// The answer to a client that asked for a count.
pub(in crate::ai) fn write_count_answer(input_tokens: u64) -> Bytes {
    serde_json::json!({"input_tokens": input_tokens})
        .to_string()
        .into()
}
