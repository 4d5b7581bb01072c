//! What a start leaves in the history: the file it was made with, where that is another one than before.

use std::sync::atomic::Ordering;

use ferrogate_api::ConfigChange;
use serde_json::json;

use super::Gateway;
use super::changes::{Actor, Change};
use crate::config::{self, Document};
use crate::store::{NewRevision, ResourceChange, Revision, RevisionSource, StoreError};

impl Gateway {
    /// Reads where the history stands, and adds an entry when the file is not the one of its newest.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn note_start(&self) -> Result<(), StoreError> {
        let newest = self.store.revisions(None, 1).await?.pop();
        let number = newest.as_ref().map_or(0, |newest| newest.number);
        self.revision.store(number, Ordering::Release);
        let snapshot = self.snapshot();
        let document = &snapshot.file.document;
        let sha256 = document.sha256_hex();
        let before = newest.and_then(|newest| newest.file_sha256);
        if before.as_deref() == Some(sha256) {
            return Ok(());
        }
        let changes = match before {
            Some(before) => self.changes_since(&before, document).await?,
            None => Vec::new(),
        };
        let by = Change::by(Actor::gateway());
        let target = format!("config:{}", super::reload::short(sha256));
        let audit = self.audit(
            &by,
            "config.start",
            target,
            Some(json!({"changes": changes})),
        );
        let revision = NewRevision {
            revision: Revision {
                number: number + 1,
                occurred_at_unix_ms: audit.occurred_at_unix_ms,
                actor: audit.actor.clone(),
                source: RevisionSource::Start,
                reason: String::new(),
                resources: Vec::new(),
                file_changes: json!(changes),
                file_sha256: Some(sha256.to_owned()),
            },
            file_text: Some(document.masked_text()),
        };
        let change = ResourceChange {
            put: Vec::new(),
            delete: Vec::new(),
            audit,
            revision: Some(revision),
        };
        self.store.change(change).await?;
        self.revision.store(number + 1, Ordering::Release);
        Ok(())
    }

    /// Of the earlier file only the masked text is known; a secret that changed alone does not show.
    async fn changes_since(
        &self,
        sha256: &str,
        now: &Document,
    ) -> Result<Vec<ConfigChange>, StoreError> {
        let text = self.store.config_file(sha256.to_owned()).await?;
        let before = text.and_then(|text| Document::parse(&text).ok());
        let now = Document::parse(&now.masked_text()).ok();
        Ok(match (before, now) {
            (Some(before), Some(now)) => config::diff(&before, &now),
            _ => Vec::new(),
        })
    }
}
