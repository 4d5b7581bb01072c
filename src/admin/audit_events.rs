//! `GET /admin/v1/audit-events`: who changed what, newest first.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{AuditEvent, AuditEventQuery, Page};
use http::Uri;

use super::{query::Parameters, respond::Failure};
use crate::config;
use crate::error::RequestError;
use crate::gateway::Gateway;

pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<Json<Page<AuditEvent>>, Failure> {
    let query = read(&uri, &gateway.snapshot().config.admin)?;
    Ok(Json(gateway.store.audit_events(query).await?))
}

fn read(uri: &Uri, bounds: &config::Admin) -> Result<AuditEventQuery, RequestError> {
    let mut parameters = Parameters::of(uri)?;
    let query = AuditEventQuery {
        actor: parameters.take("actor")?,
        action: parameters.take("action")?,
        target: parameters.take("target")?,
        since: parameters.take("since")?,
        cursor: parameters.take("cursor")?,
        limit: Some(parameters.take_limit(bounds)?),
    };
    parameters.finish()?;
    Ok(query)
}
