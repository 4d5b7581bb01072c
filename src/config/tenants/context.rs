//! To whom a key belongs: the tenants it names, and those that their declared parents imply.
//!
//! A key that names `user:ada`, whose parent is `team:search` of `organization:acme`, belongs to all three. Where names
//! and parents say two different things, the configuration is refused; so the order of the steps here decides nothing.

use std::sync::Arc;

use ferrogate_api::TenantContext;

use super::{
    super::{ApiKey, cross_check::Problem},
    Tenant, TenantIndex, TenantKind, TenantRef,
};

/// The tenants that a key belongs to. Those that nobody declared have no parents, so they add nothing.
pub fn effective_context(key: &ApiKey, tenants: &TenantIndex) -> TenantContext {
    walk(Chain::of_key(key), tenants, |_| ()).context()
}

/// These tenants, and those that their declared parents imply.
pub fn with_parents(context: &TenantContext, tenants: &TenantIndex) -> TenantContext {
    walk(Chain::of(context), tenants, |_| ()).context()
}

/// Where a key names, or implies, two different tenants of one kind.
pub(in crate::config) fn contradictions(
    key: &ApiKey,
    tenants: &TenantIndex,
    problems: &mut Vec<Problem>,
) {
    walk(Chain::of_key(key), tenants, |contradiction| {
        problems.push(contradiction.problem(key));
    });
}

/// The ids that are known so far.
struct Chain<'c> {
    organization: Option<&'c Arc<str>>,
    team: Option<&'c Arc<str>>,
    project: Option<&'c Arc<str>>,
    user: Option<&'c Arc<str>>,
}

/// A tenant whose declared parent is not the one that the key belongs to.
struct Contradiction<'c> {
    child: &'c Tenant,
    parent: &'c TenantRef,
    /// Of the parent's kind, from the key or from another parent.
    other: &'c Arc<str>,
}

/// From the narrowest kind to the widest: what one step implies, the next one goes on from.
fn walk<'c>(
    mut chain: Chain<'c>,
    tenants: &'c TenantIndex,
    mut report: impl FnMut(Contradiction<'c>),
) -> Chain<'c> {
    for kind in [TenantKind::User, TenantKind::Project, TenantKind::Team] {
        let id = *chain.slot(kind);
        let Some(child) = id.and_then(|id| tenants.get(kind, id)) else {
            continue;
        };
        let Some(parent) = &child.parent else {
            continue;
        };
        match chain.slot(parent.kind) {
            slot @ None => *slot = Some(&parent.id),
            Some(other) if **other == parent.id => (),
            Some(other) => report(Contradiction {
                child,
                parent,
                other,
            }),
        }
    }
    chain
}

impl<'c> Chain<'c> {
    fn of_key(key: &'c ApiKey) -> Self {
        Self {
            organization: key.organization_id.as_ref(),
            team: key.team_id.as_ref(),
            project: key.project_id.as_ref(),
            user: key.user_id.as_ref(),
        }
    }

    fn of(context: &'c TenantContext) -> Self {
        Self {
            organization: context.organization_id.as_ref(),
            team: context.team_id.as_ref(),
            project: context.project_id.as_ref(),
            user: context.user_id.as_ref(),
        }
    }

    fn context(self) -> TenantContext {
        TenantContext {
            organization_id: self.organization.cloned(),
            team_id: self.team.cloned(),
            project_id: self.project.cloned(),
            user_id: self.user.cloned(),
        }
    }

    fn slot(&mut self, kind: TenantKind) -> &mut Option<&'c Arc<str>> {
        match kind {
            TenantKind::Organization => &mut self.organization,
            TenantKind::Team => &mut self.team,
            TenantKind::Project => &mut self.project,
            TenantKind::User => &mut self.user,
        }
    }
}

impl Contradiction<'_> {
    /// At the key that names the wider tenant, else at the one that names the narrower, else at the user, who alone can
    /// imply both.
    fn problem(&self, key: &ApiKey) -> Problem {
        let at = [self.parent.kind, self.child.kind]
            .into_iter()
            .find(|kind| key.tenant(*kind).is_some())
            .unwrap_or(TenantKind::User);
        let (child, parent) = (self.child.reference(), self.parent);
        let (kind, other) = (parent.kind.as_str(), self.other);
        Problem::new(
            at.key(),
            format!("`{child}` belongs to `{parent}`, but this key to `{kind}:{other}`"),
        )
    }
}
