//! The router, asked as its listeners ask it, over a real database.

mod access;
mod bodies;
mod leaving;
mod lists;
mod table;
mod watching;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{Router, body::Body};
use ferrogate_api::{MeteringEvent, Outcome, RequestLog, Tokens, UsageSource};
use http::{Request, Response, StatusCode};
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
        let directory = tempfile::tempdir().unwrap();
        let text = format!(
            r#"
            listen = "127.0.0.1:0"

            [admin]
            event_readers_max = 1
            body_max_bytes = 2048

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

    /// Writes the record of one metered request and gives back its id.
    async fn record(&self, status: u16, model: &str) -> String {
        let id = RequestId::new(&self.gateway.clock).to_string();
        let (log, event) = metered(&id, status, model);
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

async fn text(answer: Response<Body>) -> String {
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}
