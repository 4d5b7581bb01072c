//! The life of a configuration: judged, reloaded, compared, gone back from, exported and imported. What cannot be put in
//! force changes nothing, and what is under way goes on.

use std::fs;

use ferrogate_api::{AuditEvent, BreakerState, ConfigRevision};
use serde_json::{Value, json};

use crate::support::{
    Answer, Gateway, KEY, PROVIDER_KEY, Provider, Request, Rig, chat_body, gateway_for,
    provider_of, take_entry,
};

fn ask(rig: &Rig, model: &str) -> Request {
    let mut body = chat_body("hello");
    body["model"] = model.into();
    rig.post("/v1/chat/completions", &body)
}

async fn post(gateway: &Gateway, path: &str, body: &Value) -> Answer {
    gateway.change("POST", path, body).send().await
}

/// The whole of an export.
async fn export(gateway: &Gateway, query: &str) -> String {
    let answer = gateway.admin(&format!("/admin/v1/config/export{query}"));
    let answer = answer.send().await.expect(200);
    assert_eq!(answer.header("content-type"), "application/toml");
    answer.text().to_owned()
}

const ANOTHER: &str = r#"
    [[models]]
    name = "another"
    provider = "openai"
    provider_model = "another-at-provider"
    input_price_per_1m = 1
    output_price_per_1m = 1
"#;

#[tokio::test]
async fn a_reload_puts_the_file_in_force_and_notes_who_did_it_and_why() {
    let rig = Rig::start("").await;
    let gateway = &rig.gateway;
    let before = gateway.shown("config").await;
    assert_eq!(before["object"], "config");
    assert_eq!(before["persisted"], true);
    assert!(!before.to_string().contains(KEY), "{before}");
    assert!(!before["text"].as_str().unwrap().contains(KEY));
    gateway.add_to_file(ANOTHER);
    assert_eq!(ask(&rig, "another").send().await.status, 404);

    let dry = post(gateway, "config/reload", &json!({"dry_run": true}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&dry["valid"], &dry["committed"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(ask(&rig, "another").send().await.status, 404);
    let diff = post(gateway, "config:diff", &json!({}))
        .await
        .expect(200)
        .json();
    let [change] = &diff["changes"].as_array().unwrap()[..] else {
        panic!("one change: {diff}")
    };
    assert_eq!(
        (&change["section"], &change["name"], &change["action"]),
        (&json!("models"), &json!("another"), &json!("create"))
    );
    assert!(
        diff["text"]
            .as_str()
            .unwrap()
            .contains("+name = \"another\""),
        "{diff}"
    );

    let reload = gateway
        .change("POST", "config/reload", &json!({}))
        .header("x-ferrogate-reason", "a new model")
        .send()
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&reload["valid"], &reload["committed"], &reload["mode"]),
        (&json!(true), &json!(true), &json!("process-local"))
    );
    assert_eq!(reload["changes"], diff["changes"]);
    ask(&rig, "another").send().await.expect(200);
    let after = gateway.shown("config").await;
    assert_ne!(after["sha256"], before["sha256"]);
    assert_eq!(after["revision"], reload["revision"]);

    let number = &reload["revision"];
    let revision = gateway.shown(&format!("config/revisions/{number}")).await;
    let revision: ConfigRevision = serde_json::from_value(revision).unwrap();
    assert_eq!(
        (&*revision.source, &*revision.reason),
        ("file", "a new model")
    );
    let uid = format!("unix:uid={}", nix::unistd::geteuid().as_raw());
    assert_eq!(*revision.actor, *uid);
    let events: Vec<AuditEvent> = gateway
        .list("/admin/v1/audit-events?action=config.reload")
        .await;
    assert!(
        events.iter().any(|event| *event.actor == *uid),
        "{events:?}"
    );
    // Nothing to do is nothing to note.
    assert_eq!(gateway.reload().await["revision"], Value::Null);
}

#[tokio::test]
async fn a_file_with_an_error_changes_nothing() {
    let rig = Rig::start("").await;
    let gateway = &rig.gateway;
    let before = gateway.shown("config").await;
    gateway.add_to_file(ANOTHER);
    gateway.edit_file(|root| {
        let models = root["models"].as_array_mut().unwrap();
        models[0]
            .as_table_mut()
            .unwrap()
            .insert("provider".into(), "opneai".into());
    });
    let file = gateway.config_file().display().to_string();
    for path in ["config/reload", "config/validate"] {
        let refused = post(gateway, path, &json!({"source": "file"}))
            .await
            .expect(200)
            .json();
        assert_eq!(refused["valid"], false, "{path}");
        let finding = &refused["errors"][0];
        assert_eq!(finding["file"], json!(file), "{path}");
        assert!(finding["line"].as_u64().unwrap() > 0, "{refused}");
        assert!(
            finding["message"].as_str().unwrap().contains("`openai`"),
            "{refused}"
        );
        assert!(
            refused["error"].as_str().unwrap().contains("opneai"),
            "{refused}"
        );
    }
    let refused = post(gateway, "config:diff", &json!({})).await;
    assert_eq!(refused.refusal(), (400, "invalid_config".into()));
    assert_eq!(gateway.shown("config").await, before);
    assert_eq!(ask(&rig, "another").send().await.status, 404);
    ask(&rig, "fast").send().await.expect(200);

    // Text that is no TOML, a Caddyfile, and both at once.
    let broken = json!({"config_toml": "[[models"});
    let report = post(gateway, "config/validate", &broken)
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&report["valid"], &report["errors"][0]["line"]),
        (&json!(false), &json!(1))
    );
    let caddy = post(
        gateway,
        "config/reload",
        &json!({"config_caddyfile": ":80 {}"}),
    )
    .await;
    assert_eq!(caddy.refusal(), (501, "not_yet_supported".into()));
    let both = post(
        gateway,
        "config/validate",
        &json!({"config_toml": "", "source": "file"}),
    )
    .await;
    assert_eq!(both.refusal(), (400, "invalid_request".into()));
}

#[tokio::test]
async fn what_resources_of_the_database_name_cannot_be_taken_out_of_the_file() {
    let rig = Rig::start(ANOTHER).await;
    let gateway = &rig.gateway;
    let key = json!({"id": "client", "allowed_models": ["another"]});
    let secret = gateway.made("POST", "api-keys", &key).await.json()["secret"].clone();
    let ask_with_it = || {
        let mut body = chat_body("hello");
        body["model"] = "another".into();
        let request = gateway.request("POST", "/v1/chat/completions").json(&body);
        request.key(secret.as_str().unwrap()).send()
    };
    ask_with_it().await.expect(200);
    gateway.edit_file(|root| take_entry(root, "models", "another"));
    let refused = gateway.reload().await;
    assert_eq!(
        (&refused["valid"], &refused["committed"]),
        (&json!(false), &json!(false))
    );
    let error = refused["error"].as_str().unwrap();
    assert!(
        error.contains("client") && error.contains("another"),
        "{error}"
    );
    ask_with_it().await.expect(200);

    // A name that the database has already is not to be declared beside it.
    gateway.add_to_file(ANOTHER);
    gateway.add_to_file("[[api_keys]]\nid = \"client\"\nkey = \"client-secret\"");
    let refused = gateway.reload().await;
    assert_eq!(refused["committed"], false);
    assert!(
        refused["error"].as_str().unwrap().contains("client"),
        "{refused}"
    );
    gateway.made("DELETE", "api-keys/client", &json!({})).await;
    assert_eq!(gateway.reload().await["committed"], true);
    assert_eq!(gateway.shown("api-keys/client").await["origin"], "config");
}

#[tokio::test]
async fn a_stream_goes_on_over_a_reload_that_drops_its_model() {
    let rig = Rig::start(ANOTHER).await;
    let gateway = &rig.gateway;
    let mut body = chat_body("sim: delay_ms=100 tokens=30\nhello");
    body["model"] = "another".into();
    body["stream"] = true.into();
    let mut stream = rig.post("/v1/chat/completions", &body).open().await;
    stream.event().await.unwrap();
    gateway.edit_file(|root| take_entry(root, "models", "another"));
    assert_eq!(gateway.reload().await["committed"], true);
    assert_eq!(gateway.status().await.in_flight, 1);
    let gone = ask(&rig, "another").send().await;
    assert_eq!(gone.refusal(), (404, "model_not_found".into()));
    assert!(stream.events().await.pop().unwrap().is_done());
    let log = gateway.log_of(stream.header("x-request-id")).await;
    assert_eq!(log.model.as_deref(), Some("another"));
    assert!(log.cost_nanos.is_some(), "{log:?}");
}

#[tokio::test]
async fn windows_breakers_and_the_cache_outlive_a_reload() {
    let config = r#"
        [cache]
        enabled = true
        [reliability]
        provider_circuit_breaker_failure_threshold = 2
        provider_circuit_breaker_cooldown_secs = 600
        [[models]]
        name = "broken"
        provider = "one"
        provider_model = "first+fault=503"
        [[api_keys]]
        id = "slow"
        key = "slow-secret"
        request_limit_per_minute = 1
    "#;
    let provider = Provider::start().await;
    let one = provider_of("one", &provider.base_url());
    let rig = Rig::start_with(provider, &format!("{one}{config}")).await;
    let gateway = &rig.gateway;
    ask(&rig, "fast")
        .key("slow-secret")
        .send()
        .await
        .expect(200);
    for _ in 0..2 {
        assert_eq!(ask(&rig, "broken").send().await.status, 503);
    }
    ask(&rig, "fast").send().await.expect(200);
    gateway.add_to_file(ANOTHER);
    assert_eq!(gateway.reload().await["committed"], true);
    ask(&rig, "another").send().await.expect(200);

    let limited = ask(&rig, "fast").key("slow-secret").send().await;
    assert_eq!(limited.refusal(), (429, "rate_limit_exceeded".into()));
    let health = gateway.health_of("one").await;
    assert_eq!(health.breaker.state, BreakerState::Open);
    let open = ask(&rig, "broken").send().await;
    assert_eq!(open.refusal(), (503, "provider_circuit_open".into()));
    let cached = ask(&rig, "fast").send().await.expect(200);
    assert_eq!(cached.header("x-ferrogate-cache"), "hit");
}

#[tokio::test]
async fn what_a_reload_cannot_change_is_named_and_nothing_is_changed() {
    let rig = Rig::start("").await;
    let gateway = &rig.gateway;
    let check = async |edit: fn(&mut toml::Table), mode: &str, key: &str| {
        let own = fs::read_to_string(gateway.config_file()).unwrap();
        gateway.add_to_file(ANOTHER);
        gateway.edit_file(edit);
        let report = post(gateway, "config/validate", &json!({}))
            .await
            .expect(200)
            .json();
        assert_eq!(
            (&report["valid"], &report["reload_mode"]),
            (&json!(true), &json!(mode))
        );
        let listeners = mode == "listener-level-required";
        assert_eq!(report["listener_reload_required"], json!(listeners));
        let refused = gateway.reload().await;
        assert_eq!(
            (&refused["valid"], &refused["committed"], &refused["mode"]),
            (&json!(true), &json!(false), &json!(mode))
        );
        assert_eq!(refused["restart_keys"], json!([key]));
        assert_eq!(ask(&rig, "another").send().await.status, 404);
        fs::write(gateway.config_file(), own).unwrap();
    };
    let listen = |root: &mut toml::Table| {
        root.insert("listen".into(), "127.0.0.1:1".into());
    };
    check(listen, "listener-level-required", "listen").await;
    let storage = |root: &mut toml::Table| {
        let storage = root["storage"].as_table_mut().unwrap();
        storage.insert("read_connections".into(), 5.into());
    };
    check(storage, "restart-required", "storage.read_connections").await;
    let same = gateway.reload().await;
    assert_eq!(
        (&same["committed"], &same["changes"]),
        (&json!(true), &json!([]))
    );
    ask(&rig, "fast").send().await.expect(200);
}

#[tokio::test]
async fn a_text_that_is_sent_is_in_force_until_the_next_start() {
    let rig = Rig::start("").await;
    let gateway = &rig.gateway;
    let text = fs::read_to_string(gateway.config_file()).unwrap() + ANOTHER;
    let body = json!({"config_toml": text, "reason": "a trial"});
    let reload = post(gateway, "config/reload", &body)
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&reload["committed"], &reload["persisted"]),
        (&json!(true), &json!(false))
    );
    ask(&rig, "another").send().await.expect(200);
    assert_eq!(gateway.shown("config").await["persisted"], false);
    let Rig { gateway, provider } = rig;
    let gateway = gateway.kill().await.restart().await;
    let rig = Rig { gateway, provider };
    assert_eq!(ask(&rig, "another").send().await.status, 404);
    assert_eq!(rig.gateway.shown("config").await["persisted"], true);
}

#[tokio::test]
async fn going_back_makes_resources_what_they_were() {
    let rig = Rig::start("").await;
    let gateway = &rig.gateway;
    let model = json!({"name": "made", "provider": "openai", "provider_model": "m1", "input_price_per_1m": "1", "output_price_per_1m": "1"});
    gateway.made("POST", "models", &model).await;
    let secret = gateway
        .made(
            "POST",
            "api-keys",
            &json!({"id": "client", "name": "first"}),
        )
        .await;
    let secret = secret.json()["secret"].as_str().unwrap().to_owned();
    let number = gateway.shown("config").await["revision"].as_u64().unwrap();
    let before = export(gateway, "?managed=true").await;

    gateway
        .made("PATCH", "models/made", &json!({"provider_model": "m2"}))
        .await;
    gateway
        .made("PATCH", "api-keys/client", &json!({"name": "second"}))
        .await;
    let rotated = gateway
        .made("POST", "api-keys/client/rotate", &json!({}))
        .await;
    let rotated = rotated.json()["secret"].as_str().unwrap().to_owned();
    gateway
        .made("POST", "api-keys", &json!({"id": "later"}))
        .await;
    gateway.made("DELETE", "models/made", &json!({})).await;

    let path = format!("config/revisions/{number}/rollback");
    let dry = post(gateway, &path, &json!({"dry_run": true}))
        .await
        .expect(200)
        .json();
    assert_eq!(dry["revision"], Value::Null);
    assert_eq!(dry["restored"].as_array().unwrap().len(), 3, "{dry}");
    assert_ne!(ask(&rig, "made").send().await.status, 200);
    let back = post(gateway, &path, &json!({"reason": "that was not it"}))
        .await
        .expect(200)
        .json();
    assert_eq!(back["restored"], dry["restored"]);
    assert_eq!(back["file_diff"], "");
    let answer = ask(&rig, "made").send().await.expect(200);
    let log = gateway.log_of(answer.request_id()).await;
    assert_eq!(log.provider_model.as_deref(), Some("m1"));
    assert_eq!(gateway.shown("api-keys/client").await["name"], "first");
    let gone = gateway.admin("/admin/v1/api-keys/later").send().await;
    assert_eq!(gone.status, 404);
    // A secret that was taken away stays away.
    assert_eq!(ask(&rig, "fast").key(&secret).send().await.status, 401);
    ask(&rig, "fast").key(&rotated).send().await.expect(200);
    let after = export(gateway, "?managed=true").await;
    let without_hashes = |text: &str| {
        let lines = text.lines().filter(|line| !line.contains("hash"));
        lines.map(|line| format!("{line}\n")).collect::<String>()
    };
    assert_eq!(without_hashes(&after), without_hashes(&before));

    let revisions: Vec<ConfigRevision> = gateway.list("/admin/v1/config/revisions?limit=2").await;
    assert_eq!(json!(revisions[0].revision), back["revision"]);
    assert_eq!(
        (&*revisions[0].source, &*revisions[0].reason),
        ("rollback", "that was not it")
    );
    let numbers: Vec<_> = revisions.iter().map(|one| one.revision).collect();
    assert!(
        numbers.is_sorted_by(|one, other| one > other),
        "{numbers:?}"
    );
    for (path, refusal) in [
        (
            "config/revisions/99999/rollback",
            (404, "resource_not_found"),
        ),
        ("config/revisions/seven/rollback", (400, "invalid_request")),
    ] {
        let refused = post(gateway, path, &json!({})).await.refusal();
        assert_eq!((refused.0, &*refused.1), refusal, "{path}");
    }
}

/// One of everything, and policies and routes whose order is not that of their names.
async fn make_everything(gateway: &Gateway, base_url: &str) {
    for (path, body) in [
        (
            "tenants",
            json!({"kind": "organization", "id": "acme", "concurrency_limit": 9}),
        ),
        (
            "tenants",
            json!({"kind": "team", "id": "blue", "parent": "organization:acme"}),
        ),
        (
            "providers",
            json!({"name": "sealed", "kind": "openai-compatible", "base_url": base_url, "api_key": "sk-sealed"}),
        ),
        (
            "models",
            json!({"name": "made", "provider": "sealed", "provider_model": "m", "input_price_per_1m": "0.15", "output_price_per_1m": "0.6",
            "fallbacks": [{"provider": "openai", "provider_model": "n", "input_price_per_1m": "1", "output_price_per_1m": "2"}]}),
        ),
        (
            "api-keys",
            json!({"id": "client", "team_id": "blue", "allowed_models": ["made"],
            "budgets": [{"id": "month", "money": "25", "period": "month"}]}),
        ),
        (
            "policies",
            json!({"name": "zulu first", "effect": "deny", "models": ["made"], "when": {"hours": "22:00-06:00", "time_zone": "Europe/Berlin"}}),
        ),
        (
            "policies",
            json!({"name": "alpha \"second\"", "effect": "deny", "api_key_ids": ["client"], "enabled": false}),
        ),
        (
            "gateway-configs",
            json!({"id": "batch", "api_key_ids": ["client"], "tags": {"purpose": "batch"}}),
        ),
        (
            "upstreams",
            json!({"name": "echo", "urls": ["http://127.0.0.1:9/a", "http://127.0.0.1:10"]}),
        ),
        (
            "routes",
            json!({"name": "zulu", "upstream": "echo", "path_prefixes": ["/z"], "request_headers": [{"name": "x-a", "value": "b"}]}),
        ),
        (
            "routes",
            json!({"name": "alpha", "upstream": "echo", "path_prefixes": ["/a"]}),
        ),
        (
            "mcp-servers",
            json!({"name": "github", "transport": "stdio", "command": "/usr/bin/true", "args": ["-v", "-v"]}),
        ),
    ] {
        gateway.made("POST", path, &body).await;
    }
}

#[tokio::test]
async fn an_export_taken_over_elsewhere_exports_the_same_bytes() {
    let rig = Rig::start("").await;
    let base_url = rig.provider.base_url();
    make_everything(&rig.gateway, &base_url).await;
    let managed = export(&rig.gateway, "?managed=true").await;
    assert!(!managed.contains("sk-sealed"), "{managed}");

    let other = gateway_for(&base_url, "").await;
    let key = "master.key";
    fs::copy(
        rig.gateway.data_directory().join(key),
        other.data_directory().join(key),
    )
    .unwrap();
    // Its own first admin key is another one.
    let refused = post(&other, "config/import", &json!({"config_toml": managed})).await;
    assert_eq!(refused.refusal(), (409, "resource_exists".into()));
    let body = json!({"config_toml": managed, "adopt": true, "dry_run": true});
    let dry = post(&other, "config/import", &body)
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&dry["revision"], &dry["imported"]["policies"]),
        (&Value::Null, &json!(2))
    );
    let missing = other.admin("/admin/v1/providers/sealed").send().await;
    assert_eq!(missing.status, 404);
    let body = json!({"config_toml": managed, "adopt": true, "reason": "a move"});
    let imported = post(&other, "config/import", &body)
        .await
        .expect(200)
        .json();
    assert_eq!(imported["imported"], dry["imported"]);
    assert_eq!(export(&other, "?managed=true").await, managed);
    assert_eq!(other.shown("providers/sealed").await["has_api_key"], true);
    let order =
        async |gateway: &Gateway| gateway.shown("policies").await["data"][0]["name"].clone();
    assert_eq!(order(&other).await, order(&rig.gateway).await);
    // Once more is nothing new.
    let again = post(&other, "config/import", &body)
        .await
        .expect(200)
        .json();
    assert_eq!(again["revision"], Value::Null, "{again}");
    let refused = post(&other, "config/import", &json!({"config_toml": "[[models"})).await;
    assert_eq!(refused.refusal(), (400, "invalid_config".into()));
}

#[tokio::test]
async fn a_gateway_that_starts_with_an_export_exports_the_same_bytes() {
    let rig = Rig::start("").await;
    make_everything(&rig.gateway, &rig.provider.base_url()).await;
    let whole = export(&rig.gateway, "").await;
    let mut root: toml::Table = whole.parse().unwrap();
    let path = root["storage"]
        .as_table_mut()
        .unwrap()
        .remove("path")
        .unwrap();
    let environment = [("PROVIDER_KEY", PROVIDER_KEY)];
    let other = Gateway::start_with(&root.to_string(), &environment).await;
    let again = export(&other, "").await;
    let own = other.data_directory().display().to_string();
    assert_eq!(again.replace(&own, path.as_str().unwrap()), whole);
    assert_eq!(export(&other, "?managed=true").await.trim(), "");
    assert_eq!(other.shown("routes").await["data"][0]["name"], "zulu");
    assert_eq!(other.shown("policies").await["data"][0]["origin"], "config");
    assert!(!whole.contains(KEY), "{whole}");
}
