//! What people do with an alert: look how it stands, take it on, try whom it tells.

use std::{collections::HashMap, sync::Arc, time::Duration};

use ferrogate_api::{AlertAcknowledgement, AlertDelivery, AlertEventState, AlertState};
use serde_json::json;

use super::{AlertStatus, notice::event, rules, state::Standing};
use crate::clock::millis;
use crate::config::Alert;
use crate::error::{ErrorKind, RequestError};
use crate::gateway::{Change, Gateway, Snapshot};

impl Gateway {
    /// How each rule stands that was looked at.
    pub fn alert_statuses(&self) -> HashMap<Arc<str>, AlertStatus> {
        let standings = self.alerts.standings.lock();
        let statuses = standings
            .iter()
            .map(|(name, standing)| (Arc::clone(name), standing.status()));
        statuses.collect()
    }

    /// Takes an alert on: its webhook is told nothing more until it was resolved, or until `silence` has passed.
    ///
    /// # Errors
    /// `resource_not_found`; `invalid_request` while it is ok; `ledger_unavailable`: then it is not taken on.
    pub async fn acknowledge_alert(
        &self,
        name: &str,
        silence: Option<Duration>,
        by: &Change,
    ) -> Result<(), RequestError> {
        let rule = rule_of(&self.snapshot(), name)?;
        let now = self.clock.unix_ms();
        let silent_until = silence.map(|silence| now.saturating_add(millis(silence)));
        let acknowledgement = AlertAcknowledgement {
            actor: by.actor.name.clone(),
            reason: by.reason(),
            at_unix_ms: now,
            silent_until_unix_ms: silent_until,
        };
        let is_ok = |standing: &Standing| standing.status().state == AlertState::Ok;
        if self.alerts.standings.lock().get(name).is_none_or(is_ok) {
            return Err(nothing_to_acknowledge(name));
        }
        let detail = Some(json!({"silent_until_unix_ms": silent_until}));
        let target = format!("alert:{name}");
        self.audit_event(by, "alert.acknowledge", target, detail)
            .await?;
        let mut standings = self.alerts.standings.lock();
        let standing = standings.get_mut(name);
        if !standing.is_some_and(|standing| standing.acknowledge(acknowledgement)) {
            return Err(nothing_to_acknowledge(name));
        }
        drop(standings);
        self.alerts.stop_telling(&rule.name);
        Ok(())
    }

    /// Tells the webhook of a rule once, whatever its state is, and says what came of it.
    ///
    /// # Errors
    /// `resource_not_found`; `invalid_request` where it has no webhook; `ledger_unavailable`: then nothing was told.
    pub async fn test_alert(&self, name: &str, by: &Change) -> Result<AlertDelivery, RequestError> {
        let snapshot = self.snapshot();
        let rule = rule_of(&snapshot, name)?;
        let Some(webhook) = &rule.webhook else {
            return Err(RequestError::new(
                ErrorKind::InvalidRequest,
                format!("The alert `{name}` has no webhook."),
            ));
        };
        self.audit_event(by, "alert.test", format!("alert:{name}"), None)
            .await?;
        let value = self
            .alerts
            .standings
            .lock()
            .get(name)
            .and_then(Standing::value);
        let state = (AlertEventState::Test, None);
        let event = event(&rule, state, (value, &self.node(&snapshot)));
        let settings = &snapshot.file.alerting;
        let delivery = self
            .alerts
            .teller
            .tell(webhook, &event, (settings, 0))
            .await;
        Ok(delivery)
    }
}

fn rule_of(snapshot: &Snapshot, name: &str) -> Result<Arc<Alert>, RequestError> {
    let mut named = rules(snapshot).filter(|rule| *rule.name == *name);
    named.next().cloned().ok_or_else(|| {
        RequestError::new(
            ErrorKind::ResourceNotFound,
            format!("There is no alert `{name}`."),
        )
    })
}

fn nothing_to_acknowledge(name: &str) -> RequestError {
    RequestError::new(
        ErrorKind::InvalidRequest,
        format!("The alert `{name}` is ok: there is nothing to acknowledge."),
    )
}
