//! What seals the secrets of providers: the master key, read when it is first needed and made where there is none.

use std::sync::Arc;

use parking_lot::Mutex;

use super::Gateway;
use crate::config::{self, MasterKeyFile, Secret};
use crate::error::{ErrorKind, RequestError};
use crate::sealing::{MasterKey, MasterKeyError};

/// The master key, as far as anybody asked for it. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub(super) struct Secrets(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: MasterKeyFile,
    key: Mutex<Option<Arc<MasterKey>>>,
}

impl Secrets {
    pub(super) fn new(config: &config::Secrets) -> Self {
        Self(Arc::new(Inner {
            file: config.master_key.clone(),
            key: Mutex::new(None),
        }))
    }

    /// Opens what was sealed. A master key that is not there is not made: it would open nothing.
    pub(super) fn open(&self, context: &str, sealed: &str) -> Result<Secret, String> {
        let key = self.key(load).map_err(|error| error.to_string())?;
        let text = key
            .open(context, sealed)
            .map_err(|error| error.to_string())?;
        Ok(Secret::new(text.as_str()))
    }

    fn seal(&self, context: &str, secret: &Secret) -> Result<String, MasterKeyError> {
        let key = self.key(|file| match file {
            MasterKeyFile::Own(path) => MasterKey::load_or_create(path),
            MasterKeyFile::Credential(_) => load(file),
        })?;
        Ok(key.seal(context, secret.expose()))
    }

    fn key(
        &self,
        read: impl FnOnce(&MasterKeyFile) -> Result<MasterKey, MasterKeyError>,
    ) -> Result<Arc<MasterKey>, MasterKeyError> {
        let mut known = self.0.key.lock();
        if let Some(key) = &*known {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(read(&self.0.file)?);
        *known = Some(Arc::clone(&key));
        Ok(key)
    }
}

fn load(file: &MasterKeyFile) -> Result<MasterKey, MasterKeyError> {
    match file {
        MasterKeyFile::Own(path) => MasterKey::load(path),
        MasterKeyFile::Credential(path) => MasterKey::load_credential(path),
    }
}

impl Gateway {
    /// Seals a provider's key, for `api_key_sealed` in its document.
    ///
    /// # Errors
    /// `secrets_unavailable` where the master key can be neither read nor made.
    pub fn seal_provider_key(
        &self,
        provider: &str,
        secret: &Secret,
    ) -> Result<String, RequestError> {
        self.seal(&config::provider_key_context(provider), secret)
    }

    /// Seals a header or variable of an MCP server, for `value_sealed` in its document.
    ///
    /// # Errors
    /// As [`Gateway::seal_provider_key`].
    pub fn seal_mcp_setting(
        &self,
        server: &str,
        setting: &str,
        secret: &Secret,
    ) -> Result<String, RequestError> {
        self.seal(&config::mcp_setting_context(server, setting), secret)
    }

    fn seal(&self, context: &str, secret: &Secret) -> Result<String, RequestError> {
        self.secrets.seal(context, secret).map_err(|error| {
            tracing::error!(%error, "a secret could not be sealed");
            RequestError::new(
                ErrorKind::SecretsUnavailable,
                format!("The secret could not be sealed: {error}."),
            )
        })
    }
}
