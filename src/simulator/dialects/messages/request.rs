//! The JSON of a messages request. Anthropic takes no field that it does not know, and neither does this.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Map, Value};

use crate::simulator::dialects::content::{self, nullable};

/// A message's content.
pub type Content = content::Content<Block>;

/// The body of a request, those of beta features included.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    pub model: String,
    pub messages: Vec<Message>,
    pub max_tokens: Option<u64>,
    pub system: Option<Content>,
    #[serde(default, deserialize_with = "nullable")]
    pub stream: bool,
    #[serde(default, deserialize_with = "nullable")]
    pub tools: Vec<Value>,
    pub tool_choice: Option<ToolChoice>,
    pub thinking: Option<Thinking>,
    #[serde(default, deserialize_with = "nullable")]
    pub output_config: OutputConfig,
    /// The older place of `output_config.format`.
    pub output_format: Option<Format>,
    #[serde(default, deserialize_with = "nullable")]
    pub stop_sequences: Vec<String>,
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub top_k: Option<f64>,
    #[serde(rename = "metadata")]
    _metadata: Option<Metadata>,
    #[serde(rename = "service_tier")]
    _service_tier: Option<String>,
    #[serde(rename = "cache_control")]
    _cache_control: Option<IgnoredAny>,
    #[serde(rename = "container")]
    _container: Option<IgnoredAny>,
    #[serde(rename = "context_management")]
    _context_management: Option<IgnoredAny>,
    #[serde(rename = "mcp_servers")]
    _mcp_servers: Option<IgnoredAny>,
    #[serde(rename = "compaction")]
    _compaction: Option<IgnoredAny>,
    #[serde(rename = "diagnostics")]
    _diagnostics: Option<IgnoredAny>,
    #[serde(rename = "inference_geo")]
    _inference_geo: Option<IgnoredAny>,
    #[serde(rename = "speed")]
    _speed: Option<IgnoredAny>,
    #[serde(rename = "fallbacks")]
    _fallbacks: Option<IgnoredAny>,
    #[serde(rename = "fallback_credit_token")]
    _fallback_credit_token: Option<IgnoredAny>,
    #[serde(rename = "billing_policy")]
    _billing_policy: Option<IgnoredAny>,
    #[serde(rename = "thread")]
    _thread: Option<IgnoredAny>,
    #[serde(rename = "user_profile_id")]
    _user_profile_id: Option<IgnoredAny>,
    #[serde(rename = "workspace_id")]
    _workspace_id: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    #[serde(rename = "user_id")]
    _user_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    pub role: Role,
    pub content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    User,
    Assistant,
    System,
}

/// A block of any type: the fields of all of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    pub r#type: String,
    pub text: Option<String>,
    pub source: Option<Value>,
    pub thinking: Option<String>,
    pub signature: Option<String>,
    pub data: Option<String>,
    pub id: Option<String>,
    pub name: Option<String>,
    pub input: Option<Map<String, Value>>,
    pub tool_use_id: Option<String>,
    /// A text or blocks for a tool's result; what hosted tools say has shapes of its own.
    pub content: Option<Value>,
    #[serde(default, deserialize_with = "nullable")]
    pub is_error: bool,
    #[serde(rename = "cache_control")]
    _cache_control: Option<IgnoredAny>,
    #[serde(rename = "citations")]
    _citations: Option<IgnoredAny>,
    #[serde(rename = "title")]
    _title: Option<String>,
    #[serde(rename = "context")]
    _context: Option<String>,
    #[serde(rename = "transformations")]
    _transformations: Option<IgnoredAny>,
    #[serde(rename = "caller")]
    _caller: Option<IgnoredAny>,
    #[serde(rename = "toolset_name")]
    _toolset_name: Option<String>,
    #[serde(rename = "server_name")]
    _server_name: Option<String>,
    #[serde(rename = "file_id")]
    _file_id: Option<String>,
    #[serde(rename = "tool_name")]
    _tool_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum ToolChoice {
    Auto {
        disable_parallel_tool_use: Option<bool>,
    },
    Any {
        disable_parallel_tool_use: Option<bool>,
    },
    Tool {
        name: String,
        disable_parallel_tool_use: Option<bool>,
    },
    None,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Thinking {
    Enabled {
        budget_tokens: i64,
        display: Option<Display>,
    },
    Adaptive {
        display: Option<Display>,
    },
    BetweenTools,
    Disabled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Display {
    Summarized,
    Omitted,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputConfig {
    pub effort: Option<Effort>,
    pub format: Option<Format>,
    #[serde(rename = "task_budget")]
    _task_budget: Option<IgnoredAny>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effort {
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Format {
    JsonSchema { schema: Value },
}

impl Body {
    /// The schema that the answer must fit.
    pub fn schema(&self) -> Option<&Value> {
        let format = self
            .output_config
            .format
            .as_ref()
            .or(self.output_format.as_ref())?;
        let Format::JsonSchema { schema } = format;
        Some(schema)
    }
}

impl Thinking {
    /// The thoughts are signed, but not shown.
    pub fn is_omitted(&self) -> bool {
        match self {
            Self::Enabled { display, .. } | Self::Adaptive { display } => {
                *display == Some(Display::Omitted)
            }
            Self::BetweenTools | Self::Disabled => false,
        }
    }
}

impl Block {
    /// The blocks inside a tool's result.
    pub fn result(&self) -> Option<Content> {
        Content::deserialize(self.content.as_ref()?).ok()
    }
}

impl Content {
    /// Its blocks; a plain text has none.
    pub fn blocks(&self) -> &[Block] {
        match self {
            Self::Text(_) => &[],
            Self::Parts(blocks) => blocks,
        }
    }

    /// All texts, one by one.
    pub fn texts(&self) -> Vec<&str> {
        match self {
            Self::Text(text) => vec![text],
            Self::Parts(blocks) => blocks
                .iter()
                .filter_map(|block| block.text.as_deref())
                .collect(),
        }
    }

    pub fn len_bytes(&self) -> usize {
        self.texts().iter().map(|text| text.len()).sum()
    }
}
