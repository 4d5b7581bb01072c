//! `GET /admin/v1/provider-models`: what the providers offer, asked for now. Each is asked once, several at a time.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{CatalogueStatus, Page, ProviderCatalogue};
use futures_util::{StreamExt, stream};
use http::Uri;

use super::{
    query::Parameters,
    respond::{Failure, not_found},
};
use crate::ai::providers::Provider;
use crate::gateway::{Gateway, Snapshot};

pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<Json<Page<ProviderCatalogue>>, Failure> {
    let mut parameters = Parameters::of(&uri)?;
    let wanted: Option<String> = parameters.take("provider")?;
    parameters.finish()?;
    let snapshot = gateway.snapshot();
    let providers: Vec<Arc<Provider>> = snapshot
        .rules
        .catalog
        .providers()
        .iter()
        .filter(|provider| wanted.as_deref().is_none_or(|name| name == &*provider.name))
        .cloned()
        .collect();
    if let (Some(name), true) = (&wanted, providers.is_empty()) {
        return Err(not_found("provider", name));
    }
    let at_once = gateway.ai.limits().provider_catalog_concurrency_max;
    let catalogues = stream::iter(
        providers
            .into_iter()
            .map(|provider| read(Arc::clone(&gateway), Arc::clone(&snapshot), provider)),
    )
    .buffered(at_once)
    .collect()
    .await;
    Ok(Json(Page::new(catalogues, None)))
}

async fn read(
    gateway: Arc<Gateway>,
    snapshot: Arc<Snapshot>,
    provider: Arc<Provider>,
) -> ProviderCatalogue {
    let mut catalogue = ProviderCatalogue {
        provider: Arc::clone(&provider.name),
        kind: provider.kind.as_str().to_owned(),
        status: CatalogueStatus::Disabled,
        error: None,
        models: Vec::new(),
    };
    if !provider.enabled {
        return catalogue;
    }
    match gateway.ai.provider_models(&provider).await {
        Ok(mut models) => {
            for model in &mut models {
                model.configured = snapshot.rules.catalog.serves(&provider.name, &model.id);
            }
            catalogue.status = CatalogueStatus::Ok;
            catalogue.models = models;
        }
        Err(error) => {
            catalogue.status = CatalogueStatus::Error;
            catalogue.error = Some(error.message.into_owned());
        }
    }
    catalogue
}
