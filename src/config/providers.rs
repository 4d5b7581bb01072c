//! `[[providers]]`: who answers AI requests.

use std::sync::Arc;

use super::{Api, ProviderKey, ProviderKind, names::Names, reader::Section, url};

/// One provider account.
#[derive(Debug, Clone)]
pub struct Provider {
    /// `name`: unique; what models and keys refer to.
    pub name: Arc<str>,
    /// `kind`: whose API it has; default `openai`.
    pub kind: ProviderKind,
    /// `base_url`, without a trailing slash; `http` or `https`, with a host name or address. Kinds with one public
    /// address have it as their default.
    pub base_url: http::Uri,
    /// One of `api_key_env`, `api_key_envs` (in their order), `api_key_file`, `api_key_credential` and
    /// `api_key_sealed`. Empty: nothing is sent.
    pub api_keys: Vec<ProviderKey>,
    /// `apis`: what it speaks, never empty; default by kind. What a client says in one of these passes unchanged.
    pub apis: Vec<Api>,
    /// `api_version`: Azure's query `api-version` (default `2024-10-21`, none on its v1 endpoint) or Anthropic's header
    /// `anthropic-version` (default `2023-06-01`). No other kind has one.
    pub api_version: Option<String>,
    /// `openrouter_http_referer`: the site that OpenRouter counts requests for; sent as `HTTP-Referer`.
    pub openrouter_http_referer: Option<String>,
    /// `openrouter_x_title`: that site's name; sent as `X-Title`.
    pub openrouter_x_title: Option<String>,
    /// `enabled`; default true.
    pub enabled: bool,
}

impl Provider {
    pub(super) const LATER: &'static [&'static str] = &[];

    pub(super) fn read(section: &mut Section<'_, '_>, names: &mut Names) -> Option<Self> {
        let name = names.claim(section, "name");
        let kind = read_kind(section);
        let base_url = read_base_url(section, kind);
        let enabled = section.flag("enabled", true);
        let api_keys = ProviderKey::read_all(section, enabled);
        let azure_v1 = kind == Some(ProviderKind::Azure) && base_url.as_ref().is_some_and(is_v1);
        let apis = read_apis(section, kind, azure_v1);
        let api_version = read_api_version(section, kind, azure_v1);
        let openrouter_http_referer = read_openrouter(section, "openrouter_http_referer", kind);
        let openrouter_x_title = read_openrouter(section, "openrouter_x_title", kind);
        Some(Self {
            name: name?,
            kind: kind?,
            base_url: base_url?,
            api_keys,
            apis,
            api_version,
            openrouter_http_referer,
            openrouter_x_title,
            enabled,
        })
    }
}

/// `None` after an error, so that what depends on the kind is not judged.
fn read_kind(section: &mut Section<'_, '_>) -> Option<ProviderKind> {
    section
        .text("kind")
        .map_or(Some(ProviderKind::OpenAi), |word| {
            section.accept(&word.place, ProviderKind::parse(word.value))
        })
}

fn read_base_url(section: &mut Section<'_, '_>, kind: Option<ProviderKind>) -> Option<http::Uri> {
    if let Some(written) = section.text("base_url") {
        return section.accept(&written.place, url::base_url(written.value));
    }
    if section.has("base_url") {
        return None;
    }
    let kind = kind?;
    let place = section.place_of("base_url");
    let Some(public) = kind.base_url() else {
        let kind = kind.as_str();
        let reason = format!("is missing: a provider of kind `{kind}` has no address of its own");
        section.absence(&place, reason);
        return None;
    };
    section.accept(&place, url::base_url(public))
}

/// Azure's newer endpoint, which names models in the body and needs no `api-version`.
fn is_v1(base_url: &http::Uri) -> bool {
    base_url.path().ends_with("/openai/v1")
}

fn read_apis(
    section: &mut Section<'_, '_>,
    kind: Option<ProviderKind>,
    azure_v1: bool,
) -> Vec<Api> {
    // Without its kind a provider is refused anyway, and its words cannot be judged.
    let apis = section.texts("apis");
    let Some(kind) = kind else {
        return Vec::new();
    };
    if !section.has("apis") {
        return kind.speaks(azure_v1).to_vec();
    }
    if section.is_empty_array("apis") {
        let place = section.place_of("apis");
        section.error(&place, "is empty; leave it out for what the kind speaks");
    }
    let parsed = apis.into_iter();
    parsed
        .filter_map(|word| section.accept(&word.place, Api::parse(word.value, kind)))
        .collect()
}

fn read_api_version(
    section: &mut Section<'_, '_>,
    kind: Option<ProviderKind>,
    azure_v1: bool,
) -> Option<String> {
    let written = section.parsed("api_version", |text| {
        let in_a_version = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if text.is_empty() || !text.bytes().all(in_a_version) {
            return Err("must be made of letters, digits, `-`, `.` and `_`".to_owned());
        }
        Ok(text.to_owned())
    });
    match kind? {
        ProviderKind::Azure if azure_v1 => written,
        ProviderKind::Azure => written.or_else(|| Some("2024-10-21".to_owned())),
        ProviderKind::Anthropic => written.or_else(|| Some("2023-06-01".to_owned())),
        kind @ (ProviderKind::OpenAi
        | ProviderKind::OpenAiCompatible
        | ProviderKind::OpenRouter
        | ProviderKind::Xai
        | ProviderKind::Gemini) => {
            refuse_for(section, "api_version", kind, "`azure` or `anthropic`");
            None
        }
    }
}

fn read_openrouter(
    section: &mut Section<'_, '_>,
    key: &'static str,
    kind: Option<ProviderKind>,
) -> Option<String> {
    let written = section.parsed(key, |text| {
        if text.is_empty() || http::HeaderValue::from_str(text).is_err() {
            return Err("is no header value".to_owned());
        }
        Ok(text.to_owned())
    });
    match kind? {
        ProviderKind::OpenRouter => written,
        kind => {
            refuse_for(section, key, kind, "`openrouter`");
            None
        }
    }
}

/// A key that would be ignored is refused.
fn refuse_for(section: &mut Section<'_, '_>, key: &str, kind: ProviderKind, others: &str) {
    if section.has(key) {
        let place = section.place_of(key);
        let kind = kind.as_str();
        section.error(&place, format!("is for kind {others}, not for `{kind}`"));
    }
}
