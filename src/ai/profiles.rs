//! Profiles: what a request that names one in `x-ferrogate-config` gets instead of the usual.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use ferrogate_api::RequestLog;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::config::{GatewayConfig, Reliability, RoutingStrategy};
use crate::error::{ErrorKind, RequestError};
use crate::governance::Key;

const X_FERROGATE_CONFIG: HeaderName = HeaderName::from_static("x-ferrogate-config");

/// Every profile of one configuration.
#[derive(Debug, Default)]
pub struct Profiles(HashMap<Arc<str>, Arc<Profile>>);

/// One profile.
#[derive(Debug)]
pub struct Profile {
    pub id: Arc<str>,
    pub revision: u32,
    /// The logical model that answers, whatever was asked for.
    pub model: Option<Arc<str>>,
    pub routing_strategy: Option<RoutingStrategy>,
    pub cache_enabled: Option<bool>,
    pub cache_ttl: Option<Duration>,
    pub tags: Option<Arc<BTreeMap<String, String>>>,
    /// What every call to a provider carries besides the usual.
    pub request_headers: Vec<(HeaderName, HeaderValue)>,
    enabled: bool,
    /// Empty: all.
    api_key_ids: Vec<Arc<str>>,
    dispatch_timeout: Option<Duration>,
    response_timeout: Option<Duration>,
    stream_timeout: Option<Duration>,
}

/// How long a provider may take.
#[derive(Debug, Clone, Copy)]
pub struct TimeLimits {
    /// To connect and send the first content of a stream.
    pub dispatch: Duration,
    /// For an answer that is not streamed.
    pub response: Duration,
    /// For a stream, to its end.
    pub stream: Duration,
}

impl Profiles {
    /// Compiles profiles, each with the revision that is in force.
    pub fn build<'p>(profiles: impl IntoIterator<Item = (&'p GatewayConfig, u32)>) -> Self {
        let compile = |(profile, revision): (&GatewayConfig, u32)| {
            let compiled = Profile {
                id: Arc::clone(&profile.id),
                revision,
                model: profile.model.clone(),
                routing_strategy: profile.routing_strategy,
                cache_enabled: profile.cache_enabled,
                cache_ttl: profile.cache_ttl,
                tags: (!profile.tags.is_empty()).then(|| Arc::new(profile.tags.clone())),
                request_headers: profile.request_headers.clone(),
                enabled: profile.enabled,
                api_key_ids: profile.api_key_ids.clone(),
                dispatch_timeout: profile.provider_dispatch_timeout,
                response_timeout: profile.provider_response_timeout,
                stream_timeout: profile.provider_stream_timeout,
            };
            (Arc::clone(&profile.id), Arc::new(compiled))
        };
        Self(profiles.into_iter().map(compile).collect())
    }

    /// The profile that `headers` name; an empty name is none.
    ///
    /// # Errors
    /// `gateway_config_not_found` for a name that is unknown or switched off; `gateway_config_not_allowed` where the
    /// profile is for other keys.
    pub fn chosen(
        &self,
        headers: &HeaderMap,
        key: &Key,
    ) -> Result<Option<Arc<Profile>>, RequestError> {
        let Some(name) = headers.get(X_FERROGATE_CONFIG) else {
            return Ok(None);
        };
        let name = name.as_bytes().trim_ascii();
        if name.is_empty() {
            return Ok(None);
        }
        let found = std::str::from_utf8(name)
            .ok()
            .and_then(|name| self.0.get(name))
            .filter(|profile| profile.enabled);
        let Some(profile) = found else {
            return Err(RequestError::new(
                ErrorKind::GatewayConfigNotFound,
                format!(
                    "`x-ferrogate-config` names the profile `{}`, which this gateway does not have.",
                    String::from_utf8_lossy(name)
                ),
            )
            .with_param("x-ferrogate-config"));
        };
        let ids = &profile.api_key_ids;
        if !ids.is_empty() && !ids.contains(key.id()) {
            return Err(RequestError::new(
                ErrorKind::GatewayConfigNotAllowed,
                format!(
                    "The key `{}` may not use the profile `{}`.",
                    key.id(),
                    profile.id
                ),
            )
            .with_param("x-ferrogate-config"));
        }
        Ok(Some(Arc::clone(profile)))
    }
}

impl Profile {
    /// Notes in a request's log that it was chosen.
    pub fn note(&self, log: &mut RequestLog) {
        log.gateway_config_id = Some(Arc::clone(&self.id));
        log.gateway_config_revision = Some(self.revision);
        log.tags = self.tags.clone();
    }
}

impl TimeLimits {
    /// The profile's own limits where it has some, else the gateway's.
    pub fn of(limits: &Reliability, profile: Option<&Profile>) -> Self {
        let pick =
            |own: fn(&Profile) -> Option<Duration>, usual| profile.and_then(own).unwrap_or(usual);
        Self {
            dispatch: pick(
                |profile| profile.dispatch_timeout,
                limits.provider_dispatch_timeout,
            ),
            response: pick(
                |profile| profile.response_timeout,
                limits.provider_response_timeout,
            ),
            stream: pick(
                |profile| profile.stream_timeout,
                limits.provider_stream_timeout,
            ),
        }
    }
}
