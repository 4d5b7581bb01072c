//! Addresses, URLs, host names and paths as operators write them.
//!
//! A URL may hold a password, so no message here quotes one.

use std::{
    fmt::Display,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use http::{Uri, uri::Authority};

/// `address:port`, or `localhost:port` for the IPv4 loopback.
pub(super) fn socket_address(text: &str) -> Result<SocketAddr, String> {
    let loopback = text
        .strip_prefix("localhost:")
        .map(|port| format!("127.0.0.1:{port}"));
    let address = loopback.as_deref().unwrap_or(text).parse();
    address.map_err(|_| "must be an address and a port, such as `127.0.0.1:8080`".to_owned())
}

/// An `http` or `https` URL with a host, without user, query or fragment; trailing slashes are cut off, though the
/// path of a [`Uri`] is never shorter than `/`.
pub(super) fn base_url(text: &str) -> Result<Uri, String> {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .ok_or_else(|| refused("it must begin with `http://` or `https://`"))?;
    if rest.trim_end_matches('/').is_empty() {
        return Err(refused("its host is missing"));
    }
    let uri: Uri = text
        .trim_end_matches('/')
        .parse()
        .map_err(|_| refused("it cannot be read as one"))?;
    if text.contains('#') || uri.query().is_some() {
        return Err(refused("it must not have a query or a fragment"));
    }
    let authority = uri
        .authority()
        .ok_or_else(|| refused("its host is missing"))?;
    check_authority(authority)?;
    if has_dot_segment(uri.path()) {
        return Err(refused("its path holds `.` or `..`"));
    }
    Ok(uri)
}

/// The host of a checked URL, IPv6 without brackets.
pub(super) fn bare_host(authority: &Authority) -> &str {
    let host = authority.host();
    host.strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host)
}

/// Whether a host, as [`bare_host`] gives it, is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

/// A host a route answers to: a name or an address, in lower case, without port.
pub(super) fn route_host(text: &str) -> Result<String, String> {
    if text.contains('*') {
        return Err("must be one host name; wildcards are not supported".to_owned());
    }
    if is_host(text) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("must be a host name or an address, without scheme, port or path".to_owned())
    }
}

/// The beginning of a path, without a trailing slash; `/` alone stays.
pub(super) fn path_prefix(text: &str) -> Result<String, String> {
    if !text.starts_with('/') {
        return Err("must begin with `/`".to_owned());
    }
    if text.contains('*') {
        return Err("must not hold `*`; a prefix matches what lies below it".to_owned());
    }
    let in_a_path = |byte: u8| byte.is_ascii_graphic() && !b"?#\"<>\\^`{|}".contains(&byte);
    if !text.bytes().all(in_a_path) {
        return Err("holds a character that no path has".to_owned());
    }
    if text.contains("//") || has_dot_segment(text) {
        return Err("must not hold `//`, `.` or `..`; request paths never do".to_owned());
    }
    match text.trim_end_matches('/') {
        "" => Ok("/".to_owned()),
        trimmed => Ok(trimmed.to_owned()),
    }
}

fn check_authority(authority: &Authority) -> Result<(), String> {
    if authority.as_str().contains('@') {
        return Err(refused("it must not hold a user or a password"));
    }
    // TLS without a name to check the certificate against would accept any certificate.
    if !is_host(authority.host()) {
        return Err(refused("its host is missing, or no host name"));
    }
    let has_port = authority.as_str().len() > authority.host().len();
    if has_port && authority.port_u16().is_none_or(|port| port == 0) {
        return Err(refused("its port must be from 1 to 65535"));
    }
    Ok(())
}

fn is_host(text: &str) -> bool {
    if let Some(inside) = text.strip_prefix('[') {
        let address = inside.strip_suffix(']').map(str::parse::<Ipv6Addr>);
        return matches!(address, Some(Ok(_)));
    }
    let in_a_label = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let is_label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(in_a_label);
    // Only digits and dots, yet no address: `10.0.0` or `1.2.3.400`.
    let is_numeric = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.len() <= 253
        && text.split('.').all(is_label)
        && (!is_numeric || text.parse::<IpAddr>().is_ok())
}

fn has_dot_segment(path: &str) -> bool {
    path.split('/').any(|segment| matches!(segment, "." | ".."))
}

fn refused(reason: impl Display) -> String {
    format!("is no usable URL: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_read_or_refused_for_a_reason() {
        for (text, expected) in [
            ("https://api.openai.com/v1", Ok("https://api.openai.com/v1")),
            ("http://127.0.0.1:9100", Ok("http://127.0.0.1:9100/")),
            ("http://[::1]:9100/a/", Ok("http://[::1]:9100/a")),
            ("https://my_host-1/v1//", Ok("https://my_host-1/v1")),
            ("api.openai.com/v1", Err("begin with")),
            ("api.openai.com", Err("begin with")),
            ("ftp://host/", Err("begin with")),
            ("https://", Err("host is missing")),
            ("https://:443/v1", Err("host is missing")),
            ("https://a..b/", Err("host is missing")),
            ("https://10.0.0/", Err("host is missing")),
            ("https://[::zz]/", Err("host is missing")),
            ("http://host:0", Err("port")),
            ("http://host:", Err("port")),
            ("http://host:99999", Err("port")),
            ("https://user:hunter2@host/", Err("user or a password")),
            ("https://host/?a=1", Err("query or a fragment")),
            ("https://host/#a", Err("query or a fragment")),
            ("https://host/a/../b", Err("`..`")),
            ("https://host/a b", Err("cannot be read")),
            ("", Err("begin with")),
        ] {
            match (base_url(text), expected) {
                (Ok(uri), Ok(expected)) => assert_eq!(uri.to_string(), expected),
                (Err(message), Err(expected)) => {
                    assert!(message.contains(expected), "{text}: {message}");
                    assert!(!message.contains("hunter2"));
                }
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
    }

    #[test]
    fn prefixes_lose_their_trailing_slash_and_must_be_able_to_match() {
        for (text, expected) in [
            ("/", Some("/")),
            ("/api/", Some("/api")),
            ("/a/b", Some("/a/b")),
            ("", None),
            ("api", None),
            ("/api/*", None),
            ("/a//b", None),
            ("/a/../b", None),
            ("/a?b", None),
            ("/ä", None),
        ] {
            assert_eq!(path_prefix(text).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn hosts_and_listen_addresses_are_read_as_people_write_them() {
        assert_eq!(route_host("API.Example.com").unwrap(), "api.example.com");
        for refused in ["*.example.com", "a:80", "http://a", "a/b", "", "a b"] {
            assert!(route_host(refused).is_err(), "{refused}");
        }
        let address = socket_address("localhost:0").unwrap();
        assert_eq!(address.to_string(), "127.0.0.1:0");
        for refused in ["8080", ":8080", "localhost", "127.0.0.1", "host:80"] {
            assert!(socket_address(refused).is_err(), "{refused}");
        }
    }
}
