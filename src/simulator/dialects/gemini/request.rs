//! The JSON of a generateContent request. Google takes no name that it does not know, in camel case or snake case.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

use crate::simulator::dialects::content::nullable;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Body {
    #[serde(default)]
    pub contents: Vec<Content>,
    #[serde(alias = "system_instruction")]
    pub system_instruction: Option<Content>,
    #[serde(default, deserialize_with = "nullable")]
    pub tools: Vec<Map<String, Value>>,
    #[serde(default, alias = "tool_config", deserialize_with = "nullable")]
    pub tool_config: ToolConfig,
    #[serde(default, alias = "generation_config", deserialize_with = "nullable")]
    pub generation_config: GenerationConfig,
    #[serde(rename = "safetySettings", alias = "safety_settings")]
    _safety_settings: Option<IgnoredAny>,
    #[serde(rename = "cachedContent", alias = "cached_content")]
    _cached_content: Option<String>,
    #[serde(rename = "serviceTier", alias = "service_tier")]
    _service_tier: Option<String>,
    #[serde(rename = "store")]
    _store: Option<bool>,
    #[serde(rename = "labels")]
    _labels: Option<IgnoredAny>,
    #[serde(rename = "model")]
    _model: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    pub role: Option<String>,
    #[serde(default)]
    pub parts: Vec<Part>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Part {
    pub text: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub thought: bool,
    #[serde(alias = "thought_signature")]
    pub thought_signature: Option<String>,
    #[serde(alias = "inline_data")]
    pub inline_data: Option<Blob>,
    #[serde(alias = "file_data")]
    pub file_data: Option<FileData>,
    #[serde(alias = "function_call")]
    pub function_call: Option<FunctionCall>,
    #[serde(alias = "function_response")]
    pub function_response: Option<FunctionResponse>,
    #[serde(alias = "executable_code")]
    pub executable_code: Option<IgnoredAny>,
    #[serde(alias = "code_execution_result")]
    pub code_execution_result: Option<IgnoredAny>,
    #[serde(alias = "tool_call")]
    pub tool_call: Option<IgnoredAny>,
    #[serde(alias = "tool_response")]
    pub tool_response: Option<IgnoredAny>,
    #[serde(rename = "videoMetadata", alias = "video_metadata")]
    _video_metadata: Option<IgnoredAny>,
    #[serde(rename = "mediaResolution", alias = "media_resolution")]
    _media_resolution: Option<IgnoredAny>,
    #[serde(rename = "mediaProcessing", alias = "media_processing")]
    _media_processing: Option<IgnoredAny>,
    #[serde(rename = "partMetadata", alias = "part_metadata")]
    _part_metadata: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Blob {
    #[serde(alias = "mime_type")]
    pub mime_type: String,
    pub data: String,
    #[serde(rename = "displayName", alias = "display_name")]
    _display_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileData {
    #[serde(alias = "file_uri")]
    pub file_uri: String,
    #[serde(alias = "mime_type")]
    pub mime_type: Option<String>,
    #[serde(rename = "displayName", alias = "display_name")]
    _display_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionCall {
    pub id: Option<String>,
    pub name: String,
    #[serde(default, deserialize_with = "nullable")]
    pub args: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionResponse {
    pub id: Option<String>,
    pub name: String,
    #[serde(default, deserialize_with = "nullable")]
    pub response: Map<String, Value>,
    #[serde(default, deserialize_with = "nullable")]
    pub parts: Vec<ResponsePart>,
    #[serde(rename = "willContinue", alias = "will_continue")]
    _will_continue: Option<bool>,
    #[serde(rename = "scheduling")]
    _scheduling: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResponsePart {
    #[serde(alias = "inline_data")]
    pub inline_data: Option<Blob>,
    #[serde(alias = "file_data")]
    pub file_data: Option<FileData>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolConfig {
    #[serde(
        default,
        alias = "function_calling_config",
        deserialize_with = "nullable"
    )]
    pub function_calling_config: FunctionCallingConfig,
    #[serde(rename = "retrievalConfig", alias = "retrieval_config")]
    _retrieval_config: Option<IgnoredAny>,
    #[serde(
        rename = "includeServerSideToolInvocations",
        alias = "include_server_side_tool_invocations"
    )]
    _include_server_side_tool_invocations: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FunctionCallingConfig {
    pub mode: Option<String>,
    #[serde(
        default,
        alias = "allowed_function_names",
        deserialize_with = "nullable"
    )]
    pub allowed_function_names: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GenerationConfig {
    pub temperature: Option<f64>,
    #[serde(alias = "top_p")]
    pub top_p: Option<f64>,
    #[serde(alias = "top_k")]
    pub top_k: Option<f64>,
    #[serde(alias = "candidate_count")]
    pub candidate_count: Option<u32>,
    #[serde(alias = "max_output_tokens")]
    pub max_output_tokens: Option<u64>,
    #[serde(default, alias = "stop_sequences", deserialize_with = "nullable")]
    pub stop_sequences: Vec<String>,
    #[serde(alias = "response_mime_type")]
    pub response_mime_type: Option<String>,
    #[serde(alias = "response_schema")]
    pub response_schema: Option<Value>,
    #[serde(alias = "response_json_schema", alias = "_responseJsonSchema")]
    pub response_json_schema: Option<Value>,
    #[serde(alias = "presence_penalty")]
    pub presence_penalty: Option<f64>,
    #[serde(alias = "frequency_penalty")]
    pub frequency_penalty: Option<f64>,
    pub seed: Option<i64>,
    #[serde(default, alias = "thinking_config", deserialize_with = "nullable")]
    pub thinking_config: ThinkingConfig,
    #[serde(rename = "responseLogprobs", alias = "response_logprobs")]
    _response_logprobs: Option<bool>,
    #[serde(rename = "logprobs")]
    _logprobs: Option<u32>,
    #[serde(rename = "responseModalities", alias = "response_modalities")]
    _response_modalities: Option<Vec<String>>,
    #[serde(rename = "speechConfig", alias = "speech_config")]
    _speech_config: Option<IgnoredAny>,
    #[serde(rename = "imageConfig", alias = "image_config")]
    _image_config: Option<IgnoredAny>,
    #[serde(rename = "mediaResolution", alias = "media_resolution")]
    _media_resolution: Option<String>,
    #[serde(rename = "enableEnhancedCivicAnswers")]
    _enable_enhanced_civic_answers: Option<bool>,
    #[serde(rename = "audioTimestamp", alias = "audio_timestamp")]
    _audio_timestamp: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ThinkingConfig {
    #[serde(default, alias = "include_thoughts", deserialize_with = "nullable")]
    pub include_thoughts: Option<bool>,
    #[serde(alias = "thinking_budget")]
    pub thinking_budget: Option<i64>,
    #[serde(alias = "thinking_level")]
    pub thinking_level: Option<String>,
}

impl Body {
    /// A request that says nothing else.
    pub fn of(contents: Vec<Content>) -> Self {
        Self {
            contents,
            ..Self::default()
        }
    }

    /// The functions that are declared.
    pub fn functions(&self) -> impl Iterator<Item = &Value> {
        let lists = self.tools.iter().filter_map(|tool| {
            tool.get("functionDeclarations")
                .or_else(|| tool.get("function_declarations"))
        });
        lists.filter_map(Value::as_array).flatten()
    }

    /// The schema of the answer, of either kind.
    pub fn schema(&self) -> Option<&Value> {
        let config = &self.generation_config;
        config
            .response_schema
            .as_ref()
            .or(config.response_json_schema.as_ref())
    }
}

impl Content {
    pub fn is_model(&self) -> bool {
        self.role.as_deref() == Some("model")
    }

    /// What was said aloud.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        let said = self.parts.iter().filter(|part| !part.thought);
        said.filter_map(|part| part.text.as_deref())
    }

    pub fn calls(&self) -> usize {
        let calls = self
            .parts
            .iter()
            .filter(|part| part.function_call.is_some());
        calls.count()
    }

    pub fn responses(&self) -> usize {
        let responses = self
            .parts
            .iter()
            .filter(|part| part.function_response.is_some());
        responses.count()
    }
}
