//! The one lane in which a running gateway changes: build what would be, commit it, then swap, which cannot fail.
//!
//! 1. Changes wait for each other; each is judged against what the one before left.
//! 2. A candidate snapshot is built from the configuration file and all resources. What stands against it is the
//!    caller's error, and nothing has changed.
//! 3. The balances of budgets that are new are asked of the ledger, so that a budget declared in the middle of its
//!    period knows what was spent in it.
//! 4. Where nodes share their resources in a file, the file is written, if nobody else has changed it meanwhile.
//! 5. Rows, audit entry and the entry of the history are committed in one transaction.
//! 6. The snapshot is swapped. Requests in flight keep the one they began with; windows, balances, breakers and the
//!    cache are not in it.
//!
//! Who comes through it: writes of resources ([`super::resources`]), a reload ([`super::reload`]), a return to an earlier
//! state ([`super::revisions`]), an import ([`super::transfer`]), and what other nodes wrote ([`super::cluster`]).

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering},
};

use ferrogate_api::ConfigChange;
use serde_json::{Value, json};

use super::managed::{ManagedSet, list};
use super::revisions::view;
use super::snapshot::{Fixed, SnapshotError};
use super::{Gateway, Snapshot};
use crate::config::{Config, ConfigIssue};
use crate::error::{ErrorKind, RequestError};
use crate::store::{
    AuditEntry, NewRevision, ResourceChange, ResourceKind, RevisedResource, Revision,
    RevisionSource, StoreError, StoredResource,
};

/// Who asks for a change: the id of a key, or `unix:uid=…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub name: String,
}

impl Actor {
    /// The gateway itself.
    pub fn gateway() -> Self {
        Self {
            name: "gateway".to_owned(),
        }
    }
}

/// By whom, why, and on what condition something is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub actor: Actor,
    /// For the audit log and the history.
    pub reason: Option<String>,
    /// What it may replace; `None`: whatever is there.
    pub if_match: Option<IfMatch>,
}

impl Change {
    /// Without a reason and a condition.
    pub fn by(actor: Actor) -> Self {
        Self {
            actor,
            reason: None,
            if_match: None,
        }
    }

    pub(super) fn reason(&self) -> String {
        self.reason.clone().unwrap_or_default()
    }
}

/// `If-Match` (RFC 9110 section 13.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// `*`: there is something.
    Any,
    /// It is one of these, with their quotes.
    Tags(Vec<String>),
}

/// The entity tag of a resource of the database. A resource that was deleted and made again has another one.
pub fn etag(row: &StoredResource) -> String {
    format!("\"{}-{:x}\"", row.revision, row.created_at_unix_ms)
}

/// What would be in force.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) file: Arc<Config>,
    pub(super) managed: ManagedSet,
}

/// What a change leaves in the database.
#[derive(Debug)]
pub(super) struct Edit {
    pub(super) put: Vec<StoredResource>,
    pub(super) delete: Vec<(ResourceKind, String)>,
    pub(super) audit: AuditEntry,
    /// `None`: it is no part of the history.
    pub(super) source: Option<RevisionSource>,
    /// What changed in the file, where it was another one.
    pub(super) file_changes: Option<Vec<ConfigChange>>,
}

impl Gateway {
    /// Steps 3 to 6 of the lane; the number of the newest entry of the history after it.
    pub(super) async fn install(
        &self,
        current: &Snapshot,
        candidate: Snapshot,
        edit: Edit,
    ) -> Result<u64, RequestError> {
        self.open_balances(&candidate.tree).await?;
        let shared = self.share(&candidate).await?;
        let number = self.put_in_force(current, candidate, edit).await?;
        if let (Some(sync), Some(state)) = (&self.state_sync, shared) {
            sync.applied(state.revision);
        }
        Ok(number)
    }

    /// The same for what other nodes have shared already.
    pub(super) async fn install_shared(
        &self,
        current: &Snapshot,
        candidate: Snapshot,
        edit: Edit,
    ) -> Result<u64, RequestError> {
        self.open_balances(&candidate.tree).await?;
        self.put_in_force(current, candidate, edit).await
    }

    /// Steps 5 and 6.
    async fn put_in_force(
        &self,
        current: &Snapshot,
        candidate: Snapshot,
        edit: Edit,
    ) -> Result<u64, RequestError> {
        let revision = edit
            .source
            .map(|source| self.revision_of(current, &candidate, (&edit, source)));
        let number = match &revision {
            Some(new) => new.revision.number,
            None => self.revision(),
        };
        let told = revision.as_ref().map(|new| view(&new.revision));
        let change = ResourceChange {
            put: edit.put,
            delete: edit.delete,
            audit: edit.audit,
            revision,
        };
        self.store
            .change(change)
            .await
            .map_err(|error| not_changed(&error))?;
        self.swap(candidate);
        self.revision.store(number, Ordering::Release);
        if let Some(told) = &told {
            self.live.config_revision(told);
        }
        Ok(number)
    }

    /// Step 2 of the lane.
    pub(super) async fn candidate(
        &self,
        current: &Arc<Snapshot>,
        next: Next,
    ) -> Result<Snapshot, RequestError> {
        let built = self.build_candidate(current, next).await;
        built.map_err(|error| unfit(&error))
    }

    /// Builds a snapshot away from the threads that answer requests: with thousands of keys it takes milliseconds.
    pub(super) async fn build_candidate(
        &self,
        current: &Arc<Snapshot>,
        Next { file, managed }: Next,
    ) -> Result<Snapshot, SnapshotError> {
        let (accounts, current) = (self.ai.accounts.clone(), Arc::clone(current));
        let (secrets, dns) = (self.secrets.clone(), self.dns.clone());
        let built = tokio::task::spawn_blocking(move || {
            let fixed = Fixed::of(Some(&current), file, &managed, &secrets, dns)?;
            Snapshot::build(fixed, managed, (&accounts, &current.tree))
        })
        .await;
        built.unwrap_or_else(|error| {
            tracing::error!(%error, "a configuration could not be built");
            Err(SnapshotError::Aborted)
        })
    }

    fn revision_of(
        &self,
        current: &Snapshot,
        candidate: &Snapshot,
        (edit, source): (&Edit, RevisionSource),
    ) -> NewRevision {
        let document = &candidate.file.document;
        NewRevision {
            revision: Revision {
                number: self.revision() + 1,
                occurred_at_unix_ms: edit.audit.occurred_at_unix_ms,
                actor: Arc::clone(&edit.audit.actor),
                source,
                reason: edit.audit.message.clone(),
                resources: revised(current, &edit.put, &edit.delete),
                file_changes: json!(edit.file_changes.as_deref().unwrap_or_default()),
                file_sha256: Some(document.sha256_hex().to_owned()),
            },
            file_text: edit.file_changes.is_some().then(|| document.masked_text()),
        }
    }

    /// Notes in the audit log what was done beside the lane: a drain, a backup, a request that was ended.
    ///
    /// # Errors
    /// `ledger_unavailable`: it is not noted.
    pub async fn audit_event(
        &self,
        change: &Change,
        action: &str,
        target: String,
        detail: Option<Value>,
    ) -> Result<(), RequestError> {
        self.note(self.audit(change, action, target, detail)).await
    }

    /// # Errors
    /// `ledger_unavailable`: it is not noted.
    pub async fn note(&self, entry: AuditEntry) -> Result<(), RequestError> {
        self.store
            .audit(entry)
            .await
            .map_err(|error| not_changed(&error))
    }

    /// A row of the audit log about something that went well.
    pub(super) fn audit(
        &self,
        change: &Change,
        action: &str,
        target: String,
        detail: Option<Value>,
    ) -> AuditEntry {
        AuditEntry {
            occurred_at_unix_ms: self.clock.unix_ms(),
            actor: change.actor.name.as_str().into(),
            action: action.into(),
            target,
            outcome: "ok".into(),
            message: change.reason(),
            detail,
        }
    }
}

/// The first wrong field is the `param`; the message names them all.
pub(super) fn invalid(issues: &[ConfigIssue]) -> RequestError {
    let error = RequestError::new(ErrorKind::InvalidResource, list(issues));
    match issues.first() {
        Some(first) if !first.key.is_empty() => error.with_param(first.key.clone()),
        _ => error,
    }
}

/// What rows that are written and deleted change. One that is deleted and written again is replaced.
pub(super) fn revised(
    current: &Snapshot,
    put: &[StoredResource],
    delete: &[(ResourceKind, String)],
) -> Vec<RevisedResource> {
    let change = |kind, id: &str, after: Option<&StoredResource>| RevisedResource {
        kind,
        id: id.to_owned(),
        before: current.managed.find(kind, id).map(|row| (**row).clone()),
        after: after.cloned(),
    };
    let written: HashSet<_> = put.iter().map(|row| (row.kind, &*row.id)).collect();
    let deleted = delete
        .iter()
        .filter(|(kind, id)| !written.contains(&(*kind, &**id)));
    put.iter()
        .map(|row| change(row.kind, &row.id, Some(row)))
        .chain(deleted.map(|(kind, id)| change(*kind, id, None)))
        .collect()
}

pub(super) fn unfit(error: &SnapshotError) -> RequestError {
    match error {
        SnapshotError::Conflicts(issues) => invalid(issues),
        SnapshotError::Aborted => RequestError::new(
            ErrorKind::InternalError,
            "The change could not be applied; the gateway's log says why.",
        ),
        other => RequestError::new(ErrorKind::InvalidResource, format!("{other}.")),
    }
}

pub(super) fn not_changed(error: &StoreError) -> RequestError {
    match error {
        StoreError::ResourceExists { kind, id } => RequestError::new(
            ErrorKind::ResourceExists,
            format!("There is a {kind} `{id}` already."),
        ),
        StoreError::SecretInUse { id } => RequestError::new(
            ErrorKind::InvalidResource,
            format!("The secret of the key `{id}` is another key's already."),
        )
        .with_param(super::documents::KEY_HASH),
        StoreError::RevisionConflict { kind, id } => RequestError::new(
            ErrorKind::RevisionConflict,
            format!("Somebody else changed the {kind} `{id}` meanwhile."),
        ),
        other => {
            let error: &dyn std::error::Error = other;
            tracing::error!(error, "a change could not be committed");
            RequestError::new(
                ErrorKind::LedgerUnavailable,
                "The change could not be committed, and nothing was changed; the gateway's log says why.",
            )
        }
    }
}
