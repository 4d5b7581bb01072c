//! The admins of two tenants beside each other. What belongs to one has `acme` in its name, what belongs to the other
//! `other`, so that nothing of the other's may be in any answer.

use super::table::rows;
use super::*;

const TENANTS: &str = r#"
    [[tenants]]
    kind = "organization"
    id = "acme"
    budgets = [{ id = "acme-all", tokens = 1000, period = "month" }]

    [[tenants]]
    kind = "organization"
    id = "other"
    budgets = [{ id = "other-all", tokens = 1000, period = "month" }]

    [[tenants]]
    kind = "team"
    id = "acme-search"
    parent = "organization:acme"
    budgets = [{ id = "acme-team", tokens = 1000, period = "month" }]

    [[tenants]]
    kind = "team"
    id = "other-search"
    parent = "organization:other"
    budgets = [{ id = "other-team", tokens = 1000, period = "month" }]

    [[api_keys]]
    id = "acme-admin"
    key = "acme-admin-secret"
    organization_id = "acme"
    scopes = ["admin.read", "admin.write", "chat.completions"]

    [[api_keys]]
    id = "other-admin"
    key = "other-admin-secret"
    organization_id = "other"
    scopes = ["admin.read", "admin.write", "chat.completions"]

    [[policies]]
    name = "acme at night"
    effect = "deny"
    organization_ids = ["acme"]

    [[policies]]
    name = "other at night"
    effect = "deny"
    team_ids = ["other-search"]

    [[gateway_configs]]
    id = "acme-profile"
    api_key_ids = ["acme-admin"]

    [[gateway_configs]]
    id = "other-profile"
    api_key_ids = ["other-admin"]
"#;

const BOTH: [&str; 2] = ["acme", "other"];

/// With a key, a request, a top-up and a refusal of each tenant.
async fn start() -> Admin {
    let admin = Admin::start_with(TENANTS).await;
    for name in BOTH {
        let secret = format!("{name}-admin-secret");
        let body = json!({
            "id": format!("{name}-app"),
            "team_id": format!("{name}-search"),
            "scopes": ["chat.completions"],
        });
        let request = of_key(&secret, "POST", "/admin/v1/api-keys", &body.to_string());
        assert_eq!(admin.ask(request).await.0, StatusCode::CREATED, "{name}");
        let tenant = TenantContext {
            organization_id: Some(name.into()),
            team_id: Some(format!("{name}-search").into()),
            ..TenantContext::default()
        };
        let app = format!("{name}-app");
        admin.record_of(&app, Some(tenant), (200, "fast")).await;
        let top_up = json!({
            "account": format!("team:{name}-search"),
            "budget_id": format!("{name}-team"),
            "kind": "top_up",
            "tokens": 5,
        });
        let path = "/admin/v1/budgets/adjustments";
        let request = of_key(&secret, "POST", path, &top_up.to_string());
        assert_eq!(admin.ask(request).await.0, StatusCode::CREATED, "{name}");
    }
    // And what is nobody's.
    admin.record(200, "fast").await;
    admin
}

#[tokio::test]
async fn no_list_shows_one_tenant_what_is_the_others() {
    let admin = start().await;
    for row in rows() {
        // The feed does not end, and is tested where it is.
        let is_list = row.method == "GET" && row.seat == "TENANT" && !row.path.contains('{');
        if !is_list || row.path.ends_with("/events") || row.path.ends_with(".json") {
            continue;
        }
        for (own, foreign) in [("acme", "other"), ("other", "acme")] {
            let secret = format!("{own}-admin-secret");
            let path = match row.path {
                path if path.ends_with("/timeseries") => format!("{path}?metric=requests&by=key"),
                path => format!("{path}?limit=3"),
            };
            let answer = admin.send(of_key(&secret, "GET", &path, "")).await;
            let status = answer.status();
            let body = text(answer).await;
            assert_eq!(status, StatusCode::OK, "{path}: {body}");
            // As the beginning of a text: `is_other` is nobody.
            let foreign = format!("\"{foreign}");
            assert!(!body.contains(&foreign), "{path} for {own}: {body}");
            let has_own = ["models", "requests/in-flight", "timeseries"]
                .iter()
                .all(|shared| !row.path.ends_with(shared));
            assert!(body.contains(own) || !has_own, "{path} for {own}: {body}");
            assert!(
                !body.contains("\"client\""),
                "{path} shows what is nobody's"
            );
        }
    }
}

#[tokio::test]
async fn a_filter_for_another_tenant_is_refused() {
    let admin = start().await;
    for path in [
        "request-logs?organization=other",
        "metering-events?organization=other",
        "usage-aggregates?organization=other",
        "budgets?account=organization:other",
        "budgets?account=key:other-app",
        "budgets/adjustments?account=team:other-search",
    ] {
        let request = of_key("acme-admin-secret", "GET", &format!("/admin/v1/{path}"), "");
        let refused = (403, Some("outside_tenant".to_owned()));
        assert_eq!(admin.code(request).await, refused, "{path}");
    }
    // A narrower one is answered, with nothing where it is not one's own.
    for (path, entries) in [
        ("request-logs?team=acme-search", 1),
        ("request-logs?team=other-search", 0),
        ("metering-events?team=other-search", 0),
        ("metering-events?key=other-app", 0),
        ("usage-aggregates?key=other-app", 0),
        ("usage-aggregates?organization=acme", 1),
    ] {
        let request = of_key("acme-admin-secret", "GET", &format!("/admin/v1/{path}"), "");
        let (status, _, page) = admin.ask(request).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert_eq!(page["data"].as_array().unwrap().len(), entries, "{path}");
    }
}

#[tokio::test]
async fn what_is_another_tenants_is_neither_shown_nor_changed() {
    let admin = start().await;
    let (_, logs) = admin.get("/admin/v1/request-logs?team=other-search").await;
    let foreign = logs["data"][0]["request_id"].as_str().unwrap();
    let log = format!("request-logs/{foreign}");
    let rows = [
        ("GET", "api-keys/other-app", ""),
        ("PATCH", "api-keys/other-app", r#"{"name":"mine"}"#),
        ("PUT", "api-keys/other-app", "{}"),
        ("DELETE", "api-keys/other-app", ""),
        ("POST", "api-keys/other-app/rotate", ""),
        ("POST", "api-keys/other-app/disable", ""),
        ("POST", "api-keys/other-app/enable", ""),
        ("GET", "tenants/team/other-search", ""),
        ("PATCH", "tenants/team/other-search", r#"{"enabled":false}"#),
        ("DELETE", "tenants/team/other-search", ""),
        ("GET", "policies/other%20at%20night", ""),
        (
            "PATCH",
            "policies/other%20at%20night",
            r#"{"enabled":false}"#,
        ),
        ("DELETE", "policies/other%20at%20night", ""),
        ("GET", "gateway-configs/other-profile", ""),
        ("GET", &log, ""),
    ];
    for (method, path, body) in rows {
        let request = of_key(
            "acme-admin-secret",
            method,
            &format!("/admin/v1/{path}"),
            body,
        );
        let (status, code) = admin.code(request).await;
        let hidden = (404, Some("resource_not_found"));
        let refused = (403, Some("outside_tenant"));
        let told = (status, code.as_deref());
        assert!(
            told == hidden || told == refused,
            "{method} {path}: {told:?}"
        );
    }
    let (_, key) = admin.get("/admin/v1/api-keys/other-app").await;
    assert_eq!(
        (&key["revision"], &key["enabled"]),
        (&json!(1), &json!(true))
    );
}

#[tokio::test]
async fn a_key_that_is_made_belongs_to_its_makers_tenant() {
    let admin = start().await;
    let make = async |body: &str| {
        let request = of_key("acme-admin-secret", "POST", "/admin/v1/api-keys", body);
        let (status, _, body) = admin.ask(request).await;
        (status.as_u16(), body)
    };
    let (status, key) = make(r#"{"id":"a","scopes":["chat.completions"]}"#).await;
    assert_eq!((status, &key["organization_id"]), (201, &json!("acme")));
    for (body, code) in [
        (
            r#"{"id":"b","organization_id":"other","scopes":["chat.completions"]}"#,
            "outside_tenant",
        ),
        (
            r#"{"id":"b","team_id":"other-search","scopes":["chat.completions"]}"#,
            "outside_tenant",
        ),
        (r#"{"id":"b","scopes":["messages.create"]}"#, "scope_denied"),
        (r#"{"id":"b"}"#, "scope_denied"),
    ] {
        let (status, refused) = make(body).await;
        let told = (status, refused["error"]["code"].as_str());
        // Where the tenants contradict each other that may be said first.
        let contradicts = told == (400, Some("invalid_resource")) && code == "outside_tenant";
        assert!(told == (403, Some(code)) || contradicts, "{body}: {told:?}");
    }
    let moved = r#"{"organization_id":"other","team_id":null}"#;
    let request = of_key(
        "acme-admin-secret",
        "PATCH",
        "/admin/v1/api-keys/acme-app",
        moved,
    );
    assert_eq!(
        admin.code(request).await,
        (403, Some("outside_tenant".to_owned()))
    );
}

#[tokio::test]
async fn the_name_of_a_key_that_is_gone_is_not_given_to_another_tenant() {
    let admin = start().await;
    let gone = from(ROOT, "/admin/v1/api-keys/other-app");
    let (mut parts, body) = gone.into_parts();
    parts.method = http::Method::DELETE;
    let (status, ..) = admin.ask(Request::from_parts(parts, body)).await;
    assert_eq!(status, StatusCode::OK);
    let body = r#"{"id":"other-app","scopes":["chat.completions"]}"#;
    let make = |secret: &str| of_key(secret, "POST", "/admin/v1/api-keys", body);
    let exists = (409, Some("resource_exists".to_owned()));
    assert_eq!(admin.code(make("acme-admin-secret")).await, exists);
    assert_eq!(admin.code(make("admin-secret")).await, (201, None));
}

#[tokio::test]
async fn an_admin_of_a_tenant_sets_none_of_its_own_bounds() {
    let admin = start().await;
    let rows = [
        (
            "PATCH",
            "api-keys/acme-admin",
            r#"{"request_limit_per_minute":null}"#,
            "operator_only",
        ),
        (
            "PATCH",
            "tenants/organization/acme",
            r#"{"budgets":[]}"#,
            "operator_only",
        ),
        ("DELETE", "tenants/organization/acme", "", "operator_only"),
        (
            "POST",
            "tenants",
            r#"{"kind":"team","id":"free"}"#,
            "outside_tenant",
        ),
        (
            "POST",
            "tenants",
            r#"{"kind":"team","id":"free","parent":"organization:other"}"#,
            "outside_tenant",
        ),
        (
            "POST",
            "tenants",
            r#"{"kind":"user","id":"first","parent":"team:acme-search"}"#,
            "operator_only",
        ),
        (
            "POST",
            "policies",
            r#"{"name":"all","effect":"deny"}"#,
            "outside_tenant",
        ),
        (
            "POST",
            "policies",
            r#"{"name":"theirs","effect":"deny","organization_ids":["other"]}"#,
            "outside_tenant",
        ),
        (
            "POST",
            "policies",
            r#"{"name":"both","effect":"deny","organization_ids":["acme","other"]}"#,
            "outside_tenant",
        ),
        (
            "POST",
            "budgets/adjustments",
            r#"{"account":"organization:acme","budget_id":"acme-all","kind":"top_up","tokens":5}"#,
            "operator_only",
        ),
        (
            "POST",
            "budgets/adjustments",
            r#"{"account":"team:other-search","budget_id":"other-team","kind":"top_up","tokens":5}"#,
            "outside_tenant",
        ),
    ];
    for (method, path, body, code) in rows {
        let request = of_key(
            "acme-admin-secret",
            method,
            &format!("/admin/v1/{path}"),
            body,
        );
        let told = admin.code(request).await;
        assert_eq!(told, (403, Some(code.to_owned())), "{method} {path} {body}");
    }
    for (path, body) in [
        (
            "tenants",
            r#"{"kind":"team","id":"acme-new","parent":"organization:acme"}"#,
        ),
        (
            "policies",
            r#"{"name":"acme more","effect":"deny","team_ids":["acme-search"]}"#,
        ),
    ] {
        let request = of_key(
            "acme-admin-secret",
            "POST",
            &format!("/admin/v1/{path}"),
            body,
        );
        assert_eq!(admin.code(request).await, (201, None), "{body}");
    }
}

const BOUNDED: &str = r#"
    [[models]]
    name = "slow"
    provider = "openai"
    provider_model = "gpt-slow"

    [[api_keys]]
    id = "bounded"
    key = "bounded-secret"
    scopes = ["admin.read", "admin.write"]
    allowed_models = ["fast"]
    allowed_providers = ["openai"]
    expires_at_unix = 4000000000
"#;

#[tokio::test]
async fn no_key_makes_one_that_can_do_more() {
    let admin = Admin::start_with(BOUNDED).await;
    let lists = r#""allowed_models":["fast"],"allowed_providers":["openai"]"#;
    let rows = [
        (format!("{{{lists}}}"), None),
        (
            r#"{"allowed_models":["fast"]}"#.to_owned(),
            Some("provider_not_allowed"),
        ),
        (
            r#"{"allowed_providers":["openai"]}"#.to_owned(),
            Some("model_not_allowed"),
        ),
        (
            r#"{"allowed_models":["fast","slow"],"allowed_providers":["openai"]}"#.to_owned(),
            Some("model_not_allowed"),
        ),
        (
            format!(r#"{{{lists},"scopes":["admin.read"]}}"#),
            Some("scope_denied"),
        ),
        (
            format!(r#"{{{lists},"scopes":["admin.read"],"expires_at_unix":4000000001}}"#),
            Some("scope_denied"),
        ),
        (
            format!(r#"{{{lists},"scopes":["admin.read"],"expires_at_unix":4000000000}}"#),
            None,
        ),
    ];
    for (number, (body, code)) in rows.into_iter().enumerate() {
        let mut document: Value = serde_json::from_str(&body).unwrap();
        document["id"] = json!(format!("made-{number}"));
        let text = document.to_string();
        let request = of_key("bounded-secret", "POST", "/admin/v1/api-keys", &text);
        let (status, told) = admin.code(request).await;
        assert_eq!(told.as_deref(), code, "{body}");
        assert_eq!(status, if code.is_some() { 403 } else { 201 }, "{body}");
    }
    // Nor does it take one over: whoever knows its new secret can do what it can.
    let request = of_key(
        "admin-secret",
        "POST",
        "/admin/v1/api-keys",
        r#"{"id":"free"}"#,
    );
    assert_eq!(admin.code(request).await.0, 201);
    for (method, path, body) in [
        ("POST", "api-keys/free/rotate", ""),
        ("PATCH", "api-keys/free", r#"{"name":"n"}"#),
        ("POST", "api-keys/free/enable", ""),
    ] {
        let request = of_key("bounded-secret", method, &format!("/admin/v1/{path}"), body);
        assert_eq!(admin.code(request).await.0, 403, "{method} {path}");
    }
    let request = of_key(
        "bounded-secret",
        "POST",
        "/admin/v1/api-keys/free/disable",
        "",
    );
    assert_eq!(admin.code(request).await.0, 200, "it can do less then");
}
