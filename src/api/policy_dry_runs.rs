//! Dry runs of policies: what they would have refused of the requests that were.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::documents::PolicyDocument;

/// Over which requests, and with which policies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "hours": 24,
    "policy": {"name": "draft", "effect": "deny", "when": {"estimated_cost_above": "0.50"}}
})))]
pub struct PolicyDryRunRequest {
    /// The requests of the last so many hours.
    #[schema(minimum = 1, maximum = 87_840)]
    pub hours: u32,
    /// One policy to try alone, with the keys of `[[policies]]`; without it, those that are in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<PolicyDocument>)]
    pub policy: Option<serde_json::Value>,
}

/// What would have become of the requests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyDryRun {
    /// Requests of a key to a model: those that policies have a say in.
    pub examined: u64,
    /// Of these, the ones that would have been refused and were not.
    pub refused: u64,
    /// Of these, the ones that were refused at the time, by whatever check; no policy is counted for them.
    pub already_refused: u64,
    /// Every enabled policy in declared order. A request counts for the first that refuses it.
    pub by_policy: Vec<PolicyDryRunCount>,
}

/// What one policy would have refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PolicyDryRunCount {
    /// The name of the policy.
    pub name: Arc<str>,
    /// So many requests.
    pub refused: u64,
    /// Some of these requests, for the request log.
    pub sample_request_ids: Vec<String>,
}
