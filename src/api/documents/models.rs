//! `[[models]]` and their fallbacks.

use std::collections::BTreeSet;

use serde::Deserialize;
use utoipa::ToSchema;

use super::{Capability, Decimal, Name, RoutingStrategy};

/// A logical model: the name that clients ask for, and who answers for it. Its own fields name the first candidate.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "name": "drafts",
    "provider": "openai",
    "provider_model": "gpt-4o-mini",
    "capabilities": ["chat", "streaming", "tools"],
    "input_price_per_1m": "0.15",
    "output_price_per_1m": "0.60",
    "context_window": 128_000
})))]
pub struct ModelDocument {
    /// What clients send; unique among models.
    pub name: Name,
    /// The name of a provider.
    pub provider: Name,
    /// What the provider calls it.
    #[schema(min_length = 1, examples("gpt-4o-mini"))]
    pub provider_model: String,
    /// False: it is not there for clients.
    #[schema(default = true)]
    pub enabled: Option<bool>,
    /// What it can do; empty: every endpoint.
    pub capabilities: Option<BTreeSet<Capability>>,
    /// Of a million input tokens, with at most 6 decimal places. Left out, the price catalog is asked. It stands beside
    /// `output_price_per_1m`.
    pub input_price_per_1m: Option<Decimal>,
    /// Of a million output tokens, with at most 6 decimal places.
    pub output_price_per_1m: Option<Decimal>,
    /// Of a million input tokens that were read from the provider's cache; left out: the input price.
    pub cache_read_price_per_1m: Option<Decimal>,
    /// Of a million input tokens that were written to the provider's cache; left out: the input price.
    pub cache_write_price_per_1m: Option<Decimal>,
    /// Tokens that a hold assumes for an answer whose request names no maximum.
    #[schema(minimum = 1, maximum = 100_000_000, default = 4096)]
    pub default_max_output_tokens: Option<u64>,
    /// The smallest number is tried first.
    #[schema(minimum = 0, maximum = 1_000_000, default = 0)]
    pub priority: Option<u32>,
    /// Its share of the draws among candidates of equal priority.
    #[schema(minimum = 1, maximum = 1_000_000, default = 1)]
    pub weight: Option<u32>,
    /// In tokens: longer prompts are not sent there; left out: any prompt is.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub context_window: Option<u64>,
    /// How its candidates are put in order.
    #[schema(default = "priority")]
    pub routing_strategy: Option<RoutingStrategy>,
    /// The ids of the organizations whose keys may use it; empty: all.
    pub visible_organization_ids: Option<BTreeSet<Name>>,
    /// The ids of the projects whose keys may use it; empty: all.
    pub visible_project_ids: Option<BTreeSet<Name>>,
    /// Who else may answer for it, in this order.
    #[schema(max_items = 32)]
    pub fallbacks: Option<Vec<ModelFallbackDocument>>,
    /// Whether its answers may come from the cache.
    #[schema(default = true)]
    pub cache_enabled: Option<bool>,
}

/// One more candidate of a model.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelFallbackDocument {
    /// The name of a provider.
    pub provider: Name,
    /// What the provider calls it.
    #[schema(min_length = 1, examples("llama-3.3-70b"))]
    pub provider_model: String,
    /// False: it is passed over.
    #[schema(default = true)]
    pub enabled: Option<bool>,
    /// What it can do; left out: what the model can.
    pub capabilities: Option<BTreeSet<Capability>>,
    /// Of a million input tokens, with at most 6 decimal places. Left out, the price catalog is asked.
    pub input_price_per_1m: Option<Decimal>,
    /// Of a million output tokens, with at most 6 decimal places.
    pub output_price_per_1m: Option<Decimal>,
    /// Of a million input tokens that were read from the provider's cache; left out: the input price.
    pub cache_read_price_per_1m: Option<Decimal>,
    /// Of a million input tokens that were written to the provider's cache; left out: the input price.
    pub cache_write_price_per_1m: Option<Decimal>,
    /// Tokens that a hold assumes for an answer whose request names no maximum; left out: as the model says.
    #[schema(minimum = 1, maximum = 100_000_000)]
    pub default_max_output_tokens: Option<u64>,
    /// The smallest number is tried first; left out: 100, or 0 where the model's strategy is `weighted`.
    #[schema(minimum = 0, maximum = 1_000_000)]
    pub priority: Option<u32>,
    /// Its share of the draws among candidates of equal priority.
    #[schema(minimum = 1, maximum = 1_000_000, default = 1)]
    pub weight: Option<u32>,
    /// In tokens; the model's own is not inherited.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub context_window: Option<u64>,
}
