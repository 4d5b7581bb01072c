//! How often somebody may ask, and how often they may fail.

use super::*;
use crate::governance;

#[tokio::test]
async fn a_caller_that_asks_too_often_waits_and_others_do_not() {
    let admin = Admin::start_as("requests_per_minute_max = 2", "", "").await;
    let status = |secret: &str| of_key(secret, "GET", "/admin/v1/status", "");
    for _ in 0..2 {
        assert_eq!(admin.ask(status("admin-secret")).await.0, StatusCode::OK);
    }
    let (refused, headers, body) = admin.ask(status("admin-secret")).await;
    assert_eq!(refused, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(body["error"]["code"], "admin_rate_limited");
    let wait: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(admin.get("/admin/v1/status").await.0, StatusCode::OK);
}

#[tokio::test]
async fn an_address_that_guesses_is_told_to_wait_and_a_key_nobody_guesses_still_opens() {
    let secret = governance::generate();
    let key = format!(
        "[[api_keys]]\nid = \"made\"\nkey_hash = \"{}\"\nscopes = [\"admin.read\"]",
        governance::hash(secret.expose())
    );
    let admin = Admin::start_as("", "auth_failures_per_minute_max = 3", &key).await;
    let check = async |secret: &str, expected: (u16, Option<&str>)| {
        let request = of_key(secret, "GET", "/admin/v1/status", "");
        let (status, code) = admin.code(request).await;
        assert_eq!((status, code.as_deref()), expected, "{secret}");
    };
    let limited = (429, Some("too_many_failed_authentications"));
    check("admin-secret", (200, None)).await;
    for _ in 0..3 {
        check("wrong", (401, Some("invalid_api_key"))).await;
    }
    check("wrong", limited).await;
    // It was chosen by somebody, and may be what is being guessed.
    check("admin-secret", limited).await;
    check(secret.expose(), (200, None)).await;
    // Where there is nothing to guess nobody waits.
    let without = from(STRANGER, "/admin/v1/status");
    assert_eq!(admin.ask(without).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(admin.get("/admin/v1/status").await.0, StatusCode::OK);
}

#[tokio::test]
async fn wrong_keys_on_either_surface_count_together() {
    let admin = Admin::start_as("", "auth_failures_per_minute_max = 1", "").await;
    let address = "192.0.2.1".parse().unwrap();
    let wrong = crate::error::RequestError::new(crate::error::ErrorKind::InvalidApiKey, "wrong");
    admin
        .gateway
        .ai
        .auth_failures
        .failed(governance::Surface::Gateway, Some(address), &wrong);
    let request = of_key("admin-secret", "GET", "/admin/v1/status", "");
    assert_eq!(admin.ask(request).await.0, StatusCode::TOO_MANY_REQUESTS);
}
