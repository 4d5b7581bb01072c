//! What can only be judged with all tenants, keys, policies and profiles at hand: those of the file, and the managed ones
//! that the admin API made.
//!
//! 1. A name, or a tenant's kind and id, is taken once.
//! 2. A parent is declared. (That its kind fits was seen when the tenant was read.)
//! 3. Once any tenant of a kind is declared, every tenant of that kind which a key or a policy names has to be.
//! 4. The tenants that a key names and those that their parents imply do not contradict each other.
//! 5. The keys that policies and profiles name are there.

use std::{borrow::Cow, sync::Arc};

use hashbrown::HashSet;

use super::{
    ApiKey, ConfigIssue, GatewayConfig, Policy, Tenant, TenantIndex, TenantKind, names,
    origins::Origin, reader::Section, tenants,
};

/// All that is in force together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Resources<'r> {
    pub file: ResourceSet<'r>,
    pub managed: ResourceSet<'r>,
}

/// What one side declares.
#[derive(Debug, Clone, Copy, Default)]
pub struct ResourceSet<'r> {
    pub tenants: &'r [Arc<Tenant>],
    pub api_keys: &'r [Arc<ApiKey>],
    pub policies: &'r [Arc<Policy>],
    pub gateway_configs: &'r [Arc<GatewayConfig>],
}

/// Everything that stands against these resources being in force together, file first.
///
/// The issues are without a place in a file; their keys are paths such as `api_keys[dev].team_id`, with the name of the
/// resource as the index.
pub fn cross_check(resources: &Resources<'_>) -> Vec<ConfigIssue> {
    let Resources { file, managed } = resources;
    let both = [file, managed];
    let tenants = TenantIndex::new(both.iter().flat_map(|side| side.tenants));
    let mut keys = HashSet::with_capacity(file.api_keys.len() + managed.api_keys.len());
    for side in both {
        keys.extend(side.api_keys.iter().map(|key| &*key.id));
    }
    let mut report = Report::default();
    for side in both {
        for tenant in side.tenants {
            tenant_problems(tenant, &tenants, &mut report.problems);
            report.collect(&**tenant);
        }
        for key in side.api_keys {
            key_problems(key, &tenants, &mut report.problems);
            report.collect(&**key);
        }
        for policy in side.policies {
            policy_problems(policy, &tenants, &mut report.problems);
            dangling_keys(&policy.api_key_ids, &keys, &mut report.problems);
            report.collect(&**policy);
        }
        for profile in side.gateway_configs {
            dangling_keys(&profile.api_key_ids, &keys, &mut report.problems);
            report.collect(&**profile);
        }
    }
    doubled(file.tenants, managed.tenants, &mut report);
    doubled(file.api_keys, managed.api_keys, &mut report);
    doubled(file.policies, managed.policies, &mut report);
    doubled(file.gateway_configs, managed.gateway_configs, &mut report);
    report.issues
}

/// What is wrong with one resource, and at which of its keys.
pub(super) struct Problem {
    key: &'static str,
    /// In a list.
    item: Option<usize>,
    message: String,
}

impl Problem {
    pub(super) fn new(key: &'static str, message: String) -> Self {
        Self {
            key,
            item: None,
            message,
        }
    }
}

#[derive(Default)]
struct Report {
    issues: Vec<ConfigIssue>,
    /// Of the resource that is looked at.
    problems: Vec<Problem>,
}

impl Report {
    fn collect<R: Resource>(&mut self, resource: &R) {
        let issues = self.problems.drain(..).map(|problem| {
            let key = match problem.item {
                Some(item) => format!("{}[{item}]", problem.key),
                None => problem.key.to_owned(),
            };
            let path = format!("{}[{}].{key}", R::SECTION, resource.name());
            ConfigIssue::without_place(path, problem.message)
        });
        self.issues.extend(issues);
    }
}

/// The tables of the file, as far as they could be read, with their places.
pub(super) struct Declared<'i, T> {
    resources: Vec<(Arc<T>, Origin<'i>)>,
    /// Whether every table could be read.
    complete: bool,
}

impl<'i, T> Declared<'i, T> {
    /// Reads each table of `[[key]]`.
    pub(super) fn read(
        root: &mut Section<'_, 'i>,
        key: &'static str,
        later: &'static [&'static str],
        mut read: impl FnMut(&mut Section<'_, 'i>) -> Option<T>,
    ) -> Self {
        let mut complete = true;
        let resources = root.sections(key, later, |section| {
            let origin = section.origin();
            let resource = read(section);
            complete &= resource.is_some();
            resource.map(|resource| (Arc::new(resource), origin))
        });
        Self {
            resources,
            complete,
        }
    }

    pub(super) fn resources(&self) -> impl Iterator<Item = &Arc<T>> {
        self.resources.iter().map(|(resource, _)| resource)
    }

    pub(super) fn into_resources(self) -> Vec<Arc<T>> {
        let resources = self.resources.into_iter();
        resources.map(|(resource, _)| resource).collect()
    }

    fn report(&self, section: &mut Section<'_, '_>, check: impl Fn(&T, &mut Vec<Problem>)) {
        let mut problems = Vec::new();
        for (resource, origin) in &self.resources {
            check(resource, &mut problems);
            for problem in problems.drain(..) {
                let place = match problem.item {
                    Some(item) => origin.place_of_item(problem.key, item),
                    None => origin.place_of(problem.key),
                };
                section.absence(&place, problem.message);
            }
        }
    }
}

/// Checks what the file declares against what the file declares. Whatever the admin API made, a file has to be valid by
/// itself. Doubled names, and keys that are not there, were found while it was read.
pub(super) fn check_file(
    root: &mut Section<'_, '_>,
    tenants: &Declared<'_, Tenant>,
    api_keys: &Declared<'_, ApiKey>,
    policies: &Declared<'_, Policy>,
) {
    // The one that somebody refers to may be the one that could not be read, and that is an error already.
    if !tenants.complete {
        return;
    }
    let index = TenantIndex::new(tenants.resources());
    tenants.report(root, |tenant, problems| {
        tenant_problems(tenant, &index, problems);
    });
    api_keys.report(root, |key, problems| key_problems(key, &index, problems));
    policies.report(root, |policy, problems| {
        policy_problems(policy, &index, problems);
    });
}

fn tenant_problems(tenant: &Tenant, tenants: &TenantIndex<'_>, problems: &mut Vec<Problem>) {
    let Some(parent) = &tenant.parent else {
        return;
    };
    if tenants.get(parent.kind, &parent.id).is_none() {
        let message = undeclared(parent.kind, &parent.id, tenants);
        problems.push(Problem::new("parent", message));
    }
}

fn key_problems(key: &ApiKey, tenants: &TenantIndex<'_>, problems: &mut Vec<Problem>) {
    for kind in TenantKind::ALL {
        if let Some(id) = key.tenant(kind)
            && is_undeclared(kind, id, tenants)
        {
            problems.push(Problem::new(kind.key(), undeclared(kind, id, tenants)));
        }
    }
    tenants::contradictions(key, tenants, problems);
}

fn policy_problems(policy: &Policy, tenants: &TenantIndex<'_>, problems: &mut Vec<Problem>) {
    for kind in TenantKind::ALL {
        for (item, id) in policy.tenants(kind).iter().enumerate() {
            if is_undeclared(kind, id, tenants) {
                problems.push(Problem {
                    key: kind.list_key(),
                    item: Some(item),
                    message: undeclared(kind, id, tenants),
                });
            }
        }
    }
}

fn dangling_keys(ids: &[Arc<str>], keys: &HashSet<&str>, problems: &mut Vec<Problem>) {
    for (item, id) in ids.iter().enumerate() {
        if !keys.contains(&**id) {
            problems.push(Problem {
                key: "api_key_ids",
                item: Some(item),
                message: names::dangling("key", id, keys.iter().copied()),
            });
        }
    }
}

fn is_undeclared(kind: TenantKind, id: &str, tenants: &TenantIndex<'_>) -> bool {
    tenants.declares(kind) && tenants.get(kind, id).is_none()
}

fn undeclared(kind: TenantKind, id: &str, tenants: &TenantIndex<'_>) -> String {
    names::dangling(kind.as_str(), id, tenants.ids(kind))
}

/// A managed resource never takes the place of one in the file, nor the other way round.
fn doubled<R: Resource>(file: &[Arc<R>], managed: &[Arc<R>], report: &mut Report) {
    let file: HashSet<_> = file.iter().map(|resource| resource.name()).collect();
    for resource in managed {
        if file.contains(&resource.name()) {
            let message = "the configuration file declares one with this name".to_owned();
            report.problems.push(Problem::new(R::NAME_KEY, message));
            report.collect(&**resource);
        }
    }
}

/// What is told apart by a name.
trait Resource {
    /// The section of the file.
    const SECTION: &'static str;
    /// The key that holds the name.
    const NAME_KEY: &'static str;

    fn name(&self) -> Cow<'_, str>;
}

impl Resource for Tenant {
    const SECTION: &'static str = "tenants";
    const NAME_KEY: &'static str = "id";

    fn name(&self) -> Cow<'_, str> {
        self.reference().to_string().into()
    }
}

impl Resource for ApiKey {
    const SECTION: &'static str = "api_keys";
    const NAME_KEY: &'static str = "id";

    fn name(&self) -> Cow<'_, str> {
        (&*self.id).into()
    }
}

impl Resource for Policy {
    const SECTION: &'static str = "policies";
    const NAME_KEY: &'static str = "name";

    fn name(&self) -> Cow<'_, str> {
        (&*self.name).into()
    }
}

impl Resource for GatewayConfig {
    const SECTION: &'static str = "gateway_configs";
    const NAME_KEY: &'static str = "id";

    fn name(&self) -> Cow<'_, str> {
        (&*self.id).into()
    }
}
