//! Providers as the dispatcher sees them: where they are, what they speak, how a call is addressed and authenticated.
//!
//! Nothing here changes after it was built. What is known of a provider's health, its credentials' included, is in
//! [`crate::ai::health`], which outlives the configuration.

mod credential;
mod headers;
mod target;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use thiserror::Error;

use crate::ai::dialects::{Dialect, Quirks};
use crate::config::{self, Api, KeySource, ProviderKind};

pub use credential::{Credential, CredentialId};

/// One provider, ready to be asked.
#[derive(Debug)]
pub struct Provider {
    pub name: Arc<str>,
    pub kind: ProviderKind,
    pub enabled: bool,
    pub tls: bool,
    /// Host name or IP address, IPv6 without brackets.
    pub host: String,
    pub port: u16,
    /// What goes into `host`: the port only where it is not the scheme's own.
    pub authority: HeaderValue,
    /// The base URL's path, without a trailing slash.
    base_path: String,
    /// Azure's query `api-version`, Anthropic's header `anthropic-version`.
    api_version: Option<String>,
    anthropic_version: HeaderValue,
    /// What it speaks, in the words of dialects.
    apis: Box<[Dialect]>,
    /// Those that are there, in the order of the file.
    credentials: Box<[Credential]>,
    /// Those that are named and not there.
    missing_keys: Box<[MissingKey]>,
    /// Who asks, for a provider that counts by site.
    attribution: Vec<(HeaderName, HeaderValue)>,
}

/// A credential that the configuration names and that was not there when it was loaded.
#[derive(Debug)]
pub struct MissingKey {
    /// Its place in the file, from 1.
    pub index: u32,
    pub source: KeySource,
}

/// A provider of the configuration that cannot be used.
#[derive(Debug, Error)]
pub enum ProviderError {
    #[error("provider `{0}`: its base_url names no host")]
    Host(Arc<str>),
    #[error("provider `{0}`: its API key holds characters that no header can carry")]
    Credential(Arc<str>),
    #[error("provider `{0}`: its {1} holds characters that no header can carry")]
    Header(Arc<str>, &'static str),
}

impl Provider {
    /// Compiles one `[[providers]]` entry.
    ///
    /// # Errors
    /// When the URL has no host or a value cannot stand in a header; configuration loading refuses these before.
    pub fn build(config: &config::Provider) -> Result<Self, ProviderError> {
        let url = &config.base_url;
        let host = || ProviderError::Host(Arc::clone(&config.name));
        let tls = url.scheme_str() == Some("https");
        let authority = url.authority().ok_or_else(host)?;
        let (credentials, missing_keys) = credential::build(config)?;
        Ok(Self {
            name: Arc::clone(&config.name),
            kind: config.kind,
            enabled: config.enabled,
            tls,
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            authority: HeaderValue::try_from(authority.as_str()).map_err(|_| host())?,
            base_path: url.path().trim_end_matches('/').to_owned(),
            api_version: config.api_version.clone(),
            anthropic_version: headers::anthropic_version(config)?,
            apis: config
                .apis
                .iter()
                .map(|api| dialect_of(*api, config.kind))
                .collect(),
            credentials,
            missing_keys,
            attribution: headers::attribution(config)?,
        })
    }

    /// The dialect in which a request of a client that speaks `client` is put to this provider; `None` when it speaks
    /// none that could carry it. The client's own comes first, for then the bytes pass as they are.
    pub fn api_for(&self, client: Dialect) -> Option<Dialect> {
        let speaks = |dialect: &Dialect| self.apis.contains(dialect);
        if speaks(&client) {
            return Some(client);
        }
        match client {
            Dialect::Embeddings | Dialect::GeminiEmbeddings => {
                [Dialect::Embeddings, Dialect::GeminiEmbeddings]
                    .into_iter()
                    .find(speaks)
            }
            Dialect::Chat | Dialect::Responses | Dialect::Messages | Dialect::Gemini => {
                Dialect::CONVERSING.into_iter().find(speaks)
            }
        }
    }

    /// Where this provider differs from others that are spoken to in `api`.
    pub fn quirks(&self, api: Dialect) -> Quirks {
        match (api, self.kind) {
            (Dialect::Chat | Dialect::Responses, ProviderKind::OpenAi) => Quirks {
                max_completion_tokens: true,
                developer_role: true,
                custom_tools: true,
            },
            // What a dated version of Azure's API takes depends on the date; what it took first, it takes always.
            (Dialect::Chat | Dialect::Responses, ProviderKind::Azure) => Quirks {
                max_completion_tokens: true,
                developer_role: self.is_azure_v1(),
                custom_tools: self.is_azure_v1(),
            },
            (Dialect::Chat | Dialect::Responses, ProviderKind::OpenRouter | ProviderKind::Xai) => {
                Quirks {
                    max_completion_tokens: true,
                    ..Quirks::default()
                }
            }
            _ => Quirks::default(),
        }
    }

    /// The credentials that can be sent. None where the configuration names none, or none of those it names is there:
    /// see [`Provider::missing_keys`].
    pub fn credentials(&self) -> &[Credential] {
        &self.credentials
    }

    /// The credentials that would be sent if they were there.
    pub fn missing_keys(&self) -> &[MissingKey] {
        &self.missing_keys
    }

    /// Azure's newer endpoint, which names models in the body and needs no `api-version`.
    fn is_azure_v1(&self) -> bool {
        self.kind == ProviderKind::Azure && self.base_path.ends_with("/openai/v1")
    }
}

fn dialect_of(api: Api, kind: ProviderKind) -> Dialect {
    match api {
        Api::Chat => Dialect::Chat,
        Api::Responses => Dialect::Responses,
        Api::Messages => Dialect::Messages,
        Api::Gemini => Dialect::Gemini,
        Api::Embeddings if kind == ProviderKind::Gemini => Dialect::GeminiEmbeddings,
        Api::Embeddings => Dialect::Embeddings,
    }
}
