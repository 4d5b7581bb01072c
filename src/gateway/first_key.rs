//! The first admin key: without one nobody could administer a fresh gateway over the network.

use std::{
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use ferrogate_api::{ApiKey, Origin, SecretKind};

use super::BuildError;
use crate::config::{Config, Scope, Secret};
use crate::governance::{generate, hash};
use crate::store::{Store, StoredApiKey};

const ID: &str = "admin";
const FILE: &str = "admin-key";

/// Makes an admin key if neither the configuration nor the database has one, and writes it to a 0600 file.
///
/// The log names the file and never the key.
pub(super) async fn ensure(config: &Config, store: &Store) -> Result<(), BuildError> {
    let declared = config
        .api_keys
        .iter()
        .any(|key| key.enabled && key.scopes.contains(&Scope::AdminWrite));
    if declared {
        return Ok(());
    }
    let admin = Scope::AdminWrite.as_str();
    let stored = store.api_keys().await?;
    if stored
        .iter()
        .any(|stored| stored.key.enabled && stored.key.scopes.iter().any(|scope| scope == admin))
    {
        return Ok(());
    }
    let secret = generate();
    let path: PathBuf = config.storage.path.join(FILE);
    write_private(&path, &secret).map_err(|source| BuildError::FirstKey {
        path: path.clone(),
        source,
    })?;
    store
        .insert_api_key(StoredApiKey {
            key: ApiKey {
                id: ID.into(),
                name: "first admin key".into(),
                enabled: true,
                origin: Origin::Api,
                secret: SecretKind::Hash,
                scopes: vec![Scope::AdminRead.as_str().into(), admin.into()],
                allowed_models: Vec::new(),
                denied_models: Vec::new(),
                allowed_providers: Vec::new(),
                denied_providers: Vec::new(),
                request_limit_per_minute: None,
                expires_at_unix: None,
            },
            secret_hash: hash(secret.expose()),
        })
        .await?;
    tracing::info!(path = %path.display(), "no admin key was declared: one was made and written to this file");
    Ok(())
}

/// Replaces the file: what an earlier start that failed left there opens nothing.
fn write_private(path: &Path, secret: &Secret) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    writeln!(file, "{}", secret.expose())?;
    file.sync_all()
}
