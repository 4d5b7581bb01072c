//! The client against services that answer what a test says, over real sockets.

mod decisions;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes, extract::Request, response::IntoResponse};
use ferrogate_api::TenantContext;
use http::StatusCode;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::{AuthService, Identity, Subject};
use crate::config::{self, Scope, Secret};
use crate::error::ErrorKind;
use crate::outbound::Dns;
use crate::tasks::Tasks;

const RESOLVE: &str = "/v1/auth/resolve-api-key";
const AUTHORIZE: &str = "/v1/auth/authorize";
/// A service that never answers this question.
const SILENCE: u16 = 0;

#[tokio::test]
async fn a_key_is_resolved_once_and_known_from_then_on() {
    let service = Service::start(|_| (200, key_of("k1", &["models.read", "x.y"]))).await;
    let client = service.client(|_| {});
    for _ in 0..3 {
        let resolved = client.resolve(b"s3cret").await.unwrap();
        assert_eq!(&*resolved.key_id, "k1");
        assert_eq!(resolved.scopes, [Scope::ModelsRead]);
        let tenants = resolved.identity.tenant.context();
        assert_eq!(tenants.organization_id.as_deref(), Some("acme"));
    }
    let asked = service.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].path, RESOLVE);
    assert_eq!(asked[0].body, json!({"presented_key": "s3cret"}));
    assert_eq!(asked[0].authorization, "Bearer t0ken");
    client.resolve(b"another").await.unwrap();
    assert_eq!(service.asked().len(), 2);
}

#[tokio::test]
async fn a_subject_that_is_no_key_still_has_a_name_and_star_is_every_client_scope() {
    for (subject, key_id) in [
        (json!({"type": "user", "user_id": "ann"}), "user:ann"),
        (
            json!({"type": "service_account", "service_account_id": "ci"}),
            "service_account:ci",
        ),
        (json!({"type": "api_key", "api_key_id": "k2"}), "k2"),
    ] {
        let answer = json!({"subject": subject, "scopes": ["*"]}).to_string();
        let service = Service::start(move |_| (200, answer.clone())).await;
        let resolved = service.client(|_| {}).resolve(b"s").await.unwrap();
        assert_eq!(&*resolved.key_id, key_id);
        assert_eq!(resolved.scopes, Scope::CLIENT);
    }
    let service = Service::start(|_| (200, key_of("k1", &[]))).await;
    let resolved = service.client(|_| {}).resolve(b"s").await.unwrap();
    assert_eq!(resolved.scopes, []);
}

#[tokio::test]
async fn an_answer_that_is_no_says_so_and_is_not_asked_for_again() {
    let check = async |status: u16, body: &'static str, kind: ErrorKind| {
        let service = Service::start(move |_| (status, body.to_owned())).await;
        let client = service.client(|_| {});
        for _ in 0..2 {
            let error = client.resolve(b"s3cret").await.unwrap_err();
            assert_eq!(error.kind, kind, "{status} {body}");
            assert!(!error.message.contains("s3cret"));
        }
        service.asked().len()
    };
    let unknown = ErrorKind::InvalidApiKey;
    let code = r#"{"error": {"code": "invalid_api_key", "message": "no"}}"#;
    assert_eq!(check(401, code, unknown).await, 1);
    assert_eq!(check(401, "", unknown).await, 1);
    assert_eq!(check(403, "forbidden", unknown).await, 1);
    // These say nothing about the key: asked anew by the next request, though not by the same one.
    let unavailable = ErrorKind::AuthServiceUnavailable;
    let own = r#"{"error": {"code": "invalid_caller_token", "message": "who are you"}}"#;
    assert_eq!(check(401, own, unavailable).await, 2);
    assert_eq!(check(404, "", unavailable).await, 2);
    assert_eq!(check(200, "", unavailable).await, 2);
    assert_eq!(check(200, r#"{"scopes": []}"#, unavailable).await, 2);
    assert_eq!(check(302, "", unavailable).await, 2);
}

#[tokio::test]
async fn a_secret_that_is_no_text_is_nobodys() {
    let service = Service::start(|_| (200, key_of("k1", &[]))).await;
    let error = service.client(|_| {}).resolve(b"\xff").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidApiKey);
    assert_eq!(service.asked().len(), 0);
}

#[tokio::test]
async fn what_a_subject_may_do_is_asked_with_everything_that_is_known_of_it() {
    let service = Service::start(|asked| {
        let allowed = asked.body["resource"] == "model:fast";
        (200, json!({"allowed": allowed}).to_string())
    })
    .await;
    let client = service.client(|_| {});
    let identity = Identity::of_key(
        &"k1".into(),
        &TenantContext {
            organization_id: Some("acme".into()),
            ..TenantContext::default()
        },
    );
    for _ in 0..2 {
        let chat = "chat.completions";
        client
            .authorize(&identity, chat, "model:fast")
            .await
            .unwrap();
        let error = client
            .authorize(&identity, chat, "model:deep")
            .await
            .unwrap_err();
        assert_eq!(error.kind, ErrorKind::RbacDenied);
        for word in [chat, "model:deep"] {
            assert!(error.message.contains(word), "{}", error.message);
        }
    }
    let asked = service.asked();
    assert_eq!(asked.len(), 2, "grants and refusals are both kept");
    assert_eq!(asked[0].path, AUTHORIZE);
    assert_eq!(
        asked[0].body,
        json!({
            "tenant": {
                "organization_id": "acme", "team_id": null, "project_id": null, "user_id": null,
                "api_key_id": "k1",
            },
            "subject": {"type": "api_key", "api_key_id": "k1"},
            "action": "chat.completions",
            "resource": "model:fast",
        })
    );
    // Another action, tenant or subject is another question.
    client
        .authorize(&identity, "responses.create", "model:fast")
        .await
        .unwrap();
    let mut other = identity.clone();
    other.tenant.organization_id = None;
    client
        .authorize(&other, "chat.completions", "model:fast")
        .await
        .unwrap();
    other.subject = Subject::User {
        user_id: "k1".into(),
    };
    client
        .authorize(&other, "chat.completions", "model:fast")
        .await
        .unwrap();
    assert_eq!(service.asked().len(), 5);
}

#[tokio::test]
async fn a_decision_that_is_none_is_a_failure_and_403_is_a_refusal() {
    let check = async |status: u16, body: &'static str, kind: ErrorKind| {
        let service = Service::start(move |_| (status, body.to_owned())).await;
        let client = service.client(|_| {});
        let identity = Identity::of_key(&"k1".into(), &TenantContext::default());
        let error = client.authorize(&identity, "a", "r").await.unwrap_err();
        assert_eq!(error.kind, kind, "{status} {body}");
    };
    check(403, "", ErrorKind::RbacDenied).await;
    let unavailable = ErrorKind::AuthServiceUnavailable;
    let own = r#"{"error": {"code": "invalid_caller_token", "message": "who are you"}}"#;
    check(403, own, unavailable).await;
    check(401, "", unavailable).await;
    check(404, "", unavailable).await;
    check(200, "{}", unavailable).await;
    check(200, r#"{"allowed": "yes"}"#, unavailable).await;
}

#[tokio::test]
async fn a_service_that_fails_is_asked_again_as_often_as_is_allowed() {
    let failing = |failures: usize, failure: u16| {
        Service::start(move |asked| match asked.number {
            number if number <= failures => (failure, String::new()),
            _ => (200, key_of("k1", &[])),
        })
    };
    let patience = |failure: u16| {
        move |settings: &mut config::AuthService| {
            if failure == SILENCE {
                settings.timeout = Duration::from_millis(300);
            }
        }
    };
    for failure in [500, 503, SILENCE] {
        let service = failing(2, failure).await;
        let client = service.client(patience(failure));
        client.resolve(b"s").await.unwrap();
        assert_eq!(service.asked().len(), 3, "{failure}");

        let service = failing(3, failure).await;
        let client = service.client(patience(failure));
        let error = client.resolve(b"s").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::AuthServiceUnavailable);
        assert_eq!(service.asked().len(), 3, "{failure}");
        // A failure is not an answer that is kept.
        client.resolve(b"s").await.unwrap();
        assert_eq!(service.asked().len(), 4);
    }
    let service = failing(1, 500).await;
    let client = service.client(|settings| settings.max_retries = 0);
    client.resolve(b"s").await.unwrap_err();
    assert_eq!(service.asked().len(), 1);
}

#[tokio::test]
async fn each_pause_before_another_question_is_twice_the_one_before() {
    let service = Service::start(|_| (500, String::new())).await;
    let client = service.client(|settings| settings.retry_backoff = Duration::from_millis(100));
    let begun = Instant::now();
    client.resolve(b"s").await.unwrap_err();
    assert_eq!(service.asked().len(), 3);
    assert!(begun.elapsed() >= Duration::from_millis(100 + 200));
}

#[tokio::test]
async fn nobody_at_the_other_end_lets_nobody_in() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = client(address, |_| {});
    let error = client.resolve(b"s").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AuthServiceUnavailable);
    let identity = Identity::of_key(&"k1".into(), &TenantContext::default());
    let error = client.authorize(&identity, "a", "r").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::AuthServiceUnavailable);
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let service = Service::start(|_| (200, key_of(&"k".repeat(4096), &[]))).await;
    let error = service
        .client(|settings| {
            settings.response_max_bytes = 1024;
            settings.max_retries = 0;
        })
        .resolve(b"s")
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::AuthServiceUnavailable);
    service.client(|_| {}).resolve(b"s").await.unwrap();
}

#[tokio::test]
async fn a_service_that_is_switched_off_is_none() {
    let off = config::AuthService {
        enabled: false,
        ..settings("127.0.0.1:1".parse().unwrap())
    };
    let dns = Dns::new(Duration::from_secs(1), Tasks::default());
    assert!(AuthService::new(&off, dns).unwrap().is_none());
}

#[test]
fn what_is_printed_of_it_holds_no_token() {
    let client = client("127.0.0.1:1".parse().unwrap(), |_| {});
    assert!(!format!("{client:?}").contains("t0ken"));
}

/// A service that answers as it is told.
struct Service {
    address: SocketAddr,
    asked: Arc<parking_lot::Mutex<Vec<Asked>>>,
    tasks: Tasks,
}

#[derive(Debug, Clone)]
struct Asked {
    /// From 1.
    number: usize,
    path: String,
    authorization: String,
    body: Value,
}

impl Service {
    async fn start(answer: impl Fn(&Asked) -> (u16, String) + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<parking_lot::Mutex<Vec<Asked>>>::default();
        let (answer, asking, number) = (
            Arc::new(answer),
            asked.clone(),
            Arc::new(AtomicUsize::new(0)),
        );
        let router = Router::new().fallback(move |request: Request| {
            let (answer, asking, number) = (answer.clone(), asking.clone(), number.clone());
            async move {
                let (head, body) = request.into_parts();
                let body: Bytes = body.collect().await.unwrap().to_bytes();
                let question = Asked {
                    number: number.fetch_add(1, Ordering::Relaxed) + 1,
                    path: head.uri.path().to_owned(),
                    authorization: head.headers["authorization"].to_str().unwrap().to_owned(),
                    body: serde_json::from_slice(&body).unwrap(),
                };
                let (status, body) = answer(&question);
                asking.lock().push(question);
                if status == SILENCE {
                    std::future::pending::<()>().await;
                }
                (StatusCode::from_u16(status).unwrap(), body).into_response()
            }
        });
        let tasks = Tasks::default();
        drop(tasks.spawn("service", async move {
            axum::serve(listener, router).await.unwrap();
        }));
        Self {
            address,
            asked,
            tasks,
        }
    }

    fn client(&self, change: impl FnOnce(&mut config::AuthService)) -> AuthService {
        client(self.address, change)
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.tasks.stop_token().cancel();
    }
}

fn client(address: SocketAddr, change: impl FnOnce(&mut config::AuthService)) -> AuthService {
    let mut settings = settings(address);
    change(&mut settings);
    let dns = Dns::new(Duration::from_secs(1), Tasks::default());
    AuthService::new(&settings, dns).unwrap().unwrap()
}

fn settings(address: SocketAddr) -> config::AuthService {
    config::AuthService {
        enabled: true,
        endpoint: Some(format!("http://{address}/").parse().unwrap()),
        token: Some(Secret::new("t0ken")),
        timeout: Duration::from_secs(10),
        max_retries: 2,
        retry_backoff: Duration::from_millis(1),
        decision_cache: Duration::from_secs(60),
        decision_cache_max_entries: 100,
        response_max_bytes: 64 << 10,
    }
}

fn key_of(id: &str, scopes: &[&str]) -> String {
    json!({
        "tenant": {"organization_id": "acme", "api_key_id": id},
        "subject": {"type": "api_key", "api_key_id": id},
        "scopes": scopes,
    })
    .to_string()
}
