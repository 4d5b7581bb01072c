//! `GET /admin/v1/cache` and `POST /admin/v1/cache:purge`: how full the response cache is, and how to empty it.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{CachePurge, CachePurged, CacheStats};
use http::Uri;

use super::{body::Command, preconditions::By, query::Parameters, respond::Failure};
use crate::cache::Purge;
use crate::error::{ErrorKind, RequestError};
use crate::gateway::Gateway;

pub(super) async fn show(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
) -> Result<Json<CacheStats>, Failure> {
    Parameters::none(&uri)?;
    Ok(Json(stats(&gateway)))
}

pub(super) async fn purge(
    State(gateway): State<Arc<Gateway>>,
    by: By,
    uri: Uri,
    Command(request): Command<CachePurge>,
) -> Result<Json<CachePurged>, Failure> {
    Parameters::none(&uri)?;
    let by = by.unconditional()?;
    let purged = gateway.purge_cache(which(request)?, &by.change).await?;
    Ok(Json(CachePurged { purged }))
}

/// What it holds against its bounds, and what it has done since the start.
pub(super) fn stats(gateway: &Gateway) -> CacheStats {
    let cache = &gateway.ai.cache;
    let (config, stats) = (cache.config(), cache.stats());
    CacheStats {
        enabled: config.enabled,
        entries: stats.entries,
        entries_max: config.max_records,
        bytes: stats.bytes,
        bytes_max: config.max_bytes,
        hits: stats.hits,
        misses: stats.misses,
        evictions: stats.evictions,
        saved_nanos: stats.saved_nanos,
    }
}

/// Exactly one of them: an empty body must not empty the cache, and two must not be read as either.
fn which(request: CachePurge) -> Result<Purge, RequestError> {
    match (request.model, request.account, request.all) {
        (Some(model), None, false) => Ok(Purge::Model(model)),
        (None, Some(account), false) => Ok(Purge::Account(account)),
        (None, None, true) => Ok(Purge::All),
        _ => Err(RequestError::new(
            ErrorKind::InvalidRequest,
            "Say what to purge: one of `model`, `account` and `\"all\": true`.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purge_says_one_thing() {
        let check = |body: &str, good: bool| {
            let request = serde_json::from_str(body).unwrap();
            assert_eq!(which(request).is_ok(), good, "{body}");
        };
        check(r#"{"model":"fast"}"#, true);
        check(r#"{"account":"key:dev"}"#, true);
        check(r#"{"account":"organization:acme"}"#, true);
        check(r#"{"all":true}"#, true);
        check("{}", false);
        check(r#"{"all":false}"#, false);
        check(r#"{"model":"fast","all":true}"#, false);
        check(r#"{"model":"fast","account":"key:dev"}"#, false);
    }
}
