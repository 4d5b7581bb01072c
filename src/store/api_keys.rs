//! Virtual keys that live in the database: made by the gateway or through the admin API. Of the secret only its hash
//! is stored.

use std::sync::Arc;

use ferrogate_api::{ApiKey, Origin, SecretKind};
use rusqlite::{
    Connection, Error, Row, params,
    types::{FromSqlError, Type},
};

use super::{StoreError, columns};

/// A key and the hash that finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredApiKey {
    /// What is stored is always [`Origin::Api`] and [`SecretKind::Hash`], whatever these two fields say.
    pub key: ApiKey,
    pub secret_hash: String,
}

/// Whether the key is new: its id and its secret are both unknown so far.
pub(super) fn insert(connection: &Connection, stored: &StoredApiKey) -> Result<bool, Error> {
    let key = &stored.key;
    let mut insert = connection.prepare_cached(
        "INSERT INTO api_keys (
             id, secret_hash, name, enabled, scopes, allowed_models, denied_models, allowed_providers,
             denied_providers, request_limit_per_minute, expires_at_unix
         ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
         ON CONFLICT DO NOTHING",
    )?;
    let rows = insert.execute(params![
        key.id,
        stored.secret_hash,
        key.name,
        key.enabled,
        json(&key.scopes)?,
        json(&key.allowed_models)?,
        json(&key.denied_models)?,
        json(&key.allowed_providers)?,
        json(&key.denied_providers)?,
        // More than the column holds is no limit that anybody reaches.
        key.request_limit_per_minute
            .map(|limit| i64::try_from(limit).unwrap_or(i64::MAX)),
        key.expires_at_unix,
    ])?;
    Ok(rows == 1)
}

pub(super) fn list(connection: &Connection) -> Result<Vec<StoredApiKey>, StoreError> {
    select_all(connection).map_err(|source| StoreError::Read {
        what: "API keys",
        source,
    })
}

fn select_all(connection: &Connection) -> Result<Vec<StoredApiKey>, Error> {
    connection
        .prepare_cached("SELECT * FROM api_keys ORDER BY id")?
        .query_map([], stored)?
        .collect()
}

fn stored(row: &Row<'_>) -> Result<StoredApiKey, Error> {
    let id: Arc<str> = row.get("id")?;
    Ok(StoredApiKey {
        secret_hash: row.get("secret_hash")?,
        key: ApiKey {
            id,
            name: row.get("name")?,
            enabled: row.get("enabled")?,
            origin: Origin::Api,
            secret: SecretKind::Hash,
            scopes: names(row, "scopes")?,
            allowed_models: names(row, "allowed_models")?,
            denied_models: names(row, "denied_models")?,
            allowed_providers: names(row, "allowed_providers")?,
            denied_providers: names(row, "denied_providers")?,
            request_limit_per_minute: columns::optional_count(row, "request_limit_per_minute")?,
            expires_at_unix: row.get("expires_at_unix")?,
        },
    })
}

fn json(names: &[String]) -> Result<String, Error> {
    serde_json::to_string(names).map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))
}

/// A list that cannot be read is an error, never an empty list: an empty `allowed_models` allows every model.
fn names(row: &Row<'_>, column: &'static str) -> Result<Vec<String>, Error> {
    let index = row.as_ref().column_index(column)?;
    let text = row.get_ref(index)?.as_str()?;
    serde_json::from_str(text).map_err(|error| {
        Error::FromSqlConversionFailure(index, Type::Text, FromSqlError::other(error).into())
    })
}
