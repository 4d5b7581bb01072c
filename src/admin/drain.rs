//! `/admin/v1/drain`: takes the gateway out of service, and puts it back.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{DrainRequest, DrainStatus};
use http::Uri;

use super::{
    body::{Command, Nothing},
    preconditions::By,
    query::Parameters,
    respond::Failure,
};
use crate::gateway::Gateway;

pub(super) async fn show(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<Json<DrainStatus>, Failure> {
    Parameters::none(&uri)?;
    Ok(Json(status(&gateway)))
}

pub(super) async fn set(
    State(gateway): State<Arc<Gateway>>,
    by: By,
    uri: Uri,
    Command(request): Command<DrainRequest>,
) -> Result<Json<DrainStatus>, Failure> {
    Parameters::none(&uri)?;
    let by = by.unconditional()?.because(request.reason)?;
    if !request.drain {
        return Ok(Json(stop(&gateway, &by).await));
    }
    let reason = by.change.reason.clone();
    gateway.drain.start(request.refuse_new, reason);
    note(&gateway, &by, "drain.start").await;
    Ok(Json(status(&gateway)))
}

pub(super) async fn end(
    State(gateway): State<Arc<Gateway>>,
    by: By,
    uri: Uri,
    Command(Nothing {}): Command<Nothing>,
) -> Result<Json<DrainStatus>, Failure> {
    Parameters::none(&uri)?;
    Ok(Json(stop(&gateway, &by.unconditional()?).await))
}

async fn stop(gateway: &Gateway, by: &By) -> DrainStatus {
    gateway.drain.stop();
    note(gateway, by, "drain.stop").await;
    status(gateway)
}

fn status(gateway: &Gateway) -> DrainStatus {
    gateway.drain.status(gateway.live.in_flight_count())
}

/// A gateway whose disk is full is one that an operator wants to drain, so that it is drained before anybody writes
/// that down.
async fn note(gateway: &Gateway, by: &By, action: &str) {
    let target = "gateway".to_owned();
    let noted = gateway.audit_event(&by.change, action, target, None).await;
    if let Err(error) = noted {
        tracing::error!(%error, action, "it could not be written to the audit log");
    }
}
