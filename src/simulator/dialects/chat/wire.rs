//! The JSON of chat answers, fields in the order OpenAI sends them.

use serde::Serialize;

use crate::simulator::{calls::ToolCall, dialects::Identity, stats::Usage};

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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_filter_results: Option<[PromptFilterResults; 1]>,
}

#[derive(Serialize)]
pub struct WholeChoice<'a> {
    pub index: u32,
    pub message: &'a Answer,
    pub logprobs: Option<()>,
    pub finish_reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_filter_results: Option<FilterResults>,
}

/// What Azure's filters think of a prompt.
#[derive(Serialize)]
pub struct PromptFilterResults {
    prompt_index: u32,
    content_filter_results: FilterResults,
}

/// What Azure's filters think of an answer.
#[derive(Serialize)]
pub struct FilterResults {
    hate: FilterResult,
    self_harm: FilterResult,
    sexual: FilterResult,
    violence: FilterResult,
}

#[derive(Clone, Copy, Serialize)]
struct FilterResult {
    filtered: bool,
    severity: &'static str,
}

/// No objection.
pub fn filter_results() -> FilterResults {
    let safe = FilterResult {
        filtered: false,
        severity: "safe",
    };
    FilterResults {
        hate: safe,
        self_harm: safe,
        sexual: safe,
        violence: safe,
    }
}

/// No objection to the only prompt.
pub fn prompt_filter_results() -> [PromptFilterResults; 1] {
    [PromptFilterResults {
        prompt_index: 0,
        content_filter_results: filter_results(),
    }]
}

#[derive(Serialize)]
pub struct Answer {
    pub role: &'static str,
    pub content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<Vec<WholeCall>>,
    pub refusal: Option<String>,
    pub annotations: [(); 0],
}

#[derive(Serialize)]
pub struct WholeCall {
    id: String,
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<WholeFunction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<WholeCustom>,
}

#[derive(Serialize)]
pub struct WholeFunction {
    name: String,
    arguments: String,
}

#[derive(Serialize)]
pub struct WholeCustom {
    name: String,
    input: String,
}

pub fn whole_calls(calls: &[ToolCall], identity: Identity<'_>) -> Vec<WholeCall> {
    let whole = |(index, call): (u64, &ToolCall)| {
        let (name, text) = (call.name.clone(), call.arguments());
        let (function, custom) = if call.custom {
            (None, Some(WholeCustom { name, input: text }))
        } else {
            let arguments = text;
            (Some(WholeFunction { name, arguments }), None)
        };
        WholeCall {
            id: call_id(index, identity),
            r#type: call.kind(),
            function,
            custom,
        }
    };
    (0..).zip(calls).map(whole).collect()
}

pub fn call_id(index: u64, identity: Identity<'_>) -> String {
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
    pub reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_calls: Option<&'a [CallField<'a>]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Option<&'a str>>,
}

impl<'a> Delta<'a> {
    pub fn calling(calls: &'a [CallField<'a>]) -> Self {
        Self {
            tool_calls: Some(calls),
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
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<FunctionField<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom: Option<CustomField<'a>>,
}

#[derive(Serialize)]
struct FunctionField<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

#[derive(Serialize)]
struct CustomField<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    input: &'a str,
}

impl<'a> CallField<'a> {
    /// The first chunk of a call: its id and name.
    pub fn announcing(index: u64, (id, call): (String, &'a ToolCall), text: &'a str) -> Self {
        Self {
            id: Some(id),
            r#type: Some(call.kind()),
            ..Self::new(index, call.custom, (Some(&call.name), text))
        }
    }

    /// A further chunk: more of its arguments.
    pub fn continuing(index: u64, call: &ToolCall, text: &'a str) -> Self {
        Self::new(index, call.custom, (None, text))
    }

    fn new(index: u64, custom: bool, (name, text): (Option<&'a str>, &'a str)) -> Self {
        Self {
            index,
            id: None,
            r#type: None,
            function: (!custom).then_some(FunctionField {
                name,
                arguments: text,
            }),
            custom: custom.then_some(CustomField { name, input: text }),
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
                cache_write_tokens: usage.cache_write,
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
