//! Response state and reasoning state: found at once, found again, by their owner alone, and no longer than they may.

use bytes::Bytes;
use tempfile::TempDir;

use super::*;
use crate::store::{StoreError, StoredResponse};

pub(super) const HOUR_MS: i64 = 3_600_000;
pub(super) const STATE_FILE: &str = "state.db";

pub(super) fn response(owner: &str, id: &str) -> StoredResponse {
    StoredResponse {
        id: id.to_owned(),
        owner: owner.into(),
        created_at_unix_ms: NOON,
        model: "small".into(),
        provider: None,
        answer: Bytes::from(format!("{{\"id\":\"{id}\"}}")),
        conversation: Bytes::from_static(b"[{\"role\":\"user\"}]"),
    }
}

/// One that is as large as asked for.
pub(super) fn large_response(id: &str, bytes: usize) -> StoredResponse {
    StoredResponse {
        conversation: Bytes::from(vec![b'x'; bytes]),
        ..response("key-a", id)
    }
}

pub(super) async fn found_response(store: &Store, owner: &str, id: &str) -> Option<StoredResponse> {
    let found = store.response(owner, id).await.unwrap();
    found.map(|response| (*response).clone())
}

async fn found_reasoning(store: &Store, owner: &str, call_id: &str) -> Option<Bytes> {
    let mut found = store.reasoning(owner, &[call_id]).await.unwrap();
    assert_eq!(found.len(), 1);
    found.remove(0)
}

pub(super) fn rows(directory: &TempDir, table: &str) -> u64 {
    let connection = raw(&directory.path().join(STATE_FILE));
    let count: i64 = connection
        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
            row.get(0)
        })
        .unwrap();
    u64::try_from(count).unwrap()
}

/// Retention is looked at when the store is opened, after the first batch, and then not for a minute.
pub(super) async fn wait_for_first_sweep(store: &Store) {
    for _ in 0..2 {
        store.flush().await.unwrap();
    }
}

/// Waits until retention has left so many rows.
async fn wait_for_rows(directory: &TempDir, table: &str, expected: u64) {
    while rows(directory, table) != expected {
        tokio::task::yield_now().await;
    }
}

fn open_at(directory: &TempDir, unix_ms: i64) -> Store {
    Store::open(&storage(directory.path()), Clock::manual(unix_ms)).unwrap()
}

#[tokio::test]
async fn a_turn_right_after_an_answer_finds_it() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    // Nothing can be written meanwhile.
    let blocker = raw(&directory.path().join(STATE_FILE));
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.keep_response(response("key-a", "resp-1"));
    store.keep_reasoning("key-a", "call-1", Bytes::from_static(b"thought"));
    assert_eq!(
        found_response(&store, "key-a", "resp-1").await,
        Some(response("key-a", "resp-1"))
    );
    assert_eq!(
        found_reasoning(&store, "key-a", "call-1").await,
        Some(Bytes::from_static(b"thought"))
    );
    let status = store.status().state;
    assert_eq!(status.entries_written, 0);
    assert!(status.memory_bytes > 0);
    blocker.execute_batch("ROLLBACK").unwrap();
    store.close().await.unwrap();
    assert_eq!(store.status().state.entries_written, 2);
}

#[tokio::test]
async fn what_an_idle_store_is_given_is_written_without_anybody_waiting() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    for id in ["resp-1", "resp-2"] {
        store.keep_response(response("key-a", id));
    }
    while store.status().state.entries_written < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(rows(&directory, "response_state"), 2);
}

#[tokio::test]
async fn what_was_written_survives_a_kill_and_a_restart() {
    let directory = TempDir::new().unwrap();
    let kept_by_provider = StoredResponse {
        provider: named("one"),
        answer: Bytes::new(),
        conversation: Bytes::new(),
        ..response("key-a", "resp-2")
    };
    let store = open(&directory);
    store.keep_response(response("key-a", "resp-1"));
    store.keep_response(kept_by_provider.clone());
    for call in ["call-1", "call-2"] {
        store.keep_reasoning("key-a", call, Bytes::copy_from_slice(call.as_bytes()));
    }
    store.flush().await.unwrap();
    // Kept a second time, an id stands for what came last.
    store.keep_reasoning("key-a", "call-2", Bytes::from_static(b"later"));
    store.flush().await.unwrap();
    let killed = as_if_killed(&directory);
    drop(store);
    for directory in [killed, directory] {
        let store = open(&directory);
        assert_eq!(
            found_response(&store, "key-a", "resp-1").await,
            Some(response("key-a", "resp-1"))
        );
        assert_eq!(
            found_response(&store, "key-a", "resp-2").await.as_ref(),
            Some(&kept_by_provider)
        );
        // From memory and from the disk in one answer, each in its place.
        store.keep_reasoning("key-a", "call-3", Bytes::from_static(b"new"));
        let calls = ["call-2", "call-0", "call-3", "call-1"];
        let found = store.reasoning("key-a", &calls).await.unwrap();
        let expected = [Some("later"), None, Some("new"), Some("call-1")];
        assert_eq!(found, expected.map(|state| state.map(Bytes::from)));
    }
}

#[tokio::test]
async fn what_is_kept_belongs_to_its_owner() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    for owner in ["key-a", "key-b"] {
        store.keep_response(StoredResponse {
            answer: Bytes::copy_from_slice(owner.as_bytes()),
            ..response(owner, "shared")
        });
        store.keep_reasoning(owner, "shared", Bytes::copy_from_slice(owner.as_bytes()));
    }
    store.keep_response(response("key-a", "resp-1"));
    store.keep_reasoning("key-a", "call-1", Bytes::from_static(b"thought"));
    store.flush().await.unwrap();
    let check = async |store: &Store| {
        for owner in ["key-a", "key-b"] {
            let own = found_response(store, owner, "shared").await.unwrap();
            assert_eq!((&*own.owner, &own.answer[..]), (owner, owner.as_bytes()));
            let own = found_reasoning(store, owner, "shared").await;
            assert_eq!(own, Some(Bytes::copy_from_slice(owner.as_bytes())));
        }
        for stranger in ["key-b", "", "key-a2"] {
            assert_eq!(found_response(store, stranger, "resp-1").await, None);
            assert_eq!(found_reasoning(store, stranger, "call-1").await, None);
            assert!(!store.delete_response(stranger, "resp-1").await.unwrap());
        }
        assert!(found_response(store, "key-a", "resp-1").await.is_some());
        // A response is no reasoning state, whatever it is called.
        assert_eq!(found_reasoning(store, "key-a", "resp-1").await, None);
    };
    check(&store).await;
    drop(store);
    check(&open(&directory)).await;
}

#[tokio::test]
async fn what_is_deleted_does_not_come_back() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    for id in ["written", "kept"] {
        store.keep_response(response("key-a", id));
    }
    store.flush().await.unwrap();
    // Deleted before it was written, deleted after, and deleted again.
    store.keep_response(response("key-a", "new"));
    for (id, expected) in [
        ("new", true),
        ("new", false),
        ("written", true),
        ("written", false),
        ("other", false),
    ] {
        let deleted = store.delete_response("key-a", id).await.unwrap();
        assert_eq!(deleted, expected, "{id}");
        assert_eq!(found_response(&store, "key-a", id).await, None);
    }
    // What was answered was committed: a kill brings nothing back.
    let killed = as_if_killed(&directory);
    drop(store);
    for directory in [&killed, &directory] {
        let store = open(directory);
        for id in ["new", "written"] {
            assert_eq!(found_response(&store, "key-a", id).await, None, "{id}");
        }
        assert!(found_response(&store, "key-a", "kept").await.is_some());
    }
    // From the disk alone.
    let store = open(&directory);
    assert!(store.delete_response("key-a", "kept").await.unwrap());
    assert_eq!(found_response(&store, "key-a", "kept").await, None);
    store.close().await.unwrap();
    let closed = store.delete_response("key-a", "kept").await;
    assert!(matches!(closed, Err(StoreError::Closed)), "{closed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_see_their_own_writes() {
    let directory = TempDir::new().unwrap();
    let mut storage = storage(directory.path());
    // Too little for all of them, so that many are read from the disk.
    storage.state_memory_max_bytes = 64 << 10;
    storage.state_entry_max_bytes = 16 << 10;
    let store = Store::open(&storage, Clock::manual(NOON)).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8 {
        let store = store.clone();
        tasks.spawn(async move {
            let owner = format!("key-{task}");
            for n in 0..100 {
                let id = format!("resp-{n}");
                store.keep_response(response(&owner, &id));
                assert!(found_response(&store, &owner, &id).await.is_some());
                if n % 10 == 9 {
                    store.flush().await.unwrap();
                }
                if n % 3 == 0 {
                    assert!(store.delete_response(&owner, &id).await.unwrap());
                    assert_eq!(found_response(&store, &owner, &id).await, None);
                }
            }
        });
    }
    tasks.join_all().await;
    store.flush().await.unwrap();
    let status = store.status().state;
    assert_eq!(status.entries_dropped, 0);
    assert!(status.memory_bytes <= 64 << 10, "{status:?}");
    assert_eq!(rows(&directory, "response_state"), 8 * 66);
    for n in [1, 98] {
        let id = format!("resp-{n}");
        assert!(found_response(&store, "key-3", &id).await.is_some(), "{n}");
    }
}

#[tokio::test]
async fn what_is_past_its_retention_is_not_found() {
    let directory = TempDir::new().unwrap();
    // From memory, then from the disk.
    for reopened in [false, true] {
        let clock = Clock::manual(NOON);
        let store = Store::open(&storage(directory.path()), clock.clone()).unwrap();
        if !reopened {
            store.keep_response(response("key-a", "resp-1"));
            store.keep_reasoning("key-a", "call-1", Bytes::from_static(b"thought"));
        }
        wait_for_first_sweep(&store).await;
        clock.advance_ms(72 * HOUR_MS - 1);
        assert!(found_reasoning(&store, "key-a", "call-1").await.is_some());
        clock.advance_ms(1);
        assert_eq!(found_reasoning(&store, "key-a", "call-1").await, None);
        clock.advance_ms(30 * DAY_MS - 72 * HOUR_MS - 1);
        assert!(found_response(&store, "key-a", "resp-1").await.is_some());
        clock.advance_ms(1);
        assert_eq!(found_response(&store, "key-a", "resp-1").await, None);
        assert_eq!(rows(&directory, "response_state"), 1, "not yet swept");
        if reopened {
            assert!(!store.delete_response("key-a", "resp-1").await.unwrap());
        }
    }
}

#[tokio::test]
async fn what_is_past_its_retention_leaves_the_disk() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    // More than one slice of them.
    for n in 0..600 {
        store.keep_response(response("key-a", &format!("resp-{n}")));
    }
    store.keep_response(StoredResponse {
        created_at_unix_ms: NOON + 1,
        ..response("key-a", "younger")
    });
    store.keep_reasoning("key-a", "call-1", Bytes::from_static(b"thought"));
    drop(store);
    assert_eq!(rows(&directory, "response_state"), 601);

    let store = open_at(&directory, NOON + 72 * HOUR_MS - 1);
    assert!(found_reasoning(&store, "key-a", "call-1").await.is_some());
    drop(store);
    let store = open_at(&directory, NOON + 30 * DAY_MS);
    assert_eq!(found_response(&store, "key-a", "resp-8").await, None);
    assert_eq!(found_reasoning(&store, "key-a", "call-1").await, None);
    wait_for_rows(&directory, "response_state", 1).await;
    wait_for_rows(&directory, "reasoning_state", 0).await;
    assert!(found_response(&store, "key-a", "younger").await.is_some());
}

#[tokio::test]
async fn with_no_retention_memory_alone_has_it_and_for_a_while() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    store.keep_response(response("key-a", "from-before"));
    drop(store);

    let mut storage = storage(directory.path());
    storage.response_retention = Duration::ZERO;
    storage.reasoning_retention = Duration::ZERO;
    let clock = Clock::manual(NOON);
    let store = Store::open(&storage, clock.clone()).unwrap();
    assert_eq!(found_response(&store, "key-a", "from-before").await, None);
    wait_for_rows(&directory, "response_state", 0).await;
    for id in ["resp-1", "resp-2"] {
        store.keep_response(response("key-a", id));
        store.keep_reasoning("key-a", id, Bytes::from_static(b"thought"));
    }
    store.flush().await.unwrap();
    assert!(found_response(&store, "key-a", "resp-1").await.is_some());
    assert!(found_reasoning(&store, "key-a", "resp-1").await.is_some());
    assert!(store.delete_response("key-a", "resp-2").await.unwrap());
    assert!(!store.delete_response("key-a", "resp-2").await.unwrap());
    clock.advance_ms(HOUR_MS);
    assert_eq!(found_response(&store, "key-a", "resp-1").await, None);
    assert_eq!(found_reasoning(&store, "key-a", "resp-1").await, None);
    assert_eq!(store.status().state.entries_written, 0);
    assert_eq!(rows(&directory, "response_state"), 0);
    assert_eq!(rows(&directory, "reasoning_state"), 0);
}

#[tokio::test]
async fn memory_is_bounded_and_what_left_it_is_read_from_the_disk() {
    let directory = TempDir::new().unwrap();
    let mut storage = storage(directory.path());
    storage.state_memory_max_bytes = 1 << 20;
    storage.state_entry_max_bytes = 1 << 20;
    let store = Store::open(&storage, Clock::manual(NOON)).unwrap();
    for n in 0..40 {
        store.keep_response(large_response(&format!("resp-{n}"), 100_000));
        store.flush().await.unwrap();
        assert!(store.status().state.memory_bytes <= 1 << 20);
    }
    for n in [0, 20, 39] {
        let id = format!("resp-{n}");
        let expected = large_response(&id, 100_000);
        assert_eq!(found_response(&store, "key-a", &id).await, Some(expected));
    }
    let status = store.status().state;
    assert_eq!((status.entries_written, status.entries_dropped), (40, 0));
    assert!(status.database_bytes > 0);
}

#[tokio::test]
async fn what_is_too_large_is_not_kept_and_counted() {
    let directory = TempDir::new().unwrap();
    let mut storage = storage(directory.path());
    storage.state_entry_max_bytes = 10_000;
    let store = Store::open(&storage, Clock::manual(NOON)).unwrap();
    store.keep_response(large_response("small", 9_000));
    store.keep_response(large_response("large", 10_000));
    store.keep_reasoning("key-a", "large", Bytes::from(vec![0; 10_000]));
    store.flush().await.unwrap();
    assert!(found_response(&store, "key-a", "small").await.is_some());
    assert_eq!(found_response(&store, "key-a", "large").await, None);
    assert_eq!(found_reasoning(&store, "key-a", "large").await, None);
    let status = store.status().state;
    assert_eq!((status.entries_written, status.entries_too_large), (1, 2));
}

#[tokio::test]
async fn a_full_file_lets_the_oldest_go() {
    let directory = TempDir::new().unwrap();
    let mut storage = storage(directory.path());
    storage.state_max_bytes = 2 << 20;
    storage.state_memory_max_bytes = 1 << 20;
    let store = Store::open(&storage, Clock::manual(NOON)).unwrap();
    store.keep_reasoning("key-a", "oldest", Bytes::from_static(b"thought"));
    for n in 0..100 {
        store.keep_response(StoredResponse {
            created_at_unix_ms: NOON + 1 + n,
            ..large_response(&format!("resp-{n}"), 100_000)
        });
        store.flush().await.unwrap();
    }
    assert!(rows(&directory, "response_state") < 21);
    assert_eq!(found_reasoning(&store, "key-a", "oldest").await, None);
    assert_eq!(found_response(&store, "key-a", "resp-50").await, None);
    assert!(found_response(&store, "key-a", "resp-99").await.is_some());
    store.close().await.unwrap();
    let status = store.status().state;
    assert_eq!((status.entries_written, status.entries_dropped), (101, 0));
    assert!(status.database_bytes < 3 << 20, "{status:?}");
    assert!(found_response(&store, "key-a", "resp-90").await.is_some());
    drop(store);

    // A bound that was lowered holds after a while, for the file on the disk too.
    storage.state_max_bytes = 1 << 20;
    let store = Store::open(&storage, Clock::manual(NOON)).unwrap();
    while rows(&directory, "response_state") > 10 {
        tokio::task::yield_now().await;
    }
    assert!(found_response(&store, "key-a", "resp-99").await.is_some());
    store.close().await.unwrap();
    drop(store);
    let store = Store::open(&storage, Clock::manual(NOON)).unwrap();
    while store.status().state.database_bytes > 1 << 20 {
        // The file itself shrinks with a checkpoint.
        store.keep_reasoning("key-a", "small", Bytes::new());
        tokio::task::yield_now().await;
    }
}
