//! `[[gateway_configs]]`: profiles that a request chooses with `x-ferrogate-config`.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::HeaderName;

use super::{
    Cache, Reliability, RoutingStrategy, headers,
    names::Names,
    origins::Located,
    reader::Section,
    references::References,
    values::{one_of, wrong_type},
};

/// One profile: how the requests that choose it are handled in another way than others.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayConfig {
    /// `id`: unique; what `x-ferrogate-config` names.
    pub id: Arc<str>,
    /// `name`; default the id.
    pub name: String,
    /// `enabled`; default true.
    pub enabled: bool,
    /// `revision`: noted with each request; default 1.
    pub revision: u32,
    /// `api_key_ids`: which keys may choose it; empty means all.
    pub api_key_ids: Vec<Arc<str>>,
    /// `cache_enabled`: false switches the cache off, true does not switch on what is off elsewhere.
    pub cache_enabled: Option<bool>,
    /// `cache_ttl_secs`: in place of the cache's own.
    pub cache_ttl: Option<Duration>,
    /// `model`: what is asked, whatever the request names.
    pub model: Option<Arc<str>>,
    /// `routing_strategy`: in place of the model's.
    pub routing_strategy: Option<RoutingStrategy>,
    /// `provider_dispatch_timeout_secs`, `provider_response_timeout_secs`, `provider_stream_timeout_secs`: in place of
    /// those of `[reliability]`.
    pub provider_dispatch_timeout: Option<Duration>,
    pub provider_response_timeout: Option<Duration>,
    pub provider_stream_timeout: Option<Duration>,
    /// `tags`: noted with each request.
    pub tags: BTreeMap<String, String>,
    /// `request_headers` for the provider. Their names are in `[limits] gateway_config_request_headers`.
    pub request_headers: Vec<(HeaderName, http::HeaderValue)>,
}

impl GatewayConfig {
    pub(super) const LATER: &'static [&'static str] = &[];

    pub(super) fn read(
        section: &mut Section<'_, '_>,
        ids: &mut Names,
        references: References<'_>,
    ) -> Option<Self> {
        let strategies = RoutingStrategy::ALL.map(|strategy| (strategy.as_str(), strategy));
        let id = ids.claim(section, "id");
        let name = section.text("name").map(|text| text.value.to_owned());
        let profile = Self {
            id: id.clone().unwrap_or_default(),
            name: String::new(),
            enabled: section.flag("enabled", true),
            revision: section.number("revision", 1, 1..=u32::MAX),
            api_key_ids: references.api_keys(section, "api_key_ids"),
            cache_enabled: section.flag_if_set("cache_enabled"),
            cache_ttl: section.seconds_if_set("cache_ttl_secs", Cache::TTL_SECS),
            model: references.models.refer_if_set(section, "model"),
            routing_strategy: section.parsed("routing_strategy", |word| one_of(word, &strategies)),
            provider_dispatch_timeout: section.seconds_if_set(
                "provider_dispatch_timeout_secs",
                Reliability::DISPATCH_TIMEOUT_SECS,
            ),
            provider_response_timeout: section.seconds_if_set(
                "provider_response_timeout_secs",
                Reliability::RESPONSE_TIMEOUT_SECS,
            ),
            provider_stream_timeout: section.seconds_if_set(
                "provider_stream_timeout_secs",
                Reliability::STREAM_TIMEOUT_SECS,
            ),
            tags: read_tags(section),
            request_headers: read_request_headers(section, references.request_headers),
        };
        let id = id?;
        Some(Self {
            name: name.unwrap_or_else(|| id.as_ref().to_owned()),
            ..profile
        })
    }
}

fn read_tags(section: &mut Section<'_, '_>) -> BTreeMap<String, String> {
    const COUNT_MAX: usize = 16;
    let mut tags = BTreeMap::new();
    for (name, value) in read_texts(section, "tags") {
        let name_checked = section.accept(&name.place, check_tag_name(name.value));
        let value_checked = section.accept(&value.place, check_tag_value(value.value));
        if name_checked.is_some() && value_checked.is_some() {
            tags.insert(name.value.to_owned(), value.value.to_owned());
        }
    }
    if tags.len() > COUNT_MAX {
        let place = section.place_of("tags");
        section.error(&place, format!("must be at most {COUNT_MAX}"));
    }
    tags
}

fn check_tag_name(name: &str) -> Result<(), String> {
    let in_a_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    if (1..=64).contains(&name.len()) && name.bytes().all(in_a_name) {
        Ok(())
    } else {
        Err(
            "the name of a tag must be 1 to 64 characters of A-Z, a-z, 0-9, `_`, `.` and `-`"
                .to_owned(),
        )
    }
}

fn check_tag_value(value: &str) -> Result<(), String> {
    const BYTES_MAX: usize = 256;
    if value.len() > BYTES_MAX || value.chars().any(char::is_control) {
        Err(format!("must be one line of at most {BYTES_MAX} bytes"))
    } else {
        Ok(())
    }
}

fn read_request_headers(
    section: &mut Section<'_, '_>,
    allowed: &[HeaderName],
) -> Vec<(HeaderName, http::HeaderValue)> {
    let mut set: Vec<(HeaderName, http::HeaderValue)> = Vec::new();
    for (name, value) in read_texts(section, "request_headers") {
        let parsed = section.accept(&name.place, allowed_name(name.value, allowed));
        let value = section.accept(&value.place, headers::plain_value(value.value));
        let Some(parsed) = parsed else { continue };
        if set.iter().any(|(earlier, _)| *earlier == parsed) {
            section.error(&name.place, "is set twice");
        }
        set.extend(value.map(|value| (parsed, value)));
    }
    set
}

fn allowed_name(name: &str, allowed: &[HeaderName]) -> Result<HeaderName, String> {
    let parsed: HeaderName = name.parse().map_err(|_| "is no header name".to_owned())?;
    if allowed.contains(&parsed) {
        Ok(parsed)
    } else {
        Err("is not in `[limits] gateway_config_request_headers`".to_owned())
    }
}

/// Reads a table of texts whose keys are the author's own.
fn read_texts<'i>(
    section: &mut Section<'_, 'i>,
    key: &'static str,
) -> Vec<(Located<&'i str>, Located<&'i str>)> {
    let mut texts = Vec::new();
    for (name, found) in section.free_table(key) {
        match found.value.as_str() {
            Some(value) => {
                let place = found.place;
                texts.push((name, Located { value, place }));
            }
            None => section.error(&found.place, wrong_type("a string", found.value)),
        }
    }
    texts
}
