//! Providers as the dispatcher sees them: where they are, how they are authenticated, and what they are called.

use std::sync::Arc;

use http::HeaderValue;
use thiserror::Error;

use crate::config;
use crate::error::{ErrorKind, RequestError};

/// One provider, ready to be asked. OpenAI and compatible servers are asked alike.
#[derive(Debug)]
pub struct Provider {
    pub name: Arc<str>,
    pub tls: bool,
    /// Host name or IP address, IPv6 without brackets.
    pub host: String,
    pub port: u16,
    /// What goes into `host`: the port only where it is not the scheme's own.
    pub authority: HeaderValue,
    /// The base URL's path, without a trailing slash.
    base_path: String,
    credential: Credential,
    enabled: bool,
}

#[derive(Debug)]
enum Credential {
    /// The configuration names none: nothing is sent.
    None,
    /// The configuration names a variable that is not set.
    Missing(String),
    Bearer(HeaderValue),
}

/// A provider of the configuration that cannot be used.
#[derive(Debug, Error)]
pub enum ProviderError {
    #[error("provider `{0}`: its base_url names no host")]
    Host(Arc<str>),
    #[error("provider `{0}`: its API key holds characters that no header can carry")]
    Credential(Arc<str>),
}

impl Provider {
    /// Compiles one `[[providers]]` entry.
    ///
    /// # Errors
    /// When the URL has no host or the key is no header value; configuration loading refuses both before.
    pub fn build(config: &config::Provider) -> Result<Self, ProviderError> {
        let url = &config.base_url;
        let host = || ProviderError::Host(Arc::clone(&config.name));
        let tls = url.scheme_str() == Some("https");
        let authority = url.authority().ok_or_else(host)?;
        let credential = match (&config.api_key_env, &config.api_key) {
            (_, Some(key)) => {
                let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose()))
                    .map_err(|_| ProviderError::Credential(Arc::clone(&config.name)))?;
                value.set_sensitive(true);
                Credential::Bearer(value)
            }
            (Some(variable), None) => Credential::Missing(variable.clone()),
            (None, None) => Credential::None,
        };
        Ok(Self {
            name: Arc::clone(&config.name),
            tls,
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            authority: HeaderValue::try_from(authority.as_str()).map_err(|_| host())?,
            base_path: url.path().trim_end_matches('/').to_owned(),
            credential,
            enabled: config.enabled,
        })
    }

    /// The path of an API call on this provider.
    pub fn path(&self, api: &str) -> String {
        format!("{}{api}", self.base_path)
    }

    /// The `authorization` header to send, if any.
    ///
    /// # Errors
    /// `provider_disabled`, or `provider_credential_missing` when the key's variable is not set.
    pub fn authorization(&self) -> Result<Option<&HeaderValue>, RequestError> {
        if !self.enabled {
            return Err(RequestError::new(
                ErrorKind::ProviderDisabled,
                format!("Provider `{}` is switched off.", self.name),
            ));
        }
        match &self.credential {
            Credential::None => Ok(None),
            Credential::Bearer(value) => Ok(Some(value)),
            Credential::Missing(variable) => Err(RequestError::new(
                ErrorKind::ProviderCredentialMissing,
                format!(
                    "Provider `{}` has no key: the environment variable {variable} is not set. \
                     Set it and restart the gateway.",
                    self.name
                ),
            )),
        }
    }
}
