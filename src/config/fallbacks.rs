//! `[[models.fallbacks]]`: who else may answer for a model.
//!
//! A model's own keys name its first candidate in the same words, and are read by the same code.

use std::sync::Arc;

use super::{
    Capability, Price, PriceCatalog, Provider, RoutingStrategy, UnknownPrice, models::Serving,
    reader::Section,
};

/// One more candidate of a model.
#[derive(Debug, Clone)]
pub struct Fallback {
    /// `provider`: the name of a `[[providers]]` entry.
    pub provider: Arc<str>,
    /// `provider_model`: what the provider calls it.
    pub provider_model: Arc<str>,
    /// What the file says, else what the price catalog knows; `None` where neither does.
    pub price: Option<Price>,
    /// Whether the file says it.
    pub has_own_price: bool,
    /// `priority`: the smallest number is tried first; default 100, under `weighted` 0.
    pub priority: u32,
    /// `weight`: share of the draws among candidates of equal priority; default 1, never 0.
    pub weight: u32,
    /// `context_window` in tokens; `None`: any prompt is sent. The model's own is not inherited.
    pub context_window: Option<u64>,
    /// `capabilities`; `None`: the model's.
    pub capabilities: Option<Vec<Capability>>,
    /// `default_max_output_tokens`; `None`: the model's.
    pub default_max_output_tokens: Option<u64>,
    /// `enabled`; default true.
    pub enabled: bool,
}

/// What the candidates of one model are read against.
#[derive(Clone, Copy)]
pub(super) struct Terms<'n> {
    pub(super) serving: Serving<'n>,
    /// The model's name, where it has a usable one.
    pub(super) model: Option<&'n str>,
    pub(super) model_enabled: bool,
    pub(super) routing_strategy: RoutingStrategy,
}

impl Fallback {
    pub(super) const LATER: &'static [&'static str] = &[];
    const COUNT_MAX: usize = 32;

    pub(super) fn read_all(section: &mut Section<'_, '_>, terms: Terms<'_>) -> Vec<Self> {
        let default = terms.routing_strategy.fallback_priority();
        let fallbacks = section.sections("fallbacks", Self::LATER, |section| {
            Self::read(section, terms, default)
        });
        if fallbacks.len() > Self::COUNT_MAX {
            let place = section.place_of("fallbacks");
            section.error(&place, format!("must be at most {}", Self::COUNT_MAX));
        }
        fallbacks
    }

    /// Reads one candidate, the model's first one too.
    pub(super) fn read(
        section: &mut Section<'_, '_>,
        terms: Terms<'_>,
        default_priority: u32,
    ) -> Option<Self> {
        let provider = terms.serving.provider_names.refer(section, "provider");
        let provider_model = section.required("provider_model", |text| match text {
            "" => Err("must not be empty".to_owned()),
            name => Ok(Arc::from(name)),
        });
        let written = Price::read(section);
        let priority = section.number("priority", default_priority, 0..=1_000_000);
        let weight = section.number("weight", 1, 1..=1_000_000);
        let context_window = section.number_if_set("context_window", 1..=1_000_000_000);
        let capabilities = Capability::read_all(section);
        let default_max_output_tokens =
            section.number_if_set("default_max_output_tokens", 1..=100_000_000);
        let enabled = section.flag("enabled", true);
        let mut fallback = Self {
            provider: provider?,
            provider_model: provider_model?,
            price: written,
            has_own_price: Price::is_written(section),
            priority,
            weight,
            context_window,
            capabilities: section.has("capabilities").then_some(capabilities),
            default_max_output_tokens,
            enabled,
        };
        if !fallback.has_own_price {
            fallback.ask_catalog(section, terms);
        }
        Some(fallback)
    }

    /// The same provider's same model.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (&self.provider, &self.provider_model) == (&other.provider, &other.provider_model)
    }

    /// Takes the catalog's price, and speaks up where a candidate in use has none.
    fn ask_catalog(&mut self, section: &mut Section<'_, '_>, terms: Terms<'_>) {
        let mut providers = terms.serving.providers.iter();
        // One that could not be read has its own errors.
        let Some(provider) = providers.find(|provider| provider.name == self.provider) else {
            return;
        };
        self.price = catalog_price(provider, &self.provider_model);
        let in_use = self.enabled && terms.model_enabled && provider.enabled;
        if self.price.is_some() || !in_use {
            return;
        }
        let place = section.place();
        let lack = lack_of_price(terms.model.unwrap_or_default(), &self.provider);
        if terms.routing_strategy == RoutingStrategy::LowestCost {
            section.error(&place, needed_price(&lack));
            return;
        }
        let consequence = match terms.serving.unknown_price {
            UnknownPrice::Flag => "its cost is recorded as unknown",
            UnknownPrice::Deny => "it is not asked, because `[pricing] unknown` is `deny`",
        };
        section.warn(&place, format!("{lack}: {consequence}; {REMEDY}"));
    }
}

const REMEDY: &str = "set `input_price_per_1m` and `output_price_per_1m`";

/// What the catalog knows of this provider's model.
pub(super) fn catalog_price(provider: &Provider, provider_model: &str) -> Option<Price> {
    PriceCatalog::embedded().price(provider.kind, provider_model)
}

pub(super) fn lack_of_price(model: &str, provider: &str) -> String {
    format!("model `{model}` has no price at provider `{provider}`")
}

/// Cheapest first is no order where nobody knows what costs what.
pub(super) fn needed_price(lack: &str) -> String {
    format!("{lack}, which `lowest_cost` needs; {REMEDY}")
}
