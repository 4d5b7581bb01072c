//! The JSON of contents and answers, the same types for reading and writing.
//!
//! Reading takes both spellings of a key and ignores keys it does not know. What is only looked at to be refused or
//! named (code execution, video settings) is never written.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::error::Fault;
use super::usage::UsageMetadata;

/// The two roles of `contents`.
pub(super) const USER: &str = "user";
pub(super) const MODEL: &str = "model";

/// One turn, or the instructions.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Content<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<Cow<'a, str>>,
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(super) parts: Vec<Part<'a>>,
}

/// One piece of a turn: exactly one of its kinds, and perhaps a signature.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<Cow<'a, str>>,
    /// The text is a summary of what the model thought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) thought: Option<bool>,
    #[serde(
        default,
        alias = "inline_data",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) inline_data: Option<Blob<'a>>,
    #[serde(default, alias = "file_data", skip_serializing_if = "Option::is_none")]
    pub(super) file_data: Option<FileData<'a>>,
    #[serde(
        default,
        alias = "function_call",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) function_call: Option<FunctionCall<'a>>,
    #[serde(
        default,
        alias = "function_response",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) function_response: Option<FunctionResponse<'a>>,
    #[serde(
        default,
        alias = "thought_signature",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) thought_signature: Option<Cow<'a, str>>,
    #[serde(default, alias = "executable_code", skip_serializing)]
    pub(super) executable_code: Option<IgnoredAny>,
    #[serde(default, alias = "code_execution_result", skip_serializing)]
    pub(super) code_execution_result: Option<IgnoredAny>,
    #[serde(default, alias = "tool_call", skip_serializing)]
    pub(super) tool_call: Option<IgnoredAny>,
    #[serde(default, alias = "tool_response", skip_serializing)]
    pub(super) tool_response: Option<IgnoredAny>,
    #[serde(default, alias = "video_metadata", skip_serializing)]
    pub(super) video_metadata: Option<IgnoredAny>,
    #[serde(default, alias = "media_resolution", skip_serializing)]
    pub(super) media_resolution: Option<IgnoredAny>,
}

/// A file in the body itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Blob<'a> {
    #[serde(alias = "mime_type")]
    pub(super) mime_type: Cow<'a, str>,
    /// Base64; Google takes both alphabets.
    pub(super) data: Cow<'a, str>,
}

/// A file elsewhere.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileData<'a> {
    #[serde(default, alias = "mime_type", skip_serializing_if = "Option::is_none")]
    pub(super) mime_type: Option<Cow<'a, str>>,
    #[serde(alias = "file_uri")]
    pub(super) file_uri: Cow<'a, str>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FunctionCall<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) name: Cow<'a, str>,
    /// An object, as it stands in the body: no number loses a digit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) args: Option<Cow<'a, RawValue>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FunctionResponse<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) name: Cow<'a, str>,
    /// An object, as it stands in the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) response: Option<Cow<'a, RawValue>>,
    /// Pictures and documents of the result.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(super) parts: Vec<Part<'a>>,
}

/// A whole answer, or one chunk of a stream.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Response<'a> {
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(super) candidates: Vec<Candidate<'a>>,
    #[serde(default, skip_serializing)]
    pub(super) prompt_feedback: Option<PromptFeedback>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) usage_metadata: Option<UsageMetadata>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model_version: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) response_id: Option<Cow<'a, str>>,
    /// A provider that fails after it has answered 200.
    #[serde(default, skip_serializing)]
    pub(super) error: Option<Fault>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Candidate<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Content<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) finish_reason: Option<Cow<'a, str>>,
    /// Why, in words; where the reason alone says too little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) finish_message: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) index: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PromptFeedback {
    pub(super) block_reason: Option<String>,
}

impl Response<'_> {
    /// Whether the prompt was refused, so that there is no candidate at all.
    pub(super) fn is_blocked(&self) -> bool {
        self.candidates.is_empty()
            && self
                .prompt_feedback
                .as_ref()
                .is_some_and(PromptFeedback::blocks)
    }
}

impl PromptFeedback {
    pub(super) fn blocks(&self) -> bool {
        self.block_reason
            .as_deref()
            .is_some_and(|reason| reason != "BLOCK_REASON_UNSPECIFIED")
    }
}

impl<'a> Content<'a> {
    pub(super) fn new(role: &'static str, parts: Vec<Part<'a>>) -> Self {
        Self {
            role: Some(Cow::Borrowed(role)),
            parts,
        }
    }
}

impl<'a> Part<'a> {
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self {
            text: Some(text.into()),
            ..Self::default()
        }
    }

    /// Plain text of the answer, which a signature may stand beside.
    pub(super) fn is_unsigned_text(&self) -> bool {
        self.text.is_some() && self.thought != Some(true) && self.thought_signature.is_none()
    }
}

/// A list that may be `null`, which Google takes for an empty one.
pub(super) fn null_is_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
