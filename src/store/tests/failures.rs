//! Killed processes, failed commits, files that are not ours to open.

use std::fs;

use ferrogate_api::{MeteringEventQuery, UsageAggregateQuery};
use tempfile::TempDir;

use super::*;
use crate::store::StoreError;

async fn events(store: &Store) -> Vec<MeteringEvent> {
    let query = MeteringEventQuery::default();
    store.metering_events(query).await.unwrap().data
}

async fn requests_in_rollups(store: &Store) -> u64 {
    let query = UsageAggregateQuery::default();
    let page = store.usage_aggregates(query).await.unwrap();
    page.data.iter().map(|sum| sum.requests).sum()
}

#[tokio::test]
async fn an_orphaned_hold_is_charged_once() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let (orphan, settled) = (id_at(NOON), id_at(NOON));
    let mut open_slot = store.reserve().await.unwrap();
    open_slot.hold(hold(orphan)).await.unwrap();
    let mut slot = store.reserve().await.unwrap();
    slot.hold(hold(settled)).await.unwrap();
    commit(&mut slot, vec![event(settled)]).await.unwrap();

    let killed = as_if_killed(&directory);
    let charged = MeteringEvent {
        status: 500,
        outcome: Outcome::Orphaned,
        usage_source: UsageSource::Estimated,
        tokens: hold(orphan).tokens,
        cost_nanos: hold(orphan).cost_nanos,
        ..event(orphan)
    };
    for expected in [1, 0] {
        let restarted = open(&killed);
        assert_eq!(restarted.orphans_charged(), expected);
        let mut ledger = vec![charged.clone(), event(settled)];
        ledger.sort_by(|a, b| b.request_id.cmp(&a.request_id));
        assert_eq!(events(&restarted).await, ledger);
        assert_eq!(requests_in_rollups(&restarted).await, 2);
        restarted.close().await.unwrap();
    }

    // The process that lived on settles the same hold itself, and leaves no orphan.
    end(open_slot, log(orphan), vec![event(orphan)]);
    store.close().await.unwrap();
    drop(store);
    assert_eq!(open(&directory).orphans_charged(), 0);
}

#[tokio::test]
async fn a_hold_whose_request_was_metered_is_only_removed() {
    let directory = TempDir::new().unwrap();
    let id = id_at(NOON);
    {
        let store = open(&directory);
        let mut first = store.reserve().await.unwrap();
        commit(&mut first, vec![event(id)]).await.unwrap();
        let mut second = store.reserve().await.unwrap();
        second.hold(hold(id)).await.unwrap();
    }
    let store = open(&directory);
    assert_eq!(store.orphans_charged(), 0);
    assert_eq!(events(&store).await, [event(id)]);
}

#[tokio::test]
async fn a_hold_that_nobody_waited_for_is_cleared_by_the_end_of_its_request() {
    let directory = TempDir::new().unwrap();
    let id = id_at(NOON);
    let store = open(&directory);
    let mut slot = store.reserve().await.unwrap();
    // The client leaves while the hold is on its way to the disk.
    let mut waiting = Box::pin(slot.hold(hold(id)));
    drop(futures_util::poll!(&mut waiting));
    drop(waiting);
    slot.finish(record(log(id)));
    store.close().await.unwrap();
    drop(store);
    assert_eq!(open(&directory).orphans_charged(), 0);
}

#[tokio::test]
async fn a_failed_commit_is_told_to_who_waits_and_loses_no_ledger_row() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let (waits, ordinary) = (id_at(NOON), id_at(NOON + 1));
    let mut slot = store.reserve().await.unwrap();
    slot.hold(hold(waits)).await.unwrap();
    // Somebody else writes for longer than the writer's patience.
    let blocker = raw(&directory.path().join("ferrogate.db"));
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let other = store.reserve().await.unwrap();
    end(other, log(ordinary), vec![event(ordinary)]);
    let failed = commit(&mut slot, vec![event(waits)]).await;
    assert!(matches!(failed, Err(StoreError::Commit(_))), "{failed:?}");
    assert!(store.status().commit_failures > 0);
    assert!(store.status().queue_used > 0, "the record keeps its place");

    blocker.execute_batch("ROLLBACK").unwrap();
    // The request ends knowing of the failure, and hands its row over once more.
    end(slot, log(waits), vec![event(waits)]);
    store.flush().await.unwrap();
    assert_eq!(events(&store).await, [event(ordinary), event(waits)]);
    assert_eq!(requests_in_rollups(&store).await, 2);
    assert_eq!(
        store.request_log(ordinary).await.unwrap(),
        found(log(ordinary))
    );
    assert_eq!(store.status().queue_used, 0);
    store.close().await.unwrap();
    drop(store);
    assert_eq!(open(&directory).orphans_charged(), 0);
}

#[tokio::test]
async fn a_directory_is_open_in_one_place_at_a_time() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let second = Store::open(&storage(directory.path()), Clock::system());
    let error = second.unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }));
    assert!(error.to_string().contains("[storage] path"), "{error}");
    drop(store);
    open(&directory);
}

#[tokio::test]
async fn a_ledger_of_a_newer_version_is_refused_and_left_as_it_is() {
    let directory = TempDir::new().unwrap();
    drop(open(&directory));
    let path = directory.path().join("ferrogate.db");
    raw(&path)
        .execute_batch(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
             VALUES (99, 'from_the_future', '2030-01-01T00:00:00Z', '1')",
        )
        .unwrap();
    let error = Store::open(&storage(directory.path()), Clock::system()).unwrap_err();
    assert!(
        matches!(error, StoreError::NewerSchema { found: 99, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("newer version"), "{error}");
}

#[tokio::test]
async fn a_ledger_that_is_no_database_is_an_error_and_not_a_new_ledger() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("ferrogate.db");
    let content = b"precious, but no database".repeat(100);
    fs::write(&path, &content).unwrap();
    assert!(Store::open(&storage(directory.path()), Clock::system()).is_err());
    assert_eq!(fs::read(&path).unwrap(), content);
}

#[tokio::test]
async fn files_are_set_up_as_retention_and_crash_safety_need_them() {
    let directory = TempDir::new().unwrap();
    let mut storage = storage(directory.path());
    storage.durability = Durability::PowerLoss;
    let store = Store::open(&storage, Clock::system()).unwrap();
    write_logs(&store, [log(id_at(NOON))]).await;
    for file in ["ferrogate.db", "requests-2026-01-01.db"] {
        let connection = raw(&directory.path().join(file));
        let text = |pragma: &str| -> String {
            connection
                .query_row(
                    &format!("SELECT CAST({pragma} AS TEXT) FROM pragma_{pragma}"),
                    [],
                    |row| row.get(0),
                )
                .unwrap()
        };
        assert_eq!(text("journal_mode"), "wal", "{file}");
        assert_eq!(text("auto_vacuum"), "2", "{file}: incremental");
    }
}
