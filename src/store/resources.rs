//! What was made through the admin API or by the gateway itself: keys, tenants, policies, providers and the rest. One JSON
//! document each, with the keys of the configuration file's table; what they mean is not known here.

use rusqlite::{Connection, Error, ErrorCode, Row, ffi, params, types::Type};
use serde_json::Value;

use super::{
    Store, StoreError,
    audit_events::{self, AuditEntry},
    columns,
    queue::Message,
    revisions::{self, NewRevision},
};

/// What kind of thing a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    Tenant,
    ApiKey,
    Policy,
    GatewayConfig,
    Provider,
    Model,
    Upstream,
    Route,
    McpServer,
    Alert,
}

impl ResourceKind {
    pub const ALL: [Self; 10] = [
        Self::Tenant,
        Self::ApiKey,
        Self::Policy,
        Self::GatewayConfig,
        Self::Provider,
        Self::Model,
        Self::Upstream,
        Self::Route,
        Self::McpServer,
        Self::Alert,
    ];

    /// The name in the database and in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::ApiKey => "api_key",
            Self::Policy => "policy",
            Self::GatewayConfig => "gateway_config",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Upstream => "upstream",
            Self::Route => "route",
            Self::McpServer => "mcp_server",
            Self::Alert => "alert",
        }
    }

    /// The list of the configuration file that declares such things.
    pub fn section(self) -> &'static str {
        match self {
            Self::Tenant => "tenants",
            Self::ApiKey => "api_keys",
            Self::Policy => "policies",
            Self::GatewayConfig => "gateway_configs",
            Self::Provider => "providers",
            Self::Model => "models",
            Self::Upstream => "upstreams",
            Self::Route => "routes",
            Self::McpServer => "mcp_servers",
            Self::Alert => "alerts",
        }
    }

    /// The reverse of [`ResourceKind::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One resource as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredResource {
    pub kind: ResourceKind,
    /// Unique within its kind.
    pub id: String,
    /// 1 for a new one. What replaces another has a higher one, so that of two who change the same one fails.
    pub revision: u64,
    pub document: Value,
    pub created_at_unix_ms: i64,
    pub updated_at_unix_ms: i64,
}

/// Resources that change together: all of them, and the row that says who did it, or nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceChange {
    pub put: Vec<StoredResource>,
    /// Deleting what is not there is no error.
    pub delete: Vec<(ResourceKind, String)>,
    pub audit: AuditEntry,
    /// The history's row; `None` for what is not a part of it.
    pub revision: Option<NewRevision>,
}

impl Store {
    /// Everything that lives in the database, by kind and id.
    ///
    /// # Errors
    /// When the disk fails, or a document cannot be read: a key must not lose its limits over that.
    pub async fn resources(&self) -> Result<Vec<StoredResource>, StoreError> {
        self.read(|readers| {
            let connection = readers.ledger.get().map_err(StoreError::Connect)?;
            select_all(&connection).map_err(|source| StoreError::Read {
                what: "resources",
                source,
            })
        })
        .await
    }

    /// Makes a change and waits for the commit.
    ///
    /// # Errors
    /// When a new resource exists already, another change came first, a key's secret is another key's already, or the
    /// commit failed. Then nothing is changed.
    pub async fn change(&self, change: ResourceChange) -> Result<(), StoreError> {
        let change = Box::new(change);
        self.0
            .queue
            .ask(|reply| Message::Change { change, reply })
            .await
    }
}

/// Writes a change as a part of the transaction; a refused one leaves no trace in it.
pub(super) fn apply(
    connection: &Connection,
    change: &ResourceChange,
) -> Result<Result<(), StoreError>, Error> {
    connection.execute_batch("SAVEPOINT resource_change")?;
    let applied = write(connection, change)?;
    if applied.is_err() {
        connection.execute_batch("ROLLBACK TO resource_change")?;
    }
    connection.execute_batch("RELEASE resource_change")?;
    Ok(applied)
}

fn write(
    connection: &Connection,
    change: &ResourceChange,
) -> Result<Result<(), StoreError>, Error> {
    // Deletions first: what one key leaves, another of the same change may take.
    for (kind, id) in &change.delete {
        delete(connection, *kind, id)?;
    }
    for resource in &change.put {
        if let Err(refused) = put(connection, resource)? {
            return Ok(Err(refused));
        }
    }
    if let Some(revision) = &change.revision {
        revisions::append(connection, revision)?;
    }
    audit_events::append(connection, &change.audit).map(Ok)
}

fn put(
    connection: &Connection,
    resource: &StoredResource,
) -> Result<Result<(), StoreError>, Error> {
    let mut upsert = connection.prepare_cached(
        "INSERT INTO resources (kind, id, revision, document, created_at_unix_ms, updated_at_unix_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (kind, id) DO UPDATE SET
             revision = excluded.revision, document = excluded.document,
             created_at_unix_ms = excluded.created_at_unix_ms, updated_at_unix_ms = excluded.updated_at_unix_ms
         WHERE excluded.revision > resources.revision",
    )?;
    let written = upsert.execute(params![
        resource.kind.as_str(),
        resource.id,
        columns::from_count(resource.revision),
        resource.document.to_string(),
        resource.created_at_unix_ms,
        resource.updated_at_unix_ms,
    ]);
    let (kind, id) = (resource.kind.as_str(), resource.id.clone());
    match written {
        Ok(0) if resource.revision <= 1 => Ok(Err(StoreError::ResourceExists { kind, id })),
        Ok(0) => Ok(Err(StoreError::RevisionConflict { kind, id })),
        Ok(_) => Ok(Ok(())),
        Err(error) if is_taken(&error) => Ok(Err(StoreError::SecretInUse { id })),
        Err(error) => Err(error),
    }
}

fn is_taken(error: &Error) -> bool {
    matches!(
        error,
        Error::SqliteFailure(ffi::Error { code: ErrorCode::ConstraintViolation, extended_code }, _)
            if *extended_code == ffi::SQLITE_CONSTRAINT_UNIQUE
    )
}

fn delete(connection: &Connection, kind: ResourceKind, id: &str) -> Result<(), Error> {
    connection
        .prepare_cached("DELETE FROM resources WHERE kind = ?1 AND id = ?2")?
        .execute((kind.as_str(), id))?;
    if kind == ResourceKind::ApiKey {
        // A new key by the same name was not used yet.
        connection
            .prepare_cached("DELETE FROM key_activity WHERE api_key_id = ?1")?
            .execute([id])?;
    }
    Ok(())
}

fn select_all(connection: &Connection) -> Result<Vec<StoredResource>, Error> {
    connection
        .prepare_cached("SELECT * FROM resources ORDER BY kind, id")?
        .query_map([], stored)?
        .collect()
}

fn stored(row: &Row<'_>) -> Result<StoredResource, Error> {
    let index = row.as_ref().column_index("document")?;
    let document = serde_json::from_str(row.get_ref(index)?.as_str()?)
        .map_err(|error| Error::FromSqlConversionFailure(index, Type::Text, Box::new(error)))?;
    Ok(StoredResource {
        kind: columns::named(row, "kind", ResourceKind::parse)?,
        id: row.get("id")?,
        revision: columns::count(row, "revision")?,
        document,
        created_at_unix_ms: row.get("created_at_unix_ms")?,
        updated_at_unix_ms: row.get("updated_at_unix_ms")?,
    })
}
