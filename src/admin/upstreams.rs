//! `/admin/v1/upstreams` and `/{name}`: pools of servers for plain reverse proxying.

use std::{borrow::Cow, time::Duration};

use ferrogate_api::{Upstream, UpstreamFilter};

use super::{
    query::Parameters,
    resources::{AdminResource, ByName, Entry, Viewing, entries, is, take_enabled, take_origin},
};
use crate::config::{self, UpstreamUrl};
use crate::error::RequestError;
use crate::gateway::Snapshot;
use crate::store::ResourceKind;

/// `[[upstreams]]`.
pub(super) struct Upstreams;

type Found<'s> = Entry<'s, &'s config::Upstream>;

impl AdminResource for Upstreams {
    const KIND: ResourceKind = ResourceKind::Upstream;
    const NOUN: &'static str = "upstream";

    type Name = ByName;
    type Value<'s> = &'s config::Upstream;
    type View = Upstream;
    type Filter = UpstreamFilter;

    fn all(snapshot: &Snapshot) -> Vec<Found<'_>> {
        let managed = &snapshot.managed.upstreams;
        entries(&snapshot.file.upstreams, managed, |upstream| {
            Cow::Borrowed(&*upstream.name)
        })
    }

    fn view(entry: &Found<'_>, _: &Viewing<'_>) -> Upstream {
        view(entry)
    }

    fn filter(parameters: &mut Parameters) -> Result<UpstreamFilter, RequestError> {
        Ok(UpstreamFilter {
            enabled: take_enabled(parameters)?,
            origin: take_origin(parameters)?,
        })
    }

    fn fits(filter: &UpstreamFilter, entry: &Found<'_>) -> bool {
        is(filter.enabled, entry.value.enabled) && is(filter.origin, entry.origin)
    }

    fn texts<'s>(entry: &Found<'s>) -> Vec<&'s str> {
        entry.value.urls.iter().map(|url| &*url.host).collect()
    }
}

fn view(entry: &Found<'_>) -> Upstream {
    let upstream = entry.value;
    let declared = entry.declared();
    let secs = |time: Duration| time.as_secs();
    Upstream {
        object: Upstreams::KIND.as_str().into(),
        name: upstream.name.clone(),
        urls: upstream.urls.iter().map(text).collect(),
        connect_timeout_ms: u64::try_from(upstream.connect_timeout.as_millis()).unwrap_or(u64::MAX),
        read_timeout_secs: secs(upstream.read_timeout),
        write_timeout_secs: secs(upstream.write_timeout),
        idle_timeout_secs: secs(upstream.idle_timeout),
        health_failures_max: upstream.health_failures_max,
        health_cooldown_secs: secs(upstream.health_cooldown),
        enabled: upstream.enabled,
        origin: declared.origin,
        revision: declared.revision,
        created_at_unix_ms: declared.created_at_unix_ms,
        updated_at_unix_ms: declared.updated_at_unix_ms,
    }
}

/// As the configuration would say it.
fn text(url: &UpstreamUrl) -> String {
    let UpstreamUrl {
        tls,
        host,
        port,
        base_path,
    } = url;
    let (scheme, usual) = if *tls { ("https", 443) } else { ("http", 80) };
    let host = match host.contains(':') {
        true => format!("[{host}]"),
        false => host.clone(),
    };
    match *port == usual {
        true => format!("{scheme}://{host}{base_path}"),
        false => format!("{scheme}://{host}:{port}{base_path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_told_as_it_was_declared() {
        let check = |tls, host: &str, port, base_path: &str, expected: &str| {
            let url = UpstreamUrl {
                tls,
                host: host.to_owned(),
                port,
                base_path: base_path.to_owned(),
            };
            assert_eq!(text(&url), expected);
        };
        check(true, "api.example.com", 443, "", "https://api.example.com");
        check(false, "10.0.0.7", 80, "/v2", "http://10.0.0.7/v2");
        check(false, "::1", 9000, "", "http://[::1]:9000");
        check(true, "a", 80, "", "https://a:80");
    }
}
