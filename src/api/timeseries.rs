//! `GET /admin/v1/timeseries`: what happened over time, in steps.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::words::words;

/// What is measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeseriesMetric {
    /// Requests that ended.
    #[default]
    Requests,
    /// Those that ended with a status of 500 or more, or broke after the status was sent.
    Errors,
    /// Those that ended with a status of 400 to 499.
    ClientErrors,
    /// Those that a limit refused (429).
    RateLimited,
    /// Those that the cache answered.
    CacheHits,
    /// Input and output tokens.
    Tokens,
    /// Nano-units (10⁻⁹) of money.
    Cost,
    /// Microseconds from the first byte of a request to the last of its answer.
    Latency,
    /// Microseconds to the first content.
    Ttft,
    /// Microseconds that the gateway itself added.
    Overhead,
}

words!(TimeseriesMetric {
    Requests => "requests",
    Errors => "errors",
    ClientErrors => "client_errors",
    RateLimited => "rate_limited",
    CacheHits => "cache_hits",
    Tokens => "tokens",
    Cost => "cost",
    Latency => "latency",
    Ttft => "ttft",
    Overhead => "overhead",
});

/// What the lines of a chart are told apart by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeseriesBy {
    /// One line of everything.
    #[default]
    None,
    Model,
    Provider,
    /// Virtual keys, by their ids.
    Key,
    Endpoint,
    Organization,
    Team,
    Project,
    User,
}

words!(TimeseriesBy {
    None => "none",
    Model => "model",
    Provider => "provider",
    Key => "key",
    Endpoint => "endpoint",
    Organization => "organization",
    Team => "team",
    Project => "project",
    User => "user",
});

/// How long one step is. Steps begin at whole multiples of it, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub enum TimeseriesStep {
    #[serde(rename = "1m")]
    Minute,
    #[serde(rename = "5m")]
    FiveMinutes,
    #[serde(rename = "1h")]
    Hour,
    #[serde(rename = "1d")]
    Day,
}

words!(TimeseriesStep {
    Minute => "1m",
    FiveMinutes => "5m",
    Hour => "1h",
    Day => "1d",
});

impl TimeseriesStep {
    pub fn millis(self) -> i64 {
        match self {
            Self::Minute => 60_000,
            Self::FiveMinutes => 5 * 60_000,
            Self::Hour => 3_600_000,
            Self::Day => 24 * 3_600_000,
        }
    }
}

/// Where the figures come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeseriesSource {
    /// The ledger: every attempt at a provider, in the minute in which it was settled, with corrections.
    Ledger,
    /// The requests: each as a whole, in the minute in which it ended.
    Requests,
}

/// What to draw. Every filter is optional; all given ones must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct TimeseriesQuery {
    /// `requests` where nothing is said.
    pub metric: Option<TimeseriesMetric>,
    /// How far back from now: a number and `m`, `h` or `d`. `1h` where nothing is said.
    #[param(example = "24h")]
    pub window: Option<String>,
    /// Instead of `window`: from this time on, in milliseconds since the Unix epoch.
    pub since: Option<i64>,
    /// Up to this time, in milliseconds since the Unix epoch; now where nothing is said.
    pub until: Option<i64>,
    /// `1m`, `5m`, `1h`, `1d` or `auto`, which takes the finest that makes at most 300 steps.
    #[param(example = "auto")]
    pub step: Option<String>,
    /// `none` where nothing is said.
    pub by: Option<TimeseriesBy>,
    /// How many lines of their own; the rest is one line. 10 where nothing is said, and at most 50.
    pub top: Option<u32>,
    /// The id of a virtual key.
    pub key: Option<String>,
    /// The logical model that was asked for.
    pub model: Option<String>,
    /// Who was asked.
    pub provider: Option<String>,
    /// What answered: `chat.completions`, `responses`, `embeddings`, `models`, or `route:<name>`.
    pub endpoint: Option<String>,
    /// The id of an organization that the key belonged to.
    pub organization: Option<String>,
    /// The id of a team.
    pub team: Option<String>,
    /// The id of a project.
    pub project: Option<String>,
    /// The id of a user.
    pub user: Option<String>,
}

/// A chart: some lines over the same steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Timeseries {
    /// Always `timeseries`.
    pub object: Arc<str>,
    /// What is measured.
    pub metric: TimeseriesMetric,
    /// What the lines are told apart by.
    pub by: TimeseriesBy,
    /// How long one step is.
    pub step: TimeseriesStep,
    /// Where the figures come from.
    pub source: TimeseriesSource,
    /// The beginning of the first step.
    pub since_unix_ms: i64,
    /// The end of the last step, which may not be over.
    pub until_unix_ms: i64,
    /// When each step begins.
    pub at_unix_ms: Vec<i64>,
    /// The largest first, and at last the rest of them, if there is one.
    pub lines: Vec<TimeseriesLine>,
    /// False: reading took longer than `[storage] list_time_limit_ms`, and the newest steps are missing.
    pub complete: bool,
}

/// One line of a chart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TimeseriesLine {
    /// What it is the line of; absent for what has none, such as requests without a key, and for a line of everything.
    pub name: Option<Arc<str>>,
    /// All that has no line of its own.
    pub is_other: bool,
    /// One value for each step, by name: `count`; for tokens `input` and `output`; for cost `nanos`; for times `count`,
    /// and `p50`, `p95` and `p99` in microseconds, which are absent where nothing was measured.
    pub values: BTreeMap<Arc<str>, Vec<Option<i64>>>,
    /// The same over the whole window.
    pub totals: BTreeMap<Arc<str>, Option<i64>>,
}

#[cfg(test)]
mod tests {
    use std::{fmt, str::FromStr};

    use super::*;

    #[test]
    fn every_word_is_found_again_by_its_name() {
        fn check<T>(words: &[T])
        where
            T: Copy + fmt::Debug + fmt::Display + PartialEq + FromStr<Err = String> + Serialize,
        {
            for word in words {
                let name = word.to_string();
                assert_eq!(name.parse(), Ok(*word));
                assert_eq!(serde_json::to_value(word).unwrap(), name);
            }
            assert!(
                "x".parse::<T>()
                    .unwrap_err()
                    .contains(&words[0].to_string())
            );
        }
        check(TimeseriesMetric::ALL);
        check(TimeseriesBy::ALL);
        check(TimeseriesStep::ALL);
    }
}
