use std::time::Duration;

use super::*;
use crate::config::{Secret, Upstream, UpstreamUrl};

fn upstream(name: &str) -> Upstream {
    Upstream {
        name: name.into(),
        urls: vec![UpstreamUrl {
            tls: false,
            host: format!("{name}.internal"),
            port: 80,
            base_path: String::new(),
        }],
        connect_timeout: Duration::from_secs(1),
        read_timeout: Duration::from_secs(1),
        write_timeout: Duration::from_secs(1),
        idle_timeout: Duration::from_secs(1),
        health_failures_max: 3,
        health_cooldown: Duration::from_secs(1),
        enabled: true,
    }
}

fn route(name: &str, hosts: &[&str], prefixes: &[&str]) -> config::Route {
    config::Route {
        name: name.into(),
        upstream: "pool".into(),
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        path_prefixes: prefixes.iter().map(|prefix| (*prefix).to_owned()).collect(),
        match_headers: Vec::new(),
        strip_prefix: None,
        add_prefix: None,
        request_headers: Vec::new(),
        response_headers: Vec::new(),
        public: false,
        enabled: true,
    }
}

fn table(routes: &[config::Route]) -> Table {
    Table::build(routes, &[upstream("pool")], true)
}

/// What a request finds: a target's name, or the error's code.
fn found(table: &Table, request: &str) -> String {
    let (method, url) = request.split_once(' ').unwrap();
    let (host, path) = url.split_at(url.find('/').unwrap());
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    match table.find(&method, host, path, &HeaderMap::new()) {
        Ok(Target::Route(route)) => route.name.to_string(),
        Ok(Target::Model(name)) => format!("model {name}"),
        Ok(Target::Ai(endpoint)) => endpoint.as_str().to_owned(),
        Ok(target) => format!("{target:?}").to_lowercase(),
        Err(error) => error.kind.code().to_owned(),
    }
}

#[test]
fn built_in_endpoints_answer_their_own_methods_alone() {
    let table = table(&[route("everything", &[], &[])]);
    for (request, expected) in [
        ("GET h/healthz", "health"),
        ("HEAD h/healthz", "health"),
        ("POST h/healthz", "method_not_allowed"),
        ("GET h/readyz", "ready"),
        ("GET h/v1/models", "models"),
        ("DELETE h/v1/models", "method_not_allowed"),
        ("GET h/v1/models/gpt-4o", "model gpt-4o"),
        ("GET h/v1/models/meta/llama%203%2Fx", "model meta/llama 3/x"),
        ("GET h/v1/models/%FF", "invalid_path"),
        ("DELETE h/v1/models/gpt-4o", "method_not_allowed"),
        ("POST h/v1/chat/completions", "chat.completions"),
        ("GET h/v1/chat/completions", "method_not_allowed"),
        ("POST h/v1/responses", "responses"),
        ("POST h/v1/embeddings", "embeddings"),
        ("GET h/admin", "admin"),
        ("DELETE h/admin/v1/x", "admin"),
        ("GET h/administration", "everything"),
        ("GET h/metrics", "admin"),
        ("GET h/v1/chat/completions/x", "everything"),
    ] {
        assert_eq!(found(&table, request), expected, "{request}");
    }
    assert_eq!(allow_for("/v1/responses"), Some("POST"));
    assert_eq!(allow_for("/elsewhere"), None);
}

#[test]
fn without_admin_on_the_gateway_its_paths_are_like_any_other() {
    let with_route = Table::build(&[route("all", &[], &[])], &[upstream("pool")], false);
    assert_eq!(found(&with_route, "GET h/metrics"), "all");
    let without = Table::build(&[], &[], false);
    assert_eq!(found(&without, "GET h/admin/v1/status"), "route_not_found");
}

#[test]
fn the_first_declared_route_that_matches_wins() {
    let mut disabled = route("disabled", &[], &["/a"]);
    disabled.enabled = false;
    let table = table(&[
        disabled,
        route("by-host", &["api.example"], &[]),
        route("deep", &[], &["/a/b", "/c/"]),
        route("wide", &[], &["/a"]),
        route("literal", &["[::1]"], &["/only-here"]),
    ]);
    for (request, expected) in [
        ("GET api.example/a/b", "by-host"),
        ("GET API.Example:8080/x", "by-host"),
        ("GET api.example./x", "by-host"),
        ("GET other/a/b", "deep"),
        ("GET other/a/b/c", "deep"),
        ("GET other/a/bc", "wide"),
        ("GET other/c", "deep"),
        ("GET other/c/d", "deep"),
        ("GET other/ab", "route_not_found"),
        ("GET [::1]:80/only-here", "literal"),
        ("GET [::2]/only-here", "route_not_found"),
        ("GET sub.api.example/x", "route_not_found"),
    ] {
        assert_eq!(found(&table, request), expected, "{request}");
    }
}

#[test]
fn a_header_match_needs_the_exact_value() {
    let name = HeaderName::from_static("x-tenant");
    let mut wanted = route("tenant", &[], &["/"]);
    wanted.match_headers = vec![(name.clone(), HeaderValue::from_static("blue"))];
    let table = table(&[wanted]);
    let find = |value: Option<&'static str>| {
        let mut headers = HeaderMap::new();
        headers.extend(value.map(|value| (name.clone(), HeaderValue::from_static(value))));
        table.find(&Method::GET, "h", "/x", &headers).is_ok()
    };
    assert!(find(Some("blue")));
    assert!(!find(Some("Blue")));
    assert!(!find(None));
}

#[test]
fn a_key_is_needed_under_v1_and_where_a_secret_is_added() {
    let check = |route: config::Route, path: &str, expected: bool| {
        let table = table(&[route]);
        let Ok(Target::Route(route)) = table.find(&Method::GET, "h", path, &HeaderMap::new())
        else {
            panic!("{path} finds no route");
        };
        assert_eq!(route.needs_key(path), expected, "{path}");
    };
    let with_secret = |public: bool| config::Route {
        request_headers: vec![config::Header {
            name: http::header::AUTHORIZATION,
            value: config::HeaderValue::Secret(Secret::new("Bearer upstream")),
        }],
        public,
        ..route("secret", &[], &[])
    };
    check(route("wide", &[], &[]), "/x", false);
    check(route("wide", &[], &[]), "/v1/files", true);
    check(route("wide", &[], &[]), "//v1/files", true);
    check(with_secret(false), "/x", true);
    check(with_secret(true), "/x", false);
    let public = config::Route {
        public: true,
        ..route("public", &[], &["/v1/files"])
    };
    check(public, "/v1/files", false);
}

#[test]
fn an_error_tells_what_to_do_and_stays_short() {
    let path = format!("/{}", "é".repeat(500));
    let error = table(&[])
        .find(&Method::GET, "h", &path, &HeaderMap::new())
        .unwrap_err();
    assert!(error.message.contains("[[routes]]"));
    assert!(error.message.len() < 400);
    let error = table(&[])
        .find(&Method::GET, "h", "/v1/responses", &HeaderMap::new())
        .unwrap_err();
    assert!(error.message.contains("POST"), "{}", error.message);
}

#[test]
fn pools_are_listed_once_each() {
    let table = table(&[route("a", &[], &["/a"]), route("b", &[], &["/b"])]);
    assert_eq!(table.pools().count(), 1);
}
