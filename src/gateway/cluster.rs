//! This node among others: its place in the shared counters, and the file in which nodes share their resources.
//!
//! With `state_backend = "file"` the file is the truth and the database its cache. A change is written to the file
//! first, if it is still the revision that this node goes by; what other nodes write is followed as it is seen.

use std::{collections::HashMap, sync::Arc};

use ferrogate_api::{ClusterStatus, CountersStatus};

use super::changes::{Edit, Next};
use super::managed::Unusable;
use super::{Actor, BuildError, Gateway, Snapshot};
use crate::ai::admission::shared::{OwnAccounts, SharedAdmission};
use crate::clock::Clock;
use crate::cluster::counters::{Setup, SharedCounters};
use crate::cluster::shared_state::{SharedResource, SharedState, SharedStateError, StateSync};
use crate::config::{Config, CounterBackend, Settle, StateBackend};
use crate::error::{ErrorKind, RequestError};
use crate::store::{
    AuditEntry, ResourceChange, ResourceKind, RevisionSource, Store, StoredResource,
};

/// Who makes the changes that come from other nodes.
const OTHER_NODES: &str = "cluster";

/// Whether a node may be sent requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Readiness {
    pub ready: bool,
    /// `state_loaded`, `operator_drain`, `stale_state`, `sync_error` or `revision_missing`.
    pub reason: &'static str,
    /// What it goes by may not be what the other nodes have; it serves all the same.
    pub stale: bool,
}

/// The shared file, where the configuration has one; what it says is in the database then.
///
/// # Errors
/// When the database cannot be written. A file that cannot be read is in the status, and the database stands in.
pub(super) async fn open_state(
    config: &Config,
    clock: &Clock,
    store: &Store,
) -> Result<Option<StateSync>, BuildError> {
    let options = &config.cluster;
    let shares = options.enabled && options.state_backend == StateBackend::File;
    let Some(path) = options.file_state_path.clone().filter(|_| shares) else {
        return Ok(None);
    };
    let sync = StateSync::new(path, options, clock.clone());
    sync.sync().await;
    if let Some(state) = sync.newest() {
        let rows = rows_of(&state);
        let change = difference(&store.resources().await?, rows, clock.unix_ms());
        if let Some(change) = change {
            store.change(change).await?;
        }
    }
    Ok(Some(sync))
}

/// Publishes what this node has, where there is no file yet or the node has just added to it.
pub(super) async fn publish(sync: &StateSync, rows: &[StoredResource]) {
    let newest = sync.newest();
    let expected = newest.as_ref().map_or(0, |state| state.revision);
    let unknown = newest.as_deref().map(unknown_rows).unwrap_or_default();
    let shared = rows.iter().map(shared_row).chain(unknown).collect();
    let is_same = newest.is_some_and(|state| difference(rows, rows_of(&state), 0).is_none());
    if !is_same && let Err(error) = sync.replace(expected, shared).await {
        tracing::warn!(%error, "what this node has could not be written to the shared state");
        return;
    }
    if let Some(state) = sync.newest() {
        sync.applied(state.revision);
    }
}

/// The counters that nodes share, where the configuration has them.
///
/// # Errors
/// When the address of Redis cannot be used.
pub(super) fn start_counters(
    gateway: &Gateway,
    config: &Config,
) -> Result<Option<SharedAdmission>, BuildError> {
    let accounts = &gateway.ai.accounts;
    let options = &config.cluster;
    if !options.enabled || options.counter_backend == CounterBackend::Local {
        return Ok(None);
    }
    let counters = SharedCounters::start(Setup {
        options,
        tasks: &gateway.tasks,
        dns: gateway.dns.clone(),
        own: Arc::new(OwnAccounts::new(accounts.clone())),
        orphans_charged: config.storage.settle == Settle::BeforeLastByte,
    })?;
    Ok(Some(SharedAdmission::new(
        Arc::new(counters),
        accounts.clone(),
    )))
}

impl Gateway {
    /// Goes by what other nodes write, until the process ends.
    pub fn follow_cluster(self: &Arc<Self>) {
        let Some(sync) = self.state_sync.clone() else {
            return;
        };
        sync.watch(&self.tasks);
        let (gateway, mut states) = (Arc::clone(self), sync.subscribe());
        self.tasks.spawn("shared-state-follower", async move {
            loop {
                tokio::select! {
                    () = gateway.tasks.stopping() => return,
                    changed = states.changed() => if changed.is_err() { return },
                }
                let newest = states.borrow_and_update().clone();
                if let Some(state) = newest {
                    gateway.follow(&sync, &state).await;
                }
            }
        });
    }

    async fn follow(&self, sync: &StateSync, state: &SharedState) {
        let _lane = self.changes.lock().await;
        if sync.status().active_revision >= Some(state.revision) {
            return;
        }
        match self.adopt(state).await {
            Ok(()) => sync.applied(state.revision),
            Err(why) => sync.refused(state.revision, &why),
        }
    }

    async fn adopt(&self, state: &SharedState) -> Result<(), String> {
        let current = self.snapshot();
        let rows = rows_of(state);
        let before: Vec<_> = current.managed.rows().map(|row| (**row).clone()).collect();
        let Some(change) = difference(&before, rows, self.clock.unix_ms()) else {
            return Ok(());
        };
        let managed = current
            .managed
            .edited(&current.file, change.put.clone(), &change.delete)
            .map_err(|error: Unusable| error.to_string())?;
        let edit = Edit {
            put: change.put,
            delete: change.delete,
            audit: change.audit,
            source: Some(RevisionSource::Cluster),
            file_changes: None,
        };
        let file = Arc::clone(&current.file);
        let said = |error: RequestError| error.message.into_owned();
        let next = Next { file, managed };
        let candidate = self.candidate(&current, next).await.map_err(said)?;
        self.install_shared(&current, candidate, edit)
            .await
            .map_err(said)?;
        Ok(())
    }

    /// Writes what a candidate has to the file that nodes share; `None` where they share none.
    pub(super) async fn share(
        &self,
        candidate: &Snapshot,
    ) -> Result<Option<Arc<SharedState>>, RequestError> {
        let Some(sync) = &self.state_sync else {
            return Ok(None);
        };
        let expected = sync.status().active_revision.unwrap_or_default();
        let own = candidate.managed.rows().map(|row| shared_row(row));
        // What only a newer version understands is not this one's to drop.
        let unknown = sync
            .newest()
            .map(|state| unknown_rows(&state))
            .unwrap_or_default();
        match sync.replace(expected, own.chain(unknown).collect()).await {
            Ok(state) => Ok(Some(state)),
            Err(error @ SharedStateError::Conflict { .. }) => Err(RequestError::new(
                ErrorKind::RevisionConflict,
                format!("{error}. Read it again and repeat the change."),
            )),
            Err(error) => {
                tracing::error!(%error, "the shared state could not be written");
                Err(RequestError::new(
                    ErrorKind::LedgerUnavailable,
                    "The state that the nodes share could not be written, and nothing was changed; the gateway's log says why.",
                ))
            }
        }
    }

    /// Whether this node may be sent requests, and why.
    pub fn readiness(&self) -> Readiness {
        let synced = self.state_sync.as_ref().map(StateSync::status);
        let stale = synced.as_ref().is_some_and(|synced| synced.stale);
        let (ready, reason) = match &synced {
            _ if self.drain.draining() => (false, "operator_drain"),
            Some(synced) => (synced.ready, synced.readiness_reason.as_str()),
            None => (true, "state_loaded"),
        };
        Readiness {
            ready,
            reason,
            stale,
        }
    }

    /// The part of the status about the cluster.
    pub fn cluster_status(&self) -> ClusterStatus {
        let snapshot = self.snapshot();
        let config = &snapshot.config.cluster;
        let Readiness {
            ready,
            reason,
            stale,
        } = self.readiness();
        let draining = self.drain.draining();
        let mut status = ClusterStatus {
            enabled: config.enabled,
            cluster_id: config.cluster_id.clone(),
            node_id: config.node_id.clone(),
            node_region: config.node_region.clone(),
            node_zone: config.node_zone.clone(),
            state_backend: match config.state_backend {
                StateBackend::Local => "local",
                StateBackend::File => "file",
            }
            .to_owned(),
            counter_backend: match config.counter_backend {
                CounterBackend::Local => "local",
                CounterBackend::Redis => "redis",
            }
            .to_owned(),
            ready,
            readiness_reason: reason.to_owned(),
            draining,
            accepting_new_requests: ready,
            stale,
            counters: self.ai.shared.as_ref().map(counters_status),
            ..ClusterStatus::default()
        };
        if let Some(sync) = &self.state_sync {
            let synced = sync.status();
            status.active_revision = synced.active_revision;
            status.last_sync_at_unix = synced.last_sync_at_unix_ms.map(|ms| ms.div_euclid(1000));
            status.last_sync_error = synced.last_sync_error;
        }
        status
    }
}

fn counters_status(shared: &SharedAdmission) -> CountersStatus {
    let status = shared.counters().status();
    CountersStatus {
        connected: status.connected,
        open: status.open,
        closed_reason: status.closed_reason.map(str::to_owned),
        live_nodes: status.live_nodes,
        last_error: status.last_error,
        latency_us: status
            .latency
            .map(|latency| u64::try_from(latency.as_micros()).unwrap_or(u64::MAX)),
        granted: status.granted,
        limited: status.limited,
        unavailable: status.unavailable,
    }
}

/// A kind that this version does not know is left to those that do.
fn rows_of(state: &SharedState) -> Vec<StoredResource> {
    let row = |shared: &SharedResource| {
        Some(StoredResource {
            kind: ResourceKind::parse(&shared.kind)?,
            id: shared.id.clone(),
            revision: shared.revision,
            document: shared.document.clone(),
            created_at_unix_ms: shared.created_at_unix_ms,
            updated_at_unix_ms: shared.updated_at_unix_ms,
        })
    };
    state.resources.iter().filter_map(row).collect()
}

fn unknown_rows(state: &SharedState) -> Vec<SharedResource> {
    let resources = state.resources.iter();
    resources
        .filter(|shared| ResourceKind::parse(&shared.kind).is_none())
        .cloned()
        .collect()
}

fn shared_row(row: &StoredResource) -> SharedResource {
    SharedResource {
        kind: row.kind.as_str().to_owned(),
        id: row.id.clone(),
        revision: row.revision,
        document: row.document.clone(),
        created_at_unix_ms: row.created_at_unix_ms,
        updated_at_unix_ms: row.updated_at_unix_ms,
    }
}

/// What makes the one set of rows of the other; `None` where they are the same.
fn difference(
    before: &[StoredResource],
    after: Vec<StoredResource>,
    now_unix_ms: i64,
) -> Option<ResourceChange> {
    let name = |row: &StoredResource| (row.kind, row.id.clone());
    let mut old: HashMap<_, _> = before.iter().map(|row| (name(row), row)).collect();
    let mut put = Vec::new();
    let mut delete = Vec::new();
    for row in after {
        match old.remove(&name(&row)) {
            Some(same) if *same == row => {}
            // Replaced as a whole: its revision need not be higher than the one that is here.
            Some(_) => {
                delete.push(name(&row));
                put.push(row);
            }
            None => put.push(row),
        }
    }
    delete.extend(old.into_keys());
    if put.is_empty() && delete.is_empty() {
        return None;
    }
    let actor = Actor {
        name: OTHER_NODES.to_owned(),
    };
    let audit = AuditEntry {
        occurred_at_unix_ms: now_unix_ms,
        actor: actor.name.as_str().into(),
        action: "shared_state.adopt".into(),
        target: format!("{} written, {} removed", put.len(), delete.len()),
        outcome: "ok".into(),
        message: String::new(),
        detail: None,
    };
    Some(ResourceChange {
        put,
        delete,
        audit,
        revision: None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_written_and_what_is_gone_is_removed() {
        let row = |id: &str, name: &str| StoredResource {
            kind: ResourceKind::ApiKey,
            id: id.to_owned(),
            revision: 1,
            document: json!({"id": id, "name": name}),
            created_at_unix_ms: 1,
            updated_at_unix_ms: 1,
        };
        let before = [row("same", "n"), row("changed", "n"), row("gone", "n")];
        let after = vec![row("same", "n"), row("changed", "m"), row("new", "n")];
        let change = difference(&before, after, 0).unwrap();
        let put: Vec<_> = change.put.iter().map(|row| row.id.as_str()).collect();
        assert_eq!(put, ["changed", "new"]);
        let deleted: Vec<_> = change.delete.iter().map(|(_, id)| id.as_str()).collect();
        assert_eq!(deleted, ["changed", "gone"]);
        assert_eq!(difference(&before, before.to_vec(), 0), None);
    }
}
