//! Alert rules as the admin API shows them, how they stand, and what is told when one fires.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Number;
use utoipa::{IntoParams, ToSchema};

use crate::{AccountRef, AlertMetric, Origin, words::words};

/// One rule, and how it stands on this node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    /// `alert`.
    pub object: Arc<str>,
    /// Unique among alerts.
    pub name: Arc<str>,
    /// Whether it is looked at.
    pub enabled: bool,
    /// `error_rate_percent`, `disk_free_percent` and so on.
    pub metric: Arc<str>,
    /// The rule holds above it. One of the two is given.
    #[schema(value_type = Option<f64>)]
    pub above: Option<Number>,
    /// The rule holds below it.
    #[schema(value_type = Option<f64>)]
    pub below: Option<Number>,
    /// Over how long it is counted; absent for metrics that have no window.
    pub window_secs: Option<u64>,
    /// How long it has to hold before anybody is told.
    pub for_secs: u64,
    /// Only requests for this model.
    pub model: Option<Arc<str>>,
    /// Only requests to this provider, or its health.
    pub provider: Option<Arc<str>>,
    /// Only requests of this key.
    pub api_key: Option<Arc<str>>,
    /// Only budgets of this account.
    #[schema(value_type = Option<String>)]
    pub account: Option<AccountRef>,
    /// How bad it is.
    pub severity: AlertSeverity,
    /// Who gets a POST of JSON.
    pub webhook_url: Option<String>,
    /// The environment variable with the address, in its place.
    pub webhook_url_env: Option<String>,
    /// The environment variable with the bearer token.
    pub webhook_secret_env: Option<String>,
    /// What whoever is told reads; absent in a rule: the figure and its threshold.
    pub message: Option<String>,
    /// Where it stands.
    pub state: AlertState,
    /// When it came into this state; absent before the first evaluation.
    pub since_unix_ms: Option<i64>,
    /// What the metric was at the last evaluation; absent where there was nothing to measure.
    #[schema(value_type = Option<f64>)]
    pub value: Option<Number>,
    /// When it was looked at last.
    pub evaluated_at_unix_ms: Option<i64>,
    /// Who has taken it on, while it is silenced by that.
    pub acknowledged: Option<AlertAcknowledgement>,
    /// What became of the last attempt to tell the webhook.
    pub last_delivery: Option<AlertDelivery>,
    /// Where it was declared.
    pub origin: Origin,
    /// 1 when it is made, one more with every change; absent for what is not in the database.
    #[serde(default)]
    pub revision: Option<u64>,
    /// When it was made; absent for what is not in the database.
    #[serde(default)]
    pub created_at_unix_ms: Option<i64>,
    /// When it was changed last; absent for what is not in the database.
    #[serde(default)]
    pub updated_at_unix_ms: Option<i64>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertSeverity {
    #[default]
    Warning,
    Critical,
}

words!(AlertSeverity {
    Warning => "warning",
    Critical => "critical",
});

/// Where a rule stands.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// It does not hold, is off, or was not evaluated yet.
    #[default]
    Ok,
    /// It holds, but not for `for_secs` yet.
    Pending,
    /// It holds, and whoever is to be told was told.
    Firing,
}

words!(AlertState {
    Ok => "ok",
    Pending => "pending",
    Firing => "firing",
});

/// Somebody has taken an alert on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertAcknowledgement {
    /// The id of an admin key, or `unix:uid=…`.
    pub actor: String,
    /// Why, as they said.
    pub reason: String,
    /// When that was.
    pub at_unix_ms: i64,
    /// When the webhook is told again should it still fire; absent: not before it was resolved.
    pub silent_until_unix_ms: Option<i64>,
}

/// What became of telling a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertDelivery {
    /// When the last call ended.
    pub at_unix_ms: i64,
    /// Whether it was taken: a status of 200 to 299.
    pub ok: bool,
    /// How many calls it took.
    pub attempts: u32,
    /// What the webhook answered with; absent where it did not.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: Option<String>,
}

/// What became of an alert: what the live feed tells, and what a webhook is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertEvent {
    /// The name of the rule.
    pub alert: Arc<str>,
    /// Where it stands.
    pub state: AlertEventState,
    /// How bad it is.
    pub severity: AlertSeverity,
    /// Which figure it is about.
    pub metric: Arc<str>,
    /// What the metric is; absent where there is nothing to measure.
    #[schema(value_type = Option<f64>)]
    pub value: Option<Number>,
    /// `above` or `below` which threshold.
    pub comparison: Arc<str>,
    /// What the figure is compared with.
    #[schema(value_type = f64)]
    pub threshold: Number,
    /// What whoever is told reads; absent in a rule: the figure and its threshold.
    pub message: String,
    /// When that was.
    pub at_unix_ms: i64,
    /// Since when it fires, or did until now: the same in everything that is told of one alarm. Absent in a test.
    pub firing_since_unix_ms: Option<i64>,
    /// `[cluster] node_id`.
    pub node: String,
    /// Of the gateway that tells it.
    pub gateway_version: Arc<str>,
}

/// What there is to tell of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertEventState {
    Firing,
    Resolved,
    /// Somebody tries the webhook.
    Test,
}

words!(AlertEventState {
    Firing => "firing",
    Resolved => "resolved",
    Test => "test",
});

/// `POST /admin/v1/alerts/{name}/acknowledge`: somebody takes it on, and the webhook is told nothing more of it until it
/// was resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcknowledgeAlert {
    /// Why; it stands beside the alert and in the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// After so long the webhook is told again should it still fire; absent: not before it was resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 31_536_000)]
    pub silence_secs: Option<u64>,
}

/// Which rules to list; everything that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct AlertFilter {
    /// Only those that watch this.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<AlertMetric>)]
    pub metric: Option<String>,
    /// Only those that are so bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<AlertSeverity>,
    /// Only those that are switched on, or off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Only those that were declared there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_called_what_serde_calls_them() {
        for state in [AlertState::Ok, AlertState::Pending, AlertState::Firing] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
        for state in [
            AlertEventState::Firing,
            AlertEventState::Resolved,
            AlertEventState::Test,
        ] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
        }
    }
}
