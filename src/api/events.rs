//! The live feed: what `GET /admin/v1/events` sends, one server-sent event each.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{AccountRef, BudgetUnit, RequestLog};

/// One live event. The server-sent event's `event:` field is [`Event::name`], its `data:` the payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The reader was too slow: that many events were not sent.
    Skipped(Skipped),
}

impl Event {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Finished(_) => "finished",
            Self::Second(_) => "second",
            Self::InFlight(_) => "in_flight",
            Self::BudgetThreshold(_) => "budget_threshold",
            Self::Skipped(_) => "skipped",
        }
    }
}

/// One second of traffic. Latencies are microseconds over the requests that ended in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Second {
    pub at_unix_ms: i64,
    pub requests: u64,
    /// Ended with a status of 400 to 499.
    pub client_errors: u64,
    /// Of the client errors, those refused by a limit (429).
    pub rate_limited: u64,
    /// Ended with a status of 500 or more, or broke after the status was sent.
    pub server_errors: u64,
    pub input_tokens: u64,
    pub output_tokens: u64,
    pub cost_nanos: i64,
    pub latency_p50_us: u64,
    pub latency_p95_us: u64,
    pub latency_p99_us: u64,
    pub ttft_p50_us: u64,
    pub ttft_p99_us: u64,
    pub in_flight: u64,
}

/// The requests in flight, oldest first, at most as many as `[admin] in_flight_list_max`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// How many there are in all.
    pub total: u64,
    pub requests: Vec<InFlightRequest>,
}

/// One request that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlightRequest {
    pub request_id: String,
    pub started_at_unix_ms: i64,
    pub phase: Phase,
    pub method: Arc<str>,
    pub path: String,
    pub endpoint: Arc<str>,
    pub api_key_id: Option<Arc<str>>,
    pub model: Option<Arc<str>>,
    pub provider: Option<Arc<str>>,
}

/// How far a request in flight has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its headers are here; key, body and plan are being read.
    Receiving,
    /// An upstream has been asked and has not answered with content.
    Waiting,
    /// Content is on its way to the client.
    Answering,
}

/// A budget has been used up to a threshold of `[governance] budget_thresholds_percent`; told once in each period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetThreshold {
    pub at_unix_ms: i64,
    pub account: AccountRef,
    pub budget_id: Arc<str>,
    pub unit: BudgetUnit,
    pub percent: u8,
    /// Tokens, or nano-units (10⁻⁹) of money.
    pub used: i64,
    pub limit: i64,
    /// Absent where the budget never begins anew.
    pub period_end_unix_ms: Option<i64>,
}

/// A gap in the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    pub count: u64,
}
