//! `[[providers]]`: who answers AI requests.

use std::sync::Arc;

use super::{Secret, names::Names, reader::Section, url, values::one_of, variables};

/// One provider account.
#[derive(Debug, Clone)]
pub struct Provider {
    /// `name`: unique; what models and keys refer to.
    pub name: Arc<str>,
    /// `kind`: which API it speaks.
    pub kind: ProviderKind,
    /// `base_url`, without a trailing slash; `http` or `https`, with a host name or address.
    pub base_url: http::Uri,
    /// `api_key_env`: the environment variable that holds the key.
    pub api_key_env: Option<String>,
    /// What that variable held when the configuration was loaded; `None` when it was unset (a warning at start,
    /// 503 `provider_credential_missing` on use) or when no variable is named (nothing is sent).
    pub api_key: Option<Secret>,
    /// `enabled`; default true.
    pub enabled: bool,
}

/// Which API a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProviderKind {
    OpenAi,
    OpenAiCompatible,
}

impl Provider {
    pub(super) const LATER: &'static [&'static str] = &[
        "openrouter_http_referer",
        "openrouter_x_title",
        "api_key_file",
        "api_key",
        "api_keys",
        "apis",
        "api_version",
    ];

    pub(super) fn read(section: &mut Section<'_, '_>, names: &mut Names) -> Option<Self> {
        let name = names.claim(section, "name");
        let kind = section
            .text("kind")
            .map_or(Some(ProviderKind::OpenAi), |word| {
                section.accept(&word.place, ProviderKind::parse(word.value))
            });
        let base_url = section.required("base_url", url::base_url);
        let enabled = section.flag("enabled", true);
        let (api_key_env, api_key) = read_api_key(section, enabled);
        Some(Self {
            name: name?,
            kind: kind?,
            base_url: base_url?,
            api_key_env,
            api_key,
            enabled,
        })
    }
}

impl ProviderKind {
    const WORDS: [(&'static str, Self); 2] = [
        ("openai", Self::OpenAi),
        ("openai-compatible", Self::OpenAiCompatible),
    ];
    const LATER: [&'static str; 7] = [
        "azure",
        "azure-openai",
        "openrouter",
        "anthropic",
        "gemini",
        "xai",
        "grok",
    ];

    fn parse(word: &str) -> Result<Self, String> {
        if Self::LATER.contains(&word) {
            return Err(format!("`{word}` is not yet supported"));
        }
        one_of(word, &Self::WORDS)
    }
}

/// The name of the variable, and what it holds. An unset one is no error: the provider may be needed on other days.
fn read_api_key(section: &mut Section<'_, '_>, enabled: bool) -> (Option<String>, Option<Secret>) {
    let Some(variable) = section.text("api_key_env") else {
        return (None, None);
    };
    let checked = variables::check_name(variable.value);
    if section.accept(&variable.place, checked).is_none() {
        return (None, None);
    }
    let name = variable.value.to_owned();
    let Some(key) = section.variable(&name) else {
        if enabled {
            section.warn(&variable.place, variables::unset(&name));
        }
        return (Some(name), None);
    };
    if http::HeaderValue::from_str(&key).is_err() {
        section.error(
            &variable.place,
            format!("`{name}` holds characters that no header can carry, such as a line break"),
        );
    }
    (Some(name), Some(Secret::new(key)))
}
