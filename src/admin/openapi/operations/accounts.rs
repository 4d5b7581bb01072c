//! Who may what: keys, tenants, policies, profiles and budgets.

use ferrogate_api::{
    ApiKey, ApiKeyDocument, ApiKeyFilter, BudgetAdjustment, BudgetAdjustmentQuery, BudgetStatus,
    BudgetStatusQuery, GatewayConfig, GatewayConfigDocument, GatewayConfigFilter, NewApiKey,
    NewBudgetAdjustment, Policy, PolicyDocument, PolicyDryRun, PolicyDryRunRequest, PolicyFilter,
    RotateApiKey, Tenant, TenantDocument, TenantFilter, TenantKind,
};
use serde_json::json;
use utoipa::{PartialSchema, openapi::path::Parameter};

use super::super::{
    endpoint::Endpoint,
    information::{BUDGETS, KEYS, POLICIES, PROFILES, TENANTS},
    parameters,
    resource::{Resource, sort},
};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let mut all = keys();
    all.extend(key_secrets());
    all.extend(tenants());
    all.extend(policies());
    all.extend(profiles());
    all.extend(budgets());
    all
}

fn key_id() -> Parameter {
    parameters::name("id", "The key's id.", "team-blue")
}

fn keys() -> Vec<Endpoint> {
    Resource {
        path: "/admin/v1/api-keys",
        tag: KEYS,
        ids: ("ApiKey", "ApiKeys"),
        nouns: ("a virtual key", "virtual keys"),
        name: ("{id}", vec![key_id()], &["id"]),
        sorts: &[
            "id",
            "name",
            "created_at",
            "updated_at",
            "expires_at",
            "last_used_at",
        ],
        about: (
            "The keys of the file and of the database, without their secrets.",
            "The gateway makes its secret, and `secret` in this answer is the only place where it ever stands: what is \
             kept is its hash. A body may bring the `key_hash` of a secret instead, which `ferrogate hash-key` prints. A \
             key that a tenant's admin makes belongs to that tenant, and can do no more than its maker.",
        ),
        operators: (false, false),
    }
    .endpoints::<ApiKey, ApiKeyDocument, ApiKeyFilter, NewApiKey>()
}

fn key_secrets() -> Vec<Endpoint> {
    let change = |path: &str, id: &str, summary: &str| {
        Endpoint::post(path, id, summary)
            .tag(KEYS)
            .writes()
            .conditional()
            .with(key_id())
    };
    vec![
        change(
            "/admin/v1/api-keys/{id}/rotate",
            "rotateApiKey",
            "Give a virtual key another secret",
        )
        .about(
            "The answer tells the new one, once. The old one goes on working for `overlap_secs`.",
        )
        .command::<RotateApiKey>("How long the old secret goes on working.")
        .answers::<NewApiKey>("The key, with its new secret.")
        .tagged(),
        change(
            "/admin/v1/api-keys/{id}/disable",
            "disableApiKey",
            "Switch a virtual key off",
        )
        .about("At once; streams that run go on to their end.")
        .answers::<ApiKey>("The key as it is now.")
        .tagged(),
        change(
            "/admin/v1/api-keys/{id}/enable",
            "enableApiKey",
            "Switch a virtual key on again",
        )
        .answers::<ApiKey>("The key as it is now.")
        .tagged(),
    ]
}

fn tenants() -> Vec<Endpoint> {
    let kind = parameters::in_path(
        "kind",
        "What the tenant is.",
        (TenantKind::schema(), json!("team")),
    );
    let id = parameters::name(
        "id",
        "The tenant's id, unique among those of its kind.",
        "search",
    );
    Resource {
        path: "/admin/v1/tenants",
        tag: TENANTS,
        ids: ("Tenant", "Tenants"),
        nouns: ("a tenant", "tenants"),
        name: ("{kind}/{id}", vec![kind, id], &["kind", "id"]),
        sorts: &["id", "name", "created_at", "updated_at"],
        about: (
            "Those of the file and of the database, and those that only keys name, which are `implicit` and have no limits.",
            "Once any tenant of a kind is declared, all that keys name have to be: declaring the first one beside others \
             that are only named is refused, and the message names them.",
        ),
        operators: (false, false),
    }
    .endpoints::<Tenant, TenantDocument, TenantFilter, Tenant>()
}

fn policies() -> Vec<Endpoint> {
    let name = parameters::name(
        "name",
        "The policy's name. A space is `%20`.",
        "no long prompts at night",
    );
    let mut all = Resource {
        path: "/admin/v1/policies",
        tag: POLICIES,
        ids: ("Policy", "Policies"),
        nouns: ("a policy", "policies"),
        name: ("{name}", vec![name], &["name"]),
        sorts: &["order", "name", "created_at", "updated_at"],
        about: (
            "In the order in which they are asked: those of the file, then the others from the oldest on. The first that \
             matches a request refuses it.",
            "It stands behind all that are there.",
        ),
        operators: (false, false),
    }
    .endpoints::<Policy, PolicyDocument, PolicyFilter, Policy>();
    all.push(
        Endpoint::post(
            "/admin/v1/policies:dry-run",
            "dryRunPolicies",
            "Try policies on the requests that were",
        )
        .tag(POLICIES)
        .operators()
        .about(
            "What the policies in force, or one that need not exist, would have refused of the requests of the last hours. \
             Requests are judged by what their logs say: by the provider that answered, and by the estimate they were \
             admitted with. It changes nothing.",
        )
        .body::<PolicyDryRunRequest>("Over which requests, and with which policy.")
        .answers::<PolicyDryRun>("What would have become of them."),
    );
    all
}

fn profiles() -> Vec<Endpoint> {
    let id = parameters::name("id", "The profile's id.", "batch");
    Resource {
        path: "/admin/v1/gateway-configs",
        tag: PROFILES,
        ids: ("GatewayConfig", "GatewayConfigs"),
        nouns: ("a profile", "profiles"),
        name: ("{id}", vec![id], &["id"]),
        sorts: &["id", "name", "created_at", "updated_at"],
        about: (
            "What requests choose with `x-ferrogate-config`.",
            "The gateway counts its revisions; each request notes the one it was handled by.",
        ),
        operators: (false, true),
    }
    .endpoints::<GatewayConfig, GatewayConfigDocument, GatewayConfigFilter, GatewayConfig>()
}

fn budgets() -> Vec<Endpoint> {
    vec![
        Endpoint::get("/admin/v1/budgets", "listBudgets", "List how budgets stand")
            .tag(BUDGETS)
            .query::<BudgetStatusQuery>()
            .with(sort(&[
                "account",
                "used",
                "remaining",
                "limit",
                "used_percent",
            ], "account"))
            .lists::<BudgetStatus>("A page of them.")
            .may_fail(&[404]),
        Endpoint::get(
            "/admin/v1/budgets/adjustments",
            "listBudgetAdjustments",
            "List what was added to budgets by hand",
        )
        .tag(BUDGETS)
        .about("The top-ups and raises in force, newest first unless something else is asked for.")
        .query::<BudgetAdjustmentQuery>()
        .with(sort(&["created_at", "account", "ends_at"], "-created_at"))
        .lists::<BudgetAdjustment>("A page of them."),
        Endpoint::post(
            "/admin/v1/budgets/adjustments",
            "adjustBudget",
            "Add to a budget",
        )
        .tag(BUDGETS)
        .writes()
        .about(
            "A top-up is for the period that runs; a raise is for every period until `until_unix_ms`, or for good. It \
             holds as soon as it is answered.",
        )
        .body::<NewBudgetAdjustment>("Which budget, and how much.")
        .makes::<BudgetAdjustment>("It is added.")
        .may_fail(&[404]),
    ]
}
