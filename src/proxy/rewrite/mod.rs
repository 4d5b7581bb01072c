//! What changes on the way through a plain route: path and headers of the request, headers of the answer.
//!
//! Pingora has removed the hop-by-hop headers and those that `Connection` nominates from the request before we see it,
//! and kept a WebSocket upgrade; it leaves the answer's to us.

use std::{
    borrow::Cow,
    net::{IpAddr, SocketAddr},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header, uri::PathAndQuery};
use ipnet::IpNet;
use pingora::http::{RequestHeader, ResponseHeader};

use crate::error::{ErrorKind, RequestError};
use crate::routes::{self, Route, Server};

use super::{
    respond::{REQUEST_ID, TRACE_ID},
    upstream::into_pingora,
};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// Where a gateway key may stand.
const KEY_HEADERS: [HeaderName; 3] = [
    header::AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("x-goog-api-key"),
];
/// How a gateway key begins. It opens this gateway and is nobody else's business.
const KEY_PREFIX: &[u8] = b"fg_live_";

/// What a request brings to its upstream about where it came from.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'a> {
    /// The other end of the connection.
    pub peer: IpAddr,
    /// Networks whose forwarding headers are believed.
    pub trusted: &'a [IpNet],
    /// Whether the client's connection is encrypted.
    pub tls: bool,
    pub request_id: &'a str,
    pub traceparent: &'a str,
}

impl Origin<'_> {
    fn trusts_peer(&self) -> bool {
        is_trusted(self.peer, self.trusted)
    }
}

/// The normal form of a request's path.
///
/// # Errors
/// [`ErrorKind::InvalidPath`].
pub fn request_path(request: &RequestHeader) -> Result<Cow<'_, str>, RequestError> {
    if !request.raw_path_is_utf8() {
        return Err(RequestError::new(
            ErrorKind::InvalidPath,
            "The path must be UTF-8; escape other bytes as `%XX`.",
        ));
    }
    routes::path::normalise(request.uri.path())
}

/// The address of the client itself: the peer's, or what a trusted proxy says, back through trusted proxies only.
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let mut address = peer.to_canonical();
    if !is_trusted(address, trusted) {
        return address;
    }
    let hops = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .rev()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.rsplit(','));
    for hop in hops {
        let Some(named) = parse_hop(hop.trim()) else {
            return address;
        };
        address = named;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    address
}

/// Makes the client's request the upstream's. `path` is in normal form.
///
/// # Errors
/// Pingora's, wrapping [`ErrorKind::InvalidPath`] when the new path is no path; the normal form and the checked
/// configuration leave no such case.
pub fn upstream_request(
    request: &mut RequestHeader,
    route: &Route,
    server: &Server,
    path: &str,
    origin: &Origin<'_>,
) -> pingora::Result<()> {
    // Before the target changes: HTTP/2 names the host there.
    let host = client_host(request);
    set_target(request, route, server, path)?;
    remove_gateway_keys(request, route.needs_key(path));
    forward_origin(request, host, origin)?;
    request.insert_header(header::HOST, server.authority.clone())?;
    request.insert_header(REQUEST_ID, origin.request_id)?;
    request.insert_header(TRACEPARENT, origin.traceparent)?;
    for (name, value) in &route.request_headers {
        request.insert_header(name.clone(), value.clone())?;
    }
    Ok(())
}

/// Makes the upstream's answer ours. Its `server` header passes as it came; the gateway adds none of its own.
///
/// # Errors
/// Pingora's, when an id is no header value.
pub fn response(
    response: &mut ResponseHeader,
    route: &Route,
    request_id: &str,
    trace_id: &str,
) -> pingora::Result<()> {
    if response.status != StatusCode::SWITCHING_PROTOCOLS {
        remove_hop_by_hop(response);
    }
    response.insert_header(REQUEST_ID, request_id)?;
    response.insert_header(TRACE_ID, trace_id)?;
    for (name, value) in &route.response_headers {
        response.insert_header(name.clone(), value.clone())?;
    }
    Ok(())
}

fn set_target(
    request: &mut RequestHeader,
    route: &Route,
    server: &Server,
    path: &str,
) -> pingora::Result<()> {
    let rest = routes::path::below(path, &route.strip_prefix).unwrap_or(path);
    let mut target = String::with_capacity(
        path.len() + server.url.base_path.len() + route.add_prefix.len() + 64,
    );
    target.push_str(&server.url.base_path);
    target.push_str(&route.add_prefix);
    target.push_str(rest);
    if target.is_empty() {
        target.push('/');
    }
    if let Some(query) = request.uri.query() {
        target.push('?');
        target.push_str(query);
    }
    let target = PathAndQuery::from_maybe_shared(Bytes::from(target)).map_err(|error| {
        into_pingora(RequestError::new(
            ErrorKind::InvalidPath,
            format!("The path for the upstream is no path: {error}."),
        ))
    })?;
    request.set_uri(Uri::from(target));
    Ok(())
}

/// The route's key check has used them up; and a key of ours never goes to an upstream, not even from a client that
/// sent it where none was asked for.
fn remove_gateway_keys(request: &mut RequestHeader, key_was_needed: bool) {
    for name in &KEY_HEADERS {
        let is_ours =
            |value: &HeaderValue| memchr::memmem::find(value.as_bytes(), KEY_PREFIX).is_some();
        if request.headers.contains_key(name)
            && (key_was_needed || request.headers.get_all(name).iter().any(is_ours))
        {
            request.remove_header(name);
        }
    }
}

/// Forwarding headers of a peer we do not trust are the client's invention and are dropped, `forwarded` and `x-real-ip`
/// with them.
fn forward_origin(
    request: &mut RequestHeader,
    host: Option<HeaderValue>,
    origin: &Origin<'_>,
) -> pingora::Result<()> {
    let peer = origin.peer.to_canonical();
    let trusted = origin.trusts_peer();
    let chain = if trusted {
        forwarded_for(&request.headers, peer)
    } else {
        peer.to_string()
    };
    request.insert_header(FORWARDED_FOR, chain)?;
    if !trusted {
        request.remove_header(&header::FORWARDED);
        request.remove_header(&REAL_IP);
    }
    if !(trusted && request.headers.contains_key(FORWARDED_PROTO)) {
        request.insert_header(FORWARDED_PROTO, if origin.tls { "https" } else { "http" })?;
    }
    if !(trusted && request.headers.contains_key(FORWARDED_HOST)) {
        request.remove_header(&FORWARDED_HOST);
        if let Some(host) = host {
            request.insert_header(FORWARDED_HOST, host)?;
        }
    }
    Ok(())
}

fn forwarded_for(headers: &HeaderMap, peer: IpAddr) -> String {
    let mut chain = String::new();
    for value in headers.get_all(FORWARDED_FOR) {
        if let Ok(value) = value.to_str() {
            chain.push_str(value);
            chain.push_str(", ");
        }
    }
    chain.push_str(&peer.to_string());
    chain
}

/// The host the client asked for.
fn client_host(request: &RequestHeader) -> Option<HeaderValue> {
    if let Some(host) = request.headers.get(header::HOST) {
        return Some(host.clone());
    }
    let authority = request.uri.authority()?;
    HeaderValue::from_str(authority.as_str()).ok()
}

/// `transfer-encoding` stays: Pingora frames the answer by it. `connection` it sets by itself.
fn remove_hop_by_hop(response: &mut ResponseHeader) {
    if let Some(nominated) = response.headers.get(header::CONNECTION) {
        let names: Vec<HeaderName> = nominated
            .as_bytes()
            .split(|byte| *byte == b',')
            .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
            .filter(|name| {
                !matches!(
                    name.as_str(),
                    "close" | "transfer-encoding" | "content-length"
                )
            })
            .collect();
        for name in names {
            response.remove_header(&name);
        }
        response.remove_header(&header::CONNECTION);
    }
    for name in ["keep-alive", "proxy-connection"] {
        response.remove_header(name);
    }
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    !trusted.is_empty() && {
        let address = address.to_canonical();
        trusted.iter().any(|net| net.contains(&address))
    }
}

/// An address as proxies write it: bare, in brackets, with or without port.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let bare = hop
        .strip_prefix('[')
        .and_then(|hop| hop.strip_suffix(']'))
        .unwrap_or(hop);
    bare.parse()
        .ok()
        .or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests;
