//! The response cache: the same request again is the same answer again, for those who share it and nobody else.

use ferrogate_api::{CachePurged, CacheStatus, MeteringEvent, Tokens, UsageSource};
use serde_json::{Value, json};

use crate::support::{Answer, KEY, Request, Rig, eventually};

const ON: &str = "[cache]\nenabled = true\n";

/// What the answer says about the cache; empty where it says nothing.
fn status(answer: &Answer) -> &str {
    answer.header("x-ferrogate-cache")
}

async fn expect(request: Request, expected: &str) -> Answer {
    let answer = request.send().await.expect(200);
    assert_eq!(status(&answer), expected, "{}", answer.text());
    answer
}

async fn calls(rig: &Rig) -> u64 {
    rig.provider.count("calls").await
}

#[tokio::test]
async fn the_same_request_again_gets_the_same_bytes_and_asks_nobody() {
    let rig = Rig::start(ON).await;
    let body = r#"{"model":"fast","messages":[{"role":"user","content":"hello"}]}"#;
    let turned = r#"{ "messages": [ {"content":"hello", "role":"user"} ], "model": "fast" }"#;
    let ask = |body: &str| {
        let request = rig.gateway.request("POST", "/v1/chat/completions");
        request.key(KEY).text(body)
    };
    let first = expect(ask(body), "miss").await;
    assert_eq!(first.header("x-ferrogate-attempts"), "1");
    for body in [body, turned] {
        let again = expect(ask(body), "hit").await;
        assert_eq!(again.body, first.body);
        assert_eq!(again.header("x-ferrogate-attempts"), "0");
        assert!(again.header("age").parse::<u64>().is_ok());
        for name in [
            "content-type",
            "content-length",
            "x-ferrogate-provider",
            "x-ferrogate-model",
        ] {
            assert_eq!(again.header(name), first.header(name), "{name}");
            assert_ne!(again.header(name), "", "{name}");
        }
        assert_ne!(again.request_id(), first.request_id());
    }
    assert_eq!(calls(&rig).await, 1);
    expect(rig.chat("hello, you"), "miss").await;
    assert_eq!(calls(&rig).await, 2);
}

#[tokio::test]
async fn every_endpoint_that_makes_something_is_cached() {
    let rig = Rig::start(ON).await;
    let contents = json!([{"role": "user", "parts": [{"text": "hello"}]}]);
    let messages = json!([{"role": "user", "content": "hello"}]);
    let messages = json!({"model": "fast", "max_tokens": 50, "messages": messages});
    for (path, body) in [
        (
            "/v1/embeddings",
            json!({"model": "embed", "input": "hello"}),
        ),
        (
            "/v1/responses",
            json!({"model": "fast", "input": "hello", "store": false}),
        ),
        ("/v1/messages", messages.clone()),
        (
            "/v1beta/models/fast:generateContent",
            json!({"contents": contents}),
        ),
    ] {
        let before = calls(&rig).await;
        let first = expect(rig.post(path, &body), "miss").await;
        let again = expect(rig.post(path, &body), "hit").await;
        assert_eq!(again.body, first.body, "{path}");
        assert_eq!(calls(&rig).await, before + 1, "{path}");
    }
    // Counting is free, and a model may have learned to count otherwise.
    let count = || rig.post("/v1/messages/count_tokens", &messages);
    for _ in 0..2 {
        expect(count(), "").await;
    }
}

/// A stream of each dialect, and of both ways in which Gemini's come.
fn streams(rig: &Rig) -> [Request; 5] {
    let messages = json!([{"role": "user", "content": "hello"}]);
    let contents = json!({"contents": [{"role": "user", "parts": [{"text": "hello"}]}]});
    let gemini = "/v1beta/models/fast:streamGenerateContent";
    [
        rig.chat_stream("hello"),
        rig.post(
            "/v1/responses",
            &json!({"model": "fast", "input": "hello", "store": false, "stream": true}),
        ),
        rig.post(
            "/v1/messages",
            &json!({"model": "fast", "max_tokens": 50, "messages": messages, "stream": true}),
        ),
        rig.post(&format!("{gemini}?alt=sse"), &contents),
        rig.post(gemini, &contents),
    ]
}

#[tokio::test]
async fn a_stream_is_replayed_byte_for_byte() {
    let rig = Rig::start(ON).await;
    for request in streams(&rig) {
        let first = expect(request.clone(), "miss").await;
        let again = expect(request, "hit").await;
        assert_eq!(again.text(), first.text());
        assert_eq!(again.header("content-type"), first.header("content-type"));
        assert_eq!(again.header("content-length"), "");
        assert!(!first.body.is_empty());
    }
    assert_eq!(calls(&rig).await, 5);
    // The same messages, and yet another answer.
    expect(rig.chat("hello"), "miss").await;
}

#[tokio::test]
async fn what_broke_or_was_refused_is_not_kept() {
    let rig = Rig::start(ON).await;
    for directive in ["fault=cut after=3", "fault=stream_error after=3"] {
        for _ in 0..2 {
            let request = rig.chat_stream(&format!("sim: {directive}\nhello"));
            let answer = request.send().await;
            assert_eq!(status(&answer), "miss", "{directive}");
            assert!(!answer.text().contains("[DONE]"), "{directive}");
        }
    }
    for _ in 0..2 {
        let refused = rig.chat("sim: fault=400\nhello").send().await;
        assert_eq!((refused.status, status(&refused)), (400, "miss"));
    }
    assert_eq!(calls(&rig).await, 6);
}

#[tokio::test]
async fn an_answer_is_found_under_the_candidate_that_gave_it() {
    let rig = Rig::start(&format!(
        r#"{ON}
        [[models]]
        name = "moving"
        provider = "openai"
        provider_model = "first+fault=503,times=9"
        [[models.fallbacks]]
        provider = "openai"
        provider_model = "second"
        "#
    ))
    .await;
    let messages = json!([{"role": "user", "content": "hello"}]);
    let body = json!({"model": "moving", "messages": messages});
    let ask = || rig.post("/v1/chat/completions", &body);
    let first = expect(ask(), "miss").await;
    let before = calls(&rig).await;
    let again = expect(ask(), "hit").await;
    assert_eq!(again.body, first.body);
    for answer in [first, again] {
        assert_eq!(answer.header("x-ferrogate-model"), "second");
    }
    assert_eq!(calls(&rig).await, before);
}

#[tokio::test]
async fn the_client_says_when_it_wants_a_new_answer() {
    let rig = Rig::start(ON).await;
    let ask = |control: &str| rig.chat("hello").header("cache-control", control);
    expect(ask("no-store"), "bypass").await;
    expect(rig.chat("hello"), "miss").await;
    expect(ask("max-age=60"), "hit").await;
    for control in ["no-store", "no-cache", "max-age=0"] {
        let before = calls(&rig).await;
        expect(ask(control), "bypass").await;
        assert_eq!(calls(&rig).await, before + 1, "{control}");
    }
    // One that is not answered from the cache is kept all the same.
    let other = || rig.chat("hello, you");
    expect(other().header("cache-control", "no-cache"), "bypass").await;
    expect(other(), "hit").await;
}

#[tokio::test]
async fn model_key_and_profile_can_keep_out_of_it() {
    let rig = Rig::start(&format!(
        r#"{ON}
        [[models]]
        name = "fresh"
        provider = "openai"
        provider_model = "gpt-4o-mini"
        cache_enabled = false

        [[api_keys]]
        id = "careful"
        key = "careful-secret"
        cache_enabled = false

        [[gateway_configs]]
        id = "uncached"
        cache_enabled = false
        "#
    ))
    .await;
    let fresh = json!({"model": "fresh", "messages": [{"role": "user", "content": "hello"}]});
    for _ in 0..2 {
        expect(rig.post("/v1/chat/completions", &fresh), "bypass").await;
        expect(rig.chat("hello").key("careful-secret"), "bypass").await;
        expect(
            rig.chat("hello").header("x-ferrogate-config", "uncached"),
            "bypass",
        )
        .await;
    }
    assert_eq!(calls(&rig).await, 6);
    expect(rig.chat("hello"), "miss").await;
}

#[tokio::test]
async fn responses_that_are_kept_are_made_anew_each_time() {
    let rig = Rig::start(ON).await;
    let kept = json!({"model": "fast", "input": "hello"});
    for _ in 0..2 {
        expect(rig.post("/v1/responses", &kept), "bypass").await;
    }
    assert_eq!(calls(&rig).await, 2);
}

#[tokio::test]
async fn without_a_cache_nothing_is_said_of_it() {
    let rig = Rig::start("").await;
    for _ in 0..2 {
        expect(rig.chat("hello"), "").await;
    }
    assert_eq!(calls(&rig).await, 2);
}

/// Four keys: two of the project `web` of `acme`, one of another project of `acme`, and one of a project that is called
/// `web` too, of `umbrella`.
async fn tenants(scope: &str) -> Rig {
    let mut config = format!("{ON}scope = \"{scope}\"\n");
    for (id, organization, project) in [
        ("web-1", "acme", "web"),
        ("web-2", "acme", "web"),
        ("shop", "acme", "shop"),
        ("other", "umbrella", "web"),
    ] {
        config.push_str(&format!(
            r#"
            [[api_keys]]
            id = "{id}"
            key = "{id}-secret"
            organization_id = "{organization}"
            project_id = "{project}"
            "#
        ));
    }
    Rig::start(&config).await
}

#[tokio::test]
async fn tenants_share_as_far_as_the_scope_goes_and_never_further() {
    for (scope, expected) in [
        ("key", ["miss"; 5]),
        ("project", ["miss", "hit", "miss", "miss", "miss"]),
        ("organization", ["miss", "hit", "hit", "miss", "miss"]),
        ("global", ["miss", "hit", "hit", "hit", "hit"]),
    ] {
        let rig = tenants(scope).await;
        // The key `dev` belongs to nobody.
        let secrets = [
            "web-1-secret",
            "web-2-secret",
            "shop-secret",
            "other-secret",
            KEY,
        ];
        for (secret, expected) in secrets.into_iter().zip(expected) {
            let answer = rig.chat("hello").key(secret).send().await.expect(200);
            assert_eq!(status(&answer), expected, "{scope} {secret}");
        }
        let asked = expected.iter().filter(|status| **status == "miss").count();
        assert_eq!(calls(&rig).await, u64::try_from(asked).unwrap(), "{scope}");
        for secret in secrets {
            expect(rig.chat("hello").key(secret), "hit").await;
        }
    }
}

#[tokio::test]
async fn where_keys_share_nobody_goes_on_from_anothers_response() {
    let rig = tenants("global").await;
    let kept = json!({"model": "fast", "input": "hello"});
    let kept = rig.post("/v1/responses", &kept).send().await.expect(200);
    let next = json!({"model": "fast", "input": "and now?", "store": false, "previous_response_id": kept.json()["id"]});
    for _ in 0..2 {
        expect(rig.post("/v1/responses", &next), "bypass").await;
    }
    let stranger = rig.post("/v1/responses", &next).key("shop-secret");
    assert_eq!(
        stranger.send().await.refusal().1,
        "previous_response_not_found"
    );
}

#[tokio::test]
async fn of_equal_requests_at_the_same_time_one_asks_the_provider() {
    let rig = Rig::start(ON).await;
    // Long enough for all of them to be here; one that comes later finds the answer.
    let request = rig.chat_stream("sim: ttft_ms=300\nhello");
    let asking = (0..20).map(|_| request.clone().send());
    let answers = futures_util::future::join_all(asking).await;
    assert_eq!(calls(&rig).await, 1);
    let misses = answers.iter().filter(|answer| status(answer) == "miss");
    assert_eq!(misses.count(), 1);
    for answer in &answers {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.body, answers[0].body);
    }
}

#[tokio::test]
async fn those_who_wait_for_an_answer_that_fails_ask_themselves() {
    let rig = Rig::start(ON).await;
    let request = rig.chat_stream("sim: ttft_ms=300 fault=400 times=1\nhello");
    let asking = (0..5).map(|_| request.clone().send());
    let answers = futures_util::future::join_all(asking).await;
    let refused = answers.iter().filter(|answer| answer.status == 400);
    assert_eq!(refused.count(), 1);
    // However many have found an answer of the others by then.
    assert!((2..=5).contains(&calls(&rig).await));
}

#[tokio::test]
async fn an_answer_is_not_given_past_its_time() {
    let rig = Rig::start(&format!("{ON}ttl_secs = 1\n")).await;
    expect(rig.chat("hello"), "miss").await;
    eventually("the answer's time is over", || async {
        let answer = rig.chat("hello").send().await.expect(200);
        (status(&answer) == "miss").then_some(())
    })
    .await;
    assert_eq!(calls(&rig).await, 2);
}

#[tokio::test]
async fn what_is_to_be_kept_outlives_the_gateway() {
    for (persist, expected) in [(true, "hit"), (false, "miss")] {
        let rig = Rig::start(&format!("{ON}persist = {persist}\n")).await;
        let mut first = Vec::new();
        for request in streams(&rig) {
            first.push(expect(request, "miss").await);
        }
        let Rig { gateway, provider } = rig;
        gateway.terminate();
        let (_, stopped) = gateway.left().await;
        let rig = Rig {
            gateway: stopped.restart().await,
            provider,
        };
        for (request, first) in streams(&rig).into_iter().zip(first) {
            let again = expect(request, expected).await;
            if persist {
                assert_eq!(again.body, first.body);
                assert_eq!(again.header("content-type"), first.header("content-type"));
            }
        }
        assert_eq!(calls(&rig).await, if persist { 5 } else { 10 });
    }
}

/// What a purge took out of memory.
async fn purge(rig: &Rig, what: Value) -> u64 {
    let request = Request::new(
        crate::support::Target::Unix(rig.gateway.admin_socket()),
        "POST",
        "/admin/v1/cache:purge",
    );
    let answer = request.json(&what).send().await.expect(200);
    let purged: CachePurged = serde_json::from_slice(&answer.body).unwrap();
    purged.purged
}

#[tokio::test]
async fn a_purge_takes_what_it_names_and_leaves_the_rest() {
    let rig = Rig::start(&format!(
        r#"{ON}
        persist = true

        [[api_keys]]
        id = "acme"
        key = "acme-secret"
        organization_id = "acme"
        "#
    ))
    .await;
    let embed = json!({"model": "embed", "input": "hello"});
    let asks = || {
        [
            rig.chat("hello"),
            rig.post("/v1/embeddings", &embed),
            rig.chat("hello").key("acme-secret"),
        ]
    };
    let check = async |expected: [&str; 3]| {
        for (request, expected) in asks().into_iter().zip(expected) {
            expect(request, expected).await;
        }
    };
    check(["miss"; 3]).await;
    check(["hit"; 3]).await;
    assert_eq!(purge(&rig, json!({"model": "embed"})).await, 1);
    check(["hit", "miss", "hit"]).await;
    assert_eq!(purge(&rig, json!({"account": "key:dev"})).await, 2);
    check(["miss", "miss", "hit"]).await;
    assert_eq!(
        purge(&rig, json!({"account": "organization:acme"})).await,
        1
    );
    check(["hit", "hit", "miss"]).await;
    assert_eq!(purge(&rig, json!({"all": true})).await, 3);
    // Nor does it come back from the disk.
    let Rig { gateway, provider } = rig;
    let rig = Rig {
        gateway: gateway.kill().await.restart().await,
        provider,
    };
    expect(rig.chat("hello"), "miss").await;
}

#[tokio::test]
async fn a_hit_is_a_request_that_costs_nothing() {
    let rig = Rig::start(ON).await;
    let first = expect(rig.chat("hello"), "miss").await;
    let [event] = &rig.gateway.events_of(first.request_id()).await[..] else {
        panic!("one attempt, one row")
    };
    let cost = event.cost_nanos.unwrap();
    assert!(cost > 0 && !event.cache_hit);
    let again = expect(rig.chat("hello"), "hit").await;
    let log = rig.gateway.log_of(again.request_id()).await;
    assert_eq!(log.cache, Some(CacheStatus::Hit));
    assert_eq!((log.saved_nanos, log.cost_nanos), (Some(cost), None));
    assert_eq!((log.attempts, log.tokens), (0, Tokens::default()));
    let [hit] = &rig.gateway.events_of(again.request_id()).await[..] else {
        panic!("one hit, one row")
    };
    let expected = MeteringEvent {
        request_id: hit.request_id.clone(),
        attempt: 0,
        occurred_at_unix_ms: hit.occurred_at_unix_ms,
        tokens: Tokens::default(),
        usage_source: UsageSource::None,
        cost_nanos: None,
        price_version: None,
        cache_hit: true,
        saved_nanos: Some(cost),
        ..event.clone()
    };
    assert_eq!(*hit, expected);
    let bypassed = rig.chat("hello").header("cache-control", "no-store");
    let bypassed = expect(bypassed, "bypass").await;
    let log = rig.gateway.log_of(bypassed.request_id()).await;
    assert_eq!(log.cache, Some(CacheStatus::Bypass));
    let metrics = rig.gateway.admin("/metrics").send().await.expect(200);
    for line in [
        r#"ferrogate_cache_requests_total{status="hit"} 1"#.to_owned(),
        r#"ferrogate_cache_requests_total{status="miss"} 1"#.to_owned(),
        r#"ferrogate_cache_requests_total{status="bypass"} 1"#.to_owned(),
        "ferrogate_cache_entries 1".to_owned(),
        format!("ferrogate_cache_saved_nanos_total {cost}"),
    ] {
        let found = metrics.text().lines().any(|found| found == line);
        assert!(found, "no `{line}` in:\n{}", metrics.text());
    }
}

#[tokio::test]
async fn a_hit_counts_against_the_rate_and_against_no_budget() {
    let rig = Rig::start(&format!(
        r#"{ON}
        [[api_keys]]
        id = "poor"
        key = "poor-secret"
        request_limit_per_minute = 4
        budgets = [{{ tokens = 400, period = "total" }}]
        "#
    ))
    .await;
    let ask = |text: &str| {
        let message = json!([{"role": "user", "content": format!("sim: tokens=200\n{text}")}]);
        let body = json!({"model": "fast", "max_tokens": 200, "messages": message});
        rig.post("/v1/chat/completions", &body).key("poor-secret")
    };
    expect(ask("one"), "miss").await;
    for _ in 0..2 {
        expect(ask("one"), "hit").await;
        // What is left is too little for another.
        let refused = ask("two").send().await;
        assert_eq!(refused.refusal(), (429, "token_budget_exceeded".to_owned()));
    }
    expect(ask("one"), "hit").await;
    let refused = ask("one").send().await;
    assert_eq!(refused.refusal(), (429, "rate_limit_exceeded".to_owned()));
    assert_eq!(calls(&rig).await, 1);
}
