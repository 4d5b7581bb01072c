//! What a request reads: one configuration and the managed rows, compiled and immutable.

use std::sync::Arc;

use ferrogate_api::{Origin, TenantContext};
use thiserror::Error;

use super::managed::{ManagedSet, Unusable, list};
use super::secrets::Secrets;
use crate::ai::Rules;
use crate::ai::identity::External;
use crate::ai::models::Catalog;
use crate::ai::profiles::Profiles;
use crate::ai::providers::ProviderError;
use crate::config::{ApiKey, Config, ConfigIssue, Tenant, TenantIndex, effective_context};
use crate::governance::external::{AuthService, AuthServiceError};
use crate::governance::{
    AccountOptions, Accounts, Belonging, KeyAccount, KeySpec, Keys, KeysError, Policies,
    ThresholdSink, Tree, switched_off,
};
use crate::outbound::Dns;
use crate::routes::Table;
use crate::tasks::Tasks;

/// One compiled configuration.
#[derive(Debug)]
pub struct Snapshot {
    /// The file's settings and lists, with what the database adds to the providers, models, upstreams, routes and MCP
    /// servers.
    pub config: Arc<Config>,
    /// What the file alone declares.
    pub file: Arc<Config>,
    pub managed: ManagedSet,
    pub rules: Rules,
    tenants: TenantIndex,
    /// Every account, and what it may spend.
    pub tree: Tree,
    pub routes: Arc<Table>,
    auth_service: Option<AuthService>,
}

/// What stands against a configuration, beyond what its own checks find.
#[derive(Debug, Error)]
pub enum SnapshotError {
    #[error("the virtual keys cannot be used together")]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error(transparent)]
    AuthService(#[from] AuthServiceError),
    #[error(transparent)]
    Unusable(#[from] Unusable),
    #[error("the file and the database do not go together: {}", list(.0))]
    Conflicts(Vec<ConfigIssue>),
    #[error("building it broke off")]
    Aborted,
}

/// What is kept while keys, tenants, policies and profiles change, of a file and a database that go together.
#[derive(Debug, Clone)]
pub(super) struct Fixed {
    file: Arc<Config>,
    config: Arc<Config>,
    catalog: Arc<Catalog>,
    routes: Arc<Table>,
    auth_service: Option<AuthService>,
}

impl Fixed {
    /// What `before` has, where neither the file nor what is compiled with it has changed; else compiled anew.
    ///
    /// # Errors
    /// [`SnapshotError::Conflicts`], [`SnapshotError::Provider`], [`SnapshotError::AuthService`].
    pub(super) fn of(
        before: Option<&Snapshot>,
        file: Arc<Config>,
        managed: &ManagedSet,
        secrets: &Secrets,
        dns: Dns,
    ) -> Result<Self, SnapshotError> {
        // What does not go together must not be compiled together.
        let conflicts = managed.conflicts(&file);
        if !conflicts.is_empty() {
            return Err(SnapshotError::Conflicts(conflicts));
        }
        match before.and_then(|before| Self::kept(before, &file, managed)) {
            Some(kept) => Ok(kept),
            None => Self::build(file, managed, secrets, dns),
        }
    }

    /// Compiles the file's settings, and the providers, models and routes of file and database together.
    fn build(
        file: Arc<Config>,
        managed: &ManagedSet,
        secrets: &Secrets,
        dns: Dns,
    ) -> Result<Self, SnapshotError> {
        let mut config = managed.effective(&file);
        if config.has_sealed_keys() {
            let unsealed = Arc::make_mut(&mut config);
            for warning in unsealed.unseal(&|context, sealed| secrets.open(context, sealed)) {
                tracing::warn!("{warning}");
            }
        }
        Ok(Self {
            catalog: Arc::new(Catalog::build(&config)?),
            routes: Arc::new(Table::build(
                &config.routes,
                &config.upstreams,
                config.admin.on_gateway,
            )),
            auth_service: AuthService::new(&config.auth_service, dns)?,
            config,
            file,
        })
    }

    fn kept(current: &Snapshot, file: &Arc<Config>, managed: &ManagedSet) -> Option<Self> {
        let same = Arc::ptr_eq(&current.file, file) && current.managed.compiles_like(managed);
        same.then(|| Self {
            file: Arc::clone(&current.file),
            config: Arc::clone(&current.config),
            catalog: Arc::clone(&current.rules.catalog),
            routes: Arc::clone(&current.routes),
            auth_service: current.auth_service.clone(),
        })
    }
}

impl Snapshot {
    /// Compiles a configuration together with what lives in the database. Nothing is in force by it. Accounts that are
    /// as in the tree `before` are taken over from there.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub(super) fn build(
        fixed: Fixed,
        managed: ManagedSet,
        (accounts, before): (&Accounts, &Tree),
    ) -> Result<Self, SnapshotError> {
        let config = fixed.config;
        let tenants = TenantIndex::new(all_tenants(&config, &managed));
        let (keys, tree) = compile_keys(&config, &managed, &tenants, (accounts, before))?;
        let declared = config.policies.iter();
        let policies: Vec<_> = declared
            .chain(managed.policies.iter().map(|policy| &policy.value))
            .cloned()
            .collect();
        let declared = config
            .gateway_configs
            .iter()
            .map(|profile| (&**profile, profile.revision));
        let made = managed.gateway_configs.iter().map(|profile| {
            let revision = u32::try_from(profile.resource.revision).unwrap_or(u32::MAX);
            (&*profile.value, revision)
        });
        Ok(Self {
            rules: Rules {
                keys,
                catalog: fixed.catalog,
                policies: Policies::build(&policies),
                profiles: Profiles::build(declared.chain(made)),
                external: fixed.auth_service.clone().map(|service| {
                    External::new(
                        service,
                        &config.auth_service,
                        all_tenants(&config, &managed).cloned().collect(),
                    )
                }),
                request_body_max_bytes: config.limits.request_body_max_bytes,
                auth_failures_per_minute_max: config.limits.auth_failures_per_minute_max,
                log_body_max_bytes: config
                    .telemetry
                    .log_bodies
                    .then_some(config.telemetry.log_body_max_bytes),
            },
            tenants,
            tree,
            routes: fixed.routes,
            auth_service: fixed.auth_service,
            managed,
            config,
            file: fixed.file,
        })
    }

    /// Compiles a configuration alone, as it would be with an empty database.
    ///
    /// # Errors
    /// [`SnapshotError`].
    pub fn of_file(config: Config) -> Result<Self, SnapshotError> {
        let dns = Dns::new(config.reliability.dns_ttl, Tasks::default());
        let options = AccountOptions {
            thresholds_percent: Vec::new(),
            sink: ThresholdSink::new(drop),
        };
        let accounts = Accounts::new(options, 0);
        let secrets = Secrets::new(&config.secrets);
        let managed = ManagedSet::default();
        let fixed = Fixed::of(None, Arc::new(config), &managed, &secrets, dns)?;
        Self::build(fixed, managed, (&accounts, &Tree::default()))
    }

    /// Every tenant that is declared, in the file or through the API.
    pub fn tenants(&self) -> &TenantIndex {
        &self.tenants
    }
}

/// Those of the file, then those of the database.
fn all_tenants<'s>(
    config: &'s Config,
    managed: &'s ManagedSet,
) -> impl Iterator<Item = &'s Arc<Tenant>> {
    let made = managed.tenants.iter().map(|tenant| &tenant.value);
    config.tenants.iter().chain(made)
}

fn compile_keys(
    config: &Config,
    managed: &ManagedSet,
    tenants: &TenantIndex,
    (accounts, before): (&Accounts, &Tree),
) -> Result<(Keys, Tree), KeysError> {
    let declared = config.api_keys.iter().map(|key| (key, Origin::Config));
    let made = managed.api_keys.iter().map(|key| (&key.value, Origin::Api));
    let all: Vec<(&Arc<ApiKey>, Origin, Arc<TenantContext>)> = declared
        .chain(made)
        .map(|(key, origin)| (key, origin, Arc::new(effective_context(key, tenants))))
        .collect();
    let tree = accounts.compile(
        all.iter().map(|(key, _, context)| KeyAccount {
            id: &key.id,
            tenants: context,
            limits: &key.limits,
        }),
        all_tenants(config, managed),
        before,
    );
    let keys = Keys::build(all.into_iter().map(|(key, origin, context)| KeySpec {
        declared: Arc::clone(key),
        origin,
        belongs: Belonging {
            disabled_by: switched_off(&context, tenants),
            path: tree.path(&key.id).cloned().unwrap_or_default(),
            tenant: context,
        },
    }))?;
    Ok((keys, tree))
}
