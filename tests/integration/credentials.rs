//! Several credentials of one provider: whose turn it is, and which are left aside for how long.

use ferrogate_api::{CredentialState, ProviderStatus, UsageSource};

use crate::support::{Gateway, Provider, Rig, eventually, standard};

const GOOD: &str = "sk-provider-good-AAAA";
const SPARE: &str = "sk-provider-good-BBBB";
const BAD: &str = "sk-provider-bad-ZZZZ";

/// The standard rig and the model `routed`, whose provider `one` has `keys`, presented to a simulator with `flags`.
async fn with_keys(keys: &[&str], flags: &[&str], config: &str) -> Rig {
    let provider = Provider::start_with(flags).await;
    let names: Vec<String> = (1..=keys.len())
        .map(|number| format!("KEY_{number}"))
        .collect();
    let config = format!(
        r#"{}
        [[providers]]
        name = "one"
        kind = "openai-compatible"
        base_url = "{}"
        api_key_envs = {names:?}

        [[models]]
        name = "routed"
        provider = "one"
        provider_model = "first"
        {config}"#,
        standard(&provider.base_url()),
        provider.base_url(),
    );
    let mut environment: Vec<(&str, &str)> = names
        .iter()
        .map(String::as_str)
        .zip(keys.iter().copied())
        .collect();
    environment.retain(|(_, key)| !key.is_empty());
    environment.push(("PROVIDER_KEY", GOOD));
    let gateway = Gateway::start_with(&config, &environment).await;
    Rig { gateway, provider }
}

/// The last letters of the keys that were presented, oldest first.
async fn presented(rig: &Rig) -> Vec<String> {
    let calls = rig.provider.calls().await;
    let four =
        |call: &serde_json::Value| call["credential"]["last_four"].as_str().map(str::to_owned);
    calls.iter().filter_map(four).collect()
}

async fn states(rig: &Rig) -> Vec<CredentialState> {
    let health = rig.gateway.health_of("one").await;
    let numbered = (1..).zip(&health.credentials);
    numbered
        .map(|(number, credential)| {
            assert_eq!(credential.index, number, "{health:?}");
            credential.state
        })
        .collect()
}

#[tokio::test]
async fn good_ones_take_turns() {
    let flags = ["--require-key", GOOD, "--require-key", SPARE];
    let rig = with_keys(&[GOOD, SPARE], &flags, "").await;
    for _ in 0..4 {
        rig.routed("hello").send().await.expect(200);
    }
    assert_eq!(presented(&rig).await, ["AAAA", "BBBB", "AAAA", "BBBB"]);
    assert_eq!(states(&rig).await, [CredentialState::Live; 2]);
}

#[tokio::test]
async fn a_refused_one_makes_way_for_the_next_and_is_not_presented_again_before_its_time() {
    let rig = with_keys(&[BAD, GOOD], &["--require-key", GOOD], "").await;
    let answer = rig.routed("hello").send().await.expect(200);
    assert_eq!(answer.header("x-ferrogate-attempts"), "2");
    let [refused, answered] = &rig.gateway.events_of(answer.request_id()).await[..] else {
        panic!("two attempts, two rows")
    };
    assert_eq!(
        (refused.status, refused.usage_source),
        (401, UsageSource::None)
    );
    assert_eq!(answered.status, 200);
    let trace = rig.gateway.routing_of(answer.request_id()).await;
    let credentials: Vec<_> = trace.attempts.iter().map(|one| one.credential).collect();
    assert_eq!(credentials, [Some(1), Some(2)]);
    assert!(
        trace.attempts[0]
            .decision
            .starts_with("tried the next credential"),
        "{trace:?}"
    );

    for _ in 0..5 {
        let answer = rig.routed("hello").send().await.expect(200);
        assert_eq!(answer.header("x-ferrogate-attempts"), "1");
    }
    let times = presented(&rig)
        .await
        .iter()
        .filter(|key| *key == "ZZZZ")
        .count();
    assert_eq!(times, 1);
    assert_eq!(
        states(&rig).await,
        [CredentialState::Refused, CredentialState::Live]
    );
    let health = rig.gateway.health_of("one").await;
    assert_eq!(health.status, ProviderStatus::Degraded);
    assert!(health.credentials[0].until_unix_ms.is_some());
    assert_eq!(health.breaker.consecutive_failures, 0);
}

#[tokio::test]
async fn a_refused_one_is_tried_again_when_its_time_is_up() {
    let config = "[reliability]\nprovider_credential_retry_secs = 1";
    let rig = with_keys(&[BAD, GOOD], &["--require-key", GOOD], config).await;
    rig.routed("hello").send().await.expect(200);
    eventually("it is presented again", || async {
        // Nobody notices but the provider: the good one answers at once.
        rig.routed("hello").send().await.expect(200);
        let presented = presented(&rig).await;
        (presented.iter().filter(|key| *key == "ZZZZ").count() == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn where_all_are_refused_nobody_is_asked_any_more() {
    let rig = with_keys(&[BAD, "sk-provider-bad-YYYY"], &["--require-key", GOOD], "").await;
    let answer = rig.routed("hello").send().await;
    assert_eq!(
        answer.refusal(),
        (502, "provider_credential_refused".into())
    );
    assert_eq!(answer.header("x-should-retry"), "false");
    assert!(!answer.text().contains("ZZZZ"));
    assert_eq!(presented(&rig).await, ["ZZZZ", "YYYY"]);

    let answer = rig.routed("hello").send().await;
    assert_eq!(
        answer.refusal(),
        (502, "provider_credential_refused".into())
    );
    let log = rig.gateway.log_of(answer.request_id()).await;
    assert_eq!(log.attempts, 0);
    assert_eq!(presented(&rig).await.len(), 2);
    assert_eq!(states(&rig).await, [CredentialState::Refused; 2]);
    // A key of another provider is another key, whoever is behind its address.
    rig.chat("hello").send().await.expect(200);
}

#[tokio::test]
async fn a_limited_one_rests_while_another_is_live() {
    let rig = with_keys(&[BAD, GOOD], &["--limited-key", BAD], "").await;
    let answer = rig.routed("hello").send().await.expect(200);
    assert_eq!(answer.header("x-ferrogate-attempts"), "2");
    assert_eq!(
        states(&rig).await,
        [CredentialState::Resting, CredentialState::Live]
    );
    let answer = rig.routed("hello").send().await.expect(200);
    assert_eq!(answer.header("x-ferrogate-attempts"), "1");
    assert_eq!(presented(&rig).await, ["ZZZZ", "AAAA", "AAAA"]);
    // It comes back by itself when the wait that the provider asked for is over.
    eventually("it is live again", || async {
        (states(&rig).await[0] == CredentialState::Live).then_some(())
    })
    .await;
}

#[tokio::test]
async fn where_all_rest_they_are_used_all_the_same() {
    let limited = "sk-provider-bad-YYYY";
    let flags = ["--limited-key", BAD, "--limited-key", limited];
    let rig = with_keys(&[BAD, limited], &flags, "").await;
    for calls in [2, 3] {
        let answer = rig.routed("hello").send().await;
        assert_eq!(answer.refusal(), (429, "rate_limit_exceeded".into()));
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(presented(&rig).await.len(), calls);
    }
    assert_eq!(states(&rig).await, [CredentialState::Resting; 2]);
}

#[tokio::test]
async fn a_provider_whose_keys_all_rest_comes_last_until_one_is_back() {
    let fallback = r#"
        [[models.fallbacks]]
        provider = "openai"
        provider_model = "second"
    "#;
    let rig = with_keys(&[BAD], &["--limited-key", BAD], fallback).await;
    for attempts in ["2", "1"] {
        let answer = rig.routed("hello").send().await.expect(200);
        assert_eq!(answer.header("x-ferrogate-provider"), "openai");
        assert_eq!(answer.header("x-ferrogate-attempts"), attempts);
    }
    let answer = rig.routed("hello").send().await.expect(200);
    let trace = rig.gateway.routing_of(answer.request_id()).await;
    let order: Vec<&str> = trace.candidates.iter().map(|one| &*one.provider).collect();
    assert_eq!(order, ["openai", "one"]);
    let reason = &trace.candidates[1].reason;
    assert!(
        reason.contains("held back: every credential rests"),
        "{reason}"
    );
    eventually("its turn comes again", || async {
        let answer = rig.routed("hello").send().await.expect(200);
        (answer.header("x-ferrogate-attempts") == "2").then_some(())
    })
    .await;
}

#[tokio::test]
async fn one_that_was_forbidden_something_comes_last_and_is_used_again() {
    let rig = with_keys(&[GOOD, SPARE], &[], "").await;
    let answer = rig
        .routed("sim: fault=403 once\nhello")
        .send()
        .await
        .expect(200);
    assert_eq!(answer.header("x-ferrogate-attempts"), "2");
    assert_eq!(
        states(&rig).await,
        [CredentialState::Resting, CredentialState::Live]
    );
    // Both are forbidden it: the request is what is wrong, and the next one is answered.
    let answer = rig.routed("sim: fault=403\nhello").send().await;
    assert_eq!(
        answer.refusal(),
        (502, "provider_credential_refused".into())
    );
    assert_eq!(states(&rig).await, [CredentialState::Resting; 2]);
    rig.routed("hello").send().await.expect(200);
}

#[tokio::test]
async fn one_that_is_not_set_is_left_out() {
    let rig = with_keys(&["", GOOD], &["--require-key", GOOD], "").await;
    let answer = rig.routed("hello").send().await.expect(200);
    assert_eq!(answer.header("x-ferrogate-attempts"), "1");
    assert_eq!(
        states(&rig).await,
        [CredentialState::Unset, CredentialState::Live]
    );
    assert!(rig.gateway.logged().contains("KEY_1"));

    let rig = with_keys(&["", ""], &[], "").await;
    let answer = rig.routed("hello").send().await;
    assert_eq!(
        answer.refusal(),
        (503, "provider_credential_missing".into())
    );
    assert!(answer.text().contains("KEY_1") && answer.text().contains("KEY_2"));
    assert_eq!(rig.provider.count("calls").await, 0);
}

#[tokio::test]
async fn each_kind_of_provider_finds_the_key_where_it_looks_for_it() {
    let provider = Provider::start_with(&["--require-key", GOOD]).await;
    let address = provider.address();
    let mut config = standard(&provider.base_url());
    let kinds = [
        ("openai", "/v1"),
        ("azure", ""),
        ("openrouter", "/v1"),
        ("xai", "/v1"),
        ("anthropic", "/v1"),
        ("gemini", "/v1beta"),
    ];
    for (kind, path) in kinds {
        config.push_str(&format!(
            r#"
            [[providers]]
            name = "the-{kind}"
            kind = "{kind}"
            base_url = "http://{address}{path}"
            api_key_env = "PROVIDER_KEY"

            [[models]]
            name = "at-{kind}"
            provider = "the-{kind}"
            provider_model = "first"
            "#
        ));
    }
    let gateway = Gateway::start_with(&config, &[("PROVIDER_KEY", GOOD)]).await;
    let rig = Rig { gateway, provider };
    for (kind, _) in kinds {
        let mut body = crate::support::chat_body("hello");
        body["model"] = format!("at-{kind}").into();
        let answer = rig
            .post("/v1/chat/completions", &body)
            .send()
            .await
            .expect(200);
        let said = &answer.json()["choices"][0]["message"]["content"];
        assert_eq!(said, "You said this: hello", "{kind}");
    }
    let calls = rig.provider.calls().await;
    let headers: Vec<_> = calls
        .iter()
        .map(|call| call["credential"]["header"].as_str().unwrap())
        .collect();
    let expected = [
        "authorization",
        "api-key",
        "authorization",
        "authorization",
        "x-api-key",
        "x-goog-api-key",
    ];
    assert_eq!(headers, expected);
}
