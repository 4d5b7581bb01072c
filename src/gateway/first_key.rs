//! The first admin key: without one nobody could administer a fresh gateway over the network.

use std::{
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::BuildError;
use crate::config::{Config, Scope, Secret};
use crate::governance::{generate, hash};
use crate::store::{AuditEntry, ResourceChange, ResourceKind, Store, StoredResource};

const ID: &str = "admin";
const FILE: &str = "admin-key";

/// Makes an admin key if neither the configuration nor the database has one, and writes it to a 0600 file.
///
/// The log names the file and never the key.
pub(super) async fn ensure(
    config: &Config,
    store: &Store,
    now_unix_ms: i64,
) -> Result<(), BuildError> {
    let declared = config
        .api_keys
        .iter()
        .any(|key| key.enabled && key.scopes.contains(&Scope::AdminWrite));
    if declared {
        return Ok(());
    }
    let admin = Scope::AdminWrite.as_str();
    let opens = |resource: &StoredResource| {
        let document = &resource.document;
        let scopes = document.get("scopes").and_then(Value::as_array);
        resource.kind == ResourceKind::ApiKey
            && document.get("enabled").and_then(Value::as_bool) != Some(false)
            && scopes.is_some_and(|scopes| scopes.iter().any(|scope| scope == admin))
    };
    if store.resources().await?.iter().any(opens) {
        return Ok(());
    }
    let secret = generate();
    let path: PathBuf = config.storage.path.join(FILE);
    write_private(&path, &secret).map_err(|source| BuildError::FirstKey {
        path: path.clone(),
        source,
    })?;
    store.change(made(&secret, now_unix_ms)).await?;
    tracing::info!(path = %path.display(), "no admin key was declared: one was made and written to this file");
    Ok(())
}

/// The key's row, and the one that says who made it.
fn made(secret: &Secret, now_unix_ms: i64) -> ResourceChange {
    ResourceChange {
        put: vec![StoredResource {
            kind: ResourceKind::ApiKey,
            id: ID.to_owned(),
            revision: 1,
            document: json!({
                "id": ID,
                "name": "first admin key",
                "key_hash": hash(secret.expose()),
                "scopes": [Scope::AdminRead.as_str(), Scope::AdminWrite.as_str()],
            }),
            created_at_unix_ms: now_unix_ms,
            updated_at_unix_ms: now_unix_ms,
        }],
        delete: Vec::new(),
        audit: AuditEntry {
            occurred_at_unix_ms: now_unix_ms,
            actor: "gateway".into(),
            action: "api_key.create".into(),
            target: format!("api_key:{ID}"),
            outcome: "ok".into(),
            message: "no admin key was declared".to_owned(),
            detail: None,
        },
        revision: None,
    }
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
