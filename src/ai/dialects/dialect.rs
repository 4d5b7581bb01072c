//! The dialects by name.

use serde::{Deserialize, Serialize};

/// Which API something is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// OpenAI chat completions. <https://platform.openai.com/docs/api-reference/chat>
    Chat,
    /// OpenAI responses. <https://platform.openai.com/docs/api-reference/responses>
    Responses,
    /// Anthropic messages. <https://docs.anthropic.com/en/api/messages>
    Messages,
    /// Gemini `generateContent`. <https://ai.google.dev/api/generate-content>
    Gemini,
    /// OpenAI embeddings. <https://platform.openai.com/docs/api-reference/embeddings>
    Embeddings,
    /// Gemini `batchEmbedContents`, which providers alone speak. <https://ai.google.dev/api/embeddings>
    GeminiEmbeddings,
}

impl Dialect {
    /// The dialects of a conversation, in the order in which they are chosen for a provider that does not speak the
    /// client's own: first those that carry most across.
    pub const CONVERSING: [Self; 4] = [Self::Responses, Self::Messages, Self::Gemini, Self::Chat];

    /// The word for it in `apis`, in a decision trace and in the documentation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Gemini => "gemini",
            Self::Embeddings | Self::GeminiEmbeddings => "embeddings",
        }
    }
}
