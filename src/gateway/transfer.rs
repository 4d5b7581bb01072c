//! Everything that is in force as one TOML file, and resources taken over from such a file.
//!
//! An export holds no secret in clear: keys are hashes in it, and what is sealed stays sealed, so that another gateway
//! needs the same master key. A gateway without resources of its own that is started with an export, or takes one over,
//! exports the same bytes.

use std::{collections::BTreeMap, sync::Arc};

use ferrogate_api::ConfigImport;
use serde_json::{Value, json};

use super::changes::{Change, Edit, Next, invalid, revised};
use super::managed::noun;
use super::resources::is_declared;
use super::revisions::change_of;
use super::{Gateway, Snapshot};
use crate::config::{self, Document};
use crate::error::{ErrorKind, RequestError};
use crate::store::{ResourceKind, RevisionSource, StoredResource};

impl Gateway {
    /// What is in force, or what the database has of it alone.
    pub fn export_config(&self, managed_only: bool) -> String {
        let snapshot = self.snapshot();
        let rows: Vec<(&str, &Value)> = snapshot
            .managed
            .rows()
            .map(|row| (row.kind.section(), &row.document))
            .collect();
        if managed_only {
            config::export_managed(&rows)
        } else {
            config::export(&snapshot.file.document, &rows)
        }
    }

    /// Takes over the resources of an export. Settings that stand there too are passed over: they are the file's.
    ///
    /// # Errors
    /// `invalid_config` for a text that is no TOML; `resource_exists` and `managed_by_config` where `adopt` does not say
    /// otherwise; `invalid_resource` naming every wrong field; `ledger_unavailable`.
    pub async fn import_config(
        &self,
        text: &str,
        adopt: bool,
        by: &Change,
        dry_run: bool,
    ) -> Result<ConfigImport, RequestError> {
        let document = Document::parse(text)
            .map_err(|error| RequestError::new(ErrorKind::InvalidConfig, error.to_string()))?;
        let _lane = self.changes.lock().await;
        let current = self.snapshot();
        let import = Import::judge(&current, &document, adopt, self.clock.unix_ms())?;
        let mut report = ConfigImport {
            revision: None,
            imported: import.imported,
            skipped: import.skipped,
            changes: revised(&current, &import.put, &[])
                .iter()
                .map(change_of)
                .collect(),
        };
        if import.put.is_empty() {
            return Ok(report);
        }
        let managed = current
            .managed
            .edited(&current.file, import.put.clone(), &[])
            .map_err(|unusable| invalid(&unusable.placed()))?;
        let file = Arc::clone(&current.file);
        let candidate = self.candidate(&current, Next { file, managed }).await?;
        if dry_run {
            return Ok(report);
        }
        let detail = json!({"imported": report.imported, "skipped": report.skipped});
        let edit = Edit {
            put: import.put,
            delete: Vec::new(),
            audit: self.audit(by, "config.import", "config".to_owned(), Some(detail)),
            source: Some(RevisionSource::Import),
            file_changes: None,
        };
        report.revision = Some(self.install(&current, candidate, edit).await?);
        Ok(report)
    }
}

struct Import {
    put: Vec<StoredResource>,
    imported: BTreeMap<String, u64>,
    skipped: BTreeMap<String, u64>,
}

impl Import {
    fn judge(
        current: &Snapshot,
        document: &Document,
        adopt: bool,
        now_unix_ms: i64,
    ) -> Result<Self, RequestError> {
        let mut import = Self {
            put: Vec::new(),
            imported: BTreeMap::new(),
            skipped: BTreeMap::new(),
        };
        for kind in ResourceKind::ALL {
            for entry in document.entries(kind.section()) {
                let id = name_of(kind, &entry)?;
                import.take(current, (kind, id), entry, (adopt, now_unix_ms))?;
            }
        }
        Ok(import)
    }

    /// Policies and routes come in the order in which they were made: one moment after the other.
    fn moment(&self, now_unix_ms: i64) -> i64 {
        now_unix_ms.saturating_add(i64::try_from(self.put.len()).unwrap_or_default())
    }

    fn take(
        &mut self,
        current: &Snapshot,
        (kind, id): (ResourceKind, String),
        document: Value,
        (adopt, now_unix_ms): (bool, i64),
    ) -> Result<(), RequestError> {
        let section = kind.section().to_owned();
        if is_declared(current, kind, &id) {
            if !adopt {
                return Err(RequestError::new(
                    ErrorKind::ManagedByConfig,
                    format!(
                        "The {} `{id}` is declared in the configuration file. With `adopt` it is passed over.",
                        noun(kind)
                    ),
                ));
            }
            *self.skipped.entry(section).or_default() += 1;
            return Ok(());
        }
        let before = current.managed.find(kind, &id);
        if before.is_some_and(|before| before.document == document) {
            *self.skipped.entry(section).or_default() += 1;
            return Ok(());
        }
        if before.is_some() && !adopt {
            return Err(RequestError::new(
                ErrorKind::ResourceExists,
                format!(
                    "There is a {} `{id}` already. With `adopt` it becomes what the export says.",
                    noun(kind)
                ),
            ));
        }
        let row = StoredResource {
            kind,
            id: id.clone(),
            revision: before.map_or(1, |before| before.revision + 1),
            document,
            created_at_unix_ms: before
                .map_or(self.moment(now_unix_ms), |before| before.created_at_unix_ms),
            updated_at_unix_ms: now_unix_ms,
        };
        self.put.push(row);
        *self.imported.entry(section).or_default() += 1;
        Ok(())
    }
}

/// What the entry of a list is called.
fn name_of(kind: ResourceKind, entry: &Value) -> Result<String, RequestError> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let name = match kind {
        ResourceKind::Tenant => match (text("kind"), text("id")) {
            (Some(kind), Some(id)) => Some(format!("{kind}:{id}")),
            _ => None,
        },
        ResourceKind::ApiKey | ResourceKind::GatewayConfig => text("id").map(ToOwned::to_owned),
        ResourceKind::Policy
        | ResourceKind::Provider
        | ResourceKind::Model
        | ResourceKind::Upstream
        | ResourceKind::Route
        | ResourceKind::McpServer
        | ResourceKind::Alert => text("name").map(ToOwned::to_owned),
    };
    name.ok_or_else(|| {
        RequestError::new(
            ErrorKind::InvalidConfig,
            format!("An entry of `{}` has no name.", kind.section()),
        )
    })
}
