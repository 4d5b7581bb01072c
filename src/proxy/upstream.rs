//! A plain route's way to its server: which one, with which time limits, and what to make of a failure.
//!
//! A request is tried again only while nothing of it has been sent: when its server could not be reached and the pool
//! has another. Each server is tried at most once, so the pool's size bounds the attempts. (Pingora by itself repeats an
//! idempotent request once when a kept connection turns out to be dead; that is not a failure of the server.)

use std::{error::Error as _, sync::Arc};

use pingora::{Error, ErrorSource, ErrorType, upstreams::peer::HttpPeer};

use crate::error::{ErrorKind, RequestError};
use crate::outbound::Dns;
use crate::routes::{Pick, Pool, Server};

/// The servers one request has tried, and the one it is on. Dropped without a verdict, it says nothing about the
/// server: the client left.
#[derive(Debug)]
pub struct Attempts {
    pool: Arc<Pool>,
    current: Option<Pick>,
    /// Allocates only once something has failed.
    failed: Vec<usize>,
}

impl Attempts {
    pub fn new(pool: Arc<Pool>) -> Self {
        Self {
            pool,
            current: None,
            failed: Vec::new(),
        }
    }

    /// The server in use.
    pub fn server(&self) -> Option<&Server> {
        self.current.as_ref().map(Pick::server)
    }

    /// Attempts that failed so far.
    pub fn failures(&self) -> usize {
        self.failed.len()
    }

    /// Where to connect: the server in use, or the next one. One whose name does not resolve counts as failed, and the
    /// next is taken at once.
    ///
    /// # Errors
    /// [`ErrorKind::UpstreamUnreachable`] when the pool is switched off or no server is left.
    pub async fn peer(&mut self, dns: &Dns) -> Result<Box<HttpPeer>, RequestError> {
        loop {
            let pick = match self.current.take() {
                Some(pick) => pick,
                None => self
                    .pool
                    .pick_untried(&self.failed)
                    .ok_or_else(|| self.no_server())?,
            };
            let url = &pick.server().url;
            match dns.resolve(&url.host, url.port).await {
                Ok(address) => {
                    let peer = peer(&self.pool, pick.server(), address);
                    self.current = Some(pick);
                    return Ok(Box::new(peer));
                }
                Err(error) => {
                    tracing::debug!(pool = %self.pool.name, server.host = %url.host, %error, "no address");
                    self.current = Some(pick);
                    self.failed();
                }
            }
        }
    }

    /// The connection could not be made, so nothing was sent: marks `error` for another attempt if a server is left.
    pub fn failed_to_connect(&mut self, error: &mut Error) {
        self.failed();
        error.set_retry(self.failed.len() < self.pool.servers().len());
    }

    /// The server broke off or was too slow.
    pub fn failed(&mut self) {
        if let Some(pick) = self.current.take() {
            self.failed.push(pick.index());
            pick.failed();
        }
    }

    /// The server answered.
    pub fn succeeded(&mut self) {
        if let Some(pick) = self.current.take() {
            pick.succeeded();
        }
    }

    fn no_server(&self) -> RequestError {
        let name = &self.pool.name;
        let message = if self.failed.is_empty() {
            format!("The upstream pool `{name}` is switched off. Enable it in [[upstreams]].")
        } else {
            format!(
                "No server of the upstream pool `{name}` could be reached. Check that they run and that their names resolve."
            )
        };
        RequestError::new(ErrorKind::UpstreamUnreachable, message)
    }
}

/// `address` is resolved by us: Pingora would resolve by blocking, and panic on a failure.
fn peer(pool: &Pool, server: &Server, address: std::net::SocketAddr) -> HttpPeer {
    // The name to verify the certificate by. Without one Pingora verifies nothing, so it is the host even where that is
    // an IP address; the configuration refuses an empty host.
    let sni = if server.url.tls {
        server.url.host.clone()
    } else {
        String::new()
    };
    let mut peer = HttpPeer::new(address, server.url.tls, sni);
    peer.options.connection_timeout = Some(pool.connect_timeout);
    peer.options.total_connection_timeout = Some(pool.connect_timeout);
    peer.options.read_timeout = Some(pool.read_timeout);
    peer.options.write_timeout = Some(pool.write_timeout);
    peer.options.idle_timeout = Some(pool.idle_timeout);
    peer
}

/// Wraps an error of ours for Pingora's hooks, which pass nothing else; [`request_error`] finds it again.
pub fn into_pingora(error: RequestError) -> Box<Error> {
    let status = ErrorType::HTTPStatus(error.status());
    let mut wrapped = Error::because(status, error.kind.code(), error);
    wrapped.as_in();
    wrapped
}

/// What Pingora's error means to the client.
pub fn request_error(error: &Error) -> RequestError {
    if let Some(own) = own_error(error) {
        return own.clone();
    }
    match error.esource() {
        ErrorSource::Upstream => upstream_error(error.etype()),
        ErrorSource::Downstream => client_error(error.etype()),
        ErrorSource::Internal | ErrorSource::Unset => RequestError::new(
            ErrorKind::InternalError,
            "The gateway failed to handle this request. Report it with the request id.",
        ),
    }
}

fn own_error(error: &Error) -> Option<&RequestError> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(own) = error.downcast_ref::<RequestError>() {
            return Some(own);
        }
        cause = error.source();
    }
    error.root_cause().downcast_ref()
}

fn upstream_error(kind: &ErrorType) -> RequestError {
    use ErrorType as E;
    match kind {
        E::ConnectTimedout | E::TLSHandshakeTimedout => RequestError::new(
            ErrorKind::UpstreamTimeout,
            "The upstream did not accept a connection within `connect_timeout_ms`. Check that it runs and can be reached.",
        ),
        E::ReadTimedout | E::WriteTimedout => RequestError::new(
            ErrorKind::UpstreamTimeout,
            "The upstream did not answer within `read_timeout_secs` and `write_timeout_secs`. Try again, or raise them.",
        ),
        E::InvalidCert | E::TLSHandshakeFailure | E::TLSWantX509Lookup | E::HandshakeError => {
            RequestError::new(
                ErrorKind::UpstreamUnreachable,
                "No secure connection to the upstream could be made. Check its certificate and that its name is the URL's host.",
            )
        }
        E::ConnectRefused
        | E::ConnectNoRoute
        | E::ConnectError
        | E::ConnectProxyFailure
        | E::BindError
        | E::SocketError => RequestError::new(
            ErrorKind::UpstreamUnreachable,
            "No server of the upstream pool could be reached. Check that they run and listen on the configured ports.",
        ),
        _ => RequestError::new(
            ErrorKind::UpstreamError,
            "The upstream broke the connection or its answer is not valid HTTP. Try again, and see the upstream's log.",
        ),
    }
}

fn client_error(kind: &ErrorType) -> RequestError {
    use ErrorType as E;
    match kind {
        E::ReadTimedout => RequestError::new(
            ErrorKind::RequestTimeout,
            "The request did not arrive in time. Send it faster; `[limits]` holds the limits.",
        ),
        E::InvalidHTTPHeader | E::H1Error => RequestError::new(
            ErrorKind::InvalidRequest,
            "The request is not valid HTTP. Check its request line, its headers and the framing of its body.",
        ),
        _ => RequestError::new(
            ErrorKind::ClientClosedRequest,
            "The client left before the answer was complete.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pingora::upstreams::peer::Peer;

    use super::*;
    use crate::config::{Upstream, UpstreamUrl};
    use crate::routes::Table;

    fn dns() -> Dns {
        Dns::new(Duration::from_secs(1), crate::tasks::Tasks::default())
    }

    fn pool(hosts: &[&str], tls: bool, enabled: bool) -> Arc<Pool> {
        let url = |host: &&str| UpstreamUrl {
            tls,
            host: (*host).to_owned(),
            port: 9,
            base_path: String::new(),
        };
        let second = Duration::from_secs(1);
        let upstream = Upstream {
            name: "pool".into(),
            urls: hosts.iter().map(url).collect(),
            connect_timeout: second,
            read_timeout: second * 2,
            write_timeout: second * 3,
            idle_timeout: second * 4,
            health_failures_max: 1,
            health_cooldown: second,
            enabled,
        };
        let route = crate::config::Route {
            name: "route".into(),
            upstream: "pool".into(),
            hosts: Vec::new(),
            path_prefixes: Vec::new(),
            match_headers: Vec::new(),
            strip_prefix: None,
            add_prefix: None,
            request_headers: Vec::new(),
            response_headers: Vec::new(),
            public: false,
            enabled: true,
        };
        let table = Table::build(&[route], &[upstream], false);
        let pool = table.pools().next().unwrap();
        Arc::clone(pool)
    }

    #[tokio::test]
    async fn a_peer_has_every_time_limit_and_verifies_by_the_hosts_name() {
        let peer = Attempts::new(pool(&["localhost"], true, true))
            .peer(&dns())
            .await
            .unwrap();
        assert_eq!(peer.sni(), "localhost");
        assert!(peer.verify_cert() && peer.verify_hostname());
        assert_eq!(peer.connection_timeout(), Some(Duration::from_secs(1)));
        assert_eq!(
            peer.total_connection_timeout(),
            Some(Duration::from_secs(1))
        );
        assert_eq!(peer.options.read_timeout, Some(Duration::from_secs(2)));
        assert_eq!(peer.options.write_timeout, Some(Duration::from_secs(3)));
        assert_eq!(peer.idle_timeout(), Some(Duration::from_secs(4)));
    }

    #[tokio::test]
    async fn every_server_is_tried_once_and_then_the_request_fails() {
        let mut attempts = Attempts::new(pool(&["127.0.0.1", "127.0.0.2"], false, true));
        let first = attempts.peer(&dns()).await.unwrap().to_string();
        let mut error = Error::new_up(ErrorType::ConnectRefused);
        attempts.failed_to_connect(&mut error);
        assert!(error.retry());
        let second = attempts.peer(&dns()).await.unwrap().to_string();
        assert_ne!(first, second);
        attempts.failed_to_connect(&mut error);
        assert!(!error.retry());
        let error = attempts.peer(&dns()).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::UpstreamUnreachable);
        assert!(error.message.contains("could be reached"));
    }

    #[tokio::test]
    async fn a_pool_that_is_switched_off_says_so() {
        let error = Attempts::new(pool(&["127.0.0.1"], false, false))
            .peer(&dns())
            .await
            .unwrap_err();
        assert!(error.message.contains("switched off"));
    }

    #[test]
    fn each_failure_has_its_own_kind() {
        use ErrorType as E;
        for (error, expected) in [
            (
                Error::new_up(E::ConnectRefused),
                ErrorKind::UpstreamUnreachable,
            ),
            (
                Error::new_up(E::InvalidCert),
                ErrorKind::UpstreamUnreachable,
            ),
            (
                Error::new_up(E::ConnectTimedout),
                ErrorKind::UpstreamTimeout,
            ),
            (Error::new_up(E::ReadTimedout), ErrorKind::UpstreamTimeout),
            (Error::new_up(E::ConnectionClosed), ErrorKind::UpstreamError),
            (
                Error::new_up(E::InvalidHTTPHeader),
                ErrorKind::UpstreamError,
            ),
            (
                Error::new_down(E::ConnectionClosed),
                ErrorKind::ClientClosedRequest,
            ),
            (Error::new_down(E::ReadTimedout), ErrorKind::RequestTimeout),
            (
                Error::new_down(E::InvalidHTTPHeader),
                ErrorKind::InvalidRequest,
            ),
            (Error::new_in(E::InternalError), ErrorKind::InternalError),
        ] {
            assert_eq!(request_error(&error).kind, expected, "{error}");
        }
    }

    #[test]
    fn an_error_of_ours_comes_through_pingora_as_it_was() {
        let own = RequestError::new(ErrorKind::PayloadTooLarge, "Too large.");
        let wrapped = into_pingora(own.clone());
        assert_eq!(request_error(&wrapped), own);
        let wrapped_again = wrapped.more_context("while proxying");
        assert_eq!(request_error(&wrapped_again), own);
    }
}
