//! The live feed: what `GET /admin/v1/events` sends, one server-sent event each.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    AccountRef, AlertEvent, AuditEvent, BreakerState, BudgetUnit, ConfigRevision, CredentialState,
    InFlight, RequestLog,
};

/// One live event. The server-sent event's `event:` field is its `event`, its `data:` its `data`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum Event {
    /// A request ended.
    Finished(Arc<RequestLog>),
    /// What happened in the last second, counted by the gateway over every request.
    Second(Arc<Second>),
    /// The requests in flight right now.
    InFlight(Arc<InFlight>),
    /// A budget has been used up to one of its thresholds.
    BudgetThreshold(Arc<BudgetThreshold>),
    /// An alert fires, or was resolved.
    Alert(Arc<AlertEvent>),
    /// A provider's circuit breaker opened, probes, or closed again.
    BreakerChanged(Arc<BreakerChanged>),
    /// A provider refused one of the gateway's credentials or limited it, or takes it again.
    CredentialChanged(Arc<CredentialChanged>),
    /// Something was noted in the audit log.
    Audit(Arc<AuditEvent>),
    /// A line of the gateway's own log.
    Log(Arc<LogLine>),
    /// The configuration has a new revision.
    ConfigRevision(Arc<ConfigRevision>),
    /// Events that this reader has missed.
    Skipped(Skipped),
}

impl Event {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Finished(_) => "finished",
            Self::Second(_) => "second",
            Self::InFlight(_) => "in_flight",
            Self::BudgetThreshold(_) => "budget_threshold",
            Self::Alert(_) => "alert",
            Self::BreakerChanged(_) => "breaker_changed",
            Self::CredentialChanged(_) => "credential_changed",
            Self::Audit(_) => "audit",
            Self::Log(_) => "log",
            Self::ConfigRevision(_) => "config_revision",
            Self::Skipped(_) => "skipped",
        }
    }

    /// What it is about; `None` for a gap, which may be in anything.
    pub fn topic(&self) -> Option<Topic> {
        match self {
            Self::Finished(_) | Self::Second(_) | Self::InFlight(_) => Some(Topic::Requests),
            Self::BudgetThreshold(_) | Self::Alert(_) => Some(Topic::Alerts),
            Self::BreakerChanged(_) | Self::CredentialChanged(_) => Some(Topic::Health),
            Self::Audit(_) => Some(Topic::Audit),
            Self::Log(_) => Some(Topic::Logs),
            Self::ConfigRevision(_) => Some(Topic::Config),
            Self::Skipped(_) => None,
        }
    }
}

/// What a reader of the live feed can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// `finished`, `second` and `in_flight`.
    Requests,
    /// `breaker_changed` and `credential_changed`.
    Health,
    /// `budget_threshold`, and `alert`, which is the operator's.
    Alerts,
    /// `audit`.
    Audit,
    /// `log`.
    Logs,
    /// `config_revision`.
    Config,
}

impl Topic {
    pub const ALL: [Self; 6] = [
        Self::Requests,
        Self::Health,
        Self::Alerts,
        Self::Audit,
        Self::Logs,
        Self::Config,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Health => "health",
            Self::Alerts => "alerts",
            Self::Audit => "audit",
            Self::Logs => "logs",
            Self::Config => "config",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Topic {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|topic| topic.as_str() == name);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join("`, `");
            format!("must name topics, with commas between them: `{known}`")
        })
    }
}

/// Which events to send. Every filter is optional; all given ones must hold for the events that they are about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// `requests`, `health`, `alerts`, `audit`, `logs` and `config`, with commas between them. `requests,alerts` where
    /// nothing is said. Keys of a tenant may ask for these two alone.
    #[param(example = "requests,health")]
    pub topics: Option<String>,
    /// Requests of this virtual key, and thresholds of its budgets.
    pub key: Option<String>,
    /// Requests for this model.
    pub model: Option<String>,
    /// Requests to this provider, and what became known of it.
    pub provider: Option<String>,
    /// Requests of this organization's keys, and thresholds of its budgets.
    pub organization: Option<String>,
    /// The id of a team.
    pub team: Option<String>,
    /// The id of a project.
    pub project: Option<String>,
    /// The id of a user.
    pub user: Option<String>,
    /// Of the requests that ended, those with this status: `404`, `4xx`, `>=400` or `<400`.
    #[param(value_type = Option<String>, example = "5xx")]
    pub status: Option<String>,
    /// True: of the requests that ended, those that failed.
    pub errors_only: Option<bool>,
    /// Log lines at least this grave; `info` where nothing is said.
    pub level: Option<LogLevel>,
}

/// One second of traffic. Latencies are microseconds over the requests that ended in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Second {
    /// When it ended, in milliseconds since the Unix epoch.
    pub at_unix_ms: i64,
    /// Requests that ended in it.
    pub requests: u64,
    /// Ended with a status of 400 to 499.
    pub client_errors: u64,
    /// Of the client errors, those refused by a limit (429).
    pub rate_limited: u64,
    /// Ended with a status of 500 or more, or broke after the status was sent.
    pub server_errors: u64,
    /// What they read.
    pub input_tokens: u64,
    /// What they wrote.
    pub output_tokens: u64,
    /// What they cost, in nano-units (10⁻⁹).
    pub cost_nanos: i64,
    /// Half of them took at most so long, in microseconds.
    pub latency_p50_us: u64,
    /// 95 % of them took at most so long, in microseconds.
    pub latency_p95_us: u64,
    /// 99 % of them took at most so long, in microseconds.
    pub latency_p99_us: u64,
    /// Half of them had their first content after so long, in microseconds.
    pub ttft_p50_us: u64,
    /// 99 % of them had their first content after so long, in microseconds.
    pub ttft_p99_us: u64,
    /// Requests that have not ended.
    pub in_flight: u64,
}

/// A budget has been used up to a threshold of `[governance] budget_thresholds_percent`; told once in each period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BudgetThreshold {
    /// When, in milliseconds since the Unix epoch.
    pub at_unix_ms: i64,
    /// Whose budget it is.
    pub account: AccountRef,
    /// Which of the account's budgets.
    pub budget_id: Arc<str>,
    /// What it counts.
    pub unit: BudgetUnit,
    /// The threshold, in percent of the limit.
    pub percent: u8,
    /// Tokens, or nano-units (10⁻⁹) of money.
    pub used: i64,
    /// What there is to spend in the period, in the same unit.
    pub limit: i64,
    /// Absent where the budget never begins anew.
    pub period_end_unix_ms: Option<i64>,
}

/// A provider's circuit breaker changed its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BreakerChanged {
    /// When, in milliseconds since the Unix epoch.
    pub at_unix_ms: i64,
    /// Whose breaker it is.
    pub provider: Arc<str>,
    /// What it was until then.
    pub from: BreakerState,
    /// What it is now.
    pub to: BreakerState,
    /// Attempts in a row that failed by the provider's fault.
    pub consecutive_failures: u32,
}

/// One of a provider's credentials is left aside, or is used again. Neither the key nor its variable is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CredentialChanged {
    /// When, in milliseconds since the Unix epoch.
    pub at_unix_ms: i64,
    /// Whose credential it is.
    pub provider: Arc<str>,
    /// Its place in the file, from 1.
    pub index: u32,
    /// `refused`: the provider answered 401. `resting`: it answered 429 or 403. `live`: it is taken again.
    pub state: CredentialState,
    /// When it is used again; absent for a live one.
    pub until_unix_ms: Option<i64>,
}

/// How grave a log line is.
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
pub enum LogLevel {
    /// Rare and useful.
    #[default]
    Info,
    /// Something is degraded.
    Warn,
    /// Somebody must look.
    Error,
}

impl LogLevel {
    pub const ALL: [Self; 3] = [Self::Info, Self::Warn, Self::Error];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|level| level.as_str() == name);
        found.ok_or_else(|| "must be `info`, `warn` or `error`".to_owned())
    }
}

/// A line of the gateway's own log, as it is written to standard error: no secret, no prompt, no body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// When, in milliseconds since the Unix epoch.
    pub at_unix_ms: i64,
    /// How grave it is.
    pub level: LogLevel,
    /// The part of the program that wrote it.
    pub target: String,
    /// What happened, in a sentence.
    pub message: String,
    /// What the line can be filtered by, such as `provider` or `request.id`.
    pub fields: BTreeMap<String, String>,
}

/// A gap in the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Skipped {
    /// How many events were left out; 0 where nobody counted them.
    pub count: u64,
    /// Why they were left out.
    #[serde(default)]
    pub reason: SkipReason,
}

/// Why events were left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// The reader did not read fast enough.
    #[default]
    SlowReader,
    /// More requests ended in a second than `[admin] events_per_second_max`; `second` counts them all.
    Rate,
    /// After `Last-Event-ID`, and no longer kept. At most so many: some may be of other topics.
    NotKept,
    /// `Last-Event-ID` is of another run of the gateway.
    Restarted,
}

/// How the live feed is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct LiveStatus {
    /// How many are listening.
    pub readers: u64,
    /// `[admin] event_readers_max`.
    pub readers_max: u64,
    /// Events that readers were too slow for, since the start.
    pub events_dropped: u64,
    /// Requests that were ended by `DELETE /admin/v1/requests/in-flight/{id}`, since the start.
    pub requests_killed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_and_levels_are_found_again_by_their_names() {
        for topic in Topic::ALL {
            assert_eq!(topic.as_str().parse(), Ok(topic));
            assert_eq!(serde_json::to_value(topic).unwrap(), topic.as_str());
        }
        for level in LogLevel::ALL {
            assert_eq!(level.as_str().parse(), Ok(level));
            assert_eq!(serde_json::to_value(level).unwrap(), level.as_str());
        }
        assert!("requests,alerts".parse::<Topic>().is_err());
        assert!(LogLevel::Error > LogLevel::Warn && LogLevel::Warn > LogLevel::Info);
    }

    #[test]
    fn an_event_is_named_on_the_wire_as_it_says() {
        let event = Event::Skipped(Skipped {
            count: 3,
            reason: SkipReason::NotKept,
        });
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json["event"], event.name());
        assert_eq!(json["data"]["reason"], "not_kept");
        // What an older gateway sends.
        let old: Skipped = serde_json::from_str(r#"{"count":3}"#).unwrap();
        assert_eq!(old.reason, SkipReason::SlowReader);
    }
}
