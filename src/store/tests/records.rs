//! Handing over, committing, reading back; sums; the bound of the queue.

use std::{collections::HashMap, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use ferrogate_api::{
    MeteringEvent, MeteringEventQuery, Outcome, Tokens, UsageAggregate, UsageAggregateQuery, Window,
};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::store::StoreError;

/// Every sum of `window` that the events add up to, by key, model, provider and start.
fn sums_of(events: &[MeteringEvent], window: Window) -> HashMap<String, UsageAggregate> {
    let span = match window {
        Window::Minute => Some(60_000),
        Window::Hour => Some(3_600_000),
        Window::Day => Some(DAY_MS),
        Window::Total => None,
    };
    let mut sums: HashMap<String, UsageAggregate> = HashMap::new();
    for event in events {
        let start = span.map(|span| event.occurred_at_unix_ms.div_euclid(span) * span);
        let empty = UsageAggregate {
            window_start_unix_ms: start,
            api_key_id: event.api_key_id.clone(),
            model: event.model.clone(),
            provider: event.provider.clone(),
            requests: 0,
            errors: 0,
            tokens: Tokens::default(),
            cost_nanos: 0,
            unpriced_requests: 0,
            cache_hits: 0,
            saved_nanos: 0,
        };
        let sum = sums.entry(key_of(&empty)).or_insert(empty);
        if event.cache_hit {
            sum.cache_hits += 1;
            sum.saved_nanos += event.saved_nanos.unwrap_or_default();
            continue;
        }
        sum.requests += 1;
        sum.errors += u64::from(event.outcome != Outcome::Complete || event.status >= 400);
        sum.tokens += event.tokens;
        sum.cost_nanos += event.cost_nanos.unwrap_or_default();
        sum.unpriced_requests += u64::from(event.cost_nanos.is_none());
    }
    sums
}

fn key_of(sum: &UsageAggregate) -> String {
    let start = sum.window_start_unix_ms;
    format!(
        "{start:?} {} {} {}",
        sum.api_key_id, sum.model, sum.provider
    )
}

async fn aggregates(store: &Store, window: Window) -> Vec<UsageAggregate> {
    let query = UsageAggregateQuery {
        window,
        limit: Some(100_000),
        ..UsageAggregateQuery::default()
    };
    store.usage_aggregates(query).await.unwrap().data
}

async fn all_events(store: &Store) -> Vec<MeteringEvent> {
    let query = MeteringEventQuery {
        limit: Some(100_000),
        ..MeteringEventQuery::default()
    };
    store.metering_events(query).await.unwrap().data
}

async fn assert_sums_agree(store: &Store, events: &[MeteringEvent]) {
    for window in [Window::Minute, Window::Hour, Window::Day, Window::Total] {
        let listed = aggregates(store, window).await;
        let sums: HashMap<_, _> = listed
            .iter()
            .map(|sum| (key_of(sum), sum.clone()))
            .collect();
        assert_eq!(sums.len(), listed.len(), "{window:?}: a window came twice");
        assert_eq!(sums, sums_of(events, window), "{window:?}");
    }
}

#[tokio::test]
async fn what_a_request_hands_over_is_read_back_unchanged() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let id = id_at(NOON);
    let log = RequestLog {
        client_request_id: Some("mine-1".to_owned()),
        error_code: named("provider_error"),
        ..log(id)
    };
    let second = MeteringEvent {
        attempt: 2,
        status: 502,
        outcome: Outcome::UpstreamCut,
        cost_nanos: None,
        ..event(id)
    };
    let slot = store.reserve().await.unwrap();
    end(slot, log.clone(), vec![event(id), second.clone()]);
    store.flush().await.unwrap();

    assert_eq!(store.request_log(id).await.unwrap(), found(log));
    assert_eq!(store.request_log(id_at(NOON)).await.unwrap(), None);
    assert_eq!(store.request_log(id_at(0)).await.unwrap(), None);
    assert_eq!(all_events(&store).await, [second, event(id)]);
    let status = store.status();
    assert_eq!((status.records_written, status.queue_used), (1, 0));
    assert!(status.database_bytes > 0 && status.wal_bytes > 0);
}

#[tokio::test]
async fn a_wait_for_a_commit_does_not_wait_for_the_linger() {
    let directory = TempDir::new().unwrap();
    let mut storage = storage(directory.path());
    storage.batch_linger = Duration::from_secs(3_600);
    let store = Store::open(&storage, Clock::system()).unwrap();
    // This one starts a linger, which the commit must end.
    let ordinary = store.reserve().await.unwrap();
    ordinary.finish(record(log(id_at(NOON))));
    let id = id_at(NOON);
    let mut slot = store.reserve().await.unwrap();
    slot.hold(hold(id)).await.unwrap();
    commit(&mut slot, vec![event(id)]).await.unwrap();
    assert_eq!(all_events(&store).await, [event(id)]);
    store.flush().await.unwrap();
}

#[tokio::test]
async fn a_full_batch_does_not_wait_for_the_linger() {
    let directory = TempDir::new().unwrap();
    let mut storage = storage(directory.path());
    storage.batch_linger = Duration::from_secs(3_600);
    storage.batch_max_records = 10;
    let store = Store::open(&storage, Clock::system()).unwrap();
    for _ in 0..10 {
        let slot = store.reserve().await.unwrap();
        slot.finish(record(log(id_at(NOON))));
    }
    while store.status().records_written < 10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_load_everything_finished_is_written_and_the_sums_agree() {
    const TASKS: u64 = 200;
    const REQUESTS: u64 = 20;
    let directory = TempDir::new().unwrap();
    let mut storage = storage(directory.path());
    // Far fewer places than requests, so that admission waits, and many batches.
    storage.queue_max_records = 64;
    storage.batch_max_records = 16;
    storage.batch_linger = Duration::from_millis(1);
    let store = Store::open(&storage, Clock::manual(NOON)).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let store = store.clone();
        tasks.spawn(async move {
            let mut written = Vec::new();
            for request in 0..REQUESTS {
                let event = varied(task * REQUESTS + request);
                let id = RequestId::parse(&event.request_id).unwrap();
                let mut slot = store.reserve().await.unwrap();
                // Every third request settles before its last byte.
                if request % 3 == 0 {
                    slot.hold(hold(id)).await.unwrap();
                    commit(&mut slot, vec![event.clone()]).await.unwrap();
                    slot.finish(record(log(id)));
                } else {
                    end(slot, log(id), vec![event.clone()]);
                }
                written.push(event);
            }
            written
        });
    }
    let mut events: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    store.flush().await.unwrap();

    let status = store.status();
    assert_eq!(status.records_written, TASKS * REQUESTS);
    assert_eq!((status.logs_dropped, status.commit_failures), (0, 0));
    assert_eq!(status.queue_used, 0);
    assert_sums_agree(&store, &events).await;
    events.sort_by(|a, b| b.request_id.cmp(&a.request_id));
    assert_eq!(all_events(&store).await, events);
    store.close().await.unwrap();
}

/// The `n`-th of a fixed sequence of events that have little in common.
fn varied(n: u64) -> MeteringEvent {
    let mut state = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let mut next = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let spread_ms = i64::try_from(next(3 * 86_400_000)).unwrap();
    MeteringEvent {
        api_key_id: format!("key-{}", next(5)).into(),
        model: format!("model-{}", next(3)).into(),
        provider: format!("provider-{}", next(2)).into(),
        status: if next(10) == 0 { 502 } else { 200 },
        tokens: Tokens {
            input: next(10_000),
            output: next(10_000),
            cache_read: next(100),
            cache_write: next(100),
            reasoning: next(100),
        },
        cost_nanos: (next(4) > 0).then(|| i64::try_from(next(1_000_000)).unwrap()),
        cache_hit: next(8) == 0,
        saved_nanos: (next(2) == 0).then(|| i64::try_from(next(1_000_000)).unwrap()),
        ..event(id_at(NOON + spread_ms))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn sums_are_those_of_the_rows_however_often_a_row_is_handed_over(
        seeds in prop::collection::vec(any::<u64>(), 1..40),
        again in 1usize..4,
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let directory = TempDir::new().unwrap();
            let store = open(&directory);
            let events: Vec<_> = seeds.into_iter().map(varied).collect();
            for _ in 0..again {
                for event in &events {
                    let mut slot = store.reserve().await.unwrap();
                    slot.settle(vec![metered(event.clone())], false);
                }
            }
            store.flush().await.unwrap();
            assert_sums_agree(&store, &events).await;
        });
    }
}

#[tokio::test]
async fn absurd_usage_distorts_its_sums_and_stops_nothing() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    for _ in 0..3 {
        let absurd = MeteringEvent {
            tokens: Tokens {
                input: u64::MAX,
                output: u64::MAX,
                ..Tokens::default()
            },
            cost_nanos: Some(i64::MIN),
            ..event(id_at(NOON))
        };
        let mut slot = store.reserve().await.unwrap();
        commit(&mut slot, vec![absurd]).await.unwrap();
    }
    let mut slot = store.reserve().await.unwrap();
    commit(&mut slot, vec![event(id_at(NOON))]).await.unwrap();
    let total = aggregates(&store, Window::Total).await;
    assert_eq!(total[0].requests, 4);
    assert!(total[0].tokens.input > 1 << 60);
}

#[tokio::test]
async fn a_full_queue_refuses_who_cannot_wait_and_lets_the_others_wait() {
    let directory = TempDir::new().unwrap();
    let mut storage = storage(directory.path());
    storage.queue_max_records = 2;
    let store = Store::open(&storage, Clock::system()).unwrap();
    let first = store.reserve().await.unwrap();
    let unused = store.try_reserve().unwrap();
    assert_eq!(store.status().queue_used, 2);

    assert!(store.try_reserve().is_none());
    assert_eq!(store.status().logs_dropped, 1);
    let mut waiting = Box::pin(store.reserve());
    assert!(futures_util::poll!(&mut waiting).is_pending());
    // A place is free again once its record is written …
    first.finish(record(log(id_at(NOON))));
    let second = waiting.await.unwrap();
    assert_eq!(store.status().records_written, 1);
    // … or was given up unused.
    drop(unused);
    assert!(store.try_reserve().is_some());
    drop(second);
    assert_eq!(store.status().queue_used, 0);
}

#[tokio::test]
async fn a_closed_store_takes_nothing_and_one_that_is_dropped_has_written_everything() {
    let directory = TempDir::new().unwrap();
    let ids = [id_at(NOON), id_at(NOON + 1)];
    let store = open(&directory);
    let slot = store.reserve().await.unwrap();
    end(slot, log(ids[0]), vec![event(ids[0])]);
    store.close().await.unwrap();
    assert_eq!(store.status().wal_bytes, 0);
    store.close().await.unwrap();
    assert!(matches!(store.reserve().await, Err(StoreError::Closed)));
    assert!(matches!(store.flush().await, Err(StoreError::Closed)));
    assert!(store.try_reserve().is_none());
    // What is written can still be read.
    assert_eq!(all_events(&store).await.len(), 1);
    drop(store);

    let store = open(&directory);
    let slot = store.reserve().await.unwrap();
    end(slot, log(ids[1]), vec![event(ids[1])]);
    drop(store);
    let store = open(&directory);
    assert_eq!(all_events(&store).await, [event(ids[1]), event(ids[0])]);
    assert_eq!(store.request_log(ids[1]).await.unwrap(), found(log(ids[1])));
}

#[tokio::test]
async fn files_are_for_their_owner_alone() {
    let parent = TempDir::new().unwrap();
    let directory = parent.path().join("new/data");
    let store = Store::open(&storage(&directory), Clock::system()).unwrap();
    write_logs(&store, [log(id_at(NOON))]).await;
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let files: Vec<_> = directory
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}
