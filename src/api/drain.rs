//! Taking a gateway out of service and putting it back.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether the gateway takes new work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DrainStatus {
    /// Always `drain_status`.
    pub object: Arc<str>,
    /// `/readyz` answers 503, and connections are closed after their answer.
    pub draining: bool,
    /// False: new AI requests are refused with 503 `node_draining`.
    pub accepting_new_requests: bool,
    /// `operator_drain` or `shutdown`; absent while it does not drain.
    pub drain_reason: Option<String>,
    /// What the operator gave as the reason.
    pub message: Option<String>,
    /// Requests that have not ended.
    pub in_flight: u64,
}

/// How to drain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({"reason": "a new kernel"})))]
pub struct DrainRequest {
    /// False puts the gateway back into service, as DELETE does.
    #[serde(default = "yes")]
    pub drain: bool,
    /// True: refuse new AI requests with 503 at once, in place of serving them until a balancer has noticed.
    #[serde(default)]
    pub refuse_new: bool,
    /// Why, for the audit log and the status.
    #[serde(default)]
    #[schema(max_length = 500, pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$")]
    pub reason: Option<String>,
}

fn yes() -> bool {
    true
}
