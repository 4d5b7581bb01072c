//! `[auth_service]`: who is asked besides the gateway itself whether a request may be.

use std::time::Duration;

use super::{Secret, reader::Section, url, variables};

/// An authorization service. While it is enabled and does not answer, requests are refused.
#[derive(Debug, Clone)]
pub struct AuthService {
    /// `enabled`; default false.
    pub enabled: bool,
    /// `endpoint`, without a trailing slash; `http` or `https`. There while enabled.
    pub endpoint: Option<http::Uri>,
    /// `token_env`: what the variable held, sent as a bearer token. Unset while enabled is an error.
    pub token: Option<Secret>,
    /// `timeout_millis` of one question; default 1000.
    pub timeout: Duration,
    /// `max_retries` after a question that was not answered; default 2.
    pub max_retries: u32,
    /// `retry_backoff_millis` before the first of them, doubled for each further one; default 50.
    pub retry_backoff: Duration,
    /// `decision_cache_secs`: how long an answer counts; default 5. Zero: every request asks.
    pub decision_cache: Duration,
    /// `decision_cache_max_entries`; default 10000.
    pub decision_cache_max_entries: u64,
    /// `response_max_bytes` of one answer; default 65536.
    pub response_max_bytes: usize,
}

impl AuthService {
    pub(super) const LATER: &'static [&'static str] = &[];

    pub(super) fn read(section: &mut Section<'_, '_>) -> Self {
        let enabled = section.flag("enabled", false);
        Self {
            enabled,
            endpoint: read_endpoint(section, enabled),
            token: read_token(section, enabled),
            timeout: section.millis("timeout_millis", 1000, 1..=60_000),
            max_retries: section.number("max_retries", 2, 0..=10),
            retry_backoff: section.millis("retry_backoff_millis", 50, 1..=10_000),
            decision_cache: section.seconds("decision_cache_secs", 5, 0..=3600),
            decision_cache_max_entries: section.number(
                "decision_cache_max_entries",
                10_000,
                1..=10_000_000,
            ),
            response_max_bytes: section.number("response_max_bytes", 64 << 10, 1024..=1 << 24),
        }
    }
}

fn read_endpoint(section: &mut Section<'_, '_>, enabled: bool) -> Option<http::Uri> {
    let endpoint = section.parsed("endpoint", url::base_url);
    if enabled && !section.has("endpoint") {
        let place = section.place_of("endpoint");
        section.absence(&place, "is missing");
    }
    let endpoint = endpoint?;
    let host = endpoint.authority().map(url::bare_host).unwrap_or_default();
    if enabled && endpoint.scheme() == Some(&http::uri::Scheme::HTTP) && !url::is_loopback(host) {
        let place = section.place_of("endpoint");
        section.warn(
            &place,
            "whoever is on the way to it can read keys and forge decisions; use https",
        );
    }
    Some(endpoint)
}

fn read_token(section: &mut Section<'_, '_>, enabled: bool) -> Option<Secret> {
    let text = section.text("token_env")?;
    section.accept(&text.place, variables::check_name(text.value))?;
    let Some(token) = section.variable(text.value) else {
        if enabled {
            section.error(&text.place, variables::unset(text.value));
        }
        return None;
    };
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some(Secret::new(token));
    }
    let name = text.value;
    section.error(
        &text.place,
        format!("`{name}` holds characters that no bearer token has, such as a line break"),
    );
    None
}
