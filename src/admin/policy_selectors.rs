//! Whose requests a policy is about, after a write or as it stands.

use std::sync::Arc;

use ferrogate_api::TenantContext;
use serde_json::{Map, Value};

use super::realm::{declared_context, tenant_context};
use crate::config::{self, TenantKind};
use crate::gateway::Snapshot;

/// A policy's lists of tenants and keys.
#[derive(Debug, Default)]
pub(super) struct PolicySelectors {
    tenants: [Vec<Arc<str>>; 4],
    api_keys: Vec<Arc<str>>,
}

impl PolicySelectors {
    pub(super) fn of(policy: &config::Policy) -> Self {
        Self {
            tenants: TenantKind::ALL.map(|kind| policy.tenants(kind).to_vec()),
            api_keys: policy.api_key_ids.clone(),
        }
    }

    /// After a write; `before` stands for what the document leaves out. What is no list is refused later.
    pub(super) fn after(document: &Map<String, Value>, before: Option<&config::Policy>) -> Self {
        let before = before.map(Self::of).unwrap_or_default();
        let list = |field: &str, before: Vec<Arc<str>>| match document.get(field) {
            None => before,
            Some(value) => {
                let names = value.as_array().into_iter().flatten();
                names.filter_map(Value::as_str).map(Arc::from).collect()
            }
        };
        let [organizations, teams, projects, users] = before.tenants;
        Self {
            tenants: [
                list(TenantKind::Organization.list_key(), organizations),
                list(TenantKind::Team.list_key(), teams),
                list(TenantKind::Project.list_key(), projects),
                list(TenantKind::User.list_key(), users),
            ],
            api_keys: list("api_key_ids", before.api_keys),
        }
    }

    /// For each list, to whom its members belong. A key that is not there belongs to nobody.
    pub(super) fn contexts(&self, snapshot: &Snapshot) -> [Vec<TenantContext>; 5] {
        let index = snapshot.tenants();
        let of_kind = |kind: TenantKind, ids: &[Arc<str>]| -> Vec<TenantContext> {
            let context = |id: &Arc<str>| {
                declared_context((kind, id), index)
                    .unwrap_or_else(|| tenant_context((kind, id), None, index))
            };
            ids.iter().map(context).collect()
        };
        let [organizations, teams, projects, users] = &self.tenants;
        let keys = self.api_keys.iter().map(|id| {
            let key = snapshot.rules.keys.get(id);
            key.map(|key| (**key.tenant()).clone()).unwrap_or_default()
        });
        [
            of_kind(TenantKind::Organization, organizations),
            of_kind(TenantKind::Team, teams),
            of_kind(TenantKind::Project, projects),
            of_kind(TenantKind::User, users),
            keys.collect(),
        ]
    }
}
