//! Who answers when the first candidate fails, who does not, and what the ledger says of each attempt.

use ferrogate_api::{Outcome, UsageSource};
use serde_json::{Value, json};

use crate::support::{
    Answer, Event, Request, Rig, first_then_second, gateway_for, provider_of, routed, routed_body,
};

/// A breaker that opens would answer for the provider.
const NO_BREAKER: &str = "[reliability]\nprovider_circuit_breaker_failure_threshold = 0\n";

/// The model `routed`, whose first candidate behaves as `directive` says.
async fn with_fault(directive: &str, config: &str) -> Rig {
    let model = first_then_second(&format!("first+{directive}"));
    routed(&model, config).await
}

fn chat(rig: &Rig, stream: bool) -> Request {
    if stream {
        rig.routed_stream("hello")
    } else {
        rig.routed("hello")
    }
}

/// Whole, from the second candidate at the second attempt.
fn assert_answered_by_second(answer: &Answer, stream: bool) {
    assert_eq!(answer.header("x-ferrogate-provider"), "two");
    assert_eq!(answer.header("x-ferrogate-model"), "second");
    assert_eq!(answer.header("x-ferrogate-attempts"), "2");
    let text = answer.text();
    if stream {
        assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
        assert!(!text.contains("\"error\""), "{text}");
    } else {
        let said = &answer.json()["choices"][0]["message"]["content"];
        assert_eq!(said, "You said this: hello");
    }
}

#[tokio::test]
async fn what_another_provider_may_mend_is_answered_by_the_next_and_both_attempts_are_metered() {
    let check = async |directive: &str, stream: bool, failed: (u16, Outcome, UsageSource)| {
        let rig = with_fault(directive, NO_BREAKER).await;
        let answer = chat(&rig, stream).send().await.expect(200);
        assert_answered_by_second(&answer, stream);
        assert_eq!(rig.asked().await, ["first", "second"], "{directive}");

        let events = rig.gateway.events_of(answer.request_id()).await;
        let [first, second] = &events[..] else {
            panic!("two attempts, two rows: {events:?}")
        };
        let found = (first.status, first.outcome, first.usage_source);
        assert_eq!(found, failed, "{directive} {stream}");
        assert_eq!((&*first.provider, first.attempt), ("one", 1));
        assert_eq!((&*second.provider, second.attempt), ("two", 2));
        assert_eq!(second.outcome, Outcome::Complete);
        assert_eq!(second.usage_source, UsageSource::Provider);
        let log = rig.gateway.log_of(answer.request_id()).await;
        assert_eq!((log.status, log.attempts), (200, 2));
        assert_eq!((log.outcome, log.error_code), (Outcome::Complete, None));
        assert_eq!(log.provider.as_deref(), Some("two"));
        assert_eq!(
            log.cost_nanos,
            Some(first.cost_nanos.unwrap() + second.cost_nanos.unwrap())
        );
    };
    let refused = |status| (status, Outcome::UpstreamError, UsageSource::None);
    let cut = (200, Outcome::UpstreamCut, UsageSource::Estimated);
    let garbled = (200, Outcome::UpstreamError, UsageSource::Estimated);
    for stream in [false, true] {
        tokio::join!(
            check("fault=429", stream, refused(429)),
            check("fault=500", stream, refused(500)),
            check("fault=503", stream, refused(503)),
            check("fault=529", stream, refused(529)),
        );
        tokio::join!(
            check("fault=408", stream, refused(408)),
            check("fault=401", stream, refused(401)),
            check("context_window", stream, refused(400)),
            check("fault=cut", stream, cut),
        );
    }
    tokio::join!(
        check("fault=malformed", false, cut),
        check("fault=malformed", true, garbled),
        check("cut=role", true, cut),
        check("fault=json_error", true, garbled),
    );
}

#[tokio::test]
async fn a_mistake_in_the_request_is_the_clients_whoever_else_there_is() {
    for status in [400, 404, 409, 413, 422] {
        let rig = with_fault(&format!("fault={status}"), "").await;
        for stream in [false, true] {
            let answer = chat(&rig, stream).send().await;
            assert_eq!(answer.refusal(), (status, "provider_error".into()));
            assert_eq!(rig.gateway.events_of(answer.request_id()).await.len(), 1);
        }
        assert_eq!(rig.asked().await, ["first", "first"], "{status}");
    }
}

#[tokio::test]
async fn a_stream_that_has_begun_is_never_ended_by_another_provider() {
    let rig = with_fault("tokens=9,fault=cut,after=2", "").await;
    let mut stream = chat(&rig, true).open().await;
    assert_eq!(stream.status, 200);
    assert_eq!(stream.header("x-ferrogate-attempts"), "1");
    let events = stream.events().await;
    let last = events.last().unwrap().json();
    assert_eq!(last["error"]["code"], "provider_protocol_error");
    assert!(!events.iter().any(Event::is_done));
    assert_eq!(rig.asked().await, ["first"]);
}

#[tokio::test]
async fn silence_before_the_first_content_is_answered_by_the_next() {
    let limits =
        "[reliability]\nprovider_dispatch_timeout_secs = 1\nprovider_response_timeout_secs = 1";
    // Nothing at all; a head and the role, then nothing; half an answer.
    let check = async |directive: &str, stream: bool| {
        let rig = with_fault(directive, limits).await;
        let answer = chat(&rig, stream).send().await.expect(200);
        assert_answered_by_second(&answer, stream);
        let [first, _] = &rig.gateway.events_of(answer.request_id()).await[..] else {
            panic!("two attempts, two rows")
        };
        assert_eq!(first.outcome, Outcome::TimeLimit, "{directive}");
        // The provider may have worked on it.
        assert_eq!(first.usage_source, UsageSource::Estimated);
        assert!(first.tokens.input > 0 && first.tokens.output == 0);
    };
    tokio::join!(
        check("ttft_ms=60000", false),
        check("ttft_ms=60000", true),
        check("fault=stall", false),
        check("fault=stall", true),
    );
}

#[tokio::test]
async fn a_stream_that_was_begun_without_content_is_nobody_elses_either() {
    let limits = "[reliability]\nprecommit_wait_ms = 50\nprovider_stream_idle_timeout_secs = 1";
    let rig = with_fault("fault=stall,after=0", limits).await;
    let mut stream = chat(&rig, true).open().await;
    assert_eq!(stream.status, 200);
    let events = stream.events().await;
    let last = events.last().unwrap().json();
    assert_eq!(last["error"]["code"], "provider_stalled");
    let id = stream.header("x-request-id");
    let log = rig.gateway.log_of(id).await;
    assert_eq!((log.outcome, log.attempts), (Outcome::Stalled, 1));
    assert_eq!(rig.asked().await, ["first"]);
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_leaves_an_attempt_and_no_row() {
    let model = r#"
        [[models]]
        name = "routed"
        provider = "nowhere"
        provider_model = "first"
        [[models.fallbacks]]
        provider = "openai"
        provider_model = "second"
    "#;
    let rig = Rig::start(&format!(
        "{}{model}",
        provider_of("nowhere", "http://127.0.0.1:9/v1")
    ))
    .await;
    let answer = chat(&rig, false).send().await.expect(200);
    assert_eq!(answer.header("x-ferrogate-provider"), "openai");
    assert_eq!(answer.header("x-ferrogate-attempts"), "2");
    let [event] = &rig.gateway.events_of(answer.request_id()).await[..] else {
        panic!("one attempt was sent, one row")
    };
    assert_eq!((&*event.provider, event.attempt), ("openai", 2));
    let trace = rig.gateway.routing_of(answer.request_id()).await;
    let decisions: Vec<_> = trace
        .attempts
        .iter()
        .map(|attempt| {
            (
                attempt.status,
                attempt.error_code.as_deref(),
                &*attempt.decision,
            )
        })
        .collect();
    let gone_on = "went on to the next candidate: provider_unreachable";
    let expected = [
        (0, Some("provider_unreachable"), gone_on),
        (200, None, "answered"),
    ];
    assert_eq!(decisions, expected);
}

#[tokio::test]
async fn retries_are_used_up_before_the_next_candidate_is_asked() {
    let config = "[reliability]\nprovider_dispatch_max_retries = 2\nprovider_retry_backoff_ms = 1";
    let rig = with_fault("fault=503", config).await;
    let answer = chat(&rig, false).send().await.expect(200);
    assert_eq!(answer.header("x-ferrogate-attempts"), "4");
    assert_eq!(rig.asked().await, ["first", "first", "first", "second"]);
    let events = rig.gateway.events_of(answer.request_id()).await;
    let statuses: Vec<_> = events.iter().map(|event| event.status).collect();
    assert_eq!(statuses, [503, 503, 503, 200]);

    // A wait that is longer than the gateway is willing to make is none: the next one is asked at once.
    let rig = with_fault("fault=503,retry_after=60", config).await;
    chat(&rig, false).send().await.expect(200);
    assert_eq!(rig.asked().await, ["first", "second"]);
}

#[tokio::test]
async fn where_everybody_fails_the_client_is_told_what_the_last_one_said() {
    let model = r#"
        provider = "one"
        provider_model = "first+fault=500"
        [[models.fallbacks]]
        provider = "two"
        provider_model = "second+fault=503"
    "#;
    let rig = routed(model, "").await;
    let answer = chat(&rig, false).send().await;
    assert_eq!(answer.refusal(), (503, "provider_error".into()));
    let log = rig.gateway.log_of(answer.request_id()).await;
    assert_eq!((log.status, log.attempts), (503, 2));
    assert_eq!(log.outcome, Outcome::UpstreamError);
    assert_eq!(log.provider.as_deref(), Some("two"));
    let events = rig.gateway.events_of(answer.request_id()).await;
    let statuses: Vec<_> = events.iter().map(|event| event.status).collect();
    assert_eq!(statuses, [500, 503]);
}

#[tokio::test]
async fn what_one_provider_cannot_be_told_another_one_is() {
    let provider = crate::support::Provider::start().await;
    let config = format!(
        r#"
        [[providers]]
        name = "anthropic"
        kind = "anthropic"
        base_url = "{0}"
        api_key_env = "PROVIDER_KEY"

        [[models]]
        name = "routed"
        provider = "anthropic"
        provider_model = "first"
        [[models.fallbacks]]
        provider = "openai"
        provider_model = "second"

        [[models]]
        name = "alone"
        provider = "anthropic"
        provider_model = "first"
        "#,
        provider.base_url()
    );
    let rig = Rig::start_with(provider, &config).await;
    let mut body = routed_body("hello");
    body["n"] = 2.into();
    let post = |body: &Value| rig.post("/v1/chat/completions", body);
    let answer = post(&body).send().await.expect(200);
    assert_eq!(answer.header("x-ferrogate-provider"), "openai");
    assert_eq!(answer.header("x-ferrogate-attempts"), "1");
    assert_eq!(answer.json()["choices"].as_array().unwrap().len(), 2);
    let trace = rig.gateway.routing_of(answer.request_id()).await;
    let reason = &trace.candidates[0].reason;
    assert!(
        reason.contains("passed over") && reason.contains('n'),
        "{reason}"
    );

    body["model"] = "alone".into();
    let answer = post(&body).send().await;
    assert_eq!(answer.refusal(), (400, "unsupported_parameter".into()));
    assert_eq!(answer.json()["error"]["param"], "n");
    assert_eq!(rig.asked().await, ["second"]);
}

#[tokio::test]
async fn a_key_that_may_not_use_the_first_provider_is_answered_by_the_next() {
    let keys = r#"
        [[api_keys]]
        id = "narrow"
        key = "narrow-secret"
        denied_providers = ["one"]

        [[api_keys]]
        id = "elsewhere"
        key = "elsewhere-secret"
        allowed_providers = ["openai"]
    "#;
    let rig = routed(&first_then_second("first"), keys).await;
    let answer = rig
        .routed("hello")
        .key("narrow-secret")
        .send()
        .await
        .expect(200);
    assert_eq!(answer.header("x-ferrogate-provider"), "two");
    assert_eq!(answer.header("x-ferrogate-attempts"), "1");
    let answer = rig.routed("hello").key("elsewhere-secret").send().await;
    assert_eq!(answer.refusal(), (403, "provider_not_allowed".into()));
    assert_eq!(rig.asked().await, ["second"]);
}

#[tokio::test]
async fn embeddings_fall_back_too() {
    let model = r#"
        provider = "one"
        provider_model = "first+fault=503"
        capabilities = ["embeddings"]
        [[models.fallbacks]]
        provider = "two"
        provider_model = "second"
    "#;
    let rig = routed(model, "").await;
    let body = json!({"model": "routed", "input": "hello"});
    let answer = rig.post("/v1/embeddings", &body).send().await.expect(200);
    assert_eq!(answer.header("x-ferrogate-provider"), "two");
    assert_eq!(answer.json()["data"][0]["object"], "embedding");
}

#[tokio::test]
async fn a_provider_without_its_key_is_passed_over() {
    let config = r#"
        [[providers]]
        name = "locked"
        kind = "openai-compatible"
        base_url = "http://127.0.0.1:9"
        api_key_env = "NO_SUCH_VARIABLE"

        [[models]]
        name = "routed"
        provider = "locked"
        provider_model = "first"
        [[models.fallbacks]]
        provider = "openai"
        provider_model = "second"
    "#;
    let provider = crate::support::Provider::start().await;
    let gateway = gateway_for(&provider.base_url(), config).await;
    let rig = Rig { gateway, provider };
    let answer = chat(&rig, false).send().await.expect(200);
    assert_eq!(answer.header("x-ferrogate-provider"), "openai");
    assert_eq!(answer.header("x-ferrogate-attempts"), "1");
    let trace = rig.gateway.routing_of(answer.request_id()).await;
    let passed_over = trace
        .candidates
        .iter()
        .find(|one| &*one.provider == "locked");
    assert_eq!(
        passed_over.unwrap().reason,
        "passed over: no key of its provider is set"
    );
}
