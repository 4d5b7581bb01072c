//! Keys that are made, changed and given new secrets while the gateway runs, and who may do that.

use ferrogate_api::{ApiKey, AuditEvent};
use serde_json::{Value, json};

use crate::support::{
    Answer, Gateway, KEY, Request, Rig, Target, chat_body, eventually, find_in_files,
};

fn ask(rig: &Rig) -> Request {
    rig.gateway
        .request("POST", "/v1/chat/completions")
        .json(&chat_body("hello"))
}

/// The secret that an answer tells, this once.
fn told(answer: &Answer) -> String {
    let secret = answer.json()["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("fg_live_"), "{secret}");
    secret
}

async fn key_of(gateway: &Gateway, id: &str) -> ApiKey {
    let path = format!("/admin/v1/api-keys/{id}");
    let answer = gateway.admin(&path).send().await.expect(200);
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test]
async fn a_key_is_made_used_rotated_switched_off_and_deleted() {
    let rig = Rig::start("").await;
    let gateway = &rig.gateway;
    let body = json!({"id": "made", "name": "the made one", "request_limit_per_minute": 1000, "allowed_models": ["fast"]});
    let made = gateway.change("POST", "api-keys", &body).send().await;
    let made = made.expect(201);
    let first = told(&made);
    let fields = made.json();
    for (field, expected) in [
        ("object", json!("api_key")),
        ("origin", json!("api")),
        ("revision", json!(1)),
        ("key_source", json!("hash")),
        ("request_limit_per_minute", json!(1000)),
        ("enabled", json!(true)),
    ] {
        assert_eq!(fields[field], expected, "{field}");
    }
    let refused = async |secret: &str, status: u16, code: &str| {
        let answer = ask(&rig).key(secret).send().await;
        assert_eq!(answer.refusal(), (status, code.to_owned()));
    };
    let works = async |secret: &str| {
        ask(&rig).key(secret).send().await.expect(200);
    };
    works(&first).await;
    eventually("its use is noted", || async {
        key_of(gateway, "made").await.last_used_unix_ms
    })
    .await;

    // With an overlap both secrets work; the old one until it ends.
    let rotate = async |overlap: u64| {
        let body = json!({"overlap_secs": overlap});
        let answer = gateway
            .change("POST", "api-keys/made/rotate", &body)
            .send()
            .await;
        told(&answer.expect(200))
    };
    let second = rotate(3600).await;
    assert_ne!(first, second);
    works(&first).await;
    works(&second).await;
    let key = key_of(gateway, "made").await;
    assert_eq!(
        (key.revision, key.previous_secrets_expire_at_unix.len()),
        (Some(2), 1)
    );
    let third = rotate(1).await;
    works(&third).await;
    eventually("the overlap is over", || async {
        let answer = ask(&rig).key(&second).send().await;
        (answer.status != 200).then_some(())
    })
    .await;
    works(&first).await;
    works(&third).await;

    gateway
        .change("POST", "api-keys/made/disable", &json!({}))
        .send()
        .await
        .expect(200);
    refused(&third, 403, "api_key_disabled").await;
    refused(&first, 403, "api_key_disabled").await;
    gateway
        .change("POST", "api-keys/made/enable", &json!({}))
        .send()
        .await
        .expect(200);
    works(&third).await;
    let merge = async |body: Value| {
        gateway
            .change("PATCH", "api-keys/made", &body)
            .send()
            .await
            .expect(200)
    };
    merge(json!({"expires_at_unix": 1_000_000_000})).await;
    refused(&third, 403, "api_key_expired").await;
    // What a change leaves out stays, and what it says is null goes.
    let merged = merge(json!({"expires_at_unix": null, "denied_models": ["fast"]}))
        .await
        .json();
    assert_eq!(merged["request_limit_per_minute"], 1000);
    assert_eq!(merged["expires_at_unix"], Value::Null);
    refused(&third, 403, "model_not_allowed").await;

    // A replacement leaves nothing but the secret.
    let replaced = gateway.change("PUT", "api-keys/made", &json!({"name": "other"}));
    let replaced = replaced.send().await.expect(200).json();
    assert_eq!(replaced["request_limit_per_minute"], Value::Null);
    works(&third).await;

    let deleted = gateway.change("DELETE", "api-keys/made", &json!({}));
    let deleted = deleted.send().await.expect(200).json();
    assert_eq!(
        deleted,
        json!({"object": "api_key", "id": "made", "deleted": true})
    );
    refused(&third, 401, "invalid_api_key").await;
    let gone = gateway.admin("/admin/v1/api-keys/made").send().await;
    assert_eq!(gone.refusal(), (404, "resource_not_found".into()));
    // Others never noticed.
    works(KEY).await;
}

#[tokio::test]
async fn what_was_made_outlives_the_process_and_who_made_it_is_on_record() {
    let rig = Rig::start("").await;
    let made = rig
        .gateway
        .change("POST", "api-keys", &json!({"id": "made"}))
        .send()
        .await;
    let secret = told(&made.expect(201));
    let rotated = rig
        .gateway
        .change("POST", "api-keys/made/rotate", &json!({}));
    let second = told(&rotated.send().await.expect(200));
    let Rig { gateway, provider } = rig;
    let gateway = gateway.kill().await.restart().await;
    let rig = Rig { gateway, provider };
    ask(&rig).key(&second).send().await.expect(200);
    assert_ne!(ask(&rig).key(&secret).send().await.status, 200);
    assert_eq!(key_of(&rig.gateway, "made").await.revision, Some(2));

    let events: Vec<AuditEvent> = rig.gateway.list("/admin/v1/audit-events?limit=1").await;
    let of_it: Vec<_> = events
        .iter()
        .filter(|event| event.target == "api_key:made")
        .collect();
    let actions: Vec<_> = of_it.iter().map(|event| &*event.action).collect();
    assert_eq!(actions, ["api_key.rotate", "api_key.create"], "{events:?}");
    let uid = nix::unistd::geteuid().as_raw();
    for event in of_it {
        assert_eq!(*event.actor, *format!("unix:uid={uid}"));
    }
    let made: Vec<AuditEvent> = rig
        .gateway
        .list("/admin/v1/audit-events?limit=5&action=api_key.create&target=api_key:made")
        .await;
    assert_eq!(made.len(), 1);
}

#[tokio::test]
async fn a_secret_is_told_once_and_is_nowhere_else() {
    let rig = Rig::start("").await;
    let gateway = &rig.gateway;
    let made = gateway
        .change("POST", "api-keys", &json!({"id": "made"}))
        .send()
        .await;
    let first = told(&made.expect(201));
    let rotated = gateway.change(
        "POST",
        "api-keys/made/rotate",
        &json!({"overlap_secs": 600}),
    );
    let second = told(&rotated.send().await.expect(200));
    let clear = gateway.change(
        "POST",
        "api-keys",
        &json!({"id": "clear", "key": "hunter2-in-the-clear"}),
    );
    let clear = clear.send().await;
    assert_eq!(clear.refusal(), (400, "invalid_resource".into()));
    assert!(!clear.text().contains("hunter2"));
    for secret in [&first, &second] {
        ask(&rig).key(secret).send().await.expect(200);
    }
    for path in [
        "api-keys",
        "api-keys/made",
        "audit-events",
        "status",
        "request-logs",
    ] {
        let answer = gateway
            .admin(&format!("/admin/v1/{path}"))
            .send()
            .await
            .expect(200);
        for secret in [first.as_str(), second.as_str(), "hunter2", "sha256:"] {
            assert!(!answer.text().contains(secret), "{path}: {}", answer.text());
        }
    }
    let data = gateway.data_directory();
    gateway.terminate();
    let (log, (code, _stopped)) = (gateway.logged(), rig.gateway.left().await);
    assert_eq!(code, Some(0));
    for secret in [first.as_str(), second.as_str(), "hunter2"] {
        assert!(!log.contains(secret));
        assert_eq!(find_in_files(&data, secret), None);
    }
    // The search finds what is there.
    assert!(find_in_files(&data, "made").is_some());
}

#[tokio::test]
async fn a_write_that_cannot_be_says_why_and_changes_nothing() {
    let rig = Rig::start("").await;
    let gateway = &rig.gateway;
    let hash = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let body = json!({"id": "made", "key_hash": hash});
    let made = gateway
        .change("POST", "api-keys", &body)
        .send()
        .await
        .expect(201);
    assert_eq!(
        made.json().get("secret"),
        None,
        "who brings a hash knows the secret"
    );
    ask(&rig).key("secret").send().await.expect(200);
    let before = gateway.admin("/admin/v1/api-keys").send().await;

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
    check(
        "POST",
        "api-keys",
        json!({"id": "made"}),
        (409, "resource_exists"),
        "made",
    )
    .await;
    check(
        "POST",
        "api-keys",
        json!({"name": "no id"}),
        invalid,
        "`id`",
    )
    .await;
    check(
        "POST",
        "api-keys",
        json!({"id": "x", "enabeld": true}),
        invalid,
        "`enabled`",
    )
    .await;
    check(
        "POST",
        "api-keys",
        json!({"id": "x", "allowed_models": ["fsat"]}),
        invalid,
        "`fast`",
    )
    .await;
    check(
        "POST",
        "api-keys",
        json!({"id": "x", "scopes": []}),
        invalid,
        "scopes",
    )
    .await;
    check(
        "POST",
        "api-keys",
        json!({"id": "x", "key_env": "PROVIDER_KEY"}),
        invalid,
        "key_env",
    )
    .await;
    check(
        "POST",
        "api-keys",
        json!({"id": "x", "key_hash": "sha256:00"}),
        invalid,
        "key_hash",
    )
    .await;
    // Everything that is wrong comes at once.
    let two = json!({"id": "x", "enabled": 3, "concurrency_limit": 0});
    check("POST", "api-keys", two.clone(), invalid, "enabled").await;
    check("POST", "api-keys", two, invalid, "concurrency_limit").await;
    check(
        "PATCH",
        "api-keys/made",
        json!({"id": "other"}),
        invalid,
        "`id`",
    )
    .await;
    let missing = (404, "resource_not_found");
    check(
        "PATCH",
        "api-keys/nobody",
        json!({"enabled": false}),
        missing,
        "nobody",
    )
    .await;
    check("PUT", "api-keys/nobody", json!({}), missing, "nobody").await;
    check("DELETE", "api-keys/nobody", json!({}), missing, "nobody").await;
    check(
        "POST",
        "api-keys/nobody/rotate",
        json!({}),
        missing,
        "nobody",
    )
    .await;
    // What the file declares is changed there.
    let file = (409, "managed_by_config");
    check("POST", "api-keys", json!({"id": "dev"}), file, "dev").await;
    for (method, path) in [
        ("PATCH", "api-keys/dev"),
        ("PUT", "api-keys/dev"),
        ("DELETE", "api-keys/dev"),
        ("POST", "api-keys/dev/rotate"),
        ("POST", "api-keys/dev/disable"),
    ] {
        check(method, path, json!({}), file, "dev").await;
    }
    for (body, code) in [
        ("{\"id\":\"x\"", "invalid_json"),
        ("{\"id\":\"x\",\"id\":\"y\"}", "invalid_request"),
    ] {
        let answer = gateway
            .change("POST", "api-keys", &json!({}))
            .text(body)
            .send()
            .await;
        assert_eq!(answer.refusal(), (400, code.to_owned()), "{body}");
    }
    // One secret opens one key.
    let again = gateway.change("POST", "api-keys", &json!({"id": "x", "key_hash": hash}));
    assert_ne!(again.send().await.status, 201);

    let after = gateway.admin("/admin/v1/api-keys").send().await;
    let without_use = |answer: &Answer| {
        let mut keys = answer.json();
        for key in keys["data"].as_array_mut().unwrap() {
            key["last_used_unix_ms"] = Value::Null;
        }
        keys
    };
    assert_eq!(without_use(&before), without_use(&after));
    ask(&rig).key("secret").send().await.expect(200);
}

const ADMIN_KEYS: &str = r#"
    [[tenants]]
    kind = "organization"
    id = "acme"

    [[api_keys]]
    id = "operator"
    key = "operator-secret"
    scopes = ["admin.read", "admin.write"]

    [[api_keys]]
    id = "reader"
    key = "reader-secret"
    scopes = ["admin.read"]

    [[api_keys]]
    id = "writer"
    key = "writer-secret"
    scopes = ["admin.write"]

    [[api_keys]]
    id = "acmes"
    key = "acmes-secret"
    organization_id = "acme"
    scopes = ["admin.read", "admin.write"]
"#;

#[tokio::test]
async fn an_admin_key_gives_no_more_than_it_has() {
    let rig = Rig::start(ADMIN_KEYS).await;
    let gateway = &rig.gateway;
    let as_key = |key: &str, method: &str, path: &str, body: &Value| {
        let target = Target::Tcp(gateway.admin_address());
        let path = format!("/admin/v1/{path}");
        Request::new(target, method, &path)
            .key(&format!("{key}-secret"))
            .json(body)
    };
    let check = async |request: Request, status: u16| {
        let answer = request.send().await;
        assert_eq!(answer.status, status, "{}", answer.text());
        if status == 403 {
            assert_eq!(answer.refusal().1, "scope_denied");
        }
        answer
    };
    let key = |id: &str, scopes: &[&str]| json!({"id": id, "scopes": scopes});
    // Reading is not writing.
    check(as_key("reader", "GET", "api-keys", &json!({})), 200).await;
    let denied = as_key("reader", "POST", "api-keys", &key("a", &["admin.write"]));
    check(denied, 403).await;
    check(
        as_key("reader", "POST", "api-keys", &json!({"id": "a"})),
        403,
    )
    .await;
    check(
        as_key("reader", "POST", "cache:purge", &json!({"all": true})),
        403,
    )
    .await;
    // Writing is not reading, nor a way to it.
    check(as_key("writer", "GET", "api-keys", &json!({})), 403).await;
    check(
        as_key("writer", "POST", "api-keys", &key("a", &["admin.read"])),
        403,
    )
    .await;
    check(
        as_key("writer", "POST", "api-keys", &key("a", &["admin.write"])),
        201,
    )
    .await;
    check(
        as_key("writer", "PATCH", "api-keys/a", &key("a", &["admin.read"])),
        403,
    )
    .await;
    check(
        as_key("writer", "PUT", "api-keys/a", &key("a", &["admin.read"])),
        403,
    )
    .await;
    // Whoever has both gives both, and clients' scopes too.
    let both = key("b", &["admin.read", "admin.write", "chat.completions"]);
    check(as_key("operator", "POST", "api-keys", &both), 201).await;
    let hash = json!({"key_hash": "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"});
    check(as_key("writer", "PATCH", "api-keys/b", &hash), 403).await;
    check(
        as_key("writer", "POST", "api-keys/b/rotate", &json!({})),
        403,
    )
    .await;
    check(
        as_key("writer", "POST", "api-keys/b/disable", &json!({})),
        200,
    )
    .await;
    check(
        as_key("writer", "POST", "api-keys/b/enable", &json!({})),
        403,
    )
    .await;
    let client = check(
        as_key("writer", "POST", "api-keys", &json!({"id": "c"})),
        201,
    )
    .await;
    ask(&rig).key(&told(&client)).send().await.expect(200);
    // On the gateway's own listener it is the same.
    let here = gateway
        .request("POST", "/admin/v1/api-keys")
        .key("operator-secret");
    check(here.json(&json!({"id": "d"})), 201).await;

    let events: Vec<AuditEvent> = gateway
        .list("/admin/v1/audit-events?limit=5&target=api_key:b")
        .await;
    let actors: Vec<_> = events.iter().map(|event| &*event.actor).collect();
    assert_eq!(actors, ["writer", "operator"]);
}

#[tokio::test]
async fn an_admin_key_of_a_tenant_is_let_in_to_its_own_alone() {
    let rig = Rig::start(ADMIN_KEYS).await;
    let ask = |method: &str, path: &str| {
        let path = format!("/admin/v1/{path}");
        Request::new(Target::Tcp(rig.gateway.admin_address()), method, &path).key("acmes-secret")
    };
    for path in ["status", "providers", "config", "backups"] {
        let refused = ask("GET", path).send().await;
        assert_eq!(refused.refusal(), (403, "operator_only".into()), "{path}");
    }
    let keys = ask("GET", "api-keys").send().await.expect(200).json();
    let ids: Vec<_> = keys["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["id"])
        .collect();
    assert_eq!(ids, ["acmes"]);
    // What it makes is its tenant's, whatever it says.
    let made = ask("POST", "api-keys")
        .json(&json!({"id": "x", "scopes": ["admin.read"]}))
        .send()
        .await;
    assert_eq!(made.expect(201).json()["organization_id"], "acme");
    let foreign = json!({"id": "y", "organization_id": "other", "scopes": []});
    let refused = ask("POST", "api-keys").json(&foreign).send().await;
    assert_eq!(refused.refusal(), (403, "outside_tenant".into()));
}
