//! Tenants, policies and profiles that are made while the gateway runs, and what they do to requests at once.

use ferrogate_api::{GatewayConfig, Policy, PolicyDryRun, RequestLog, Tenant};
use serde_json::{Value, json};

use crate::support::{Answer, Gateway, KEY, Request, Rig, chat_body, eventually};

async fn make(gateway: &Gateway, path: &str, body: Value) -> Answer {
    gateway.change("POST", path, &body).send().await.expect(201)
}

/// A key made for this tenant, and its secret.
async fn key_for(gateway: &Gateway, id: &str, tenant: &str, name: &str) -> String {
    let made = make(gateway, "api-keys", json!({"id": id, tenant: name})).await;
    made.json()["secret"].as_str().unwrap().to_owned()
}

fn ask(rig: &Rig, secret: &str) -> Request {
    rig.gateway
        .request("POST", "/v1/chat/completions")
        .key(secret)
        .json(&chat_body("hello"))
}

async fn refusal(request: Request) -> (u16, String) {
    request.send().await.refusal()
}

#[tokio::test]
async fn a_tenant_that_is_switched_off_stops_its_keys_at_once() {
    let rig = Rig::start("").await;
    let gateway = &rig.gateway;
    make(
        gateway,
        "tenants",
        json!({"kind": "organization", "id": "acme", "name": "Acme Ltd"}),
    )
    .await;
    let project = json!({"kind": "project", "id": "web", "parent": "organization:acme"});
    make(gateway, "tenants", project).await;
    let of_project = key_for(gateway, "of-project", "project_id", "web").await;
    let of_acme = key_for(gateway, "of-acme", "organization_id", "acme").await;
    ask(&rig, &of_project).send().await.expect(200);
    ask(&rig, &of_acme).send().await.expect(200);

    let switch = async |path: &str, enabled: bool| {
        let body = json!({"enabled": enabled});
        let changed = gateway.change("PATCH", path, &body).send().await;
        let tenant: Tenant = serde_json::from_slice(&changed.expect(200).body).unwrap();
        assert_eq!(tenant.enabled, enabled);
        tenant
    };
    let disabled = (403, "tenant_disabled".to_owned());
    switch("tenants/project/web", false).await;
    assert_eq!(refusal(ask(&rig, &of_project)).await, disabled);
    ask(&rig, &of_acme).send().await.expect(200);
    switch("tenants/project/web", true).await;

    // What is switched off is everything below, too.
    let acme = switch("tenants/organization/acme", false).await;
    assert_eq!((&*acme.name, acme.revision), ("Acme Ltd", Some(2)));
    let answer = ask(&rig, &of_project).send().await;
    assert_eq!(answer.refusal(), disabled);
    assert!(answer.text().contains("acme"), "{}", answer.text());
    assert_eq!(refusal(ask(&rig, &of_acme)).await, disabled);
    ask(&rig, KEY).send().await.expect(200);
    switch("tenants/organization/acme", true).await;
    let answer = ask(&rig, &of_project).send().await.expect(200);

    // Its requests say whose they are.
    let log = gateway.log_of(answer.request_id()).await;
    let tenant = log.tenant.unwrap();
    assert_eq!(tenant.project_id.as_deref(), Some("web"));
    assert_eq!(tenant.organization_id.as_deref(), Some("acme"));
    let found: Vec<RequestLog> = gateway
        .list("/admin/v1/request-logs?limit=50&project=web&status=200")
        .await;
    assert!(
        found
            .iter()
            .any(|log| log.request_id == answer.request_id())
    );
    assert!(
        found
            .iter()
            .all(|log| log.api_key_id.as_deref() == Some("of-project"))
    );
}

#[tokio::test]
async fn a_tenant_that_only_keys_name_is_there_until_one_of_its_kind_is_declared() {
    let rig = Rig::start("").await;
    let gateway = &rig.gateway;
    let secret = key_for(gateway, "k", "team_id", "blue").await;
    ask(&rig, &secret).send().await.expect(200);
    let tenants: Vec<Tenant> = gateway.list("/admin/v1/tenants?limit=1").await;
    let [blue] = &tenants[..] else {
        panic!("one is named: {tenants:?}")
    };
    assert_eq!(
        serde_json::to_value(blue).unwrap()["origin"],
        json!("implicit")
    );
    assert_eq!((&*blue.id, blue.revision), ("blue", None));
    gateway
        .admin("/admin/v1/tenants/team/blue")
        .send()
        .await
        .expect(200);
    let nothing = gateway.admin("/admin/v1/tenants/team/red");
    assert_eq!(refusal(nothing).await, (404, "resource_not_found".into()));
    // Nobody declared it, so nobody can change it.
    let patch = gateway.change("PATCH", "tenants/team/blue", &json!({"enabled": false}));
    assert_eq!(refusal(patch).await, (404, "resource_not_found".into()));

    // Declaring another declares it too: it goes on as it was, and what nobody named yet is a mistake from now on.
    make(gateway, "tenants", json!({"kind": "team", "id": "red"})).await;
    let blue = gateway
        .admin("/admin/v1/tenants/team/blue")
        .send()
        .await
        .expect(200);
    assert_eq!(blue.json()["origin"], "api");
    ask(&rig, &secret).send().await.expect(200);
    let green = json!({"id": "g", "team_id": "green"});
    let refused = gateway.change("POST", "api-keys", &green).send().await;
    assert_eq!(refused.refusal(), (400, "invalid_resource".into()));
    assert!(refused.text().contains("green"), "{}", refused.text());

    // What a key refers to stays.
    let in_use = gateway
        .change("DELETE", "tenants/team/blue", &json!({}))
        .send()
        .await;
    assert_eq!(in_use.refusal(), (409, "resource_in_use".into()));
    assert!(in_use.text().contains("api_keys[k]"), "{}", in_use.text());
    gateway
        .change("DELETE", "api-keys/k", &json!({}))
        .send()
        .await
        .expect(200);
    let deleted = gateway.change("DELETE", "tenants/team/blue", &json!({}));
    assert_eq!(
        deleted.send().await.expect(200).json(),
        json!({"object": "tenant", "id": "team:blue", "deleted": true})
    );
}

#[tokio::test]
async fn a_policy_with_a_name_of_several_words_is_made_tried_and_taken_away() {
    let rig = Rig::start("").await;
    let gateway = &rig.gateway;
    let allowed = ask(&rig, KEY).send().await.expect(200);
    gateway.log_of(allowed.request_id()).await;
    let path = "policies/no%20chat%20for%20dev";
    let policy = json!({
        "name": "no chat for dev", "effect": "deny", "api_key_ids": ["dev"], "models": ["fast"],
        "code": "not_today", "message": "Come back tomorrow.",
    });

    // Tried before it is made: it is in force nowhere, and says what it would have done.
    let trial = json!({"hours": 1, "policy": policy});
    let tried = gateway
        .change("POST", "policies:dry-run", &trial)
        .send()
        .await;
    let tried: PolicyDryRun = serde_json::from_slice(&tried.expect(200).body).unwrap();
    assert_eq!((tried.examined, tried.refused), (1, 1));
    assert_eq!(
        tried.by_policy[0].sample_request_ids,
        [allowed.request_id()]
    );
    ask(&rig, KEY).send().await.expect(200);

    make(gateway, "policies", policy.clone()).await;
    let answer = ask(&rig, KEY).send().await;
    assert_eq!(answer.refusal(), (403, "not_today".into()));
    assert!(answer.text().contains("Come back tomorrow."));
    let log = gateway.log_of(answer.request_id()).await;
    assert_eq!(log.policy.as_deref(), Some("no chat for dev"));
    let shown = gateway
        .admin(&format!("/admin/v1/{path}"))
        .send()
        .await
        .expect(200);
    let shown: Policy = serde_json::from_slice(&shown.body).unwrap();
    assert_eq!((&*shown.code, shown.revision), ("not_today", Some(1)));
    assert_eq!(shown.api_key_ids.len(), 1);
    assert_eq!(&*shown.api_key_ids[0], "dev");

    let change_it =
        async |method: &str, body: Value| gateway.change(method, path, &body).send().await;
    change_it("PATCH", json!({"enabled": false}))
        .await
        .expect(200);
    ask(&rig, KEY).send().await.expect(200);
    let renamed = change_it("PUT", json!({"name": "another", "effect": "deny"})).await;
    assert_eq!(renamed.refusal(), (400, "invalid_resource".into()));
    let replaced = json!({"effect": "deny", "api_key_ids": ["dev"], "when": {"streaming": true}});
    change_it("PUT", replaced).await.expect(200);
    ask(&rig, KEY).send().await.expect(200);
    let streamed = rig.chat_stream("hello").send().await;
    assert_eq!(streamed.refusal(), (403, "policy_denied".into()));
    change_it("DELETE", json!({})).await.expect(200);
    rig.chat_stream("hello").send().await.expect(200);

    // A key that a policy names cannot leave.
    key_for(gateway, "named", "user_id", "somebody").await;
    make(
        gateway,
        "policies",
        json!({"name": "p", "effect": "deny", "api_key_ids": ["named"]}),
    )
    .await;
    let in_use = gateway
        .change("DELETE", "api-keys/named", &json!({}))
        .send()
        .await;
    assert_eq!(in_use.refusal(), (409, "resource_in_use".into()));
    assert!(in_use.text().contains("policies[p]"), "{}", in_use.text());
}

#[tokio::test]
async fn the_revisions_of_a_profile_are_counted_and_noted() {
    let rig = Rig::start("").await;
    let gateway = &rig.gateway;
    let profile = json!({"id": "tagged", "tags": {"team": "blue"}, "api_key_ids": ["dev"]});
    let made = make(gateway, "gateway-configs", profile).await.json();
    assert_eq!(
        (&made["revision"], &made["origin"]),
        (&json!(1), &json!("api"))
    );
    let counted = json!({"id": "other", "revision": 7, "cache_enabled": false});
    let refused = gateway.change("POST", "gateway-configs", &counted);
    assert_eq!(refusal(refused).await, (400, "invalid_resource".into()));

    let with_profile = || rig.chat("hello").header("x-ferrogate-config", "tagged");
    let noted = async || {
        let answer = with_profile().send().await.expect(200);
        gateway.log_of(answer.request_id()).await
    };
    let log = noted().await;
    assert_eq!(log.gateway_config_id.as_deref(), Some("tagged"));
    assert_eq!(log.gateway_config_revision, Some(1));
    assert_eq!(log.tags.unwrap()["team"], "blue");
    let merged = gateway.change(
        "PATCH",
        "gateway-configs/tagged",
        &json!({"tags": {"team": "red"}}),
    );
    let merged: GatewayConfig =
        serde_json::from_slice(&merged.send().await.expect(200).body).unwrap();
    assert_eq!(merged.revision, Some(2));
    let log = noted().await;
    assert_eq!(log.gateway_config_revision, Some(2));
    assert_eq!(log.tags.unwrap()["team"], "red");

    gateway
        .change("DELETE", "gateway-configs/tagged", &json!({}))
        .send()
        .await
        .expect(200);
    assert_eq!(
        refusal(with_profile()).await,
        (400, "gateway_config_not_found".into())
    );
}

const DECLARED: &str = r#"
    [[tenants]]
    kind = "organization"
    id = "acme"

    [[policies]]
    name = "from the file"
    effect = "deny"
    models = ["embed"]

    [[gateway_configs]]
    id = "standard"
    cache_enabled = false
"#;

#[tokio::test]
async fn what_the_file_declares_is_shown_and_changed_there() {
    let rig = Rig::start(DECLARED).await;
    let gateway = &rig.gateway;
    for (path, list, body) in [
        (
            "tenants/organization/acme",
            "tenants",
            json!({"kind": "organization", "id": "acme"}),
        ),
        (
            "policies/from%20the%20file",
            "policies",
            json!({"name": "from the file", "effect": "deny"}),
        ),
        (
            "gateway-configs/standard",
            "gateway-configs",
            json!({"id": "standard", "cache_enabled": true}),
        ),
    ] {
        let shown = gateway
            .admin(&format!("/admin/v1/{path}"))
            .send()
            .await
            .expect(200);
        assert_eq!(shown.json()["origin"], "config", "{path}");
        for request in [
            gateway.change("POST", list, &body),
            gateway.change("PUT", path, &body),
            gateway.change("PATCH", path, &json!({"enabled": false})),
            gateway.change("DELETE", path, &json!({})),
        ] {
            let answer = request.send().await;
            assert_eq!(
                answer.refusal(),
                (409, "managed_by_config".into()),
                "{path}"
            );
        }
        let again = gateway
            .admin(&format!("/admin/v1/{path}"))
            .send()
            .await
            .expect(200);
        assert_eq!(shown.json(), again.json());
    }
    // The file's come first, in their order; then those of the database, in theirs.
    for name in ["b", "a"] {
        make(
            gateway,
            "policies",
            json!({"name": name, "effect": "deny", "models": ["embed"]}),
        )
        .await;
    }
    let policies: Vec<Policy> = gateway.list("/admin/v1/policies?limit=1").await;
    let names: Vec<_> = policies.iter().map(|policy| &*policy.name).collect();
    assert_eq!(names, ["from the file", "b", "a"]);
    eventually("the changes are on record", || async {
        let events: Vec<Value> = gateway
            .list("/admin/v1/audit-events?limit=10&action=policy.create")
            .await;
        (events.len() == 2).then_some(())
    })
    .await;
}
