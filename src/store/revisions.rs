//! The history of what the gateway goes by: one row for each change of the configuration file or of a resource.
//!
//! A row holds the resources it changed, as they were before and after, so that any state since the oldest row can be
//! had back; of the file it holds what changed, and the whole text once, without its secrets.

use std::sync::Arc;

use rusqlite::{Connection, Error, OptionalExtension, Row, params, types::Type};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ResourceKind, Store, StoreError, StoredResource, columns};

/// What made a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevisionSource {
    /// The file was another one when the gateway started.
    Start,
    /// A reload.
    File,
    /// A write through the admin API.
    Api,
    Rollback,
    Import,
    /// Another node that shares the state.
    Cluster,
}

impl RevisionSource {
    const ALL: [Self; 6] = [
        Self::Start,
        Self::File,
        Self::Api,
        Self::Rollback,
        Self::Import,
        Self::Cluster,
    ];

    /// The name in the database and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::File => "file",
            Self::Api => "api",
            Self::Rollback => "rollback",
            Self::Import => "import",
            Self::Cluster => "cluster",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == name)
    }
}

/// One change as it is noted; a part of the transaction that makes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Revision {
    /// One more than the last.
    pub number: u64,
    pub occurred_at_unix_ms: i64,
    pub actor: Arc<str>,
    pub source: RevisionSource,
    pub reason: String,
    pub resources: Vec<RevisedResource>,
    /// What changed in the file, without its secrets; opaque here.
    pub file_changes: Value,
    /// The file in force after it; `None`: there is none.
    pub file_sha256: Option<String>,
}

/// One resource that a revision changed.
#[derive(Debug, Clone, PartialEq)]
pub struct RevisedResource {
    pub kind: ResourceKind,
    pub id: String,
    /// `None`: it was made.
    pub before: Option<StoredResource>,
    /// `None`: it was deleted.
    pub after: Option<StoredResource>,
}

/// A revision to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRevision {
    pub revision: Revision,
    /// The text of the file in force, without its secrets, where no revision has it yet.
    pub file_text: Option<String>,
}

/// A resource as the history has it.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    kind: String,
    id: String,
    before: Option<WrittenRow>,
    after: Option<WrittenRow>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WrittenRow {
    revision: u64,
    document: Value,
    created_at_unix_ms: i64,
    updated_at_unix_ms: i64,
}

impl Store {
    /// Revisions below `before` (`None`: from the newest on), newest first.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn revisions(
        &self,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Revision>, StoreError> {
        self.read_revisions(move |connection| {
            let below = before.map_or(i64::MAX, columns::from_count);
            let mut select = connection.prepare_cached(
                "SELECT * FROM config_revisions WHERE revision < ?1 ORDER BY revision DESC LIMIT ?2",
            )?;
            select
                .query_map([below, i64::from(limit)], revision)?
                .collect()
        })
        .await
    }

    /// One revision; `None`: there was none by this number, or it is past its retention.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn revision(&self, number: u64) -> Result<Option<Revision>, StoreError> {
        self.read_revisions(move |connection| {
            connection
                .prepare_cached("SELECT * FROM config_revisions WHERE revision = ?1")?
                .query_row([columns::from_count(number)], revision)
                .optional()
        })
        .await
    }

    /// Every revision after `number`, oldest first.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn revisions_since(&self, number: u64) -> Result<Vec<Revision>, StoreError> {
        self.read_revisions(move |connection| {
            connection
                .prepare_cached(
                    "SELECT * FROM config_revisions WHERE revision > ?1 ORDER BY revision",
                )?
                .query_map([columns::from_count(number)], revision)?
                .collect()
        })
        .await
    }

    /// The text of a file that a revision names, without its secrets.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn config_file(&self, sha256: String) -> Result<Option<String>, StoreError> {
        self.read_revisions(move |connection| {
            connection
                .prepare_cached("SELECT text FROM config_files WHERE sha256 = ?1")?
                .query_row([sha256], |row| row.get(0))
                .optional()
        })
        .await
    }

    async fn read_revisions<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.read(move |readers| {
            let connection = readers.ledger.get().map_err(StoreError::Connect)?;
            read(&connection).map_err(|source| StoreError::Read {
                what: "revisions of the configuration",
                source,
            })
        })
        .await
    }
}

/// Adds a revision as a part of the transaction.
pub(super) fn append(connection: &Connection, new: &NewRevision) -> Result<(), Error> {
    let revision = &new.revision;
    let mut insert = connection.prepare_cached(
        "INSERT INTO config_revisions (
             revision, occurred_at_unix_ms, actor, source, reason, resources, file_changes, file_sha256
         ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    insert.execute(params![
        columns::from_count(revision.number),
        revision.occurred_at_unix_ms,
        revision.actor,
        revision.source.as_str(),
        revision.reason,
        resources_json(&revision.resources)?,
        revision.file_changes.to_string(),
        revision.file_sha256,
    ])?;
    if let (Some(text), Some(sha256)) = (&new.file_text, &revision.file_sha256) {
        connection
            .prepare_cached("INSERT OR IGNORE INTO config_files (sha256, text) VALUES (?1, ?2)")?
            .execute([sha256, text])?;
        // Retention takes revisions; their texts leave with the next file that comes.
        connection
            .prepare_cached(
                "DELETE FROM config_files WHERE sha256 NOT IN
                     (SELECT file_sha256 FROM config_revisions WHERE file_sha256 IS NOT NULL)",
            )?
            .execute([])?;
    }
    Ok(())
}

fn resources_json(resources: &[RevisedResource]) -> Result<String, Error> {
    let row = |row: &StoredResource| WrittenRow {
        revision: row.revision,
        document: row.document.clone(),
        created_at_unix_ms: row.created_at_unix_ms,
        updated_at_unix_ms: row.updated_at_unix_ms,
    };
    let written: Vec<_> = resources
        .iter()
        .map(|resource| Written {
            kind: resource.kind.as_str().to_owned(),
            id: resource.id.clone(),
            before: resource.before.as_ref().map(row),
            after: resource.after.as_ref().map(row),
        })
        .collect();
    serde_json::to_string(&written).map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))
}

fn revision(row: &Row<'_>) -> Result<Revision, Error> {
    let written: Vec<Written> = json(row, "resources")?;
    Ok(Revision {
        number: columns::count(row, "revision")?,
        occurred_at_unix_ms: row.get("occurred_at_unix_ms")?,
        actor: row.get("actor")?,
        source: columns::named(row, "source", RevisionSource::parse)?,
        reason: row.get("reason")?,
        // A kind that only a newer version knows cannot be had back by this one.
        resources: written.into_iter().filter_map(resource).collect(),
        file_changes: json(row, "file_changes")?,
        file_sha256: row.get("file_sha256")?,
    })
}

fn resource(written: Written) -> Option<RevisedResource> {
    let kind = ResourceKind::parse(&written.kind)?;
    let row = |row: WrittenRow| StoredResource {
        kind,
        id: written.id.clone(),
        revision: row.revision,
        document: row.document,
        created_at_unix_ms: row.created_at_unix_ms,
        updated_at_unix_ms: row.updated_at_unix_ms,
    };
    Some(RevisedResource {
        kind,
        before: written.before.map(row),
        after: written.after.map(row),
        id: written.id.clone(),
    })
}

fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<T, Error> {
    let index = row.as_ref().column_index(column)?;
    serde_json::from_str(row.get_ref(index)?.as_str()?)
        .map_err(|error| Error::FromSqlConversionFailure(index, Type::Text, Box::new(error)))
}
