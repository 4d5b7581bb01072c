use std::{sync::Arc, time::Duration};

use http::Method;

use super::*;
use crate::config::{self, Secret, Upstream, UpstreamUrl};
use crate::routes::{Table, Target};

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

fn plain() -> config::Route {
    config::Route {
        name: "route".into(),
        upstream: "pool".into(),
        hosts: Vec::new(),
        path_prefixes: Vec::new(),
        match_headers: Vec::new(),
        strip_prefix: None,
        add_prefix: None,
        request_headers: Vec::new(),
        response_headers: Vec::new(),
        public: false,
        enabled: true,
    }
}

fn compiled(route: config::Route, base_path: &str) -> Arc<Route> {
    let second = Duration::from_secs(1);
    let upstream = Upstream {
        name: "pool".into(),
        urls: vec![UpstreamUrl {
            tls: false,
            host: "up.internal".into(),
            port: 8080,
            base_path: base_path.into(),
        }],
        connect_timeout: second,
        read_timeout: second,
        write_timeout: second,
        idle_timeout: second,
        health_failures_max: 1,
        health_cooldown: second,
        enabled: true,
    };
    let table = Table::build(&[route], &[upstream], false);
    match table.find(&Method::GET, "h", "/any", &HeaderMap::new()) {
        Ok(Target::Route(route)) => route,
        other => panic!("{other:?}"),
    }
}

fn request(target: &str, headers: &[(&'static str, &str)]) -> RequestHeader {
    let mut request = RequestHeader::build("GET", target.as_bytes(), None).unwrap();
    request.insert_header("host", "front.example").unwrap();
    for (name, value) in headers {
        request.append_header(*name, *value).unwrap();
    }
    request
}

fn origin(trusted: &[IpNet]) -> Origin<'_> {
    Origin {
        peer: PEER,
        trusted,
        tls: false,
        request_id: "id-1",
        traceparent: "00-a-b-01",
    }
}

fn rewritten(mut request: RequestHeader, route: &Route, trusted: &[IpNet]) -> RequestHeader {
    let path = request_path(&request).unwrap().into_owned();
    let server = &route.pool.servers()[0];
    upstream_request(&mut request, route, server, &path, &origin(trusted)).unwrap();
    request
}

fn header<'a>(request: &'a RequestHeader, name: &str) -> &'a str {
    request
        .headers
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

#[test]
fn prefixes_are_stripped_and_added_by_whole_segments_and_the_query_stays() {
    let check = |strip: &str, add: &str, base: &str, target: &str, expected: &str| {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let route = config::Route {
            strip_prefix: some(strip),
            add_prefix: some(add),
            ..plain()
        };
        let request = rewritten(request(target, &[]), &compiled(route, base), &[]);
        assert_eq!(
            request.uri.to_string(),
            expected,
            "{strip} {add} {base} {target}"
        );
    };
    check("", "", "", "/a/../b?q=%2F&r", "/b?q=%2F&r");
    check(
        "/proxy/httpbin",
        "",
        "",
        "/proxy/httpbin/get?a=1",
        "/get?a=1",
    );
    check("/proxy/httpbin/", "", "", "/proxy/httpbin/get", "/get");
    check("/proxy/httpbin", "", "", "/proxy/httpbin", "/");
    check(
        "/proxy/httpbin",
        "/v2/",
        "/base",
        "/proxy/httpbin/get",
        "/base/v2/get",
    );
    check(
        "/proxy/httpbin",
        "/v2",
        "/base",
        "/proxy/httpbinary",
        "/base/v2/proxy/httpbinary",
    );
    check("", "", "", "/a%2fb%41", "/a%2FbA");
}

#[test]
fn the_upstream_hears_its_own_name_and_where_the_request_came_from() {
    let request = rewritten(
        request("/x", &[("x-request-id", "theirs")]),
        &compiled(plain(), ""),
        &[],
    );
    for (name, expected) in [
        ("host", "up.internal:8080"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "front.example"),
        ("x-request-id", "id-1"),
        ("traceparent", "00-a-b-01"),
    ] {
        assert_eq!(header(&request, name), expected, "{name}");
    }
}

#[test]
fn forwarding_headers_are_believed_from_trusted_proxies_alone() {
    let claims = [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "claimed.example"),
        ("x-real-ip", "203.0.113.9"),
        ("forwarded", "for=203.0.113.9"),
    ];
    let route = compiled(plain(), "");
    let untrusted = rewritten(request("/x", &claims), &route, &[]);
    assert_eq!(header(&untrusted, "x-forwarded-for"), "192.0.2.7");
    assert_eq!(header(&untrusted, "x-forwarded-proto"), "http");
    assert_eq!(header(&untrusted, "x-forwarded-host"), "front.example");
    assert_eq!(header(&untrusted, "x-real-ip"), "");
    assert_eq!(header(&untrusted, "forwarded"), "");

    let trusted = rewritten(
        request("/x", &claims),
        &route,
        &["192.0.2.0/24".parse().unwrap()],
    );
    assert_eq!(
        header(&trusted, "x-forwarded-for"),
        "203.0.113.9, 192.0.2.7"
    );
    assert_eq!(header(&trusted, "x-forwarded-proto"), "https");
    assert_eq!(header(&trusted, "x-forwarded-host"), "claimed.example");
    assert_eq!(header(&trusted, "x-real-ip"), "203.0.113.9");
}

#[test]
fn a_gateway_key_never_reaches_an_upstream() {
    let ours = [
        ("authorization", "Bearer fg_live_abc"),
        ("x-api-key", "theirs"),
    ];
    let open = rewritten(request("/x", &ours), &compiled(plain(), ""), &[]);
    assert_eq!(header(&open, "authorization"), "");
    assert_eq!(
        header(&open, "x-api-key"),
        "theirs",
        "not ours, and no key was needed"
    );

    let behind_key = rewritten(request("/v1/files", &ours), &compiled(plain(), ""), &[]);
    assert_eq!(header(&behind_key, "x-api-key"), "");

    let secret = config::Header {
        name: header::AUTHORIZATION,
        value: config::HeaderValue::Secret(Secret::new("Bearer upstream")),
    };
    let route = config::Route {
        request_headers: vec![secret],
        ..plain()
    };
    let with_secret = rewritten(request("/x", &ours), &compiled(route, ""), &[]);
    assert_eq!(header(&with_secret, "authorization"), "Bearer upstream");
    assert!(with_secret.headers["authorization"].is_sensitive());
}

#[test]
fn an_answer_loses_what_was_meant_for_this_hop() {
    let mut answer = ResponseHeader::build(200, None).unwrap();
    for (name, value) in [
        ("connection", "close, X-Hop"),
        ("x-hop", "1"),
        ("keep-alive", "timeout=5"),
        ("server", "upstream/1"),
        ("x-request-id", "theirs"),
    ] {
        answer.insert_header(name, value).unwrap();
    }
    let value = config::HeaderValue::Plain(HeaderValue::from_static("DENY"));
    let name = HeaderName::from_static("x-frame-options");
    let route = config::Route {
        response_headers: vec![config::Header { name, value }],
        ..plain()
    };
    response(&mut answer, &compiled(route, ""), "id-1", "trace-1").unwrap();
    let names: Vec<_> = answer.headers.keys().map(HeaderName::as_str).collect();
    assert!(
        !names.contains(&"connection")
            && !names.contains(&"x-hop")
            && !names.contains(&"keep-alive")
    );
    assert_eq!(answer.headers["server"], "upstream/1");
    assert_eq!(answer.headers["x-request-id"], "id-1");
    assert_eq!(answer.headers["x-trace-id"], "trace-1");
    assert_eq!(answer.headers["x-frame-options"], "DENY");
}

#[test]
fn an_upgrade_keeps_its_connection_header() {
    let mut answer = ResponseHeader::build(101, None).unwrap();
    answer.insert_header("connection", "Upgrade").unwrap();
    answer.insert_header("upgrade", "websocket").unwrap();
    response(&mut answer, &compiled(plain(), ""), "id-1", "trace-1").unwrap();
    assert_eq!(answer.headers["upgrade"], "websocket");
    assert_eq!(answer.headers["connection"], "Upgrade");
}

#[test]
fn the_clients_address_is_found_behind_trusted_proxies_only() {
    let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
    let check = |peer: &str, chain: &[&str], expected: &str| {
        let mut headers = HeaderMap::new();
        for value in chain {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(value).unwrap());
        }
        let found = client_address(peer.parse().unwrap(), &headers, &trusted);
        assert_eq!(found.to_string(), expected, "{peer} {chain:?}");
    };
    check("192.0.2.1", &["203.0.113.9"], "192.0.2.1");
    check("10.0.0.1", &[], "10.0.0.1");
    check("10.0.0.1", &["203.0.113.9"], "203.0.113.9");
    check("::ffff:10.0.0.1", &["203.0.113.9"], "203.0.113.9");
    check(
        "10.0.0.1",
        &["6.6.6.6, 203.0.113.9, 10.0.0.2"],
        "203.0.113.9",
    );
    check("10.0.0.1", &["6.6.6.6", "203.0.113.9"], "203.0.113.9");
    check("10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9");
    check("10.0.0.1", &["[2001:db8::1]:80, fd00::1"], "2001:db8::1");
    check("10.0.0.1", &["203.0.113.9, unknown"], "10.0.0.1");
}

#[test]
fn a_path_that_is_no_text_is_refused() {
    let request = RequestHeader::build("GET", b"/\xff", None).unwrap();
    assert_eq!(
        request_path(&request).unwrap_err().kind,
        ErrorKind::InvalidPath
    );
}
