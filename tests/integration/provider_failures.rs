//! What a client sees of a provider that fails, what is tried again, and what the ledger says of it.

use ferrogate_api::{Outcome, UsageSource};
use serde_json::json;

use crate::support::{Event, Listener, Rig, gateway_for};

#[tokio::test]
async fn a_providers_refusal_keeps_its_status_its_code_and_its_retry_after() {
    let rig = Rig::start("").await;
    let limited = rig.chat("sim: fault=429 retry_after=7").send().await;
    assert_eq!(limited.refusal(), (429, "rate_limit_exceeded".into()));
    assert_eq!(limited.header("retry-after"), "7");
    assert_eq!(limited.header("retry-after-ms"), "7000");
    assert_eq!(limited.header("x-should-retry"), "true");
    assert_eq!(limited.json()["error"]["type"], "requests");

    let failed = rig.chat("sim: fault=500").send().await;
    assert_eq!(failed.refusal(), (500, "provider_error".into()));
    assert_eq!(failed.json()["error"]["type"], "server_error");

    let wrong = rig.chat("sim: fault=422").send().await;
    assert_eq!(wrong.refusal(), (422, "provider_error".into()));
    assert_eq!(wrong.json()["error"]["type"], "invalid_request_error");

    for answer in [limited, failed, wrong] {
        let log = rig.gateway.log_of(answer.request_id()).await;
        assert_eq!(log.status, answer.status);
        assert_eq!(log.outcome, Outcome::UpstreamError);
        let [event] = &rig.gateway.events_of(answer.request_id()).await[..] else {
            panic!("one attempt, one row")
        };
        assert_eq!(event.status, answer.status);
        assert_eq!(event.usage_source, UsageSource::None);
        assert_eq!(event.tokens.total(), 0);
    }
}

#[tokio::test]
async fn the_gateways_own_credential_refused_is_not_the_clients_fault() {
    let rig = Rig::start("").await;
    for status in [401, 403] {
        let message = format!("sim: fault={status}");
        let answer = rig.chat(&message).send().await;
        let expected = (502, "provider_credential_refused".into());
        assert_eq!(answer.refusal(), expected);
        assert_eq!(answer.header("x-should-retry"), "false");
    }
}

const ONE_RETRY: &str =
    "[reliability]\nprovider_dispatch_max_retries = 1\nprovider_retry_backoff_ms = 1\n";

#[tokio::test]
async fn a_failure_that_may_pass_is_tried_again_and_both_attempts_are_metered() {
    let rig = Rig::start(ONE_RETRY).await;
    for (index, fault) in ["fault=500", "fault=429,retry_after=0", "fault=cut"]
        .iter()
        .enumerate()
    {
        for stream in [false, true] {
            let message = format!("sim: {fault} once tag={index}{stream}\nhello");
            let request = if stream {
                rig.chat_stream(&message)
            } else {
                rig.chat(&message)
            };
            let answer = request.send().await.expect(200);
            assert_eq!(answer.header("x-ferrogate-attempts"), "2");
            let events = rig.gateway.events_of(answer.request_id()).await;
            let [failed, complete] = &events[..] else {
                panic!("two attempts, two rows: {events:?}")
            };
            assert_eq!((failed.attempt, complete.attempt), (1, 2));
            assert_ne!(failed.outcome, Outcome::Complete);
            assert_eq!(complete.outcome, Outcome::Complete);
            let log = rig.gateway.log_of(answer.request_id()).await;
            assert_eq!((log.status, log.attempts), (200, 2));
            assert_eq!(log.outcome, Outcome::Complete);
            assert_eq!(log.error_code, None);
        }
    }
}

#[tokio::test]
async fn what_another_attempt_cannot_mend_is_not_tried_again() {
    let rig = Rig::start(ONE_RETRY).await;
    for (asked, fault) in ["fault=400", "fault=429,retry_after=60"].iter().enumerate() {
        let answer = rig.chat(&format!("sim: {fault}")).send().await;
        assert!(answer.status >= 400);
        let calls = u64::try_from(asked + 1).unwrap();
        assert_eq!(rig.provider.count("calls").await, calls, "{fault}");
    }
    let answer = rig.chat("sim: fault=503").send().await;
    assert_eq!(answer.refusal(), (503, "provider_error".into()));
    assert_eq!(
        rig.provider.count("calls").await,
        4,
        "and no more than once"
    );
    assert_eq!(rig.gateway.events_of(answer.request_id()).await.len(), 2);
    // A refused credential is not presented again for a while.
    for _ in 0..2 {
        let answer = rig.chat("sim: fault=401").send().await;
        let refused = (502, "provider_credential_refused".into());
        assert_eq!(answer.refusal(), refused);
        assert_eq!(rig.provider.count("calls").await, 5);
    }
}

#[tokio::test]
async fn a_provider_that_does_not_answer_in_time_is_given_up() {
    let rig = Rig::start(
        "[reliability]\nprovider_dispatch_timeout_secs = 1\nprovider_response_timeout_secs = 1",
    )
    .await;
    let (whole, stream) = tokio::join!(
        rig.chat("sim: ttft_ms=60000").send(),
        rig.chat_stream("sim: ttft_ms=60000").send(),
    );
    for answer in [whole, stream] {
        assert_eq!(answer.refusal(), (504, "provider_timeout".into()));
        let log = rig.gateway.log_of(answer.request_id()).await;
        assert_eq!(log.outcome, Outcome::TimeLimit);
        let [event] = &rig.gateway.events_of(answer.request_id()).await[..] else {
            panic!("one attempt, one row")
        };
        // The provider may have worked on it: it is charged by its estimate.
        assert_eq!(event.outcome, Outcome::TimeLimit);
        assert_eq!(event.usage_source, UsageSource::Estimated);
    }
    assert_eq!(rig.provider.count("cancelled").await, 2);
}

/// What a client sees of a stream that broke: content, then an error with this code, and no `[DONE]`.
fn assert_broken(events: &[Event], code: &str) {
    let (last, before) = events.split_last().unwrap();
    assert_eq!(last.json()["error"]["code"], code, "{last:?}");
    assert!(!before.is_empty());
    assert!(!events.iter().any(Event::is_done), "{events:?}");
}

#[tokio::test]
async fn a_stream_that_breaks_ends_with_an_error_event_and_is_metered_as_far_as_it_came() {
    let rig = Rig::start("[reliability]\nprovider_stream_idle_timeout_secs = 1").await;
    let check = async |fault: &str, code: &str, outcome: Outcome| {
        let message = format!("sim: delay_ms=5 tokens=9 fault={fault} after=2\nhello");
        let mut stream = rig.chat_stream(&message).open().await;
        assert_eq!(stream.status, 200);
        let id = stream.header("x-request-id").to_owned();
        let events = stream.events().await;
        assert_broken(&events, code);
        assert_eq!(events.last().unwrap().json()["error"]["request_id"], id);
        let log = rig.gateway.log_of(&id).await;
        assert_eq!((log.status, log.outcome), (200, outcome), "{fault}");
        assert_eq!(log.error_code.as_deref(), Some(code), "{fault}");
        let [event] = &rig.gateway.events_of(&id).await[..] else {
            panic!("one attempt, one row")
        };
        assert_eq!(event.outcome, outcome, "{fault}");
        assert_eq!(event.usage_source, UsageSource::Partial, "{fault}");
        assert!(event.tokens.output > 0, "{fault}");
    };
    tokio::join!(
        check("stall", "provider_stalled", Outcome::Stalled),
        check("cut", "provider_protocol_error", Outcome::UpstreamCut),
        check(
            "malformed",
            "provider_protocol_error",
            Outcome::UpstreamError
        ),
    );
}

#[tokio::test]
async fn a_providers_own_error_event_passes_and_is_the_last() {
    let rig = Rig::start("").await;
    let message = "sim: delay_ms=5 tokens=9 fault=json_error after=2\nhello";
    let mut stream = rig.chat_stream(message).open().await;
    let id = stream.header("x-request-id").to_owned();
    let events = stream.events().await;
    let last = events.last().unwrap();
    assert!(last.json()["error"]["message"].is_string(), "{last:?}");
    assert!(!events.iter().any(Event::is_done));
    let log = rig.gateway.log_of(&id).await;
    assert_eq!(log.outcome, Outcome::UpstreamError);
}

#[tokio::test]
async fn a_stream_that_dies_before_its_first_content_is_a_plain_error() {
    let rig = Rig::start("").await;
    for fault in [
        "cut=role",
        "fault=malformed after=0",
        "fault=json_error after=0",
    ] {
        let message = format!("sim: {fault}\nhello");
        let answer = rig.chat_stream(&message).send().await;
        assert_eq!(answer.refusal().0, 502, "{fault}");
        assert_eq!(answer.header("content-type"), "application/json");
    }
    let cut = rig.chat_stream("sim: cut=role\nhello").send().await;
    assert_eq!(cut.refusal(), (502, "provider_protocol_error".into()));
    let log = rig.gateway.log_of(cut.request_id()).await;
    assert_eq!((log.status, log.outcome), (502, Outcome::UpstreamCut));
}

#[tokio::test]
async fn half_an_answer_is_no_answer() {
    let rig = Rig::start("").await;
    for fault in ["cut", "malformed"] {
        let answer = rig.chat(&format!("sim: fault={fault}\nhello")).send().await;
        let expected = (502, "provider_protocol_error".into());
        assert_eq!(answer.refusal(), expected, "{fault}");
    }
}

#[tokio::test]
async fn an_answer_over_the_limit_is_refused() {
    let rig = Rig::start("[reliability]\nprovider_response_body_max_bytes = 4096").await;
    let answer = rig.chat("sim: tokens=9999\nhello").send().await;
    let expected = (502, "provider_response_body_too_large".into());
    assert_eq!(answer.refusal(), expected);
    rig.chat("sim: tokens=9\nhello").send().await.expect(200);
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_costs_nothing() {
    let listener = Listener::open().await;
    let base_url = format!("http://{}/v1", listener.address());
    drop(listener);
    let gateway = gateway_for(&base_url, "").await;
    let request = gateway.request("POST", "/v1/chat/completions");
    let request = request.key(crate::support::KEY);
    let answer = request
        .json(&crate::support::chat_body("hello"))
        .send()
        .await;
    assert_eq!(answer.refusal(), (502, "provider_unreachable".into()));
    assert_eq!(gateway.events_of(answer.request_id()).await, []);
}

#[tokio::test]
async fn a_provider_without_its_credential_is_not_asked() {
    let rig = Rig::start(
        r#"
        [[providers]]
        name = "locked"
        base_url = "http://127.0.0.1:9"
        api_key_env = "NO_SUCH_VARIABLE"

        [[models]]
        name = "locked"
        provider = "locked"
        provider_model = "x"
        "#,
    )
    .await;
    let body = json!({"model": "locked", "messages": []});
    let answer = rig.post("/v1/chat/completions", &body).send().await;
    let expected = (503, "provider_credential_missing".into());
    assert_eq!(answer.refusal(), expected);
    assert!(answer.text().contains("NO_SUCH_VARIABLE"));
    assert_eq!(answer.header("x-should-retry"), "false");
    assert!(rig.gateway.logged().contains("NO_SUCH_VARIABLE"));
}
