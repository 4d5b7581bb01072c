//! Streams that pass through: which chunk is content, what it says was used, and whether all has been said.
//!
//! There is no closing event: a stream ends with its bytes, and that is right once every candidate has a
//! `finishReason`.

use std::borrow::Cow;

use ferrogate_api::Tokens;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::Fault;
use super::finish;
use super::usage::UsageMetadata;
use super::wire::{PromptFeedback, null_is_empty};
use crate::ai::dialects::Seen;
use crate::ai::streaming::sse;
use crate::error::{ErrorKind, RequestError};

/// What a Gemini stream has told so far.
#[derive(Debug, Default)]
pub struct Stream {
    pub(in crate::ai) usage: Option<Tokens>,
    pub(in crate::ai) content_bytes: u64,
    /// The stream may end here.
    pub(in crate::ai) finished: bool,
    progress: Progress,
}

/// Which candidates have begun, and which of them have stopped.
#[derive(Debug, Default)]
pub(super) struct Progress {
    begun: Vec<u32>,
    stopped: Vec<u32>,
    blocked: bool,
}

impl Progress {
    pub(super) fn begin(&mut self, candidate: u32) {
        note(&mut self.begun, candidate);
    }

    /// True the first time: models before the second generation repeat their reason in every chunk.
    pub(super) fn stop(&mut self, candidate: u32) -> bool {
        self.begin(candidate);
        note(&mut self.stopped, candidate)
    }

    /// The prompt was refused: there will be no candidate.
    pub(super) fn block(&mut self) {
        self.blocked = true;
    }

    pub(super) fn is_done(&self) -> bool {
        self.blocked || (!self.begun.is_empty() && self.begun.len() == self.stopped.len())
    }
}

/// Adds to a short list what it does not hold yet.
fn note(list: &mut Vec<u32>, candidate: u32) -> bool {
    let new = !list.contains(&candidate);
    if new {
        list.push(candidate);
    }
    new
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk<'a> {
    #[serde(borrow, default, deserialize_with = "null_is_empty")]
    candidates: Vec<Candidate<'a>>,
    #[serde(default)]
    prompt_feedback: Option<PromptFeedback>,
    #[serde(default)]
    usage_metadata: Option<UsageMetadata>,
    #[serde(default)]
    error: Option<Fault>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Candidate<'a> {
    #[serde(borrow, default)]
    content: Option<Content<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(default)]
    index: Option<u32>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow, default, deserialize_with = "null_is_empty")]
    parts: Vec<Part<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    function_call: Option<&'a RawValue>,
    #[serde(borrow, default)]
    executable_code: Option<&'a RawValue>,
    #[serde(borrow, default)]
    code_execution_result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    inline_data: Option<&'a RawValue>,
}

impl Part<'_> {
    /// Bytes of what the model said. A picture is content, but its size says nothing about tokens.
    fn content(&self) -> (bool, usize) {
        let raw = |raw: Option<&RawValue>| raw.map_or(0, |raw| raw.get().len());
        let bytes = self.text.as_ref().map_or(0, |text| text.len())
            + raw(self.function_call)
            + raw(self.executable_code)
            + raw(self.code_execution_result);
        (bytes > 0 || self.inline_data.is_some(), bytes)
    }
}

impl Stream {
    pub(in crate::ai) fn read(&mut self, event: &[u8]) -> Result<Seen, RequestError> {
        let data = sse::data(event);
        if data.is_empty() {
            return Ok(Seen::Preamble);
        }
        let chunk: Chunk<'_> = serde_json::from_slice(&data).map_err(|_| not_a_chunk())?;
        if let Some(fault) = chunk.error {
            return Ok(Seen::Failed(Box::new(fault.into_answer_error())));
        }
        let reported = chunk.usage_metadata.and_then(UsageMetadata::tokens);
        self.usage = reported.or(self.usage);
        let mut said_something = false;
        if chunk.candidates.is_empty() {
            said_something = chunk
                .prompt_feedback
                .is_some_and(|feedback| feedback.blocks());
            self.progress.blocked |= said_something;
        }
        for (position, candidate) in (0..).zip(&chunk.candidates) {
            let index = candidate.index.unwrap_or(position);
            said_something |= self.note(index, candidate);
        }
        self.finished = self.progress.is_done();
        Ok(if said_something {
            Seen::Content
        } else {
            Seen::Preamble
        })
    }

    /// Whether the candidate says anything in this chunk.
    fn note(&mut self, index: u32, candidate: &Candidate<'_>) -> bool {
        self.progress.begin(index);
        let word = candidate.finish_reason.as_deref().unwrap_or_default();
        let mut said_something = finish::read(word, false).is_some();
        if said_something {
            self.progress.stop(index);
        }
        for part in candidate.content.iter().flat_map(|content| &content.parts) {
            let (content, bytes) = part.content();
            said_something |= content;
            self.content_bytes += u64::try_from(bytes).unwrap_or_default();
        }
        said_something
    }
}

pub(super) fn not_a_chunk() -> RequestError {
    RequestError::new(
        ErrorKind::ProviderProtocolError,
        "The provider's stream holds a chunk that is not one of the Gemini API.",
    )
}

/// What an answer that was not streamed says it used; `None` where it reports nothing.
pub(in crate::ai) fn usage_of_answer(answer: &[u8]) -> Option<Tokens> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        usage_metadata: Option<UsageMetadata>,
    }
    serde_json::from_slice::<Answer>(answer)
        .ok()?
        .usage_metadata?
        .tokens()
}

#[cfg(test)]
mod tests;
