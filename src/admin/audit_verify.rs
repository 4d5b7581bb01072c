//! `POST /admin/v1/audit:verify`: is the audit log what it was when it was written?

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{AuditReport, VerifyAudit};
use http::Uri;

use super::{
    body::Command,
    query::Parameters,
    respond::{Failure, invalid},
};
use crate::gateway::Gateway;

/// Of a SHA-256 in hexadecimal.
const HASH_DIGITS: usize = 64;

/// What is wrong with the log is the answer, and no error.
pub(super) async fn verify(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
    Command(request): Command<VerifyAudit>,
) -> Result<Json<AuditReport>, Failure> {
    Parameters::none(&uri)?;
    if let Some(hash) = &request.expect_head {
        let is_hash =
            hash.len() == HASH_DIGITS && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hash {
            let must = "must be the `head_hash` of an earlier verification, 64 hexadecimal digits";
            return Err(Failure(invalid("expect_head", must)));
        }
    }
    Ok(Json(gateway.store.verify_audit(request.expect_head).await?))
}
