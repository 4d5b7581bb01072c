//! `POST /admin/v1/ledger:reprice`: reckons again what was charged with other prices than those in force now.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{RepriceReport, RepriceRequest};
use http::Uri;

use super::{body::Command, caller::Caller, query::Parameters, respond::Failure};
use crate::gateway::{Gateway, Reprice};

pub(super) async fn reprice(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    uri: Uri,
    Command(request): Command<RepriceRequest>,
) -> Result<Json<RepriceReport>, Failure> {
    Parameters::none(&uri)?;
    let reprice = Reprice {
        since_unix_ms: request.since_unix_ms,
        dry_run: request.dry_run,
    };
    Ok(Json(gateway.reprice(reprice, caller.actor()).await?))
}
