//! Metering events (the ledger's rows) and the aggregates rolled up from them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Outcome, RequestLogSort, TenantContext};

/// Token counts of one request or of many. `input` includes `cache_read` and `cache_write`;
/// `output` includes `reasoning`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    /// Of the prompt, those of the provider's cache included.
    pub input: u64,
    /// Of the answer, reasoning included.
    pub output: u64,
    /// Of the input, those that were read from the provider's cache.
    pub cache_read: u64,
    /// Of the input, those that were written to the provider's cache.
    pub cache_write: u64,
    /// Of the output, those that were reasoning.
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MeteringEvent {
    /// The request that the attempt was made for.
    pub request_id: String,
    /// 1 for the first attempt of a request; 0 for an answer from the cache.
    pub attempt: u32,
    /// When it was settled, in milliseconds since the Unix epoch.
    pub occurred_at_unix_ms: i64,
    /// The id of the virtual key.
    pub api_key_id: Arc<str>,
    /// Whose key it was; absent for a key without tenants.
    #[serde(default)]
    pub tenant: Option<Arc<TenantContext>>,
    /// What answered: `chat.completions`, `responses`, `embeddings`.
    pub endpoint: Arc<str>,
    /// The logical model.
    pub model: Arc<str>,
    /// Who was asked.
    pub provider: Arc<str>,
    /// What the provider calls the model.
    pub provider_model: Arc<str>,
    /// What the provider answered with.
    pub status: u16,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// What it used.
    pub tokens: Tokens,
    /// Where `tokens` come from.
    pub usage_source: UsageSource,
    /// Nano-units (10⁻⁹); absent when the model has no price.
    pub cost_nanos: Option<i64>,
    /// Which recorded price `cost_nanos` was reckoned with; absent without a price, and until the row is written.
    #[serde(default)]
    pub price_version: Option<i64>,
    /// Whether the cache answered: nothing was used then.
    #[serde(default)]
    pub cache_hit: bool,
    /// What the cached answer had cost, in nano-units (10⁻⁹); absent for what was no hit.
    #[serde(default)]
    pub saved_nanos: Option<i64>,
}

/// Which metering events to list; everything that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MeteringEventQuery {
    /// The logical model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The id of a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The name of a provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The id of an organization that the key belonged to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The id of a team that the key belonged to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The id of a project that the key belonged to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The id of a user that the key belonged to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// A part of the key's id, the model, the provider, its model or the endpoint, in capitals or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Only requests that started at or after this time, in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// Only requests that started before this time, in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// Which end of time comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<RequestLogSort>,
    /// `next_cursor` of the page before, which was asked for with the same filters and the same order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many events to pass over, in place of a cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    /// How many events a page may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// How long one aggregate's time span is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    Minute,
    Hour,
    Day,
    /// Everything since `since`, or since the ledger began.
    #[default]
    Total,
}

impl Window {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Total => "total",
        }
    }
}

/// The order of a list of aggregates. Those that are alike in it come by window, key, model and provider.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum UsageAggregateSort {
    #[default]
    #[serde(rename = "-window_start")]
    NewestFirst,
    #[serde(rename = "window_start")]
    OldestFirst,
    #[serde(rename = "-requests")]
    MostRequestsFirst,
    #[serde(rename = "requests")]
    FewestRequestsFirst,
    /// Input and output together.
    #[serde(rename = "-tokens")]
    MostTokensFirst,
    #[serde(rename = "tokens")]
    FewestTokensFirst,
    #[serde(rename = "-cost")]
    DearestFirst,
    #[serde(rename = "cost")]
    CheapestFirst,
}

impl UsageAggregateSort {
    pub const ALL: [Self; 8] = [
        Self::NewestFirst,
        Self::OldestFirst,
        Self::MostRequestsFirst,
        Self::FewestRequestsFirst,
        Self::MostTokensFirst,
        Self::FewestTokensFirst,
        Self::DearestFirst,
        Self::CheapestFirst,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NewestFirst => "-window_start",
            Self::OldestFirst => "window_start",
            Self::MostRequestsFirst => "-requests",
            Self::FewestRequestsFirst => "requests",
            Self::MostTokensFirst => "-tokens",
            Self::FewestTokensFirst => "tokens",
            Self::DearestFirst => "-cost",
            Self::CheapestFirst => "cost",
        }
    }
}

/// Which aggregates to list; everything that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UsageAggregateQuery {
    /// How long one aggregate's time span is.
    #[serde(default)]
    pub window: Window,
    /// The logical model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The id of a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The name of a provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The id of an organization that the key belongs to now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// The id of a team that the key belongs to now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The id of a project that the key belongs to now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The id of a user that the key belongs to now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// A part of the key's id, the model or the provider, in capitals or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// From the window that this time falls into, in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// Only windows that begin before this time, in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// What comes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sort: Option<UsageAggregateSort>,
    /// `next_cursor` of the page before, which was asked for with the same filters and the same order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many aggregates to pass over, in place of a cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    /// How many aggregates a page may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Sums over the ledger for one key, model and provider in one time span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UsageAggregate {
    /// Start of the span, in milliseconds since the Unix epoch; absent for the window `total`.
    pub window_start_unix_ms: Option<i64>,
    /// The id of the virtual key.
    pub api_key_id: Arc<str>,
    /// The logical model.
    pub model: Arc<str>,
    /// The name of the provider.
    pub provider: Arc<str>,
    /// Metered attempts.
    pub requests: u64,
    /// Of these, the ones that did not end as `complete` with a status below 400.
    pub errors: u64,
    /// What they used.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_same_on_the_wire_and_in_a_query() {
        for sort in UsageAggregateSort::ALL {
            assert_eq!(serde_json::to_value(sort).unwrap(), sort.as_str());
        }
        for window in [Window::Minute, Window::Hour, Window::Day, Window::Total] {
            assert_eq!(serde_json::to_value(window).unwrap(), window.as_str());
        }
    }
}
