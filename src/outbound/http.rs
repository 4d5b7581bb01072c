//! A small HTTP client for what is not a provider: names from the gateway's own cache, TLS where the URL says so.
//!
//! It knows no redirects, no retries and no time limits: those are their callers'.

use std::{io, net::SocketAddr, sync::Arc, task};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        self,
        connect::{HttpConnector, dns::Name},
    },
    rt::{TokioExecutor, TokioTimer},
};
use parking_lot::Mutex;
use rustls::{ClientConfig, RootCertStore};
use tower::Service;

use super::Dns;

const IDLE_TIME_MAX: std::time::Duration = std::time::Duration::from_secs(30);

type Connector = HttpsConnector<HttpConnector<Resolver>>;

/// Whose certificates are trusted. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Roots(ClientConfig);

/// A client for one host.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: legacy::Client<Connector, Full<Bytes>>,
    resolver: Resolver,
}

impl Roots {
    /// Those of this system. It reads files.
    ///
    /// # Errors
    /// When the system has none that can be read.
    pub fn of_system() -> io::Result<Self> {
        let config = builder().with_native_roots()?;
        Ok(Self(config.with_no_client_auth()))
    }

    /// Nobody's: a host that speaks no TLS need not have certificates.
    pub fn none() -> Self {
        let config = builder().with_root_certificates(RootCertStore::empty());
        Self(config.with_no_client_auth())
    }
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    let provider = rustls::crypto::ring::default_provider();
    ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("the provider speaks the default versions")
}

impl HttpClient {
    /// At most `idle_connections_max` connections stay open for the next request.
    pub fn new(dns: Dns, roots: &Roots, idle_connections_max: usize) -> Self {
        let resolver = Resolver::new(dns);
        let mut tcp = HttpConnector::new_with_resolver(resolver.clone());
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(roots.0.clone())
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Self {
            client: legacy::Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE_TIME_MAX)
                .pool_max_idle_per_host(idle_connections_max)
                .build(connector),
            resolver,
        }
    }

    /// Sends one request and waits for the head of its answer.
    ///
    /// # Errors
    /// When there is none; a host that could not be reached is asked at another of its addresses the next time.
    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, legacy::Error> {
        self.client.request(request).await.inspect_err(|error| {
            if error.is_connect() {
                self.resolver.turn_away();
            }
        })
    }
}

/// Names to addresses from the gateway's own cache.
#[derive(Debug, Clone)]
struct Resolver {
    dns: Dns,
    /// Where the host's name led the last time.
    last: Arc<Mutex<Option<(Name, SocketAddr)>>>,
}

impl Resolver {
    fn new(dns: Dns) -> Self {
        Self {
            dns,
            last: Arc::default(),
        }
    }

    /// Nobody could be reached there: a name with several addresses goes on with the next one.
    fn turn_away(&self) {
        if let Some((name, address)) = self.last.lock().take() {
            self.dns.report_failure(name.as_str(), address);
        }
    }
}

impl Service<Name> for Resolver {
    type Response = std::iter::Once<SocketAddr>;
    type Error = io::Error;
    type Future = BoxFuture<'static, Result<Self::Response, io::Error>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> task::Poll<Result<(), io::Error>> {
        task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let Self { dns, last } = self.clone();
        Box::pin(async move {
            // The connector puts its own port in.
            let address = dns.resolve(name.as_str(), 0).await?;
            *last.lock() = Some((name, address));
            Ok(std::iter::once(address))
        })
    }
}
