//! What operators do: tenants, keys, budgets and a policy at the beginning, and changes of them while clients ask.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::{IN_FLIGHT_MAX, REQUESTS_PER_WRITE};
use crate::support::{Answer, Gateway, Request, Rig, Target};

/// So many budgets are made.
pub(super) const BUDGETS: usize = 8;

/// Tenants, keys, budgets and a policy, made through the admin API; gives the keys' secrets.
pub(super) async fn populate(gateway: &Gateway) -> Vec<String> {
    let budget = |id: &str, unit: &str, amount: Value, period: &str| {
        let mut budget = json!({"id": id, "period": period});
        budget[unit] = amount;
        budget
    };
    let tenants = [
        json!({"kind": "organization", "id": "acme", "concurrency_limit": IN_FLIGHT_MAX, "budgets": [
            budget("all", "tokens", json!(400_000), "total"),
            budget("purse", "money", json!("4"), "month"),
        ]}),
        json!({"kind": "team", "id": "search", "parent": "organization:acme", "budgets": [
            budget("week", "tokens", json!(120_000), "week"),
        ]}),
        json!({"kind": "project", "id": "red", "parent": "organization:acme", "budgets": [
            budget("hour", "money", json!("0.12"), "hour"),
        ]}),
        json!({"kind": "project", "id": "blue", "parent": "organization:acme"}),
        json!({"kind": "user", "id": "ada", "parent": "project:red", "budgets": [
            budget("day", "tokens", json!(60_000), "day"),
        ]}),
    ];
    for tenant in &tenants {
        change(gateway, ("POST", "/admin/v1/tenants"), tenant, 201).await;
    }
    let mut secrets = Vec::new();
    for (id, field, tenant, budgets) in [
        ("k0", "user_id", "ada", json!([])),
        (
            "k1",
            "project_id",
            "red",
            json!([budget("own", "tokens", json!(120_000), "total")]),
        ),
        ("k2", "project_id", "blue", json!([late_budget(false)])),
        ("k3", "team_id", "search", json!([])),
        (
            "k4",
            "team_id",
            "search",
            json!([budget("own", "money", json!("0.06"), "total")]),
        ),
        ("k5", "organization_id", "acme", json!([])),
    ] {
        let mut key = json!({"id": id, "budgets": budgets});
        key[field] = tenant.into();
        let made = change(gateway, ("POST", "/admin/v1/api-keys"), &key, 201).await;
        secrets.push(made["secret"].as_str().unwrap().to_owned());
    }
    let policy = json!({
        "name": "no streams",
        "effect": "deny",
        "message": "Not now.",
        "api_key_ids": ["k5"],
        "when": {"streaming": true},
    });
    change(gateway, ("POST", "/admin/v1/policies"), &policy, 201).await;
    secrets
}

/// A budget that comes and goes: when it is back, it must know what was spent meanwhile.
fn late_budget(is_late: bool) -> Value {
    let id = if is_late { "late" } else { "early" };
    let period = if is_late { "month" } else { "total" };
    json!({"id": id, "tokens": 60_000, "period": period})
}

async fn change(gateway: &Gateway, to: (&str, &str), body: &Value, status: u16) -> Value {
    let answer = try_change(gateway, to, body).await.unwrap();
    answer.expect(status).json()
}

async fn try_change(
    gateway: &Gateway,
    (method, path): (&str, &str),
    body: &Value,
) -> Result<Answer, String> {
    let socket = Target::Unix(gateway.admin_socket());
    Request::new(socket, method, path)
        .json(body)
        .try_send()
        .await
}

/// What operators do meanwhile, in turn. None of it takes from a budget that is checked.
fn write(number: u64) -> (&'static str, &'static str, Value) {
    let odd = (number / 7) % 2 == 1;
    match number % 7 {
        0 => (
            "PATCH",
            "/admin/v1/api-keys/k0",
            json!({"name": format!("number {number}")}),
        ),
        1 => (
            "PATCH",
            "/admin/v1/policies/no%20streams",
            json!({"enabled": odd}),
        ),
        2 => ("PATCH", "/admin/v1/api-keys/k3", json!({"enabled": odd})),
        3 => (
            "PATCH",
            "/admin/v1/api-keys/k2",
            json!({"budgets": [late_budget(!odd)]}),
        ),
        4 => (
            "PATCH",
            "/admin/v1/tenants/project/blue",
            json!({"token_limit_per_minute": if odd { json!(1_000_000_000) } else { Value::Null }}),
        ),
        5 => (
            "POST",
            "/admin/v1/budgets/adjustments",
            json!({"account": "organization:acme", "budget_id": "all", "kind": "top_up", "tokens": 20_000}),
        ),
        _ => (
            "POST",
            "/admin/v1/budgets/adjustments",
            json!({"account": "project:red", "budget_id": "hour", "kind": "raise", "money": "0.01"}),
        ),
    }
}

/// Changes something whenever so many requests have finished, until there are no more or the gateway is gone.
pub(super) async fn keep_writing(rig: Arc<Rig>, turns: Arc<Semaphore>, first: u64) -> u64 {
    let mut number = first;
    while let Ok(turn) = turns.acquire_many(REQUESTS_PER_WRITE).await {
        turn.forget();
        let (method, path, body) = write(number);
        let Ok(answer) = try_change(&rig.gateway, (method, path), &body).await else {
            break;
        };
        answer.expect(if method == "POST" { 201 } else { 200 });
        number += 1;
    }
    number
}
