//! What kinds of providers there are, and which APIs each of them speaks.

use super::values::one_of;

/// Which company's API a provider has: it decides addresses, credentials and the APIs that are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ProviderKind {
    OpenAi,
    /// A server that speaks OpenAI's API, under any address.
    OpenAiCompatible,
    /// OpenAI's models on Azure, by deployment or through its v1 endpoint.
    Azure,
    OpenRouter,
    Xai,
    Anthropic,
    Gemini,
}

/// An API of a provider, as a word of `apis` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// Gemini's `generateContent`.
    Gemini,
    /// OpenAI's embeddings, or Gemini's for a provider of that kind.
    Embeddings,
}

impl ProviderKind {
    pub const ALL: [Self; 7] = [
        Self::OpenAi,
        Self::OpenAiCompatible,
        Self::Azure,
        Self::OpenRouter,
        Self::Xai,
        Self::Anthropic,
        Self::Gemini,
    ];
    const ALIASES: [(&'static str, Self); 2] = [("azure-openai", Self::Azure), ("grok", Self::Xai)];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::OpenAiCompatible => "openai-compatible",
            Self::Azure => "azure",
            Self::OpenRouter => "openrouter",
            Self::Xai => "xai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
        }
    }

    pub(super) fn parse(word: &str) -> Result<Self, String> {
        let alias = Self::ALIASES.iter().find(|(alias, _)| *alias == word);
        match alias {
            Some((_, kind)) => Ok(*kind),
            None => one_of(word, &Self::ALL.map(|kind| (kind.as_str(), kind))),
        }
    }

    /// The provider's one public address, where it has one.
    pub(super) fn base_url(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("https://api.openai.com/v1"),
            Self::OpenRouter => Some("https://openrouter.ai/api/v1"),
            Self::Xai => Some("https://api.x.ai/v1"),
            Self::Anthropic => Some("https://api.anthropic.com/v1"),
            Self::Gemini => Some("https://generativelanguage.googleapis.com/v1beta"),
            Self::OpenAiCompatible | Self::Azure => None,
        }
    }

    /// What `apis` may name.
    pub(super) fn can_speak(self) -> &'static [Api] {
        use Api::{Chat, Embeddings, Gemini, Messages, Responses};
        match self {
            Self::OpenAi | Self::Azure => &[Chat, Responses, Embeddings],
            Self::OpenAiCompatible | Self::OpenRouter => &[Chat, Responses, Messages, Embeddings],
            Self::Xai => &[Chat, Responses],
            // Anthropic has an endpoint for clients of OpenAI's chat completions; it is not spoken unless asked for,
            // because it takes fewer controls.
            Self::Anthropic => &[Messages, Chat],
            Self::Gemini => &[Gemini, Embeddings],
        }
    }

    /// `apis` where the file does not name them. Azure has responses on its v1 endpoint alone.
    pub(super) fn speaks(self, azure_v1: bool) -> &'static [Api] {
        use Api::{Chat, Embeddings, Gemini, Messages, Responses};
        match self {
            Self::OpenAi | Self::OpenRouter => &[Chat, Responses, Embeddings],
            Self::Azure if azure_v1 => &[Chat, Responses, Embeddings],
            Self::Azure | Self::OpenAiCompatible => &[Chat, Embeddings],
            Self::Xai => &[Chat, Responses],
            Self::Anthropic => &[Messages],
            Self::Gemini => &[Gemini, Embeddings],
        }
    }
}

impl Api {
    pub const ALL: [Self; 5] = [
        Self::Chat,
        Self::Responses,
        Self::Messages,
        Self::Gemini,
        Self::Embeddings,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Gemini => "gemini",
            Self::Embeddings => "embeddings",
        }
    }

    /// The API of this name, if a provider of this kind speaks it.
    pub(super) fn parse(word: &str, kind: ProviderKind) -> Result<Self, String> {
        let api = one_of(word, &Self::ALL.map(|api| (api.as_str(), api)))?;
        let able = kind.can_speak();
        if able.contains(&api) {
            return Ok(api);
        }
        let able: Vec<_> = able
            .iter()
            .map(|api| format!("`{}`", api.as_str()))
            .collect();
        Err(format!(
            "a provider of kind `{}` has no such API, only {}",
            kind.as_str(),
            able.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_speaks_by_default_only_what_it_can_speak() {
        for kind in ProviderKind::ALL {
            for azure_v1 in [false, true] {
                let apis = kind.speaks(azure_v1);
                assert!(!apis.is_empty());
                assert!(apis.iter().all(|api| kind.can_speak().contains(api)));
            }
        }
    }

    #[test]
    fn kinds_have_one_name_and_some_an_old_one() {
        for kind in ProviderKind::ALL {
            assert_eq!(ProviderKind::parse(kind.as_str()), Ok(kind));
        }
        assert_eq!(ProviderKind::parse("grok"), Ok(ProviderKind::Xai));
        assert_eq!(ProviderKind::parse("azure-openai"), Ok(ProviderKind::Azure));
        let refused = ProviderKind::parse("anthropc").unwrap_err();
        assert!(refused.ends_with("did you mean `anthropic`?"), "{refused}");
    }

    #[test]
    fn an_api_that_a_kind_does_not_have_is_refused_with_those_it_has() {
        let check = |kind, word, expected: Result<Api, &str>| {
            let found = Api::parse(word, kind);
            assert_eq!(found, expected.map_err(str::to_owned), "{word}");
        };
        check(ProviderKind::Anthropic, "chat", Ok(Api::Chat));
        check(
            ProviderKind::Anthropic,
            "responses",
            Err("a provider of kind `anthropic` has no such API, only `messages`, `chat`"),
        );
        check(
            ProviderKind::Gemini,
            "chat",
            Err("a provider of kind `gemini` has no such API, only `gemini`, `embeddings`"),
        );
        check(ProviderKind::OpenRouter, "messages", Ok(Api::Messages));
        check(ProviderKind::Azure, "responses", Ok(Api::Responses));
        check(
            ProviderKind::Xai,
            "mesages",
            Err(
                "must be one of `chat`, `responses`, `messages`, `gemini`, `embeddings`; did you mean `messages`?",
            ),
        );
    }
}
