//! What keeps the pages of other sites away: they cannot ask, cannot frame, and cannot read what they were not meant to.
//!
//! There are no CORS headers on purpose, so that no browser gives an answer to another origin. That alone does not stop a
//! page from *sending* something, which is why a request that names another origin is refused before anybody looks at
//! it.

use http::{
    HeaderMap, HeaderName, HeaderValue, Uri, header,
    uri::{Authority, Scheme},
};

use crate::error::{ErrorKind, RequestError};

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Puts them on an answer. A page that needs other content brings its own policy.
pub(super) fn add(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (RESOURCE_POLICY, "same-origin"),
        (OPENER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
}

/// Refuses what the page of another origin sends. Programs send neither header.
///
/// # Errors
/// `cross_origin`.
pub(super) fn refuse_other_origins(uri: &Uri, headers: &HeaderMap) -> Result<(), RequestError> {
    let host = host_of(uri, headers);
    let origins = headers.get_all(header::ORIGIN).iter();
    for origin in origins {
        let is_own = host
            .as_ref()
            .is_some_and(|host| is_same(origin.as_bytes(), host));
        if !is_own {
            return Err(cross_origin("its `origin` is not the host it asks"));
        }
    }
    // Ports of one machine are one site: a page served by something else there is `same-site`, and not ours either.
    let site = headers.get(FETCH_SITE).map(HeaderValue::as_bytes);
    match site {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(cross_origin(
            "`sec-fetch-site` says that another site's page sent it",
        )),
    }
}

fn host_of(uri: &Uri, headers: &HeaderMap) -> Option<Authority> {
    let in_headers = || headers.get(header::HOST)?.to_str().ok()?.parse().ok();
    uri.authority().cloned().or_else(in_headers)
}

/// Whether an `Origin` names this host and port.
fn is_same(origin: &[u8], host: &Authority) -> bool {
    let Ok(origin) = Uri::try_from(origin) else {
        return false;
    };
    let (Some(scheme), Some(authority)) = (origin.scheme(), origin.authority()) else {
        return false;
    };
    let default = match scheme {
        scheme if *scheme == Scheme::HTTPS => 443,
        scheme if *scheme == Scheme::HTTP => 80,
        _ => return false,
    };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default);
    authority.host().eq_ignore_ascii_case(host.host()) && port(authority) == port(host)
}

fn cross_origin(because: &str) -> RequestError {
    RequestError::new(
        ErrorKind::CrossOrigin,
        format!(
            "The admin API answers programs and its own pages, and this request is neither: {because}."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_programs_and_the_gateways_own_pages_are_answered() {
        let check = |given: &[(&'static str, &'static str)], expected: bool| {
            let headers: HeaderMap = given
                .iter()
                .map(|(name, value)| {
                    (
                        HeaderName::from_static(name),
                        HeaderValue::from_static(value),
                    )
                })
                .collect();
            let uri = Uri::from_static("/admin/v1/status");
            let answered = refuse_other_origins(&uri, &headers).is_ok();
            assert_eq!(answered, expected, "{given:?}");
        };
        let host = ("host", "localhost:2019");
        check(&[host], true);
        check(&[host, ("origin", "http://localhost:2019")], true);
        check(&[host, ("origin", "http://LOCALHOST:2019")], true);
        check(
            &[
                ("host", "gw.example.com"),
                ("origin", "https://gw.example.com"),
            ],
            true,
        );
        check(
            &[
                ("host", "gw.example.com:443"),
                ("origin", "https://gw.example.com"),
            ],
            true,
        );
        for origin in [
            "http://localhost:3000",
            "http://localhost",
            "https://evil.example.com",
            "null",
            "http://localhost:2019.evil.example.com",
            "ftp://localhost:2019",
            "",
        ] {
            check(&[host, ("origin", origin)], false);
        }
        check(&[("origin", "http://localhost:2019")], false);
        check(
            &[
                host,
                ("origin", "http://localhost:2019"),
                ("origin", "http://evil.example.com"),
            ],
            false,
        );
        for (site, expected) in [
            ("same-origin", true),
            ("none", true),
            ("same-site", false),
            ("cross-site", false),
            ("made-up", false),
        ] {
            check(&[host, ("sec-fetch-site", site)], expected);
        }
    }

    #[test]
    fn a_page_keeps_its_own_policy() {
        let own = HeaderValue::from_static("default-src 'self'");
        let mut headers = HeaderMap::from_iter([(header::CONTENT_SECURITY_POLICY, own.clone())]);
        add(&mut headers);
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], own);
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert!(
            !headers
                .keys()
                .any(|name| name.as_str().starts_with("access-control"))
        );
    }
}
