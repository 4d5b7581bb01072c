//! What the operator wrote: a TOML file, read into one resolved [`Config`] of plain data.
//!
//! Nothing here opens sockets or databases. Every key has a reader at run time; one that a later version brings is
//! refused as "not yet supported", an unknown one with the nearest known name, and all errors come at once.

mod account_limits;
mod admin;
mod alerting;
mod alerts;
mod api_keys;
mod auth_service;
mod backup;
mod budgets;
mod cache;
mod cluster;
mod cross_check;
mod decimals;
mod document;
mod effective;
mod fallbacks;
mod findings;
mod fingerprint;
mod gateway_configs;
mod governance;
mod governed;
mod headers;
mod issue;
mod limits;
pub mod managed;
mod mcp_servers;
mod mcp_targets;
mod models;
mod names;
mod nearest;
mod origins;
mod policies;
mod policy_conditions;
mod price_catalog;
mod price_rules;
mod prices;
mod pricing;
mod provider_keys;
mod provider_kinds;
mod providers;
mod reader;
mod references;
mod reliability;
mod routes;
mod routing_strategies;
mod secret;
mod secret_words;
mod secrets;
mod storage;
mod telemetry;
mod tenants;
mod time_zones;
mod upstreams;
mod url;
mod values;
mod variables;

#[cfg(test)]
mod tests;

pub use account_limits::AccountLimits;
pub use admin::{ADMIN_SOCKET, Admin};
pub use alerting::Alerting;
pub use alerts::{Alert, AlertBound, AlertScope, Quantity, Webhook, WebhookAddress, WebhookSecret};
pub use api_keys::{ApiKey, KeySecret, PreviousHash, Scope};
pub use auth_service::AuthService;
pub use backup::Backup;
pub use budgets::Budget;
pub use cache::{Cache, CacheScope};
pub use cluster::{Cluster, CounterBackend, StateBackend};
pub use cross_check::{FileResources, ResourceSet, Resources, cross_check};
pub use document::{Document, DocumentError, diff, export, export_managed, masked, unified_diff};
pub use effective::{ManagedResources, mcp_setting_context, provider_key_context};
pub use fallbacks::Fallback;
pub use fingerprint::{Needs, RestartKey, restart_required};
pub use gateway_configs::GatewayConfig;
pub use governance::Governance;
pub use headers::{Header, HeaderValue};
pub use issue::{ConfigErrors, ConfigIssue};
pub use limits::Limits;
pub use mcp_servers::{
    McpAuth, McpCommand, McpEndpoint, McpServer, McpSetting, McpTransport, SettingValue,
    ToolSelector,
};
pub use models::{Capability, Model};
pub use policies::Policy;
pub use policy_conditions::{HourRange, PolicyCondition, day_word};
pub use price_catalog::PriceCatalog;
pub use prices::{LongContext, Price};
pub use pricing::{Pricing, UnknownPrice};
pub use provider_keys::{KeySource, ProviderKey};
pub use provider_kinds::{Api, ProviderKind};
pub use providers::Provider;
pub use reliability::Reliability;
pub use routes::Route;
pub use routing_strategies::RoutingStrategy;
pub use secret::Secret;
pub use secret_words::is_credential;
pub use secrets::{MasterKeyFile, Secrets};
pub use storage::{Durability, Retention, Settle, Storage};
pub use telemetry::{AccessLog, LogFormat, Telemetry};
pub use tenants::{Tenant, TenantIndex, TenantKind, TenantRef, effective_context, with_parents};
pub use upstreams::{Upstream, UpstreamUrl};

use std::{
    fs::File,
    io::{self, Read},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
};

use toml::{Spanned, de::DeTable};

use self::{
    findings::{Findings, Place},
    governed::Governed,
    models::Serving,
    names::Names,
    reader::Section,
};

/// A configuration file may have at most so many bytes.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The whole configuration, defaults filled in and references checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// What all of this was read from.
    pub document: Document,
    /// The file that holds it, where it was read from one.
    pub path: Option<PathBuf>,
    /// Where the gateway listens. Port 0 asks the operating system for a free one.
    pub listen: SocketAddr,
    pub admin: Admin,
    pub limits: Limits,
    pub providers: Vec<Provider>,
    pub models: Vec<Model>,
    pub tenants: Vec<Arc<Tenant>>,
    pub api_keys: Vec<Arc<ApiKey>>,
    pub policies: Vec<Arc<Policy>>,
    pub gateway_configs: Vec<Arc<GatewayConfig>>,
    pub upstreams: Vec<Upstream>,
    pub routes: Vec<Route>,
    pub mcp_servers: Vec<Arc<McpServer>>,
    pub alerts: Vec<Arc<Alert>>,
    pub storage: Storage,
    pub backup: Backup,
    pub secrets: Secrets,
    pub cache: Cache,
    pub reliability: Reliability,
    pub pricing: Pricing,
    pub governance: Governance,
    pub auth_service: AuthService,
    pub cluster: Cluster,
    pub alerting: Alerting,
    pub telemetry: Telemetry,
}

/// A configuration that may be used, and what is doubtful about it.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    pub warnings: Vec<ConfigIssue>,
}

/// Reads a configuration file, with the environment of this process.
pub fn load(path: &Path) -> Result<Loaded, ConfigErrors> {
    let file_name = path.display().to_string();
    let text = read_file(path).map_err(|error| {
        ConfigErrors::whole_file(&file_name, format!("cannot be read: {error}"))
    })?;
    let mut loaded = parse(&text, &file_name, &environment)?;
    loaded.config.path = Some(path.to_owned());
    Ok(loaded)
}

/// What an environment variable of this process holds.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Reads a configuration from its text. `env` answers with what an environment variable holds.
pub fn parse(
    text: &str,
    file_name: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Loaded, ConfigErrors> {
    if file_name.ends_with("Caddyfile") || file_name.ends_with(".caddyfile") {
        let message = "Caddyfile is not yet supported; write TOML";
        return Err(ConfigErrors::whole_file(file_name, message));
    }
    if is_too_large(text.len()) {
        return Err(ConfigErrors::whole_file(file_name, "is larger than 16 MiB"));
    }
    let (document, syntax_errors) = DeTable::parse_recoverable(text);
    let mut findings = Findings::new(file_name, text, env);
    for error in syntax_errors {
        findings.syntax_error(error.span(), error.message());
    }
    let config = Config::read(&mut findings, &document);
    let warnings = findings.conclude()?;
    Ok(Loaded { config, warnings })
}

fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)?;
    if is_too_large(text.len()) {
        return Err(io::Error::other("it is larger than 16 MiB"));
    }
    Ok(text)
}

fn is_too_large(bytes: usize) -> bool {
    bytes > usize::try_from(FILE_BYTES_MAX).unwrap_or(usize::MAX)
}

impl Config {
    /// Sections that a later version brings.
    const LATER: &'static [&'static str] = &["extensions", "metering", "tls"];

    /// Reads what can be read. Where there are errors, the result is not to be used.
    fn read<'i>(findings: &mut Findings<'i>, document: &'i Spanned<DeTable<'i>>) -> Self {
        let written = Document::of(findings.text(), document.get_ref());
        Section::root(findings, document.get_ref(), Self::LATER, |root| {
            let listen = read_listen(root);
            let (storage, lists) = root.section("storage", Storage::LATER, Storage::read);
            let admin = root.section("admin", Admin::LATER, |section| {
                Admin::read(section, listen, &storage.path, lists)
            });
            let pricing = root.section("pricing", Pricing::LATER, Pricing::read);
            let limits = root.section("limits", Limits::LATER, Limits::read);
            let ai = AiResources::read(root, &pricing);
            let alerting = root.section("alerting", Alerting::LATER, Alerting::read);
            let governed = Governed::read(root, &ai, (&limits, &alerting));
            let (upstreams, routes) = read_proxying(root);
            let mut server_names = Names::new("MCP server");
            let mcp_servers = root.sections("mcp_servers", McpServer::LATER, |section| {
                McpServer::read(section, &mut server_names).map(Arc::new)
            });
            Self {
                document: written,
                path: None,
                listen,
                admin,
                limits,
                providers: ai.providers,
                models: ai.models,
                tenants: governed.tenants,
                api_keys: governed.api_keys,
                policies: governed.policies,
                gateway_configs: governed.gateway_configs,
                upstreams,
                routes,
                mcp_servers,
                alerts: governed.alerts,
                backup: root.section("backup", Backup::LATER, |section| {
                    Backup::read(section, &storage.path)
                }),
                secrets: root.section("secrets", Secrets::LATER, |section| {
                    Secrets::read(section, &storage.path)
                }),
                storage,
                cache: root.section("cache", Cache::LATER, Cache::read),
                reliability: root.section("reliability", Reliability::LATER, Reliability::read),
                pricing,
                governance: root.section("governance", Governance::LATER, Governance::read),
                auth_service: root.section("auth_service", AuthService::LATER, AuthService::read),
                cluster: root.section("cluster", Cluster::LATER, Cluster::read),
                alerting,
                telemetry: root.section("telemetry", Telemetry::LATER, Telemetry::read),
            }
        })
    }
}

/// `FERROGATE_LISTEN` wins over the file: a container is told from outside where to listen.
fn read_listen(root: &mut Section<'_, '_>) -> SocketAddr {
    const VARIABLE: &str = "FERROGATE_LISTEN";
    let written = root.parsed("listen", url::socket_address);
    let overriding = root.variable(VARIABLE).and_then(|text| {
        let place = Place {
            key: VARIABLE.to_owned(),
            ..root.place_of("listen")
        };
        root.accept(&place, url::socket_address(&text))
    });
    overriding
        .or(written)
        .unwrap_or(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080))
}

/// Providers and the models they serve.
struct AiResources {
    providers: Vec<Provider>,
    provider_names: Names,
    models: Vec<Model>,
    model_names: Names,
}

impl AiResources {
    fn read(root: &mut Section<'_, '_>, pricing: &Pricing) -> Self {
        let mut provider_names = Names::new("provider");
        let providers = root.sections("providers", Provider::LATER, |section| {
            Provider::read(section, &mut provider_names)
        });
        let serving = Serving {
            provider_names: &provider_names,
            providers: &providers,
            unknown_price: pricing.unknown,
        };
        let mut model_names = Names::new("model");
        let models = root.sections("models", Model::LATER, |section| {
            Model::read(section, &mut model_names, serving)
        });
        Self {
            providers,
            provider_names,
            models,
            model_names,
        }
    }
}

fn read_proxying(root: &mut Section<'_, '_>) -> (Vec<Upstream>, Vec<Route>) {
    let mut upstream_names = Names::new("upstream");
    let upstreams = root.sections("upstreams", Upstream::LATER, |section| {
        Upstream::read(section, &mut upstream_names)
    });
    let mut route_names = Names::new("route");
    let routes = root.sections("routes", Route::LATER, |section| {
        Route::read(section, &mut route_names, &upstream_names)
    });
    (upstreams, routes)
}
