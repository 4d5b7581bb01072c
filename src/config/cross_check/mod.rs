//! What can only be judged with everything at hand: what the file declares, and what the admin API made.
//!
//! 1. A name, or a tenant's kind and id, is taken once.
//! 2. A parent is declared. (That its kind fits was seen when the tenant was read.)
//! 3. Once any tenant of a kind is declared, every tenant of that kind which a key or a policy names has to be.
//! 4. The tenants that a key names and those that their parents imply do not contradict each other.
//! 5. The keys that policies, profiles and alerts name are there, and so are the accounts of alerts.
//! 6. What managed resources name among models, providers and upstreams is there. The file names only what it declares
//!    itself, which was seen when it was read.
//! 7. There are no more alerts than `[alerting] alerts_max`.

mod named;
mod references;
mod report;

use std::{borrow::Borrow, sync::Arc};

use hashbrown::HashSet;

pub(super) use self::report::{Declared, Problem};
use self::{named::Named, references::Targets, report::Report};

use super::{
    Alert, Alerting, ApiKey, ConfigIssue, GatewayConfig, McpServer, Model, Policy, Provider, Route,
    Tenant, TenantIndex, TenantKind, Upstream, names, reader::Section, tenants,
};

/// All that is in force together.
#[derive(Debug, Clone, Copy)]
pub struct Resources<'r> {
    pub file: FileResources<'r>,
    pub managed: ResourceSet<'r>,
}

/// What the file declares: see [`super::Config::resources`].
#[derive(Debug, Clone, Copy)]
pub struct FileResources<'r> {
    pub(super) tenants: &'r [Arc<Tenant>],
    pub(super) api_keys: &'r [Arc<ApiKey>],
    pub(super) policies: &'r [Arc<Policy>],
    pub(super) gateway_configs: &'r [Arc<GatewayConfig>],
    pub(super) providers: &'r [Provider],
    pub(super) models: &'r [Model],
    pub(super) upstreams: &'r [Upstream],
    pub(super) routes: &'r [Route],
    pub(super) mcp_servers: &'r [Arc<McpServer>],
    pub(super) alerts: &'r [Arc<Alert>],
    pub(super) alerts_max: usize,
}

/// What the admin API made.
#[derive(Debug, Clone, Copy, Default)]
pub struct ResourceSet<'r> {
    pub tenants: &'r [Arc<Tenant>],
    pub api_keys: &'r [Arc<ApiKey>],
    pub policies: &'r [Arc<Policy>],
    pub gateway_configs: &'r [Arc<GatewayConfig>],
    pub providers: &'r [Arc<Provider>],
    pub models: &'r [Arc<Model>],
    pub upstreams: &'r [Arc<Upstream>],
    pub routes: &'r [Arc<Route>],
    pub mcp_servers: &'r [Arc<McpServer>],
    pub alerts: &'r [Arc<Alert>],
}

/// Everything that stands against these resources being in force together: kind by kind, the file's first.
///
/// The issues are without a place in a file; their keys are paths such as `api_keys[dev].team_id`, with the name of the
/// resource as the index.
pub fn cross_check(resources: &Resources<'_>) -> Vec<ConfigIssue> {
    let Resources { file, managed } = resources;
    let tenants = TenantIndex::new(file.tenants.iter().chain(managed.tenants));
    let api_keys = file.api_keys.iter().chain(managed.api_keys);
    let keys: HashSet<&str> = api_keys.map(|key| &*key.id).collect();
    let mut report = Report::default();
    for tenant in file.tenants.iter().chain(managed.tenants) {
        tenant_problems(tenant, &tenants, &mut report.problems);
        report.collect(&**tenant);
    }
    for key in file.api_keys.iter().chain(managed.api_keys) {
        key_problems(key, &tenants, &mut report.problems);
        report.collect(&**key);
    }
    for policy in file.policies.iter().chain(managed.policies) {
        policy_problems(policy, &tenants, &mut report.problems);
        dangling_keys(&policy.api_key_ids, &keys, &mut report.problems);
        report.collect(&**policy);
    }
    for profile in file.gateway_configs.iter().chain(managed.gateway_configs) {
        dangling_keys(&profile.api_key_ids, &keys, &mut report.problems);
        report.collect(&**profile);
    }
    for alert in file.alerts.iter().chain(managed.alerts) {
        alert_problems(alert, (&tenants, &keys), &mut report.problems);
        report.collect(&**alert);
    }
    let alerts = file.alerts.len() + managed.alerts.len();
    if let Some(message) = Alerting::too_many(alerts, file.alerts_max) {
        let key = "alerts".to_owned();
        report.issues.push(ConfigIssue::without_place(key, message));
    }
    Targets::of(resources).check(managed, &mut report);
    doubled(file.tenants, managed.tenants, &mut report);
    doubled(file.api_keys, managed.api_keys, &mut report);
    doubled(file.policies, managed.policies, &mut report);
    doubled(file.gateway_configs, managed.gateway_configs, &mut report);
    doubled(file.providers, managed.providers, &mut report);
    doubled(file.models, managed.models, &mut report);
    doubled(file.upstreams, managed.upstreams, &mut report);
    doubled(file.routes, managed.routes, &mut report);
    doubled(file.mcp_servers, managed.mcp_servers, &mut report);
    doubled(file.alerts, managed.alerts, &mut report);
    report.issues
}

/// Checks what the file declares against what the file declares. Whatever the admin API made, a file has to be valid by
/// itself. Doubled names, and keys that are not there, were found while it was read.
pub(super) fn check_file(root: &mut Section<'_, '_>, declared: &Governing<'_, '_>) {
    // The one that somebody refers to may be the one that could not be read, and that is an error already.
    if !declared.tenants.complete {
        return;
    }
    let index = TenantIndex::new(declared.tenants.resources());
    declared.tenants.report(root, |tenant, problems| {
        tenant_problems(tenant, &index, problems);
    });
    let api_keys = declared.api_keys;
    api_keys.report(root, |key, problems| key_problems(key, &index, problems));
    declared.policies.report(root, |policy, problems| {
        policy_problems(policy, &index, problems);
    });
    if api_keys.complete {
        let keys = api_keys.resources().map(|key| &*key.id).collect();
        declared.alerts.report(root, |alert, problems| {
            account_problems(alert, (&index, &keys), problems);
        });
    }
}

/// The tables of the file that refer to each other.
pub(super) struct Governing<'d, 'i> {
    pub(super) tenants: &'d Declared<'i, Tenant>,
    pub(super) api_keys: &'d Declared<'i, ApiKey>,
    pub(super) policies: &'d Declared<'i, Policy>,
    pub(super) alerts: &'d Declared<'i, Alert>,
}

fn tenant_problems(tenant: &Tenant, tenants: &TenantIndex, problems: &mut Vec<Problem>) {
    let Some(parent) = &tenant.parent else {
        return;
    };
    if tenants.get(parent.kind, &parent.id).is_none() {
        let message = undeclared(parent.kind, &parent.id, tenants);
        problems.push(Problem::new("parent", message));
    }
}

fn key_problems(key: &ApiKey, tenants: &TenantIndex, problems: &mut Vec<Problem>) {
    for kind in TenantKind::ALL {
        if let Some(id) = key.tenant(kind)
            && is_undeclared(kind, id, tenants)
        {
            problems.push(Problem::new(kind.key(), undeclared(kind, id, tenants)));
        }
    }
    tenants::contradictions(key, tenants, problems);
}

fn policy_problems(policy: &Policy, tenants: &TenantIndex, problems: &mut Vec<Problem>) {
    for kind in TenantKind::ALL {
        for (item, id) in policy.tenants(kind).iter().enumerate() {
            if is_undeclared(kind, id, tenants) {
                let message = undeclared(kind, id, tenants);
                problems.push(Problem::of_item(kind.list_key(), item, message));
            }
        }
    }
}

fn dangling_keys(ids: &[Arc<str>], keys: &HashSet<&str>, problems: &mut Vec<Problem>) {
    for (item, id) in ids.iter().enumerate() {
        if !keys.contains(&**id) {
            problems.push(Problem::of_item("api_key_ids", item, no_key(id, keys)));
        }
    }
}

fn alert_problems(
    alert: &Alert,
    (tenants, keys): (&TenantIndex, &HashSet<&str>),
    problems: &mut Vec<Problem>,
) {
    if let Some(id) = &alert.scope.api_key
        && !keys.contains(&**id)
    {
        problems.push(Problem::new("api_key", no_key(id, keys)));
    }
    account_problems(alert, (tenants, keys), problems);
}

fn account_problems(
    alert: &Alert,
    (tenants, keys): (&TenantIndex, &HashSet<&str>),
    problems: &mut Vec<Problem>,
) {
    let Some(account) = &alert.scope.account else {
        return;
    };
    let mut kinds = TenantKind::ALL.into_iter();
    let message = match kinds.find(|kind| kind.account() == account.kind) {
        Some(kind) if is_undeclared(kind, &account.id, tenants) => {
            undeclared(kind, &account.id, tenants)
        }
        None if !keys.contains(&*account.id) => no_key(&account.id, keys),
        Some(_) | None => return,
    };
    problems.push(Problem::new("account", message));
}

fn no_key(id: &str, keys: &HashSet<&str>) -> String {
    names::dangling("key", id, keys.iter().copied())
}

fn is_undeclared(kind: TenantKind, id: &str, tenants: &TenantIndex) -> bool {
    tenants.declares(kind) && tenants.get(kind, id).is_none()
}

fn undeclared(kind: TenantKind, id: &str, tenants: &TenantIndex) -> String {
    names::dangling(kind.as_str(), id, tenants.ids(kind))
}

/// A managed resource never takes the place of one in the file, nor the other way round.
fn doubled<R: Named, F: Borrow<R>>(file: &[F], managed: &[Arc<R>], report: &mut Report) {
    if managed.is_empty() {
        return;
    }
    let file: HashSet<_> = file
        .iter()
        .map(|declared| declared.borrow().name())
        .collect();
    for resource in managed {
        if file.contains(&resource.name()) {
            let message = "the configuration file declares one with this name".to_owned();
            report.problems.push(Problem::new(R::NAME_KEY, message));
            report.collect(&**resource);
        }
    }
}
