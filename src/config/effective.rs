//! The configuration in force: what the file declares, and what the admin API added to its lists.

use std::sync::Arc;

use super::{
    Config, ConfigIssue, FileResources, KeySource, McpServer, Model, Provider, Route, Secret,
    Upstream,
};

/// What the admin API made of the lists that are compiled together with the file's.
#[derive(Debug, Clone, Copy, Default)]
pub struct ManagedResources<'r> {
    pub providers: &'r [Arc<Provider>],
    pub models: &'r [Arc<Model>],
    pub upstreams: &'r [Arc<Upstream>],
    /// Tried after those of the file, in this order.
    pub routes: &'r [Arc<Route>],
    pub mcp_servers: &'r [Arc<McpServer>],
}

/// What the key of a provider is sealed for: the context of `crate::sealing`.
pub fn provider_key_context(provider: &str) -> String {
    format!("provider:{provider}")
}

/// What a header or a variable of an MCP server is sealed for.
pub fn mcp_setting_context(server: &str, setting: &str) -> String {
    format!("mcp_server:{server}:{}", setting.to_ascii_lowercase())
}

impl Config {
    /// Everything in force together. Whether it goes together is [`super::cross_check()`]'s to say.
    #[must_use]
    pub fn with_managed(&self, managed: &ManagedResources<'_>) -> Self {
        let mut config = self.clone();
        config.providers.extend(owned(managed.providers));
        config.models.extend(owned(managed.models).map(|mut model| {
            // Its provider may be a managed one, of which nobody knew when the model was read.
            model.price_from_catalog(&config.providers);
            model
        }));
        config.upstreams.extend(owned(managed.upstreams));
        config.routes.extend(owned(managed.routes));
        let servers = managed.mcp_servers.iter().map(Arc::clone);
        config.mcp_servers.extend(servers);
        config
    }

    /// What the file declares, for [`super::cross_check()`].
    pub fn resources(&self) -> FileResources<'_> {
        FileResources {
            tenants: &self.tenants,
            api_keys: &self.api_keys,
            policies: &self.policies,
            gateway_configs: &self.gateway_configs,
            providers: &self.providers,
            models: &self.models,
            upstreams: &self.upstreams,
            routes: &self.routes,
            mcp_servers: &self.mcp_servers,
            alerts: &self.alerts,
            alerts_max: self.alerting.alerts_max,
        }
    }

    /// Whether there is something for [`Config::unseal`].
    pub fn has_sealed_keys(&self) -> bool {
        let mut keys = self
            .providers
            .iter()
            .flat_map(|provider| &provider.api_keys);
        keys.any(|key| matches!(key.source, KeySource::Sealed(_)))
    }

    /// Opens the sealed keys of providers: `open` gets the context and the sealed text. One that does not open is
    /// missing, as a variable that is not set is, and a warning.
    pub fn unseal(
        &mut self,
        open: &dyn Fn(&str, &str) -> Result<Secret, String>,
    ) -> Vec<ConfigIssue> {
        let mut warnings = Vec::new();
        for provider in &mut self.providers {
            let context = provider_key_context(&provider.name);
            for key in &mut provider.api_keys {
                let KeySource::Sealed(sealed) = &key.source else {
                    continue;
                };
                let opened = open(&context, sealed).and_then(|secret| {
                    let sendable = http::HeaderValue::from_str(secret.expose()).is_ok();
                    let reason = "it holds characters that no header can carry".to_owned();
                    sendable.then_some(secret).ok_or(reason)
                });
                key.key = match opened {
                    Ok(secret) => Some(secret),
                    Err(reason) => {
                        let path = format!("providers[{}].api_key_sealed", provider.name);
                        let message = format!("cannot be opened: {reason}");
                        warnings.push(ConfigIssue::without_place(path, message));
                        None
                    }
                };
            }
        }
        warnings
    }
}

fn owned<'r, T: Clone>(list: &'r [Arc<T>]) -> impl Iterator<Item = T> + use<'r, T> {
    list.iter().map(|one| T::clone(one))
}
