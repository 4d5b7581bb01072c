//! In which order the candidates of a model are asked, and which of them not at all.

use std::collections::BTreeMap;

use ferrogate_api::Outcome;
use serde_json::{Value, json};

use crate::support::{Rig, eventually, first_then_second, routed, routed_body};

/// How many of `requests` each provider answered.
async fn spread(rig: &Rig, requests: usize) -> BTreeMap<String, usize> {
    let mut answered = BTreeMap::new();
    for _ in 0..requests {
        let answer = rig.routed("hello").send().await.expect(200);
        let provider = answer.header("x-ferrogate-provider").to_owned();
        *answered.entry(provider).or_default() += 1;
    }
    answered
}

/// The keys of a model with one candidate at each of the providers `one`, `two` and `three`.
fn three(strategy: &str, keys: [&str; 3]) -> String {
    let [one, two, three] = keys;
    format!(
        r#"
        routing_strategy = "{strategy}"
        provider = "one"
        provider_model = "first"
        {one}
        [[models.fallbacks]]
        provider = "two"
        provider_model = "second"
        {two}
        [[models.fallbacks]]
        provider = "three"
        provider_model = "third"
        {three}
        "#
    )
}

#[tokio::test]
async fn weights_share_the_requests_over_all_candidates() {
    let model = three("weighted", ["weight = 5", "weight = 3", "weight = 2"]);
    let rig = routed(&model, "").await;
    let answered = spread(&rig, 400).await;
    // Independent draws would stray from these by 10 (one standard deviation); the draws are spread more evenly.
    for (provider, expected) in [("one", 200), ("two", 120), ("three", 80)] {
        let count = answered[provider];
        assert!(count.abs_diff(expected) <= 30, "{provider}: {answered:?}");
    }
    let ledger = eventually("all is written", || async {
        let ledger = rig.gateway.metering_events().await;
        (ledger.len() == 400).then_some(ledger)
    })
    .await;
    let of_two = ledger.iter().filter(|event| &*event.provider == "two");
    assert_eq!(of_two.count(), answered["two"]);
}

#[tokio::test]
async fn equals_share_by_weight_and_a_larger_number_is_spare() {
    let keys = ["priority = 1", "priority = 1\nweight = 3", "priority = 2"];
    let rig = routed(&three("priority", keys), "").await;
    let answered = spread(&rig, 100).await;
    assert!(answered["one"].abs_diff(25) <= 15, "{answered:?}");
    assert!(answered["two"].abs_diff(75) <= 15, "{answered:?}");
    assert!(!answered.contains_key("three"), "{answered:?}");
}

#[tokio::test]
async fn the_traffic_of_a_failing_candidate_spreads_over_the_others() {
    let model = three("weighted", ["weight = 98", "", ""]).replace("first", "first+fault=503");
    let rig = routed(&model, "").await;
    // Five failures open the breaker of the first; from then on it takes no part in the draw.
    let answered = spread(&rig, 60).await;
    assert!(!answered.contains_key("one"), "{answered:?}");
    assert!(
        answered["two"] >= 10 && answered["three"] >= 10,
        "{answered:?}"
    );
    let asked = rig.asked().await;
    assert_eq!(asked.iter().filter(|model| *model == "first").count(), 5);
}

#[tokio::test]
async fn the_cheapest_comes_first_by_what_this_very_request_costs() {
    let prices = [
        "input_price_per_1m = 1\noutput_price_per_1m = 40",
        "input_price_per_1m = 10\noutput_price_per_1m = 10",
        "input_price_per_1m = 50\noutput_price_per_1m = 50",
    ];
    let rig = routed(&three("lowest_cost", prices), "").await;
    let long_prompt = "word ".repeat(4000);
    let check = async |prompt: &str, output: u32, expected: &str| {
        let mut body = routed_body(prompt);
        body["max_tokens"] = output.into();
        let answer = rig
            .post("/v1/chat/completions", &body)
            .send()
            .await
            .expect(200);
        assert_eq!(answer.header("x-ferrogate-provider"), expected);
        let trace = rig.gateway.routing_of(answer.request_id()).await;
        assert_eq!(&*trace.strategy, "lowest_cost");
        let costs: Vec<_> = trace
            .candidates
            .iter()
            .map(|candidate| candidate.cost_nanos_estimate.unwrap())
            .collect();
        assert!(costs.is_sorted(), "{costs:?}");
        assert_eq!(trace.candidates[0].reason, "first by estimated cost");
    };
    check("hello", 1000, "two").await;
    check(&long_prompt, 10, "one").await;
}

#[tokio::test]
async fn the_fastest_comes_first_once_all_are_known() {
    let model = three("lowest_latency", ["", "", ""])
        .replace("first", "first+ttft_ms=60")
        .replace("third", "third+ttft_ms=60");
    let rig = routed(&model, "").await;
    // One of eight requests tries what was not measured yet.
    eventually("all three are measured", || async {
        rig.routed("hello").send().await.expect(200);
        let mut known = 0;
        for provider in ["one", "two", "three"] {
            let health = rig.gateway.health_of(provider).await;
            known += health
                .models
                .iter()
                .filter(|one| one.latency_us.is_some())
                .count();
        }
        (known == 3).then_some(())
    })
    .await;
    let answered = spread(&rig, 10).await;
    assert_eq!(answered, BTreeMap::from([("two".to_owned(), 10)]));
    let answer = rig.routed("hello").send().await.expect(200);
    let trace = rig.gateway.routing_of(answer.request_id()).await;
    let first = &trace.candidates[0];
    assert!(first.reason.starts_with("first by latency"), "{first:?}");
    assert!(trace.candidates[1].latency_us > first.latency_us);
}

#[tokio::test]
async fn balance_weighs_cost_latency_and_failures_against_each_other() {
    let prices = [
        "input_price_per_1m = 1\noutput_price_per_1m = 1",
        "input_price_per_1m = 2\noutput_price_per_1m = 2",
        "input_price_per_1m = 9\noutput_price_per_1m = 9",
    ];
    let model = three("balanced", prices).replace("first", "first+fault=503,times=3");
    let rig = routed(&model, "").await;
    // The cheapest fails, and for a while that weighs more than its price.
    let answer = rig.routed("hello").send().await.expect(200);
    assert_eq!(answer.header("x-ferrogate-provider"), "two");
    let answered = spread(&rig, 5).await;
    assert_eq!(answered, BTreeMap::from([("two".to_owned(), 5)]));
    assert_eq!(rig.asked().await[..3], ["first", "second", "second"]);
    let answer = rig.routed("hello").send().await.expect(200);
    let trace = rig.gateway.routing_of(answer.request_id()).await;
    let order: Vec<&str> = trace.candidates.iter().map(|one| &*one.provider).collect();
    assert_eq!(order.first(), Some(&"two"), "{trace:?}");
    let reason = &trace.candidates[0].reason;
    assert!(reason.starts_with("first by score"), "{reason}");
}

#[tokio::test]
async fn a_model_is_visible_to_the_organizations_and_projects_it_names_alone() {
    let model = format!(
        "visible_organization_ids = [\"acme\"]\nvisible_project_ids = [\"search\"]\n{}",
        first_then_second("first")
    );
    let keys = r#"
        [[api_keys]]
        id = "both"
        key = "both-secret"
        organization_id = "acme"
        project_id = "search"

        [[api_keys]]
        id = "other-project"
        key = "other-project-secret"
        organization_id = "acme"
        project_id = "shop"

        [[api_keys]]
        id = "other-organization"
        key = "other-organization-secret"
        organization_id = "initech"
        project_id = "search"
    "#;
    let rig = routed(&model, keys).await;
    rig.routed("hello")
        .key("both-secret")
        .send()
        .await
        .expect(200);
    let dev = crate::support::KEY;
    for secret in [dev, "other-project-secret", "other-organization-secret"] {
        // Not there, as far as they can tell: neither by name nor in the list.
        let answer = rig.routed("hello").key(secret).send().await;
        assert_eq!(
            answer.refusal(),
            (404, "model_not_found".into()),
            "{secret}"
        );
        let list = rig.gateway.request("GET", "/v1/models").key(secret);
        let list = list.send().await.expect(200);
        assert!(!list.text().contains("routed"), "{}", list.text());
    }
    let list = rig.gateway.request("GET", "/v1/models").key("both-secret");
    assert!(list.send().await.expect(200).text().contains("routed"));
    assert_eq!(rig.asked().await, ["first"]);
}

const IMAGE: &str = "data:image/png;base64,iVBORw0KGgo=";

/// A request that needs each of the features, by its word.
fn needing(feature: &str) -> Value {
    let mut body = routed_body("hello");
    match feature {
        "tools" => {
            body["tools"] = json!([{"type": "function", "function": {"name": "clock"}}]);
        }
        "vision" => {
            let parts = json!([
                {"type": "text", "text": "hello"},
                {"type": "image_url", "image_url": {"url": IMAGE}},
            ]);
            body["messages"][0]["content"] = parts;
        }
        "json" => body["response_format"] = json!({"type": "json_object"}),
        "reasoning" => body["reasoning_effort"] = "high".into(),
        other => panic!("no feature: {other}"),
    }
    body
}

#[tokio::test]
async fn a_request_goes_to_a_model_that_can_do_what_it_needs() {
    let model = r#"
        provider = "one"
        provider_model = "first"
        capabilities = ["chat", "tools"]
        [[models.fallbacks]]
        provider = "two"
        provider_model = "second"
        capabilities = ["chat", "vision", "json", "reasoning"]
    "#;
    let rig = routed(model, "").await;
    for (feature, provider) in [
        ("tools", "one"),
        ("vision", "two"),
        ("json", "two"),
        ("reasoning", "two"),
    ] {
        let request = rig.post("/v1/chat/completions", &needing(feature));
        let answer = request.send().await.expect(200);
        assert_eq!(answer.header("x-ferrogate-provider"), provider, "{feature}");
        assert_eq!(answer.header("x-ferrogate-attempts"), "1");
    }
    let mut both = needing("vision");
    both["tools"] = needing("tools")["tools"].take();
    let answer = rig.post("/v1/chat/completions", &both).send().await;
    assert_eq!(answer.refusal(), (400, "capability_not_supported".into()));
    let trace = rig.gateway.routing_of(answer.request_id()).await;
    let reasons: Vec<_> = trace.candidates.iter().map(|one| &*one.reason).collect();
    let expected = [
        "passed over: its capabilities do not name `vision`",
        "passed over: its capabilities do not name `tools`",
    ];
    assert_eq!(reasons, expected);
    let log = rig.gateway.log_of(answer.request_id()).await;
    assert_eq!((log.outcome, log.attempts), (Outcome::Refused, 0));
}

#[tokio::test]
async fn a_model_without_vision_is_never_sent_an_image() {
    let model = r#"
        provider = "one"
        provider_model = "first"
        capabilities = ["chat", "tools", "json", "reasoning"]
    "#;
    let rig = routed(model, "").await;
    let answer = rig
        .post("/v1/chat/completions", &needing("vision"))
        .send()
        .await;
    assert_eq!(answer.refusal(), (400, "capability_not_supported".into()));
    assert!(answer.text().contains("vision"), "{}", answer.text());
    let messages = json!({"model": "routed", "max_tokens": 9, "messages": [{"role": "user", "content": [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
    ]}]});
    assert_eq!(rig.post("/v1/messages", &messages).send().await.status, 400);
    let responses = json!({"model": "routed", "input": [{"role": "user", "content": [
        {"type": "input_image", "image_url": IMAGE},
    ]}]});
    assert_eq!(
        rig.post("/v1/responses", &responses).send().await.status,
        400
    );
    let gemini = json!({"contents": [{"role": "user", "parts": [
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
    ]}]});
    let path = "/v1beta/models/routed:generateContent";
    assert_eq!(rig.post(path, &gemini).send().await.status, 400);
    assert_eq!(rig.asked().await, [""; 0]);
}

#[tokio::test]
async fn a_prompt_goes_to_a_window_that_can_take_it() {
    let model = r#"
        provider = "one"
        provider_model = "first"
        context_window = 100
        [[models.fallbacks]]
        provider = "two"
        provider_model = "second"
        context_window = 1000
    "#;
    let rig = routed(model, "").await;
    let check = async |words: usize, output: u32, expected: &str| {
        let mut body = routed_body(&"word ".repeat(words));
        body["max_tokens"] = output.into();
        let answer = rig
            .post("/v1/chat/completions", &body)
            .send()
            .await
            .expect(200);
        assert_eq!(
            answer.header("x-ferrogate-provider"),
            expected,
            "{words} {output}"
        );
        assert_eq!(answer.header("x-ferrogate-attempts"), "1");
    };
    check(10, 10, "one").await;
    // It fits, but not with all the output that is asked for.
    check(10, 500, "two").await;
    check(200, 10, "two").await;
    let answer = rig.routed(&"word ".repeat(2000)).send().await;
    assert_eq!(answer.refusal(), (400, "context_length_exceeded".into()));
    assert!(answer.text().contains("at most 1000"), "{}", answer.text());
    assert_eq!(rig.asked().await.len(), 3);
}

#[tokio::test]
async fn what_is_switched_off_takes_no_part() {
    let keys = ["enabled = false", "", ""];
    let rig = routed(&three("weighted", keys), "").await;
    // The model is named after its first candidate, and goes with it.
    let answer = rig.routed("hello").send().await;
    assert_eq!(answer.refusal(), (404, "model_disabled".into()));

    let keys = ["", "enabled = false", "enabled = false"];
    let rig = routed(&three("weighted", keys), "").await;
    let answered = spread(&rig, 8).await;
    assert_eq!(answered, BTreeMap::from([("one".to_owned(), 8)]));
}
