//! The headers that a provider wants: its credential in the place it looks for it, and what else it insists on.

use std::sync::Arc;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{ACCEPT_ENCODING, AUTHORIZATION},
};

use super::{Credential, Provider, ProviderError};
use crate::ai::dialects::Dialect;
use crate::config::{self, ProviderKind};

const API_KEY: HeaderName = HeaderName::from_static("api-key");
const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
const ANTHROPIC_VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const HTTP_REFERER: HeaderName = HeaderName::from_static("http-referer");
const X_TITLE: HeaderName = HeaderName::from_static("x-title");

/// The one version of Anthropic's API there has been since it is stable.
const ANTHROPIC_VERSION_DEFAULT: &str = "2023-06-01";

impl Provider {
    /// Adds what this provider wants to see on a call in `api`. An `anthropic-version` that is there already stays: it
    /// is the client's own, and so are the bytes of its request.
    pub fn headers(&self, api: Dialect, credential: Option<&Credential>, headers: &mut HeaderMap) {
        if let Some(credential) = credential {
            let (name, value) = self.credential_header(api, credential);
            headers.insert(name, value);
        }
        if api == Dialect::Messages {
            headers
                .entry(ANTHROPIC_VERSION)
                .or_insert_with(|| self.anthropic_version.clone());
        }
        headers.extend(self.attribution.iter().cloned());
    }

    /// The API that its list of models ([`Provider::models_target`]) is a part of.
    pub fn models_api(&self) -> Dialect {
        match self.kind {
            ProviderKind::Anthropic => Dialect::Messages,
            ProviderKind::Gemini => Dialect::Gemini,
            _ => Dialect::Chat,
        }
    }

    /// What a call of its list of models carries. The answer is to come as it is.
    pub fn models_headers(&self, credential: Option<&Credential>) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(6);
        self.headers(self.models_api(), credential, &mut headers);
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        headers
    }

    /// Where the key goes. The endpoints that other kinds have for clients of Anthropic's or OpenAI's API take it as a
    /// bearer token.
    fn credential_header(
        &self,
        api: Dialect,
        credential: &Credential,
    ) -> (HeaderName, HeaderValue) {
        let name = match (self.kind, api) {
            (ProviderKind::Azure, _) => API_KEY,
            (ProviderKind::Anthropic, Dialect::Messages) => X_API_KEY,
            (_, Dialect::Gemini | Dialect::GeminiEmbeddings) => X_GOOG_API_KEY,
            _ => return (AUTHORIZATION, credential.bearer.clone()),
        };
        (name, credential.plain.clone())
    }
}

pub(super) fn anthropic_version(config: &config::Provider) -> Result<HeaderValue, ProviderError> {
    match (config.kind, &config.api_version) {
        (ProviderKind::Anthropic, Some(version)) => value(config, "api_version", version),
        _ => Ok(HeaderValue::from_static(ANTHROPIC_VERSION_DEFAULT)),
    }
}

pub(super) fn attribution(
    config: &config::Provider,
) -> Result<Vec<(HeaderName, HeaderValue)>, ProviderError> {
    let named = [
        (
            HTTP_REFERER,
            "openrouter_http_referer",
            &config.openrouter_http_referer,
        ),
        (X_TITLE, "openrouter_x_title", &config.openrouter_x_title),
    ];
    named
        .into_iter()
        .filter_map(|(name, key, text)| Some((name, key, text.as_ref()?)))
        .map(|(name, key, text)| Ok((name, value(config, key, text)?)))
        .collect()
}

fn value(
    config: &config::Provider,
    key: &'static str,
    text: &str,
) -> Result<HeaderValue, ProviderError> {
    HeaderValue::from_str(text).map_err(|_| ProviderError::Header(Arc::clone(&config.name), key))
}
