//! What was made through the admin API, as it was read from the database.

use std::{collections::HashSet, iter, sync::Arc};

use crate::config::managed::{
    Known, ManagedNames, read_alert, read_api_key, read_gateway_config, read_mcp_server,
    read_model, read_policy, read_provider, read_route, read_tenant, read_upstream,
};
use crate::config::{
    Alert, ApiKey, Config, ConfigIssue, GatewayConfig, ManagedResources, McpServer, Model, Policy,
    Provider, ResourceSet, Resources, Route, Tenant, Upstream, cross_check,
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

impl Unusable {
    /// What is wrong, with the resource in each key's path: `models[fast].provider`.
    pub(super) fn placed(self) -> Vec<ConfigIssue> {
        let section = self.kind.section();
        let placed = |mut issue: ConfigIssue| {
            issue.key = format!("{section}[{}].{}", self.id, issue.key);
            issue
        };
        self.issues.into_iter().map(placed).collect()
    }
}

/// Every resource of the database. A change makes another set, which shares what it left alone.
#[derive(Debug, Clone, Default)]
pub struct ManagedSet {
    pub tenants: Vec<Managed<Tenant>>,
    pub api_keys: Vec<Managed<ApiKey>>,
    /// In the order in which they were made, which is the order in which they are asked.
    pub policies: Vec<Managed<Policy>>,
    pub gateway_configs: Vec<Managed<GatewayConfig>>,
    pub providers: Vec<Managed<Provider>>,
    pub models: Vec<Managed<Model>>,
    pub upstreams: Vec<Managed<Upstream>>,
    /// In the order in which they were made, which is the order in which they are tried.
    pub routes: Vec<Managed<Route>>,
    pub mcp_servers: Vec<Managed<McpServer>>,
    pub alerts: Vec<Managed<Alert>>,
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

/// A deletion, or the name of what is replaced.
type Name<'n> = (ResourceKind, &'n str);

/// What is done with the list of a kind, whatever it holds.
macro_rules! lists {
    ($($kind:ident => $list:ident;)*) => {
        impl ManagedSet {
            /// The row of one resource.
            pub fn find(&self, kind: ResourceKind, id: &str) -> Option<&Arc<StoredResource>> {
                match kind {
                    $(ResourceKind::$kind => find_id(&self.$list, id),)*
                }
            }

            /// Every row.
            pub fn rows(&self) -> impl Iterator<Item = &Arc<StoredResource>> {
                let rows = iter::empty();
                $(let rows = rows.chain(self.$list.iter().map(|one| &one.resource));)*
                rows
            }

            fn drop_named(&mut self, names: &HashSet<Name<'_>>) {
                $(
                    let kind = ResourceKind::$kind;
                    if names.iter().any(|(named, _)| *named == kind) {
                        self.$list
                            .retain(|one| !names.contains(&(kind, &*one.resource.id)));
                    }
                )*
            }
        }
    };
}

lists! {
    Tenant => tenants;
    ApiKey => api_keys;
    Policy => policies;
    GatewayConfig => gateway_configs;
    Provider => providers;
    Model => models;
    Upstream => upstreams;
    Route => routes;
    McpServer => mcp_servers;
    Alert => alerts;
}

impl ManagedSet {
    /// Reads rows of the database.
    ///
    /// # Errors
    /// What is wrong with the first row that cannot be used, and which it is.
    pub fn read(config: &Config, rows: Vec<StoredResource>) -> Result<Self, Unusable> {
        Self::default().edited(config, rows, &[])
    }

    /// The same with each of `put` in place of the one of its kind and id, or added, and without those of `delete`.
    ///
    /// # Errors
    /// What is wrong with the first of `put` that cannot be used, and which it is.
    pub fn edited(
        &self,
        config: &Config,
        put: Vec<StoredResource>,
        delete: &[(ResourceKind, String)],
    ) -> Result<Self, Unusable> {
        let mut set = self.clone();
        let replaced = put.iter().map(|row| (row.kind, &*row.id));
        let deleted = delete.iter().map(|(kind, id)| (*kind, &**id));
        set.drop_named(&replaced.chain(deleted).collect());
        let known = set.known(config, &put);
        for row in put {
            let (kind, id) = (row.kind, row.id.clone());
            set.add(&known, row)
                .map_err(|issues| Unusable { kind, id, issues })?;
        }
        set.sort();
        Ok(set)
    }

    /// The same without one.
    #[must_use]
    pub fn without(&self, kind: ResourceKind, id: &str) -> Self {
        let mut set = self.clone();
        set.drop_named(&HashSet::from([(kind, id)]));
        set
    }

    /// Whether what the file's settings are compiled together with is the same in both.
    pub fn compiles_like(&self, other: &Self) -> bool {
        same_rows(&self.providers, &other.providers)
            && same_rows(&self.models, &other.models)
            && same_rows(&self.upstreams, &other.upstreams)
            && same_rows(&self.routes, &other.routes)
            && same_rows(&self.mcp_servers, &other.mcp_servers)
    }

    /// The file's configuration with what the database adds to its lists of providers, models, upstreams, routes and MCP
    /// servers.
    pub fn effective(&self, file: &Arc<Config>) -> Arc<Config> {
        if self.compiles_like(&Self::default()) {
            return Arc::clone(file);
        }
        Arc::new(file.with_managed(&ManagedResources {
            providers: &values(&self.providers),
            models: &values(&self.models),
            upstreams: &values(&self.upstreams),
            routes: &values(&self.routes),
            mcp_servers: &values(&self.mcp_servers),
        }))
    }

    /// What stands against having this set beside what the file declares.
    pub fn conflicts(&self, file: &Config) -> Vec<ConfigIssue> {
        cross_check(&Resources {
            file: file.resources(),
            managed: ResourceSet {
                tenants: &values(&self.tenants),
                api_keys: &values(&self.api_keys),
                policies: &values(&self.policies),
                gateway_configs: &values(&self.gateway_configs),
                providers: &values(&self.providers),
                models: &values(&self.models),
                upstreams: &values(&self.upstreams),
                routes: &values(&self.routes),
                mcp_servers: &values(&self.mcp_servers),
                alerts: &values(&self.alerts),
            },
        })
    }

    /// What documents may refer to: what the file declares, what is here, and what is about to be.
    fn known(&self, config: &Config, coming: &[StoredResource]) -> Known {
        let of = |kind: ResourceKind| {
            let here = self.rows().map(|row| &**row);
            let rows = here.chain(coming);
            rows.filter(move |row| row.kind == kind)
                .map(|row| row.id.as_str())
        };
        Known::of(
            config,
            ManagedNames {
                models: of(ResourceKind::Model).collect(),
                providers: of(ResourceKind::Provider).collect(),
                upstreams: of(ResourceKind::Upstream).collect(),
            },
        )
    }

    fn add(&mut self, known: &Known, row: StoredResource) -> Result<(), Vec<ConfigIssue>> {
        let document = &row.document;
        match row.kind {
            ResourceKind::Tenant => add(&mut self.tenants, read_tenant(document)?, row),
            ResourceKind::ApiKey => add(&mut self.api_keys, read_api_key(document, known)?, row),
            ResourceKind::Policy => add(&mut self.policies, read_policy(document, known)?, row),
            ResourceKind::GatewayConfig => {
                add(
                    &mut self.gateway_configs,
                    read_gateway_config(document, known)?,
                    row,
                );
            }
            ResourceKind::Provider => {
                add(&mut self.providers, read_provider(document, known)?, row);
            }
            ResourceKind::Model => add(&mut self.models, read_model(document, known)?, row),
            ResourceKind::Upstream => {
                add(&mut self.upstreams, read_upstream(document, known)?, row);
            }
            ResourceKind::Route => add(&mut self.routes, read_route(document, known)?, row),
            ResourceKind::McpServer => {
                add(
                    &mut self.mcp_servers,
                    read_mcp_server(document, known)?,
                    row,
                );
            }
            ResourceKind::Alert => add(&mut self.alerts, read_alert(document, known)?, row),
        }
        Ok(())
    }

    fn sort(&mut self) {
        by_id(&mut self.tenants);
        by_id(&mut self.api_keys);
        by_age(&mut self.policies);
        by_id(&mut self.gateway_configs);
        by_id(&mut self.providers);
        by_id(&mut self.models);
        by_id(&mut self.upstreams);
        by_age(&mut self.routes);
        by_id(&mut self.mcp_servers);
        by_id(&mut self.alerts);
    }
}

fn add<T>(list: &mut Vec<Managed<T>>, value: T, resource: StoredResource) {
    list.push(Managed {
        resource: Arc::new(resource),
        value: Arc::new(value),
    });
}

fn by_id<T>(list: &mut [Managed<T>]) {
    list.sort_by(|one, other| one.resource.id.cmp(&other.resource.id));
}

fn by_age<T>(list: &mut [Managed<T>]) {
    list.sort_by_cached_key(|one| {
        let row = &one.resource;
        (row.created_at_unix_ms, row.id.clone())
    });
}

fn same_rows<T>(one: &[Managed<T>], other: &[Managed<T>]) -> bool {
    let same =
        |(one, other): (&Managed<T>, &Managed<T>)| Arc::ptr_eq(&one.resource, &other.resource);
    one.len() == other.len() && one.iter().zip(other).all(same)
}

fn values<T>(list: &[Managed<T>]) -> Vec<Arc<T>> {
    list.iter().map(|one| Arc::clone(&one.value)).collect()
}

fn find_id<'l, T>(list: &'l [Managed<T>], id: &str) -> Option<&'l Arc<StoredResource>> {
    let mut named = list.iter().filter(|one| one.resource.id == id);
    named.next().map(|one| &one.resource)
}

/// What messages call it.
pub(super) fn noun(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::Tenant => "tenant",
        ResourceKind::ApiKey => "API key",
        ResourceKind::Policy => "policy",
        ResourceKind::GatewayConfig => "profile",
        ResourceKind::Provider => "provider",
        ResourceKind::Model => "model",
        ResourceKind::Upstream => "upstream",
        ResourceKind::Route => "route",
        ResourceKind::McpServer => "MCP server",
        ResourceKind::Alert => "alert",
    }
}

/// Issues as one sentence after another.
pub(super) fn list(issues: &[ConfigIssue]) -> String {
    let lines: Vec<String> = issues.iter().map(ToString::to_string).collect();
    lines.join("; ")
}
