//! The one lane in which a running gateway changes: build what would be, commit it, then swap, which cannot fail.
//!
//! 1. Changes wait for each other; each is judged against what the one before left.
//! 2. A candidate snapshot is built from the configuration file and all resources. What stands against it is the
//!    caller's error, and nothing has changed.
//! 3. The balances of budgets that are new are asked of the ledger, so that a budget declared in the middle of its
//!    period knows what was spent in it.
//! 4. Where nodes share their resources in a file, the file is written, if nobody else has changed it meanwhile.
//! 5. Row and audit entry are committed in one transaction.
//! 6. The snapshot is swapped. Requests in flight keep the one they began with; windows, balances, breakers and the
//!    cache are not in it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::documents::{KEY_HASH, masked, merged, replaced, rotated};
use super::managed::{ManagedSet, list, noun};
use super::snapshot::{Fixed, SnapshotError};
use super::{Gateway, Snapshot};
use crate::config::{ConfigIssue, Secret, TenantKind};
use crate::error::{ErrorKind, RequestError};
use crate::governance::{generate, hash};
use crate::store::{AuditEntry, ResourceChange, ResourceKind, StoreError, StoredResource};

/// Who asks for a change: the id of a key, or `unix:uid=…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    pub name: String,
}

/// A resource to be written.
#[derive(Debug)]
pub struct PutResource {
    pub kind: ResourceKind,
    pub id: String,
    /// Exactly the keys of the TOML table.
    pub document: Value,
    pub mode: PutMode,
    pub actor: Actor,
}

/// What a write does to what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutMode {
    /// There must be nothing of this id.
    Create,
    /// It becomes what the document says. A key keeps its secrets unless the document brings one.
    Replace,
    /// Each member of the document replaces one of the same name; `null` removes it (RFC 7396, one level deep).
    Merge,
}

impl Gateway {
    /// Writes one resource.
    ///
    /// # Errors
    /// `managed_by_config`, `resource_exists`, `resource_not_found`, `invalid_resource` naming every wrong field,
    /// `revision_conflict` where nodes share their resources in a file, `ledger_unavailable`.
    pub async fn put_resource(
        &self,
        put: PutResource,
    ) -> Result<Arc<StoredResource>, RequestError> {
        let _lane = self.changes.lock().await;
        self.put(&self.snapshot(), put).await
    }

    /// Removes one resource.
    ///
    /// # Errors
    /// `managed_by_config`, `resource_not_found`, `resource_in_use` naming who refers to it, `ledger_unavailable`.
    pub async fn delete_resource(
        &self,
        kind: ResourceKind,
        id: &str,
        actor: &Actor,
    ) -> Result<(), RequestError> {
        let _lane = self.changes.lock().await;
        let current = self.snapshot();
        refuse_declared(&current, kind, id)?;
        let before = existing(&current, kind, id)?;
        let managed = current.managed.without(kind, id);
        let issues = managed.conflicts(&current.config);
        if !issues.is_empty() {
            return Err(in_use(kind, id, &issues));
        }
        let change = ResourceChange {
            put: Vec::new(),
            delete: vec![(kind, id.to_owned())],
            audit: self.audit_of(actor, (kind, id), (Some(&before), None)),
        };
        self.install(&current, managed, change).await
    }

    /// Gives a key a new secret. The old one opens it for another `overlap`.
    ///
    /// # Errors
    /// As [`Gateway::put_resource`].
    pub async fn rotate_key(
        &self,
        id: &str,
        overlap: Duration,
        actor: Actor,
    ) -> Result<(Arc<StoredResource>, Secret), RequestError> {
        let _lane = self.changes.lock().await;
        let current = self.snapshot();
        refuse_declared(&current, ResourceKind::ApiKey, id)?;
        let before = existing(&current, ResourceKind::ApiKey, id)?;
        let secret = generate();
        let now_secs = self.clock.unix_ms().div_euclid(1000);
        let put = PutResource {
            kind: ResourceKind::ApiKey,
            id: id.to_owned(),
            document: rotated(&before.document, &hash(secret.expose()), now_secs, overlap),
            mode: PutMode::Merge,
            actor,
        };
        Ok((self.put(&current, put).await?, secret))
    }

    async fn put(
        &self,
        current: &Arc<Snapshot>,
        put: PutResource,
    ) -> Result<Arc<StoredResource>, RequestError> {
        let resource = self.resource_after(current, &put)?;
        let (kind, id) = (resource.kind, resource.id.clone());
        let before = current.managed.find(kind, &id).cloned();
        let mut rows = vec![resource.clone()];
        rows.extend(implicit_beside(current, &resource));
        let mut managed = current.managed.clone();
        for row in &rows {
            managed = managed
                .with(&current.config, row.clone())
                .map_err(|issues| invalid(&issues))?;
        }
        let audit = self.audit_of(
            &put.actor,
            (kind, &id),
            (before.as_deref(), Some(&resource)),
        );
        let change = ResourceChange {
            put: rows,
            delete: Vec::new(),
            audit,
        };
        self.install(current, managed, change).await?;
        Ok(Arc::new(resource))
    }

    /// The row that a write would leave, judged by its id and mode alone.
    fn resource_after(
        &self,
        current: &Snapshot,
        put: &PutResource,
    ) -> Result<StoredResource, RequestError> {
        let (kind, id) = (put.kind, put.id.as_str());
        refuse_declared(current, kind, id)?;
        let now = self.clock.unix_ms();
        if put.mode == PutMode::Create {
            if current.managed.find(kind, id).is_some() {
                return Err(exists(kind, id));
            }
            return Ok(StoredResource {
                kind,
                id: id.to_owned(),
                revision: 1,
                document: put.document.clone(),
                created_at_unix_ms: now,
                updated_at_unix_ms: now,
            });
        }
        let before = existing(current, kind, id)?;
        let document = match put.mode {
            PutMode::Merge => merged(&before.document, &put.document),
            PutMode::Create | PutMode::Replace => replaced(&before.document, &put.document),
        };
        Ok(StoredResource {
            document,
            revision: before.revision + 1,
            updated_at_unix_ms: now,
            ..(*before).clone()
        })
    }

    /// Steps 2 to 6 of the lane.
    pub(super) async fn install(
        &self,
        current: &Arc<Snapshot>,
        managed: ManagedSet,
        change: ResourceChange,
    ) -> Result<(), RequestError> {
        let candidate = self.candidate(current, managed).await?;
        self.open_balances(&candidate.tree).await?;
        let shared = self.share(&candidate).await?;
        self.store
            .change(change)
            .await
            .map_err(|error| not_changed(&error))?;
        self.swap(candidate);
        if let (Some(sync), Some(state)) = (&self.state_sync, shared) {
            sync.applied(state.revision);
        }
        Ok(())
    }

    /// Builds a snapshot away from the threads that answer requests: with thousands of keys it takes milliseconds.
    pub(super) async fn candidate(
        &self,
        current: &Arc<Snapshot>,
        managed: ManagedSet,
    ) -> Result<Snapshot, RequestError> {
        let (accounts, current) = (self.ai.accounts.clone(), Arc::clone(current));
        let built = tokio::task::spawn_blocking(move || {
            Snapshot::build(Fixed::of(&current), managed, (&accounts, &current.tree))
        })
        .await;
        match built {
            Ok(built) => built.map_err(|error| unfit(&error)),
            Err(error) => {
                tracing::error!(%error, "a configuration could not be built");
                Err(RequestError::new(
                    ErrorKind::InternalError,
                    "The change could not be applied; the gateway's log says why.",
                ))
            }
        }
    }

    fn audit_of(
        &self,
        actor: &Actor,
        (kind, id): (ResourceKind, &str),
        (before, after): (Option<&StoredResource>, Option<&StoredResource>),
    ) -> AuditEntry {
        let what = match (before, after) {
            (None, _) => "create",
            (Some(_), Some(_)) => "update",
            (Some(_), None) => "delete",
        };
        let target = format!("{}:{id}", kind.as_str());
        let detail = json!({
            "before": before.map(|row| masked(&row.document)),
            "after": after.map(|row| masked(&row.document)),
        });
        self.audit(
            actor,
            &format!("{}.{what}", kind.as_str()),
            target,
            Some(detail),
        )
    }

    /// A row of the audit log about something that went well.
    pub(super) fn audit(
        &self,
        actor: &Actor,
        action: &str,
        target: String,
        detail: Option<Value>,
    ) -> AuditEntry {
        AuditEntry {
            occurred_at_unix_ms: self.clock.unix_ms(),
            actor: actor.name.as_str().into(),
            action: action.into(),
            target,
            outcome: "ok".into(),
            message: String::new(),
            detail,
        }
    }
}

fn refuse_declared(current: &Snapshot, kind: ResourceKind, id: &str) -> Result<(), RequestError> {
    let config = &current.config;
    let declared = match kind {
        ResourceKind::Tenant => config
            .tenants
            .iter()
            .any(|tenant| tenant.reference().to_string() == id),
        ResourceKind::ApiKey => config.api_keys.iter().any(|key| *key.id == *id),
        ResourceKind::Policy => config.policies.iter().any(|policy| *policy.name == *id),
        ResourceKind::GatewayConfig => config
            .gateway_configs
            .iter()
            .any(|profile| *profile.id == *id),
    };
    if declared {
        return Err(RequestError::new(
            ErrorKind::ManagedByConfig,
            format!(
                "The {} `{id}` is declared in the configuration file. Change it there.",
                noun(kind)
            ),
        ));
    }
    Ok(())
}

fn existing(
    current: &Snapshot,
    kind: ResourceKind,
    id: &str,
) -> Result<Arc<StoredResource>, RequestError> {
    current.managed.find(kind, id).cloned().ok_or_else(|| {
        RequestError::new(
            ErrorKind::ResourceNotFound,
            format!("There is no {} `{id}`.", noun(kind)),
        )
    })
}

fn exists(kind: ResourceKind, id: &str) -> RequestError {
    RequestError::new(
        ErrorKind::ResourceExists,
        format!(
            "There is a {} `{id}` already. Change it with PUT or PATCH.",
            noun(kind)
        ),
    )
}

/// The first wrong field is the `param`; the message names them all.
fn invalid(issues: &[ConfigIssue]) -> RequestError {
    let error = RequestError::new(ErrorKind::InvalidResource, list(issues));
    match issues.first() {
        Some(first) if !first.key.is_empty() => error.with_param(first.key.clone()),
        _ => error,
    }
}

fn in_use(kind: ResourceKind, id: &str, issues: &[ConfigIssue]) -> RequestError {
    RequestError::new(
        ErrorKind::ResourceInUse,
        format!(
            "The {} `{id}` cannot go: {}.",
            noun(kind),
            list(issues).trim_end_matches('.')
        ),
    )
}

fn unfit(error: &SnapshotError) -> RequestError {
    match error {
        SnapshotError::Conflicts(issues) => invalid(issues),
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
        .with_param(KEY_HASH),
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

/// With the first tenant of its kind those become rows that keys and policies name already: they go on as they were,
/// without limits, and from now on a name that nobody declared is a mistake.
fn implicit_beside(current: &Snapshot, resource: &StoredResource) -> Vec<StoredResource> {
    let declared = current.tenants();
    let reference = resource.id.split_once(':');
    let kind = reference.and_then(|(kind, _)| TenantKind::parse(kind));
    let Some(kind) =
        kind.filter(|kind| resource.kind == ResourceKind::Tenant && !declared.declares(*kind))
    else {
        return Vec::new();
    };
    let (config, managed) = (&current.config, &current.managed);
    let keys = config.api_keys.iter();
    let keys = keys.chain(managed.api_keys.iter().map(|key| &key.value));
    let policies = config.policies.iter();
    let policies = policies.chain(managed.policies.iter().map(|policy| &policy.value));
    let named: BTreeSet<&Arc<str>> = keys
        .filter_map(|key| key.tenant(kind))
        .chain(policies.flat_map(|policy| policy.tenants(kind)))
        .collect();
    let row = |id: &Arc<str>| StoredResource {
        id: format!("{}:{id}", kind.as_str()),
        document: json!({"kind": kind.as_str(), "id": id}),
        ..resource.clone()
    };
    named
        .into_iter()
        .map(row)
        .filter(|row| row.id != resource.id)
        .collect()
}
