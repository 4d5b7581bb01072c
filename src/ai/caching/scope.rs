//! Who shares cached answers: the first fields of every identity, so that two tenants never find each other's.

use ferrogate_api::TenantContext;

use crate::cache::IdentityWriter;
use crate::config::CacheScope;

/// Who asks, and who they share with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sharing<'s> {
    pub(super) scope: CacheScope,
    pub(super) key_id: &'s str,
    pub(super) tenant: &'s TenantContext,
}

impl Sharing<'_> {
    /// Whether another key may find what this one leaves. A key without the tenant that the scope names shares with
    /// nobody.
    pub(super) fn is_shared(&self) -> bool {
        match self.scope {
            CacheScope::Key => false,
            CacheScope::Project => self.tenant.project_id.is_some(),
            CacheScope::Organization => self.tenant.organization_id.is_some(),
            CacheScope::Global => true,
        }
    }

    /// Writes the tenant that shares, with all that it belongs to: two projects of one name in two organizations are two.
    pub(super) fn write(&self, writer: &mut IdentityWriter) {
        let TenantContext {
            organization_id,
            team_id,
            project_id,
            user_id: _,
        } = self.tenant;
        let (kind, ids) = match self.scope {
            _ if !self.is_shared() => ("key", [Some(self.key_id), None, None]),
            CacheScope::Key => ("key", [Some(self.key_id), None, None]),
            CacheScope::Project => (
                "project",
                [organization_id, team_id, project_id].map(Option::as_deref),
            ),
            CacheScope::Organization => ("organization", [organization_id.as_deref(), None, None]),
            CacheScope::Global => ("global", [None; 3]),
        };
        writer.field(kind.as_bytes());
        for id in ids {
            writer.optional(id.map(str::as_bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::cache::Cache;
    use crate::clock::Clock;
    use crate::config;

    fn tenant(organization: &str, team: &str, project: &str, user: &str) -> TenantContext {
        let id = |id: &str| (!id.is_empty()).then(|| Arc::from(id));
        TenantContext {
            organization_id: id(organization),
            team_id: id(team),
            project_id: id(project),
            user_id: id(user),
        }
    }

    fn shares(scope: CacheScope, one: (&str, TenantContext), other: (&str, TenantContext)) -> bool {
        let config = config::Cache {
            enabled: true,
            ttl: std::time::Duration::from_secs(1),
            max_records: 1,
            max_bytes: 1 << 20,
            max_entry_bytes: 1 << 20,
            scope,
            persist: false,
            single_flight_wait: std::time::Duration::ZERO,
        };
        let cache = Cache::new(&config, Clock::manual(0), None);
        let identity = |(key_id, tenant): &(&str, TenantContext)| {
            let mut writer = IdentityWriter::new(0);
            let sharing = Sharing {
                scope,
                key_id,
                tenant,
            };
            sharing.write(&mut writer);
            cache.identify(writer).unwrap()
        };
        identity(&one) == identity(&other)
    }

    #[test]
    fn only_those_share_whom_the_scope_joins() {
        use CacheScope::{Global, Key, Organization, Project};
        let acme = || tenant("acme", "", "web", "");
        let check = |scope, one, other, expected| {
            let what = format!("{scope:?} {one:?} {other:?}");
            assert_eq!(shares(scope, one, other), expected, "{what}");
        };
        check(Key, ("a", acme()), ("a", acme()), true);
        check(Key, ("a", acme()), ("b", acme()), false);
        check(Project, ("a", acme()), ("b", acme()), true);
        check(
            Project,
            ("a", acme()),
            ("b", tenant("acme", "", "shop", "")),
            false,
        );
        // The same name elsewhere, and a key that names no organization.
        check(
            Project,
            ("a", acme()),
            ("b", tenant("umbrella", "", "web", "")),
            false,
        );
        check(
            Project,
            ("a", acme()),
            ("b", tenant("", "", "web", "")),
            false,
        );
        check(
            Project,
            ("a", acme()),
            ("b", tenant("acme", "red", "web", "")),
            false,
        );
        // A user is within the project.
        check(
            Project,
            ("a", acme()),
            ("b", tenant("acme", "", "web", "eve")),
            true,
        );
        check(
            Project,
            ("a", tenant("acme", "", "", "")),
            ("b", tenant("acme", "", "", "")),
            false,
        );
        check(
            Project,
            ("a", tenant("acme", "", "", "")),
            ("a", tenant("acme", "", "", "")),
            true,
        );
        check(
            Organization,
            ("a", acme()),
            ("b", tenant("acme", "red", "shop", "")),
            true,
        );
        check(
            Organization,
            ("a", acme()),
            ("b", tenant("umbrella", "", "web", "")),
            false,
        );
        check(
            Organization,
            ("a", tenant("", "", "", "")),
            ("b", tenant("", "", "", "")),
            false,
        );
        check(Global, ("a", acme()), ("b", tenant("", "", "", "")), true);
        // A key, a project and an organization of one name.
        check(
            Project,
            ("web", tenant("", "", "", "")),
            ("b", tenant("", "", "web", "")),
            false,
        );
        check(
            Organization,
            ("acme", tenant("", "", "", "")),
            ("b", acme()),
            false,
        );
    }
}
