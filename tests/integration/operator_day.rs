//! A day in an operator's life: tenants and keys in the morning, a leaked secret at noon, a new model by reload, a file
//! with a mistake, a wrong deletion taken back, and in the evening a backup that a second gateway goes on from.

use ferrogate_api::{ConfigRevision, Page};
use serde_json::json;

use crate::support::{
    Answer, ENVIRONMENT, Ended, Gateway, Rig, chat_body, eventually, ferrogate, standard,
    take_entry,
};

/// What a second gateway must know like the first.
const COMPARED: [&str; 6] = [
    "tenants?limit=100",
    "policies?limit=100",
    "budgets?limit=100",
    "usage-aggregates?window=total&limit=100",
    "metering-events?limit=500",
    "config/export?managed=true",
];

#[tokio::test]
async fn a_day_ends_in_a_second_gateway_that_knows_all_of_it() {
    let rig = Rig::start("").await;
    let gateway = &rig.gateway;

    let secret = morning(gateway).await;
    let secret = noon(gateway, &secret).await;
    afternoon(gateway, &secret).await;
    a_mistake_is_taken_back(gateway, &secret).await;
    let second = evening(&rig).await;

    for path in COMPARED {
        let answers = [gateway, &second].map(|one| one.admin(&format!("/admin/v1/{path}")).send());
        let [first, second] = futures_util::future::join_all(answers)
            .await
            .try_into()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&first.expect(200).body),
            String::from_utf8_lossy(&second.expect(200).body),
            "{path}"
        );
    }
    // And it goes on with them: the same secret opens it, and what was spent counts.
    ask(&second, &secret, "fast").await.expect(200);
    verified(&second).await;
    verified(gateway).await;
}

/// Tenants with limits, a policy, and a key for the team; the limits hold.
async fn morning(gateway: &Gateway) -> String {
    let acme = json!({
        "kind": "organization", "id": "acme", "name": "Acme",
        "budgets": [{"money": "25.00", "period": "month", "id": "month"}],
    });
    gateway.made("POST", "tenants", &acme).await;
    let team = json!({
        "kind": "team", "id": "search", "parent": "organization:acme",
        "token_limit_per_minute": 100_000, "concurrency_limit": 8,
    });
    gateway.made("POST", "tenants", &team).await;
    let policy = json!({
        "name": "no embeddings for search", "effect": "deny", "team_ids": ["search"], "models": ["embed"],
        "message": "Search has its own.",
    });
    gateway.made("POST", "policies", &policy).await;
    let key = json!({"id": "search-prod", "team_id": "search", "request_limit_per_minute": 2});
    let made = gateway.made("POST", "api-keys", &key).await.json();
    let secret = made["secret"].as_str().unwrap().to_owned();

    ask(gateway, &secret, "fast").await.expect(200);
    let refused = embed(gateway, &secret).await;
    assert_eq!(refused.refusal(), (403, "policy_denied".to_owned()));
    ask(gateway, &secret, "fast").await.expect(200);
    let refused = ask(gateway, &secret, "fast").await;
    assert_eq!(refused.refusal(), (429, "rate_limit_exceeded".to_owned()));

    // More, on the condition that nobody else has changed it since it was read.
    let shown = gateway.admin("/admin/v1/api-keys/search-prod").send().await;
    let tag = shown.expect(200).header("etag").to_owned();
    let more = json!({"request_limit_per_minute": 1000});
    let raise = gateway.change("PATCH", "api-keys/search-prod", &more);
    raise.header("if-match", &tag).send().await.expect(200);
    let again = gateway.change("PATCH", "api-keys/search-prod", &more);
    let stale = again.header("if-match", &tag).send().await;
    assert_eq!(stale.refusal(), (412, "precondition_failed".to_owned()));
    ask(gateway, &secret, "fast").await.expect(200);
    secret
}

/// The secret was seen in a chat: a new one, at once. The budget gets something on top, once.
async fn noon(gateway: &Gateway, leaked: &str) -> String {
    let rotated = gateway.change("POST", "api-keys/search-prod/rotate", &json!({}));
    let rotated = rotated.send().await.expect(200).json();
    let secret = rotated["secret"].as_str().unwrap().to_owned();
    let refused = ask(gateway, leaked, "fast").await;
    assert_eq!(refused.refusal(), (401, "invalid_api_key".to_owned()));
    ask(gateway, &secret, "fast").await.expect(200);

    let top_up = json!({
        "account": "organization:acme", "budget_id": "month", "kind": "top_up", "money": "5.00",
    });
    // Sent twice over a bad line, made once.
    for _ in 0..2 {
        let asked = gateway.change("POST", "budgets/adjustments", &top_up);
        let made = asked.header("idempotency-key", "top-up-1").send().await;
        made.expect(201);
    }
    let budgets = gateway.shown("budgets?account=organization:acme").await;
    assert_eq!(
        budgets["data"][0]["limit"],
        json!(30_000_000_000_i64),
        "{budgets}"
    );
    secret
}

/// A new model comes with the file; a file with a mistake does not.
async fn afternoon(gateway: &Gateway, secret: &str) {
    gateway.add_to_file(
        r#"
        [[models]]
        name = "smart"
        provider = "openai"
        provider_model = "gpt-4o"
        input_price_per_1m = "2.50"
        output_price_per_1m = "10.00"
        "#,
    );
    let refused = ask(gateway, secret, "smart").await;
    assert_eq!(refused.refusal(), (404, "model_not_found".to_owned()));
    let reloaded = gateway
        .command(&["reload", "--reason", "smart for search"])
        .await;
    assert_eq!(reloaded.code, Some(0), "{reloaded:?}");
    ask(gateway, secret, "smart").await.expect(200);

    gateway.add_to_file(
        "[[models]]\nname = \"broken\"\nprovider = \"nobody\"\nprovider_model = \"x\"",
    );
    let reloaded = gateway.command(&["reload"]).await;
    assert_eq!(reloaded.code, Some(1), "{reloaded:?}");
    let said = format!("{}{}", reloaded.stdout, reloaded.stderr);
    assert!(said.contains("nobody") && said.contains("models"), "{said}");
    ask(gateway, secret, "smart").await.expect(200);
    gateway.edit_file(|root| take_entry(root, "models", "broken"));
    let reloaded = gateway.command(&["reload"]).await;
    assert_eq!(reloaded.code, Some(0), "{reloaded:?}");
}

/// The wrong key is deleted, and comes back with its secret, its limits and all.
async fn a_mistake_is_taken_back(gateway: &Gateway, secret: &str) {
    let before = exported(gateway).await;
    let newest = revisions(gateway).await.remove(0);
    assert_eq!(newest.source, "file");
    gateway
        .change("DELETE", "api-keys/search-prod", &json!({}))
        .send()
        .await
        .expect(200);
    let refused = ask(gateway, secret, "fast").await;
    assert_eq!(refused.refusal(), (401, "invalid_api_key".to_owned()));

    let path = format!("config/revisions/{}/rollback", newest.revision);
    let body = json!({"reason": "the wrong key"});
    let back = gateway.change("POST", &path, &body).send().await;
    let back = back.expect(200).json();
    assert_eq!(back["restored"][0]["name"], "search-prod", "{back}");
    assert_eq!(back["file_diff"], "", "{back}");
    ask(gateway, secret, "fast").await.expect(200);
    assert_eq!(before, exported(gateway).await);
    let newest = revisions(gateway).await.remove(0);
    assert_eq!(
        (&*newest.source, &*newest.reason),
        ("rollback", "the wrong key")
    );
}

/// A backup under way of requests, read back whole, and a second gateway on what is in it.
async fn evening(rig: &Rig) -> Gateway {
    let gateway = &rig.gateway;
    let made = gateway
        .command(&["backup", "create", "--reason", "the day is over"])
        .await;
    assert_eq!(made.code, Some(0), "{made:?}");
    let list = gateway.shown("backups").await;
    let name = list["data"][0]["name"].as_str().unwrap().to_owned();
    let backups = gateway.data_directory().join("backups");
    let backups = backups.to_str().unwrap();
    let verified = Ended::of(
        ferrogate(&["backup", "verify", &name, "--dir", backups]),
        "",
    )
    .await;
    assert_eq!(verified.code, Some(0), "{verified:?}");

    let config = format!(
        "{}\n[[models]]\nname = \"smart\"\nprovider = \"openai\"\nprovider_model = \"gpt-4o\"\n\
         input_price_per_1m = \"2.50\"\noutput_price_per_1m = \"10.00\"",
        standard(&rig.provider.base_url())
    );
    Gateway::start_on(&config, ENVIRONMENT, async |data| {
        let data = data.to_str().unwrap();
        let restore = ["backup", "restore", &name, "--dir", backups, "--to", data];
        let restored = Ended::of(ferrogate(&restore), "").await;
        assert_eq!(restored.code, Some(0), "{restored:?}");
    })
    .await
}

async fn exported(gateway: &Gateway) -> String {
    let answer = gateway.admin("/admin/v1/config/export?managed=true").send();
    String::from_utf8(answer.await.expect(200).body.to_vec()).unwrap()
}

async fn revisions(gateway: &Gateway) -> Vec<ConfigRevision> {
    let answer = gateway.admin("/admin/v1/config/revisions").send().await;
    let page: Page<ConfigRevision> = serde_json::from_slice(&answer.expect(200).body).unwrap();
    page.data
}

/// The ledger adds up and the audit log is whole.
async fn verified(gateway: &Gateway) {
    let data = gateway.data_directory();
    let data = data.to_str().unwrap();
    for command in ["ledger", "audit"] {
        let report = eventually("everything is written", || async {
            let ended = Ended::of(ferrogate(&[command, "verify", "--data-dir", data]), "").await;
            (ended.code == Some(0)).then_some(ended)
        });
        report.await;
    }
}

async fn ask(gateway: &Gateway, secret: &str, model: &str) -> Answer {
    let mut body = chat_body("hello");
    body["model"] = model.into();
    let asked = gateway.request("POST", "/v1/chat/completions").json(&body);
    asked.key(secret).send().await
}

async fn embed(gateway: &Gateway, secret: &str) -> Answer {
    let body = json!({"model": "embed", "input": "hello"});
    let asked = gateway.request("POST", "/v1/embeddings").json(&body);
    asked.key(secret).send().await
}
