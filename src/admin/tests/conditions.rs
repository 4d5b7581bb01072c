//! Tags: a write against what its writer has read, and a look at what has not changed.

use super::*;

const KEYS: &str = "/admin/v1/api-keys";
const KEY: &str = "/admin/v1/api-keys/made";

async fn tag_of(admin: &Admin, path: &str) -> String {
    let (status, headers, _) = admin.ask(from(ROOT, path)).await;
    assert_eq!(status, StatusCode::OK, "{path}");
    headers["etag"].to_str().unwrap().to_owned()
}

async fn make(admin: &Admin) -> String {
    let request = of_key("admin-secret", "POST", KEYS, r#"{"id":"made"}"#);
    let (status, headers, _) = admin.ask(request).await;
    assert_eq!(status, StatusCode::CREATED);
    headers["etag"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_write_is_made_against_what_was_read_or_not_at_all() {
    let admin = Admin::start().await;
    let first = make(&admin).await;
    assert_eq!(tag_of(&admin, KEY).await, first);
    let write = |method: &str, tag: &str| {
        let body = if method == "DELETE" {
            ""
        } else {
            r#"{"name":"n"}"#
        };
        with(of_key("admin-secret", method, KEY, body), "if-match", tag)
    };
    let stale = (412, Some("precondition_failed".to_owned()));
    assert_eq!(admin.code(write("PATCH", "\"7-0\"")).await, stale);
    assert_eq!(admin.code(write("PATCH", &first)).await, (200, None));
    let second = tag_of(&admin, KEY).await;
    assert_ne!(second, first);
    for method in ["PATCH", "PUT", "DELETE"] {
        assert_eq!(admin.code(write(method, &first)).await, stale, "{method}");
    }
    let weak = format!("W/{second}");
    assert_eq!(admin.code(write("PUT", &weak)).await, stale);
    let either = format!("{first}, {second}");
    assert_eq!(admin.code(write("PUT", &either)).await, (200, None));
    assert_eq!(admin.code(write("PATCH", "*")).await, (200, None));
    assert_eq!(admin.code(write("DELETE", "*")).await, (200, None));
    // Made again it is another one, whatever its revision.
    admin.gateway.clock.advance_ms(1);
    assert_ne!(make(&admin).await, first);
    assert_eq!(admin.code(write("PATCH", &first)).await, stale);
}

#[tokio::test]
async fn a_condition_that_cannot_be_read_is_refused_and_not_ignored() {
    let admin = Admin::start().await;
    make(&admin).await;
    for wrong in ["1-a", "\"1", "*, \"1\""] {
        let request = of_key("admin-secret", "PATCH", KEY, r#"{"name":"n"}"#);
        let (status, _, body) = admin.ask(with(request, "if-match", wrong)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}");
        assert_eq!(body["error"]["param"], "if-match");
    }
}

#[tokio::test]
async fn what_has_not_changed_is_not_told_again() {
    let admin = Admin::start().await;
    make(&admin).await;
    for path in [KEY, "/admin/v1/api-keys/client", "/admin/v1/models/fast"] {
        let tag = tag_of(&admin, path).await;
        let request = with(from(ROOT, path), "if-none-match", &tag);
        let answer = admin.send(request).await;
        assert_eq!(answer.status(), StatusCode::NOT_MODIFIED, "{path}");
        assert_eq!(answer.headers()["etag"], *tag);
        assert!(answer.headers().contains_key("x-request-id"));
        assert_eq!(text(answer).await, "");
        let request = with(from(ROOT, path), "if-none-match", "\"another\"");
        assert_eq!(admin.ask(request).await.0, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn the_reason_of_a_change_is_in_the_audit_log() {
    let admin = Admin::start().await;
    make(&admin).await;
    let request = of_key("admin-secret", "PATCH", KEY, r#"{"name":"n"}"#);
    let request = with(request, "x-ferrogate-reason", "they asked for it");
    assert_eq!(admin.ask(request).await.0, StatusCode::OK);
    let (_, page) = admin.get("/admin/v1/audit-events").await;
    assert_eq!(page["data"][0]["message"], "they asked for it");
    let request = of_key("admin-secret", "PATCH", KEY, r#"{"name":"n"}"#);
    let long = with(request, "x-ferrogate-reason", &"x".repeat(501));
    assert_eq!(admin.ask(long).await.0, StatusCode::BAD_REQUEST);
}
