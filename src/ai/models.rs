//! Logical models: which exist, which of them a key sees, and who may answer for each.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::ai::providers::{Provider, ProviderError};
use crate::config::{self, Capability, Fallback, Price, RoutingStrategy, UnknownPrice};
use crate::error::{ErrorKind, RequestError};
use crate::governance::Key;

/// Every model and provider of one configuration.
#[derive(Debug, Default)]
pub struct Catalog {
    models: HashMap<Arc<str>, Model>,
    /// Model names in the order of the file.
    order: Vec<Arc<str>>,
    /// In the order of the file.
    providers: Vec<Arc<Provider>>,
    /// Candidates without a price are passed over.
    pub refuses_unpriced: bool,
}

/// One logical model and who may answer for it.
#[derive(Debug)]
pub struct Model {
    pub name: Arc<str>,
    pub strategy: RoutingStrategy,
    /// The model's own first, then its fallbacks in the order of the file; never empty.
    candidates: Vec<Candidate>,
    visible_organization_ids: Vec<Arc<str>>,
    visible_project_ids: Vec<Arc<str>>,
    enabled: bool,
    /// False: its answers are not cached.
    pub cache_enabled: bool,
    /// Counts plans, so that draws differ from one to the next.
    turns: AtomicU64,
}

/// One provider's model that may answer for a logical one.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub provider: Arc<Provider>,
    pub provider_model: Arc<str>,
    pub price: Option<Price>,
    pub priority: u32,
    pub weight: u32,
    /// In tokens; `None`: any prompt is sent.
    pub context_window: Option<u64>,
    /// Empty: all.
    pub capabilities: Vec<Capability>,
    pub default_max_output_tokens: u64,
    pub enabled: bool,
}

impl Candidate {
    /// Whether it takes conversations, as far as its endpoint words say.
    pub fn converses(&self) -> bool {
        self.capabilities.contains(&Capability::Chat)
            || !self.capabilities.contains(&Capability::Embeddings)
    }
}

impl Catalog {
    /// Compiles the models and providers of a configuration, whose references have been checked.
    ///
    /// # Errors
    /// See [`Provider::build`].
    pub fn build(config: &config::Config) -> Result<Self, ProviderError> {
        let providers = config
            .providers
            .iter()
            .map(|provider| Ok(Arc::new(Provider::build(provider)?)))
            .collect::<Result<Vec<_>, ProviderError>>()?;
        let mut catalog = Self {
            providers,
            refuses_unpriced: config.pricing.unknown == UnknownPrice::Deny,
            ..Self::default()
        };
        for config in &config.models {
            let Some(model) = Model::build(config, &catalog.providers) else {
                continue;
            };
            catalog.order.push(Arc::clone(&model.name));
            catalog.models.insert(Arc::clone(&model.name), model);
        }
        Ok(catalog)
    }

    /// Every provider, in the order of the file.
    pub fn providers(&self) -> &[Arc<Provider>] {
        &self.providers
    }

    /// The provider of this name.
    pub fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        self.providers
            .iter()
            .find(|provider| &*provider.name == name)
    }

    /// Whether some model is answered by `provider_model` of `provider`.
    pub fn serves(&self, provider: &str, provider_model: &str) -> bool {
        let mut candidates = self.models.values().flat_map(Model::candidates);
        candidates.any(|candidate| {
            &*candidate.provider.name == provider && &*candidate.provider_model == provider_model
        })
    }

    /// What `provider_model` of `provider` costs now when it answers for `model`; `None` without a price.
    pub fn price_of(&self, provider: &str, provider_model: &str, model: &str) -> Option<Price> {
        let model = self.models.get(model)?;
        let mut candidates = model.candidates().iter();
        let candidate = candidates.find(|candidate| {
            &*candidate.provider.name == provider && &*candidate.provider_model == provider_model
        })?;
        candidate.price
    }

    /// The model that `key` may use under `name`.
    ///
    /// # Errors
    /// `model_not_found`, `model_disabled`, `model_not_allowed`, `provider_not_allowed`, in this order. A model that the
    /// key's organization or project does not see does not exist for it.
    pub fn model_for(&self, key: &Key, name: &str) -> Result<&Model, RequestError> {
        let refuse = |kind, message: String| RequestError::new(kind, message).with_param("model");
        let model = self
            .models
            .get(name)
            .filter(|model| model.is_visible_to(key))
            .ok_or_else(|| {
                refuse(
                    ErrorKind::ModelNotFound,
                    format!(
                        "There is no model `{name}`. GET /v1/models lists those this key may use."
                    ),
                )
            })?;
        if !model.enabled {
            return Err(refuse(
                ErrorKind::ModelDisabled,
                format!("Model `{name}` is switched off."),
            ));
        }
        if !key.allows_model(name) {
            return Err(refuse(
                ErrorKind::ModelNotAllowed,
                format!("This key may not use model `{name}`. GET /v1/models lists those it may."),
            ));
        }
        let allowed = |candidate: &Candidate| {
            candidate.enabled && key.allows_provider(&candidate.provider.name)
        };
        if !model.candidates.iter().any(allowed) {
            return Err(refuse(
                ErrorKind::ProviderNotAllowed,
                format!("This key may not use a provider that answers for model `{name}`."),
            ));
        }
        Ok(model)
    }

    /// The models that `key` may use, in the order of the file.
    pub fn models<'c>(&'c self, key: &'c Key) -> impl Iterator<Item = &'c Model> {
        self.order
            .iter()
            .filter_map(|name| self.model_for(key, name).ok())
    }
}

impl Model {
    fn build(config: &config::Model, providers: &[Arc<Provider>]) -> Option<Self> {
        let provider = |name: &Arc<str>| {
            let mut named = providers.iter().filter(|provider| provider.name == *name);
            named.next().map(Arc::clone)
        };
        let first = Candidate {
            provider: provider(&config.provider)?,
            provider_model: Arc::clone(&config.provider_model),
            price: config.price,
            priority: config.priority,
            weight: config.weight,
            context_window: config.context_window,
            capabilities: config.capabilities.clone(),
            default_max_output_tokens: config.default_max_output_tokens,
            enabled: true,
        };
        let mut candidates = vec![first];
        for fallback in &config.fallbacks {
            let Some(provider) = provider(&fallback.provider) else {
                continue;
            };
            candidates.push(Candidate::fallback(fallback, provider, config));
        }
        Some(Self {
            name: Arc::clone(&config.name),
            strategy: config.routing_strategy,
            candidates,
            visible_organization_ids: config.visible_organization_ids.clone(),
            visible_project_ids: config.visible_project_ids.clone(),
            enabled: config.enabled,
            cache_enabled: config.cache_enabled,
            turns: AtomicU64::new(0),
        })
    }

    /// Who may answer, the model's own first.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The model's own candidate, which stands for it in lists.
    pub fn primary(&self) -> &Candidate {
        self.candidates
            .first()
            .expect("a model is built with its own candidate")
    }

    /// A number that no other plan of this model has.
    pub(in crate::ai) fn next_turn(&self) -> u64 {
        self.turns.fetch_add(1, Ordering::Relaxed)
    }

    /// Both lists must let the key pass; an empty one lets all.
    fn is_visible_to(&self, key: &Key) -> bool {
        let lists = |ids: &[Arc<str>], own: Option<&Arc<str>>| {
            ids.is_empty() || own.is_some_and(|own| ids.contains(own))
        };
        let tenant = key.tenant();
        lists(
            &self.visible_organization_ids,
            tenant.organization_id.as_ref(),
        ) && lists(&self.visible_project_ids, tenant.project_id.as_ref())
    }
}

impl Candidate {
    /// What a fallback does not say itself is as its model says it, but for the context window: another model has
    /// another one.
    fn fallback(config: &Fallback, provider: Arc<Provider>, model: &config::Model) -> Self {
        Self {
            provider,
            provider_model: Arc::clone(&config.provider_model),
            price: config.price,
            priority: config.priority,
            weight: config.weight,
            context_window: config.context_window,
            capabilities: config
                .capabilities
                .clone()
                .unwrap_or_else(|| model.capabilities.clone()),
            default_max_output_tokens: config
                .default_max_output_tokens
                .unwrap_or(model.default_max_output_tokens),
            enabled: config.enabled,
        }
    }
}
