//! `[[upstreams]]` and `[[routes]]`.

use std::collections::BTreeSet;

use serde::Deserialize;
use utoipa::ToSchema;

use super::{BaseUrl, HeaderName, HeaderValue, Host, Name, PathPrefix};

/// A pool of servers for plain reverse proxying. It needs `url` or `urls`.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "name": "web",
    "urls": ["http://10.0.0.7:8080", "http://10.0.0.8:8080"],
    "connect_timeout_ms": 1000
})))]
pub struct UpstreamDocument {
    /// What routes refer to; unique among upstreams.
    pub name: Name,
    /// One server.
    pub url: Option<BaseUrl>,
    /// Several servers, which are taken in turn; none of them twice.
    #[schema(value_type = Option<BTreeSet<BaseUrl>>)]
    pub urls: Option<Vec<BaseUrl>>,
    /// Milliseconds until a server has to be connected to.
    #[schema(minimum = 1, maximum = 600_000, default = 5000)]
    pub connect_timeout_ms: Option<u64>,
    /// Seconds between two reads of an answer.
    #[schema(minimum = 1, maximum = 86_400, default = 60)]
    pub read_timeout_secs: Option<u64>,
    /// Seconds between two writes of a request.
    #[schema(minimum = 1, maximum = 86_400, default = 60)]
    pub write_timeout_secs: Option<u64>,
    /// Seconds for which an unused connection is kept.
    #[schema(minimum = 1, maximum = 3600, default = 60)]
    pub idle_timeout_secs: Option<u64>,
    /// So many failures in a row take a server out of the rotation.
    #[schema(minimum = 1, maximum = 1000, default = 3)]
    pub health_failures_max: Option<u32>,
    /// For so many seconds.
    #[schema(minimum = 1, maximum = 3600, default = 10)]
    pub health_cooldown_secs: Option<u64>,
    /// False: its routes answer as if no server were there.
    #[schema(default = true)]
    pub enabled: Option<bool>,
}

/// Which plain requests go to which pool of servers, and how they are changed on the way. The first route that matches
/// takes a request.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({
    "name": "static",
    "upstream": "files",
    "hosts": ["www.example.com"],
    "path_prefixes": ["/static"],
    "strip_prefix": "/static",
    "response_headers": [{"name": "cache-control", "value": "max-age=3600"}]
})))]
pub struct RouteDocument {
    /// What it is called; unique among routes.
    pub name: Name,
    /// The name of an upstream.
    pub upstream: Name,
    /// The hosts it answers to; empty: any.
    pub hosts: Option<BTreeSet<Host>>,
    /// The beginnings of paths it answers to, each with what lies below it; empty: any path. What the gateway answers
    /// itself, such as `/admin` and `/v1/chat/completions`, is none of them.
    pub path_prefixes: Option<BTreeSet<PathPrefix>>,
    /// The headers that a request must have, with exactly these values.
    pub match_headers: Option<Vec<HeaderDocument>>,
    /// What is cut off the path.
    pub strip_prefix: Option<PathPrefix>,
    /// What is put before the path after that.
    pub add_prefix: Option<PathPrefix>,
    /// Set on the way to the upstream, in place of what was there. `{env.NAME}` is filled in.
    pub request_headers: Option<Vec<HeaderDocument>>,
    /// Set on the way to the client, in place of what was there. `{env.NAME}` is filled in.
    pub response_headers: Option<Vec<HeaderDocument>>,
    /// True: it needs no key, even under `/v1` or where it adds a secret.
    #[schema(default = false)]
    pub public: Option<bool>,
    /// False: it is passed over.
    #[schema(default = true)]
    pub enabled: Option<bool>,
}

/// A header that a route looks for or sets. Those of the connection are the gateway's own.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderDocument {
    /// Its name; capitals do not count.
    pub name: HeaderName,
    /// Its value.
    pub value: HeaderValue,
}
