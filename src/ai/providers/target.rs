//! Where on a provider a call goes: path and query, for each kind and API.
//!
//! <https://platform.openai.com/docs/api-reference>, <https://learn.microsoft.com/azure/ai-services/openai/reference>,
//! <https://docs.anthropic.com/en/api>, <https://ai.google.dev/api>

use super::Provider;
use crate::ai::dialects::Dialect;
use crate::ai::request::Operation;
use crate::config::ProviderKind;

impl Provider {
    /// Path and query of a call in `api` about `model`, as the provider calls it; `None` where the API has no such
    /// operation. OpenAI's APIs count no tokens.
    pub fn target(
        &self,
        api: Dialect,
        operation: Operation,
        model: &str,
        stream: bool,
    ) -> Option<String> {
        let base = &self.base_path;
        let counts = operation == Operation::CountTokens;
        Some(match api {
            Dialect::Chat | Dialect::Responses | Dialect::Embeddings if counts => return None,
            Dialect::GeminiEmbeddings if counts => return None,
            Dialect::Chat => self.openai_target("/chat/completions", Some(model)),
            Dialect::Embeddings => self.openai_target("/embeddings", Some(model)),
            Dialect::Responses => self.openai_target("/responses", None),
            Dialect::Messages if counts => format!("{base}/messages/count_tokens"),
            Dialect::Messages => format!("{base}/messages"),
            Dialect::Gemini if counts => self.gemini_target(model, "countTokens"),
            Dialect::Gemini if stream => self.gemini_target(model, "streamGenerateContent?alt=sse"),
            Dialect::Gemini => self.gemini_target(model, "generateContent"),
            Dialect::GeminiEmbeddings => self.gemini_target(model, "batchEmbedContents"),
        })
    }

    /// Path and query of the provider's own list of models, in as few pages as it allows.
    pub fn models_target(&self) -> String {
        let base = &self.base_path;
        match self.kind {
            ProviderKind::Anthropic => format!("{base}/models?limit=1000"),
            ProviderKind::Gemini => format!("{base}/models?pageSize=1000"),
            ProviderKind::OpenAi
            | ProviderKind::OpenAiCompatible
            | ProviderKind::Azure
            | ProviderKind::OpenRouter
            | ProviderKind::Xai => self.openai_target("/models", None),
        }
    }

    /// Path and query of a response that the provider keeps.
    pub fn response_target(&self, id: &str) -> String {
        self.openai_target(&format!("/responses/{}", segment(id)), None)
    }

    /// OpenAI's paths, and Azure's versions of them: there a `deployment` is in the path, but for its v1 endpoint.
    fn openai_target(&self, path: &str, deployment: Option<&str>) -> String {
        let base = &self.base_path;
        if self.kind != ProviderKind::Azure {
            return format!("{base}{path}");
        }
        let query = self
            .api_version
            .as_ref()
            .map(|version| format!("?api-version={version}"))
            .unwrap_or_default();
        if self.is_azure_v1() {
            return format!("{base}{path}{query}");
        }
        // People write the resource's address with and without it.
        let base = base.strip_suffix("/openai").unwrap_or(base);
        let deployment = deployment
            .map(|name| format!("/deployments/{}", segment(name)))
            .unwrap_or_default();
        format!("{base}/openai{deployment}{path}{query}")
    }

    /// Gemini's resources: `models/<name>`, which is what a bare name means, or `tunedModels/<name>`.
    fn gemini_target(&self, model: &str, method: &str) -> String {
        let (collection, name) = match model.split_once('/') {
            Some((collection @ ("models" | "tunedModels"), name)) => (collection, name),
            _ => ("models", model),
        };
        let (base, name) = (&self.base_path, segment(name));
        format!("{base}/{collection}/{name}:{method}")
    }
}

/// `text` as one segment of a path: all but the unreserved characters of RFC 3986 are escaped.
fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}
