//! Who may ask for what, and in which order that is found out.

use crate::support::{KEY, Request, Rig, chat_body};

/// Each of these has the fault it is named after and every fault that is looked for later.
const FAULTY_KEYS: &str = r#"
    [[api_keys]]
    id = "off"
    key = "off-secret"
    enabled = false
    expires_at_unix = 1000000000
    scopes = ["models.read"]

    [[api_keys]]
    id = "expired"
    key = "expired-secret"
    expires_at_unix = 1000000000
    scopes = ["models.read"]

    [[api_keys]]
    id = "reader"
    key = "reader-secret"
    scopes = ["models.read"]
    denied_models = ["fast"]

    [[api_keys]]
    id = "picky"
    key = "picky-secret"
    denied_models = ["fast"]
    denied_providers = ["openai"]

    [[api_keys]]
    id = "elsewhere"
    key = "elsewhere-secret"
    denied_providers = ["openai"]

    [[api_keys]]
    id = "limited"
    key = "limited-secret"
    request_limit_per_minute = 2
"#;

fn ask(rig: &Rig) -> Request {
    rig.gateway
        .request("POST", "/v1/chat/completions")
        .json(&chat_body("hello"))
}

#[tokio::test]
async fn a_refusal_names_the_first_thing_that_is_wrong() {
    let rig = Rig::start(FAULTY_KEYS).await;
    let check = async |request: Request, status: u16, code: &str| {
        let answer = request.send().await;
        assert_eq!(answer.refusal(), (status, code.to_owned()));
        answer
    };
    let broken = |secret: &str| ask(&rig).key(secret).text("{");
    let unknown = r#"{"model": "no-such-model"}"#;

    check(ask(&rig).text("{"), 401, "missing_api_key").await;
    check(ask(&rig).key(""), 401, "missing_api_key").await;
    check(broken("fg_live_unknown"), 401, "invalid_api_key").await;
    check(broken("off-secret"), 403, "api_key_disabled").await;
    check(broken("expired-secret"), 403, "api_key_expired").await;
    let scope = check(broken("reader-secret"), 403, "scope_denied").await;
    assert!(scope.text().contains("chat.completions"));
    check(broken("picky-secret"), 400, "invalid_json").await;
    let request = ask(&rig).key("picky-secret");
    check(request.text(unknown), 404, "model_not_found").await;
    check(ask(&rig).key("picky-secret"), 403, "model_not_allowed").await;
    let elsewhere = ask(&rig).key("elsewhere-secret");
    check(elsewhere, 403, "provider_not_allowed").await;

    assert_eq!(rig.provider.count("calls").await, 0);
}

#[tokio::test]
async fn refused_requests_do_not_count_against_the_limit_of_a_key() {
    let rig = Rig::start(FAULTY_KEYS).await;
    let limited = || ask(&rig).key("limited-secret");
    let unknown = r#"{"model": "no-such-model"}"#;

    for (granted, remaining) in [(true, "1"), (false, ""), (false, ""), (true, "0")] {
        let request = if granted {
            limited()
        } else {
            limited().text(unknown)
        };
        let answer = request.send().await;
        assert_eq!(answer.status == 200, granted, "{}", answer.text());
        assert_eq!(answer.header("x-ratelimit-remaining-requests"), remaining);
    }

    let refused = limited().send().await;
    assert_eq!(refused.refusal(), (429, "rate_limit_exceeded".into()));
    assert_eq!(refused.header("x-ratelimit-limit-requests"), "2");
    assert_eq!(refused.header("x-ratelimit-remaining-requests"), "0");
    assert_ne!(refused.header("x-ratelimit-reset-requests"), "");
    assert_eq!(refused.header("x-should-retry"), "true");
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=61).contains(&seconds), "{seconds}");
    let millis: u64 = refused.header("retry-after-ms").parse().unwrap();
    assert_eq!(millis.div_ceil(1000), seconds);

    ask(&rig).key(KEY).send().await.expect(200);
    assert_eq!(rig.provider.count("calls").await, 3);
}

#[tokio::test]
async fn a_key_is_taken_from_any_of_three_headers_and_never_from_the_url() {
    let rig = Rig::start("").await;
    for (name, value) in [
        ("authorization", format!("Bearer {KEY}")),
        ("authorization", format!("bearer {KEY}")),
        ("x-api-key", KEY.to_owned()),
        ("x-goog-api-key", KEY.to_owned()),
    ] {
        ask(&rig).header(name, &value).send().await.expect(200);
    }

    let path = format!("/v1/chat/completions?key={KEY}");
    let in_url = rig.gateway.request("POST", &path).json(&chat_body("hello"));
    let answer = in_url.send().await;
    assert_eq!(answer.refusal(), (401, "api_key_in_url".into()));
    assert!(!answer.text().contains(KEY));
    assert_eq!(rig.provider.count("calls").await, 4);
}

#[tokio::test]
async fn a_refusal_is_on_record_with_its_key_and_costs_nothing() {
    let rig = Rig::start(FAULTY_KEYS).await;
    let refused = ask(&rig).key("picky-secret").send().await;
    let log = rig.gateway.log_of(refused.request_id()).await;
    assert_eq!(log.status, 403);
    assert_eq!(log.error_code.as_deref(), Some("model_not_allowed"));
    assert_eq!(log.outcome, ferrogate_api::Outcome::Refused);
    assert_eq!(log.api_key_id.as_deref(), Some("picky"));
    assert_eq!(log.attempts, 0);
    assert_eq!(rig.gateway.metering_events().await, []);
}

#[tokio::test]
async fn a_hashed_key_opens_the_gateway_and_its_hash_does_not() {
    let hash = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
    let rig = Rig::start(&format!(
        "[[api_keys]]\nid = \"hashed\"\nkey_hash = \"{hash}\"\n"
    ))
    .await;
    ask(&rig).key("secret").send().await.expect(200);
    let answer = ask(&rig).key(hash).send().await;
    assert_eq!(answer.refusal(), (401, "invalid_api_key".into()));
}
