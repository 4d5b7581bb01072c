//! Alert rules: looked at one after the other, and what changes is told to whoever is to know.
//!
//! 1. A job of the server calls [`Gateway::evaluate_alerts`] every `[alerting] interval_secs`. What a figure is now is
//!    found out by [`readings`], what follows from it by [`state`]; [`notice`] says it.
//! 2. What changes goes to the log, the metrics, the live feed and the webhook at once, and then to the audit log: with a
//!    disk that stands still, which may be what it is about, nobody waits for that.
//! 3. A webhook is told by a task of its own, with retries. There is one for each rule; the next news takes its place.
//! 4. A rule that is changed, switched off or deleted while it fires is resolved by that.
//!
//! How rules stand is this node's own, and memory alone: after a start they are found to fire again, and told again.

mod notice;
mod operators;
mod readings;
mod state;
#[cfg(test)]
mod tests;
mod webhook;

use std::{collections::HashMap, sync::Arc, time::Duration};

use ferrogate_api::{AlertDelivery, AlertEvent};
use parking_lot::Mutex;
use serde_json::json;
use tokio_util::sync::CancellationToken;

pub use self::state::AlertStatus;
use self::{
    notice::{Node, Notice},
    readings::DroppedLogs,
    state::{Reading, Standing},
    webhook::Teller,
};
use super::{Actor, Change, Gateway, Snapshot};
use crate::clock::Clock;
use crate::config::{self, Alert, Webhook};
use crate::outbound::Dns;

/// An entry of the audit log that takes longer is not waited for.
const AUDIT_TIME_LIMIT: Duration = Duration::from_secs(30);

/// How the rules stand.
#[derive(Debug)]
pub(super) struct Alerts {
    standings: Mutex<HashMap<Arc<str>, Standing>>,
    dropped: DroppedLogs,
    teller: Teller,
    /// Who is telling a webhook, by rule. Cancelling it makes them stop.
    telling: Mutex<HashMap<Arc<str>, CancellationToken>>,
}

impl Alerts {
    pub(super) fn new(dns: Dns, clock: Clock) -> Self {
        Self {
            standings: Mutex::default(),
            dropped: DroppedLogs::default(),
            teller: Teller::new(dns, clock),
            telling: Mutex::default(),
        }
    }

    /// Looks at every rule once. `rules` are those that are on, each with what its figure is.
    fn look(
        &self,
        rules: &[(Arc<Alert>, Reading)],
        node: &Node,
        settings: &config::Alerting,
    ) -> Vec<Notice> {
        let mut standings = self.standings.lock();
        let mut notices = Vec::new();
        let named: HashMap<&str, &Arc<Alert>> =
            rules.iter().map(|(rule, _)| (&*rule.name, rule)).collect();
        standings.retain(|name, standing| {
            let goes_on = named
                .get(&**name)
                .is_some_and(|rule| standing.take_over(rule));
            if !goes_on && let Some(change) = standing.resolve(node.now_unix_ms) {
                notices.push(Notice::of(standing, change, node));
            }
            goes_on
        });
        for (rule, reading) in rules {
            let standing = standings
                .entry(Arc::clone(&rule.name))
                .or_insert_with(|| Standing::new(Arc::clone(rule)));
            let change = standing.step(node.now_unix_ms, *reading, settings.repeat_interval);
            notices.extend(change.map(|change| Notice::of(standing, change, node)));
        }
        notices
    }

    /// Each rule's name, and whether it fires.
    fn firing(&self) -> Vec<(Arc<str>, bool)> {
        let standings = self.standings.lock();
        let firing = standings
            .iter()
            .map(|(name, standing)| (Arc::clone(name), standing.is_firing()));
        firing.collect()
    }

    fn stop_telling(&self, name: &str) {
        if let Some(telling) = self.telling.lock().remove(name) {
            telling.cancel();
        }
    }

    fn begin_telling(&self, name: &Arc<str>) -> CancellationToken {
        let token = CancellationToken::new();
        let before = self.telling.lock().insert(Arc::clone(name), token.clone());
        if let Some(before) = before {
            before.cancel();
        }
        token
    }

    /// Notes what became of it, unless there has been something else to tell since.
    fn end_telling(&self, name: &str, token: &CancellationToken, delivery: AlertDelivery) {
        {
            let mut telling = self.telling.lock();
            if token.is_cancelled() {
                return;
            }
            telling.remove(name);
        }
        if let Some(standing) = self.standings.lock().get_mut(name) {
            standing.last_delivery = Some(delivery);
        }
    }
}

/// Every rule that there is, those of the file first.
fn rules(snapshot: &Snapshot) -> impl Iterator<Item = &Arc<Alert>> {
    let made = snapshot.managed.alerts.iter().map(|made| &made.value);
    snapshot.file.alerts.iter().chain(made)
}

impl Gateway {
    /// Looks at every rule that is on, and tells what has changed.
    pub async fn evaluate_alerts(self: &Arc<Self>) {
        let snapshot = self.snapshot();
        let on = rules(&snapshot).filter(|rule| rule.enabled);
        let on: Vec<Arc<Alert>> = on.cloned().collect();
        let readings = readings::take(self, &self.alerts.dropped, &on).await;
        let read: Vec<_> = on.into_iter().zip(readings).collect();
        let settings = &snapshot.file.alerting;
        let notices = self.alerts.look(&read, &self.node(&snapshot), settings);
        self.metrics.set_alerts(&self.alerts.firing());
        let mut news = Vec::new();
        for notice in notices {
            notice.log();
            if notice.is_new {
                self.live.alert(notice.event.clone());
            }
            // An older message must not come after this one, whether this one is told or not.
            self.alerts.stop_telling(&notice.rule.name);
            if let Some(webhook) = notice.rule.webhook.clone().filter(|_| notice.tell) {
                self.tell(&notice.rule, webhook, notice.event.clone());
            }
            news.extend(notice.is_new.then_some(notice.event));
        }
        if !news.is_empty() {
            let gateway = Arc::clone(self);
            self.tasks.spawn("alert audit", async move {
                for event in news {
                    gateway.note_alert(&event).await;
                }
            });
        }
    }

    fn node(&self, snapshot: &Snapshot) -> Node {
        Node {
            id: snapshot.file.cluster.node_id.clone(),
            now_unix_ms: self.clock.unix_ms(),
        }
    }

    fn tell(self: &Arc<Self>, rule: &Arc<Alert>, webhook: Webhook, event: AlertEvent) {
        let token = self.alerts.begin_telling(&rule.name);
        let (gateway, name) = (Arc::clone(self), Arc::clone(&rule.name));
        self.tasks.spawn("alert webhook", async move {
            let settings = gateway.snapshot().file.alerting.clone();
            let retries_max = settings.webhook_max_retries;
            let telling = gateway
                .alerts
                .teller
                .tell(&webhook, &event, (&settings, retries_max));
            let delivery = tokio::select! {
                delivery = telling => delivery,
                () = token.cancelled() => return,
                () = gateway.tasks.stopping() => return,
            };
            if let Some(error) = &delivery.error {
                tracing::warn!(alert = %name, attempts = delivery.attempts, error, "the webhook of an alert was not told");
            }
            gateway.alerts.end_telling(&name, &token, delivery);
        });
    }

    async fn note_alert(&self, event: &AlertEvent) {
        let by = Change::by(Actor::gateway());
        let action = format!("alert.{}", event.state.as_str());
        let target = format!("alert:{}", event.alert);
        let entry = self.audit(&by, &action, target, Some(json!(event)));
        match tokio::time::timeout(AUDIT_TIME_LIMIT, self.note(entry)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(alert = %event.alert, %error, "an alert is not in the audit log");
            }
            Err(_) => {
                tracing::warn!(alert = %event.alert, "an alert is not in the audit log yet");
            }
        }
    }
}
