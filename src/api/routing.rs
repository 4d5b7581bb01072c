//! Why a request went where it went: written while it happens, kept with its request log, never derived again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::ErrorDetail;

/// How the candidates of one request were ordered, and what became of those that were tried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoutingTrace {
    /// The logical model the client asked for.
    pub model: Arc<str>,
    /// `priority`, `weighted`, `lowest_cost`, `lowest_latency` or `balanced`.
    pub strategy: Arc<str>,
    /// What the client speaks: `chat`, `responses`, `messages`, `gemini`, `embeddings`.
    pub dialect: Arc<str>,
    /// Estimated input tokens, which `context_window` was held against.
    pub input_tokens_estimate: u64,
    /// In the order they would be tried; those passed over come last.
    pub candidates: Vec<CandidateTrace>,
    /// In the order they happened.
    #[serde(default)]
    pub attempts: Vec<AttemptTrace>,
}

/// One candidate, and why it stands where it stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CandidateTrace {
    /// The name of the provider.
    pub provider: Arc<str>,
    /// What the provider calls the model.
    pub provider_model: Arc<str>,
    /// The dialect the provider is spoken to in; equal to the client's where bytes pass through.
    pub api: Arc<str>,
    /// 1 for the first; absent for a candidate that was passed over.
    pub rank: Option<u32>,
    /// One sentence: "first by priority 0", "passed over: the circuit breaker is open for another 12 s".
    pub reason: String,
    /// Its `priority`.
    pub priority: u32,
    /// Its `weight`.
    pub weight: u32,
    /// Estimated cost of this request in nano-units; absent without a price.
    pub cost_nanos_estimate: Option<i64>,
    /// Observed time to the first content, in microseconds; absent before there is any.
    pub latency_us: Option<u64>,
    /// Share of recent attempts that failed by the provider's fault, in thousandths.
    pub failure_permille: Option<u32>,
}

/// One attempt, and what was decided after it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttemptTrace {
    /// Who was asked.
    pub provider: Arc<str>,
    /// What the provider calls the model.
    pub provider_model: Arc<str>,
    /// Which of the provider's credentials, counted from 1; absent where it has none.
    pub credential: Option<u32>,
    /// Since the request's first byte, in microseconds.
    pub began_us: u64,
    /// How long the attempt took, in microseconds.
    pub duration_us: u64,
    /// What the provider answered with; 0 when it did not.
    pub status: u16,
    /// The gateway's name for the failure; absent when the attempt answered.
    pub error_code: Option<Arc<str>>,
    /// One sentence: "answered", "tried again after 180 ms", "fell back: the provider answered 503".
    pub decision: String,
}

/// A request to be explained without being made: `POST /admin/v1/routes:explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "key": "spender",
    "path": "/v1/chat/completions",
    "body": {"model": "fast", "messages": [{"role": "user", "content": "hello"}]}
})))]
pub struct ExplainRequest {
    /// The id of the virtual key that would ask.
    pub key: String,
    /// Where it would be sent: `/v1/chat/completions`, `/v1beta/models/fast:generateContent`.
    #[serde(default = "chat_completions")]
    #[schema(examples("/v1/messages"))]
    pub path: String,
    /// The body it would have.
    pub body: Value,
}

fn chat_completions() -> String {
    "/v1/chat/completions".to_owned()
}

/// What would become of it now: who would be asked, in which order, and what stands against it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// Absent where the request would not come as far as routing.
    pub routing: Option<RoutingTrace>,
    /// The error it would be answered with before anybody was asked.
    pub refusal: Option<ErrorDetail>,
}
