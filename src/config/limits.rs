//! `[limits]`: what a client may send, how slowly, and over how many connections.

use std::{net::IpAddr, time::Duration};

use http::HeaderName;
use ipnet::IpNet;

use super::{headers, reader::Section};

/// Bounds on what comes in. Every one has a number.
#[derive(Debug, Clone)]
pub struct Limits {
    /// `header_max_bytes`: request line and headers together; default 64 KiB.
    pub header_max_bytes: usize,
    /// `request_body_max_bytes` of an AI request, which is read whole; default 32 MiB.
    pub request_body_max_bytes: u64,
    /// `proxy_request_body_max_bytes` of a plain routed request, which is streamed; default 1 GiB.
    pub proxy_request_body_max_bytes: u64,
    /// `header_timeout_secs`: from the first byte of a request (or of a connection) to the end of its headers; default 10.
    pub header_timeout: Duration,
    /// `body_timeout_secs`: to read a whole AI request body; default 300.
    pub body_timeout: Duration,
    /// `body_min_bytes_per_sec`: slower bodies are cut once five seconds have passed; default 1024. 0 switches it off.
    pub body_min_bytes_per_sec: u64,
    /// `write_timeout_secs`: one write to a client that does not read; default 30.
    pub write_timeout: Duration,
    /// `keepalive_timeout_secs`: an idle connection between two requests; default 75.
    pub keepalive_timeout: Duration,
    /// `connections_max`: client connections in all; default 16384.
    pub connections_max: usize,
    /// `connections_per_address_max`: from one client address; default 1024.
    pub connections_per_address_max: usize,
    /// `auth_failures_per_minute_max`: wrong keys from one client address; default 60. 0: as many as come.
    pub auth_failures_per_minute_max: u32,
    /// `trusted_proxies`: networks whose `x-forwarded-for` is believed; default none.
    pub trusted_proxies: Vec<IpNet>,
    /// `gateway_config_request_headers`: what profiles may set towards providers; default `http-referer`, `x-title`,
    /// `openai-beta` and `anthropic-beta`.
    pub gateway_config_request_headers: Vec<HeaderName>,
}

impl Limits {
    pub(super) const LATER: &'static [&'static str] = &[];

    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        Self {
            header_max_bytes: section.number("header_max_bytes", 64 << 10, 1024..=1 << 20),
            request_body_max_bytes: section.number(
                "request_body_max_bytes",
                32 << 20,
                1024..=1 << 30,
            ),
            proxy_request_body_max_bytes: section.number(
                "proxy_request_body_max_bytes",
                1 << 30,
                1024..=1 << 50,
            ),
            header_timeout: section.seconds("header_timeout_secs", 10, 1..=3600),
            body_timeout: section.seconds("body_timeout_secs", 300, 1..=86_400),
            body_min_bytes_per_sec: section.number("body_min_bytes_per_sec", 1024, 0..=1 << 30),
            write_timeout: section.seconds("write_timeout_secs", 30, 1..=3600),
            keepalive_timeout: section.seconds("keepalive_timeout_secs", 75, 1..=86_400),
            connections_max: section.number("connections_max", 16_384, 1..=1 << 20),
            connections_per_address_max: section.number(
                "connections_per_address_max",
                1024,
                1..=1 << 20,
            ),
            auth_failures_per_minute_max: section.number(
                "auth_failures_per_minute_max",
                60,
                0..=1_000_000,
            ),
            trusted_proxies: read_trusted_proxies(section),
            gateway_config_request_headers: read_profile_headers(section),
        }
    }
}

fn read_trusted_proxies(section: &mut Section<'_, '_>) -> Vec<IpNet> {
    let networks = section.all_parsed("trusted_proxies", network);
    if networks.iter().any(|network| network.prefix_len() == 0) {
        let place = section.place_of("trusted_proxies");
        section.warn(&place, "every client may name its own address");
    }
    networks
}

fn read_profile_headers(section: &mut Section<'_, '_>) -> Vec<HeaderName> {
    const KEY: &str = "gateway_config_request_headers";
    let names = section.all_parsed(KEY, headers::profile_header);
    if section.has(KEY) {
        return names;
    }
    ["http-referer", "x-title", "openai-beta", "anthropic-beta"]
        .map(HeaderName::from_static)
        .to_vec()
}

/// A network such as `10.0.0.0/8`, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    text.parse()
        .or_else(|_| text.parse().map(|address: IpAddr| address.into()))
        .map_err(|_| "must be a network such as `10.0.0.0/8`, or an address".to_owned())
}
