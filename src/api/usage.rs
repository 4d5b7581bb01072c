//! Metering events (the ledger's rows) and the aggregates rolled up from them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Outcome, TenantContext};

/// Token counts of one request or of many. `input` includes `cache_read` and `cache_write`;
/// `output` includes `reasoning`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    pub input: u64,
    pub output: u64,
    pub cache_read: u64,
    pub cache_write: u64,
    pub reasoning: u64,
}

impl Tokens {
    pub fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

impl std::ops::AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        // Saturating: the counts come from providers, which may say anything.
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        self.cache_read = self.cache_read.saturating_add(other.cache_read);
        self.cache_write = self.cache_write.saturating_add(other.cache_write);
        self.reasoning = self.reasoning.saturating_add(other.reasoning);
    }
}

/// Where the token counts come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsageSource {
    /// The provider reported them.
    Provider,
    /// A stream ended early: counted from what passed, the prompt estimated.
    Partial,
    /// The provider reported none: estimated from request and answer.
    Estimated,
    /// Nothing was used, because no provider was asked.
    #[default]
    None,
}

impl UsageSource {
    pub const ALL: [Self; 4] = [Self::Provider, Self::Partial, Self::Estimated, Self::None];

    /// The name on the wire, in the database and in metric labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Partial => "partial",
            Self::Estimated => "estimated",
            Self::None => "none",
        }
    }

    /// The reverse of [`UsageSource::as_str`].
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == name)
    }
}

/// One row of the ledger: what one attempt at a provider used. Append-only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeteringEvent {
    pub request_id: String,
    /// 1 for the first attempt of a request; 0 for an answer from the cache.
    pub attempt: u32,
    pub occurred_at_unix_ms: i64,
    pub api_key_id: Arc<str>,
    /// Whose key it was; absent for a key without tenants.
    #[serde(default)]
    pub tenant: Option<Arc<TenantContext>>,
    pub endpoint: Arc<str>,
    pub model: Arc<str>,
    pub provider: Arc<str>,
    pub provider_model: Arc<str>,
    pub status: u16,
    pub outcome: Outcome,
    pub stream: bool,
    pub tokens: Tokens,
    pub usage_source: UsageSource,
    /// Nano-units (10⁻⁹); absent when the model has no price.
    pub cost_nanos: Option<i64>,
    /// Which recorded price `cost_nanos` was reckoned with; absent without a price, and until the row is written.
    #[serde(default)]
    pub price_version: Option<i64>,
    /// Answered from the cache: nothing was used, and this much saved, in nano-units (10⁻⁹).
    #[serde(default)]
    pub cache_hit: bool,
    #[serde(default)]
    pub saved_nanos: Option<i64>,
}

/// Which metering events to list, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeteringEventQuery {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// How long one aggregate's time span is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    Minute,
    Hour,
    Day,
    /// Everything since `since`, or since the ledger began.
    #[default]
    Total,
}

/// Which aggregates to list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageAggregateQuery {
    #[serde(default)]
    pub window: Window,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Sums over the ledger for one key, model and provider in one time span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageAggregate {
    /// Start of the span; absent for [`Window::Total`].
    pub window_start_unix_ms: Option<i64>,
    pub api_key_id: Arc<str>,
    pub model: Arc<str>,
    pub provider: Arc<str>,
    /// Metered attempts.
    pub requests: u64,
    /// Of these, the ones that did not end [`Outcome::Complete`] with a status below 400.
    pub errors: u64,
    pub tokens: Tokens,
    /// Nano-units (10⁻⁹), over the priced events alone.
    pub cost_nanos: i64,
    /// How many of `requests` had no price.
    pub unpriced_requests: u64,
    /// Answers from the cache, which are not among `requests`.
    #[serde(default)]
    pub cache_hits: u64,
    /// What they would have cost, in nano-units (10⁻⁹).
    #[serde(default)]
    pub saved_nanos: i64,
}
