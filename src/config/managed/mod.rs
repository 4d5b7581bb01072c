//! What the admin API made: JSON documents with exactly the keys of the tables of the file.
//!
//! They are read by the same code as the file, so that a document cannot say what a table could not. What differs: of
//! a key's secret a document holds hashes alone, and what it names among tenants and keys is not looked for here, because
//! those may be managed too: [`super::cross_check()`] does, with everything at hand. It does so for the rest as well,
//! for what was there when a document was read may leave.

mod documents;

use http::HeaderName;
use serde_json::Value;
use toml::de::DeTable;

use super::{
    Alert, ApiKey, Config, ConfigIssue, GatewayConfig, McpServer, Model, Policy, Provider, Route,
    Tenant, UnknownPrice, Upstream, api_keys::SecretsInUse, environment, findings::Findings,
    models::Serving, names::Names, reader::Section, references::References, tenants::TenantLines,
};

/// What documents may refer to. Make it once for a configuration and what is managed beside it.
pub struct Known {
    models: Names,
    providers: Names,
    upstreams: Names,
    request_headers: Vec<HeaderName>,
    unknown_price: UnknownPrice,
    environment: Environment,
}

/// What environment variables hold.
type Environment = Box<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The names of what is managed beside the file.
#[derive(Debug, Clone, Default)]
pub struct ManagedNames<'n> {
    pub models: Vec<&'n str>,
    pub providers: Vec<&'n str>,
    pub upstreams: Vec<&'n str>,
}

impl Known {
    /// What the file declares, these, and the environment of this process.
    pub fn of(file: &Config, managed: ManagedNames<'_>) -> Self {
        let models = file.models.iter().map(|model| &*model.name);
        let providers = file.providers.iter().map(|provider| &*provider.name);
        let upstreams = file.upstreams.iter().map(|upstream| &*upstream.name);
        Self {
            models: Names::of("model", models.chain(managed.models)),
            providers: Names::of("provider", providers.chain(managed.providers)),
            upstreams: Names::of("upstream", upstreams.chain(managed.upstreams)),
            request_headers: file.limits.gateway_config_request_headers.clone(),
            unknown_price: file.pricing.unknown,
            environment: Box::new(environment),
        }
    }

    /// The same with other environment variables.
    #[must_use]
    pub fn with_environment(
        self,
        environment: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            environment: Box::new(environment),
            ..self
        }
    }

    fn references(&self) -> References<'_> {
        References {
            models: &self.models,
            providers: &self.providers,
            api_keys: None,
            request_headers: &self.request_headers,
        }
    }
}

/// Reads a tenant from a document with the keys of `[[tenants]]`.
pub fn read_tenant(document: &Value) -> Result<Tenant, Vec<ConfigIssue>> {
    read(document, Tenant::LATER, |section| {
        Tenant::read(section, &mut TenantLines::default())
    })
}

/// Reads a key from a document with the keys of `[[api_keys]]`, without `key` and `key_env`.
pub fn read_api_key(document: &Value, known: &Known) -> Result<ApiKey, Vec<ConfigIssue>> {
    read(document, ApiKey::LATER, |section| {
        let mut secrets = SecretsInUse::hashes_only();
        ApiKey::read(
            section,
            &mut Names::new("key"),
            &mut secrets,
            known.references(),
        )
    })
}

/// Reads a policy from a document with the keys of `[[policies]]`.
pub fn read_policy(document: &Value, known: &Known) -> Result<Policy, Vec<ConfigIssue>> {
    read(document, Policy::LATER, |section| {
        Policy::read(section, &mut Names::new("policy"), known.references())
    })
}

/// Reads a profile from a document with the keys of `[[gateway_configs]]`.
pub fn read_gateway_config(
    document: &Value,
    known: &Known,
) -> Result<GatewayConfig, Vec<ConfigIssue>> {
    read(document, GatewayConfig::LATER, |section| {
        GatewayConfig::read(section, &mut Names::new("profile"), known.references())
    })
}

/// Reads a provider from a document with the keys of `[[providers]]`. Variables, files and credentials that it names are
/// looked up now; a sealed key waits for [`Config::unseal`].
pub fn read_provider(document: &Value, known: &Known) -> Result<Provider, Vec<ConfigIssue>> {
    read_in(&known.environment, document, Provider::LATER, |section| {
        Provider::read(section, &mut Names::new("provider"))
    })
}

/// Reads a model from a document with the keys of `[[models]]`. What the price catalog knows of it is found out by
/// [`Config::with_managed`], when its provider is at hand.
pub fn read_model(document: &Value, known: &Known) -> Result<Model, Vec<ConfigIssue>> {
    let serving = Serving {
        provider_names: &known.providers,
        providers: &[],
        unknown_price: known.unknown_price,
    };
    read_in(&known.environment, document, Model::LATER, |section| {
        Model::read(section, &mut Names::new("model"), serving)
    })
}

/// Reads a pool of servers from a document with the keys of `[[upstreams]]`.
pub fn read_upstream(document: &Value, known: &Known) -> Result<Upstream, Vec<ConfigIssue>> {
    read_in(&known.environment, document, Upstream::LATER, |section| {
        Upstream::read(section, &mut Names::new("upstream"))
    })
}

/// Reads a route from a document with the keys of `[[routes]]`. `{env.NAME}` in its headers is filled in.
pub fn read_route(document: &Value, known: &Known) -> Result<Route, Vec<ConfigIssue>> {
    read_in(&known.environment, document, Route::LATER, |section| {
        Route::read(section, &mut Names::new("route"), &known.upstreams)
    })
}

/// Reads an MCP server from a document with the keys of `[[mcp_servers]]`.
pub fn read_mcp_server(document: &Value, known: &Known) -> Result<McpServer, Vec<ConfigIssue>> {
    read_in(&known.environment, document, McpServer::LATER, |section| {
        McpServer::read(section, &mut Names::new("MCP server"))
    })
}

/// Reads an alert rule from a document with the keys of `[[alerts]]`. The variable that it names is looked up now.
pub fn read_alert(document: &Value, known: &Known) -> Result<Alert, Vec<ConfigIssue>> {
    read_in(&known.environment, document, Alert::LATER, |section| {
        Alert::read(section, &mut Names::new("alert"), known.references())
    })
}

/// Reads what has nothing to do with the environment.
fn read<T>(
    document: &Value,
    later: &'static [&'static str],
    reader: impl FnOnce(&mut Section<'_, '_>) -> Option<T>,
) -> Result<T, Vec<ConfigIssue>> {
    read_in(&|_: &str| None, document, later, reader)
}

fn read_in<T>(
    environment: &dyn Fn(&str) -> Option<String>,
    document: &Value,
    later: &'static [&'static str],
    reader: impl FnOnce(&mut Section<'_, '_>) -> Option<T>,
) -> Result<T, Vec<ConfigIssue>> {
    let refused = |message: String| vec![ConfigIssue::of_the_whole(message)];
    let text = documents::toml(document).map_err(refused)?;
    let table = DeTable::parse(&text).map_err(|error| refused(error.message().to_owned()))?;
    let mut findings = Findings::of_document(&text, environment);
    let resource = Section::root(&mut findings, table.get_ref(), later, reader);
    match (findings.conclude(), resource) {
        (Ok(_), Some(resource)) => Ok(resource),
        (Ok(_), None) => Err(refused("cannot be read".to_owned())),
        (Err(errors), _) => Err(errors.0),
    }
}
