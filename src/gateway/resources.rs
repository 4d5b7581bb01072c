//! Writes of single resources: made, replaced, merged, deleted, and keys with a new secret. All of them take the lane of
//! [`super::changes`].

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::changes::{Change, Edit, IfMatch, Next, etag, invalid, unfit};
use super::documents::{KEY_HASH, masked, merged, replaced, rotated};
use super::managed::{list, noun};
use super::snapshot::SnapshotError;
use super::{Gateway, Snapshot};
use crate::config::{ConfigIssue, Secret, TenantKind};
use crate::error::{ErrorKind, RequestError};
use crate::governance::{generate, hash};
use crate::store::{AuditEntry, ResourceKind, RevisionSource, StoredResource};

/// A resource to be written.
#[derive(Debug)]
pub struct PutResource {
    pub kind: ResourceKind,
    pub id: String,
    /// Exactly the keys of the TOML table.
    pub document: Value,
    pub mode: PutMode,
    pub by: Change,
}

/// What a write does to what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutMode {
    /// There must be nothing of this id.
    Create,
    /// It becomes what the document says. A key or provider keeps its secrets unless the document brings one.
    Replace,
    /// Each member of the document replaces one of the same name; `null` removes it (RFC 7396, one level deep).
    Merge,
}

impl Gateway {
    /// Writes one resource.
    ///
    /// # Errors
    /// `managed_by_config`, `resource_exists`, `resource_not_found`, `precondition_failed`, `invalid_resource` naming
    /// every wrong field, `revision_conflict` where nodes share their resources in a file, `ledger_unavailable`.
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
    /// `managed_by_config`, `resource_not_found`, `precondition_failed`, `resource_in_use` naming who refers to it,
    /// `ledger_unavailable`.
    pub async fn delete_resource(
        &self,
        kind: ResourceKind,
        id: &str,
        by: &Change,
    ) -> Result<(), RequestError> {
        let _lane = self.changes.lock().await;
        let current = self.snapshot();
        refuse_declared(&current, kind, id)?;
        let before = existing(&current, kind, id)?;
        require_match(by, &before)?;
        let next = Next {
            file: Arc::clone(&current.file),
            managed: current.managed.without(kind, id),
        };
        let built = self.build_candidate(&current, next).await;
        let candidate = built.map_err(|error| match error {
            SnapshotError::Conflicts(issues) => in_use(kind, id, &issues),
            other => unfit(&other),
        })?;
        let edit = Edit {
            put: Vec::new(),
            delete: vec![(kind, id.to_owned())],
            audit: self.audit_of(by, (kind, id), (Some(&before), None)),
            source: Some(RevisionSource::Api),
            file_changes: None,
        };
        self.install(&current, candidate, edit).await?;
        Ok(())
    }

    /// Gives a key a new secret. The old one opens it for another `overlap`.
    ///
    /// # Errors
    /// As [`Gateway::put_resource`].
    pub async fn rotate_key(
        &self,
        id: &str,
        overlap: Duration,
        by: Change,
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
            by,
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
        let managed = current
            .managed
            .edited(&current.file, rows.clone(), &[])
            .map_err(|unusable| invalid(&unusable.issues))?;
        let edit = Edit {
            put: rows,
            delete: Vec::new(),
            audit: self.audit_of(&put.by, (kind, &id), (before.as_deref(), Some(&resource))),
            source: Some(RevisionSource::Api),
            file_changes: None,
        };
        let file = Arc::clone(&current.file);
        let candidate = self.candidate(current, Next { file, managed }).await?;
        self.install(current, candidate, edit).await?;
        Ok(Arc::new(resource))
    }

    /// The row that a write would leave, judged by its id, mode and condition alone.
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
        require_match(&put.by, &before)?;
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

    fn audit_of(
        &self,
        by: &Change,
        (kind, id): (ResourceKind, &str),
        (before, after): (Option<&StoredResource>, Option<&StoredResource>),
    ) -> AuditEntry {
        let what = match (before, after) {
            (None, _) => "create",
            (Some(before), Some(after)) => what_changed(&before.document, &after.document),
            (Some(_), None) => "delete",
        };
        let target = format!("{}:{id}", kind.as_str());
        let detail = json!({
            "before": before.map(|row| masked(&row.document)),
            "after": after.map(|row| masked(&row.document)),
        });
        self.audit(
            by,
            &format!("{}.{what}", kind.as_str()),
            target,
            Some(detail),
        )
    }
}

/// What the audit log calls a change: a switch and a new secret by their own names.
fn what_changed(before: &Value, after: &Value) -> &'static str {
    let names = [before, after].map(|document| document.as_object().into_iter().flatten());
    let [of_before, of_after] = names;
    let changed: BTreeSet<&str> = of_before
        .chain(of_after)
        .map(|(name, _)| name.as_str())
        .filter(|name| before.get(name) != after.get(name))
        .collect();
    if changed.contains(KEY_HASH) {
        return "rotate";
    }
    match (changed.iter().eq(["enabled"].iter()), after.get("enabled")) {
        (true, Some(Value::Bool(false))) => "disable",
        (true, _) => "enable",
        (false, _) => "update",
    }
}

/// Whether the configuration file declares something of this name.
pub(super) fn is_declared(current: &Snapshot, kind: ResourceKind, id: &str) -> bool {
    let file = &current.file;
    match kind {
        ResourceKind::Tenant => {
            let mut tenants = file.tenants.iter();
            tenants.any(|tenant| tenant.reference().to_string() == id)
        }
        ResourceKind::ApiKey => file.api_keys.iter().any(|key| *key.id == *id),
        ResourceKind::Policy => file.policies.iter().any(|policy| *policy.name == *id),
        ResourceKind::GatewayConfig => file.gateway_configs.iter().any(|one| *one.id == *id),
        ResourceKind::Provider => file.providers.iter().any(|one| *one.name == *id),
        ResourceKind::Model => file.models.iter().any(|one| *one.name == *id),
        ResourceKind::Upstream => file.upstreams.iter().any(|one| *one.name == *id),
        ResourceKind::Route => file.routes.iter().any(|one| *one.name == *id),
        ResourceKind::McpServer => file.mcp_servers.iter().any(|one| *one.name == *id),
        ResourceKind::Alert => file.alerts.iter().any(|one| *one.name == *id),
    }
}

fn refuse_declared(current: &Snapshot, kind: ResourceKind, id: &str) -> Result<(), RequestError> {
    if is_declared(current, kind, id) {
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

fn require_match(by: &Change, before: &StoredResource) -> Result<(), RequestError> {
    let Some(IfMatch::Tags(tags)) = &by.if_match else {
        return Ok(());
    };
    let is = etag(before);
    if tags.contains(&is) {
        return Ok(());
    }
    Err(RequestError::new(
        ErrorKind::PreconditionFailed,
        format!(
            "The {} `{}` is {is} by now: somebody changed it. Read it again and decide anew.",
            noun(before.kind),
            before.id
        ),
    ))
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
