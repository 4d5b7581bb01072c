//! What the data plane knows of one request so far.

use std::{net::IpAddr, sync::Arc, time::Instant};

use http::{HeaderMap, HeaderName, HeaderValue};
use pingora::proxy::Session;

use crate::clock::Clock;
use crate::config::Limits;
use crate::gateway::Snapshot;
use crate::ids::RequestId;
use crate::metering::Recording;
use crate::observability::TraceContext;
use crate::routes::{Route, Surface};

use super::guard::BodyPace;
use super::respond::{ANTHROPIC_REQUEST_ID, REQUEST_ID, ResponseMeta, TRACE_ID};
use super::rewrite;
use super::upstream::Attempts;

/// One request, from its headers to its log line.
pub struct RequestContext {
    pub(super) started: Instant,
    /// `None` for what is not recorded: health checks and the admin API.
    pub(super) recording: Option<Recording>,
    pub(super) identity: Option<Identity>,
    pub(super) plain: Option<PlainRequest>,
}

impl Default for RequestContext {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            recording: None,
            identity: None,
            plain: None,
        }
    }
}

/// A request on its way through a plain route.
pub(super) struct PlainRequest {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) route: Arc<Route>,
    /// The request's path in normal form.
    pub(super) path: String,
    pub(super) pace: BodyPace,
    pub(super) attempts: Attempts,
    /// From here on the time is the upstream's, not the gateway's.
    pub(super) handed_over: Option<Instant>,
}

/// Who a request is, and where it comes from.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) request_id: RequestId,
    pub(super) request_id_text: String,
    pub(super) trace: TraceContext,
    pub(super) trace_id: String,
    /// The other end of the connection.
    pub(super) peer: Option<IpAddr>,
    /// The client, as far as `trusted_proxies` allow to believe it.
    pub(super) client: Option<IpAddr>,
    /// Whose library the client is taken to be.
    pub(super) surface: Surface,
}

impl Identity {
    pub(super) fn of(session: &Session, clock: &Clock, limits: &Limits) -> Self {
        let headers = &session.req_header().headers;
        let request_id = RequestId::new(clock);
        let trace = TraceContext::from_headers(headers, request_id);
        let peer = session
            .client_addr()
            .and_then(|address| address.as_inet())
            .map(std::net::SocketAddr::ip);
        Self {
            request_id,
            request_id_text: request_id.to_string(),
            trace_id: trace.trace_id(),
            trace,
            peer,
            surface: Surface::of(session.req_header().uri.path(), headers),
            client: peer
                .map(|peer| rewrite::client_address(peer, headers, &limits.trusted_proxies)),
        }
    }

    /// The headers that every answer carries.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(3);
        if let Ok(value) = HeaderValue::from_str(&self.request_id_text) {
            if self.surface == Surface::Anthropic {
                headers.insert(ANTHROPIC_REQUEST_ID, value.clone());
            }
            headers.insert(REQUEST_ID, value);
        }
        if let Ok(value) = HeaderValue::from_str(&self.trace_id) {
            headers.insert(TRACE_ID, value);
        }
        headers
    }

    /// The same, for answers that `respond` writes.
    pub(super) fn meta<'a>(&'a self, headers: &'a [(HeaderName, HeaderValue)]) -> ResponseMeta<'a> {
        ResponseMeta {
            request_id: &self.request_id_text,
            trace_id: &self.trace_id,
            surface: self.surface,
            headers,
        }
    }
}
