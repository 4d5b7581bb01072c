//! `POST /v1/chat/completions`, answered in one piece.

use ferrogate_api::{Outcome, UsageSource};
use serde_json::json;

use crate::support::{KEY, PROVIDER_KEY, Rig};

/// As no serializer writes it, so that a gateway that parses and prints again is found out.
const BODIES: [&str; 4] = [
    r#"{"model":"fast","messages":[{"role":"user","content":"hello"}]}"#,
    r#"{ "messages" : [ {"content":"caf\u00e9 ☕","role":"user"} ],"temperature":0.70, "model" : "fast" ,"unknown_field":{"a":[1,2.50]}}"#,
    r#"{"n":2,"model":"fast","max_tokens":3,"messages":[{"role":"system","content":"be brief"},{"role":"user","content":[{"type":"text","text":"two answers"}]}]}"#,
    r#"{"model":"fast","messages":[{"role":"user","content":"sim: fault=tools\nweather?"}],"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]}"#,
];

#[tokio::test]
async fn a_completion_passes_byte_for_byte_both_ways() {
    let rig = Rig::start("").await;
    for body in BODIES {
        let through = rig.gateway.request("POST", "/v1/chat/completions").key(KEY);
        let through = through.text(body).send().await.expect(200);
        let as_sent_on = body.replace("\"fast\"", "\"gpt-4o-mini\"");
        let direct = rig.provider.request("POST", "/v1/chat/completions");
        let direct = direct.text(&as_sent_on).send().await.expect(200);
        assert_eq!(through.body, direct.body, "{body}");
        assert_eq!(through.header("content-type"), "application/json");

        let calls = rig.provider.calls().await;
        let [.., asked_through, asked_direct] = &calls[..] else {
            panic!("two calls at least")
        };
        assert_eq!(asked_through["body_sha256"], asked_direct["body_sha256"]);
    }
}

#[tokio::test]
async fn the_answer_says_how_it_came_about() {
    let rig = Rig::start("").await;
    let answer = rig.chat("hello").send().await.expect(200);
    assert_eq!(answer.header("x-ferrogate-provider"), "openai");
    assert_eq!(answer.header("x-ferrogate-model"), "gpt-4o-mini");
    assert_eq!(answer.header("x-ferrogate-attempts"), "1");
    let overhead_us: u64 = answer.header("x-ferrogate-overhead-us").parse().unwrap();
    assert!(overhead_us > 0);
    assert!(answer.header("server-timing").contains("provider;dur="));
    assert!(!answer.header("x-ferrogate-provider-request-id").is_empty());
    assert_eq!(answer.json()["model"], "gpt-4o-mini");
    let id: uuid::Uuid = answer.request_id().parse().unwrap();
    assert_eq!(id.get_version_num(), 7);
}

#[tokio::test]
async fn the_provider_sees_the_gateways_credential_and_ids_and_none_of_the_clients() {
    let rig = Rig::start("").await;
    let request = rig
        .chat("hello")
        .header("x-request-id", "client-1")
        .header("openai-beta", "assistants=v2")
        .header("cookie", "session=1")
        .header("x-custom", "private");
    let answer = request.send().await.expect(200);

    let call = rig.provider.calls().await.remove(0);
    let seen = &call["headers"];
    let tail = PROVIDER_KEY.split_at(PROVIDER_KEY.len() - 4).1;
    assert_eq!(seen["authorization"], format!("…{tail}"));
    assert_eq!(seen["x-request-id"], answer.request_id());
    assert_eq!(seen["openai-beta"], "assistants=v2");
    assert_eq!(seen["accept-encoding"], "identity");
    for private in ["cookie", "x-custom"] {
        assert!(seen.get(private).is_none(), "{private} was passed on");
    }
    let log = rig.gateway.log_of(answer.request_id()).await;
    assert_eq!(log.client_request_id.as_deref(), Some("client-1"));
}

#[tokio::test]
async fn a_trace_is_continued_to_the_provider_and_begun_where_there_is_none() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";
    let rig = Rig::start("").await;
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let check = async |given: Option<&str>, continued: bool| {
        let request = rig.chat("hello");
        let request = match given {
            Some(given) => request.header("traceparent", given),
            None => request,
        };
        let answer = request.send().await.expect(200);
        let call = rig.provider.calls().await.pop().unwrap();
        let passed = call["headers"]["traceparent"].as_str().unwrap().to_owned();
        let [_, trace, parent, _] = passed.split('-').collect::<Vec<_>>()[..] else {
            panic!("{passed}")
        };
        assert_eq!(trace == TRACE, continued, "{given:?}");
        assert_ne!(parent, PARENT, "the gateway is a span of its own");
        assert_eq!(answer.header("x-trace-id"), trace);
        let log = rig.gateway.log_of(answer.request_id()).await;
        assert_eq!(log.trace_id, trace);
    };
    check(Some(&traceparent), true).await;
    check(Some("00-not-a-trace-01"), false).await;
    check(None, false).await;
}

#[tokio::test]
async fn what_the_provider_reports_is_what_is_metered_and_priced() {
    let rig = Rig::start("").await;
    let answer = rig
        .chat("sim: usage=random\nhello")
        .send()
        .await
        .expect(200);
    let usage = &answer.json()["usage"];
    let log = rig.gateway.log_of(answer.request_id()).await;
    assert_eq!(log.outcome, Outcome::Complete);
    assert_eq!(log.status, 200);
    assert!(log.duration_us > 0 && log.ttft_us.is_some());

    let [event] = &rig.gateway.events_of(answer.request_id()).await[..] else {
        panic!("one attempt, one row")
    };
    assert_eq!(usage["prompt_tokens"], event.tokens.input);
    assert_eq!(usage["completion_tokens"], event.tokens.output);
    let cached = &usage["prompt_tokens_details"]["cached_tokens"];
    assert_eq!(*cached, event.tokens.cache_read);
    let reasoning = &usage["completion_tokens_details"]["reasoning_tokens"];
    assert_eq!(*reasoning, event.tokens.reasoning);
    assert_eq!(event.usage_source, UsageSource::Provider);
    assert_eq!(event.tokens, log.tokens);
    assert_eq!(event.cost_nanos, log.cost_nanos);
    // 0.15 and 0.60 for a million tokens are 150 and 600 billionths a token.
    let cost = 150 * event.tokens.input + 600 * event.tokens.output;
    assert_eq!(event.cost_nanos, Some(i64::try_from(cost).unwrap()));
}

#[tokio::test]
async fn an_answer_without_usage_is_estimated_and_says_so() {
    let rig = Rig::start("").await;
    let answer = rig.chat("sim: usage=none\nhello").send().await.expect(200);
    assert_eq!(answer.json().get("usage"), None);
    let [event] = &rig.gateway.events_of(answer.request_id()).await[..] else {
        panic!("one attempt, one row")
    };
    assert_eq!(event.usage_source, UsageSource::Estimated);
    assert!(event.tokens.input > 0 && event.tokens.output > 0);
}

#[tokio::test]
async fn a_model_that_cannot_chat_is_not_asked_to() {
    let rig = Rig::start("").await;
    let body = json!({"model": "embed", "messages": [{"role": "user", "content": "hi"}]});
    let answer = rig.post("/v1/chat/completions", &body).send().await;
    assert_eq!(answer.refusal(), (400, "capability_not_supported".into()));
    assert_eq!(answer.json()["error"]["param"], "model");
    assert_eq!(rig.provider.count("calls").await, 0);
}
