//! `GET /admin/v1/api-keys` and `/{id}`: the virtual keys in force, without their secrets.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
};
use ferrogate_api::{ApiKey, Page};
use http::Uri;

use super::{
    query::Parameters,
    respond::{Failure, not_found},
};
use crate::gateway::Gateway;

/// Sorted by id; the cursor is the last id of the page before.
pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<Json<Page<ApiKey>>, Failure> {
    let snapshot = gateway.snapshot();
    let mut parameters = Parameters::of(&uri)?;
    let cursor: Option<String> = parameters.take("cursor")?;
    let limit = parameters.take_limit(&snapshot.config.admin)?;
    parameters.finish()?;

    let keys = snapshot.rules.keys.all();
    let start = cursor.map_or(0, |last| keys.partition_point(|key| **key.id() <= *last));
    let rest = &keys[start..];
    let page = &rest[..rest.len().min(usize::try_from(limit).unwrap_or(usize::MAX))];
    let next_cursor = page
        .last()
        .filter(|_| page.len() < rest.len())
        .map(|last| last.id().to_string());
    let data = page.iter().map(|key| key.api().clone()).collect();
    Ok(Json(Page::new(data, next_cursor)))
}

pub(super) async fn show(
    State(gateway): State<Arc<Gateway>>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<ApiKey>, Failure> {
    Parameters::none(&uri)?;
    let snapshot = gateway.snapshot();
    let key = snapshot.rules.keys.get(&id);
    key.map(|key| Json(key.api().clone()))
        .ok_or_else(|| not_found("API key", &id))
}
