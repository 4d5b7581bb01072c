//! The periodic jobs of the process, all of them.

use std::{future::ready, sync::Arc, time::Duration};

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
    let of_refusals = Arc::clone(gateway);
    every(gateway, ("refusals", REFUSALS_EVERY), move || {
        let gateway = Arc::clone(&of_refusals);
        async move { admin::flush_refusals(&gateway).await }
    });
    let of_backups = Arc::clone(gateway);
    every(gateway, ("backups", BACKUPS_EVERY), move || {
        let gateway = Arc::clone(&of_backups);
        async move { admin::back_up_when_due(&gateway).await }
    });
    let watching = watch_alerts(Arc::clone(gateway));
    gateway.tasks.spawn("alerts", watching);
}

/// The first time at once, and then as often as the configuration in force says.
async fn watch_alerts(gateway: Arc<Gateway>) {
    loop {
        gateway.evaluate_alerts().await;
        let interval = gateway.snapshot().file.alerting.interval;
        tokio::select! {
            () = tokio::time::sleep(interval) => {}
            () = gateway.tasks.stopping() => return,
        }
    }
}

fn every_second(gateway: &Gateway, name: &'static str, mut work: impl FnMut() + Send + 'static) {
    every(gateway, (name, Duration::from_secs(1)), move || {
        work();
        ready(())
    });
}

/// At once, and then in each interval. The next turn comes when the work of the last is done.
fn every<W: Future<Output = ()> + Send>(
    gateway: &Gateway,
    (name, length): (&'static str, Duration),
    mut work: impl FnMut() -> W + Send + 'static,
) {
    let tasks = gateway.tasks.clone();
    gateway.tasks.spawn(name, async move {
        let mut turns = interval(length);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = turns.tick() => work().await,
                () = tasks.stopping() => return,
            }
        }
    });
}
