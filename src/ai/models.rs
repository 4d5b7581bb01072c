//! Logical models: which exist, which of them a key sees, and how `GET /v1/models` lists them.

use std::{collections::HashMap, sync::Arc};

use serde_json::{Value, json};

use crate::ai::dialects::Dialect;
use crate::ai::providers::{Provider, ProviderError};
use crate::config::{self, Capability, Price};
use crate::error::{ErrorKind, RequestError};
use crate::governance::Key;

/// Every model and provider of one configuration.
#[derive(Debug, Default)]
pub struct Catalog {
    models: HashMap<Arc<str>, Model>,
    /// Model names in the order of the file.
    order: Vec<Arc<str>>,
}

/// One logical model and who answers for it.
#[derive(Debug)]
pub struct Model {
    pub name: Arc<str>,
    pub provider: Arc<Provider>,
    pub provider_model: Arc<str>,
    pub price: Option<Price>,
    pub default_max_output_tokens: u64,
    capabilities: Vec<Capability>,
    enabled: bool,
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
            .map(|provider| {
                Ok((
                    Arc::clone(&provider.name),
                    Arc::new(Provider::build(provider)?),
                ))
            })
            .collect::<Result<HashMap<_, _>, ProviderError>>()?;
        let mut catalog = Self::default();
        for model in &config.models {
            let Some(provider) = providers.get(&model.provider) else {
                continue;
            };
            catalog.order.push(Arc::clone(&model.name));
            catalog.models.insert(
                Arc::clone(&model.name),
                Model {
                    name: Arc::clone(&model.name),
                    provider: Arc::clone(provider),
                    provider_model: Arc::clone(&model.provider_model),
                    price: model.price,
                    default_max_output_tokens: model.default_max_output_tokens,
                    capabilities: model.capabilities.clone(),
                    enabled: model.enabled,
                },
            );
        }
        Ok(catalog)
    }

    /// The model that `key` may use under `name`.
    ///
    /// # Errors
    /// `model_not_found`, `model_disabled`, `model_not_allowed`, `provider_not_allowed`, in this order.
    pub fn model_for(&self, key: &Key, name: &str) -> Result<&Model, RequestError> {
        let refuse = |kind, message: String| RequestError::new(kind, message).with_param("model");
        let model = self.models.get(name).ok_or_else(|| {
            refuse(
                ErrorKind::ModelNotFound,
                format!("There is no model `{name}`. GET /v1/models lists those this key may use."),
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
        if !key.allows_provider(&model.provider.name) {
            return Err(refuse(
                ErrorKind::ProviderNotAllowed,
                format!("This key may not use the provider that answers for model `{name}`."),
            ));
        }
        Ok(model)
    }

    /// `GET /v1/models`: the models that `key` may use, as OpenAI lists them.
    pub fn list(&self, key: &Key) -> Value {
        let data: Vec<Value> = self
            .order
            .iter()
            .filter_map(|name| self.model_for(key, name).ok())
            .map(Model::view)
            .collect();
        json!({"object": "list", "data": data})
    }
}

impl Model {
    /// One entry of `GET /v1/models`. Logical models have no date of birth, so `created` is 0.
    pub fn view(&self) -> Value {
        json!({"id": &*self.name, "object": "model", "created": 0, "owned_by": &*self.provider.name})
    }

    /// Whether the endpoint words of `capabilities` allow `dialect`. Chat implies responses; no words allow all.
    ///
    /// # Errors
    /// `capability_not_supported`, naming what the model can do.
    pub fn require(&self, dialect: Dialect) -> Result<(), RequestError> {
        let chat = self.capabilities.contains(&Capability::Chat);
        let embeddings = self.capabilities.contains(&Capability::Embeddings);
        let allowed = match dialect {
            Dialect::Chat | Dialect::Responses => chat || !embeddings,
            Dialect::Embeddings => embeddings || !chat,
        };
        if allowed {
            return Ok(());
        }
        let able = if chat { "chat" } else { "embeddings" };
        Err(RequestError::new(
            ErrorKind::CapabilityNotSupported,
            format!("Model `{}` is for {able} only.", self.name),
        )
        .with_param("model"))
    }
}
