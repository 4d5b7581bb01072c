//! The store from outside, on real files: what is handed over is what can be read, whatever happens in between.

mod backup;
mod balances;
mod bodies;
mod changes;
mod decision_traces;
mod facets;
mod failures;
mod lists;
mod migrations;
mod records;
mod repricing;
mod request_log_retention;
mod retention;
mod revisions;
mod settings;
mod state;
mod state_failures;
mod traffic;
mod verify;

use std::{fs, path::Path, sync::Arc, time::Duration};

use ferrogate_api::{
    CacheStatus, MeteringEvent, Outcome, RequestLog, RequestLogDetail, TenantContext, Tokens,
    UsageSource,
};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::{Hold, Metered, Record, Slot, Store, StoreError};
use crate::clock::Clock;
use crate::config::{Durability, Price, Retention, Settle, Storage};
use crate::ids::RequestId;

/// 2026-01-01T12:00:00Z
const NOON: i64 = 1_767_268_800_000;
const DAY_MS: i64 = 86_400_000;

fn storage(directory: &Path) -> Storage {
    Storage {
        path: directory.to_owned(),
        settle: Settle::Batched,
        durability: Durability::ProcessCrash,
        queue_max_records: 4_096,
        batch_max_records: 100,
        batch_linger: Duration::from_millis(5),
        read_connections: 2,
        list_time_limit: Duration::from_secs(60),
        open_day_files_max: 2,
        traffic_series_max: 100,
        facet_values_max: 10_000,
        retention: no_retention(),
        response_retention: Duration::from_secs(30 * 86_400),
        reasoning_retention: Duration::from_secs(72 * 3_600),
        state_max_bytes: 1 << 30,
        state_memory_max_bytes: 32 << 20,
        state_entry_max_bytes: 8 << 20,
    }
}

/// Nothing leaves.
fn no_retention() -> Retention {
    Retention {
        interval: Duration::from_secs(60),
        slice_rows: 500,
        request_log_records: 0,
        request_log_days: 0,
        request_log_max_bytes: 0,
        body_days: 0,
        audit_event_records: 0,
        audit_event_days: 0,
        billing_event_records: 0,
        billing_event_days: 0,
        usage_rollup_minute_days: 0,
        usage_rollup_hour_days: 0,
        config_revision_records: 0,
    }
}

fn open(directory: &TempDir) -> Store {
    Store::open(&storage(directory.path()), Clock::manual(NOON)).unwrap()
}

fn id_at(unix_ms: i64) -> RequestId {
    RequestId::new(&Clock::manual(unix_ms))
}

fn log(id: RequestId) -> RequestLog {
    RequestLog {
        request_id: id.to_string(),
        client_request_id: None,
        trace_id: "0af7651916cd43dd8448eb211c80319c".to_owned(),
        started_at_unix_ms: id.unix_ms(),
        duration_us: 1_500,
        ttft_us: Some(900),
        overhead_us: Some(40),
        method: "POST".into(),
        path: "/v1/chat/completions".to_owned(),
        endpoint: "chat.completions".into(),
        status: 200,
        error_code: None,
        outcome: Outcome::Complete,
        stream: true,
        api_key_id: Some("key-a".into()),
        tenant: Some(tenant()),
        model: Some("small".into()),
        provider: Some("one".into()),
        provider_model: Some("small-1".into()),
        attempts: 1,
        tokens: Tokens {
            input: 12,
            output: 30,
            ..Tokens::default()
        },
        usage_source: UsageSource::Provider,
        cost_nanos: Some(4_200),
        estimated_tokens: Some(500),
        estimated_cost_nanos: Some(9_000),
        cache: Some(CacheStatus::Miss),
        saved_nanos: None,
        gateway_config_id: named("profile-a"),
        gateway_config_revision: Some(3),
        tags: Some(Arc::new(
            [("team".to_owned(), "ml \"x\"".to_owned())].into(),
        )),
        policy: None,
        request_bytes: 300,
        response_bytes: 2_000,
        client_address: Some("192.0.2.7".to_owned()),
    }
}

fn event(id: RequestId) -> MeteringEvent {
    let log = log(id);
    MeteringEvent {
        request_id: log.request_id,
        attempt: 1,
        occurred_at_unix_ms: id.unix_ms(),
        api_key_id: "key-a".into(),
        tenant: log.tenant,
        endpoint: log.endpoint,
        model: "small".into(),
        provider: "one".into(),
        provider_model: "small-1".into(),
        status: 200,
        outcome: Outcome::Complete,
        stream: true,
        tokens: log.tokens,
        usage_source: log.usage_source,
        cost_nanos: log.cost_nanos,
        price_version: None,
        cache_hit: false,
        saved_nanos: None,
    }
}

fn hold(id: RequestId) -> Hold {
    let event = event(id);
    Hold {
        attempt: 1,
        request_id: id,
        created_at_unix_ms: id.unix_ms(),
        api_key_id: event.api_key_id,
        tenant: event.tenant,
        endpoint: event.endpoint,
        model: event.model,
        provider: event.provider,
        provider_model: event.provider_model,
        stream: true,
        tokens: Tokens {
            input: 100,
            output: 1_000,
            ..Tokens::default()
        },
        cost_nanos: Some(90_000),
        price: None,
    }
}

fn tenant() -> Arc<TenantContext> {
    Arc::new(TenantContext {
        organization_id: named("acme"),
        team_id: None,
        project_id: named("web"),
        user_id: named("ada"),
    })
}

fn record(log: RequestLog) -> Record {
    Record {
        log: Some(Box::new(log)),
        ..Record::default()
    }
}

fn metered(event: MeteringEvent) -> Metered {
    Metered { event, price: None }
}

/// What tokens cost, rounded down; the ledger does not care how it is reckoned.
fn cost_of(tokens: Tokens, price: Price) -> Option<i64> {
    let input = price.input_micros_per_million;
    let cache_read = price.cache_read_micros_per_million.unwrap_or(input);
    let picos = (tokens.input - tokens.cache_read) * input
        + tokens.cache_read * cache_read
        + tokens.output * price.output_micros_per_million;
    i64::try_from(picos / 1_000).ok()
}

/// Hands over rows and waits for their commit.
async fn commit(slot: &mut Slot, events: Vec<MeteringEvent>) -> Result<(), StoreError> {
    let events = events.into_iter().map(metered).collect();
    slot.settle(events, true).unwrap().await
}

/// Hands over rows and the log, and waits for nothing.
fn end(mut slot: Slot, log: RequestLog, events: Vec<MeteringEvent>) {
    let events = events.into_iter().map(metered).collect();
    assert!(slot.settle(events, false).is_none());
    slot.finish(record(log));
}

/// What a look-up gives for a request without a decision trace.
fn found(log: RequestLog) -> Option<RequestLogDetail> {
    Some(RequestLogDetail {
        log,
        ..RequestLogDetail::default()
    })
}

/// Hands over the logs and waits until they can be read.
async fn write_logs(store: &Store, logs: impl IntoIterator<Item = RequestLog>) {
    for log in logs {
        let slot = store.reserve().await.unwrap();
        slot.finish(record(log));
    }
    store.flush().await.unwrap();
}

fn named(name: &str) -> Option<Arc<str>> {
    Some(name.into())
}

/// What a killed process leaves: its database files and write-ahead logs, as they are at this moment.
fn as_if_killed(directory: &TempDir) -> TempDir {
    let left = TempDir::new().unwrap();
    for entry in fs::read_dir(directory.path()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if !name.to_str().unwrap().ends_with("-shm") {
            fs::copy(&path, left.path().join(name)).unwrap();
        }
    }
    left
}

fn raw(path: &Path) -> Connection {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap()
}
