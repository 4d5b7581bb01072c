//! The Pingora side of the data plane. Each phase is a few calls, in order.
//!
//! AI requests and everything the gateway answers by itself end in `request_filter`; only plain routes go on to
//! Pingora's own proxying.

mod bridge;
mod client;
mod context;
pub mod guard;
mod plain;
mod receive;
pub mod respond;
pub mod rewrite;
mod upgrade;
pub mod upstream;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use pingora::{
    apps::HttpServerOptions,
    http::{RequestHeader, ResponseHeader},
    prelude::HttpPeer,
    proxy::{FailToProxy, HttpProxy, ProxyHttp, Session},
    server::configuration::ServerConf,
};

use crate::gateway::Gateway;

use context::RequestContext;
use guard::{Connections, GuardedApp, State, set_kill_switch, set_state};

/// The data plane of one gateway.
pub struct Proxy {
    gateway: Arc<Gateway>,
    /// The admin API, where it is served on the gateway's listener too.
    admin: Option<axum::Router>,
    labels: receive::Labels,
}

/// The guarded Pingora application, and the count of its connections.
pub fn application(
    gateway: &Arc<Gateway>,
    admin: Option<axum::Router>,
) -> (GuardedApp<HttpProxy<Proxy>>, Arc<Connections>) {
    let snapshot = gateway.snapshot();
    let limits = Arc::new(snapshot.config.limits.clone());
    let conf = ServerConf {
        upstream_keepalive_pool_size: gateway.ai.limits().provider_idle_connections_max,
        // A plain request is tried on each server of its pool at most once; `upstream::Attempts` stops it before this.
        max_retries: usize::from(u8::MAX),
        ..ServerConf::default()
    };
    let proxy = Proxy {
        gateway: Arc::clone(gateway),
        admin,
        labels: receive::Labels::default(),
    };
    let mut http = HttpProxy::new(proxy, Arc::new(conf));
    http.handle_init_modules();
    let mut options = HttpServerOptions::default();
    options.h2c = true;
    options.h2_idle_timeout = Some(limits.keepalive_timeout);
    http.server_options = Some(options);
    let connections = Connections::new(Arc::clone(&limits));
    let app = GuardedApp::new(http, limits, Arc::clone(&connections));
    (app, connections)
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = RequestContext;

    fn new_ctx(&self) -> RequestContext {
        RequestContext::default()
    }

    async fn early_request_filter(
        &self,
        session: &mut Session,
        _context: &mut RequestContext,
    ) -> pingora::Result<()> {
        if let Some(stream) = session.downstream_session.stream() {
            set_state(stream, State::Body);
        }
        let snapshot = self.gateway.snapshot();
        let limits = &snapshot.config.limits;
        // The guard sees connections; a stream of an HTTP/2 connection is only held to it here.
        session
            .downstream_session
            .set_write_timeout(Some(limits.write_timeout));
        // Keeps bytes of a next request apart from the end of the connection, which is how we learn that a client left.
        session.downstream_session.set_pipelining_enabled(true);
        let draining = self.gateway.drain.draining();
        // Between requests the guard's time limit holds, so Pingora needs none.
        session.set_keepalive((!draining).then_some(0));
        Ok(())
    }

    async fn request_filter(
        &self,
        session: &mut Session,
        context: &mut RequestContext,
    ) -> pingora::Result<bool> {
        self.receive(session, context).await
    }

    async fn upstream_peer(
        &self,
        session: &mut Session,
        context: &mut RequestContext,
    ) -> pingora::Result<Box<HttpPeer>> {
        let upgrades = session.is_upgrade_req();
        self.choose_server(context, upgrades).await
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        _peer: &HttpPeer,
        context: &mut RequestContext,
        mut error: Box<pingora::Error>,
    ) -> Box<pingora::Error> {
        if let Some(plain) = &mut context.plain {
            plain.attempts.failed_to_connect(&mut error);
        }
        error
    }

    async fn upstream_request_filter(
        &self,
        _session: &mut Session,
        request: &mut RequestHeader,
        context: &mut RequestContext,
    ) -> pingora::Result<()> {
        plain::rewrite_request(request, context)
    }

    async fn request_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        _end_of_stream: bool,
        context: &mut RequestContext,
    ) -> pingora::Result<()> {
        plain::count_request_body(body.as_ref(), context)
    }

    async fn response_filter(
        &self,
        _session: &mut Session,
        response: &mut ResponseHeader,
        context: &mut RequestContext,
    ) -> pingora::Result<()> {
        plain::rewrite_response(response, context)
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        _body: &mut Option<Bytes>,
        _end_of_stream: bool,
        context: &mut RequestContext,
    ) -> pingora::Result<Option<Duration>> {
        plain::refuse_killed(context)?;
        Ok(None)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &pingora::Error,
        context: &mut RequestContext,
    ) -> FailToProxy {
        plain::fail(session, error, context).await
    }

    fn suppress_error_log(
        &self,
        _session: &Session,
        _context: &RequestContext,
        _error: &pingora::Error,
    ) -> bool {
        // The access log and the request log tell it, under one request id.
        true
    }

    async fn logging(
        &self,
        session: &mut Session,
        error: Option<&pingora::Error>,
        context: &mut RequestContext,
    ) {
        if let Some(stream) = session.downstream_session.stream() {
            set_state(stream, State::Idle);
            set_kill_switch(stream, None);
        }
        plain::note_end(session, error, context);
        if let Some(recording) = &mut context.recording
            && recording.log.response_bytes == 0
        {
            recording.log.response_bytes =
                u64::try_from(session.body_bytes_sent()).unwrap_or_default();
        }
        // Dropping it writes it.
        context.recording = None;
    }
}
