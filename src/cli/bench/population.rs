//! Who is governed: ten thousand keys of users, projects, teams and organizations, all of which have limits and
//! budgets, and a thousand policies.
//!
//! No limit is ever met and no policy ever refuses, so that what they cost is all that is seen of them. Every request
//! has policies that could be meant for it and turn out not to be.

use serde_json::{Value, json};

use super::{
    dialect::Dialect,
    pairs,
    setup::{key_hash, model_name, random_key},
};
use crate::config::TenantKind;
use crate::store::ResourceKind;

pub(super) const KEYS: usize = 10_000;
pub(super) const POLICIES: usize = 1_000;
const USERS: usize = 1_000;
const PROJECTS: usize = 200;
const TEAMS: usize = 100;
const ORGANIZATIONS: usize = 50;
pub(super) const TENANTS: usize = USERS + PROJECTS + TEAMS + ORGANIZATIONS;
/// One in tokens and one in money, for each account.
pub(super) const BUDGETS: usize = 2 * (KEYS + TENANTS);

/// More than any request of the benchmark is estimated to need.
const TOKENS_OF_NO_REQUEST: u64 = 1_000_000;

/// The keys' secrets, and everything that is declared about them.
#[derive(Debug)]
pub(super) struct Population {
    secrets: Vec<String>,
}

/// One row of the database: its kind, its name, and what a table of the configuration would say.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Declared {
    pub(super) kind: ResourceKind,
    pub(super) id: String,
    pub(super) document: Value,
}

impl Population {
    pub(super) fn new() -> anyhow::Result<Self> {
        Self::of(KEYS)
    }

    /// One with so many keys.
    pub(super) fn of(keys: usize) -> anyhow::Result<Self> {
        let secrets = (0..keys).map(|_| random_key()).collect::<Result<_, _>>()?;
        Ok(Self { secrets })
    }

    pub(super) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.secrets.iter().map(String::as_str)
    }

    /// The keys alone, without anything to count.
    pub(super) fn bare(&self) -> Vec<Declared> {
        let keys = self.secrets.iter().enumerate();
        keys.map(|(index, secret)| {
            let id = key_id(index);
            Declared {
                kind: ResourceKind::ApiKey,
                document: json!({"id": id, "key_hash": key_hash(secret)}),
                id,
            }
        })
        .collect()
    }

    /// Parents first: each of these refers to nothing but what stands before it.
    pub(super) fn declared(&self) -> Vec<Declared> {
        let mut declared = Vec::with_capacity(TENANTS + self.secrets.len() + POLICIES);
        declared.extend((0..ORGANIZATIONS).map(|index| tenant(TenantKind::Organization, index)));
        declared.extend((0..TEAMS).map(|index| tenant(TenantKind::Team, index)));
        declared.extend((0..PROJECTS).map(|index| tenant(TenantKind::Project, index)));
        declared.extend((0..USERS).map(|index| tenant(TenantKind::User, index)));
        let keys = self.secrets.iter().enumerate();
        declared.extend(keys.map(|(index, secret)| key(index, secret)));
        declared.extend((0..POLICIES).map(policy));
        declared
    }
}

/// What the key with this number is called.
pub(super) fn key_id(index: usize) -> String {
    format!("key-{index:05}")
}

/// What the tenant is called that number `index` of the keys belongs to. Numbers wrap around, so that each has its share.
fn tenant_id(kind: TenantKind, index: usize) -> String {
    let count = match kind {
        TenantKind::Organization => ORGANIZATIONS,
        TenantKind::Team => TEAMS,
        TenantKind::Project => PROJECTS,
        TenantKind::User => USERS,
    };
    format!("{}-{:04}", kind.as_str(), index % count)
}

fn tenant(kind: TenantKind, index: usize) -> Declared {
    let parent = match kind {
        TenantKind::Organization => None,
        TenantKind::Team | TenantKind::Project => Some(TenantKind::Organization),
        TenantKind::User => Some(TenantKind::Project),
    };
    let id = tenant_id(kind, index);
    let mut document = json!({"kind": kind.as_str(), "id": id});
    if let Some(parent) = parent {
        document["parent"] = format!("{}:{}", parent.as_str(), tenant_id(parent, index)).into();
    }
    govern(&mut document);
    Declared {
        kind: ResourceKind::Tenant,
        id: format!("{}:{id}", kind.as_str()),
        document,
    }
}

fn key(index: usize, secret: &str) -> Declared {
    let id = key_id(index);
    let mut document = json!({
        "id": id,
        "key_hash": key_hash(secret),
        "organization_id": tenant_id(TenantKind::Organization, index),
        "team_id": tenant_id(TenantKind::Team, index),
        "project_id": tenant_id(TenantKind::Project, index),
        "user_id": tenant_id(TenantKind::User, index),
    });
    govern(&mut document);
    Declared {
        kind: ResourceKind::ApiKey,
        id,
        document,
    }
}

/// Every limit there is, and a budget in each unit: counted with every request, and never met.
fn govern(document: &mut Value) {
    document["request_limit_per_minute"] = 1_000_000_000_u64.into();
    document["token_limit_per_minute"] = 1_000_000_000_000_u64.into();
    document["concurrency_limit"] = 1_000_000.into();
    document["budgets"] = json!([
        {"tokens": 1_000_000_000_000_000_i64, "period": "month"},
        {"money": "1000000000", "period": "day", "time_zone": "Europe/Berlin"},
    ]);
}

/// Of ten policies each, four name organizations, two name keys, and one each projects, teams, users and a model that
/// is asked for. All of them are about something else that the benchmark never does.
fn policy(index: usize) -> Declared {
    let never_streamed = json!({"streaming": true});
    let never_so_long = json!({"estimated_tokens_above": TOKENS_OF_NO_REQUEST});
    let never_so_dear = json!({"estimated_cost_above": "1000000"});
    let unasked = pairs::gateway_model(Dialect::Gemini);
    let of = |kind: TenantKind| json!([tenant_id(kind, index / 10)]);
    let rule = match index % 10 {
        0..=3 => {
            let nth = index / 10 * 4 + index % 10;
            json!({
                "organization_ids": [tenant_id(TenantKind::Organization, nth)],
                "models": [unasked],
            })
        }
        4 | 5 => {
            let keys = (0..10).map(|nth| key_id((index * 10 + nth) % KEYS));
            json!({"api_key_ids": keys.collect::<Vec<_>>(), "when": never_streamed})
        }
        6 => json!({"project_ids": of(TenantKind::Project), "providers": [unasked]}),
        7 => json!({"team_ids": of(TenantKind::Team), "when": never_so_long}),
        8 => json!({"user_ids": of(TenantKind::User), "when": never_so_dear}),
        _ => json!({"models": [model_name(index / 10 % 4)], "when": never_so_long}),
    };
    let id = format!("policy {index:04}");
    let mut document = json!({
        "name": id,
        "effect": "deny",
        "message": "This is not done in a benchmark.",
    });
    if let (Some(document), Value::Object(rule)) = (document.as_object_mut(), rule) {
        document.extend(rule);
    }
    Declared {
        kind: ResourceKind::Policy,
        id,
        document,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Enough that every tenant has one.
    const FEW_KEYS: usize = USERS;

    fn population() -> Vec<Declared> {
        Population::of(FEW_KEYS).unwrap().declared()
    }

    #[test]
    fn everything_is_declared_once_and_after_what_it_refers_to() {
        let declared = population();
        assert_eq!(declared.len(), TENANTS + FEW_KEYS + POLICIES);
        let mut seen = HashSet::new();
        for one in &declared {
            if let Some(parent) = one.document["parent"].as_str() {
                assert!(seen.contains(&("tenant", parent.to_owned())), "{parent}");
            }
            let kind = match one.kind {
                ResourceKind::Tenant => "tenant",
                ResourceKind::ApiKey => "key",
                _ => "policy",
            };
            assert!(seen.insert((kind, one.id.clone())), "{} twice", one.id);
        }
    }

    #[test]
    fn a_key_belongs_to_what_its_tenants_belong_to() {
        let declared = population();
        let parent_of = |id: &str| {
            let tenant = declared.iter().find(|one| one.id == id).unwrap();
            tenant.document["parent"].as_str().unwrap().to_owned()
        };
        for key in declared
            .iter()
            .filter(|one| one.kind == ResourceKind::ApiKey)
        {
            let named = |kind: &str| {
                let id = key.document[format!("{kind}_id")].as_str().unwrap();
                format!("{kind}:{id}")
            };
            if key.id.ends_with("77") {
                assert_eq!(parent_of(&named("user")), named("project"));
                assert_eq!(parent_of(&named("project")), named("organization"));
                assert_eq!(parent_of(&named("team")), named("organization"));
            }
        }
    }

    #[test]
    fn secrets_are_not_written_down_and_all_accounts_are_governed() {
        let population = Population::of(FEW_KEYS).unwrap();
        let secret = population.secrets().next().unwrap();
        let declared = population.declared();
        let governed = declared.iter().filter(|one| {
            let limits = [
                "request_limit_per_minute",
                "token_limit_per_minute",
                "concurrency_limit",
            ];
            limits.iter().all(|limit| one.document[limit].is_u64())
        });
        let budgets: usize = governed
            .map(|one| one.document["budgets"].as_array().unwrap().len())
            .sum();
        assert_eq!(budgets, 2 * (TENANTS + FEW_KEYS));
        assert!(
            !declared
                .iter()
                .any(|one| one.document.to_string().contains(secret))
        );
    }

    #[test]
    fn every_policy_says_what_it_is_not_about() {
        let selectors = ["models", "providers", "when"];
        for policy in population()
            .iter()
            .filter(|one| one.kind == ResourceKind::Policy)
        {
            let fields = policy.document.as_object().unwrap();
            assert_eq!(fields.len(), 5, "{fields:?}");
            assert!(
                selectors
                    .iter()
                    .any(|selector| fields.contains_key(*selector))
            );
        }
    }
}
