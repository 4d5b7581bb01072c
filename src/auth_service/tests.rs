//! The endpoints from outside, without a socket.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{AuthServer, CallerToken, Loaded, router};
use crate::clock::Clock;

const DATA: &str = r#"
tenants:
  - { id: acme, name: Acme, context: { organization_id: acme } }
  - { id: globex, enabled: false, context: { organization_id: globex } }
  - { id: acme-old, enabled: false, context: { organization_id: acme, project_id: old } }
api_keys:
  - { id: k1, secret: s1, tenant: { organization_id: acme, project_id: search }, scopes: [models.read, chat.completions] }
  - { id: k2, secret: s2, tenant: { organization_id: acme, project_id: old } }
  - { id: k3, secret: s3, tenant: { organization_id: globex } }
  - { id: k4, secret: s4, enabled: false }
  - { id: k5, secret: s5 }
roles:
  - { id: chat, permissions: [{ action: chat.completions, resource: "model:fast" }] }
  - { id: all, permissions: [{ action: "*", resource: "*" }] }
  - { id: none }
bindings:
  - { id: b1, role_id: chat, tenant: { organization_id: acme, project_id: search }, subject: { type: api_key, api_key_id: k1 } }
  - { id: b2, role_id: all, tenant: { organization_id: "*" }, subject: { type: user, user_id: ann } }
  - { id: b3, role_id: all, subject: { type: service_account, service_account_id: ci } }
  - { id: b4, role_id: all, subject: { type: api_key, api_key_id: k4 } }
  - { id: b5, role_id: none, subject: { type: api_key, api_key_id: k5 } }
"#;

#[tokio::test]
async fn health_is_told_on_both_paths_without_a_token() {
    for path in ["/healthz", "/v1/healthz"] {
        let answer = protected().get(path, None).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.body,
            json!({"service": "ferrogate-auth", "status": "ok"})
        );
    }
}

#[tokio::test]
async fn the_tenants_are_listed_with_every_id() {
    let answer = open().get("/v1/tenants", None).await;
    let ids = |organization: &str, project: Value| {
        json!({
            "organization_id": organization, "team_id": null, "project_id": project, "user_id": null,
            "api_key_id": null,
        })
    };
    assert_eq!(
        answer.body,
        json!({"tenants": [
            {"id": "acme", "name": "Acme", "enabled": true, "context": ids("acme", Value::Null)},
            {"id": "globex", "name": "globex", "enabled": false, "context": ids("globex", Value::Null)},
            {"id": "acme-old", "name": "acme-old", "enabled": false, "context": ids("acme", json!("old"))},
        ]})
    );
}

#[tokio::test]
async fn a_key_resolves_to_whose_it_is_unless_it_or_its_tenant_is_switched_off() {
    let service = open();
    let resolved = service.resolve("s1").await;
    assert_eq!(resolved.status, 200);
    assert_eq!(
        resolved.body,
        json!({
            "tenant": {
                "organization_id": "acme", "team_id": null, "project_id": "search", "user_id": null,
                "api_key_id": "k1",
            },
            "subject": {"type": "api_key", "api_key_id": "k1"},
            "scopes": ["models.read", "chat.completions"],
        })
    );
    assert_eq!(service.resolve("s5").await.body["scopes"], json!([]));
    for secret in ["s2", "s3", "s4", "s6", "", "k1"] {
        let refused = service.resolve(secret).await;
        assert_eq!(refused.refusal(), (401, "invalid_api_key"), "{secret}");
    }
}

#[tokio::test]
async fn what_a_binding_allows_is_allowed_and_nothing_else() {
    let service = open();
    let check = async |tenant: Value, subject: Value, action: &str, resource: &str, expected| {
        let question = json!({
            "tenant": tenant, "subject": subject, "action": action, "resource": resource,
        });
        let answer = service.post("/v1/auth/authorize", &question).await;
        assert_eq!(answer.status, 200);
        let reason = answer.body["reason"].as_str().unwrap();
        let allowed = answer.body["allowed"].as_bool().unwrap();
        assert_eq!((allowed, reason), expected, "{question}");
        for (id, value) in tenant.as_object().unwrap() {
            assert_eq!(answer.body["tenant"][id], *value);
        }
    };
    let bound = (true, "matched_rbac_binding");
    let unbound = (false, "no_matching_rbac_binding");
    let key = |id: &str| json!({"type": "api_key", "api_key_id": id});
    let search = json!({"organization_id": "acme", "project_id": "search", "api_key_id": "k1"});

    let chat = "chat.completions";
    check(search.clone(), key("k1"), chat, "model:fast", bound).await;
    check(search.clone(), key("k1"), chat, "model:fast-2", unbound).await;
    check(
        search.clone(),
        key("k1"),
        "responses.create",
        "model:fast",
        unbound,
    )
    .await;
    check(search.clone(), key("k5"), chat, "model:fast", unbound).await;
    let elsewhere = json!({"organization_id": "acme", "project_id": "ads"});
    check(elsewhere, key("k1"), chat, "model:fast", unbound).await;
    check(
        json!({"project_id": "search"}),
        key("k1"),
        chat,
        "model:fast",
        unbound,
    )
    .await;

    let ann = json!({"type": "user", "user_id": "ann"});
    check(search.clone(), ann.clone(), "x", "y", bound).await;
    check(json!({}), ann.clone(), "x", "y", unbound).await;
    let k1_by_another_name = json!({"type": "user", "user_id": "k1"});
    check(
        search.clone(),
        k1_by_another_name,
        chat,
        "model:fast",
        unbound,
    )
    .await;
    let ci = json!({"type": "service_account", "service_account_id": "ci"});
    check(json!({}), ci.clone(), "x", "y", bound).await;

    let off = (false, "tenant_disabled");
    let globex = json!({"organization_id": "globex", "team_id": "t"});
    check(globex, ann.clone(), "x", "y", off).await;
    let old = json!({"organization_id": "acme", "project_id": "old"});
    check(old, ci, "x", "y", off).await;
    check(json!({}), key("k4"), "x", "y", (false, "api_key_disabled")).await;
}

#[tokio::test]
async fn with_a_token_only_its_callers_are_answered() {
    let service = protected();
    let question = json!({"presented_key": "s1"}).to_string();
    for (method, path) in [
        ("GET", "/v1/tenants"),
        ("POST", "/v1/auth/resolve-api-key"),
        ("POST", "/v1/auth/authorize"),
    ] {
        for token in [None, Some("wrong")] {
            let answer = service.send(method, path, token, question.clone()).await;
            assert_eq!(answer.refusal(), (401, "invalid_caller_token"), "{path}");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
        }
    }
    let path = "/v1/auth/resolve-api-key";
    let answer = service.send("POST", path, Some("t0ken"), question).await;
    assert_eq!(answer.body["subject"]["api_key_id"], "k1");
}

#[tokio::test]
async fn what_cannot_be_answered_is_refused_in_one_shape_and_quotes_no_secret() {
    let service = open();
    let check = async |method: &str, path: &str, body: String, expected| {
        let answer = service.send(method, path, None, body).await;
        assert_eq!(answer.refusal(), expected, "{method} {path}");
        assert!(!answer.body.to_string().contains("hunter2"));
        answer
    };
    let resolve = "/v1/auth/resolve-api-key";
    let invalid = (400, "invalid_json");
    check("POST", resolve, String::new(), invalid).await;
    check(
        "POST",
        resolve,
        r#"{"presented_key": "hunter2""#.into(),
        invalid,
    )
    .await;
    check(
        "POST",
        resolve,
        r#"{"presented_key": ["hunter2"]}"#.into(),
        invalid,
    )
    .await;
    check("POST", resolve, r#"{"hunter2": 1}"#.into(), invalid).await;
    check("POST", "/v1/auth/authorize", "{}".into(), invalid).await;
    let large = format!(r#"{{"presented_key": "{}"}}"#, "x".repeat(64 << 10));
    check("POST", resolve, large, (413, "payload_too_large")).await;
    check("GET", "/", String::new(), (404, "not_found")).await;
    check("POST", "/v1/auth", String::new(), (404, "not_found")).await;
    let answer = check("GET", resolve, String::new(), (405, "method_not_allowed")).await;
    assert_eq!(answer.headers["allow"], "POST");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let stalled = futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
    let request = Request::post("/v1/auth/authorize")
        .body(Body::from_stream(stalled))
        .unwrap();
    let answer = open().ask(request).await;
    assert_eq!(answer.refusal(), (408, "request_timeout"));
}

#[tokio::test]
async fn other_data_answers_from_the_next_request_on() {
    let service = open();
    let other = Loaded::read("api_keys: [{id: k9, secret: s9}]").unwrap();
    service.0.replace(other.authority);
    assert_eq!(service.resolve("s1").await.status, 401);
    assert_eq!(service.resolve("s9").await.status, 200);
}

struct Service(Arc<AuthServer>);

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    body: Value,
}

fn open() -> Service {
    service(None)
}

fn protected() -> Service {
    service(Some(CallerToken::new("t0ken")))
}

fn service(token: Option<CallerToken>) -> Service {
    let authority = Loaded::read(DATA).unwrap().authority;
    Service(Arc::new(AuthServer::new(authority, token, Clock::system())))
}

impl Service {
    async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        self.send("GET", path, token, String::new()).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, None, body.to_string()).await
    }

    async fn resolve(&self, secret: &str) -> Answer {
        let body = json!({"presented_key": secret});
        self.post("/v1/auth/resolve-api-key", &body).await
    }

    async fn send(&self, method: &str, path: &str, token: Option<&str>, body: String) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.ask(request.body(body.into()).unwrap()).await
    }

    async fn ask(&self, request: Request<Body>) -> Answer {
        let response = router(Arc::clone(&self.0)).oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        assert_eq!(head.headers["cache-control"], "no-store");
        Answer {
            status: head.status,
            headers: head.headers,
            body: serde_json::from_slice(&body).unwrap(),
        }
    }
}

impl Answer {
    /// Status and code of an error that is complete and carries the answer's own request id.
    fn refusal(&self) -> (u16, &str) {
        let error = self.body["error"].as_object().unwrap();
        let fields: Vec<_> = error.keys().map(String::as_str).collect();
        assert_eq!(fields, ["code", "message", "request_id"]);
        assert_eq!(
            error["request_id"],
            self.headers["x-request-id"].to_str().unwrap()
        );
        (self.status.as_u16(), error["code"].as_str().unwrap())
    }
}
