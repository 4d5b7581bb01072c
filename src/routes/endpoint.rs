//! The built-in AI endpoints: their paths, what a key needs for them, and whose clients call them.

use http::HeaderMap;

use crate::config::Scope;

/// An endpoint that asks a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    ChatCompletions,
    Responses,
    Embeddings,
    Messages,
    /// `POST /v1/messages/count_tokens`.
    MessagesCountTokens,
    /// Gemini's `:generateContent`.
    GenerateContent,
    /// Gemini's `:streamGenerateContent`.
    StreamGenerateContent,
    /// Gemini's `:countTokens`.
    GeminiCountTokens,
}

impl Endpoint {
    pub const ALL: [Self; 8] = [
        Self::ChatCompletions,
        Self::Responses,
        Self::Embeddings,
        Self::Messages,
        Self::MessagesCountTokens,
        Self::GenerateContent,
        Self::StreamGenerateContent,
        Self::GeminiCountTokens,
    ];

    /// The name in logs, metrics and the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat.completions",
            Self::Responses => "responses",
            Self::Embeddings => "embeddings",
            Self::Messages => "messages",
            Self::MessagesCountTokens => "messages.count_tokens",
            Self::GenerateContent | Self::StreamGenerateContent => "gemini.generate_content",
            Self::GeminiCountTokens => "gemini.count_tokens",
        }
    }

    /// What a key needs for it.
    pub fn scope(self) -> Scope {
        match self {
            Self::ChatCompletions
            | Self::GenerateContent
            | Self::StreamGenerateContent
            | Self::GeminiCountTokens => Scope::ChatCompletions,
            Self::Responses => Scope::ResponsesCreate,
            Self::Messages | Self::MessagesCountTokens => Scope::MessagesCreate,
            Self::Embeddings => Scope::EmbeddingsCreate,
        }
    }

    /// The endpoint at a path that is the same for every model.
    pub(super) fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/v1/chat/completions" => Self::ChatCompletions,
            "/v1/responses" => Self::Responses,
            "/v1/embeddings" => Self::Embeddings,
            "/v1/messages" => Self::Messages,
            "/v1/messages/count_tokens" => Self::MessagesCountTokens,
            _ => return None,
        })
    }

    /// Gemini's form, `…/models/{model}:{method}`: the model, still escaped, and the endpoint.
    pub(super) fn of_model(path: &str) -> Option<(&str, Self)> {
        let (model, method) = model_path(path)?.rsplit_once(':')?;
        let endpoint = match method {
            "generateContent" => Self::GenerateContent,
            "streamGenerateContent" => Self::StreamGenerateContent,
            "countTokens" => Self::GeminiCountTokens,
            _ => return None,
        };
        (!model.is_empty()).then_some((model, endpoint))
    }
}

/// What follows `/v1/models/` or `/v1beta/models/`.
pub(super) fn model_path(path: &str) -> Option<&str> {
    path.strip_prefix("/v1/models/")
        .or_else(|| path.strip_prefix("/v1beta/models/"))
        .filter(|name| !name.is_empty())
}

/// Whose client libraries a path is for: they read lists and errors in that vendor's shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    OpenAi,
    Anthropic,
    Gemini,
}

impl Surface {
    /// By path; on the paths of `/v1/models`, which all three have, by the header that only one of them sends.
    pub fn of(path: &str, headers: &HeaderMap) -> Self {
        if path.starts_with("/v1/messages") {
            return Self::Anthropic;
        }
        if path.starts_with("/v1beta/") || Endpoint::of_model(path).is_some() {
            return Self::Gemini;
        }
        if path == "/v1/models" || path.starts_with("/v1/models/") {
            if headers.contains_key("anthropic-version") {
                return Self::Anthropic;
            }
            if headers.contains_key("x-goog-api-key") {
                return Self::Gemini;
            }
        }
        Self::OpenAi
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn gemini_names_model_and_method_in_one_segment() {
        let check = |path: &str, expected: Option<(&str, Endpoint)>| {
            assert_eq!(Endpoint::of_model(path), expected, "{path}");
        };
        check(
            "/v1beta/models/fast:generateContent",
            Some(("fast", Endpoint::GenerateContent)),
        );
        check(
            "/v1/models/llama3:8b:streamGenerateContent",
            Some(("llama3:8b", Endpoint::StreamGenerateContent)),
        );
        check(
            "/v1beta/models/team/fast:countTokens",
            Some(("team/fast", Endpoint::GeminiCountTokens)),
        );
        check("/v1beta/models/fast:embedContent", None);
        check("/v1/models/llama3:8b", None);
        check("/v1beta/models/:generateContent", None);
    }

    #[test]
    fn the_models_list_is_answered_in_the_askers_shape() {
        let with = |name: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, HeaderValue::from_static("1"));
            Surface::of("/v1/models", &headers)
        };
        assert_eq!(with("authorization"), Surface::OpenAi);
        assert_eq!(with("anthropic-version"), Surface::Anthropic);
        assert_eq!(with("x-goog-api-key"), Surface::Gemini);
        let none = HeaderMap::new();
        assert_eq!(Surface::of("/v1beta/models", &none), Surface::Gemini);
        assert_eq!(
            Surface::of("/v1/messages/count_tokens", &none),
            Surface::Anthropic
        );
        assert_eq!(Surface::of("/v1/responses", &none), Surface::OpenAi);
    }
}
