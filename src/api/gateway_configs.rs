//! Profiles as the admin API shows them: what a client chooses with `x-ferrogate-config`.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Origin;

/// One profile. What is absent is left as the model and the configuration say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GatewayConfig {
    /// `gateway_config`.
    pub object: Arc<str>,
    /// What `x-ferrogate-config` names.
    pub id: Arc<str>,
    /// What people call it.
    pub name: String,
    /// False: nobody can choose it.
    pub enabled: bool,
    /// Who may choose it; empty: every key.
    pub api_key_ids: Vec<Arc<str>>,
    /// False: its requests pass the cache by.
    pub cache_enabled: Option<bool>,
    /// For how many seconds its answers stay in the cache.
    pub cache_ttl_secs: Option<u64>,
    /// The model that is asked, whatever the request names.
    pub model: Option<Arc<str>>,
    /// `priority`, `weighted`, `lowest_cost`, `lowest_latency` or `balanced`.
    pub routing_strategy: Option<Arc<str>>,
    /// Seconds until a provider has to be connected to.
    pub provider_dispatch_timeout_secs: Option<u64>,
    /// Seconds until a whole answer has to be there.
    pub provider_response_timeout_secs: Option<u64>,
    /// Seconds that a stream may take.
    pub provider_stream_timeout_secs: Option<u64>,
    /// What is noted with each of its requests.
    pub tags: BTreeMap<String, String>,
    /// Headers for the provider.
    pub request_headers: BTreeMap<String, String>,
    /// Where it was declared, and so who may change it.
    pub origin: Origin,
    /// 1 when it is made, one more with every change; what the file says for a profile of the file.
    #[serde(default)]
    pub revision: Option<u64>,
    /// When it was made, in milliseconds since the Unix epoch; absent for what is not in the database.
    #[serde(default)]
    pub created_at_unix_ms: Option<i64>,
    /// When it was changed last, in milliseconds since the Unix epoch; absent for what is not in the database.
    #[serde(default)]
    pub updated_at_unix_ms: Option<i64>,
}

/// Which profiles to list; everything that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct GatewayConfigFilter {
    /// Only those that are switched on, or off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Only those that were declared there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}
