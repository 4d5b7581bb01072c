//! Decision traces: with their request's log, or not at all.

use ferrogate_api::{AttemptTrace, CandidateTrace, RoutingTrace};
use tempfile::TempDir;

use super::*;

const DAY_FILE: &str = "requests-2026-01-01.db";

fn trace() -> RoutingTrace {
    RoutingTrace {
        model: "small".into(),
        strategy: "priority".into(),
        dialect: "chat".into(),
        input_tokens_estimate: 12,
        candidates: vec![CandidateTrace {
            provider: "one".into(),
            provider_model: "small-1".into(),
            rank: Some(1),
            reason: "first by priority 0, \"quoted\" and ümlaut".to_owned(),
            ..CandidateTrace::default()
        }],
        attempts: vec![AttemptTrace {
            provider: "one".into(),
            status: 200,
            decision: "answered".to_owned(),
            ..AttemptTrace::default()
        }],
    }
}

async fn write_traced(store: &Store, id: RequestId) {
    let slot = store.reserve().await.unwrap();
    slot.finish(Record {
        routing: Some(Box::new(trace())),
        ..record(log(id))
    });
    store.flush().await.unwrap();
}

fn traced(id: RequestId) -> Option<RequestLogDetail> {
    Some(RequestLogDetail {
        log: log(id),
        routing: Some(trace()),
        ..RequestLogDetail::default()
    })
}

#[tokio::test]
async fn a_look_up_by_id_brings_the_trace_along() {
    let directory = TempDir::new().unwrap();
    let (with, without) = (id_at(NOON), id_at(NOON + 1));
    let store = open(&directory);
    write_traced(&store, with).await;
    write_logs(&store, [log(without)]).await;
    assert_eq!(store.request_log(with).await.unwrap(), traced(with));
    assert_eq!(
        store.request_log(without).await.unwrap(),
        found(log(without))
    );
    store.close().await.unwrap();
    drop(store);
    let store = open(&directory);
    assert_eq!(store.request_log(with).await.unwrap(), traced(with));
}

#[tokio::test]
async fn a_trace_that_cannot_be_read_does_not_hide_its_log() {
    let directory = TempDir::new().unwrap();
    let id = id_at(NOON);
    let store = open(&directory);
    write_traced(&store, id).await;
    raw(&directory.path().join(DAY_FILE))
        .execute_batch("UPDATE decision_traces SET trace = '{\"candidates\": 1}'")
        .unwrap();
    assert_eq!(store.request_log(id).await.unwrap(), found(log(id)));
}
