//! What clients sent and were sent, kept beside the log of the request.

use tempfile::TempDir;

use super::*;
use crate::store::Bodies;

#[tokio::test]
async fn bodies_come_back_with_their_log_and_take_less_room() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let (with, without) = (id_at(NOON), id_at(NOON + 1));
    let text = "the same words again and again, ".repeat(10_000);
    let bodies = Bodies {
        request: text.clone().into(),
        response: b"not \xff text"[..].into(),
    };
    let slot = store.reserve().await.unwrap();
    slot.finish(Record {
        bodies: Some(Box::new(bodies)),
        ..record(log(with))
    });
    write_logs(&store, [log(without)]).await;

    let detail = store.request_log(with).await.unwrap().unwrap();
    assert_eq!(detail.log, log(with));
    assert_eq!(detail.request_body, Some(text.clone()));
    assert_eq!(detail.response_body.as_deref(), Some("not \u{fffd} text"));
    assert_eq!(
        store.request_log(without).await.unwrap(),
        found(log(without))
    );
    let file = raw(&directory.path().join("requests-2026-01-01.db"));
    let bytes: i64 = file
        .query_row("SELECT length(request) FROM request_bodies", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert!(usize::try_from(bytes).unwrap() < text.len() / 10, "{bytes}");
}

#[tokio::test]
async fn bodies_that_cannot_be_read_do_not_hide_their_log() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let id = id_at(NOON);
    let slot = store.reserve().await.unwrap();
    slot.finish(Record {
        bodies: Some(Box::default()),
        ..record(log(id))
    });
    store.flush().await.unwrap();
    raw(&directory.path().join("requests-2026-01-01.db"))
        .execute_batch("UPDATE request_bodies SET request = x'00'")
        .unwrap();
    let detail = store.request_log(id).await.unwrap().unwrap();
    assert_eq!(detail.log, log(id));
    assert_eq!(detail.request_body, None);
    assert_eq!(detail.response_body.as_deref(), Some(""));
}

#[test]
fn bodies_say_nothing_but_their_size_when_they_are_printed() {
    let bodies = Bodies {
        request: "secret".into(),
        response: "answer".into(),
    };
    let printed = format!("{bodies:?}");
    assert_eq!(printed, "Bodies { request_bytes: 6, response_bytes: 6 }");
}
