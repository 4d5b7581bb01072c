//! What a request costs: prices of the file and of the catalog that comes along, and models that nobody has a price for.

use serde_json::Value;

use crate::support::{Provider, Rig, routed};

/// The price of `model` at OpenAI, as the catalog has it: micro-units per million tokens of input and output.
fn catalog_price(model: &str) -> (u64, u64) {
    use ferrogate::config::{PriceCatalog, ProviderKind};
    let price = PriceCatalog::embedded()
        .price(ProviderKind::OpenAi, model)
        .unwrap();
    (
        price.input_micros_per_million,
        price.output_micros_per_million,
    )
}

#[tokio::test]
async fn a_known_model_costs_what_the_catalog_says_unless_the_file_says_otherwise() {
    let provider = Provider::start().await;
    let config = format!(
        r#"
        [[providers]]
        name = "real"
        kind = "openai"
        base_url = "{}"
        api_key_env = "PROVIDER_KEY"

        [[models]]
        name = "listed"
        provider = "real"
        provider_model = "gpt-4o"

        [[models]]
        name = "negotiated"
        provider = "real"
        provider_model = "gpt-4o"
        input_price_per_1m = "0.5"
        output_price_per_1m = 1
        cache_read_price_per_1m = "0.25"
        "#,
        provider.base_url()
    );
    let rig = Rig::start_with(provider, &config).await;
    let catalog = catalog_price("gpt-4o");
    for (model, (input, output)) in [("listed", catalog), ("negotiated", (500_000, 1_000_000))] {
        let mut body = crate::support::chat_body("hello there");
        body["model"] = model.into();
        let answer = rig
            .post("/v1/chat/completions", &body)
            .send()
            .await
            .expect(200);
        let [event] = &rig.gateway.events_of(answer.request_id()).await[..] else {
            panic!("one attempt, one row")
        };
        let tokens = event.tokens;
        assert!(tokens.input > 0 && tokens.output > 0 && tokens.cache_read == 0);
        // Micro-units per million tokens are thousandths of a nano-unit a token.
        let expected = (tokens.input * input + tokens.output * output + 500) / 1000;
        assert_eq!(event.cost_nanos, i64::try_from(expected).ok(), "{model}");
        let log = rig.gateway.log_of(answer.request_id()).await;
        assert_eq!(log.cost_nanos, event.cost_nanos);
    }
    // What came from the provider's cache costs its own price.
    let mut body = crate::support::chat_body("sim: cached=1000\nhello there");
    body["model"] = "negotiated".into();
    let answer = rig
        .post("/v1/chat/completions", &body)
        .send()
        .await
        .expect(200);
    let [event] = &rig.gateway.events_of(answer.request_id()).await[..] else {
        panic!("one attempt, one row")
    };
    let tokens = event.tokens;
    assert_eq!(tokens.cache_read, 1000);
    let expected = (tokens.input - 1000) * 500 + 1000 * 250 + tokens.output * 1000;
    assert_eq!(event.cost_nanos, i64::try_from(expected).ok());
}

const UNPRICED: &str = r#"
    provider = "one"
    provider_model = "nobody-knows-this-model"
"#;

#[tokio::test]
async fn a_model_without_a_price_is_flagged_and_never_free() {
    let rig = routed(UNPRICED, "").await;
    assert!(
        rig.gateway.logged().contains("has no price"),
        "{}",
        rig.gateway.logged()
    );
    let answer = rig.routed("hello").send().await.expect(200);
    let [event] = &rig.gateway.events_of(answer.request_id()).await[..] else {
        panic!("one attempt, one row")
    };
    assert!(event.tokens.output > 0);
    assert_eq!(event.cost_nanos, None);
    let log = rig.gateway.log_of(answer.request_id()).await;
    assert_eq!(log.cost_nanos, None);
    let aggregates = rig.gateway.usage_aggregates("total").await;
    let [aggregate] = &aggregates[..] else {
        panic!("one model was asked: {aggregates:?}")
    };
    assert_eq!((aggregate.requests, aggregate.unpriced_requests), (1, 1));
    assert_eq!(aggregate.cost_nanos, 0);
}

const DENY: &str = "[pricing]\nunknown = \"deny\"\n";

#[tokio::test]
async fn where_unknown_prices_are_denied_nobody_is_asked_without_one() {
    let rig = routed(UNPRICED, DENY).await;
    let answer = rig.routed("hello").send().await;
    assert_eq!(answer.refusal(), (503, "price_unknown".into()));
    assert_eq!(answer.header("x-should-retry"), "false");
    assert_eq!(rig.provider.count("calls").await, 0);
    // Others are none the worse for it.
    rig.chat("hello").send().await.expect(200);

    let model = format!(
        "{UNPRICED}\n[[models.fallbacks]]\nprovider = \"two\"\nprovider_model = \"second\"\n\
         input_price_per_1m = 0\noutput_price_per_1m = 0\n"
    );
    let rig = routed(&model, DENY).await;
    let answer = rig.routed("hello").send().await.expect(200);
    assert_eq!(answer.header("x-ferrogate-provider"), "two");
    // A price of nothing is a price.
    let log = rig.gateway.log_of(answer.request_id()).await;
    assert_eq!(log.cost_nanos, Some(0));
    let trace = rig.gateway.routing_of(answer.request_id()).await;
    let passed_over = trace
        .candidates
        .iter()
        .find(|one| one.rank.is_none())
        .unwrap();
    assert_eq!(
        passed_over.reason,
        "passed over: it has no price, and `[pricing] unknown` is `deny`"
    );
}

#[tokio::test]
async fn what_cannot_be_compared_is_no_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ferrogate.toml");
    let config = r#"
        [[providers]]
        name = "one"
        kind = "openai-compatible"
        base_url = "http://127.0.0.1:9"

        [[models]]
        name = "cheap"
        routing_strategy = "lowest_cost"
        provider = "one"
        provider_model = "nobody-knows-this-model"
    "#;
    std::fs::write(&path, config).unwrap();
    let arguments = ["validate", "--config", path.to_str().unwrap()];
    let ended = crate::support::Ended::of(crate::support::ferrogate(&arguments), "").await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("lowest_cost"), "{}", ended.stderr);
}

#[tokio::test]
async fn an_estimate_of_a_plan_is_made_with_the_prices_that_are_charged() {
    let model = r#"
        provider = "one"
        provider_model = "first"
        input_price_per_1m = 1000
        output_price_per_1m = 0
        [[models.fallbacks]]
        provider = "two"
        provider_model = "nobody-knows-this-model"
    "#;
    let rig = routed(model, "").await;
    let answer = rig.routed(&"word ".repeat(100)).send().await.expect(200);
    let trace = rig.gateway.routing_of(answer.request_id()).await;
    let estimates: Vec<Option<i64>> = trace
        .candidates
        .iter()
        .map(|one| one.cost_nanos_estimate)
        .collect();
    let input = i64::try_from(trace.input_tokens_estimate).unwrap();
    assert_eq!(estimates, [Some(input * 1_000_000), None]);
    let body: Value = answer.json();
    assert!(
        body["usage"]["prompt_tokens"]
            .as_i64()
            .unwrap()
            .abs_diff(input)
            < 60
    );
}
