//! The history of the configuration, and answers to idempotent requests.

use serde_json::json;

use super::*;
use crate::store::{
    AuditEntry, Begun, IdempotentAnswer, IdempotentBegin, NewRevision, ResourceChange,
    ResourceKind, RevisedResource, Revision, RevisionSource, StoredResource,
};

fn row(revision: u64) -> StoredResource {
    StoredResource {
        kind: ResourceKind::Model,
        id: "fast".to_owned(),
        revision,
        document: json!({"name": "fast", "n": revision}),
        created_at_unix_ms: 1,
        updated_at_unix_ms: 1,
    }
}

fn change(number: u64, file: Option<&str>) -> ResourceChange {
    let before = (number > 1).then(|| row(number - 1));
    ResourceChange {
        put: vec![row(number)],
        delete: Vec::new(),
        audit: AuditEntry {
            occurred_at_unix_ms: 7,
            actor: "dev".into(),
            action: "model.update".into(),
            target: "model:fast".to_owned(),
            outcome: "ok".into(),
            message: String::new(),
            detail: None,
        },
        revision: Some(NewRevision {
            revision: Revision {
                number,
                occurred_at_unix_ms: 7,
                actor: "dev".into(),
                source: RevisionSource::Api,
                reason: "because".to_owned(),
                resources: vec![RevisedResource {
                    kind: ResourceKind::Model,
                    id: "fast".to_owned(),
                    before,
                    after: Some(row(number)),
                }],
                file_changes: json!([]),
                file_sha256: file.map(ToOwned::to_owned),
            },
            file_text: file.map(|name| format!("text of {name}")),
        }),
    }
}

#[tokio::test]
async fn the_history_reads_back_as_it_was_written_newest_first() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    for number in 1..=3 {
        store.change(change(number, Some("a"))).await.unwrap();
    }
    let numbers =
        |found: Vec<Revision>| found.into_iter().map(|one| one.number).collect::<Vec<_>>();
    assert_eq!(numbers(store.revisions(None, 2).await.unwrap()), [3, 2]);
    assert_eq!(numbers(store.revisions(Some(2), 9).await.unwrap()), [1]);
    assert_eq!(numbers(store.revisions_since(1).await.unwrap()), [2, 3]);
    let written = change(2, Some("a")).revision.unwrap().revision;
    assert_eq!(store.revision(2).await.unwrap(), Some(written));
    assert_eq!(store.revision(4).await.unwrap(), None);
}

#[tokio::test]
async fn a_change_that_is_refused_leaves_no_entry() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    store.change(change(1, None)).await.unwrap();
    let mut again = change(2, None);
    again.put = vec![row(1)];
    store.change(again).await.unwrap_err();
    assert_eq!(store.revisions(None, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_is_kept_once_and_only_while_a_revision_names_it() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    store.change(change(1, Some("a"))).await.unwrap();
    store.change(change(2, Some("b"))).await.unwrap();
    let text = |name: &str| store.config_file(name.to_owned());
    assert_eq!(text("a").await.unwrap().as_deref(), Some("text of a"));
    assert_eq!(text("b").await.unwrap().as_deref(), Some("text of b"));
    assert_eq!(text("c").await.unwrap(), None);
}

fn begin(key: &str, request: u8) -> IdempotentBegin {
    IdempotentBegin {
        caller: "dev".to_owned(),
        key: key.to_owned(),
        fingerprint: [request; 32],
        now_unix_ms: 1000 + i64::from(request),
        forget_before_unix_ms: 0,
        keep_max: 3,
    }
}

fn answer() -> IdempotentAnswer {
    IdempotentAnswer {
        status: 201,
        etag: Some("\"1-a\"".to_owned()),
        body: b"{}".to_vec(),
    }
}

#[tokio::test]
async fn an_idempotency_key_runs_one_request_once() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let known = |request| store.begin_idempotent(begin("k", request));
    let me = || ("dev".to_owned(), "k".to_owned());

    assert_eq!(known(1).await.unwrap(), Begun::Fresh);
    assert_eq!(known(1).await.unwrap(), Begun::InProgress);
    assert_eq!(known(2).await.unwrap(), Begun::OtherRequest);
    store.drop_idempotent(me().0, me().1).await.unwrap();
    assert_eq!(known(2).await.unwrap(), Begun::Fresh);
    store
        .end_idempotent(me().0, me().1, answer())
        .await
        .unwrap();
    assert_eq!(known(2).await.unwrap(), Begun::Done(answer()));
    assert_eq!(known(1).await.unwrap(), Begun::OtherRequest);
}

#[tokio::test]
async fn what_a_process_left_open_is_unknown_to_the_next() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    store.begin_idempotent(begin("open", 1)).await.unwrap();
    store.begin_idempotent(begin("done", 2)).await.unwrap();
    let (caller, key) = ("dev".to_owned(), "done".to_owned());
    store.end_idempotent(caller, key, answer()).await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let store = open(&directory);
    let known = store.begin_idempotent(begin("open", 1)).await.unwrap();
    assert_eq!(known, Begun::Unknown);
    let known = store.begin_idempotent(begin("done", 2)).await.unwrap();
    assert_eq!(known, Begun::Done(answer()));
}

#[tokio::test]
async fn old_answers_and_too_many_are_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    for request in 1..=5 {
        let fresh = store
            .begin_idempotent(begin(&format!("k{request}"), request))
            .await;
        assert_eq!(fresh.unwrap(), Begun::Fresh);
    }
    let of = |request: u8| store.begin_idempotent(begin(&format!("k{request}"), request));
    assert_eq!(of(5).await.unwrap(), Begun::InProgress);
    assert_eq!(of(3).await.unwrap(), Begun::InProgress);
    assert_eq!(
        of(1).await.unwrap(),
        Begun::Fresh,
        "the oldest was forgotten"
    );
    let late = IdempotentBegin {
        forget_before_unix_ms: 2000,
        keep_max: 100,
        ..begin("late", 9)
    };
    store.begin_idempotent(late).await.unwrap();
    assert_eq!(of(5).await.unwrap(), Begun::Fresh, "it was too old");
}
