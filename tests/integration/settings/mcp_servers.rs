//! `[[mcp_servers]]`: this version connects to none of them; what is declared is what the admin API shows of it.

use serde_json::{Value, json};

use crate::support::Gateway;

const SERVERS: &str = r#"
    [[mcp_servers]]
    name = "far"
    transport = "sse"
    url = "https://mcp.example.com/mcp"
    auth_type = "headers"
    tools_to_execute = ["read_*", "search"]
    tools_to_auto_execute = ["search"]
    tool_include = ["*"]
    tool_regex = ["/file/"]
    timeout_ms = 1234
    health_ping_interval_secs = 11
    max_reconnect_attempts = 6
    min_reconnect_backoff_secs = 2
    max_reconnect_backoff_secs = 33
    enabled = false
    headers = [
        { name = "x-team", value = "blue" },
        { name = "authorization", value_env = "MCP_TOKEN" },
    ]
    tls = { insecure_skip_verify = true, ca_cert_path = "/etc/ssl/mcp.pem" }

    [[mcp_servers]]
    name = "near"
    transport = "stdio"
    command = "/usr/bin/true"
    args = ["-v", "-v"]
    env = [
        { name = "LEVEL", value = "debug" },
        { name = "TOKEN", value_env = "MCP_TOKEN" },
    ]
"#;

fn check(shown: &Value, expected: &Value) {
    for (field, expected) in expected.as_object().unwrap() {
        assert_eq!(&shown[field], expected, "{field}");
    }
}

#[tokio::test]
async fn a_server_is_shown_as_it_is_declared() {
    let gateway = Gateway::start_with(SERVERS, &[("MCP_TOKEN", "hunter2")]).await;
    let setting = |name: &str, value: Option<&str>, env: Option<&str>| json!({"name": name, "value": value, "value_env": env, "sealed": false});
    check(
        &gateway.shown("mcp-servers/far").await,
        &json!({
            "name": "far", "transport": "sse", "url": "https://mcp.example.com/mcp", "auth_type": "headers",
            "tools_to_execute": ["read_*", "search"], "tools_to_auto_execute": ["search"],
            "tool_include": ["*"], "tool_regex": ["/file/"], "timeout_ms": 1234,
            "health_ping_interval_secs": 11, "max_reconnect_attempts": 6,
            "min_reconnect_backoff_secs": 2, "max_reconnect_backoff_secs": 33, "enabled": false,
            "headers": [
                setting("x-team", Some("blue"), None),
                setting("authorization", None, Some("MCP_TOKEN")),
            ],
            "tls": {"insecure_skip_verify": true, "ca_cert_path": "/etc/ssl/mcp.pem"},
        }),
    );
    check(
        &gateway.shown("mcp-servers/near").await,
        &json!({
            "name": "near", "transport": "stdio", "command": "/usr/bin/true", "args": ["-v", "-v"],
            "enabled": true, "timeout_ms": 30_000,
            "env": [
                setting("LEVEL", Some("debug"), None),
                setting("TOKEN", None, Some("MCP_TOKEN")),
            ],
        }),
    );
    let shown = gateway.shown("mcp-servers").await.to_string();
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[tokio::test]
async fn what_is_sealed_of_a_server_is_in_an_export_and_never_shown() {
    let gateway = Gateway::start("").await;
    let far = json!({
        "name": "far", "transport": "sse", "url": "https://mcp.example.com/mcp", "auth_type": "headers",
        "headers": [{"name": "authorization", "value": "Bearer hunter2"}],
    });
    let near = json!({
        "name": "near", "transport": "stdio", "command": "/usr/bin/true",
        "env": [{"name": "API_TOKEN", "value": "hunter2"}],
    });
    for server in [&far, &near] {
        let made = gateway.made("POST", "mcp-servers", server).await;
        assert!(!made.text().contains("hunter2"), "{}", made.text());
    }
    let export = gateway.admin("/admin/v1/config/export?managed=true");
    let export: toml::Table = export.send().await.expect(200).text().parse().unwrap();
    let mut sealed = Vec::new();
    for (index, list) in ["headers", "env"].into_iter().enumerate() {
        let setting = &export["mcp_servers"][index][list][0];
        let text = setting["value_sealed"].as_str().unwrap().to_owned();
        assert!(
            text.starts_with("fgs1.") && !text.contains("hunter2"),
            "{text}"
        );
        sealed.push(text);
    }
    // Another gateway takes it from its file.
    let [header, variable] = &sealed[..] else {
        panic!("two are sealed: {sealed:?}")
    };
    let key = gateway.data_directory().join("master.key");
    let config = format!(
        r#"
        [secrets]
        master_key_file = {key:?}

        [[mcp_servers]]
        name = "far"
        transport = "sse"
        url = "https://mcp.example.com/mcp"
        headers = [{{ name = "authorization", value_sealed = "{header}" }}]

        [[mcp_servers]]
        name = "near"
        transport = "stdio"
        command = "/usr/bin/true"
        env = [{{ name = "API_TOKEN", value_sealed = "{variable}" }}]
        "#
    );
    let other = Gateway::start(&config).await;
    let far = other.shown("mcp-servers/far").await;
    let near = other.shown("mcp-servers/near").await;
    for setting in [&far["headers"][0], &near["env"][0]] {
        assert_eq!(
            (&setting["value"], &setting["sealed"]),
            (&Value::Null, &json!(true))
        );
    }
}
