//! The phases of a request on a plain route: which server, what changes on the way, and how it ended.
//!
//! One that an operator ends hears of it through its client's connection, whose guard breaks off reading; Pingora then
//! gives up the upstream. A request on an HTTP/2 connection, which others share, hears of it with the next piece of
//! either body, or when the pool's `read_timeout_secs` has passed.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use ferrogate_api::Outcome;
use http::StatusCode;
use pingora::{
    ErrorSource,
    http::{RequestHeader, ResponseHeader},
    prelude::HttpPeer,
    proxy::{FailToProxy, Session},
};

use crate::error::{ErrorKind, RequestError};
use crate::metering::request_killed;

use super::context::RequestContext;
use super::rewrite::{self, Origin};
use super::upstream::{into_pingora, request_error};
use super::{Proxy, respond, upgrade};

impl Proxy {
    pub(super) async fn choose_server(
        &self,
        context: &mut RequestContext,
        upgrades: bool,
    ) -> pingora::Result<Box<HttpPeer>> {
        refuse_killed(context)?;
        let plain = context.plain.as_mut().ok_or_else(|| {
            into_pingora(RequestError::new(
                ErrorKind::InternalError,
                "A request without a route reached the proxy.",
            ))
        })?;
        let mut peer = plain
            .attempts
            .peer(&self.gateway.dns)
            .await
            .map_err(into_pingora)?;
        if upgrades {
            peer.group_key = upgrade::GROUP_KEY;
            peer.options.custom_l4 = Some(Arc::new(upgrade::ConnectForUpgrade {
                time_limit: plain.route.pool.connect_timeout,
            }));
        }
        plain.handed_over.get_or_insert_with(Instant::now);
        if let Some(recording) = &mut context.recording {
            recording.log.attempts += 1;
        }
        Ok(peer)
    }
}

pub(super) fn rewrite_request(
    request: &mut RequestHeader,
    context: &RequestContext,
) -> pingora::Result<()> {
    let (Some(plain), Some(identity)) = (&context.plain, &context.identity) else {
        return Ok(());
    };
    let (Some(server), Some(peer)) = (plain.attempts.server(), identity.peer) else {
        return Ok(());
    };
    let traceparent = identity.trace.child_header();
    let origin = Origin {
        peer,
        trusted: &plain.snapshot.config.limits.trusted_proxies,
        tls: false,
        request_id: &identity.request_id_text,
        traceparent: traceparent.to_str().unwrap_or_default(),
    };
    rewrite::upstream_request(request, &plain.route, server, &plain.path, &origin)
}

/// Ends a request that an operator has killed.
pub(super) fn refuse_killed(context: &RequestContext) -> pingora::Result<()> {
    match is_killed(context) {
        true => Err(into_pingora(request_killed())),
        false => Ok(()),
    }
}

fn is_killed(context: &RequestContext) -> bool {
    let recording = context.recording.as_ref();
    recording.is_some_and(|recording| recording.kill_switch().is_killed())
}

/// Holds a streamed body to its size and its pace.
pub(super) fn count_request_body(
    body: Option<&Bytes>,
    context: &mut RequestContext,
) -> pingora::Result<()> {
    refuse_killed(context)?;
    let (Some(plain), Some(body)) = (&mut context.plain, body) else {
        return Ok(());
    };
    plain.pace.add(body.len());
    let limits = &plain.snapshot.config.limits;
    if plain.pace.bytes() > limits.proxy_request_body_max_bytes {
        return Err(into_pingora(body_too_large(
            limits.proxy_request_body_max_bytes,
        )));
    }
    plain.pace.check(limits).map_err(into_pingora)
}

pub(super) fn rewrite_response(
    response: &mut ResponseHeader,
    context: &mut RequestContext,
) -> pingora::Result<()> {
    refuse_killed(context)?;
    let (Some(plain), Some(identity)) = (&mut context.plain, &context.identity) else {
        return Ok(());
    };
    plain.attempts.succeeded();
    if let Some(recording) = &mut context.recording {
        // A 1xx only announces the answer, but for the one that switches protocols.
        let announces = response.status.is_informational()
            && response.status != StatusCode::SWITCHING_PROTOCOLS;
        if !announces {
            recording.first_content();
        }
        recording.phase(ferrogate_api::Phase::Answering);
    }
    rewrite::response(
        response,
        &plain.route,
        &identity.request_id_text,
        &identity.trace_id,
    )
}

/// Answers for an upstream that did not.
pub(super) async fn fail(
    session: &mut Session,
    error: &pingora::Error,
    context: &mut RequestContext,
) -> FailToProxy {
    let killed = is_killed(context);
    let failure = match killed {
        true => request_killed(),
        false => request_error(error),
    };
    if !killed
        && *error.esource() == ErrorSource::Upstream
        && let Some(plain) = &mut context.plain
    {
        plain.attempts.failed();
    }
    let has_begun = session.response_written().is_some();
    if let Some(recording) = &mut context.recording {
        recording.failed(&failure);
        if has_begun && recording.log.outcome == Outcome::UpstreamError {
            recording.log.outcome = Outcome::UpstreamCut;
        }
        if !has_begun {
            recording.log.status = failure.status();
        }
    }
    if let Some(identity) = &context.identity {
        let written = respond::write_error(session, &failure, &identity.meta(&[])).await;
        if let Err(error) = written {
            tracing::debug!(%error, "the client left before it was told of a failure");
        }
    }
    if failure.kind == ErrorKind::PayloadTooLarge {
        // Pingora drops this session as it is; without a proper end the answer could be lost to a reset.
        session.downstream_session.shutdown().await;
    }
    FailToProxy {
        error_code: failure.status(),
        can_reuse_downstream: false,
    }
}

/// Fills in what only the end of a plain request tells.
pub(super) fn note_end(
    session: &Session,
    error: Option<&pingora::Error>,
    context: &mut RequestContext,
) {
    let killed = is_killed(context);
    let (Some(plain), Some(recording)) = (&context.plain, &mut context.recording) else {
        return;
    };
    if let Some(since) = plain.handed_over {
        recording.waited(since.elapsed());
    }
    let log = &mut recording.log;
    log.request_bytes = plain.pace.bytes();
    log.response_bytes = u64::try_from(session.body_bytes_sent()).unwrap_or_default();
    if let Some(response) = session.response_written() {
        log.status = response.status.as_u16();
    }
    let client_left = error.is_some_and(|error| *error.esource() == ErrorSource::Downstream);
    if client_left && !killed {
        log.outcome = Outcome::ClientGone;
    }
}

pub(super) fn body_too_large(max: u64) -> RequestError {
    RequestError::new(
        ErrorKind::PayloadTooLarge,
        format!(
            "The body is over {max} bytes. Send less, or raise `[limits] proxy_request_body_max_bytes`."
        ),
    )
}
