//! `GET /admin/v1/provider-health`: what live requests have shown of each provider. Nobody is asked for it.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{Page, ProviderHealth};
use http::Uri;

use super::{
    listing::Paging,
    query::Parameters,
    respond::{Failure, not_found},
};
use crate::gateway::Gateway;

pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<Json<Page<ProviderHealth>>, Failure> {
    let mut parameters = Parameters::of(&uri)?;
    let wanted: Option<String> = parameters.take("provider")?;
    let snapshot = gateway.snapshot();
    let bounds = &snapshot.config.admin;
    // One row for each provider: they are shown together, unless somebody asks for fewer.
    parameters.assume("limit", &bounds.list_max_limit.to_string());
    let paging = Paging::take(&mut parameters, bounds)?;
    parameters.finish()?;
    let now = gateway.clock.unix_ms();
    let mut health = gateway.ai.health.view(&snapshot.rules.catalog, now);
    if let Some(name) = &wanted {
        health.retain(|provider| &*provider.provider == name.as_str());
        if health.is_empty() {
            return Err(not_found("provider", name));
        }
    }
    let named = health
        .into_iter()
        .map(|provider| (Arc::clone(&provider.provider), provider));
    let (page, next_cursor) = paging.by_name(named);
    Ok(Json(Page::new(page, next_cursor)))
}
