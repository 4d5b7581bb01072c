//! A state.db that is damaged, locked or not there costs what it held, and nothing else.

use bytes::Bytes;
use ferrogate_api::MeteringEventQuery;
use tempfile::TempDir;

use super::{
    state::{
        HOUR_MS, STATE_FILE, found_response, large_response, response, rows, wait_for_first_sweep,
    },
    *,
};
use crate::store::StoreError;

const ASIDE: &str = "state.db.damaged";

/// The ledger and the request logs are written whatever becomes of the state.
async fn assert_ledger_goes_on(store: &Store) {
    let id = id_at(NOON);
    let mut slot = store.reserve().await.unwrap();
    slot.hold(hold(id)).await.unwrap();
    commit(&mut slot, vec![event(id)]).await.unwrap();
    slot.finish(record(log(id)));
    store.flush().await.unwrap();
    let events = store.metering_events(MeteringEventQuery::default());
    assert!(events.await.unwrap().data.contains(&event(id)));
    assert_eq!(store.request_log(id).await.unwrap(), found(log(id)));
}

async fn assert_state_works(store: &Store, directory: &TempDir) {
    store.keep_response(response("key-a", "new"));
    store.flush().await.unwrap();
    assert_eq!(rows(directory, "response_state"), 1);
    assert!(found_response(store, "key-a", "new").await.is_some());
    assert!(store.delete_response("key-a", "new").await.unwrap());
}

#[tokio::test]
async fn a_file_that_is_not_ours_is_moved_aside() {
    type Damage = fn(&Path);
    let check = async |damage: Damage| {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join(STATE_FILE);
        let store = open(&directory);
        store.keep_response(response("key-a", "old"));
        drop(store);
        damage(&path);
        let store = open(&directory);
        assert_eq!(found_response(&store, "key-a", "old").await, None);
        assert_state_works(&store, &directory).await;
        assert_ledger_goes_on(&store).await;
        assert!(directory.path().join(ASIDE).exists());
    };
    check(|path| fs::write(path, "no database at all".repeat(500)).unwrap()).await;
    check(|path| {
        let from_the_future =
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
             VALUES (99, 'from_the_future', '2030-01-01T00:00:00Z', '1')";
        raw(path).execute_batch(from_the_future).unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_file_that_turns_out_to_be_damaged_is_begun_anew() {
    type Damage = fn(&Path);
    let check = async |damaged_while_open: bool, damage: Damage| {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join(STATE_FILE);
        let store = open(&directory);
        for n in 0..50 {
            store.keep_response(large_response(&format!("resp-{n}"), 50_000));
        }
        drop(store);
        if !damaged_while_open {
            damage(&path);
        }
        let store = open(&directory);
        if damaged_while_open {
            wait_for_first_sweep(&store).await;
            damage(&path);
        }
        assert_ledger_goes_on(&store).await;
        // Found out by a look-up, or by retention where that comes first.
        while !directory.path().join(ASIDE).exists() {
            for n in 0..50 {
                drop(store.response("key-a", &format!("resp-{n}")).await);
            }
        }
        // Committed after what was found out.
        store.flush().await.unwrap();
        assert_eq!(found_response(&store, "key-a", "resp-7").await, None);
        assert_state_works(&store, &directory).await;
        assert_ledger_goes_on(&store).await;
    };
    // The schema is left as it is: the file opens.
    let torn: Damage = |path| {
        let mut content = fs::read(path).unwrap();
        content.truncate(20 * 4_096);
        content.resize(600 * 4_096, 0xff);
        fs::write(path, content).unwrap();
    };
    let foreign: Damage = |path| {
        let connection = raw(path);
        connection
            .execute_batch("DROP TABLE response_state")
            .unwrap();
    };
    for damage in [torn, foreign] {
        for damaged_while_open in [false, true] {
            check(damaged_while_open, damage).await;
        }
    }
}

#[tokio::test]
async fn while_the_file_cannot_be_written_memory_goes_on_within_its_bound() {
    let directory = TempDir::new().unwrap();
    let mut storage = storage(directory.path());
    storage.state_memory_max_bytes = 1 << 20;
    storage.state_entry_max_bytes = 1 << 20;
    let store = Store::open(&storage, Clock::manual(NOON)).unwrap();
    store.keep_response(response("key-a", "written"));
    store.flush().await.unwrap();

    let blocker = raw(&directory.path().join(STATE_FILE));
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    for n in 0..30 {
        store.keep_response(large_response(&format!("resp-{n}"), 100_000));
    }
    assert_ledger_goes_on(&store).await;
    let status = store.status().state;
    assert_eq!(status.entries_written, 1);
    assert_eq!(status.entries_dropped, 20);
    assert!(status.memory_bytes <= 1 << 20);
    for (id, expected) in [("resp-29", true), ("resp-0", false), ("written", true)] {
        let is_found = found_response(&store, "key-a", id).await.is_some();
        assert_eq!(is_found, expected, "{id}");
    }
    // What cannot be deleted on the disk is not said to be.
    let refused = store.delete_response("key-a", "written").await;
    assert!(
        matches!(refused, Err(StoreError::StateUnavailable)),
        "{refused:?}"
    );
    assert_ledger_goes_on(&store).await;

    // The last chance to write is taken, however short the rest was.
    blocker.execute_batch("ROLLBACK").unwrap();
    drop(blocker);
    store.close().await.unwrap();
    drop(store);
    assert_eq!(rows(&directory, "response_state"), 11);
    let store = open(&directory);
    assert!(found_response(&store, "key-a", "resp-29").await.is_some());
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_stops_nothing() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join(STATE_FILE);
    fs::create_dir(&path).unwrap();
    let store = open(&directory);
    assert_ledger_goes_on(&store).await;
    store.keep_response(response("key-a", "resp-1"));
    store.keep_reasoning("key-a", "call-1", Bytes::from_static(b"thought"));
    store.flush().await.unwrap();
    assert!(found_response(&store, "key-a", "resp-1").await.is_some());
    let unknown = store.response("key-a", "resp-2").await;
    assert!(
        matches!(unknown, Err(StoreError::StateUnavailable)),
        "{unknown:?}"
    );
    // Of reasoning state, what there is.
    let found = store.reasoning("key-a", &["call-0", "call-1"]).await;
    let expected = [None, Some(Bytes::from_static(b"thought"))];
    assert_eq!(found.unwrap(), expected);
    let deleted = store.delete_response("key-a", "resp-2").await;
    assert!(
        matches!(deleted, Err(StoreError::StateUnavailable)),
        "{deleted:?}"
    );
    // It is there for the asking once the file can be made.
    fs::remove_dir(&path).unwrap();
    store.close().await.unwrap();
    drop(store);
    assert!(
        found_response(&open(&directory), "key-a", "resp-1")
            .await
            .is_some()
    );
}

#[tokio::test]
async fn what_was_moved_aside_is_kept_no_longer_than_what_it_holds() {
    let directory = TempDir::new().unwrap();
    let aside = directory.path().join(ASIDE);
    fs::write(&aside, "what people wrote").unwrap();
    let written_at = aside.metadata().unwrap().modified().unwrap();
    let written_at = written_at
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis();
    let written_at = i64::try_from(written_at).unwrap();
    let swept_at = async |unix_ms| {
        let store = Store::open(&storage(directory.path()), Clock::manual(unix_ms)).unwrap();
        // The first sweep comes before the first thing to write.
        store.close().await.unwrap();
    };
    swept_at(written_at + 30 * DAY_MS - HOUR_MS).await;
    assert!(aside.exists());
    swept_at(written_at + 30 * DAY_MS + HOUR_MS).await;
    assert!(!aside.exists());
}
