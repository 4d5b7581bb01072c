//! Profiles as the admin API shows them: what a client chooses with `x-ferrogate-config`.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::Origin;

/// One profile. What is absent is left as the model and the configuration say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayConfig {
    /// `gateway_config`.
    pub object: Arc<str>,
    pub id: Arc<str>,
    pub name: String,
    pub enabled: bool,
    /// Who may choose it; empty: every key.
    pub api_key_ids: Vec<Arc<str>>,
    pub cache_enabled: Option<bool>,
    pub cache_ttl_secs: Option<u64>,
    pub model: Option<Arc<str>>,
    pub routing_strategy: Option<Arc<str>>,
    pub provider_dispatch_timeout_secs: Option<u64>,
    pub provider_response_timeout_secs: Option<u64>,
    pub provider_stream_timeout_secs: Option<u64>,
    pub tags: BTreeMap<String, String>,
    pub request_headers: BTreeMap<String, String>,
    pub origin: Origin,
    /// 1 when it is made, one more with every change; what the file says for a profile of the file.
    #[serde(default)]
    pub revision: Option<u64>,
    #[serde(default)]
    pub created_at_unix_ms: Option<i64>,
    #[serde(default)]
    pub updated_at_unix_ms: Option<i64>,
}
