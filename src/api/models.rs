//! Models as the admin API shows them: the names that clients ask for, and who answers for each.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Capability, Origin};

/// One logical model. Its own fields name its first candidate; `fallbacks` has the others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Model {
    /// `model`.
    pub object: Arc<str>,
    /// What clients send.
    pub name: Arc<str>,
    /// The name of a provider.
    pub provider: Arc<str>,
    /// What the provider calls it.
    pub provider_model: Arc<str>,
    /// False: it is not there for clients.
    pub enabled: bool,
    /// `chat`, `embeddings`, `streaming`, `tools`, `vision`, `json`, `reasoning`; empty: every endpoint.
    pub capabilities: Vec<String>,
    /// The prices that count, declared or from the catalog; absent where nobody knows them.
    #[serde(flatten)]
    pub price: ModelPrice,
    /// Tokens that a hold assumes for an answer whose request names no maximum.
    pub default_max_output_tokens: u64,
    /// The smallest number is tried first.
    pub priority: u32,
    /// Share of the draws among candidates of equal priority.
    pub weight: u32,
    /// In tokens; absent: any prompt is sent.
    pub context_window: Option<u64>,
    /// `priority`, `weighted`, `lowest_cost`, `lowest_latency` or `balanced`.
    pub routing_strategy: String,
    /// Whose keys may use it; empty: all.
    pub visible_organization_ids: Vec<Arc<str>>,
    /// Whose keys may use it; empty: all.
    pub visible_project_ids: Vec<Arc<str>>,
    /// Who else may answer for it, in this order.
    pub fallbacks: Vec<ModelFallback>,
    /// Whether its answers may come from the cache.
    pub cache_enabled: bool,
    /// Where it was declared, and so who may change it.
    pub origin: Origin,
    /// 1 when it is made, one more with every change; absent for what is not in the database.
    #[serde(default)]
    pub revision: Option<u64>,
    /// When it was made, in milliseconds since the Unix epoch; absent for what is not in the database.
    #[serde(default)]
    pub created_at_unix_ms: Option<i64>,
    /// When it was changed last, in milliseconds since the Unix epoch; absent for what is not in the database.
    #[serde(default)]
    pub updated_at_unix_ms: Option<i64>,
}

/// Who else may answer for a model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelFallback {
    /// The name of a provider.
    pub provider: Arc<str>,
    /// What the provider calls it.
    pub provider_model: Arc<str>,
    /// False: it is passed over.
    pub enabled: bool,
    #[serde(flatten)]
    pub price: ModelPrice,
    /// The smallest number is tried first.
    pub priority: u32,
    /// Share of the draws among candidates of equal priority.
    pub weight: u32,
    /// In tokens; the model's own is not inherited.
    pub context_window: Option<u64>,
    /// Absent: the model's.
    pub capabilities: Option<Vec<String>>,
    /// Absent: the model's.
    pub default_max_output_tokens: Option<u64>,
}

/// Prices of a million tokens, as decimal numbers in the currency of the price list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ModelPrice {
    /// Of a million input tokens; absent where nobody knows it.
    pub input_price_per_1m: Option<String>,
    /// Of a million output tokens; absent where nobody knows it.
    pub output_price_per_1m: Option<String>,
    /// Of a million input tokens that were read from the provider's cache; absent: the input price.
    pub cache_read_price_per_1m: Option<String>,
    /// Of a million input tokens that were written to the provider's cache; absent: the input price.
    pub cache_write_price_per_1m: Option<String>,
    /// Whether nobody declared them and the catalog was asked.
    #[serde(default)]
    pub price_from_catalog: bool,
    /// What a request with a long prompt costs instead; the catalog knows it of some models.
    #[serde(default)]
    pub long_context: Option<LongContextPrice>,
}

/// The prices of a whole request whose prompt is over a threshold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LongContextPrice {
    /// Prompts of so many tokens, cached ones included, still cost the ordinary price.
    pub above_input_tokens: u64,
    /// Of a million input tokens.
    pub input_price_per_1m: String,
    /// Of a million output tokens.
    pub output_price_per_1m: String,
    /// Of a million input tokens that were read from the provider's cache; absent: the input price.
    pub cache_read_price_per_1m: Option<String>,
    /// Of a million input tokens that were written to the provider's cache; absent: the input price.
    pub cache_write_price_per_1m: Option<String>,
}

/// Which models to list; everything that is given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ModelFilter {
    /// The name of a provider that is one of its candidates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// A word of its own `capabilities`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<Capability>)]
    pub capability: Option<String>,
    /// Only those that are switched on, or off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Only those that were declared there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_reads_what_it_writes_and_its_prices_stand_beside_its_name() {
        let price = ModelPrice {
            input_price_per_1m: Some("0.15".to_owned()),
            ..ModelPrice::default()
        };
        let model = Model {
            object: "model".into(),
            name: "fast".into(),
            price: price.clone(),
            fallbacks: vec![ModelFallback {
                provider: "openai".into(),
                price,
                ..ModelFallback::default()
            }],
            ..Model::default()
        };
        let json = serde_json::to_value(&model).unwrap();
        assert_eq!(json["input_price_per_1m"], "0.15");
        assert_eq!(json["fallbacks"][0]["input_price_per_1m"], "0.15");
        assert_eq!(serde_json::from_value::<Model>(json).unwrap(), model);
    }
}
