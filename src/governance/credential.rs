//! Where in a request the key stands, and where it must not stand.

use http::{HeaderMap, HeaderName, header::AUTHORIZATION};

use crate::error::{ErrorKind, RequestError};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_GOOG_API_KEY: HeaderName = HeaderName::from_static("x-goog-api-key");

/// Query parameters in which clients of other APIs send keys.
const QUERY_NAMES: [&str; 4] = ["key", "api_key", "api-key", "access_token"];

/// The secret that a request presents.
///
/// With different secrets in several headers the first of `x-api-key`, `authorization` and `x-goog-api-key` counts,
/// so that what decides does not depend on the order in which headers arrive. An empty header is no header.
pub fn presented<'a>(
    headers: &'a HeaderMap,
    query: Option<&str>,
) -> Result<&'a [u8], RequestError> {
    let plain = |name: &HeaderName| {
        headers
            .get(name)
            .map(|value| value.as_bytes().trim_ascii())
            .filter(|secret| !secret.is_empty())
    };
    plain(&X_API_KEY)
        .or_else(|| {
            headers
                .get(AUTHORIZATION)
                .and_then(|value| bearer(value.as_bytes()))
        })
        .or_else(|| plain(&X_GOOG_API_KEY))
        .ok_or_else(|| missing(query))
}

/// The token of `Bearer <token>`; the scheme's case does not matter (RFC 9110 section 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"bearer";
    let (scheme, rest) = value.trim_ascii_start().split_at_checked(SCHEME.len())?;
    let separated = rest.first().is_some_and(u8::is_ascii_whitespace);
    let token = rest.trim_ascii();
    (separated && scheme.eq_ignore_ascii_case(SCHEME) && !token.is_empty()).then_some(token)
}

/// Why there is no key: none was sent, or one stands in the URL, where logs and histories would keep it.
fn missing(query: Option<&str>) -> RequestError {
    let in_url = query
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, value)| !value.is_empty() && QUERY_NAMES.contains(name));
    match in_url {
        Some((name, _)) => RequestError::new(
            ErrorKind::ApiKeyInUrl,
            format!(
                "The key was sent in the URL, as `{name}`. {}",
                ErrorKind::ApiKeyInUrl.remedy()
            ),
        ),
        None => RequestError::new(
            ErrorKind::MissingApiKey,
            "The request carries no API key. Send it as `Authorization: Bearer …`, `x-api-key` or `x-goog-api-key`.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_from_each_header_and_the_order_between_them_is_fixed() {
        let check = |given: &[(&'static str, &'static str)], expected: &str| {
            let headers = headers(given);
            assert_eq!(
                presented(&headers, None).unwrap(),
                expected.as_bytes(),
                "{given:?}"
            );
        };
        check(&[("x-api-key", "k")], "k");
        check(&[("x-goog-api-key", "k")], "k");
        check(&[("authorization", "Bearer k")], "k");
        check(&[("authorization", "bearer k")], "k");
        check(&[("authorization", "BEARER   k ")], "k");
        check(
            &[
                ("x-goog-api-key", "g"),
                ("authorization", "Bearer b"),
                ("x-api-key", "x"),
            ],
            "x",
        );
        check(
            &[("x-goog-api-key", "g"), ("authorization", "Bearer b")],
            "b",
        );
        check(&[("x-api-key", ""), ("authorization", "Bearer b")], "b");
        check(
            &[("authorization", "Basic dTpw"), ("x-goog-api-key", "g")],
            "g",
        );
    }

    #[test]
    fn without_a_key_in_a_header_the_request_is_refused_and_a_key_in_the_url_is_named() {
        let check = |given: &[(&'static str, &'static str)], query, expected| {
            let error = presented(&headers(given), query).unwrap_err();
            assert_eq!(error.kind, expected, "{given:?} {query:?}");
            assert!(!error.message.contains("s3cret"));
        };
        check(&[], None, ErrorKind::MissingApiKey);
        check(
            &[("authorization", "Bearer")],
            None,
            ErrorKind::MissingApiKey,
        );
        check(
            &[("authorization", "Bearer ")],
            None,
            ErrorKind::MissingApiKey,
        );
        check(
            &[("authorization", "Bearerk")],
            None,
            ErrorKind::MissingApiKey,
        );
        check(
            &[("authorization", "Basic dTpw")],
            None,
            ErrorKind::MissingApiKey,
        );
        check(
            &[("x-api-key", " ")],
            Some("a=b&key="),
            ErrorKind::MissingApiKey,
        );
        check(&[], Some("monkey=s3cret"), ErrorKind::MissingApiKey);
        for query in [
            "key=s3cret",
            "a=b&api_key=s3cret",
            "api-key=s3cret",
            "access_token=s3cret&x",
        ] {
            check(&[], Some(query), ErrorKind::ApiKeyInUrl);
        }
    }

    fn headers(given: &[(&'static str, &'static str)]) -> HeaderMap {
        given
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }
}
