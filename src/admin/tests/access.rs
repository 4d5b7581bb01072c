//! Who is let in, and what everybody else is told.

use super::*;
use crate::admin::flush_refusals;

#[tokio::test]
async fn the_sockets_uid_or_a_key_with_the_scope_opens_the_admin_api() {
    let admin = Admin::start().await;
    let check =
        async |peer: Option<PeerIdentity>, key: Option<&str>, expected: (u16, Option<&str>)| {
            let mut request = Request::get("/admin/v1/status");
            if let Some(key) = key {
                request = request.header("authorization", format!("Bearer {key}"));
            }
            let mut request = request.body(Body::empty()).unwrap();
            if let Some(peer) = peer {
                request.extensions_mut().insert(peer);
            }
            let answer = admin.send(request).await;
            let status = answer.status().as_u16();
            let body: Value = serde_json::from_str(&text(answer).await).unwrap();
            assert_eq!(
                (status, body["error"]["code"].as_str()),
                expected,
                "{peer:?} {key:?}"
            );
        };
    let us = nix::unistd::geteuid().as_raw();
    let nobody = PeerIdentity::Unix { uid: us + 65_534 };
    check(Some(ROOT), None, (200, None)).await;
    check(Some(PeerIdentity::Unix { uid: us }), None, (200, None)).await;
    check(Some(nobody), None, (401, Some("missing_api_key"))).await;
    check(Some(nobody), Some("admin-secret"), (200, None)).await;
    check(None, None, (401, Some("missing_api_key"))).await;
    for peer in [STRANGER, nobody] {
        check(Some(peer), Some("admin-secret"), (200, None)).await;
        check(Some(peer), Some("wrong"), (401, Some("invalid_api_key"))).await;
        check(
            Some(peer),
            Some("client-secret"),
            (403, Some("scope_denied")),
        )
        .await;
        check(
            Some(peer),
            Some("off-secret"),
            (403, Some("api_key_disabled")),
        )
        .await;
    }
    let metrics = text(admin.send(from(ROOT, "/metrics")).await).await;
    assert!(
        metrics.contains(r#"ferrogate_auth_failures_total{code="scope_denied"} 2"#),
        "{metrics}"
    );
}

#[tokio::test]
async fn every_endpoint_wants_a_key_from_a_stranger() {
    let admin = Admin::start().await;
    for path in [
        "/metrics",
        "/admin/v1/status",
        "/admin/v1/request-logs",
        "/admin/v1/request-logs/x",
        "/admin/v1/metering-events",
        "/admin/v1/usage-aggregates",
        "/admin/v1/api-keys",
        "/admin/v1/api-keys/admin",
        "/admin/v1/events",
        "/admin/v1/nothing",
    ] {
        let answer = admin.send(from(STRANGER, path)).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    }
}

#[tokio::test]
async fn on_the_gateway_listener_only_direct_requests_to_this_machine_are_answered() {
    let admin = Admin::start().await;
    let check = async |headers: &[(&str, &str)], expected: u16| {
        let mut request = Request::get("/admin/v1/status").header("x-api-key", "admin-secret");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(ON_GATEWAY);
        let answer = admin.send(request).await;
        assert_eq!(answer.status().as_u16(), expected, "{headers:?}");
        if expected == 403 {
            assert!(text(answer).await.contains("admin_not_public"));
        }
    };
    check(&[("host", "127.0.0.1:8080")], 200).await;
    check(&[("host", "localhost")], 200).await;
    check(&[("host", "gw.example.com")], 403).await;
    check(&[], 403).await;
    for name in [
        "x-forwarded-for",
        "x-forwarded-host",
        "forwarded",
        "via",
        "x-real-ip",
    ] {
        check(&[("host", "localhost"), (name, "for=192.0.2.1")], 403).await;
    }
    let without_key = from(ON_GATEWAY, "http://localhost/admin/v1/status");
    assert_eq!(
        admin.send(without_key).await.status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn unknown_paths_methods_and_ids_get_the_envelope() {
    let admin = Admin::start().await;
    let unknown = RequestId::new(&admin.gateway.clock);
    for (path, code) in [
        ("/admin/nothing".to_owned(), "route_not_found"),
        ("/admin/v1/nothing".to_owned(), "route_not_found"),
        ("/admin/v1/api-keys/nobody".to_owned(), "resource_not_found"),
        (
            format!("/admin/v1/request-logs/{unknown}"),
            "resource_not_found",
        ),
    ] {
        let (status, body) = admin.get(&path).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (StatusCode::NOT_FOUND, &json!(code)),
            "{path}"
        );
        assert!(RequestId::parse(body["error"]["request_id"].as_str().unwrap()).is_some());
    }
    let mut request = from(ROOT, "/admin/v1/status");
    *request.method_mut() = http::Method::POST;
    let answer = admin.send(request).await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.headers()["allow"], "GET,HEAD");
    assert!(text(answer).await.contains("method_not_allowed"));
}

#[tokio::test]
async fn pages_of_other_origins_are_refused_and_no_answer_opens_itself_to_them() {
    let admin = Admin::start().await;
    let check = async |headers: &[(&'static str, &str)], expected: (u16, Option<&str>)| {
        let mut request = from(ROOT, "/admin/v1/status");
        for (name, value) in headers {
            request = with(request, name, value);
        }
        let (status, answered, body) = admin.ask(request).await;
        let code = body["error"]["code"].as_str();
        assert_eq!((status.as_u16(), code), expected, "{headers:?}");
        let cors = answered
            .keys()
            .find(|name| name.as_str().starts_with("access-control"));
        assert_eq!(cors, None);
        assert_eq!(answered["x-content-type-options"], "nosniff");
        assert_eq!(answered["referrer-policy"], "no-referrer");
        assert_eq!(answered["cross-origin-resource-policy"], "same-origin");
        assert_eq!(answered["x-frame-options"], "DENY");
        let policy = answered["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    };
    let refused = (403, Some("cross_origin"));
    let host = ("host", "localhost:2019");
    check(&[host], (200, None)).await;
    check(&[host, ("origin", "http://localhost:2019")], (200, None)).await;
    check(&[host, ("origin", "http://localhost:3000")], refused).await;
    check(&[host, ("origin", "null")], refused).await;
    check(&[host, ("sec-fetch-site", "cross-site")], refused).await;
    check(&[host, ("sec-fetch-site", "same-origin")], (200, None)).await;
    let mut preflight = with(
        from(ROOT, "/admin/v1/api-keys"),
        "origin",
        "http://evil.example.com",
    );
    *preflight.method_mut() = http::Method::OPTIONS;
    let (status, headers, _) = admin.ask(preflight).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(!headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn every_refusal_is_in_the_audit_log_as_itself_or_as_a_number() {
    let admin = Admin::start().await;
    for _ in 0..3 {
        let request = of_key("client-secret", "GET", "/admin/v1/status", "");
        assert_eq!(admin.code(request).await.0, 403);
        let request = of_key("wrong", "GET", "/admin/v1/status", "");
        assert_eq!(admin.code(request).await.0, 401);
    }
    let events = async || {
        let (_, page) = admin.get("/admin/v1/audit-events").await;
        let events = page["data"].as_array().unwrap().clone();
        let told = |event: &Value| {
            let text = |field: &str| event[field].as_str().unwrap().to_owned();
            let count = event["detail"]["count"].as_u64();
            (
                text("actor"),
                text("action"),
                text("target"),
                text("outcome"),
                count,
            )
        };
        // The start has one of its own.
        let refusals = events
            .iter()
            .filter(|event| event["action"] != "config.start");
        refusals.map(told).collect::<Vec<_>>()
    };
    let row = |actor: &str, action: &str, target: &str, outcome: &str, count| {
        let owned = str::to_owned;
        (
            owned(actor),
            owned(action),
            owned(target),
            owned(outcome),
            count,
        )
    };
    let denied = |count| {
        let target = "GET /admin/v1/status";
        row("client", "admin.refused", target, "scope_denied", count)
    };
    assert_eq!(events().await, [denied(None)], "the first at once");
    flush_refusals(&admin.gateway).await;
    let wrong = row(
        "gateway",
        "auth.refused",
        "address:192.0.2.1",
        "invalid_api_key",
        Some(3),
    );
    let mut events = events().await;
    events.truncate(2);
    assert_eq!(events, [denied(Some(2)), wrong], "the others as numbers");
}
