//! The JSON of chat answers, fields in the order OpenAI sends them.

use serde::Serialize;

use crate::simulator::{dialects::Identity, reply::ToolCall, stats::Usage};

#[derive(Serialize)]
pub struct Completion<'a> {
    pub id: String,
    pub object: &'static str,
    pub created: u64,
    pub model: &'a str,
    pub choices: Vec<WholeChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageField>,
    pub service_tier: &'static str,
    pub system_fingerprint: &'static str,
}

#[derive(Serialize)]
pub struct WholeChoice<'a> {
    pub index: u32,
    pub message: &'a Answer,
    pub logprobs: Option<()>,
    pub finish_reason: &'static str,
}

#[derive(Serialize)]
pub struct Answer {
    pub role: &'static str,
    pub content: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<WholeCall>,
    pub refusal: Option<()>,
    pub annotations: [(); 0],
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            role: "assistant",
            content: None,
            tool_calls: Vec::new(),
            refusal: None,
            annotations: [],
        }
    }
}

#[derive(Serialize)]
pub struct WholeCall {
    id: String,
    r#type: &'static str,
    function: WholeFunction,
}

#[derive(Serialize)]
struct WholeFunction {
    name: String,
    arguments: String,
}

pub fn whole_calls(calls: &[ToolCall], identity: Identity<'_>) -> Vec<WholeCall> {
    let whole = |(index, call): (u64, &ToolCall)| WholeCall {
        id: call_id(index, identity),
        r#type: "function",
        function: WholeFunction {
            name: call.name.clone(),
            arguments: call.pieces.concat(),
        },
    };
    (0..).zip(calls).map(whole).collect()
}

fn call_id(index: u64, identity: Identity<'_>) -> String {
    format!("call_{:016x}", identity.id.wrapping_add(index))
}

#[derive(Serialize)]
pub struct Chunk<'a> {
    pub id: &'a str,
    pub object: &'static str,
    pub created: u64,
    pub model: &'a str,
    pub service_tier: &'static str,
    pub system_fingerprint: &'static str,
    pub choices: &'a [StreamChoice<'a>],
    /// `null` in every chunk but the last when usage was asked for; absent when it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Option<UsageField>>,
}

#[derive(Serialize)]
pub struct StreamChoice<'a> {
    pub index: u32,
    pub delta: &'a Delta<'a>,
    pub logprobs: Option<()>,
    pub finish_reason: Option<&'static str>,
}

/// What a chunk adds. The inner `None` is a `null`, the outer one leaves the field out.
#[derive(Default, Serialize)]
pub struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<[CallField<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Option<()>>,
}

impl<'a> Delta<'a> {
    pub fn calling(call: CallField<'a>) -> Self {
        Self {
            tool_calls: Some([call]),
            ..Self::default()
        }
    }
}

#[derive(Serialize)]
pub struct CallField<'a> {
    index: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    function: FunctionField<'a>,
}

#[derive(Serialize)]
struct FunctionField<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

impl<'a> CallField<'a> {
    /// The first chunk of a call: its id and name.
    pub fn announcing(index: u64, call: &'a ToolCall, identity: Identity<'_>) -> Self {
        Self {
            index,
            id: Some(call_id(index, identity)),
            r#type: Some("function"),
            function: FunctionField {
                name: Some(&call.name),
                arguments: "",
            },
        }
    }

    /// A further chunk: more of its arguments.
    pub fn continuing(index: u64, arguments: &'a str) -> Self {
        Self {
            index,
            id: None,
            r#type: None,
            function: FunctionField {
                name: None,
                arguments,
            },
        }
    }
}

#[derive(Serialize)]
pub struct UsageField {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: u64,
    cache_write_tokens: u64,
    audio_tokens: u64,
}

#[derive(Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
    audio_tokens: u64,
    accepted_prediction_tokens: u64,
    rejected_prediction_tokens: u64,
}

impl From<Usage> for UsageField {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.input,
            completion_tokens: usage.output,
            total_tokens: usage.input + usage.output,
            prompt_tokens_details: PromptDetails {
                cached_tokens: usage.cached,
                cache_write_tokens: 0,
                audio_tokens: 0,
            },
            completion_tokens_details: CompletionDetails {
                reasoning_tokens: usage.reasoning,
                audio_tokens: 0,
                accepted_prediction_tokens: 0,
                rejected_prediction_tokens: 0,
            },
        }
    }
}
