//! `POST /admin/v1/policies:dry-run`: what policies would have refused of the requests that were. It changes nothing,
//! so `admin.read` does.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{PolicyDryRun, PolicyDryRunRequest, RequestLogQuery};
use http::Uri;
use serde_json::Value;

use super::{
    body::Command,
    query::Parameters,
    resources::unreadable,
    respond::{Failure, invalid},
};
use crate::config;
use crate::config::managed::{self, Known, ManagedNames};
use crate::error::RequestError;
use crate::gateway::{Gateway, Snapshot};
use crate::governance::Policies;

/// Request logs read at a time.
const LOGS_MAX: u32 = 1000;
const HOUR_MS: i64 = 3_600_000;
/// Logs are not kept for longer than years.
const HOURS_MAX: u32 = 24 * 3660;

pub(super) async fn run(
    State(gateway): State<Arc<Gateway>>,
    uri: Uri,
    Command(request): Command<PolicyDryRunRequest>,
) -> Result<Json<PolicyDryRun>, Failure> {
    Parameters::none(&uri)?;
    if !(1..=HOURS_MAX).contains(&request.hours) {
        return Err(invalid("hours", &format!("must be from 1 to {HOURS_MAX}")).into());
    }
    let snapshot = gateway.snapshot();
    let policies = match &request.policy {
        None => all(&snapshot),
        Some(document) => vec![Arc::new(draft(&snapshot.config, document)?)],
    };
    let policies = Policies::build(&policies);
    let mut dry_run = policies.dry_run();
    let since = gateway.clock.unix_ms() - i64::from(request.hours) * HOUR_MS;
    let mut query = RequestLogQuery {
        since: Some(since),
        limit: Some(LOGS_MAX),
        ..RequestLogQuery::default()
    };
    loop {
        let page = gateway.store.request_logs(query.clone()).await?;
        dry_run.examine(&page.data);
        if page.next_cursor.is_none() {
            return Ok(Json(dry_run.report()));
        }
        query.cursor = page.next_cursor;
    }
}

/// Those in force, in the order they are asked in.
fn all(snapshot: &Snapshot) -> Vec<Arc<config::Policy>> {
    let file = snapshot.file.policies.iter().cloned();
    let managed = snapshot.managed.policies.iter();
    file.chain(managed.map(|policy| Arc::clone(&policy.value)))
        .collect()
}

/// A policy that is only tried.
fn draft(config: &config::Config, document: &Value) -> Result<config::Policy, RequestError> {
    // The configuration in force has what is managed in it already.
    let known = Known::of(config, ManagedNames::default());
    managed::read_policy(document, &known).map_err(|issues| unreadable(&issues))
}
