//! Who may use the admin API.
//!
//! On the unix socket the peer's uid decides: root and the gateway's own user pass. Everybody else brings a key with
//! the scope that the endpoint needs; [`mod@super::router`] says which. The gateway listener serves this machine alone,
//! and only what came to it directly: a proxy in front of it, or a browser tricked into asking it under another name,
//! must not publish the admin API.
//!
//! A key that belongs to a tenant is refused whatever its scopes: what it would see and change is everybody's.

use std::{net::IpAddr, sync::Arc};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, Uri, header, uri::Authority};

use super::{caller::Caller, respond::Failure};
use crate::config::Scope;
use crate::error::{ErrorKind, RequestError};
use crate::gateway::Gateway;
use crate::peer::PeerIdentity;

/// Headers that a proxy adds. Any header of the `x-forwarded-` family counts too.
const FORWARDING_HEADERS: [&str; 3] = ["forwarded", "via", "x-real-ip"];
const FORWARDING_PREFIX: &str = "x-forwarded-";

/// The layer before everything: who is asking. Handlers find the [`Caller`] in the extensions.
pub(super) async fn authenticate(
    State(gateway): State<Arc<Gateway>>,
    mut request: Request,
    next: Next,
) -> Response {
    match identify(&gateway, &request) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error) => refuse(&gateway, error),
    }
}

/// What one endpoint needs of its caller.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    pub(super) gateway: Arc<Gateway>,
    pub(super) scope: Scope,
}

/// The layer before one endpoint: may they?
pub(super) async fn authorize(
    State(guard): State<Guard>,
    caller: Caller,
    request: Request,
    next: Next,
) -> Response {
    match caller.require(guard.scope) {
        Ok(()) if guard.scope == Scope::AdminWrite => {
            to_the_end(&guard.gateway, next.run(request)).await
        }
        Ok(()) => next.run(request).await,
        Err(error) => refuse(&guard.gateway, error),
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

fn refuse(gateway: &Gateway, error: RequestError) -> Response {
    gateway.metrics.auth_failed(error.kind);
    Failure(error).into_response()
}

fn identify(gateway: &Gateway, request: &Request) -> Result<Caller, RequestError> {
    match request.extensions().get::<PeerIdentity>() {
        Some(PeerIdentity::Unix { uid }) if is_operator(*uid) => return Ok(Caller::Operator(*uid)),
        Some(PeerIdentity::Gateway(_)) => refuse_publication(request)?,
        // Without an identity: nobody we know.
        Some(PeerIdentity::Unix { .. } | PeerIdentity::Tcp(_)) | None => {}
    }
    let snapshot = gateway.snapshot();
    let key = snapshot.rules.keys.authenticate(
        request.headers(),
        request.uri().query(),
        gateway.clock.unix_ms(),
    )?;
    if !key.has(Scope::AdminWrite) {
        key.require(Scope::AdminRead)?;
    }
    if !key.tenant().is_empty() {
        return Err(RequestError::new(
            ErrorKind::ScopeDenied,
            format!(
                "The key `{}` belongs to a tenant, and the admin API shows and changes everybody's: admin keys of \
                 a tenant cannot be used yet. Use an admin key without one.",
                key.id()
            ),
        ));
    }
    Ok(Caller::Key(key))
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
