//! Request bodies: how large, in which form, and when they are read at all.

use crate::support::{KEY, Rig, Socket, chat_body};

const SMALL: &str = "[limits]\nrequest_body_max_bytes = 2048";

fn head(headers: &str) -> String {
    format!("POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n{headers}\r\n")
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_announced_or_not() {
    let rig = Rig::start(SMALL).await;
    let announced = rig.chat(&"x".repeat(4096)).send().await;
    assert_eq!(announced.refusal(), (413, "payload_too_large".into()));

    let mut socket = Socket::connect(rig.gateway.address()).await;
    let headers = format!("authorization: Bearer {KEY}\r\ntransfer-encoding: chunked\r\n");
    socket.send(head(&headers)).await;
    for _ in 0..3 {
        socket.send_chunk(&" ".repeat(1024)).await;
    }
    let answer = socket.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("payload_too_large"));

    rig.chat("short").send().await.expect(200);
    assert_eq!(rig.provider.count("calls").await, 1);
}

#[tokio::test]
async fn a_large_body_without_a_key_is_refused_before_it_is_sent() {
    let rig = Rig::start("").await;
    let mut socket = Socket::connect(rig.gateway.address()).await;
    socket.send(head("content-length: 104857600\r\n")).await;
    let answer = socket.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"));
    assert!(answer.contains("missing_api_key"));
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_is_told_once_its_key_is_known() {
    let rig = Rig::start("").await;
    let body = chat_body(&"x".repeat(2 << 20)).to_string();
    let waiting = format!("expect: 100-continue\r\ncontent-length: {}\r\n", body.len());

    let mut stranger = Socket::connect(rig.gateway.address()).await;
    stranger.send(head(&waiting)).await;
    let answer = stranger.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");

    let mut socket = Socket::connect(rig.gateway.address()).await;
    let with_key = format!("authorization: Bearer {KEY}\r\n{waiting}");
    socket.send(head(&with_key)).await;
    let go_on = socket.read_head().await;
    assert!(go_on.starts_with("HTTP/1.1 100"), "{go_on}");
    socket.send(&body).await;
    let (answer, _) = socket.read_message().await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(rig.provider.count("completed").await, 1);
}

#[tokio::test]
async fn a_body_that_can_be_read_two_ways_is_refused() {
    let rig = Rig::start("").await;
    let check = async |body: &str, code: &str, param: Option<&str>| {
        let request = rig.gateway.request("POST", "/v1/chat/completions");
        let answer = request.key(KEY).text(body).send().await;
        assert_eq!(answer.refusal(), (400, code.to_owned()), "{body}");
        assert_eq!(answer.json()["error"]["param"].as_str(), param, "{body}");
    };
    let twice = r#"{"model":"fast","messages":[],"model":"expensive"}"#;
    check(twice, "duplicate_json_key", Some("model")).await;
    let escaped = r#"{"model":"fast","messages":[],"mod\u0065l":"expensive"}"#;
    check(escaped, "duplicate_json_key", Some("model")).await;
    check("[]", "invalid_json", None).await;
    check("", "invalid_json", None).await;
    check(r#"{"model":"fast""#, "invalid_json", None).await;
    check(r#"{"messages":[]}"#, "invalid_request", Some("model")).await;
    let number = r#"{"model":7,"messages":[]}"#;
    check(number, "invalid_request", Some("model")).await;
    assert_eq!(rig.provider.count("calls").await, 0);
}

#[tokio::test]
async fn a_body_that_is_sent_too_slowly_is_given_up() {
    let rig = Rig::start("[limits]\nbody_timeout_secs = 1").await;
    let mut socket = Socket::connect(rig.gateway.address()).await;
    let headers = format!("authorization: Bearer {KEY}\r\ncontent-length: 100\r\n");
    socket.send(head(&headers)).await;
    socket.send("{").await;
    let answer = socket.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("request_timeout"));
}
