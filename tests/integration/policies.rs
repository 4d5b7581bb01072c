//! Deny rules: which request they are meant for, what the client is told, and what they would have done.

use ferrogate_api::{Outcome, PolicyDryRun};
use serde_json::{Value, json};

use crate::support::{Answer, KEY, Request, Rig, Target, chat_body, first_then_second, routed};

const TENANTS: &str = r#"
    [[tenants]]
    kind = "organization"
    id = "acme"

    [[tenants]]
    kind = "team"
    id = "core"
    parent = "organization:acme"

    [[api_keys]]
    id = "acme-1"
    key = "acme-secret"
    organization_id = "acme"

    [[api_keys]]
    id = "core-1"
    key = "core-secret"
    team_id = "core"
"#;
const SECRETS: [&str; 3] = [KEY, "acme-secret", "core-secret"];

fn ask(rig: &Rig, secret: &str, body: &Value) -> Request {
    rig.gateway
        .request("POST", "/v1/chat/completions")
        .key(secret)
        .json(body)
}

fn denied(answer: &Answer, code: &str) {
    assert_eq!(answer.refusal(), (403, code.to_owned()));
}

#[tokio::test]
async fn the_first_rule_that_is_met_refuses_in_its_own_words_and_is_on_record() {
    let rig = Rig::start(&format!(
        r#"{TENANTS}
        [[policies]]
        name = "switched off"
        effect = "deny"
        enabled = false
        api_key_ids = ["acme-1"]
        code = "never_seen"

        [[policies]]
        name = "embeddings only"
        effect = "deny"
        models = ["embed"]
        code = "no_embeddings"

        [[policies]]
        name = "acme is frozen"
        effect = "deny"
        organization_ids = ["acme"]
        models = ["fast"]
        code = "organization_frozen"
        message = "Acme has been frozen. Ask accounting."

        [[policies]]
        name = "one key of acme"
        effect = "deny"
        api_key_ids = ["acme-1"]
        code = "key_frozen"
        "#
    ))
    .await;
    let hello = chat_body("hello");
    let answer = ask(&rig, "acme-secret", &hello).send().await;
    denied(&answer, "organization_frozen");
    let error = &answer.json()["error"];
    assert_eq!(error["message"], "Acme has been frozen. Ask accounting.");
    assert_eq!(error["type"], "permission_error");

    let log = rig.gateway.log_of(answer.request_id()).await;
    assert_eq!(log.policy.as_deref(), Some("acme is frozen"));
    assert_eq!(log.error_code.as_deref(), Some("organization_frozen"));
    assert_eq!(log.outcome, Outcome::Refused);

    // The team's organization is its key's, too; the key without tenants is not meant.
    denied(
        &ask(&rig, "core-secret", &hello).send().await,
        "organization_frozen",
    );
    assert_eq!(rig.provider.count("calls").await, 0);
    ask(&rig, KEY, &hello).send().await.expect(200);
    let embed = json!({"model": "embed", "input": "hello"});
    for secret in SECRETS {
        let request = rig.gateway.request("POST", "/v1/embeddings");
        denied(
            &request.key(secret).json(&embed).send().await,
            "no_embeddings",
        );
    }
    assert_eq!(rig.provider.count("calls").await, 1);
}

#[tokio::test]
async fn a_rule_without_words_of_its_own_has_the_usual_ones() {
    let rig =
        Rig::start("[[policies]]\nname = \"closed\"\neffect = \"deny\"\nmodels = [\"fast\"]\n")
            .await;
    denied(&rig.chat("hello").send().await, "policy_denied");
    denied(&rig.chat_stream("hello").send().await, "policy_denied");
}

#[tokio::test]
async fn a_condition_narrows_a_rule_to_what_it_says() {
    let rig = Rig::start(
        r#"
        [[policies]]
        name = "no streams"
        effect = "deny"
        code = "no_streams"
        when = { streaming = true }

        [[policies]]
        name = "large"
        effect = "deny"
        code = "too_many_tokens"
        when = { estimated_tokens_above = 2000 }

        [[policies]]
        name = "dear"
        effect = "deny"
        code = "too_dear"
        when = { estimated_cost_above = "0.001" }

        [[models]]
        name = "mystery"
        provider = "openai"
        provider_model = "of-unknown-price"
        "#,
    )
    .await;
    let with = |field: &str, value: Value| {
        let mut body = chat_body("hello");
        body["max_tokens"] = 100.into();
        body[field] = value;
        ask(&rig, KEY, &body)
    };
    with("temperature", 1.into()).send().await.expect(200);
    with("max_tokens", 1500.into()).send().await.expect(200);
    denied(&with("stream", true.into()).send().await, "no_streams");
    denied(
        &with("max_tokens", 3000.into()).send().await,
        "too_many_tokens",
    );
    // A long prompt counts as well as a long answer.
    let long = json!([{"role": "user", "content": "many words ".repeat(2000)}]);
    denied(&with("messages", long).send().await, "too_many_tokens");
    // 1,900 tokens at 0.60 per million are 0.00114.
    denied(&with("max_tokens", 1900.into()).send().await, "too_dear");
    // What has no price may cost anything.
    denied(&with("model", "mystery".into()).send().await, "too_dear");
    assert_eq!(rig.provider.count("calls").await, 2);
}

#[tokio::test]
async fn a_rule_about_a_provider_leaves_the_others_to_answer() {
    let policies = |names: &str| {
        format!(
            "[[policies]]\nname = \"p\"\neffect = \"deny\"\nproviders = [{names}]\ncode = \"not_there\"\n"
        )
    };
    let rig = routed(&first_then_second("first"), &policies("\"one\"")).await;
    let answer = rig.routed("hello").send().await.expect(200);
    assert_eq!(answer.header("x-ferrogate-provider"), "two");
    assert_eq!(rig.asked().await, ["second"]);

    let rig = routed(&first_then_second("first"), &policies("\"one\", \"two\"")).await;
    denied(&rig.routed("hello").send().await, "not_there");
    assert_eq!(rig.asked().await, [""; 0]);
}

#[tokio::test]
async fn a_dry_run_tells_what_would_have_been_refused_and_refuses_nothing() {
    let rig = Rig::start(&format!(
        r#"{TENANTS}
        [[policies]]
        name = "no embeddings"
        effect = "deny"
        models = ["embed"]
        "#
    ))
    .await;
    let hello = chat_body("hello");
    let mut answers = Vec::new();
    for secret in SECRETS {
        answers.push(ask(&rig, secret, &hello).send().await.expect(200));
    }
    let streamed = rig.chat_stream("hello").send().await.expect(200);
    let embed = json!({"model": "embed", "input": "hello"});
    let refused = rig.post("/v1/embeddings", &embed).send().await.expect(403);
    rig.gateway
        .request("GET", "/v1/models")
        .key(KEY)
        .send()
        .await
        .expect(200);
    answers.extend([streamed.clone(), refused]);
    for answer in &answers {
        rig.gateway.log_of(answer.request_id()).await;
    }

    let report = dry_run(&rig, &json!({"hours": 1})).await;
    assert_eq!(
        (report.examined, report.refused, report.already_refused),
        (5, 0, 1)
    );
    assert_eq!(&*report.by_policy[0].name, "no embeddings");

    let check = async |policy: Value, expected: &[&Answer]| {
        let mut policy = policy;
        policy["name"] = "tried".into();
        policy["effect"] = "deny".into();
        let report = dry_run(&rig, &json!({"hours": 1, "policy": policy})).await;
        let [only] = report.by_policy.as_slice() else {
            panic!("{report:?}")
        };
        assert_eq!(&*only.name, "tried");
        let mut found: Vec<_> = only.sample_request_ids.iter().map(String::as_str).collect();
        let mut expected: Vec<_> = expected.iter().map(|answer| answer.request_id()).collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{policy}");
        assert_eq!(report.refused, u64::try_from(expected.len()).unwrap());
    };
    let [dev, acme, core] = &answers[..3] else {
        panic!("{answers:?}")
    };
    check(json!({"api_key_ids": ["acme-1"]}), &[acme]).await;
    check(json!({"organization_ids": ["acme"]}), &[acme, core]).await;
    check(json!({"team_ids": ["core"]}), &[core]).await;
    check(json!({"when": {"streaming": true}}), &[&streamed]).await;
    check(
        json!({"providers": ["openai"]}),
        &[dev, acme, core, &streamed],
    )
    .await;
    check(json!({"when": {"estimated_tokens_above": 1_000_000}}), &[]).await;
    // Refused already, by another rule.
    check(json!({"models": ["embed"]}), &[]).await;

    ask(&rig, "acme-secret", &hello).send().await.expect(200);
}

#[tokio::test]
async fn a_dry_run_of_nonsense_says_what_is_wrong() {
    let rig = Rig::start("").await;
    let check = async |body: Value, code: &str, word: &str| {
        let answer = try_run(&rig, &body).send().await;
        assert_eq!(answer.refusal(), (400, code.to_owned()), "{body}");
        assert!(answer.text().contains(word), "{}", answer.text());
    };
    check(json!({"hours": 0}), "invalid_request", "hours").await;
    let unknown = json!({"hours": 1, "policy": {"name": "a", "effect": "deny", "model": ["fast"]}});
    check(unknown, "invalid_resource", "models").await;
    let dangling =
        json!({"hours": 1, "policy": {"name": "a", "effect": "deny", "models": ["slow"]}});
    check(dangling, "invalid_resource", "slow").await;
}

fn try_run(rig: &Rig, body: &Value) -> Request {
    let socket = Target::Unix(rig.gateway.admin_socket());
    Request::new(socket, "POST", "/admin/v1/policies:dry-run").json(body)
}

async fn dry_run(rig: &Rig, body: &Value) -> PolicyDryRun {
    let answer = try_run(rig, body).send().await.expect(200);
    serde_json::from_slice(&answer.body).unwrap()
}
