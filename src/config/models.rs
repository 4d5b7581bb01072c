//! `[[models]]`: the logical names clients ask for, and who answers for each.

use std::sync::Arc;

use super::{
    Fallback, Price, Provider, RoutingStrategy, UnknownPrice,
    fallbacks::{Terms, catalog_price},
    names::{self, Names},
    reader::Section,
    values::one_of,
};

/// One logical model. Who answers for it first is in its own fields, who else may is in `fallbacks`.
#[derive(Debug, Clone)]
pub struct Model {
    /// `name`: what clients send.
    pub name: Arc<str>,
    /// `provider`: the name of a `[[providers]]` entry.
    pub provider: Arc<str>,
    /// `provider_model`: what the provider calls it.
    pub provider_model: Arc<str>,
    /// `capabilities`: empty means every endpoint.
    pub capabilities: Vec<Capability>,
    /// What the file says, else what the price catalog knows; `None` where neither does.
    pub price: Option<Price>,
    /// Whether the file says it.
    pub has_own_price: bool,
    /// `default_max_output_tokens`: what a hold assumes when the request names no maximum; default 4096.
    pub default_max_output_tokens: u64,
    /// `priority`: the smallest number is tried first; default 0.
    pub priority: u32,
    /// `weight`: share of the draws among candidates of equal priority; default 1, never 0.
    pub weight: u32,
    /// `context_window` in tokens; `None`: any prompt is sent.
    pub context_window: Option<u64>,
    /// `routing_strategy`; default `priority`.
    pub routing_strategy: RoutingStrategy,
    /// `visible_organization_ids`, `visible_project_ids`: whose keys may use it; empty means all.
    pub visible_organization_ids: Vec<Arc<str>>,
    pub visible_project_ids: Vec<Arc<str>>,
    /// `fallbacks`, in the order of the file.
    pub fallbacks: Vec<Fallback>,
    /// `cache_enabled`: whether its answers may come from the cache; default true.
    pub cache_enabled: bool,
    /// `enabled`; default true.
    pub enabled: bool,
}

/// A word of `capabilities`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Everything that converses: chat completions, responses, messages and Gemini.
    Chat,
    Embeddings,
    Streaming,
    Tools,
    Vision,
    Json,
    Reasoning,
}

/// What models are read against: the providers before them, and what is to be said where nobody knows a price.
#[derive(Clone, Copy)]
pub(super) struct Serving<'n> {
    pub(super) provider_names: &'n Names,
    pub(super) providers: &'n [Provider],
    pub(super) unknown_price: UnknownPrice,
}

impl Model {
    pub(super) const LATER: &'static [&'static str] = &[];

    pub(super) fn read(
        section: &mut Section<'_, '_>,
        names: &mut Names,
        serving: Serving<'_>,
    ) -> Option<Self> {
        let name = names.claim(section, "name");
        let strategies = RoutingStrategy::ALL.map(|strategy| (strategy.as_str(), strategy));
        let routing_strategy =
            section.choice("routing_strategy", RoutingStrategy::default(), &strategies);
        let visible_organization_ids = section.all_parsed("visible_organization_ids", names::id);
        let visible_project_ids = section.all_parsed("visible_project_ids", names::id);
        let cache_enabled = section.flag("cache_enabled", true);
        let terms = Terms {
            serving,
            model: name.as_deref(),
            model_enabled: section.flag("enabled", true),
            routing_strategy,
        };
        let first = Fallback::read(section, terms, 0);
        let fallbacks = Fallback::read_all(section, terms);
        let first = first?;
        warn_of_repeats(section, &first, &fallbacks);
        Some(Self {
            name: name?,
            provider: first.provider,
            provider_model: first.provider_model,
            capabilities: first.capabilities.unwrap_or_default(),
            price: first.price,
            has_own_price: first.has_own_price,
            default_max_output_tokens: first.default_max_output_tokens.unwrap_or(4096),
            priority: first.priority,
            weight: first.weight,
            context_window: first.context_window,
            routing_strategy,
            visible_organization_ids,
            visible_project_ids,
            fallbacks,
            cache_enabled,
            enabled: first.enabled,
        })
    }
}

/// One of those who answer for a model.
pub(super) struct Candidate<'m> {
    /// Which of its fallbacks it is; `None` for the model's own keys.
    pub(super) fallback: Option<usize>,
    pub(super) provider: &'m Arc<str>,
    pub(super) provider_model: &'m Arc<str>,
    pub(super) has_own_price: bool,
    pub(super) enabled: bool,
}

impl Model {
    /// Everybody who may answer, in the order of the file.
    pub(super) fn candidates(&self) -> impl Iterator<Item = Candidate<'_>> {
        let first = Candidate {
            fallback: None,
            provider: &self.provider,
            provider_model: &self.provider_model,
            has_own_price: self.has_own_price,
            enabled: self.enabled,
        };
        let fallbacks = (0..).zip(&self.fallbacks);
        let fallbacks = fallbacks.map(|(index, fallback)| Candidate {
            fallback: Some(index),
            provider: &fallback.provider,
            provider_model: &fallback.provider_model,
            has_own_price: fallback.has_own_price,
            enabled: fallback.enabled && self.enabled,
        });
        std::iter::once(first).chain(fallbacks)
    }

    /// Asks the catalog again for what it was asked before, with these providers.
    pub(super) fn price_from_catalog(&mut self, providers: &[Provider]) {
        let price = |provider: &str, provider_model: &str| {
            let mut named = providers.iter().filter(|known| *known.name == *provider);
            named
                .next()
                .and_then(|known| catalog_price(known, provider_model))
        };
        if !self.has_own_price {
            self.price = price(&self.provider, &self.provider_model);
        }
        for fallback in &mut self.fallbacks {
            if !fallback.has_own_price {
                fallback.price = price(&fallback.provider, &fallback.provider_model);
            }
        }
    }
}

/// A second try at the same place is what `provider_dispatch_max_retries` is for.
fn warn_of_repeats(section: &mut Section<'_, '_>, first: &Fallback, fallbacks: &[Fallback]) {
    let mut earlier = vec![first];
    for fallback in fallbacks {
        if earlier.iter().any(|earlier| earlier.is_same(fallback)) {
            let place = section.place_of("fallbacks");
            let (provider, model) = (&fallback.provider, fallback.provider_model.escape_debug());
            section.warn(
                &place,
                format!("`{model}` of provider `{provider}` is named twice"),
            );
        }
        earlier.push(fallback);
    }
}

impl Capability {
    /// The words of the file.
    pub const WORDS: [(&'static str, Self); 7] = [
        ("chat", Self::Chat),
        ("embeddings", Self::Embeddings),
        ("streaming", Self::Streaming),
        ("tools", Self::Tools),
        ("vision", Self::Vision),
        ("json", Self::Json),
        ("reasoning", Self::Reasoning),
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
            Self::Streaming => "streaming",
            Self::Tools => "tools",
            Self::Vision => "vision",
            Self::Json => "json",
            Self::Reasoning => "reasoning",
        }
    }

    pub(super) fn read_all(section: &mut Section<'_, '_>) -> Vec<Self> {
        section.all_parsed("capabilities", |word| one_of(word, &Self::WORDS))
    }
}
