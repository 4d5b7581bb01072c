//! Tenants, keys, policies and profiles that the admin API made: JSON documents with exactly the keys of the tables of
//! the file.
//!
//! They are read by the same code as the file, so that a document cannot say what a table could not. What differs: of
//! a key's secret a document holds hashes alone, and what it names among tenants and keys is not looked for here, because
//! those may be managed too: [`super::cross_check()`] does, with everything at hand.

mod documents;

use http::HeaderName;
use serde_json::Value;
use toml::de::DeTable;

use super::{
    ApiKey, Config, ConfigIssue, GatewayConfig, Policy, Tenant, api_keys::SecretsInUse,
    findings::Findings, names::Names, reader::Section, references::References,
    tenants::TenantLines,
};

/// What documents may refer to that is in the file alone. Make it once for a configuration.
pub struct Known {
    models: Names,
    providers: Names,
    request_headers: Vec<HeaderName>,
}

impl Known {
    pub fn of(config: &Config) -> Self {
        let models = config.models.iter().map(|model| &model.name);
        let providers = config.providers.iter().map(|provider| &provider.name);
        Self {
            models: Names::of("model", models),
            providers: Names::of("provider", providers),
            request_headers: config.limits.gateway_config_request_headers.clone(),
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

fn read<T>(
    document: &Value,
    later: &'static [&'static str],
    reader: impl FnOnce(&mut Section<'_, '_>) -> Option<T>,
) -> Result<T, Vec<ConfigIssue>> {
    let refused = |message: String| vec![ConfigIssue::without_place(String::new(), message)];
    let text = documents::toml(document).map_err(refused)?;
    let table = DeTable::parse(&text).map_err(|error| refused(error.message().to_owned()))?;
    let no_environment = |_: &str| None;
    let mut findings = Findings::of_document(&text, &no_environment);
    let resource = Section::root(&mut findings, table.get_ref(), later, reader);
    match (findings.conclude(), resource) {
        (Ok(_), Some(resource)) => Ok(resource),
        (Ok(_), None) => Err(refused("cannot be read".to_owned())),
        (Err(errors), _) => Err(errors.0),
    }
}
