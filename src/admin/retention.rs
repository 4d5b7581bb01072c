//! `GET /admin/v1/retention`: what leaves the databases by itself, and how that is going.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{Page, RetentionJob};
use http::Uri;

use super::{listing::Paging, query::Parameters, respond::Failure};
use crate::gateway::Gateway;

pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<Json<Page<RetentionJob>>, Failure> {
    let mut parameters = Parameters::of(&uri)?;
    let paging = Paging::take(&mut parameters, &gateway.snapshot().config.admin)?;
    parameters.finish()?;
    let jobs = gateway.store.retention_status().into_iter();
    let (page, next_cursor) = paging.by_name(jobs.map(|job| (job.name.clone(), job)));
    Ok(Json(Page::new(page, next_cursor)))
}
