//! The store from outside, on real files: what is handed over is what can be read, whatever happens in between.

mod decision_traces;
mod failures;
mod lists;
mod records;
mod state;
mod state_failures;

use std::{fs, path::Path, sync::Arc, time::Duration};

use ferrogate_api::{MeteringEvent, Outcome, RequestLog, RequestLogDetail, Tokens, UsageSource};
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::{Hold, Record, Store};
use crate::clock::Clock;
use crate::config::{Durability, Settle, Storage};
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
        response_retention: Duration::from_secs(30 * 86_400),
        reasoning_retention: Duration::from_secs(72 * 3_600),
        state_max_bytes: 1 << 30,
        state_memory_max_bytes: 32 << 20,
        state_entry_max_bytes: 8 << 20,
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
    }
}

fn hold(id: RequestId) -> Hold {
    let event = event(id);
    Hold {
        attempt: 1,
        request_id: id,
        created_at_unix_ms: id.unix_ms(),
        api_key_id: event.api_key_id,
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
    }
}

fn record(log: RequestLog, metering: Vec<MeteringEvent>) -> Record {
    Record {
        log: Some(Box::new(log)),
        metering,
        ..Record::default()
    }
}

/// What a look-up gives for a request without a decision trace.
fn found(log: RequestLog) -> Option<RequestLogDetail> {
    Some(RequestLogDetail { log, routing: None })
}

/// Hands over the logs and waits until they can be read.
async fn write_logs(store: &Store, logs: impl IntoIterator<Item = RequestLog>) {
    for log in logs {
        let slot = store.reserve().await.unwrap();
        slot.finish(record(log, Vec::new()));
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
