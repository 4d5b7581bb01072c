//! The periodic jobs of the process, all of them.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

use crate::admin;
use crate::gateway::Gateway;
use crate::proxy::guard::Connections;

/// How often the audit log is told of refusals that were counted.
const REFUSALS_EVERY: Duration = Duration::from_secs(60);
/// How often it is asked whether a backup is due.
const BACKUPS_EVERY: Duration = Duration::from_secs(300);

/// Starts every job; each ends when the process stops.
pub(super) fn start(gateway: &Arc<Gateway>, connections: Arc<Connections>) {
    let live = gateway.live.clone();
    every_second(gateway, "live feed", move || live.tick());
    let upstream = Arc::clone(&gateway.ai.upstream);
    every_second(gateway, "idle provider connections", move || {
        upstream.sweep();
    });
    let metrics = Arc::clone(&gateway.metrics);
    let mut refused_before = 0;
    every_second(gateway, "connection count", move || {
        let open = i64::try_from(connections.open()).unwrap_or(i64::MAX);
        metrics.connections.set(open);
        let refused = connections.refused();
        metrics
            .rejected_connections_total
            .inc_by(refused - refused_before);
        refused_before = refused;
    });
    every(
        gateway,
        ("refusals", REFUSALS_EVERY),
        |gateway| async move {
            admin::flush_refusals(&gateway).await;
        },
    );
    every(gateway, ("backups", BACKUPS_EVERY), |gateway| async move {
        admin::back_up_when_due(&gateway).await;
    });
}

/// What waits for the database, and so for its own turn.
fn every<W: Future<Output = ()> + Send>(
    gateway: &Arc<Gateway>,
    (name, interval): (&'static str, Duration),
    work: impl Fn(Arc<Gateway>) -> W + Send + 'static,
) {
    let (gateway, tasks) = (Arc::clone(gateway), gateway.tasks.clone());
    let turns = tasks.clone();
    turns.spawn(name, async move {
        let mut turns = tokio::time::interval(interval);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = turns.tick() => work(Arc::clone(&gateway)).await,
                () = tasks.stopping() => return,
            }
        }
    });
}

fn every_second(gateway: &Gateway, name: &'static str, mut work: impl FnMut() + Send + 'static) {
    let tasks = gateway.tasks.clone();
    gateway.tasks.spawn(name, async move {
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = seconds.tick() => work(),
                () = tasks.stopping() => return,
            }
        }
    });
}
