//! The circuit breaker of a provider: what opens it, what its clients are told meanwhile, and how it closes again.

use ferrogate_api::{BreakerState, Outcome, ProviderStatus};

use crate::support::{
    Gateway, KEY, Listener, Request, Rig, Socket, chat_body, eventually, first_then_second,
    gateway_for, routed, within,
};

/// Opens after two failures in a row, for a second.
const BREAKER: &str = "[reliability]\nprovider_circuit_breaker_failure_threshold = 2\n\
    provider_circuit_breaker_cooldown_secs = 1\n";

/// The same, for longer than any test takes.
const LASTING: &str = "[reliability]\nprovider_circuit_breaker_failure_threshold = 2\n\
    provider_circuit_breaker_cooldown_secs = 600\n";

/// Only provider `one` answers for it, as `directive` says.
fn alone(directive: &str) -> String {
    format!("provider = \"one\"\nprovider_model = \"first+{directive}\"\n")
}

async fn state(gateway: &Gateway, provider: &str) -> (BreakerState, u32) {
    let breaker = gateway.health_of(provider).await.breaker;
    (breaker.state, breaker.consecutive_failures)
}

#[tokio::test]
async fn failures_in_a_row_open_it_and_nobody_is_asked_until_it_is_probed() {
    let rig = routed(&alone("fault=503,times=2"), BREAKER).await;
    assert_eq!(state(&rig.gateway, "one").await, (BreakerState::Closed, 0));
    for _ in 0..2 {
        let answer = rig.routed("hello").send().await;
        assert_eq!(answer.refusal(), (503, "provider_error".into()));
    }
    let health = rig.gateway.health_of("one").await;
    assert_eq!(health.status, ProviderStatus::Open);
    assert_eq!(health.breaker.state, BreakerState::Open);
    assert_eq!(health.breaker.consecutive_failures, 2);
    let opened_at = health.breaker.opened_at_unix_ms.unwrap();
    assert_eq!(health.breaker.retry_at_unix_ms, Some(opened_at + 1000));
    let [model] = &health.models[..] else {
        panic!("one model was asked: {health:?}")
    };
    assert_eq!((model.requests, model.failures), (2, 2));
    assert_eq!(model.last_error_code.as_deref(), Some("provider_error"));

    let shut = rig.routed("hello").send().await;
    assert_eq!(shut.refusal(), (503, "provider_circuit_open".into()));
    assert_eq!(shut.header("retry-after"), "1");
    assert_eq!(shut.header("x-should-retry"), "true");
    let log = rig.gateway.log_of(shut.request_id()).await;
    assert_eq!((log.outcome, log.attempts), (Outcome::Refused, 0));
    assert_eq!(rig.gateway.events_of(shut.request_id()).await, []);
    assert_eq!(rig.asked().await.len(), 2);

    // The next one that is let through is the probe; its answer closes it.
    eventually("it is probed", || async {
        (rig.routed("hello").send().await.status == 200).then_some(())
    })
    .await;
    assert_eq!(rig.asked().await.len(), 3);
    assert_eq!(state(&rig.gateway, "one").await, (BreakerState::Closed, 0));
    // It has answered once and failed twice of late; some answers later that is made good.
    let health = rig.gateway.health_of("one").await;
    assert_eq!(health.status, ProviderStatus::Degraded);
    for _ in 0..5 {
        rig.routed("hello").send().await.expect(200);
    }
    let health = rig.gateway.health_of("one").await;
    assert_eq!(health.status, ProviderStatus::Healthy);
}

#[tokio::test]
async fn a_probe_that_fails_opens_it_again() {
    let rig = routed(&alone("fault=503,times=3"), BREAKER).await;
    for _ in 0..2 {
        rig.routed("hello").send().await.expect(503);
    }
    let opened_at = rig.gateway.health_of("one").await.breaker.opened_at_unix_ms;
    eventually("it is probed in vain", || async {
        let answer = rig.routed("hello").send().await;
        (answer.refusal().1 == "provider_error").then_some(())
    })
    .await;
    let breaker = rig.gateway.health_of("one").await.breaker;
    assert_eq!(breaker.state, BreakerState::Open);
    assert!(breaker.opened_at_unix_ms > opened_at);
    let shut = rig.routed("hello").send().await;
    assert_eq!(shut.refusal(), (503, "provider_circuit_open".into()));
}

#[tokio::test]
async fn an_open_one_is_passed_over_without_asking() {
    let rig = routed(&first_then_second("first+fault=503"), LASTING).await;
    for attempts in ["2", "2", "1", "1"] {
        let answer = rig.routed("hello").send().await.expect(200);
        assert_eq!(answer.header("x-ferrogate-provider"), "two");
        assert_eq!(answer.header("x-ferrogate-attempts"), attempts);
    }
    let answer = rig.routed("hello").send().await.expect(200);
    let trace = rig.gateway.routing_of(answer.request_id()).await;
    let passed_over = trace.candidates.iter().find(|one| one.rank.is_none());
    let reason = &passed_over.unwrap().reason;
    assert!(
        reason.starts_with("passed over: the circuit breaker is open for another"),
        "{reason}"
    );
    let asked = rig.asked().await;
    assert_eq!(asked.iter().filter(|model| *model == "first").count(), 2);
}

#[tokio::test]
async fn one_that_opens_between_two_attempts_of_a_request_ends_the_retries() {
    let config =
        format!("{LASTING}provider_dispatch_max_retries = 5\nprovider_retry_backoff_ms = 1\n");
    let rig = routed(&first_then_second("first+fault=503"), &config).await;
    let answer = rig.routed("hello").send().await.expect(200);
    assert_eq!(answer.header("x-ferrogate-provider"), "two");
    assert_eq!(rig.asked().await, ["first", "first", "second"]);
}

#[tokio::test]
async fn only_a_providers_own_faults_count() {
    let threshold = "[reliability]\nprovider_circuit_breaker_failure_threshold = 1\n\
        provider_circuit_breaker_cooldown_secs = 600\n";
    for fault in ["400", "401", "403", "404", "422", "429"] {
        let rig = routed(&alone(&format!("fault={fault},times=1")), threshold).await;
        rig.routed("hello").send().await;
        let (found, failures) = state(&rig.gateway, "one").await;
        assert_eq!((found, failures), (BreakerState::Closed, 0), "{fault}");
    }
    for fault in [
        "fault=408",
        "fault=500",
        "fault=529",
        "fault=cut",
        "fault=malformed",
    ] {
        let rig = routed(&alone(fault), threshold).await;
        rig.routed("hello").send().await;
        assert_eq!(
            state(&rig.gateway, "one").await.0,
            BreakerState::Open,
            "{fault}"
        );
    }
    // What comes of an answer counts as it ends, however well it began.
    let rig = routed(&alone("tokens=9,fault=cut,after=2"), threshold).await;
    let answer = rig.routed_stream("hello").send().await.expect(200);
    assert!(answer.text().contains("provider_protocol_error"));
    eventually("the cut stream is held against it", || async {
        (state(&rig.gateway, "one").await.0 == BreakerState::Open).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_answer_forgives_the_failures_before_it() {
    let rig = routed(&alone("fault=503,times=1"), LASTING).await;
    rig.routed("hello").send().await.expect(503);
    assert_eq!(state(&rig.gateway, "one").await, (BreakerState::Closed, 1));
    rig.routed("hello").send().await.expect(200);
    assert_eq!(state(&rig.gateway, "one").await, (BreakerState::Closed, 0));
}

#[tokio::test]
async fn a_threshold_of_nothing_switches_it_off() {
    let config = "[reliability]\nprovider_circuit_breaker_failure_threshold = 0\n";
    let rig = routed(&alone("fault=503"), config).await;
    for _ in 0..8 {
        let answer = rig.routed("hello").send().await;
        assert_eq!(answer.refusal(), (503, "provider_error".into()));
    }
    assert_eq!(state(&rig.gateway, "one").await, (BreakerState::Off, 8));
}

const UNAVAILABLE: &str =
    "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const ANSWER: &str = r#"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;

/// A provider whose every answer is given by hand, and whose breaker is open.
async fn opened_by_hand() -> (Gateway, Listener) {
    let provider = Listener::open().await;
    let gateway = gateway_for(&format!("http://{}/v1", provider.address()), BREAKER).await;
    for _ in 0..2 {
        let failing = async {
            let mut call = provider.accept().await;
            call.read_message().await;
            call.send(UNAVAILABLE).await;
        };
        let (answer, ()) = tokio::join!(ask(&gateway).send(), failing);
        answer.expect(503);
    }
    (gateway, provider)
}

fn ask(gateway: &Gateway) -> Request {
    let request = gateway.request("POST", "/v1/chat/completions");
    request.key(KEY).json(&chat_body("hello"))
}

/// Asks until a request gets through to the provider, and leaves it waiting there.
async fn probe(gateway: &Gateway, provider: &Listener) -> (Socket, tokio::task::JoinHandle<u16>) {
    loop {
        let asking = ask(gateway);
        let mut asking =
            tokio::spawn(async move { asking.try_send().await.map_or(0, |answer| answer.status) });
        let arrived = tokio::select! {
            refused = &mut asking => {
                assert_eq!(refused.unwrap(), 503);
                None
            }
            call = provider.accept() => Some(call),
        };
        if let Some(mut call) = arrived {
            call.read_message().await;
            return (call, asking);
        }
    }
}

#[tokio::test]
async fn while_it_is_half_open_one_request_is_let_through_and_no_more() {
    let (gateway, provider) = opened_by_hand().await;
    let (mut call, probing) = within("a probe", probe(&gateway, &provider)).await;
    assert_eq!(state(&gateway, "openai").await.0, BreakerState::HalfOpen);
    let health = gateway.health_of("openai").await;
    assert_eq!(health.status, ProviderStatus::HalfOpen);
    for _ in 0..3 {
        let other = ask(&gateway).send().await;
        assert_eq!(other.refusal(), (503, "provider_circuit_open".into()));
        assert_eq!(other.header("retry-after"), "1");
    }
    call.send(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    ))
    .await;
    assert_eq!(probing.await.unwrap(), 200);
    assert_eq!(state(&gateway, "openai").await, (BreakerState::Closed, 0));
}

#[tokio::test]
async fn a_probe_whose_client_leaves_makes_room_for_the_next() {
    let (gateway, provider) = opened_by_hand().await;
    let (mut call, probing) = within("a probe", probe(&gateway, &provider)).await;
    probing.abort();
    // The gateway hangs up in turn; nothing was learned of the provider.
    assert_eq!(call.read_to_end().await, "");
    let (mut call, probing) = within("another probe", probe(&gateway, &provider)).await;
    assert_eq!(state(&gateway, "openai").await, (BreakerState::HalfOpen, 2));
    call.send(UNAVAILABLE).await;
    assert_eq!(probing.await.unwrap(), 503);
    assert_eq!(state(&gateway, "openai").await, (BreakerState::Open, 3));
}

#[tokio::test]
async fn one_providers_breaker_is_no_others() {
    let rig: Rig = routed(&alone("fault=503"), LASTING).await;
    for _ in 0..3 {
        rig.routed("hello").send().await.expect(503);
    }
    assert_eq!(state(&rig.gateway, "one").await.0, BreakerState::Open);
    rig.chat("hello").send().await.expect(200);
    assert_eq!(state(&rig.gateway, "openai").await.0, BreakerState::Closed);
    assert_eq!(
        rig.gateway.health_of("three").await.status,
        ProviderStatus::Unknown
    );
}
