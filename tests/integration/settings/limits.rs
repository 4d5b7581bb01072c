//! `[limits]`: connections, idle and slow clients, and what profiles may say to providers.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Gateway, KEY, Listener, Rig, Socket};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n";

async fn is_healthy(socket: &mut Socket) {
    socket.send(HEALTH).await;
    let (head, _) = socket.read_message().await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
}

#[tokio::test]
async fn all_clients_together_may_open_so_many_connections_and_no_more() {
    let gateway = Gateway::start("[limits]\nconnections_max = 2").await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut socket = Socket::connect(gateway.address()).await;
        is_healthy(&mut socket).await;
        open.push(socket);
    }
    let mut refused = Socket::connect(gateway.address()).await;
    let answer = refused.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("too_many_connections"), "{answer}");
}

#[tokio::test]
async fn a_connection_that_idles_is_closed_when_its_time_is_over() {
    let gateway = Gateway::start("[limits]\nkeepalive_timeout_secs = 1").await;
    let mut socket = Socket::connect(gateway.address()).await;
    is_healthy(&mut socket).await;
    assert_eq!(socket.read_to_end().await, "");
}

#[tokio::test]
async fn a_body_has_so_long_however_slowly_it_may_come() {
    let config = "[limits]\nbody_timeout_secs = 1\nbody_min_bytes_per_sec = 0";
    let rig = Rig::start(config).await;
    let mut socket = Socket::connect(rig.gateway.address()).await;
    socket
        .send(format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {KEY}\r\n\
             content-length: 100\r\n\r\n{{"
        ))
        .await;
    let answer = socket.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn a_body_below_the_rate_is_cut_long_before_its_time_is_over() {
    let rig = Rig::start("[limits]\nbody_min_bytes_per_sec = 1000000").await;
    let mut socket = Socket::connect(rig.gateway.address()).await;
    // Enough for half a minute at the usual rate, and for nothing at this one.
    socket
        .send(format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {KEY}\r\n\
             content-length: 1000000\r\n\r\n{}",
            "x".repeat(40_000)
        ))
        .await;
    let answer = socket.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_let_go() {
    // More than all buffers on the way take.
    const PIECES_MAX: usize = 10_000;
    let upstream = Listener::open().await;
    let config = format!(
        r#"
        [limits]
        write_timeout_secs = 1

        [[upstreams]]
        name = "wordy"
        url = "http://{}"

        [[routes]]
        name = "all"
        upstream = "wordy"
        "#,
        upstream.address()
    );
    let gateway = Gateway::start(&config).await;
    let mut client = Socket::connect(gateway.address()).await;
    client
        .send("GET /x HTTP/1.1\r\nhost: gateway\r\n\r\n")
        .await;
    let mut server = upstream.accept().await;
    server.read_head().await;
    server
        .send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    let piece = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    let begun = Instant::now();
    let mut pieces = 0;
    while server.try_send(&piece).await.is_ok() {
        pieces += 1;
        assert!(pieces < PIECES_MAX, "it takes all of it");
    }
    assert!(begun.elapsed() < Duration::from_secs(20));
    drop(client);
}

#[tokio::test]
async fn a_profile_sets_what_the_operator_allows_and_nothing_else() {
    let profile = json!({"id": "blue", "request_headers": {"x-team": "blue"}});
    let rig = Rig::start("").await;
    let refused = rig.gateway.change("POST", "gateway-configs", &profile);
    let refused = refused.send().await;
    assert_eq!(refused.refusal(), (400, "invalid_resource".into()));
    let named = "gateway_config_request_headers";
    assert!(refused.text().contains(named), "{}", refused.text());

    let rig = Rig::start("[limits]\ngateway_config_request_headers = [\"x-team\"]").await;
    rig.gateway.made("POST", "gateway-configs", &profile).await;
    let asked = rig.chat("hello").header("x-ferrogate-config", "blue");
    asked.send().await.expect(200);
    assert_eq!(rig.provider.calls().await[0]["headers"]["x-team"], "blue");
}
