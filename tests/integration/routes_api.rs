//! Upstreams, routes and MCP servers that are made, changed and deleted while the gateway runs.

use serde_json::{Value, json};

use crate::support::{Gateway, Provider, Rig, find_in_files};

/// A gateway without routes, and a server that says what it was asked.
async fn rig() -> Rig {
    Rig::start("").await
}

fn pool(echo: &Provider, name: &str) -> Value {
    json!({"name": name, "url": format!("http://{}", echo.address()), "read_timeout_secs": 7})
}

async fn path_seen(gateway: &Gateway, path: &str) -> Option<String> {
    let answer = gateway.request("GET", path).send().await;
    let seen = || answer.json()["path"].as_str().unwrap().to_owned();
    (answer.status == 200).then(seen)
}

#[tokio::test]
async fn an_upstream_and_its_route_are_made_used_and_deleted() {
    let rig = rig().await;
    let gateway = &rig.gateway;
    assert_eq!(path_seen(gateway, "/api/users").await, None);
    let early = json!({"name": "api", "upstream": "echo"});
    let refused = gateway.change("POST", "routes", &early).send().await;
    assert_eq!(refused.refusal(), (400, "invalid_resource".into()));
    assert!(refused.text().contains("`echo`"), "{}", refused.text());

    let made = gateway
        .made("POST", "upstreams", &pool(&rig.provider, "echo"))
        .await
        .json();
    for (field, expected) in [
        ("object", json!("upstream")),
        (
            "urls",
            json!([format!("http://{}", rig.provider.address())]),
        ),
        ("connect_timeout_ms", json!(5000)),
        ("read_timeout_secs", json!(7)),
        ("health_failures_max", json!(3)),
        ("origin", json!("api")),
    ] {
        assert_eq!(made[field], expected, "{field}");
    }
    let route = json!({"name": "api", "upstream": "echo", "path_prefixes": ["/api"], "strip_prefix": "/api",
        "request_headers": [{"name": "x-team", "value": "blue"}]});
    let made = gateway.made("POST", "routes", &route).await.json();
    assert_eq!(
        made["request_headers"],
        json!([{"name": "x-team", "value": "blue"}])
    );
    assert_eq!(
        path_seen(gateway, "/api/users").await.as_deref(),
        Some("/users")
    );

    let refused = gateway
        .change("DELETE", "upstreams/echo", &json!({}))
        .send()
        .await;
    assert_eq!(refused.refusal(), (409, "resource_in_use".into()));
    assert!(refused.text().contains("routes[api]"), "{}", refused.text());
    let moved = json!({"add_prefix": "/v2", "strip_prefix": null});
    gateway.made("PATCH", "routes/api", &moved).await;
    assert_eq!(
        path_seen(gateway, "/api/users").await.as_deref(),
        Some("/v2/api/users")
    );
    gateway
        .made("PATCH", "routes/api", &json!({"enabled": false}))
        .await;
    assert_eq!(path_seen(gateway, "/api/users").await, None);
    gateway.made("DELETE", "routes/api", &json!({})).await;
    gateway.made("DELETE", "upstreams/echo", &json!({})).await;
    for list in ["routes", "upstreams"] {
        assert_eq!(gateway.shown(list).await["data"], json!([]), "{list}");
    }
}

#[tokio::test]
async fn the_first_route_that_matches_takes_the_request_and_stands_first_in_the_list() {
    let rig = rig().await;
    let gateway = &rig.gateway;
    gateway
        .made("POST", "upstreams", &pool(&rig.provider, "echo"))
        .await;
    for (name, host) in [("zulu", None), ("alpha", Some("api.example.com"))] {
        let mut route = json!({"name": name, "upstream": "echo", "add_prefix": format!("/{name}")});
        if let Some(host) = host {
            route["hosts"] = json!([host]);
        }
        gateway.made("POST", "routes", &route).await;
    }
    assert_eq!(path_seen(gateway, "/x").await.as_deref(), Some("/zulu/x"));
    let names = async |query: &str| {
        let list = gateway.shown(&format!("routes?{query}")).await;
        let data = list["data"].as_array().unwrap().clone();
        data.iter()
            .map(|route| route["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["zulu", "alpha"]);
    assert_eq!(names("sort=name").await, ["alpha", "zulu"]);
    assert_eq!(
        names("host=API.example.com&sort=name").await,
        ["alpha", "zulu"]
    );
    assert_eq!(names("host=other.example.com").await, ["zulu"]);
    assert_eq!(names("upstream=nowhere").await, Vec::<String>::new());
    // A change leaves a route at its place.
    gateway
        .made("PATCH", "routes/zulu", &json!({"add_prefix": "/z"}))
        .await;
    assert_eq!(names("").await, ["zulu", "alpha"]);
    assert_eq!(path_seen(gateway, "/x").await.as_deref(), Some("/z/x"));
}

#[tokio::test]
async fn a_secret_that_a_route_adds_is_not_told() {
    let provider = Provider::start().await;
    let config = format!(
        r#"
        [[upstreams]]
        name = "echo"
        url = "http://{}"

        [[routes]]
        name = "guarded"
        upstream = "echo"
        path_prefixes = ["/guarded"]
        [[routes.request_headers]]
        name = "x-upstream-key"
        value = "{{env.PROVIDER_KEY}}"
        [[routes.request_headers]]
        name = "authorization"
        value = "Basic hunter2"
        [[routes.request_headers]]
        name = "x-team"
        value = "blue"
        "#,
        provider.address()
    );
    let rig = Rig::start_with(provider, &config).await;
    let shown = rig.gateway.shown("routes/guarded").await;
    assert_eq!(
        shown["request_headers"],
        json!([
            {"name": "x-upstream-key", "value": null},
            {"name": "authorization", "value": null},
            {"name": "x-team", "value": "blue"},
        ])
    );
    let refused = rig
        .gateway
        .change("PATCH", "routes/guarded", &json!({}))
        .send()
        .await;
    assert_eq!(refused.refusal(), (409, "managed_by_config".into()));
}

#[tokio::test]
async fn an_mcp_server_is_kept_and_its_credentials_are_sealed() {
    let rig = rig().await;
    let gateway = &rig.gateway;
    let server = json!({"name": "github", "transport": "streamable_http", "url": "http://127.0.0.1:9000/mcp",
        "auth_type": "headers", "tools_to_execute": ["search"], "timeout_ms": 3000,
        "headers": [{"name": "Authorization", "value": "Bearer hunter2"}, {"name": "x-team", "value": "blue"}]});
    let made = gateway.made("POST", "mcp-servers", &server).await;
    assert!(!made.text().contains("hunter2"), "{}", made.text());
    let shown = made.json();
    assert_eq!(shown["object"], "mcp_server");
    assert_eq!(shown["tools_to_execute"], json!(["search"]));
    assert_eq!(shown["max_reconnect_attempts"], 5);
    let sealed = json!({"name": "authorization", "value": null, "value_env": null, "sealed": true});
    let plain = json!({"name": "x-team", "value": "blue", "value_env": null, "sealed": false});
    assert_eq!(shown["headers"], json!([sealed, plain]));
    // What is sealed stays where the list is sent without it.
    let body = json!({"headers": [{"name": "authorization"}], "timeout_ms": 4000});
    let merged = gateway
        .made("PATCH", "mcp-servers/github", &body)
        .await
        .json();
    assert_eq!(
        (&merged["headers"], &merged["timeout_ms"]),
        (&json!([sealed]), &json!(4000))
    );
    let listed = gateway
        .shown("mcp-servers?transport=streamable_http&q=127.0.0.1")
        .await;
    assert_eq!(listed["data"][0]["name"], "github");
    let refused = json!({"name": "git-hub", "transport": "stdio", "command": "x"});
    let refused = gateway.change("POST", "mcp-servers", &refused).send().await;
    assert_eq!(refused.refusal(), (400, "invalid_resource".into()));

    let data = gateway.data_directory();
    let gateway = rig.gateway.kill().await.restart().await;
    assert_eq!(
        gateway.shown("mcp-servers/github").await["headers"],
        json!([sealed])
    );
    gateway
        .made("DELETE", "mcp-servers/github", &json!({}))
        .await;
    assert!(!gateway.logged().contains("hunter2"));
    assert_eq!(find_in_files(&data, "hunter2"), None);
}
