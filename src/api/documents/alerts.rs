//! `[[alerts]]`.

use serde::Deserialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Object, RefOr,
        schema::{Schema, SchemaType, Type},
    },
};

use super::{Name, VariableName};
use crate::{AccountRef, AlertSeverity, words::words};

/// A rule about the gateway itself. It holds while its metric is above, or below, its threshold.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "name": "many-errors",
    "metric": "error_rate_percent",
    "above": 5,
    "for_secs": 60,
    "severity": "critical",
    "webhook_url": "https://hooks.example.com/ferrogate"
})))]
pub struct AlertDocument {
    /// What it is called; unique among alerts.
    pub name: Name,
    /// False: it is not looked at.
    #[schema(default = true)]
    pub enabled: Option<bool>,
    /// What it watches.
    pub metric: AlertMetric,
    /// It holds above this. Either this or `below`.
    pub above: Option<AlertThreshold>,
    /// It holds below this.
    pub below: Option<AlertThreshold>,
    /// Seconds over which it is counted, for metrics that have a window: those of requests, and `logs_dropped`.
    #[schema(minimum = 10, maximum = 86_400, default = 300)]
    pub window_secs: Option<u64>,
    /// Seconds that it has to hold before anybody is told.
    #[schema(minimum = 0, maximum = 86_400, default = 0)]
    pub for_secs: Option<u64>,
    /// Only requests for this model. For metrics of requests.
    pub model: Option<Name>,
    /// Only requests to this provider, or its health. For metrics of requests and of providers.
    pub provider: Option<Name>,
    /// Only requests of this key. For metrics of requests.
    pub api_key: Option<Name>,
    /// Only budgets of this account. For `budget_used_percent`.
    pub account: Option<AccountRef>,
    /// How bad it is.
    #[schema(default = "warning")]
    pub severity: Option<AlertSeverity>,
    /// Who gets a POST of JSON: an `http` or `https` URL without user and fragment.
    #[schema(
        pattern = "^https?://[^/@?#]",
        examples("https://hooks.example.com/ferrogate")
    )]
    pub webhook_url: Option<String>,
    /// In its place, for one whose path or query is a secret: the environment variable of the gateway that holds it.
    pub webhook_url_env: Option<VariableName>,
    /// The environment variable of the gateway with the bearer token for the webhook.
    pub webhook_secret_env: Option<VariableName>,
    /// What whoever is told reads: one line of at most 1024 bytes; left out: the figure and its threshold.
    #[schema(
        min_length = 1,
        max_length = 1024,
        pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    pub message: Option<String>,
}

/// What an alert watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertMetric {
    /// Requests that ended with a status of 500 or more, or broke after it, of all that ended in the window.
    ErrorRatePercent,
    RequestsPerMinute,
    /// 95 of 100 requests took no longer.
    LatencyP95Ms,
    /// 95 of 100 answers began no later.
    TtftP95Ms,
    TokensPerMinute,
    /// In the price list's currency.
    CostPerHour,
    /// Requests that were answered with 429.
    RateLimitedPerMinute,
    /// Of the budget that is used up the furthest.
    BudgetUsedPercent,
    /// How many providers' circuit breakers are open.
    ProviderCircuitOpen,
    /// How many credentials are refused by their provider.
    ProviderCredentialRefused,
    WriterQueuePercent,
    /// How many request logs were lost in the window.
    LogsDropped,
    /// The size of the ledger.
    DatabaseBytes,
    /// Of the file system with the data directory.
    DiskFreePercent,
    /// Since the newest backup; where there is none, since the gateway started.
    BackupAgeHours,
    /// How many jobs of retention failed the last time.
    RetentionFailed,
}

words!(AlertMetric {
    ErrorRatePercent => "error_rate_percent",
    RequestsPerMinute => "requests_per_minute",
    LatencyP95Ms => "latency_p95_ms",
    TtftP95Ms => "ttft_p95_ms",
    TokensPerMinute => "tokens_per_minute",
    CostPerHour => "cost_per_hour",
    RateLimitedPerMinute => "rate_limited_per_minute",
    BudgetUsedPercent => "budget_used_percent",
    ProviderCircuitOpen => "provider_circuit_open",
    ProviderCredentialRefused => "provider_credential_refused",
    WriterQueuePercent => "writer_queue_percent",
    LogsDropped => "logs_dropped",
    DatabaseBytes => "database_bytes",
    DiskFreePercent => "disk_free_percent",
    BackupAgeHours => "backup_age_hours",
    RetentionFailed => "retention_failed",
});

impl AlertMetric {
    /// Whether it is about the requests of a window.
    pub fn is_of_requests(self) -> bool {
        matches!(
            self,
            Self::ErrorRatePercent
                | Self::RequestsPerMinute
                | Self::LatencyP95Ms
                | Self::TtftP95Ms
                | Self::TokensPerMinute
                | Self::CostPerHour
                | Self::RateLimitedPerMinute
        )
    }

    /// Whether it is about what happened in a window, and not about how things stand.
    pub fn has_window(self) -> bool {
        self.is_of_requests() || self == Self::LogsDropped
    }
}

/// What an alert's metric is compared with: a number, or a text such as `"2.5"`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum AlertThreshold {
    Text(String),
    Number(serde_json::Number),
}

// By hand: one schema for both, so that their bounds stand together.
impl PartialSchema for AlertThreshold {
    fn schema() -> RefOr<Schema> {
        Object::builder()
            .schema_type(SchemaType::from_iter([Type::String, Type::Number]))
            .description(Some(
                "A decimal number that is not negative, with at most 6 decimal places.",
            ))
            .pattern(Some("^\\+?[0-9]+(\\.[0-9]+)?$"))
            .minimum(Some(0))
            .maximum(Some(10_000_000_000_000_u64))
            .examples([5])
            .into()
    }
}

impl ToSchema for AlertThreshold {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_found_again_by_its_word() {
        for metric in AlertMetric::ALL {
            assert_eq!(metric.as_str().parse(), Ok(*metric));
            let read: AlertMetric = serde_json::from_value(metric.as_str().into()).unwrap();
            assert_eq!(read, *metric);
        }
        assert!("weather".parse::<AlertMetric>().is_err());
    }
}
