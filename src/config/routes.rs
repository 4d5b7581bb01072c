//! `[[routes]]`: which plain requests are proxied, where to, and how they are changed on the way.

use std::sync::Arc;

use super::{Header, headers, names::Names, reader::Section, url};

/// Which requests go to which pool, and how they are changed on the way.
#[derive(Debug, Clone)]
pub struct Route {
    /// `name`: unique.
    pub name: Arc<str>,
    /// `upstream`: the name of an `[[upstreams]]` entry.
    pub upstream: Arc<str>,
    /// `hosts`: lower case, exact, without port; empty means any.
    pub hosts: Vec<String>,
    /// `path_prefixes`: each begins with `/` and matches itself and what lies below; empty means any path.
    pub path_prefixes: Vec<String>,
    /// `match_headers`: all must be present with exactly these values.
    pub match_headers: Vec<(http::HeaderName, http::HeaderValue)>,
    /// `strip_prefix`, then `add_prefix`.
    pub strip_prefix: Option<String>,
    pub add_prefix: Option<String>,
    /// `request_headers`, `response_headers`: set on the way, replacing what was there.
    pub request_headers: Vec<Header>,
    pub response_headers: Vec<Header>,
    /// `public`; default false. Without it a route under `/v1`, or one that adds a header from `{env.X}`, needs a key.
    pub public: bool,
    /// `enabled`; default true.
    pub enabled: bool,
}

/// Paths the gateway answers itself, with everything below them. A route there would never be asked.
const BUILT_IN: [&str; 10] = [
    "/healthz",
    "/readyz",
    "/metrics",
    "/admin",
    "/v1/models",
    "/v1/chat/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/messages",
    "/v1beta/models",
];

impl Route {
    pub(super) const LATER: &'static [&'static str] = &[];

    pub(super) fn read(
        section: &mut Section<'_, '_>,
        names: &mut Names,
        upstreams: &Names,
    ) -> Option<Self> {
        let name = names.claim(section, "name");
        let upstream = upstreams.refer(section, "upstream");
        let hosts = section.all_parsed("hosts", url::route_host);
        let path_prefixes = section.all_parsed("path_prefixes", routable_prefix);
        let match_headers = headers::read_match_headers(section);
        let strip_prefix = section.parsed("strip_prefix", changing_prefix);
        let add_prefix = section.parsed("add_prefix", changing_prefix);
        let request_headers = Header::read_all(section, "request_headers");
        let response_headers = Header::read_all(section, "response_headers");
        let public = section.flag("public", false);
        let enabled = section.flag("enabled", true);
        Some(Self {
            name: name?,
            upstream: upstream?,
            hosts,
            path_prefixes,
            match_headers,
            strip_prefix,
            add_prefix,
            request_headers,
            response_headers,
            public,
            enabled,
        })
    }
}

fn routable_prefix(text: &str) -> Result<String, String> {
    let prefix = url::path_prefix(text)?;
    let built_in = BUILT_IN.into_iter().find(|built_in| {
        prefix
            .strip_prefix(built_in)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    match built_in {
        Some(built_in) => Err(format!(
            "the gateway answers `{built_in}` and what lies below it itself, so this can never match"
        )),
        None => Ok(prefix),
    }
}

fn changing_prefix(text: &str) -> Result<String, String> {
    match url::path_prefix(text)?.as_str() {
        "/" => Err("`/` alone would change nothing; leave it out".to_owned()),
        prefix => Ok(prefix.to_owned()),
    }
}
