//! Who is let in, and what everybody else is told.

use super::*;

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
        ("/admin".to_owned(), "route_not_found"),
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
