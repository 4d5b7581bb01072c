//! What there is to tell of a rule, in the words of the wire and of the log.

use std::sync::Arc;

use ferrogate_api::{AlertEvent, AlertEventState};

use super::state::{Change, Standing};
use crate::config::{Alert, Quantity};

/// Something has changed.
pub(super) struct Notice {
    pub(super) rule: Arc<Alert>,
    pub(super) event: AlertEvent,
    /// Whether the webhook hears of it.
    pub(super) tell: bool,
    /// Whether it is news, and not told again.
    pub(super) is_new: bool,
}

/// What stands in every event of this process.
pub(super) struct Node {
    pub(super) id: String,
    pub(super) now_unix_ms: i64,
}

impl Notice {
    pub(super) fn of(standing: &Standing, change: Change, node: &Node) -> Self {
        let rule = Arc::clone(&standing.rule);
        let (state, since, tell) = match change {
            Change::Fired { tell } => (
                AlertEventState::Firing,
                standing.firing_since_unix_ms(),
                tell,
            ),
            Change::Repeated => (
                AlertEventState::Firing,
                standing.firing_since_unix_ms(),
                true,
            ),
            Change::Resolved {
                since_unix_ms,
                tell,
            } => (AlertEventState::Resolved, Some(since_unix_ms), tell),
        };
        Self {
            event: event(&rule, (state, since), (standing.value(), node)),
            rule,
            tell,
            is_new: change != Change::Repeated,
        }
    }

    pub(super) fn log(&self) {
        let event = &self.event;
        let value = event.value.as_ref().map(ToString::to_string);
        if event.state == AlertEventState::Resolved {
            tracing::info!(alert = %event.alert, value, "an alert was resolved");
        } else {
            tracing::warn!(
                alert = %event.alert,
                severity = self.rule.severity.as_str(),
                value,
                threshold = %event.threshold,
                "an alert fires: {}",
                event.message
            );
        }
    }
}

/// What is told of a rule.
pub(super) fn event(
    rule: &Alert,
    (state, firing_since_unix_ms): (AlertEventState, Option<i64>),
    (value, node): (Option<Quantity>, &Node),
) -> AlertEvent {
    let (comparison, threshold) = (rule.bound.word(), rule.bound.threshold());
    let message = rule.message.clone().unwrap_or_else(|| match value {
        Some(value) => format!(
            "{} is {value}, and the rule is: {comparison} {threshold}",
            rule.metric.as_str()
        ),
        None => format!("there is no {} to measure", rule.metric.as_str()),
    });
    AlertEvent {
        alert: Arc::clone(&rule.name),
        state,
        severity: rule.severity,
        metric: rule.metric.as_str().into(),
        value: value.map(Quantity::number),
        comparison: comparison.into(),
        threshold: threshold.number(),
        message,
        at_unix_ms: node.now_unix_ms,
        firing_since_unix_ms,
        node: node.id.clone(),
        gateway_version: env!("CARGO_PKG_VERSION").into(),
    }
}
