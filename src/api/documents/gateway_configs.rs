//! `[[gateway_configs]]`.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use utoipa::ToSchema;

use super::{HeaderValue, Name, RoutingStrategy, Tags};

/// A profile: how the requests that choose it with `x-ferrogate-config` are handled in another way than others.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "id": "batch",
    "name": "Batch jobs",
    "cache_ttl_secs": 86_400,
    "routing_strategy": "lowest_cost",
    "provider_response_timeout_secs": 600,
    "tags": {"job": "nightly"}
})))]
pub struct GatewayConfigDocument {
    /// What `x-ferrogate-config` names; unique among profiles.
    pub id: Name,
    /// What people call it; left out: its id.
    pub name: Option<String>,
    /// False: nobody can choose it.
    #[schema(default = true)]
    pub enabled: Option<bool>,
    /// The ids of the keys that may choose it; empty: every key.
    pub api_key_ids: Option<BTreeSet<Name>>,
    /// False: its requests pass the cache by. True does not switch on what is off elsewhere.
    pub cache_enabled: Option<bool>,
    /// For how many seconds its answers stay in the cache; left out: as `[cache] ttl_secs` says.
    #[schema(minimum = 1, maximum = 31_536_000)]
    pub cache_ttl_secs: Option<u64>,
    /// The model that is asked, whatever the request names.
    pub model: Option<Name>,
    /// How the model's candidates are put in order; left out: as the model says.
    pub routing_strategy: Option<RoutingStrategy>,
    /// Seconds until a provider has to be connected to; left out: as `[reliability]` says.
    #[schema(minimum = 1, maximum = 3600)]
    pub provider_dispatch_timeout_secs: Option<u64>,
    /// Seconds until a whole answer has to be there; left out: as `[reliability]` says.
    #[schema(minimum = 1, maximum = 86_400)]
    pub provider_response_timeout_secs: Option<u64>,
    /// Seconds that a stream may take; left out: as `[reliability]` says.
    #[schema(minimum = 1, maximum = 86_400)]
    pub provider_stream_timeout_secs: Option<u64>,
    /// What is noted with each of its requests.
    pub tags: Option<Tags>,
    /// Headers for the provider, each of which `[limits] gateway_config_request_headers` allows.
    pub request_headers: Option<BTreeMap<String, HeaderValue>>,
}
