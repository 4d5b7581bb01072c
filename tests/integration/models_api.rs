//! Models that are made, changed and deleted while the gateway runs; and lists of resources: which, in which order, and
//! how many at a time.

use ferrogate_api::Model;
use serde_json::{Value, json};

use crate::support::{KEY, Request, Rig, Target, chat_body};

fn ask(rig: &Rig, model: &str) -> Request {
    let mut body = chat_body("sim: usage=counted\nhello");
    body["model"] = model.into();
    rig.post("/v1/chat/completions", &body)
}

fn model(name: &str) -> Value {
    json!({"name": name, "provider": "openai", "provider_model": format!("{name}-at-provider"), "input_price_per_1m": "1.5", "output_price_per_1m": 2})
}

#[tokio::test]
async fn a_model_is_made_used_changed_and_deleted() {
    let rig = Rig::start("").await;
    let gateway = &rig.gateway;
    let unknown = ask(&rig, "made").send().await;
    assert_eq!(unknown.refusal(), (404, "model_not_found".into()));
    let mut body = model("made");
    body["fallbacks"] =
        json!([{"provider": "openai", "provider_model": "gpt-4o-mini", "priority": 7}]);
    body["capabilities"] = json!(["chat", "streaming"]);
    let made = gateway.made("POST", "models", &body).await;
    let shown: Model = serde_json::from_slice(&made.body).unwrap();
    assert_eq!(shown.price.input_price_per_1m.as_deref(), Some("1.5"));
    assert_eq!(shown.price.output_price_per_1m.as_deref(), Some("2"));
    assert_eq!(shown.default_max_output_tokens, 4096);
    assert_eq!((shown.priority, shown.weight), (0, 1));
    assert_eq!(shown.routing_strategy, "priority");
    assert!(shown.enabled && shown.cache_enabled);
    let [fallback] = &shown.fallbacks[..] else {
        panic!("one fallback: {shown:?}")
    };
    assert_eq!((fallback.priority, fallback.weight), (7, 1));
    // The catalog knows this one.
    assert!(fallback.price.input_price_per_1m.is_some() && fallback.price.price_from_catalog);
    assert!(!shown.price.price_from_catalog);

    let answer = ask(&rig, "made").send().await.expect(200);
    let log = gateway.log_of(answer.request_id()).await;
    assert_eq!(log.provider_model.as_deref(), Some("made-at-provider"));
    let micros =
        i128::from(log.tokens.input) * 1_500_000 + i128::from(log.tokens.output) * 2_000_000;
    assert_eq!(log.cost_nanos.map(i128::from), Some(micros / 1000));
    let listed = gateway
        .request("GET", "/v1/models/made")
        .key(KEY)
        .send()
        .await;
    listed.expect(200);
    let metrics = gateway.admin("/metrics").send().await;
    assert!(
        metrics.text().contains("model=\"made\""),
        "{}",
        metrics.text()
    );

    let off = gateway
        .made("PATCH", "models/made", &json!({"enabled": false}))
        .await;
    assert_eq!(off.json()["capabilities"], json!(["chat", "streaming"]));
    let refused = ask(&rig, "made").send().await;
    assert_eq!(refused.refusal(), (404, "model_disabled".into()));
    let replaced = gateway
        .made("PUT", "models/made", &model("made"))
        .await
        .json();
    assert_eq!(
        (&replaced["capabilities"], &replaced["fallbacks"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(replaced["revision"], 3);
    ask(&rig, "made").send().await.expect(200);

    gateway.made("DELETE", "models/made", &json!({})).await;
    let gone = ask(&rig, "made").send().await;
    assert_eq!(gone.refusal(), (404, "model_not_found".into()));
}

#[tokio::test]
async fn a_model_that_somebody_names_stays_until_nobody_does() {
    let rig = Rig::start("").await;
    let gateway = &rig.gateway;
    let dangling = json!({"name": "x", "provider": "opneai", "provider_model": "m"});
    let refused = gateway.change("POST", "models", &dangling).send().await;
    assert_eq!(refused.refusal(), (400, "invalid_resource".into()));
    assert!(refused.text().contains("`openai`"), "{}", refused.text());

    gateway.made("POST", "models", &model("made")).await;
    let key = json!({"id": "client", "allowed_models": ["made"]});
    gateway.made("POST", "api-keys", &key).await;
    let profile = json!({"id": "batch", "model": "made"});
    gateway.made("POST", "gateway-configs", &profile).await;
    let policy =
        json!({"name": "none of it", "effect": "deny", "models": ["made"], "enabled": false});
    gateway.made("POST", "policies", &policy).await;
    for (path, name) in [
        ("api-keys/client", "api_keys[client]"),
        ("gateway-configs/batch", "gateway_configs[batch]"),
        ("policies/none%20of%20it", "policies[none of it]"),
    ] {
        let refused = gateway
            .change("DELETE", "models/made", &json!({}))
            .send()
            .await;
        assert_eq!(refused.refusal(), (409, "resource_in_use".into()), "{path}");
        assert!(refused.text().contains(name), "{}", refused.text());
        ask(&rig, "made").send().await.expect(200);
        gateway.made("DELETE", path, &json!({})).await;
    }
    gateway.made("DELETE", "models/made", &json!({})).await;
}

/// The names of a page, and where it goes on.
async fn page(rig: &Rig, path: &str) -> (Vec<String>, Option<String>) {
    let page = rig.gateway.shown(path).await;
    assert_eq!(
        (&page["object"], &page["complete"]),
        (&json!("list"), &json!(true))
    );
    let data = page["data"].as_array().unwrap();
    let name = |entry: &Value| {
        let name = entry.get("id").or_else(|| entry.get("name")).unwrap();
        name.as_str().unwrap().to_owned()
    };
    let cursor = page["next_cursor"].as_str().map(ToOwned::to_owned);
    (data.iter().map(name).collect(), cursor)
}

#[tokio::test]
async fn a_list_is_filtered_searched_sorted_and_paged() {
    let rig = Rig::start("").await;
    for name in ["cedar", "aspen", "Birch"] {
        rig.gateway.made("POST", "models", &model(name)).await;
    }
    let off = json!({"enabled": false, "capabilities": ["embeddings"]});
    rig.gateway.made("PATCH", "models/cedar", &off).await;
    let check = async |query: &str, expected: &[&str]| {
        let (names, _) = page(&rig, &format!("models?{query}")).await;
        assert_eq!(names, expected, "{query}");
    };
    check("", &["Birch", "aspen", "cedar", "embed", "fast"]).await;
    check("origin=config", &["embed", "fast"]).await;
    check("origin=api&enabled=true", &["Birch", "aspen"]).await;
    check("enabled=false", &["cedar"]).await;
    check("capability=embeddings", &["cedar", "embed"]).await;
    check("provider=openai&q=BIRCH", &["Birch"]).await;
    check("q=at-provider&sort=-name", &["cedar", "aspen", "Birch"]).await;
    check("provider=nobody", &[]).await;
    check("origin=api&sort=created_at", &["cedar", "aspen", "Birch"]).await;
    check("origin=api&sort=-updated_at", &["cedar", "Birch", "aspen"]).await;
    check("limit=2&offset=1", &["aspen", "cedar"]).await;
    check("offset=9", &[]).await;

    for sort in ["name", "-name", "provider", "created_at", "-updated_at"] {
        let mut seen = Vec::new();
        let mut next = Some(String::new());
        for _ in 0..5 {
            let Some(cursor) = next.take() else { break };
            let (names, cursor) = page(&rig, &format!("models?limit=2&sort={sort}{cursor}")).await;
            seen.extend(names);
            next = cursor.map(|cursor| format!("&cursor={cursor}"));
        }
        assert_eq!(next, None);
        seen.sort();
        assert_eq!(seen, ["Birch", "aspen", "cedar", "embed", "fast"], "{sort}");
    }
    let (_, cursor) = page(&rig, "models?limit=2").await;
    let other = format!(
        "/admin/v1/models?limit=2&sort=-name&cursor={}",
        cursor.unwrap()
    );
    let refused = rig.gateway.admin(&other).send().await;
    assert_eq!(refused.refusal(), (400, "invalid_request".into()));
    assert!(refused.text().contains("sort=name"), "{}", refused.text());
    for (path, param) in [
        ("models?sort=colour", "sort"),
        ("models?colour=green", "colour"),
        ("models?origin=elsewhere", "origin"),
        ("models?enabled=perhaps", "enabled"),
        ("models?capability=flight", "capability"),
        ("providers?kind=opanai", "kind"),
        ("api-keys?scope=everything", "scope"),
        ("tenants?parent=acme", "parent"),
        ("mcp-servers?transport=pigeon", "transport"),
    ] {
        let refused = rig.gateway.admin(&format!("/admin/v1/{path}")).send().await;
        assert_eq!(refused.refusal(), (400, "invalid_request".into()), "{path}");
        assert_eq!(refused.json()["error"]["param"], param, "{path}");
    }
}

#[tokio::test]
async fn keys_are_found_by_whose_they_are_and_what_they_may() {
    let rig = Rig::start("").await;
    let keys = [
        json!({"id": "blue", "name": "Blue's own", "organization_id": "acme", "team_id": "blue"}),
        json!({"id": "red", "organization_id": "acme", "allowed_models": ["embed"]}),
        json!({"id": "other", "organization_id": "other", "scopes": ["models.read"], "expires_at_unix": 4_000_000_000_u64}),
    ];
    for key in &keys {
        rig.gateway.made("POST", "api-keys", key).await;
    }
    let check = async |query: &str, expected: &[&str]| {
        let (names, _) = page(&rig, &format!("api-keys?origin=api&{query}")).await;
        assert_eq!(names, expected, "{query}");
    };
    check("organization=acme", &["blue", "red"]).await;
    check("organization=acme&team=blue", &["blue"]).await;
    check("scope=chat.completions", &["blue", "red"]).await;
    check("scope=admin.read", &["admin"]).await;
    check("model=fast&organization=acme", &["blue"]).await;
    check("q=ACME", &["blue", "red"]).await;
    check("q=own", &["blue"]).await;
    check("sort=-expires_at&limit=1", &["other"]).await;
    check("sort=name", &["blue", "admin", "other", "red"]).await;
    let (tenants, _) = page(&rig, "tenants?kind=organization&origin=implicit").await;
    assert_eq!(tenants, ["acme", "other"]);
}

#[tokio::test]
async fn a_tenants_admin_sees_the_models_that_its_keys_may_use_and_writes_none() {
    let rig = Rig::start(
        r#"
        [[models]]
        name = "acmes"
        provider = "openai"
        provider_model = "m"
        visible_organization_ids = ["acme", "other"]

        [[models]]
        name = "others"
        provider = "openai"
        provider_model = "m"
        visible_organization_ids = ["other"]

        [[api_keys]]
        id = "acmes-admin"
        key = "acmes-secret"
        organization_id = "acme"
        denied_models = ["embed"]
        scopes = ["admin.read", "admin.write"]
        "#,
    )
    .await;
    let as_acme = |method: &str, path: &str| {
        let target = Target::Tcp(rig.gateway.admin_address());
        Request::new(target, method, &format!("/admin/v1/{path}")).key("acmes-secret")
    };
    let list = as_acme("GET", "models").send().await.expect(200).json();
    let data = list["data"].as_array().unwrap();
    let names: Vec<_> = data
        .iter()
        .map(|model| model["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["acmes", "fast"]);
    assert_eq!(data[0]["visible_organization_ids"], json!(["acme"]));
    let hidden = as_acme("GET", "models/others").send().await;
    assert_eq!(hidden.refusal(), (404, "resource_not_found".into()));
    for (method, path) in [
        ("POST", "models"),
        ("DELETE", "models/acmes"),
        ("GET", "providers"),
        ("GET", "routes"),
        ("GET", "config"),
    ] {
        let refused = as_acme(method, path).json(&model("x")).send().await;
        assert_eq!(
            refused.refusal(),
            (403, "operator_only".into()),
            "{method} {path}"
        );
    }
}
