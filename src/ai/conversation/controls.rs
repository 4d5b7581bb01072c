//! What a client says about how it wants to be answered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Sampling, ceilings and labels. `None` is always "the client said nothing".
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Controls {
    pub temperature: Option<f64>,
    pub top_p: Option<f64>,
    pub top_k: Option<u64>,
    pub frequency_penalty: Option<f64>,
    pub presence_penalty: Option<f64>,
    pub seed: Option<i64>,
    /// Stop sequences; empty means none.
    pub stop: Vec<String>,
    /// The ceiling on output tokens of each choice, in whatever spelling it came.
    pub max_output_tokens: Option<u64>,
    /// How many answers.
    pub choices: Option<u32>,
    /// Token log probabilities are wanted, so many alternatives of each.
    pub logprobs: Option<u32>,
    pub logit_bias: Option<Map<String, Value>>,
    /// The end user, as the application names them.
    pub user: Option<String>,
    pub metadata: BTreeMap<String, Value>,
    pub service_tier: Option<String>,
    /// OpenAI's `low`, `medium`, `high`.
    pub verbosity: Option<String>,
    pub prompt_cache_key: Option<String>,
    /// Whether the answer is to be kept for a later request to refer to.
    pub store: Option<bool>,
}

/// A tool that the model may ask for. Tools that a provider runs itself stay in its own dialect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    pub name: String,
    pub description: Option<String>,
    pub kind: ToolKind,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToolKind {
    Function {
        /// JSON schema of an object; `None` for a function without parameters.
        parameters: Option<Value>,
        /// The arguments must match the schema.
        strict: Option<bool>,
    },
    /// A tool that takes free text (OpenAI's custom tools). A dialect without them is given a function with one
    /// string, [`ToolKind::CUSTOM_INPUT`], whose calls are turned back.
    Custom {
        /// OpenAI's `format`: a grammar, or plain text.
        format: Option<Value>,
    },
}

impl ToolKind {
    /// The one parameter of a function that stands in for a custom tool.
    pub const CUSTOM_INPUT: &'static str = "input";

    /// The schema of a function that stands in for a custom tool.
    pub fn custom_schema() -> Value {
        serde_json::json!({
            "type": "object",
            "properties": {Self::CUSTOM_INPUT: {"type": "string"}},
            "required": [Self::CUSTOM_INPUT],
            "additionalProperties": false,
        })
    }

    /// The free text inside the arguments of such a stand-in call; the arguments themselves where they are not of
    /// that shape.
    pub fn custom_input(arguments: &str) -> String {
        serde_json::from_str::<Map<String, Value>>(arguments)
            .ok()
            .and_then(|mut object| match object.remove(Self::CUSTOM_INPUT) {
                Some(Value::String(text)) => Some(text),
                _ => None,
            })
            .unwrap_or_else(|| arguments.to_owned())
    }

    /// The arguments of a stand-in call that carry `text`.
    pub fn custom_arguments(text: &str) -> String {
        serde_json::json!({Self::CUSTOM_INPUT: text}).to_string()
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToolChoice {
    #[default]
    Auto,
    None,
    /// At least one, whichever.
    Required,
    /// This one.
    Named(String),
    /// One of these; `required` says whether it may also do without.
    Allowed {
        names: Vec<String>,
        required: bool,
    },
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum OutputFormat {
    #[default]
    Text,
    /// Some JSON object.
    JsonObject,
    JsonSchema {
        /// `response` where the client named none.
        name: String,
        description: Option<String>,
        schema: Value,
        strict: Option<bool>,
    },
}

/// How much a model is to think, and what it shows of that.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasoningControl {
    pub effort: Option<Effort>,
    /// A ceiling on thought; 0 switches it off.
    pub budget_tokens: Option<u64>,
    /// The model decides for itself how much (Anthropic's `adaptive`, Gemini's budget of -1).
    pub dynamic: bool,
    /// Whether thoughts, or a summary of them, are to be in the answer.
    pub summary: Option<ReasoningSummary>,
}

/// OpenAI's words, and those of others that mean more than its highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
    Max,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReasoningSummary {
    /// Not wanted.
    Hidden,
    Auto,
    Concise,
    Detailed,
}

impl Effort {
    const WORDS: [(&'static str, Self); 7] = [
        ("none", Self::None),
        ("minimal", Self::Minimal),
        ("low", Self::Low),
        ("medium", Self::Medium),
        ("high", Self::High),
        ("xhigh", Self::XHigh),
        ("max", Self::Max),
    ];

    pub fn parse(word: &str) -> Option<Self> {
        let found = Self::WORDS.iter().find(|(known, _)| *known == word);
        found.map(|(_, effort)| *effort)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }

    /// Tokens of thought that this much effort is worth, for dialects that want a number. The figures of Google's own
    /// mapping of OpenAI's words; the two words beyond them are ours.
    /// <https://ai.google.dev/gemini-api/docs/openai>
    pub fn budget_tokens(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Minimal | Self::Low => 1024,
            Self::Medium => 8192,
            Self::High => 24_576,
            Self::XHigh => 32_768,
            Self::Max => 63_999,
        }
    }

    /// The least effort that is worth `tokens` of thought.
    pub fn of_budget(tokens: u64) -> Self {
        match tokens {
            0 => Self::None,
            1..=1024 => Self::Low,
            1025..=8192 => Self::Medium,
            8193..=24_576 => Self::High,
            24_577..=32_768 => Self::XHigh,
            _ => Self::Max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_effort_is_found_again_by_its_word() {
        for (word, effort) in Effort::WORDS {
            assert_eq!(Effort::parse(word), Some(effort));
            assert_eq!(effort.as_str(), word);
        }
        assert_eq!(Effort::parse("immense"), None);
    }

    #[test]
    fn a_custom_tools_text_survives_its_stand_in() {
        let text = "*** Begin Patch\n\"quoted\"\n";
        assert_eq!(
            ToolKind::custom_input(&ToolKind::custom_arguments(text)),
            text
        );
        assert_eq!(ToolKind::custom_input("{\"input\":7}"), "{\"input\":7}");
        assert_eq!(ToolKind::custom_input("not json"), "not json");
    }
}
