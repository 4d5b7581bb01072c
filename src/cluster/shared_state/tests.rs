//! One file, several nodes.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::json;
use tempfile::TempDir;
use tokio::{task::JoinSet, time::timeout};

use super::{Readiness, SharedResource, SharedState, SharedStateError, StateSync};
use crate::clock::Clock;
use crate::config::{Cluster, CounterBackend, StateBackend};
use crate::tasks::Tasks;

const NOW: i64 = 1_767_225_600_000;
const POLL: Duration = Duration::from_millis(20);

struct Shared {
    directory: TempDir,
    clock: Clock,
}

impl Shared {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            clock: Clock::manual(NOW),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("state.json")
    }

    fn node(&self, id: &str) -> StateSync {
        let options = Cluster {
            enabled: true,
            cluster_id: "test".into(),
            node_id: id.into(),
            node_region: None,
            node_zone: None,
            state_backend: StateBackend::File,
            file_state_path: Some(self.path()),
            counter_backend: CounterBackend::Local,
            redis_url: None,
            redis_connections: 1,
            counter_timeout: Duration::from_secs(1),
            heartbeat_interval: Duration::from_secs(1),
            config_poll_interval: POLL,
        };
        StateSync::new(self.path(), &options, self.clock.clone())
    }

    /// Puts a text there the way an editor does.
    fn put(&self, text: &str) {
        let beside = self.directory.path().join("edited");
        fs::write(&beside, text).unwrap();
        fs::rename(beside, self.path()).unwrap();
    }

    fn text(&self) -> String {
        fs::read_to_string(self.path()).unwrap()
    }
}

fn key(id: &str) -> SharedResource {
    SharedResource {
        kind: "api_key".into(),
        id: id.into(),
        revision: 1,
        document: json!({"id": id, "key_hash": "sha256:00"}),
        created_at_unix_ms: NOW,
        updated_at_unix_ms: NOW,
    }
}

fn ids(state: &SharedState) -> Vec<&str> {
    state
        .resources
        .iter()
        .map(|resource| &*resource.id)
        .collect()
}

/// Takes what is newest, as a gateway does that finds nothing wrong with it.
async fn follow(node: &StateSync) -> Option<Arc<SharedState>> {
    node.sync().await;
    let newest = node.newest();
    if let Some(state) = &newest {
        node.applied(state.revision);
    }
    newest
}

#[tokio::test]
async fn what_one_node_writes_the_other_reads() {
    let shared = Shared::new();
    let (a, b) = (shared.node("a"), shared.node("b"));
    assert_eq!(follow(&b).await, None);
    let status = b.status();
    assert_eq!(
        (status.ready, status.readiness_reason),
        (false, Readiness::RevisionMissing)
    );

    let written = a.replace(0, vec![key("one")]).await.unwrap();
    assert_eq!((written.revision, &*written.node_id), (1, "a"));
    let read = follow(&b).await.unwrap();
    assert_eq!(read, written);
    let written = b.replace(1, vec![key("one"), key("two")]).await.unwrap();
    assert_eq!(follow(&a).await.unwrap(), written);
    assert_eq!(ids(&written), ["one", "two"]);

    let status = a.status();
    assert_eq!(status.active_revision, Some(2));
    assert_eq!(status.last_sync_at_unix_ms, Some(NOW));
    assert_eq!(
        (status.ready, status.stale, status.last_sync_error),
        (true, false, None)
    );
    assert_eq!(status.readiness_reason, Readiness::StateLoaded);
    for name in ["state.json", "state.json.lock"] {
        let metadata = fs::metadata(shared.directory.path().join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let left: Vec<_> = fs::read_dir(shared.directory.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[tokio::test]
async fn of_two_writers_from_one_revision_one_loses_and_knows_what_the_other_wrote() {
    let shared = Shared::new();
    let (a, b) = (shared.node("a"), shared.node("b"));
    a.replace(0, vec![key("one")]).await.unwrap();
    b.sync().await;
    a.replace(1, vec![key("of a")]).await.unwrap();
    let lost = b.replace(1, vec![key("of b")]).await.unwrap_err();
    assert!(
        matches!(
            lost,
            SharedStateError::Conflict {
                expected: 1,
                found: 2
            }
        ),
        "{lost}"
    );
    assert_eq!(ids(&b.newest().unwrap()), ["of a"]);
    let state = b.replace(2, vec![key("of a"), key("of b")]).await.unwrap();
    assert_eq!(state.revision, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_write_of_many_at_once_is_lost() {
    const WRITERS: usize = 6;
    const WRITES: usize = 10;
    let shared = Arc::new(Shared::new());
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let node = shared.node(&format!("n{writer}"));
        writers.spawn(async move {
            for number in 0..WRITES {
                loop {
                    let newest = node.newest();
                    let (revision, mut resources) = newest
                        .map(|newest| (newest.revision, newest.resources.clone()))
                        .unwrap_or_default();
                    resources.push(key(&format!("{writer}.{number}")));
                    match node.replace(revision, resources).await {
                        Ok(_) => break,
                        Err(SharedStateError::Conflict { .. }) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            }
        });
    }
    writers.join_all().await;
    let reader = shared.node("reader");
    let state = follow(&reader).await.unwrap();
    let writes = WRITERS * WRITES;
    assert_eq!(usize::try_from(state.revision).unwrap(), writes);
    assert_eq!(state.resources.len(), writes);
}

#[tokio::test]
async fn the_watch_hands_over_what_others_write_and_nothing_twice() {
    let shared = Shared::new();
    let (a, b) = (shared.node("a"), shared.node("b"));
    let tasks = Tasks::default();
    b.watch(&tasks);
    let mut states = b.subscribe();
    states.changed().await.unwrap();
    assert_eq!(*states.borrow_and_update(), None);
    for revision in 1..=3 {
        a.replace(revision - 1, vec![key("one")]).await.unwrap();
        let changed = timeout(Duration::from_secs(30), states.changed());
        changed.await.expect("the watch notices").unwrap();
        let state = states.borrow_and_update().clone().unwrap();
        assert_eq!(state.revision, revision);
    }
    // Who comes late is told what is there.
    let late = b.subscribe();
    assert!(late.has_changed().unwrap());
    assert_eq!(late.borrow().as_ref().unwrap().revision, 3);
    // A file that was only touched says nothing new.
    shared.put(&shared.text());
    b.sync().await;
    assert!(!states.has_changed().unwrap());
    assert_eq!(b.status().last_sync_error, None);
    tasks.drain().await;
}

#[tokio::test]
async fn a_file_that_is_wrong_changes_nothing_and_is_named() {
    let shared = Shared::new();
    let (a, b) = (shared.node("a"), shared.node("b"));
    a.replace(0, vec![key("one")]).await.unwrap();
    let old = shared.text();
    a.replace(1, vec![key("one"), key("two")]).await.unwrap();
    let sound = shared.text();
    let loaded = follow(&b).await.unwrap();

    let with = |from: &str, to: &str| {
        let changed = sound.replace(from, to);
        assert_ne!(changed, sound, "{from}");
        changed
    };
    let half: String = sound.chars().take(sound.len() / 2).collect();
    let newer = |text: String| text.replace("\"revision\": 2", "\"revision\": 3");
    let cases = [
        (half, "damaged"),
        (String::new(), "damaged"),
        (with("\"version\": 1", "\"version\": 2"), "version is 2"),
        (newer(with("\"key_hash\"", "\"key\"")), "plain secret"),
        (newer(with("\"key_hash\"", "\"key_env\"")), "plain secret"),
        (newer(with("\"id\": \"two\"", "\"id\": \"one\"")), "twice"),
        (with("\"node_id\"", "\"nodes\""), "damaged"),
        (old, "older than 2"),
        (
            with("\"id\": \"two\"", "\"id\": \"three\""),
            "still at revision 2",
        ),
    ];
    for (text, error) in cases {
        shared.put(&text);
        for _ in 0..2 {
            b.sync().await;
            assert_eq!(b.newest(), Some(Arc::clone(&loaded)), "{error}");
            let status = b.status();
            let said = status.last_sync_error.unwrap();
            assert!(said.contains(error), "{error}: {said}");
            assert_eq!((status.ready, status.stale), (true, true), "{error}");
            assert_eq!(status.readiness_reason, Readiness::SyncError);
            assert_eq!(status.active_revision, Some(2));
        }
        shared.put(&sound);
        b.sync().await;
        assert_eq!(b.status().last_sync_error, None, "{error}");
    }

    fs::remove_file(shared.path()).unwrap();
    b.sync().await;
    assert!(b.status().last_sync_error.unwrap().contains("gone"));
    shared.put(&sound);
    b.sync().await;
    assert_eq!(b.status().readiness_reason, Readiness::StateLoaded);
    a.replace(2, vec![key("three")]).await.unwrap();
    assert_eq!(ids(&follow(&b).await.unwrap()), ["three"]);
}

#[tokio::test]
async fn a_damaged_file_is_not_overwritten() {
    let shared = Shared::new();
    let node = shared.node("a");
    fs::write(shared.path(), "{").unwrap();
    let refused = node.replace(0, vec![key("one")]).await.unwrap_err();
    assert!(
        matches!(refused, SharedStateError::Damaged { .. }),
        "{refused}"
    );
    assert_eq!(shared.text(), "{");
}

#[tokio::test]
async fn a_plain_secret_is_never_written() {
    let shared = Shared::new();
    let node = shared.node("a");
    for field in ["key", "key_env"] {
        let mut resource = key("one");
        resource.document[field] = "hunter2".into();
        let refused = node.replace(0, vec![resource]).await.unwrap_err();
        assert!(
            matches!(refused, SharedStateError::PlainSecret { .. }),
            "{refused}"
        );
        assert!(!refused.to_string().contains("hunter2"));
        assert!(!Path::new(&shared.path()).exists());
    }
}

#[tokio::test]
async fn a_revision_that_cannot_be_used_leaves_the_one_before_it_active() {
    let shared = Shared::new();
    let node = shared.node("a");
    node.replace(0, vec![key("one")]).await.unwrap();
    node.applied(1);
    node.replace(1, vec![key("two")]).await.unwrap();
    node.refused(2, "its key is no key");
    node.sync().await;
    let status = node.status();
    assert_eq!((status.active_revision, status.stale), (Some(1), true));
    assert!(
        status
            .last_sync_error
            .unwrap()
            .contains("its key is no key")
    );
    node.replace(2, vec![key("three")]).await.unwrap();
    node.applied(3);
    let status = node.status();
    assert_eq!((status.active_revision, status.stale), (Some(3), false));
}

#[tokio::test]
async fn a_state_that_is_no_longer_looked_at_is_stale_and_still_served() {
    let shared = Shared::new();
    let node = shared.node("a");
    node.replace(0, vec![key("one")]).await.unwrap();
    node.applied(1);
    shared.clock.advance_ms(61);
    let status = node.status();
    assert_eq!(status.readiness_reason, Readiness::StaleState);
    assert_eq!((status.ready, status.stale), (true, true));
    node.sync().await;
    assert_eq!(node.status().readiness_reason, Readiness::StateLoaded);
}
