//! `[[models]]` and their fallbacks: in which words they are asked, prices of cached tokens, and what is assumed of an
//! answer.

use serde_json::json;

use crate::support::{Provider, Rig, chat_body, routed};

const PRICED: &str = r#"
    provider = "one"
    provider_model = "first"
    input_price_per_1m = 1
    output_price_per_1m = 2
    cache_read_price_per_1m = "0.5"
    cache_write_price_per_1m = "1.25"
    [[models.fallbacks]]
    provider = "two"
    provider_model = "second"
    input_price_per_1m = 3
    output_price_per_1m = 4
    cache_read_price_per_1m = "0.25"
    cache_write_price_per_1m = 5
"#;

#[tokio::test]
async fn cached_tokens_cost_what_the_candidate_that_answered_says() {
    // Nano-units for a token of input, of output, read from a cache and written to one.
    let check = async |model: &str, provider: &str, [input, output, read, write]: [u64; 4]| {
        let rig = routed(model, "").await;
        let request = rig.routed("sim: cached=1000 cache_write=500\nhello");
        let answer = request.send().await.expect(200);
        let events = rig.gateway.events_of(answer.request_id()).await;
        let event = events.last().unwrap();
        assert_eq!(&*event.provider, provider);
        let tokens = event.tokens;
        assert_eq!((tokens.cache_read, tokens.cache_write), (1000, 500));
        let plain = tokens.input - 1500;
        let expected = plain * input + tokens.output * output + 1000 * read + 500 * write;
        assert_eq!(event.cost_nanos, i64::try_from(expected).ok(), "{provider}");
    };
    check(PRICED, "one", [1000, 2000, 500, 1250]).await;
    let falls_back = PRICED.replace("\"first\"", "\"first+fault=503\"");
    check(&falls_back, "two", [3000, 4000, 250, 5000]).await;
}

const ASSUMED: &str = r#"
    [[models]]
    name = "terse"
    provider = "openai"
    provider_model = "m"
    default_max_output_tokens = 100

    [[models]]
    name = "wordy"
    provider = "openai"
    provider_model = "m"
    default_max_output_tokens = 5000

    [[models]]
    name = "backed"
    provider = "openai"
    provider_model = "m"
    default_max_output_tokens = 100
    [[models.fallbacks]]
    provider = "openai"
    provider_model = "n"
    default_max_output_tokens = 5000

    [[api_keys]]
    id = "poor"
    key = "poor-secret"
    budgets = [{ tokens = 2000, period = "total" }]
"#;

#[tokio::test]
async fn a_request_without_a_maximum_holds_what_its_candidates_say() {
    let rig = Rig::start(ASSUMED).await;
    let check = async |model: &str, max_tokens: Option<u64>, status: u16| {
        let mut body = chat_body("hello");
        body["model"] = model.into();
        if let Some(max_tokens) = max_tokens {
            body["max_tokens"] = json!(max_tokens);
        }
        let request = rig.post("/v1/chat/completions", &body).key("poor-secret");
        let answer = request.send().await;
        assert_eq!(answer.status, status, "{model}: {}", answer.text());
    };
    check("terse", None, 200).await;
    check("wordy", None, 429).await;
    check("wordy", Some(100), 200).await;
    check("backed", None, 429).await;
}

#[tokio::test]
async fn a_provider_is_asked_in_the_words_that_it_has() {
    for (apis, path) in [
        ("chat", "/v1/chat/completions"),
        ("messages", "/v1/messages"),
    ] {
        let provider = Provider::start().await;
        let config = format!(
            r#"
            [[providers]]
            name = "worded"
            kind = "openai-compatible"
            base_url = "{}"
            apis = ["{apis}"]

            [[models]]
            name = "worded"
            provider = "worded"
            provider_model = "m"
            "#,
            provider.base_url()
        );
        let rig = Rig::start_with(provider, &config).await;
        let mut body = chat_body("hello");
        body["model"] = "worded".into();
        let asked = rig.post("/v1/chat/completions", &body);
        asked.send().await.expect(200);
        assert_eq!(rig.provider.calls().await[0]["path"], path);
    }
}
