//! What the document says of the API as a whole: where it is, who may use it, and what its endpoints are about.

use utoipa::openapi::{
    Info, License, SecurityRequirement, Server, Tag,
    security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
};

const ABOUT: &str = "\
What a FerroGate gateway knows of itself, and the way to change what it goes by while it runs.

**Units.** Times are milliseconds since the Unix epoch (`…_unix_ms`, and `since` and `until`), a few are seconds \
(`…_unix`); durations are microseconds (`…_us`), money is nano-units (10⁻⁹) of the price list's currency (`…_nanos`), \
sizes are bytes (`…_bytes`).

**Requests.** A parameter or a field that an endpoint does not know, that comes twice, or a parameter that is empty, is \
an error and never ignored. A body is one JSON object of at most `[admin] body_max_bytes`.

**Answers.** Every field of an answer is always there, `null` where there is nothing to say, unless its schema does not \
require it. Later versions may add fields. Every answer has an `x-request-id`.

**Lists** are pages: `next_cursor` of one is the `cursor` of the next, and stays right when entries come and go. \
`complete` is false where time ran out before the page was full.

**Resources** (keys, tenants, policies, profiles, providers, models, upstreams, routes, MCP servers, alerts) are declared in the \
configuration file or made here, never both. A change is in force for every request that starts after its answer.

Endpoints of capabilities that this version does not have answer 501 `not_yet_supported` and are not in this document.";

/// The schemes, by the names that requirements use.
pub(super) const SCHEMES: [&str; 2] = ["bearer", "apiKey"];

pub(super) fn info() -> Info {
    let mut license = License::new("Apache-2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    Info::builder()
        .title("FerroGate admin API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(license))
        .build()
}

pub(super) fn servers() -> [Server; 2] {
    let server = |url: &str, description: &str| {
        Server::builder()
            .url(url)
            .description(Some(description))
            .build()
    };
    [
        server(
            "http://127.0.0.1:2019",
            "`[admin] listen`. The unix socket `[admin] socket` serves the same, without a key for root and the gateway's \
             own user.",
        ),
        server(
            "http://127.0.0.1:8080",
            "The gateway's own listener, for this machine alone, where `[admin] on_gateway` says so.",
        ),
    ]
}

pub(super) fn security_schemes() -> [(&'static str, SecurityScheme); 2] {
    let bearer = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A virtual key with the scope `admin.read` or `admin.write`, which each endpoint names.",
        ))
        .build();
    let header = ApiKeyValue::with_description("x-api-key", "The same key in a header of its own.");
    [
        (SCHEMES[0], SecurityScheme::Http(bearer)),
        (SCHEMES[1], SecurityScheme::ApiKey(ApiKey::Header(header))),
    ]
}

/// Either scheme, with a key that has this scope.
pub(super) fn security(scope: &str) -> [SecurityRequirement; 2] {
    SCHEMES.map(|scheme| SecurityRequirement::new(scheme, [scope]))
}

/// What endpoints are about, in the order in which they are told.
pub(super) fn tags() -> impl Iterator<Item = Tag> {
    TAGS.iter().map(|(name, description)| {
        Tag::builder()
            .name(*name)
            .description(Some(*description))
            .build()
    })
}

pub(super) const WATCHING: &str = "Watching";
pub(super) const LOGS: &str = "Logs";
pub(super) const KEYS: &str = "Keys";
pub(super) const TENANTS: &str = "Tenants";
pub(super) const POLICIES: &str = "Policies";
pub(super) const PROFILES: &str = "Profiles";
pub(super) const BUDGETS: &str = "Budgets";
pub(super) const PROVIDERS: &str = "Providers";
pub(super) const MODELS: &str = "Models";
pub(super) const CACHE: &str = "Cache";
pub(super) const UPSTREAMS: &str = "Upstreams";
pub(super) const ROUTES: &str = "Routes";
pub(super) const MCP_SERVERS: &str = "MCP servers";
pub(super) const CONFIGURATION: &str = "Configuration";
pub(super) const RUNNING: &str = "Running";
pub(super) const BACKUPS: &str = "Backups";
pub(super) const ALERTS: &str = "Alerts";

const TAGS: [(&str, &str); 17] = [
    (WATCHING, "What is happening now, and how it went of late."),
    (
        LOGS,
        "What happened: requests, what they cost, and who changed what.",
    ),
    (
        KEYS,
        "Virtual keys: who asks, for what, and how much of it.",
    ),
    (
        TENANTS,
        "Organizations, teams, projects and users that keys belong to.",
    ),
    (POLICIES, "Rules that deny."),
    (PROFILES, "What requests choose with `x-ferrogate-config`."),
    (
        BUDGETS,
        "How budgets stand, and what is added to them by hand.",
    ),
    (PROVIDERS, "Who answers AI requests."),
    (
        MODELS,
        "The names that clients ask for, and who answers for each.",
    ),
    (CACHE, "Answers that are given again."),
    (UPSTREAMS, "Pools of servers for plain reverse proxying."),
    (ROUTES, "Which plain requests are passed on, and where to."),
    (
        MCP_SERVERS,
        "Servers of the Model Context Protocol: kept and checked, not connected to yet.",
    ),
    (
        CONFIGURATION,
        "What the gateway goes by: judged, reloaded, compared, and its history.",
    ),
    (
        RUNNING,
        "Out of service and back, and what leaves the databases by itself.",
    ),
    (
        BACKUPS,
        "Copies of the databases, made while the gateway runs.",
    ),
    (
        ALERTS,
        "What the gateway watches of itself, and whom it tells.",
    ),
];
