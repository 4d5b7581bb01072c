//! `[[upstreams]]`: pools of servers for plain reverse proxying.

use std::{sync::Arc, time::Duration};

use super::{names::Names, reader::Section, url};

/// A pool of servers.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// `name`: unique.
    pub name: Arc<str>,
    /// `url`, then `urls`: at least one.
    pub urls: Vec<UpstreamUrl>,
    /// `connect_timeout_ms`; default 5000.
    pub connect_timeout: Duration,
    /// `read_timeout_secs`: between two reads of an answer; default 60.
    pub read_timeout: Duration,
    /// `write_timeout_secs`; default 60.
    pub write_timeout: Duration,
    /// `idle_timeout_secs`: how long an unused connection is kept; default 60.
    pub idle_timeout: Duration,
    /// `health_failures_max`: consecutive failures that take a server out of the rotation; default 3.
    pub health_failures_max: u32,
    /// `health_cooldown_secs`: for how long; default 10.
    pub health_cooldown: Duration,
    /// `enabled`; default true.
    pub enabled: bool,
}

/// One server of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamUrl {
    pub tls: bool,
    /// Host name or IP address (IPv6 without brackets); never empty.
    pub host: String,
    pub port: u16,
    /// Without a trailing slash; empty when the URL has no path.
    pub base_path: String,
}

impl Upstream {
    pub(super) const LATER: &'static [&'static str] = &[];

    pub(super) fn read(section: &mut Section<'_, '_>, names: &mut Names) -> Option<Self> {
        let name = names.claim(section, "name");
        let urls = read_urls(section);
        let connect_timeout = section.millis("connect_timeout_ms", 5000, 1..=600_000);
        let read_timeout = section.seconds("read_timeout_secs", 60, 1..=86_400);
        let write_timeout = section.seconds("write_timeout_secs", 60, 1..=86_400);
        let idle_timeout = section.seconds("idle_timeout_secs", 60, 1..=3600);
        let health_failures_max = section.number("health_failures_max", 3, 1..=1000);
        let health_cooldown = section.seconds("health_cooldown_secs", 10, 1..=3600);
        let enabled = section.flag("enabled", true);
        Some(Self {
            name: name?,
            urls,
            connect_timeout,
            read_timeout,
            write_timeout,
            idle_timeout,
            health_failures_max,
            health_cooldown,
            enabled,
        })
    }
}

fn read_urls(section: &mut Section<'_, '_>) -> Vec<UpstreamUrl> {
    let mut urls: Vec<UpstreamUrl> = section
        .parsed("url", UpstreamUrl::parse)
        .into_iter()
        .collect();
    for url in section.all_parsed("urls", UpstreamUrl::parse) {
        if urls.contains(&url) {
            let place = section.place_of("urls");
            section.error(&place, "names a server twice");
        } else {
            urls.push(url);
        }
    }
    if !section.has("url") && (!section.has("urls") || section.is_empty_array("urls")) {
        let place = section.place();
        section.absence(&place, "needs `url` or `urls`");
    }
    urls
}

impl UpstreamUrl {
    fn parse(text: &str) -> Result<Self, String> {
        let uri = url::base_url(text)?;
        let tls = uri.scheme() == Some(&http::uri::Scheme::HTTPS);
        let authority = uri.authority().ok_or_else(|| "has no host".to_owned())?;
        Ok(Self {
            tls,
            host: url::bare_host(authority).to_ascii_lowercase(),
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            base_path: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}
