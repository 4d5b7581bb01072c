//! Providers that are made, changed and deleted while the gateway runs, and their secrets, which nobody sees again.

use serde_json::{Value, json};

use crate::support::{Answer, PROVIDER_KEY, Provider, Request, Rig, chat_body, find_in_files};

const SEALED: &str = "sk-sealed-hunter2-AAAA";
const NEXT: &str = "sk-sealed-hunter2-BBBB";

/// A provider that takes three keys, of which the gateway's file knows one.
async fn rig() -> Rig {
    let flags = [
        "--require-key",
        PROVIDER_KEY,
        "--require-key",
        SEALED,
        "--require-key",
        NEXT,
    ];
    Rig::start_with(Provider::start_with(&flags).await, "").await
}

fn second(rig: &Rig) -> Value {
    json!({
        "name": "second",
        "kind": "openai-compatible",
        "base_url": rig.provider.base_url(),
        "api_key": SEALED,
    })
}

fn its_model() -> Value {
    json!({"name": "its", "provider": "second", "provider_model": "its-own", "input_price_per_1m": "1", "output_price_per_1m": "2"})
}

fn ask(rig: &Rig, model: &str) -> Request {
    let mut body = chat_body("hello");
    body["model"] = model.into();
    rig.post("/v1/chat/completions", &body)
}

/// The last letters of the key that was presented last.
async fn presented(rig: &Rig) -> String {
    let calls = rig.provider.calls().await;
    let last = &calls.last().unwrap()["credential"]["last_four"];
    last.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_sealed_key_opens_its_provider_across_reloads_and_restarts() {
    let rig = rig().await;
    let made = rig.gateway.made("POST", "providers", &second(&rig)).await;
    let fields = made.json();
    for (field, expected) in [
        ("object", json!("provider")),
        ("name", json!("second")),
        ("kind", json!("openai-compatible")),
        ("base_url", json!(rig.provider.base_url())),
        ("enabled", json!(true)),
        ("apis", json!(["chat", "embeddings"])),
        ("has_api_key", json!(true)),
        ("credential", json!("sealed")),
        ("credential_names", json!([])),
        ("origin", json!("api")),
        ("revision", json!(1)),
    ] {
        assert_eq!(fields[field], expected, "{field}");
    }
    rig.gateway.made("POST", "models", &its_model()).await;
    let works = async |rig: &Rig, key: &str| {
        ask(rig, "its").send().await.expect(200);
        assert_eq!(presented(rig).await, key);
    };
    works(&rig, "AAAA").await;

    rig.gateway.add_to_file("[limits]\nbody_timeout_secs = 33");
    assert_eq!(rig.gateway.reload().await["committed"], true);
    works(&rig, "AAAA").await;

    let Rig { gateway, provider } = rig;
    let gateway = gateway.kill().await.restart().await;
    let rig = Rig { gateway, provider };
    works(&rig, "AAAA").await;
    assert_eq!(
        rig.gateway.shown("providers/second").await["has_api_key"],
        true
    );

    // A replacement leaves nothing but the secret.
    let mut body = second(&rig);
    body.as_object_mut().unwrap().remove("api_key");
    let replaced = rig.gateway.made("PUT", "providers/second", &body).await;
    assert_eq!(replaced.json()["credential"], "sealed");
    works(&rig, "AAAA").await;
    // A new one takes its place.
    let merge = async |body: Value| {
        let answer = rig.gateway.made("PATCH", "providers/second", &body).await;
        let shown = answer.json();
        (
            shown["credential"].clone(),
            shown["credential_names"].clone(),
        )
    };
    assert_eq!(
        merge(json!({"api_key": NEXT})).await,
        (json!("sealed"), json!([]))
    );
    works(&rig, "BBBB").await;
    // And so does another place to have it from.
    let env = (json!("env"), json!(["PROVIDER_KEY"]));
    assert_eq!(merge(json!({"api_key_env": "PROVIDER_KEY"})).await, env);
    works(&rig, "0001").await;
    let none = (json!("none"), json!([]));
    assert_eq!(merge(json!({"api_key_env": null})).await, none);
    assert_ne!(ask(&rig, "its").send().await.status, 200);
    assert_eq!(merge(json!({"api_key": SEALED})).await.0, "sealed");
    works(&rig, "AAAA").await;
    assert_eq!(merge(json!({"api_key": null})).await, none);
}

#[tokio::test]
async fn a_secret_that_was_sealed_is_nowhere_in_clear() {
    let rig = rig().await;
    let gateway = &rig.gateway;
    gateway.made("POST", "providers", &second(&rig)).await;
    gateway.made("POST", "models", &its_model()).await;
    gateway
        .made("PATCH", "providers/second", &json!({"api_key": NEXT}))
        .await;
    ask(&rig, "its").send().await.expect(200);
    // Nor in the refusal of one.
    let refused = gateway
        .change("POST", "providers", &second(&rig))
        .send()
        .await;
    assert_eq!(refused.refusal(), (409, "resource_exists".into()));
    for body in [
        json!({"name": "x", "api_key": ["hunter2"]}),
        json!({"name": "x", "api_key": "hunter2\n"}),
        json!({"name": "x", "api_key": "hunter2", "api_key_env": "PROVIDER_KEY"}),
        json!({"name": "x", "api_key_sealed": "fgs1.hunter2"}),
        json!({"name": "x", "api_keys": ["hunter2"]}),
    ] {
        let answer = gateway.change("POST", "providers", &body).send().await;
        assert_eq!(answer.refusal(), (400, "invalid_resource".into()), "{body}");
        assert!(!answer.text().contains("hunter2"), "{}", answer.text());
    }
    for path in [
        "providers",
        "providers/second",
        "audit-events",
        "config",
        "config/export",
        "config/export?managed=true",
        "config/revisions",
        "status",
        "request-logs",
        "provider-health",
    ] {
        let path = format!("/admin/v1/{path}");
        let answer = gateway.admin(&path).send().await.expect(200);
        assert!(
            !answer.text().contains("hunter2"),
            "{path}: {}",
            answer.text()
        );
    }
    let data = gateway.data_directory();
    gateway.terminate();
    let (log, (code, _stopped)) = (gateway.logged(), rig.gateway.left().await);
    assert_eq!(code, Some(0));
    assert!(!log.contains("hunter2"));
    assert_eq!(find_in_files(&data, "hunter2"), None);
    // The search finds what is there.
    assert!(find_in_files(&data, "fgs1.").is_some());
}

#[tokio::test]
async fn a_provider_that_models_name_stays_and_the_files_own_is_changed_there() {
    let rig = rig().await;
    let gateway = &rig.gateway;
    gateway.made("POST", "providers", &second(&rig)).await;
    gateway.made("POST", "models", &its_model()).await;
    let refused = gateway
        .change("DELETE", "providers/second", &json!({}))
        .send()
        .await;
    assert_eq!(refused.refusal(), (409, "resource_in_use".into()));
    assert!(refused.text().contains("models[its]"), "{}", refused.text());
    ask(&rig, "its").send().await.expect(200);
    gateway.made("DELETE", "models/its", &json!({})).await;
    let deleted = gateway.made("DELETE", "providers/second", &json!({})).await;
    assert_eq!(
        deleted.json(),
        json!({"object": "provider", "id": "second", "deleted": true})
    );
    let gone = gateway.admin("/admin/v1/providers/second").send().await;
    assert_eq!(gone.refusal(), (404, "resource_not_found".into()));

    let file = gateway.shown("providers/openai").await;
    assert_eq!(
        (
            &file["origin"],
            &file["credential"],
            &file["credential_names"]
        ),
        (&json!("config"), &json!("env"), &json!(["PROVIDER_KEY"]))
    );
    assert_eq!(file["revision"], Value::Null);
    for (method, path) in [
        ("POST", "providers"),
        ("PUT", "providers/openai"),
        ("PATCH", "providers/openai"),
        ("DELETE", "providers/openai"),
    ] {
        let body = json!({"name": "openai"});
        let answer = gateway.change(method, path, &body).send().await;
        assert_eq!(
            answer.refusal(),
            (409, "managed_by_config".into()),
            "{method}"
        );
    }
    ask(&rig, "fast").send().await.expect(200);
}

#[tokio::test]
async fn a_body_that_cannot_be_is_refused_with_all_that_is_wrong() {
    let rig = rig().await;
    let gateway = &rig.gateway;
    let check = async |method: &str, path: &str, body: Value, refusal: (u16, &str), word: &str| {
        let answer = gateway.change(method, path, &body).send().await;
        let (status, code) = answer.refusal();
        assert_eq!((status, &*code), refusal, "{path} {body}");
        assert!(
            answer.text().contains(word),
            "{path} {body}: {}",
            answer.text()
        );
    };
    let invalid = (400, "invalid_resource");
    check("POST", "providers", json!({}), invalid, "`name`").await;
    let compatible = json!({"name": "x", "kind": "openai-compatible"});
    check("POST", "providers", compatible, invalid, "base_url").await;
    let two = json!({"name": "x", "kind": "opanai", "enabeld": true});
    check("POST", "providers", two.clone(), invalid, "`openai`").await;
    check("POST", "providers", two, invalid, "`enabled`").await;
    check(
        "POST",
        "providers",
        json!({"name": "two words"}),
        invalid,
        "spaces",
    )
    .await;
    let missing = (404, "resource_not_found");
    check("PUT", "providers/nobody", json!({}), missing, "nobody").await;
    check("PATCH", "providers/nobody", json!({}), missing, "nobody").await;
    check("DELETE", "providers/nobody", json!({}), missing, "nobody").await;
    let providers = gateway.shown("providers").await;
    assert_eq!(
        providers["data"].as_array().unwrap().len(),
        1,
        "{providers}"
    );
}

#[tokio::test]
async fn a_name_may_hold_what_a_path_has_to_encode() {
    let rig = rig().await;
    let gateway = &rig.gateway;
    let mut body = second(&rig);
    body["name"] = "team/openai%".into();
    gateway.made("POST", "providers", &body).await;
    let path = "providers/team%2Fopenai%25";
    assert_eq!(gateway.shown(path).await["name"], "team/openai%");
    let merged = gateway
        .made("PATCH", path, &json!({"enabled": false}))
        .await;
    assert_eq!(merged.json()["enabled"], false);
    // On the gateway's own listener it is the same.
    let admin_key = std::fs::read_to_string(gateway.data_directory().join("admin-key")).unwrap();
    let here = gateway.request("GET", &format!("/admin/v1/{path}"));
    let here = here.key(admin_key.trim()).send().await.expect(200);
    assert_eq!(here.json()["name"], "team/openai%");
    gateway.made("DELETE", path, &json!({})).await;

    let policy = json!({"name": "no chat / at night", "effect": "deny", "models": ["fast"], "enabled": false});
    gateway.made("POST", "policies", &policy).await;
    let path = "policies/no%20chat%20%2F%20at%20night";
    assert_eq!(gateway.shown(path).await["name"], "no chat / at night");
    gateway.made("DELETE", path, &json!({})).await;
}

#[tokio::test]
async fn a_write_with_a_stale_tag_changes_nothing() {
    let rig = rig().await;
    let gateway = &rig.gateway;
    let made = gateway.made("POST", "providers", &second(&rig)).await;
    let first = made.header("etag").to_owned();
    assert!(first.starts_with("\"1-"), "{first}");
    let path = "/admin/v1/providers/second";
    let look = |tag: &str| gateway.admin(path).header("if-none-match", tag);
    let unchanged = look(&first).send().await;
    assert_eq!((unchanged.status, &*unchanged.body), (304, &b""[..]));
    assert_eq!(unchanged.header("etag"), first);
    assert_eq!(look("\"0-0\"").send().await.status, 200);

    let write = |method: &str, tag: &str, body: Value| {
        let change = gateway.change(method, "providers/second", &body);
        change.header("if-match", tag).send()
    };
    let off = json!({"enabled": false});
    let merged = write("PATCH", &first, off.clone()).await.expect(200);
    let second_tag = merged.header("etag").to_owned();
    assert_ne!(second_tag, first);
    let stale = |answer: Answer| {
        assert_eq!(answer.refusal(), (412, "precondition_failed".into()));
    };
    stale(write("PATCH", &first, json!({"enabled": true})).await);
    stale(write("PUT", &first, second(&rig)).await);
    stale(write("DELETE", &first, json!({})).await);
    let shown = gateway.admin(path).send().await;
    assert_eq!(shown.header("etag"), second_tag);
    assert_eq!(shown.json()["enabled"], false);
    write("PATCH", "*", off.clone()).await.expect(200);
    let malformed = write("PATCH", "1-2", off).await;
    assert_eq!(malformed.refusal(), (400, "invalid_request".into()));

    // What the file declares has a tag, too, by what is shown of it.
    let file = gateway.admin("/admin/v1/providers/openai").send().await;
    let tag = file.header("etag").to_owned();
    assert!(tag.starts_with("\"file-"), "{tag}");
    let again = gateway
        .admin("/admin/v1/providers/openai")
        .header("if-none-match", &format!("W/{tag}"));
    assert_eq!(again.send().await.status, 304);
}
