//! The declared tenants by kind and id.

use std::sync::Arc;

use hashbrown::HashMap;

use super::{Tenant, TenantKind};

/// The declared tenants, found by kind and id. The first of two with the same id counts.
#[derive(Debug, Default)]
pub struct TenantIndex {
    by_id: [HashMap<Arc<str>, Arc<Tenant>>; 4],
}

impl TenantIndex {
    pub fn new<'t>(tenants: impl IntoIterator<Item = &'t Arc<Tenant>>) -> Self {
        let mut index = Self::default();
        for tenant in tenants {
            let [organizations, teams, projects, users] = &mut index.by_id;
            let of_kind = match tenant.kind {
                TenantKind::Organization => organizations,
                TenantKind::Team => teams,
                TenantKind::Project => projects,
                TenantKind::User => users,
            };
            of_kind
                .entry(Arc::clone(&tenant.id))
                .or_insert_with(|| Arc::clone(tenant));
        }
        index
    }

    pub fn get(&self, kind: TenantKind, id: &str) -> Option<&Arc<Tenant>> {
        self.of_kind(kind).get(id)
    }

    /// Whether any tenant of this kind is declared. If so, all that keys name have to be.
    pub fn declares(&self, kind: TenantKind) -> bool {
        !self.of_kind(kind).is_empty()
    }

    pub(in crate::config) fn ids(&self, kind: TenantKind) -> impl Iterator<Item = &str> + Clone {
        self.of_kind(kind).keys().map(|id| &**id)
    }

    fn of_kind(&self, kind: TenantKind) -> &HashMap<Arc<str>, Arc<Tenant>> {
        let [organizations, teams, projects, users] = &self.by_id;
        match kind {
            TenantKind::Organization => organizations,
            TenantKind::Team => teams,
            TenantKind::Project => projects,
            TenantKind::User => users,
        }
    }
}
