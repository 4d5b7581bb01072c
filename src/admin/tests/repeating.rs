//! Writes that are sent twice.

use super::*;
use crate::store::{Begun, IdempotentBegin};

const KEYS: &str = "/admin/v1/api-keys";

fn keyed(secret: &str, body: &str) -> Request<Body> {
    with(
        of_key(secret, "POST", KEYS, body),
        "idempotency-key",
        "once",
    )
}

#[tokio::test]
async fn a_write_that_is_sent_twice_is_made_once_and_answered_the_same_with_its_secret() {
    let admin = Admin::start().await;
    let body = r#"{"id":"made"}"#;
    let (status, headers, first) = admin.ask(keyed("admin-secret", body)).await;
    assert_eq!(status, StatusCode::CREATED);
    assert!(!headers.contains_key("idempotency-replayed"));
    let secret = first["secret"].as_str().unwrap();
    let tag = headers["etag"].clone();

    let (status, headers, again) = admin.ask(keyed("admin-secret", body)).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(headers["idempotency-replayed"], "true");
    assert_eq!(headers["etag"], tag);
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(again, first);

    // Another router is another process: it knows what is on the disk.
    let other = Admin {
        router: router(Arc::clone(&admin.gateway)),
        ..admin
    };
    let (status, headers, again) = other.ask(keyed("admin-secret", body)).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!(headers["idempotency-replayed"], "true");
    assert_eq!(
        (&again["id"], &again["secret"]),
        (&json!("made"), &Value::Null)
    );
    let (_, events) = other
        .get("/admin/v1/audit-events?action=api_key.create")
        .await;
    assert_eq!(events["data"].as_array().unwrap().len(), 1);
    assert!(!events.to_string().contains(secret));
}

#[tokio::test]
async fn a_key_stands_for_one_request_of_one_caller() {
    let admin = Admin::start_with(
        "[[api_keys]]\nid = \"second\"\nkey = \"second-secret\"\nscopes = [\"admin.read\", \"admin.write\"]",
    )
    .await;
    let made = (201, None);
    let reused = (422, Some("idempotency_key_reused".to_owned()));
    let check = async |request, expected: &(u16, Option<String>)| {
        assert_eq!(admin.code(request).await, *expected);
    };
    check(keyed("admin-secret", r#"{"id":"a"}"#), &made).await;
    check(keyed("admin-secret", r#"{"id":"b"}"#), &reused).await;
    check(keyed("second-secret", r#"{"id":"b"}"#), &made).await;
    let elsewhere = of_key(
        "admin-secret",
        "POST",
        "/admin/v1/policies",
        r#"{"id":"a"}"#,
    );
    check(with(elsewhere, "idempotency-key", "once"), &reused).await;
    let new = of_key("admin-secret", "POST", KEYS, r#"{"id":"c"}"#);
    check(with(new, "idempotency-key", "another"), &made).await;
}

#[tokio::test]
async fn what_was_refused_may_be_sent_again_with_the_same_key() {
    let admin = Admin::start().await;
    let taken = r#"{"id":"client"}"#;
    assert_eq!(
        admin.ask(keyed("admin-secret", taken)).await.0,
        StatusCode::CONFLICT
    );
    assert_eq!(
        admin.ask(keyed("admin-secret", taken)).await.0,
        StatusCode::CONFLICT
    );
    let (status, headers, _) = admin.ask(keyed("admin-secret", r#"{"id":"free"}"#)).await;
    assert_eq!(status, StatusCode::CREATED);
    assert!(!headers.contains_key("idempotency-replayed"));
}

#[tokio::test]
async fn a_request_that_is_running_is_not_run_twice() {
    let admin = Admin::start().await;
    let begin = |fingerprint| IdempotentBegin {
        caller: "admin".to_owned(),
        key: "once".to_owned(),
        fingerprint,
        now_unix_ms: NOW_MS,
        forget_before_unix_ms: 0,
        keep_max: 100,
    };
    // Begun as the layer does it, and not ended.
    let store = &admin.gateway.store;
    assert_eq!(
        store.begin_idempotent(begin([7; 32])).await.unwrap(),
        Begun::Fresh
    );
    assert_eq!(
        store.begin_idempotent(begin([7; 32])).await.unwrap(),
        Begun::InProgress
    );
    let other = admin.code(keyed("admin-secret", r#"{"id":"a"}"#)).await;
    assert_eq!(other, (422, Some("idempotency_key_reused".to_owned())));
    let (status, _) = admin.get("/admin/v1/api-keys/a").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_answer_stands_for_its_key_as_long_as_it_is_kept() {
    let admin = Admin::start_as("idempotency_retention_hours = 1", "", "").await;
    let cache = || {
        let request = of_key(
            "admin-secret",
            "POST",
            "/admin/v1/cache:purge",
            r#"{"all":true}"#,
        );
        with(request, "idempotency-key", "once")
    };
    let replayed = async || {
        let (status, headers, _) = admin.ask(cache()).await;
        assert_eq!(status, StatusCode::OK);
        headers.contains_key("idempotency-replayed")
    };
    assert!(!replayed().await);
    assert!(replayed().await);
    admin.gateway.clock.advance_ms(3_600_001);
    // What is too old leaves when another one comes.
    let request = of_key(
        "admin-secret",
        "POST",
        "/admin/v1/cache:purge",
        r#"{"all":true}"#,
    );
    admin.ask(with(request, "idempotency-key", "another")).await;
    assert!(!replayed().await);
}

#[tokio::test]
async fn a_key_that_is_none_is_refused() {
    let admin = Admin::start().await;
    for wrong in ["", "a b", &"k".repeat(256)] {
        let request = of_key("admin-secret", "POST", KEYS, r#"{"id":"made"}"#);
        let (status, _, body) = admin.ask(with(request, "idempotency-key", wrong)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}");
        assert_eq!(body["error"]["param"], "idempotency-key");
    }
    let (status, _) = admin.get("/admin/v1/api-keys/made").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn of_two_at_once_one_is_made() {
    let admin = Admin::start().await;
    let body = r#"{"id":"made"}"#;
    let (one, other) = tokio::join!(
        admin.ask(keyed("admin-secret", body)),
        admin.ask(keyed("admin-secret", body)),
    );
    let made = |(status, headers, _): &(StatusCode, HeaderMap, Value)| {
        *status == StatusCode::CREATED && !headers.contains_key("idempotency-replayed")
    };
    assert!(made(&one) != made(&other));
    let second = if made(&one) { other } else { one };
    let code = second.2["error"]["code"].as_str();
    assert!(
        second.1.contains_key("idempotency-replayed") || code == Some("idempotency_in_progress"),
        "{second:?}"
    );
    let (_, events) = admin
        .get("/admin/v1/audit-events?action=api_key.create")
        .await;
    assert_eq!(events["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_secret_is_told_to_its_own_request_alone() {
    let admin = Admin::start_as("idempotency_retention_hours = 1", "", "").await;
    let (status, _, made) = admin.ask(keyed("admin-secret", r#"{"id":"made"}"#)).await;
    assert_eq!(status, StatusCode::CREATED);
    assert!(made["secret"].is_string());
    admin.gateway.clock.advance_ms(3_600_001);
    let purge = |key| {
        let path = "/admin/v1/cache:purge";
        let request = of_key("admin-secret", "POST", path, r#"{"all":true}"#);
        with(request, "idempotency-key", key)
    };
    // Another one makes what is too old leave: the key is free again, and stands for something else.
    admin.ask(purge("another")).await;
    let (status, _, purged) = admin.ask(purge("once")).await;
    assert_eq!(status, StatusCode::OK, "{purged}");
    let (_, headers, again) = admin.ask(purge("once")).await;
    assert_eq!(headers["idempotency-replayed"], "true");
    assert_eq!(again, purged);
}

#[tokio::test]
async fn what_only_looks_is_answered_anew_and_kept_nowhere() {
    let admin = Admin::start().await;
    for _ in 0..2 {
        let export = of_key("admin-secret", "GET", "/admin/v1/config/export", "");
        let (status, headers, _) = admin.ask(with(export, "idempotency-key", "once")).await;
        assert_eq!(status, StatusCode::OK);
        assert!(!headers.contains_key("idempotency-replayed"));
    }
}
