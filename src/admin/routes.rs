//! `/admin/v1/routes` and `/{name}`: which plain requests are proxied, in the order in which they are asked. What a
//! route adds of secrets is not told.

use std::borrow::Cow;

use ferrogate_api::{Route, RouteFilter, RouteHeader};
use http::HeaderName;

use super::{
    listing::SortKey,
    query::Parameters,
    resources::{AdminResource, ByName, Entry, Viewing, entries, is, take_enabled, take_origin},
};
use crate::config::{self, HeaderValue};
use crate::error::RequestError;
use crate::gateway::Snapshot;
use crate::store::ResourceKind;

/// `[[routes]]`.
pub(super) struct Routes;

type Found<'s> = Entry<'s, &'s config::Route>;

impl AdminResource for Routes {
    const KIND: ResourceKind = ResourceKind::Route;
    const NOUN: &'static str = "route";
    /// The first that matches takes the request, so they are listed in that order.
    const SORTS: &'static [&'static str] =
        &["order", "name", "upstream", "created_at", "updated_at"];

    type Name = ByName;
    type Value<'s> = &'s config::Route;
    type View = Route;
    type Filter = RouteFilter;

    fn all(snapshot: &Snapshot) -> Vec<Found<'_>> {
        let managed = &snapshot.managed.routes;
        entries(&snapshot.file.routes, managed, |route| {
            Cow::Borrowed(&*route.name)
        })
    }

    fn view(entry: &Found<'_>, _: &Viewing<'_>) -> Route {
        view(entry)
    }

    fn filter(parameters: &mut Parameters) -> Result<RouteFilter, RequestError> {
        Ok(RouteFilter {
            host: parameters.take_with("host", |host| Ok(host.to_ascii_lowercase()))?,
            upstream: parameters.take("upstream")?,
            enabled: take_enabled(parameters)?,
            origin: take_origin(parameters)?,
        })
    }

    fn fits(filter: &RouteFilter, entry: &Found<'_>) -> bool {
        let route = entry.value;
        let answers = |host: &String| route.hosts.is_empty() || route.hosts.contains(host);
        filter.host.as_ref().is_none_or(answers)
            && is(filter.upstream.as_deref(), &*route.upstream)
            && is(filter.enabled, route.enabled)
            && is(filter.origin, entry.origin)
    }

    fn texts<'s>(entry: &Found<'s>) -> Vec<&'s str> {
        let route = entry.value;
        let places = route.hosts.iter().chain(&route.path_prefixes);
        places
            .map(|text| &**text)
            .chain([&*route.upstream])
            .collect()
    }

    fn sort_key(entry: &Found<'_>, field: &str, _: &Viewing<'_>) -> SortKey {
        match field {
            "order" => SortKey::Number(entry.place),
            "upstream" => SortKey::from(&*entry.value.upstream),
            _ => SortKey::Nothing,
        }
    }
}

fn view(entry: &Found<'_>) -> Route {
    let route = entry.value;
    let declared = entry.declared();
    let set = |headers: &[config::Header]| headers.iter().map(header).collect();
    Route {
        object: Routes::KIND.as_str().into(),
        name: route.name.clone(),
        upstream: route.upstream.clone(),
        hosts: route.hosts.clone(),
        path_prefixes: route.path_prefixes.clone(),
        match_headers: route
            .match_headers
            .iter()
            .map(|(name, value)| shown(name, value))
            .collect(),
        strip_prefix: route.strip_prefix.clone(),
        add_prefix: route.add_prefix.clone(),
        request_headers: set(&route.request_headers),
        response_headers: set(&route.response_headers),
        public: route.public,
        enabled: route.enabled,
        origin: declared.origin,
        revision: declared.revision,
        created_at_unix_ms: declared.created_at_unix_ms,
        updated_at_unix_ms: declared.updated_at_unix_ms,
    }
}

fn header(header: &config::Header) -> RouteHeader {
    match &header.value {
        HeaderValue::Plain(value) => shown(&header.name, value),
        HeaderValue::Secret(_) => RouteHeader {
            name: header.name.to_string(),
            value: None,
        },
    }
}

/// What carries credentials is a secret even where it stands in the file.
fn shown(name: &HeaderName, value: &http::HeaderValue) -> RouteHeader {
    let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
    RouteHeader {
        name: name.to_string(),
        value: (!config::is_credential(name.as_str())).then_some(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_headers_are_not_told() {
        let plain = |name: &'static str, text: &'static str| config::Header {
            name: HeaderName::from_static(name),
            value: HeaderValue::Plain(http::HeaderValue::from_static(text)),
        };
        let check = |told: RouteHeader, name: &str, value: Option<&str>| {
            assert_eq!((&*told.name, told.value.as_deref()), (name, value));
        };
        check(header(&plain("x-team", "blue")), "x-team", Some("blue"));
        check(
            header(&plain("authorization", "hunter2")),
            "authorization",
            None,
        );
        let filled = config::Header {
            name: HeaderName::from_static("x-team"),
            value: HeaderValue::Secret(config::Secret::new("hunter2")),
        };
        check(header(&filled), "x-team", None);
    }
}
