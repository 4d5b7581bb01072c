//! The pooled HTTP client towards providers, over Pingora's connector.
//!
//! The one place of `ai` that knows Pingora. Names are resolved by us: Pingora's own look-up would block the runtime.
//! A connection that the provider closed while it was idle is noticed only on use; then the request is sent once more
//! on a fresh one, provided that not a byte of an answer has come.

mod corked;
mod idle;
pub(crate) mod stream_facts;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, header};
use pingora::{
    connectors::{ConnectorOptions, http::Connector},
    http::RequestHeader,
    protocols::{
        ALPN, Stream,
        http::{client::HttpSession, v1::client::HttpSession as Http1Session},
    },
    upstreams::peer::{HttpPeer, Peer},
};
use thiserror::Error;

use crate::ai::providers::Provider;
use crate::outbound::Dns;
use corked::Corked;
use idle::IdleConnections;

/// Streams multiplexed over one HTTP/2 connection; Pingora's default of 1 would be no multiplexing at all.
const H2_STREAMS_MAX: usize = 100;

/// Connections to every provider.
pub struct Upstream {
    /// Makes connections, and keeps those of HTTP/2.
    connector: Connector,
    idle: IdleConnections,
    dns: Dns,
    options: UpstreamOptions,
}

/// See `[reliability]`.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamOptions {
    pub connect_timeout: Duration,
    pub idle_connections_max: usize,
    pub idle_timeout: Duration,
}

/// One call to a provider.
#[derive(Debug)]
pub struct Call<'a> {
    pub provider: &'a Provider,
    pub method: http::Method,
    /// Path and query.
    pub path: String,
    pub headers: &'a HeaderMap,
    pub body: Bytes,
}

/// Why a provider could not be heard.
#[derive(Debug, Error)]
pub enum UpstreamError {
    #[error("its name could not be resolved")]
    Resolve(#[source] std::io::Error),
    #[error("no connection could be made")]
    Connect(#[source] Box<pingora::Error>),
    #[error("it did not accept a connection in time")]
    ConnectTimeout(#[source] Box<pingora::Error>),
    #[error("the request could not be sent")]
    Send(#[source] Box<pingora::Error>),
    #[error("the connection broke before the answer was whole")]
    Receive(#[source] Box<pingora::Error>),
    #[error("its path is no valid request target")]
    Path(#[source] http::uri::InvalidUri),
}

impl std::fmt::Debug for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upstream")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Upstream {
    pub fn new(dns: Dns, options: UpstreamOptions) -> Self {
        Self {
            connector: Connector::new(Some(ConnectorOptions::new(options.idle_connections_max))),
            idle: IdleConnections::new(options.idle_connections_max, options.idle_timeout),
            dns,
            options,
        }
    }

    /// Sends `call` and waits for the head of the answer. `sending` is called when there is a connection to send it on:
    /// from then on the provider may see it.
    ///
    /// # Errors
    /// [`UpstreamError`]; the caller decides whether to try again.
    pub async fn send(
        self: &Arc<Self>,
        call: &Call<'_>,
        mut sending: impl FnMut() + Send,
    ) -> Result<Answer, UpstreamError> {
        let provider = call.provider;
        let address = self
            .dns
            .resolve(&provider.host, provider.port)
            .await
            .map_err(UpstreamError::Resolve)?;
        let peer = self.peer(provider, address);
        loop {
            let (session, reused) = self.connect(&peer).await.inspect_err(|_| {
                // A name with several addresses goes on with the next one.
                self.dns.report_failure(&provider.host, address);
            })?;
            sending();
            match exchange(session, call).await {
                Ok(session) => {
                    return Ok(Answer {
                        session: Some(session),
                        peer,
                        upstream: Arc::clone(self),
                    });
                }
                // The provider closed it while it was idle: nobody has read the request.
                Err(error) if reused && closed_while_idle(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A connection to `peer`, and whether it has been used before.
    async fn connect(&self, peer: &HttpPeer) -> Result<(HttpSession, bool), UpstreamError> {
        if let Some(stream) = self.idle.take(peer.reuse_hash()) {
            return Ok((http1(stream, peer), true));
        }
        let (session, reused) = self
            .connector
            .get_http_session(peer)
            .await
            .map_err(connect_error)?;
        Ok(match session {
            HttpSession::H1(session) => (http1(session.into_inner(), peer), reused),
            other => (other, reused),
        })
    }

    async fn release(&self, session: HttpSession, peer: &HttpPeer) {
        match session {
            HttpSession::H1(mut session) => {
                session.respect_keepalive();
                if let Some(stream) = session.reuse().await {
                    self.idle.put(peer.reuse_hash(), stream);
                }
            }
            other => {
                self.connector
                    .release_http_session(other, peer, Some(self.options.idle_timeout))
                    .await;
            }
        }
    }

    /// Closes connections that have been idle for too long; a job calls it.
    pub fn sweep(&self) {
        self.idle.sweep();
    }

    fn peer(&self, provider: &Provider, address: SocketAddr) -> HttpPeer {
        let mut peer = HttpPeer::new(address, provider.tls, provider.host.clone());
        peer.options.connection_timeout = Some(self.options.connect_timeout);
        peer.options.total_connection_timeout = Some(self.options.connect_timeout);
        if provider.tls {
            peer.options.alpn = ALPN::H2H1;
            peer.options.max_h2_streams = H2_STREAMS_MAX;
        }
        peer
    }
}

fn http1(stream: Stream, peer: &HttpPeer) -> HttpSession {
    HttpSession::H1(Http1Session::new_with_options(Corked::around(stream), peer))
}

fn connect_error(error: Box<pingora::Error>) -> UpstreamError {
    use pingora::ErrorType::{ConnectTimedout, TLSHandshakeTimedout};
    match error.etype() {
        ConnectTimedout | TLSHandshakeTimedout => UpstreamError::ConnectTimeout(error),
        _ => UpstreamError::Connect(error),
    }
}

fn closed_while_idle(error: &UpstreamError) -> bool {
    use pingora::ErrorType::{ConnectionClosed, ReadError, WriteError};
    match error {
        UpstreamError::Send(error) => *error.etype() == WriteError,
        UpstreamError::Receive(error) => matches!(error.etype(), ConnectionClosed | ReadError),
        _ => false,
    }
}

/// Writes the request and reads the head of the answer.
async fn exchange(mut session: HttpSession, call: &Call<'_>) -> Result<HttpSession, UpstreamError> {
    let head = request_head(call, matches!(session, HttpSession::H2(_)))?;
    let sent = async {
        cork(&session, true);
        session.write_request_header(Box::new(head)).await?;
        cork(&session, false);
        session.write_request_body(call.body.clone(), true).await?;
        session.finish_request_body().await
    };
    sent.await.map_err(UpstreamError::Send)?;
    loop {
        session
            .read_response_header()
            .await
            .map_err(UpstreamError::Receive)?;
        // 1xx heads announce the real one.
        let informational = session
            .response_header()
            .is_some_and(|head| head.status.is_informational());
        if !informational {
            return Ok(session);
        }
    }
}

fn cork(session: &HttpSession, corked: bool) {
    if let HttpSession::H1(session) = session {
        Corked::set(session.stream(), corked);
    }
}

fn request_head(call: &Call<'_>, h2: bool) -> Result<RequestHeader, UpstreamError> {
    let provider = call.provider;
    let mut request = http::Request::new(());
    *request.method_mut() = call.method.clone();
    *request.headers_mut() = call.headers.clone();
    let target = if h2 {
        *request.version_mut() = http::Version::HTTP_2;
        let scheme = if provider.tls { "https" } else { "http" };
        let authority = provider.authority.to_str().unwrap_or_default();
        format!("{scheme}://{authority}{}", call.path)
    } else {
        let host = provider.authority.clone();
        request.headers_mut().insert(header::HOST, host);
        call.path.clone()
    };
    *request.uri_mut() = target.parse().map_err(UpstreamError::Path)?;
    let length = HeaderValue::from(call.body.len());
    request.headers_mut().insert(header::CONTENT_LENGTH, length);
    Ok(request.into_parts().0.into())
}

/// A provider's answer, whose body is still coming. Dropping it unread closes the connection, which cancels the call.
pub struct Answer {
    session: Option<HttpSession>,
    peer: HttpPeer,
    upstream: Arc<Upstream>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}

impl Answer {
    pub fn status(&self) -> u16 {
        self.session
            .as_ref()
            .and_then(HttpSession::response_header)
            .map_or(0, |head| head.status.as_u16())
    }

    pub fn headers(&self) -> Option<&HeaderMap> {
        self.session
            .as_ref()
            .and_then(HttpSession::response_header)
            .map(|head| &head.headers)
    }

    /// The next piece of the body; `None` at its proper end.
    ///
    /// # Errors
    /// [`UpstreamError::Receive`] when the connection broke before that.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, UpstreamError> {
        match &mut self.session {
            Some(session) => session
                .read_response_body()
                .await
                .map_err(UpstreamError::Receive),
            None => Ok(None),
        }
    }

    /// What [`Answer::chunk`] would give without waiting; `None` when it would wait.
    pub fn chunk_now(&mut self) -> Option<Result<Option<Bytes>, UpstreamError>> {
        tokio::task::unconstrained(self.chunk()).now_or_never()
    }

    /// Gives the connection back for reuse; call it once the body has been read to its end.
    pub async fn release(mut self) {
        if let Some(session) = self.session.take() {
            self.upstream.release(session, &self.peer).await;
        }
    }

    /// Breaks the call off, so that the provider stops working on it.
    pub async fn cancel(mut self) {
        if let Some(mut session) = self.session.take() {
            session.shutdown().await;
        }
    }
}
