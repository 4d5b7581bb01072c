//! HTTP itself: what the gateway insists on, what it tidies up, and what it does not put up with.

use serde_json::json;

use crate::support::{KEY, Rig, Socket, eventually};

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n";

#[tokio::test]
async fn health_and_readiness_need_no_key() {
    let rig = Rig::start("").await;
    let health = rig.gateway.request("GET", "/healthz").send().await;
    let health = health.expect(200).json();
    assert_eq!(health["status"], "ok");
    assert_eq!(health["service"], "ferrogate");
    assert_eq!(health["runtime"], "pingora");
    let ready = rig.gateway.request("GET", "/readyz").send().await;
    assert_eq!(ready.expect(200).json()["status"], "ready");
    let head = rig.gateway.request("HEAD", "/healthz").send().await;
    assert_eq!((head.status, &head.body[..]), (200, &b""[..]));
}

#[tokio::test]
async fn a_request_over_http2_without_tls_is_answered_like_any_other() {
    let rig = Rig::start("").await;
    let through_http1 = rig.chat("hello").send().await.expect(200);
    let through_http2 = rig.chat("hello").http2().send().await.expect(200);
    assert_eq!(through_http1.body, through_http2.body);

    let mut stream = rig.chat_stream("hello").http2().open().await;
    assert_eq!(stream.status, 200);
    assert!(stream.events().await.pop().unwrap().is_done());

    let stranger = rig.chat("hello").key("wrong").http2().send().await;
    assert_eq!(stranger.refusal(), (401, "invalid_api_key".into()));
}

#[tokio::test]
async fn headers_that_trickle_in_are_cut_off_at_the_deadline() {
    let rig = Rig::start("[limits]\nheader_timeout_secs = 1").await;
    let begun = std::time::Instant::now();
    let mut trickling = Socket::connect(rig.gateway.address()).await;
    let mut preface = Socket::connect(rig.gateway.address()).await;
    preface.send("PRI * HTTP/2.0\r\n").await;
    let mut silent = Socket::connect(rig.gateway.address()).await;
    let endless = format!("GET /{} HTTP/1.1\r\n", "x".repeat(200));
    let (sent, _, _) = tokio::join!(
        trickling.trickle(&endless),
        preface.read_to_end(),
        silent.read_to_end(),
    );
    assert!(sent > 1, "the first byte alone is no reason to close");
    let seconds = begun.elapsed().as_secs();
    assert!((1..8).contains(&seconds), "closed after {seconds} s");
}

#[tokio::test]
async fn what_http_asks_of_a_request_is_insisted_on() {
    let rig = Rig::start("[limits]\nheader_max_bytes = 2048").await;
    let check = async |request: &str, status: u16, code: &str| {
        let mut socket = Socket::connect(rig.gateway.address()).await;
        socket.send(request).await;
        let (head, body) = socket.read_message().await;
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
        assert!(body.contains(code), "{body}");
        head.to_lowercase()
    };
    let host = "host: gateway\r\n\r\n";
    let trace = format!("TRACE /healthz HTTP/1.1\r\n{host}");
    let head = check(&trace, 405, "method_not_allowed").await;
    assert!(head.contains("\r\nallow: "));
    check("GET /healthz HTTP/1.1\r\n\r\n", 400, "host_required").await;
    check(
        "GET /healthz HTTP/1.1\r\nhost:\r\n\r\n",
        400,
        "host_required",
    )
    .await;
    check(
        &format!("GET /../x HTTP/1.1\r\n{host}"),
        400,
        "invalid_path",
    )
    .await;
    check(&format!("GET /%zz HTTP/1.1\r\n{host}"), 400, "invalid_path").await;
    check(
        &format!("GET /no-such HTTP/1.1\r\n{host}"),
        404,
        "route_not_found",
    )
    .await;
    let get = format!("GET /v1/responses HTTP/1.1\r\n{host}");
    let head = check(&get, 405, "method_not_allowed").await;
    assert!(head.contains("\r\nallow: post\r\n"), "{head}");
    let long = format!("x-long: {}\r\n{host}", "x".repeat(4096));
    let long = format!("GET /healthz HTTP/1.1\r\n{long}");
    check(&long, 431, "header_too_large").await;
}

#[tokio::test]
async fn a_path_is_read_in_its_normal_form() {
    let rig = Rig::start("").await;
    for path in ["/a/../healthz", "/./healthz", "/%68ealthz"] {
        let mut socket = Socket::connect(rig.gateway.address()).await;
        let request = format!("GET {path} HTTP/1.1\r\nhost: gateway\r\n\r\n");
        socket.send(&request).await;
        let (head, body) = socket.read_message().await;
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}{body}");
    }
}

#[tokio::test]
async fn one_address_may_open_so_many_connections_and_no_more() {
    let rig = Rig::start("[limits]\nconnections_per_address_max = 2").await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut socket = Socket::connect(rig.gateway.address()).await;
        socket.send(HEALTH).await;
        let (head, _) = socket.read_message().await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        open.push(socket);
    }
    let mut refused = Socket::connect(rig.gateway.address()).await;
    let answer = refused.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("too_many_connections"));

    open.pop();
    eventually("a closed connection makes room", || async {
        let request = rig.gateway.request("GET", "/healthz");
        let answer = request.try_send().await.ok()?;
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn requests_share_a_connection_one_after_the_other_and_ahead_of_time() {
    let rig = Rig::start("").await;
    let body = json!({"model": "fast", "stream": true, "messages": [{"role": "user", "content": "sim: delay_ms=5 tokens=5\nhi"}]});
    let body = body.to_string();
    let chat = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {KEY}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut socket = Socket::connect(rig.gateway.address()).await;
    // The second and third request are sent while the first one is a stream in the making.
    socket.send(format!("{chat}{HEALTH}{chat}")).await;
    let stream = socket.read_until("\r\n0\r\n\r\n").await;
    assert!(stream.starts_with("HTTP/1.1 200"), "{stream}");
    assert!(stream.contains("[DONE]"));
    let (health, body) = socket.read_message().await;
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    assert!(body.contains("pingora"));
    let stream = socket.read_until("\r\n0\r\n\r\n").await;
    assert!(stream.contains("[DONE]"));
    socket.send(HEALTH).await;
    let (health, _) = socket.read_message().await;
    assert!(health.starts_with("HTTP/1.1 200"), "{health}");
    assert_eq!(rig.provider.count("completed").await, 2);
}

#[tokio::test]
async fn an_http_1_0_client_gets_its_answer_and_the_end_of_the_connection() {
    let rig = Rig::start("").await;
    let body =
        json!({"model": "fast", "stream": true, "messages": [{"role": "user", "content": "hi"}]});
    let body = body.to_string();
    let mut socket = Socket::connect(rig.gateway.address()).await;
    socket
        .send(format!(
            "POST /v1/chat/completions HTTP/1.0\r\nhost: gateway\r\nauthorization: Bearer {KEY}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    let answer = socket.read_to_end().await;
    let (head, events) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200"), "{head}");
    assert!(!head.to_lowercase().contains("transfer-encoding"), "{head}");
    assert!(events.starts_with("data: "), "{events}");
    assert!(events.ends_with("data: [DONE]\n\n"), "{events}");
}
