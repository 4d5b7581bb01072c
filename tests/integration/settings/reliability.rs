//! `[reliability]`: how long the gateway waits for providers, how often it asks again, and how it leaves.

use std::time::{Duration, Instant};

use ferrogate_api::Outcome;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::support::{
    Gateway, KEY, Listener, Request, Rig, Socket, chat_body, gateway_for, provider_of, routed,
    within,
};

const STREAM: &str =
    r#"{"model":"fast","stream":true,"messages":[{"role":"user","content":"hello"}]}"#;
const ROLE: &str = r#"{"role":"assistant","content":""}"#;
const ANSWER: &str = r#"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;

fn ask(gateway: &Gateway) -> Request {
    let request = gateway.request("POST", "/v1/chat/completions");
    request.key(KEY).json(&chat_body("hello"))
}

/// A server whose system takes no further connection: every place is taken, and nobody accepts.
pub(super) struct Full {
    listener: TcpListener,
    _taken: Vec<TcpStream>,
}

impl Full {
    pub(super) async fn open() -> Self {
        // The system lets one more wait than it is told.
        const PLACES: u32 = 1;
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(PLACES).unwrap();
        let address = listener.local_addr().unwrap();
        let mut taken = Vec::new();
        for _ in 0..=PLACES {
            taken.push(TcpStream::connect(address).await.unwrap());
        }
        Self {
            listener,
            _taken: taken,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }
}

#[tokio::test]
async fn a_provider_that_accepts_no_connection_is_given_up() {
    let full = Full::open().await;
    let config = "[reliability]\nprovider_connect_timeout_ms = 200";
    let gateway = gateway_for(&full.url(), config).await;
    let begun = Instant::now();
    let answer = ask(&gateway).send().await;
    assert_eq!(answer.refusal(), (504, "provider_timeout".into()));
    assert!(begun.elapsed() < Duration::from_secs(5), "its default");
}

#[tokio::test]
async fn a_stream_may_run_so_long_and_no_longer() {
    let rig = Rig::start("[reliability]\nprovider_stream_timeout_secs = 1").await;
    let message = "sim: delay_ms=50 tokens=100000\nhello";
    let mut stream = rig.chat_stream(message).open().await;
    let events = within("the stream is ended", stream.events()).await;
    let last = events.last().unwrap().json();
    assert_eq!(last["error"]["code"], "stream_time_limit");
    let log = rig.gateway.log_of(stream.header("x-request-id")).await;
    assert_eq!(log.outcome, Outcome::TimeLimit);
}

#[tokio::test]
async fn the_pauses_between_attempts_are_no_longer_than_they_are_told() {
    // With the default, ten pauses take sixteen seconds on average; with this they take one at most.
    let config = "[reliability]\nprovider_dispatch_max_retries = 10\nprovider_retry_backoff_ms = 1\n\
        provider_circuit_breaker_failure_threshold = 0";
    let rig = Rig::start(config).await;
    let begun = Instant::now();
    rig.chat("sim: fault=503").send().await.expect(503);
    assert!(begun.elapsed() < Duration::from_secs(4));
    assert_eq!(rig.provider.count("calls").await, 11);
}

#[tokio::test]
async fn a_provider_that_asks_for_a_longer_wait_is_not_asked_again() {
    for (wait_max_ms, calls) in [(500, 1), (5000, 2)] {
        let config = format!(
            "[reliability]\nprovider_dispatch_max_retries = 1\nprovider_retry_wait_max_ms = {wait_max_ms}"
        );
        let rig = Rig::start(&config).await;
        let answer = rig.chat("sim: fault=503 retry_after=1").send().await;
        answer.expect(503);
        assert_eq!(rig.provider.count("calls").await, calls, "{wait_max_ms}");
    }
}

/// A provider whose every event waits for its test.
async fn by_hand(config: &str) -> (Gateway, Listener) {
    let provider = Listener::open().await;
    let gateway = gateway_for(&format!("http://{}/v1", provider.address()), config).await;
    (gateway, provider)
}

fn chunk(delta: &str) -> String {
    let choice = format!(r#"{{"index":0,"delta":{delta},"finish_reason":null}}"#);
    format!("data: {{\"object\":\"chat.completion.chunk\",\"choices\":[{choice}]}}\n\n")
}

async fn begin_stream(provider: &Listener, first: &str) -> Socket {
    let mut call = provider.accept().await;
    call.read_message().await;
    call.send(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
    )
    .await;
    call.send_chunk(first).await;
    call
}

fn stream(gateway: &Gateway) -> Request {
    let request = gateway.request("POST", "/v1/chat/completions");
    request.key(KEY).text(STREAM)
}

#[tokio::test]
async fn an_event_over_the_limit_ends_its_stream() {
    let config = "[reliability]\nstream_event_max_bytes = 1024";
    let (gateway, provider) = by_hand(config).await;
    let content = chunk(r#"{"content":"hello"}"#);
    let (mut answer, mut call) =
        tokio::join!(stream(&gateway).open(), begin_stream(&provider, &content));
    assert_eq!(answer.status, 200);
    let endless = format!("data: {{\"choices\":[{}", " ".repeat(2048));
    call.send_chunk(&endless).await;
    let events = within("the stream is ended", answer.events()).await;
    let last = events.last().unwrap().json();
    assert_eq!(last["error"]["code"], "provider_protocol_error");
    let message = last["error"]["message"].as_str().unwrap();
    assert!(message.contains("over 1024 bytes"), "{message}");
}

#[tokio::test]
async fn so_many_bytes_are_held_back_for_content_and_no_more() {
    let config = "[reliability]\nprecommit_wait_ms = 600000\nprecommit_max_bytes = 1024";
    let (gateway, provider) = by_hand(config).await;
    let preamble = chunk(&ROLE.replace('}', &format!(",\"padding\":\"{}\"}}", "x".repeat(2048))));
    // No content ever comes.
    let (mut answer, _call) =
        tokio::join!(stream(&gateway).open(), begin_stream(&provider, &preamble));
    assert_eq!(answer.status, 200);
    assert!(answer.event().await.unwrap().data().contains("padding"));
}

#[tokio::test]
async fn a_stream_without_content_is_begun_and_kept_alive_when_it_is_told() {
    let config = "[reliability]\nprecommit_wait_ms = 50\nstream_keepalive_interval_secs = 1";
    let (gateway, provider) = by_hand(config).await;
    let begun = Instant::now();
    let role = chunk(ROLE);
    let (mut answer, _call) = tokio::join!(stream(&gateway).open(), begin_stream(&provider, &role));
    assert!(answer.event().await.unwrap().data().contains("assistant"));
    assert!(answer.event().await.unwrap().is_comment());
    // The default of the first alone.
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn as_many_lists_of_models_are_read_at_a_time_as_are_told() {
    // Half as many again as by default.
    const AT_ONCE: usize = 12;
    let listener = Listener::open().await;
    let base_url = format!("http://{}/v1", listener.address());
    let mut config = format!(
        "[reliability]\nprovider_catalog_concurrency_max = {AT_ONCE}\nprovider_catalog_timeout_secs = 600\n"
    );
    for number in 1..AT_ONCE {
        config.push_str(&provider_of(&format!("more-{number}"), &base_url));
    }
    let gateway = gateway_for(&base_url, &config).await;
    let asking = tokio::spawn(gateway.admin("/admin/v1/provider-models").try_send());
    let mut calls = Vec::new();
    for _ in 0..AT_ONCE {
        // Nobody is answered before all are asked.
        calls.push(listener.accept().await);
    }
    drop(calls);
    asking.await.unwrap().unwrap().expect(200);
}

async fn answer(call: &mut Socket) {
    let length = ANSWER.len();
    call.send(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{ANSWER}"
    ))
    .await;
}

#[tokio::test]
async fn an_idle_connection_to_a_provider_is_closed_when_its_time_is_over() {
    let (gateway, provider) = by_hand("[reliability]\nprovider_idle_timeout_secs = 1").await;
    let serving = async {
        let mut call = provider.accept().await;
        call.read_message().await;
        answer(&mut call).await;
        call
    };
    let (answered, mut call) = tokio::join!(ask(&gateway).send(), serving);
    answered.expect(200);
    assert_eq!(call.read_to_end().await, "");
}

#[tokio::test]
async fn so_many_idle_connections_are_kept_and_no_more() {
    let (gateway, provider) = by_hand("[reliability]\nprovider_idle_connections_max = 1").await;
    let serving = async {
        let (mut first, mut second) = (provider.accept().await, provider.accept().await);
        for call in [&mut first, &mut second] {
            call.read_message().await;
        }
        for call in [&mut first, &mut second] {
            answer(call).await;
        }
        // One of them, whichever came back first, makes room for the other.
        tokio::select! {
            end = first.read_to_end() => end,
            end = second.read_to_end() => end,
        }
    };
    let (one, other, end) = tokio::join!(ask(&gateway).send(), ask(&gateway).send(), serving);
    one.expect(200);
    other.expect(200);
    assert_eq!(end, "");
}

#[tokio::test]
async fn as_many_probes_are_let_in_as_are_told() {
    let config = "[reliability]\nprovider_circuit_breaker_failure_threshold = 1\n\
        provider_circuit_breaker_cooldown_secs = 1\nprovider_circuit_breaker_half_open_max = 3";
    let (gateway, provider) = by_hand(config).await;
    let failing = async {
        let mut call = provider.accept().await;
        call.read_message().await;
        call.send(
            "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
        )
        .await;
    };
    let (failed, ()) = tokio::join!(ask(&gateway).send(), failing);
    failed.expect(503);
    let probes = within("three probes", async {
        let mut probes = Vec::new();
        while probes.len() < 3 {
            let asking = ask(&gateway);
            let mut asking = tokio::spawn(async move { asking.send().await.status });
            let arrived = tokio::select! {
                refused = &mut asking => {
                    assert_eq!(refused.unwrap(), 503);
                    None
                }
                call = provider.accept() => Some(call),
            };
            probes.extend(arrived.map(|call| (call, asking)));
        }
        probes
    })
    .await;
    let fourth = ask(&gateway).send().await;
    assert_eq!(fourth.refusal(), (503, "provider_circuit_open".into()));
    for (_call, asking) in probes {
        asking.abort();
    }
}

#[tokio::test]
async fn what_does_not_end_by_itself_has_so_long_when_the_gateway_leaves() {
    const DEFAULT: Duration = Duration::from_secs(15);
    let config = "[reliability]\ngraceful_shutdown_timeout_secs = 1\n\
        [[api_keys]]\nid = \"boss\"\nkey = \"boss-secret\"\nscopes = [\"admin.write\"]\n";
    let gateway = Gateway::start(config).await;
    // A change whose body never comes whole.
    let mut half = Socket::connect(gateway.admin_address()).await;
    half.send(
        "POST /admin/v1/api-keys HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer boss-secret\r\n\
         content-type: application/json\r\nexpect: 100-continue\r\ncontent-length: 100\r\n\r\n",
    )
    .await;
    // It is being read from here on.
    let go_on = half.read_head().await;
    assert!(go_on.starts_with("HTTP/1.1 100"), "{go_on}");
    let begun = Instant::now();
    gateway.terminate();
    let (code, _) = gateway.left().await;
    let took = begun.elapsed();
    assert_eq!(code, Some(0));
    assert!(
        (Duration::from_secs(1)..DEFAULT).contains(&took),
        "{took:?}"
    );
}

#[tokio::test]
async fn a_request_is_repeated_as_often_as_is_told() {
    for (retries, calls) in [(0, 1), (2, 3)] {
        let config = format!(
            "[reliability]\nprovider_dispatch_max_retries = {retries}\nprovider_retry_backoff_ms = 1"
        );
        let model = "provider = \"one\"\nprovider_model = \"first+fault=503\"";
        let rig = routed(model, &config).await;
        rig.routed("hello").send().await.expect(503);
        assert_eq!(rig.asked().await.len(), calls, "{retries}");
    }
}
