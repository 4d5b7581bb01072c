//! What an alert rule can watch.

/// A figure that the gateway knows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AlertMetric {
    /// Requests that ended with a status of 500 or more, or broke after it, of all that ended in the window.
    ErrorRatePercent,
    RequestsPerMinute,
    /// 95 of 100 requests took no longer, from the first header to the last byte.
    LatencyP95Ms,
    /// 95 of 100 answers began no later.
    TtftP95Ms,
    /// Metered, in and out.
    TokensPerMinute,
    /// In the price list's currency.
    CostPerHour,
    /// Requests that were answered with 429.
    RateLimitedPerMinute,
    /// Of the budget that is used up the furthest.
    BudgetUsedPercent,
    /// How many providers' circuit breakers are open.
    ProviderCircuitOpen,
    /// How many of the gateway's credentials are refused by their provider.
    ProviderCredentialRefused,
    /// How full the queue before the database is.
    WriterQueuePercent,
    /// How many request logs were lost in the window.
    LogsDropped,
    /// The size of the ledger.
    DatabaseBytes,
    /// Of the file system that holds the data directory.
    DiskFreePercent,
    /// Since the newest backup; where there is none, since the gateway started.
    BackupAgeHours,
    /// How many jobs of retention failed the last time.
    RetentionFailed,
}

impl AlertMetric {
    /// The word in the configuration.
    pub(super) const WORDS: [(&'static str, Self); 16] = [
        ("error_rate_percent", Self::ErrorRatePercent),
        ("requests_per_minute", Self::RequestsPerMinute),
        ("latency_p95_ms", Self::LatencyP95Ms),
        ("ttft_p95_ms", Self::TtftP95Ms),
        ("tokens_per_minute", Self::TokensPerMinute),
        ("cost_per_hour", Self::CostPerHour),
        ("rate_limited_per_minute", Self::RateLimitedPerMinute),
        ("budget_used_percent", Self::BudgetUsedPercent),
        ("provider_circuit_open", Self::ProviderCircuitOpen),
        (
            "provider_credential_refused",
            Self::ProviderCredentialRefused,
        ),
        ("writer_queue_percent", Self::WriterQueuePercent),
        ("logs_dropped", Self::LogsDropped),
        ("database_bytes", Self::DatabaseBytes),
        ("disk_free_percent", Self::DiskFreePercent),
        ("backup_age_hours", Self::BackupAgeHours),
        ("retention_failed", Self::RetentionFailed),
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ErrorRatePercent => "error_rate_percent",
            Self::RequestsPerMinute => "requests_per_minute",
            Self::LatencyP95Ms => "latency_p95_ms",
            Self::TtftP95Ms => "ttft_p95_ms",
            Self::TokensPerMinute => "tokens_per_minute",
            Self::CostPerHour => "cost_per_hour",
            Self::RateLimitedPerMinute => "rate_limited_per_minute",
            Self::BudgetUsedPercent => "budget_used_percent",
            Self::ProviderCircuitOpen => "provider_circuit_open",
            Self::ProviderCredentialRefused => "provider_credential_refused",
            Self::WriterQueuePercent => "writer_queue_percent",
            Self::LogsDropped => "logs_dropped",
            Self::DatabaseBytes => "database_bytes",
            Self::DiskFreePercent => "disk_free_percent",
            Self::BackupAgeHours => "backup_age_hours",
            Self::RetentionFailed => "retention_failed",
        }
    }

    /// The reverse of [`AlertMetric::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        let mut words = Self::WORDS.into_iter();
        words
            .find(|(known, _)| *known == word)
            .map(|(_, metric)| metric)
    }

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

    /// The keys that narrow it.
    pub(super) fn filters(self) -> &'static [&'static str] {
        match self {
            Self::BudgetUsedPercent => &["account"],
            Self::ProviderCircuitOpen | Self::ProviderCredentialRefused => &["provider"],
            _ if self.is_of_requests() => &["model", "provider", "api_key"],
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_found_again_by_its_word() {
        for (word, metric) in AlertMetric::WORDS {
            assert_eq!(metric.as_str(), word);
            assert_eq!(AlertMetric::parse(word), Some(metric));
        }
        assert_eq!(AlertMetric::parse("weather"), None);
    }
}
