//! `GET /admin/v1/provider-health`: what the requests of late have shown of each provider. Nothing is probed for it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is known of one provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProviderHealth {
    /// The name of the provider.
    pub provider: Arc<str>,
    /// `openai`, `openai-compatible`, `azure`, `openrouter`, `xai`, `anthropic` or `gemini`.
    pub kind: Arc<str>,
    /// False: nobody is sent there.
    pub enabled: bool,
    /// How it does, in one word.
    pub status: ProviderStatus,
    /// Its circuit breaker.
    pub breaker: BreakerHealth,
    /// Those that have been asked since the gateway started, by name.
    pub models: Vec<ModelHealth>,
    /// In the order of the file. Empty for a provider that takes none.
    pub credentials: Vec<CredentialHealth>,
}

/// How a provider does, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderStatus {
    Healthy,
    /// It is asked, but its last attempt failed, or half of a model's recent ones, or a credential is unset or left aside.
    Degraded,
    /// The circuit breaker passes it over.
    Open,
    /// The circuit breaker is finding out whether it is back.
    HalfOpen,
    /// It has not been asked yet.
    Unknown,
}

/// A provider's circuit breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BreakerHealth {
    /// Where it stands.
    pub state: BreakerState,
    /// Attempts in a row that failed by the provider's fault.
    pub consecutive_failures: u32,
    /// When it opened, in milliseconds since the Unix epoch; absent while it is closed.
    pub opened_at_unix_ms: Option<i64>,
    /// From when on it is probed.
    pub retry_at_unix_ms: Option<i64>,
}

/// Where a circuit breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    Closed,
    Open,
    HalfOpen,
    /// `provider_circuit_breaker_failure_threshold` is 0.
    Off,
}

/// What the attempts at one model of a provider have shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelHealth {
    /// What the provider calls it.
    pub provider_model: Arc<str>,
    /// Attempts that were answered or failed by the provider's fault.
    pub requests: u64,
    /// Of these, the ones that failed.
    pub failures: u64,
    /// Share of the recent attempts that failed, in thousandths.
    pub failure_permille: u32,
    /// Average time of the recent streams to their first content, in microseconds; of whole answers where nothing was
    /// streamed.
    pub latency_us: Option<u64>,
    /// The gateway's name for the last failure; absent where there was none.
    pub last_error_code: Option<Arc<str>>,
    /// When the last attempt failed, in milliseconds since the Unix epoch; absent where none did.
    pub last_error_at_unix_ms: Option<i64>,
    /// When the last attempt was answered, in milliseconds since the Unix epoch; absent where none was.
    pub last_success_at_unix_ms: Option<i64>,
}

/// One credential of a provider. Neither the key nor the name of its variable is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CredentialHealth {
    /// Its place in the file, from 1.
    pub index: u32,
    /// Whether it is used.
    pub state: CredentialState,
    /// When it is used again; absent for a live or unset one.
    pub until_unix_ms: Option<i64>,
}

/// Whether a credential is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialState {
    Live,
    /// The provider answered 401: it is left aside for `provider_credential_retry_secs`.
    Refused,
    /// The provider answered 429 or 403: the others come first until then.
    Resting,
    /// Its environment variable is not set.
    Unset,
}
