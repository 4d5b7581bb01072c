//! What was made through the admin API, as it was read from the database.

use std::sync::Arc;

use crate::config::managed::{Known, read_api_key, read_gateway_config, read_policy, read_tenant};
use crate::config::{
    ApiKey, Config, ConfigIssue, GatewayConfig, Policy, ResourceSet, Resources, Tenant, cross_check,
};
use crate::store::{ResourceKind, StoredResource};

/// One resource: its row, and what it says.
#[derive(Debug)]
pub struct Managed<T> {
    pub resource: Arc<StoredResource>,
    pub value: Arc<T>,
}

/// A row of the database that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[error("the {} `{id}` in the database cannot be used: {}", noun(*.kind), list(.issues))]
pub struct Unusable {
    pub kind: ResourceKind,
    pub id: String,
    pub issues: Vec<ConfigIssue>,
}

/// Every resource of the database. A change makes another set, which shares what it left alone.
#[derive(Debug, Clone, Default)]
pub struct ManagedSet {
    pub tenants: Vec<Managed<Tenant>>,
    pub api_keys: Vec<Managed<ApiKey>>,
    /// In the order in which they were made, which is the order in which they are asked.
    pub policies: Vec<Managed<Policy>>,
    pub gateway_configs: Vec<Managed<GatewayConfig>>,
}

// By hand: the derive would ask that `T` can be cloned.
impl<T> Clone for Managed<T> {
    fn clone(&self) -> Self {
        Self {
            resource: Arc::clone(&self.resource),
            value: Arc::clone(&self.value),
        }
    }
}

impl<T> Managed<T> {
    fn new(resource: StoredResource, value: T) -> Self {
        Self {
            resource: Arc::new(resource),
            value: Arc::new(value),
        }
    }
}

impl ManagedSet {
    /// Reads rows of the database.
    ///
    /// # Errors
    /// What is wrong with the first row that cannot be used, and which it is.
    pub fn read(config: &Config, resources: Vec<StoredResource>) -> Result<Self, Unusable> {
        let mut set = Self::default();
        let known = Known::of(config);
        for resource in resources {
            let (kind, id) = (resource.kind, resource.id.clone());
            set.add(&known, resource)
                .map_err(|issues| Unusable { kind, id, issues })?;
        }
        set.sort();
        Ok(set)
    }

    /// The same with `resource` in place of the one of its kind and id, or added.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn with(
        &self,
        config: &Config,
        resource: StoredResource,
    ) -> Result<Self, Vec<ConfigIssue>> {
        let mut set = self.without(resource.kind, &resource.id);
        set.add(&Known::of(config), resource)?;
        set.sort();
        Ok(set)
    }

    /// The same without one.
    #[must_use]
    pub fn without(&self, kind: ResourceKind, id: &str) -> Self {
        let mut set = self.clone();
        match kind {
            ResourceKind::Tenant => drop_id(&mut set.tenants, id),
            ResourceKind::ApiKey => drop_id(&mut set.api_keys, id),
            ResourceKind::Policy => drop_id(&mut set.policies, id),
            ResourceKind::GatewayConfig => drop_id(&mut set.gateway_configs, id),
        }
        set
    }

    /// The row of one resource.
    pub fn find(&self, kind: ResourceKind, id: &str) -> Option<&Arc<StoredResource>> {
        match kind {
            ResourceKind::Tenant => find_id(&self.tenants, id),
            ResourceKind::ApiKey => find_id(&self.api_keys, id),
            ResourceKind::Policy => find_id(&self.policies, id),
            ResourceKind::GatewayConfig => find_id(&self.gateway_configs, id),
        }
    }

    /// Every row.
    pub fn rows(&self) -> impl Iterator<Item = &Arc<StoredResource>> {
        let tenants = self.tenants.iter().map(|one| &one.resource);
        let api_keys = self.api_keys.iter().map(|one| &one.resource);
        let policies = self.policies.iter().map(|one| &one.resource);
        let gateway_configs = self.gateway_configs.iter().map(|one| &one.resource);
        tenants
            .chain(api_keys)
            .chain(policies)
            .chain(gateway_configs)
    }

    /// What stands against having this set beside what the file declares.
    pub fn conflicts(&self, config: &Config) -> Vec<ConfigIssue> {
        let tenants = values(&self.tenants);
        let api_keys = values(&self.api_keys);
        let policies = values(&self.policies);
        let gateway_configs = values(&self.gateway_configs);
        cross_check(&Resources {
            file: ResourceSet {
                tenants: &config.tenants,
                api_keys: &config.api_keys,
                policies: &config.policies,
                gateway_configs: &config.gateway_configs,
            },
            managed: ResourceSet {
                tenants: &tenants,
                api_keys: &api_keys,
                policies: &policies,
                gateway_configs: &gateway_configs,
            },
        })
    }

    fn add(&mut self, known: &Known, resource: StoredResource) -> Result<(), Vec<ConfigIssue>> {
        let document = &resource.document;
        match resource.kind {
            ResourceKind::Tenant => {
                let value = read_tenant(document)?;
                self.tenants.push(Managed::new(resource, value));
            }
            ResourceKind::ApiKey => {
                let value = read_api_key(document, known)?;
                self.api_keys.push(Managed::new(resource, value));
            }
            ResourceKind::Policy => {
                let value = read_policy(document, known)?;
                self.policies.push(Managed::new(resource, value));
            }
            ResourceKind::GatewayConfig => {
                let value = read_gateway_config(document, known)?;
                self.gateway_configs.push(Managed::new(resource, value));
            }
        }
        Ok(())
    }

    fn sort(&mut self) {
        self.tenants
            .sort_by(|a, b| a.resource.id.cmp(&b.resource.id));
        self.api_keys
            .sort_by(|a, b| a.resource.id.cmp(&b.resource.id));
        self.gateway_configs
            .sort_by(|a, b| a.resource.id.cmp(&b.resource.id));
        let made = |policy: &Managed<Policy>| {
            let row = &policy.resource;
            (row.created_at_unix_ms, row.id.clone())
        };
        self.policies.sort_by_cached_key(made);
    }
}

fn values<T>(list: &[Managed<T>]) -> Vec<Arc<T>> {
    list.iter().map(|one| Arc::clone(&one.value)).collect()
}

fn find_id<'l, T>(list: &'l [Managed<T>], id: &str) -> Option<&'l Arc<StoredResource>> {
    let mut named = list.iter().filter(|one| one.resource.id == id);
    named.next().map(|one| &one.resource)
}

fn drop_id<T>(list: &mut Vec<Managed<T>>, id: &str) {
    list.retain(|one| one.resource.id != id);
}

/// What messages call it.
pub(super) fn noun(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::Tenant => "tenant",
        ResourceKind::ApiKey => "API key",
        ResourceKind::Policy => "policy",
        ResourceKind::GatewayConfig => "profile",
    }
}

/// Issues as one sentence after another.
pub(super) fn list(issues: &[ConfigIssue]) -> String {
    let lines: Vec<String> = issues.iter().map(ToString::to_string).collect();
    lines.join("; ")
}
