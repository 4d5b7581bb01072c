//! The history of what the gateway goes by, and the way back.
//!
//! Going back to a revision makes the resources of the database what they were right after it. Secrets stay those of
//! today where there are any: a key that was rotated must not open again. The gateway never writes its file; what that
//! would need is told as a diff.

use std::{collections::HashMap, sync::Arc};

use ferrogate_api::{ConfigAction, ConfigChange, ConfigRevision, ConfigRollback, Page};
use serde_json::json;

use super::changes::{Change, Edit, Next, invalid, revised};
use super::documents::{masked, restored};
use super::{Gateway, Snapshot};
use crate::config;
use crate::error::{ErrorKind, RequestError};
use crate::store::{
    ResourceKind, RevisedResource, Revision, RevisionSource, StoreError, StoredResource,
};

impl Gateway {
    /// The history, newest first, from below `before` on.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn revisions(
        &self,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Page<ConfigRevision>, StoreError> {
        let more = limit.saturating_add(1);
        let mut found = self.store.revisions(before, more).await?;
        let page = usize::try_from(limit).unwrap_or(usize::MAX);
        let is_last = found.len() <= page;
        found.truncate(page);
        let last = found.last().map(|revision| revision.number.to_string());
        let cursor = last.filter(|_| !is_last);
        Ok(Page::new(found.iter().map(view).collect(), cursor))
    }

    /// One entry of the history.
    ///
    /// # Errors
    /// `resource_not_found`; `internal_error`.
    pub async fn revision_of_number(&self, number: u64) -> Result<ConfigRevision, RequestError> {
        let found = self.stored_revision(number).await?;
        Ok(view(&found))
    }

    /// Makes the resources of the database what they were right after revision `number`.
    ///
    /// # Errors
    /// `resource_not_found` for a revision that there is not, or that is past its retention; `invalid_resource` where
    /// what was does not go together with the file of today; `ledger_unavailable`.
    pub async fn rollback(
        &self,
        number: u64,
        by: &Change,
        dry_run: bool,
    ) -> Result<ConfigRollback, RequestError> {
        let _lane = self.changes.lock().await;
        let current = self.snapshot();
        let target = self.stored_revision(number).await?;
        let since = self
            .store
            .revisions_since(number)
            .await
            .map_err(unreadable)?;
        let way_back = WayBack::to(&current, since, self.clock.unix_ms());
        let file_diff = self.file_diff(&current, &target).await?;
        let changes: Vec<_> = revised(&current, &way_back.put, &way_back.delete)
            .iter()
            .map(change_of)
            .collect();
        let mut rollback = ConfigRollback {
            revision: None,
            restored: changes,
            file_diff,
        };
        if dry_run || rollback.restored.is_empty() {
            return Ok(rollback);
        }
        let managed = current
            .managed
            .edited(&current.file, way_back.put.clone(), &way_back.delete)
            .map_err(|unusable| invalid(&unusable.issues))?;
        let detail = json!({"changes": rollback.restored});
        let target = format!("config_revision:{number}");
        let edit = Edit {
            put: way_back.put,
            delete: way_back.delete,
            audit: self.audit(by, "config.rollback", target, Some(detail)),
            source: Some(RevisionSource::Rollback),
            file_changes: None,
        };
        let file = Arc::clone(&current.file);
        let candidate = self.candidate(&current, Next { file, managed }).await?;
        let made = self.install(&current, candidate, edit).await?;
        rollback.revision = Some(made);
        Ok(rollback)
    }

    async fn stored_revision(&self, number: u64) -> Result<Revision, RequestError> {
        let found = self.store.revision(number).await.map_err(unreadable)?;
        found.ok_or_else(|| {
            RequestError::new(
                ErrorKind::ResourceNotFound,
                format!("There is no revision `{number}`, or it is past its retention."),
            )
        })
    }

    async fn file_diff(
        &self,
        current: &Snapshot,
        target: &Revision,
    ) -> Result<String, RequestError> {
        let Some(sha256) = &target.file_sha256 else {
            return Ok(String::new());
        };
        if *sha256 == current.file.document.sha256_hex() {
            return Ok(String::new());
        }
        let text = self.store.config_file(sha256.clone()).await;
        let text = text.map_err(unreadable)?.unwrap_or_default();
        Ok(config::unified_diff(
            &current.file.document.masked_text(),
            &text,
        ))
    }
}

/// What makes the resources of today those of an earlier day.
struct WayBack {
    put: Vec<StoredResource>,
    delete: Vec<(ResourceKind, String)>,
}

impl WayBack {
    /// `since`: what happened after that day, oldest first.
    fn to(current: &Snapshot, since: Vec<Revision>, now_unix_ms: i64) -> Self {
        let mut then: HashMap<(ResourceKind, String), Option<StoredResource>> = HashMap::new();
        for changed in since.into_iter().flat_map(|revision| revision.resources) {
            let RevisedResource {
                kind, id, before, ..
            } = changed;
            then.entry((kind, id)).or_insert(before);
        }
        let mut way_back = Self {
            put: Vec::new(),
            delete: Vec::new(),
        };
        let mut names: Vec<_> = then.into_iter().collect();
        names.sort_by(|(one, _), (other, _)| one.cmp(other));
        for ((kind, id), then) in names {
            match (current.managed.find(kind, &id), then) {
                (Some(now), Some(then)) => {
                    let document = restored(&now.document, &then.document);
                    if document != now.document {
                        way_back.put.push(StoredResource {
                            document,
                            revision: now.revision + 1,
                            updated_at_unix_ms: now_unix_ms,
                            ..(**now).clone()
                        });
                    }
                }
                (Some(_), None) => way_back.delete.push((kind, id)),
                (None, Some(then)) => way_back.put.push(StoredResource {
                    revision: 1,
                    created_at_unix_ms: now_unix_ms,
                    updated_at_unix_ms: now_unix_ms,
                    ..then
                }),
                (None, None) => {}
            }
        }
        way_back
    }
}

pub(super) fn view(revision: &Revision) -> ConfigRevision {
    // It was written as such a list; what is not shows as nothing.
    let of_file: Vec<ConfigChange> =
        serde_json::from_value(revision.file_changes.clone()).unwrap_or_default();
    let of_resources = revision.resources.iter().map(change_of);
    ConfigRevision {
        revision: revision.number,
        occurred_at_unix_ms: revision.occurred_at_unix_ms,
        actor: Arc::clone(&revision.actor),
        source: revision.source.as_str().to_owned(),
        reason: revision.reason.clone(),
        changes: of_file.into_iter().chain(of_resources).collect(),
        file_sha256: revision.file_sha256.clone(),
    }
}

/// What became of a resource, as people may see it.
pub(super) fn change_of(changed: &RevisedResource) -> ConfigChange {
    let document = |row: &StoredResource| masked(&row.document);
    ConfigChange {
        section: changed.kind.section().to_owned(),
        name: Some(changed.id.clone()),
        action: match (&changed.before, &changed.after) {
            (None, _) => ConfigAction::Create,
            (Some(_), Some(_)) => ConfigAction::Update,
            (Some(_), None) => ConfigAction::Delete,
        },
        before: changed.before.as_ref().map(document),
        after: changed.after.as_ref().map(document),
    }
}

fn unreadable(error: StoreError) -> RequestError {
    let error: &dyn std::error::Error = &error;
    tracing::error!(error, "the history of the configuration cannot be read");
    RequestError::new(
        ErrorKind::InternalError,
        "The history could not be read; the gateway's log says why.",
    )
}
