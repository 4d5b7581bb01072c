//! The periodic jobs of the process, all of them.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

use crate::gateway::Gateway;
use crate::proxy::guard::Connections;

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
