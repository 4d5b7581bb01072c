//! The router, asked as its listeners ask it, over a real database.

mod access;
mod bodies;
mod conditions;
mod draining;
mod in_flight;
mod leaving;
mod limits;
mod lists;
mod openapi;
mod realms;
mod repeating;
mod table;
mod watching;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{Router, body::Body};
use ferrogate_api::{MeteringEvent, Outcome, RequestLog, TenantContext, Tokens, UsageSource};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::clock::Clock;
use crate::config;
use crate::gateway::Gateway;
use crate::ids::RequestId;
use crate::peer::PeerIdentity;
use crate::store::{Metered, Record};
use crate::tasks::Tasks;

const NOW_MS: i64 = 1_767_225_600_000;
const STRANGER: PeerIdentity = PeerIdentity::Tcp(SocketAddr::new(
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    40_000,
));
const ON_GATEWAY: PeerIdentity =
    PeerIdentity::Gateway(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 40_000));
const ROOT: PeerIdentity = PeerIdentity::Unix { uid: 0 };

/// A gateway with a database of its own, and its admin router.
struct Admin {
    gateway: Arc<Gateway>,
    router: Router,
    _directory: tempfile::TempDir,
}

impl Admin {
    async fn start() -> Self {
        Self::start_with("").await
    }

    /// With more behind the configuration that all tests have.
    async fn start_with(more: &str) -> Self {
        Self::start_as("", "auth_failures_per_minute_max = 0", more).await
    }

    /// With more in its tables `[admin]` and `[limits]`, too.
    async fn start_as(admin: &str, limits: &str, more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let text = format!(
            r#"
            listen = "127.0.0.1:0"

            [admin]
            event_readers_max = 1
            body_max_bytes = 2048
            {admin}

            [limits]
            {limits}

            [storage]
            path = {path:?}
            admin_list_default_limit = 2
            admin_list_max_limit = 3

            [[providers]]
            name = "openai"
            kind = "openai"
            base_url = "http://127.0.0.1:9"

            [[models]]
            name = "fast"
            provider = "openai"
            provider_model = "gpt-fast"

            [[api_keys]]
            id = "admin"
            key = "admin-secret"
            scopes = ["admin.read", "admin.write"]

            [[api_keys]]
            id = "client"
            key = "client-secret"

            [[api_keys]]
            id = "off"
            key = "off-secret"
            enabled = false
            scopes = ["admin.read"]

            {more}
            "#,
            path = directory.path()
        );
        let config = config::parse(&text, "test.toml", &|_| None).unwrap().config;
        let gateway = Gateway::build(config, Clock::manual(NOW_MS), Tasks::default())
            .await
            .unwrap();
        let gateway = Arc::new(gateway);
        Self {
            router: router(Arc::clone(&gateway)),
            gateway,
            _directory: directory,
        }
    }

    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Asks as root on the unix socket.
    async fn get(&self, path: &str) -> (StatusCode, Value) {
        let answer = self.send(from(ROOT, path)).await;
        let status = answer.status();
        assert!(answer.headers().contains_key("x-request-id"), "{path}");
        (status, serde_json::from_str(&text(answer).await).unwrap())
    }

    /// What is answered to a request: status, headers and JSON.
    async fn ask(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Value) {
        let answer = self.send(request).await;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = text(answer).await;
        let body = serde_json::from_str(&body).unwrap_or(Value::Null);
        (status, headers, body)
    }

    /// Asks with a key, and gives back the status and the error's code.
    async fn code(&self, request: Request<Body>) -> (u16, Option<String>) {
        let (status, _, body) = self.ask(request).await;
        let code = body["error"]["code"].as_str().map(ToOwned::to_owned);
        (status.as_u16(), code)
    }

    /// Writes the record of one metered request of the key `client` and gives back its id.
    async fn record(&self, status: u16, model: &str) -> String {
        self.record_of("client", None, (status, model)).await
    }

    /// The same of another key.
    async fn record_of(
        &self,
        key: &str,
        tenant: Option<TenantContext>,
        (status, model): (u16, &str),
    ) -> String {
        let id = RequestId::new(&self.gateway.clock).to_string();
        let (mut log, mut event) = metered(&id, status, model);
        let tenant = tenant.map(Arc::new);
        log.api_key_id = Some(key.into());
        log.tenant.clone_from(&tenant);
        event.api_key_id = key.into();
        event.tenant = tenant;
        let mut slot = self.gateway.store.reserve().await.unwrap();
        let metered = Metered { event, price: None };
        assert!(slot.settle(vec![metered], false).is_none());
        slot.finish(Record {
            log: Some(Box::new(log)),
            ..Record::default()
        });
        self.gateway.store.flush().await.unwrap();
        self.gateway.clock.advance_ms(1);
        id
    }
}

fn metered(id: &str, status: u16, model: &str) -> (RequestLog, MeteringEvent) {
    let tokens = Tokens {
        input: 7,
        output: 3,
        ..Tokens::default()
    };
    let log = RequestLog {
        request_id: id.to_owned(),
        trace_id: "0".repeat(32),
        started_at_unix_ms: RequestId::parse(id).unwrap().unix_ms(),
        duration_us: 2000,
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        endpoint: "chat.completions".into(),
        status,
        outcome: Outcome::Complete,
        api_key_id: Some("client".into()),
        model: Some(model.into()),
        provider: Some("openai".into()),
        provider_model: Some("gpt-fast".into()),
        attempts: 1,
        tokens,
        usage_source: UsageSource::Provider,
        cost_nanos: Some(11),
        ..RequestLog::default()
    };
    let event = MeteringEvent {
        request_id: id.to_owned(),
        attempt: 1,
        occurred_at_unix_ms: log.started_at_unix_ms,
        api_key_id: "client".into(),
        tenant: None,
        endpoint: "chat.completions".into(),
        model: model.into(),
        provider: "openai".into(),
        provider_model: "gpt-fast".into(),
        status,
        outcome: Outcome::Complete,
        stream: false,
        tokens,
        usage_source: UsageSource::Provider,
        cost_nanos: Some(11),
        price_version: None,
        cache_hit: false,
        saved_nanos: None,
    };
    (log, event)
}

fn from(peer: PeerIdentity, path: &str) -> Request<Body> {
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    request.extensions_mut().insert(peer);
    request
}

/// A request of a key over TCP.
fn of_key(secret: &str, method: &str, path: &str, body: &str) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("x-api-key", secret)
        .body(Body::from(body.to_owned()))
        .unwrap();
    request.extensions_mut().insert(STRANGER);
    request
}

/// The same with one more header.
fn with(mut request: Request<Body>, name: &'static str, value: &str) -> Request<Body> {
    request.headers_mut().append(name, value.parse().unwrap());
    request
}

async fn text(answer: Response<Body>) -> String {
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}
