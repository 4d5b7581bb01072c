//! `POST /admin/v1/ledger:reprice`: reckons again what was charged with other prices than those in force now.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{RepriceReport, RepriceRequest};
use http::Uri;

use super::{body::Command, preconditions::By, query::Parameters, respond::Failure};
use crate::gateway::{Gateway, Reprice};

pub(super) async fn reprice(
    State(gateway): State<Arc<Gateway>>,
    by: By,
    uri: Uri,
    Command(request): Command<RepriceRequest>,
) -> Result<Json<RepriceReport>, Failure> {
    Parameters::none(&uri)?;
    let reprice = Reprice {
        since_unix_ms: request.since_unix_ms,
        dry_run: request.dry_run,
    };
    let by = by.unconditional()?;
    Ok(Json(gateway.reprice(reprice, &by.change).await?))
}
