//! Who may use the admin API.
//!
//! On the unix socket the peer's uid decides: root and the gateway's own user pass. Everybody else brings a key with
//! the scope that the endpoint needs; [`mod@super::router`] says which. The gateway listener serves this machine alone,
//! and only what came to it directly: a proxy in front of it, or a browser tricked into asking it under another name,
//! must not publish the admin API.
//!
//! A request is refused by the first of these:
//!
//! 1. the page of another origin sent it ([`super::security_headers`]);
//! 2. it came to the gateway listener through a proxy or under a name that is not this machine's;
//! 3. its address sent too many wrong keys ([`crate::governance::AuthFailures`]), or its key is none;
//! 4. its caller asks too often ([`super::rate_limits`]);
//! 5. its caller lacks the scope of the endpoint;
//! 6. its caller belongs to a tenant, and the endpoint is the operator's ([`Seat`]). Of the others each handler shows and
//!    changes what is in the caller's realm.

use std::{net::IpAddr, sync::Arc, time::Instant};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, Uri, header, uri::Authority};

use super::{
    caller::Caller,
    idempotency::{self, Answers},
    rate_limits::RateLimits,
    refusals::{self, Asked},
    respond::Failure,
    security_headers,
};
use crate::config::Scope;
use crate::error::{ErrorKind, RequestError};
use crate::gateway::Gateway;
use crate::governance::Surface;
use crate::peer::PeerIdentity;

/// Headers that a proxy adds. Any header of the `x-forwarded-` family counts too.
const FORWARDING_HEADERS: [&str; 3] = ["forwarded", "via", "x-real-ip"];
const FORWARDING_PREFIX: &str = "x-forwarded-";

/// What the layers around all endpoints share.
#[derive(Debug)]
pub(super) struct Layers {
    pub(super) gateway: Arc<Gateway>,
    rate_limits: RateLimits,
    pub(super) answers: Answers,
}

impl Layers {
    pub(super) fn of(gateway: Arc<Gateway>) -> Arc<Self> {
        Arc::new(Self {
            gateway,
            rate_limits: RateLimits::default(),
            answers: Answers::default(),
        })
    }
}

/// Whose an endpoint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seat {
    /// What it shows and changes is the gateway's: admin keys of tenants are refused.
    Operator,
    /// What it shows and changes belongs to somebody: its handler keeps to the caller's realm.
    Tenant,
}

/// The layer before everything: who is asking. Handlers find the [`Caller`] in the extensions.
pub(super) async fn authenticate(
    State(layers): State<Arc<Layers>>,
    mut request: Request,
    next: Next,
) -> Response {
    let gateway = &*layers.gateway;
    let caller = match identify(gateway, &request) {
        Ok(caller) => caller,
        Err(error) => {
            gateway.metrics.auth_failed(error.kind);
            return Failure(error).into_response();
        }
    };
    let max = gateway.snapshot().config.admin.requests_per_minute_max;
    if let Err(error) = layers
        .rate_limits
        .count(&caller.to_string(), max, Instant::now())
    {
        return Failure(error).into_response();
    }
    if let Err(error) = is_admin(&caller) {
        let asked = Asked::of(&request);
        refusals::note(gateway, &caller, &asked, &error).await;
        return Failure(error).into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

/// What one endpoint needs of its caller.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    pub(super) layers: Arc<Layers>,
    pub(super) scope: Scope,
    pub(super) seat: Seat,
}

/// The layer before one endpoint: may they?
pub(super) async fn authorize(
    State(guard): State<Guard>,
    caller: Caller,
    request: Request,
    next: Next,
) -> Response {
    let gateway = Arc::clone(&guard.layers.gateway);
    let asked = Asked::of(&request);
    let response = match guard.admit(&caller) {
        Err(error) => Failure(error).into_response(),
        Ok(()) if guard.scope == Scope::AdminWrite => {
            let once = idempotency::once(guard.layers, caller.clone(), request, next);
            to_the_end(&gateway, once).await
        }
        Ok(()) => next.run(request).await,
    };
    // A handler's refusal counts like the one before it.
    if let Some(error) = response.extensions().get::<Arc<RequestError>>() {
        let error = Arc::clone(error);
        refusals::note(&gateway, &caller, &asked, &error).await;
    }
    response
}

impl Guard {
    fn admit(&self, caller: &Caller) -> Result<(), RequestError> {
        caller.require(self.scope)?;
        match self.seat {
            Seat::Operator => caller.require_operator(),
            Seat::Tenant => Ok(()),
        }
    }
}

/// What changes something goes on when its client leaves: between a commit and what follows it nothing may stop.
async fn to_the_end(
    gateway: &Gateway,
    answering: impl Future<Output = Response> + Send + 'static,
) -> Response {
    match gateway.tasks.spawn("admin-change", answering).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a change through the admin API broke off");
            Failure(RequestError::new(
                ErrorKind::InternalError,
                "The change broke off; the gateway's log says why. Look whether it was made.",
            ))
            .into_response()
        }
    }
}

fn identify(gateway: &Gateway, request: &Request) -> Result<Caller, RequestError> {
    security_headers::refuse_other_origins(request.uri(), request.headers())?;
    let address = match request.extensions().get::<PeerIdentity>() {
        Some(PeerIdentity::Unix { uid }) if is_operator(*uid) => return Ok(Caller::Operator(*uid)),
        Some(PeerIdentity::Gateway(peer)) => {
            refuse_publication(request)?;
            Some(peer.ip())
        }
        Some(PeerIdentity::Tcp(peer)) => Some(peer.ip()),
        // Without an identity: nobody we know.
        Some(PeerIdentity::Unix { .. }) | None => None,
    };
    let found = with_key(gateway, request, address);
    if let Err(error) = &found {
        gateway
            .ai
            .auth_failures
            .failed(Surface::Admin, address, error);
    }
    found
}

fn with_key(
    gateway: &Gateway,
    request: &Request,
    address: Option<IpAddr>,
) -> Result<Caller, RequestError> {
    let snapshot = gateway.snapshot();
    let presented = (request.headers(), request.uri().query());
    let max = snapshot.config.limits.auth_failures_per_minute_max;
    gateway.ai.auth_failures.admit(address, presented, max)?;
    let (headers, query) = presented;
    let now = gateway.clock.unix_ms();
    let key = snapshot.rules.keys.authenticate(headers, query, now)?;
    Ok(Caller::Key(key))
}

/// Any of the two scopes; which one is needed says the endpoint.
fn is_admin(caller: &Caller) -> Result<(), RequestError> {
    caller
        .require(Scope::AdminWrite)
        .or_else(|_| caller.require(Scope::AdminRead))
}

fn is_operator(uid: u32) -> bool {
    uid == 0 || uid == nix::unistd::geteuid().as_raw()
}

fn refuse_publication(request: &Request) -> Result<(), RequestError> {
    let forwarded = request
        .headers()
        .keys()
        .map(http::HeaderName::as_str)
        .find(|name| FORWARDING_HEADERS.contains(name) || name.starts_with(FORWARDING_PREFIX));
    if let Some(name) = forwarded {
        return Err(not_public(format!("it came through a proxy (`{name}`)")));
    }
    if !names_this_machine(request.uri(), request.headers()) {
        return Err(not_public("its `host` is not a loopback name".to_owned()));
    }
    Ok(())
}

/// Every name the request gives for its host must be a loopback one, and it must give one.
fn names_this_machine(uri: &Uri, headers: &HeaderMap) -> bool {
    let in_headers = headers
        .get_all(header::HOST)
        .iter()
        .map(|host| host.to_str().ok()?.parse::<Authority>().ok());
    let mut names = uri
        .authority()
        .cloned()
        .map(Some)
        .into_iter()
        .chain(in_headers)
        .peekable();
    names.peek().is_some() && names.all(|name| name.is_some_and(|name| is_loopback(name.host())))
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

fn not_public(because: String) -> RequestError {
    RequestError::new(
        ErrorKind::AdminNotPublic,
        format!(
            "The admin API does not answer this request here: {because}. \
             Use the admin listener or its unix socket."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_this_machine() {
        let check = |uri: &'static str, hosts: &[&'static str], expected| {
            let headers = hosts
                .iter()
                .map(|host| (header::HOST, http::HeaderValue::from_static(host)))
                .collect();
            let uri = Uri::from_static(uri);
            assert_eq!(
                names_this_machine(&uri, &headers),
                expected,
                "{uri} {hosts:?}"
            );
        };
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1:8080",
            "127.1.2.3",
            "[::1]:8080",
        ] {
            check("/admin", &[host], true);
        }
        for host in [
            "gw.example.com",
            "10.0.0.1",
            "localhost.example.com",
            "127.0.0.1.nip.io",
            "0.0.0.0",
            "[::]",
            "",
        ] {
            check("/admin", &[host], false);
        }
        check("/admin", &[], false);
        check("http://localhost:8080/admin", &[], true);
        check("http://gw.example.com/admin", &["localhost"], false);
        check("http://localhost/admin", &["gw.example.com"], false);
    }
}
