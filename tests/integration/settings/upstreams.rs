//! `[[upstreams]]`: how long a pool waits for its servers, and how long it leaves one alone.

use std::time::{Duration, Instant};

use ferrogate_api::Outcome;

use super::reliability::Full;
use crate::support::{Gateway, Listener, Provider, eventually};

fn config(upstream: &str) -> String {
    format!(
        "[[upstreams]]\nname = \"pool\"\n{upstream}\n[[routes]]\nname = \"all\"\nupstream = \"pool\"\n"
    )
}

#[tokio::test]
async fn a_server_that_accepts_no_connection_is_given_up() {
    let full = Full::open().await;
    let upstream = format!("url = \"{}\"\nconnect_timeout_ms = 200", full.url());
    let gateway = Gateway::start(&config(&upstream)).await;
    let begun = Instant::now();
    let answer = gateway.request("GET", "/x").send().await;
    assert_eq!(answer.refusal(), (504, "upstream_timeout".into()));
    assert!(begun.elapsed() < Duration::from_secs(5), "its default");
}

#[tokio::test]
async fn a_server_that_does_not_read_is_given_up() {
    // Ten times what the system's buffers take.
    const BODY_BYTES: usize = 64 << 20;
    let server = Listener::open().await;
    // What it says in spite of that is waited for as any answer is.
    let upstream = format!(
        "url = \"http://{}\"\nwrite_timeout_secs = 1\nread_timeout_secs = 1",
        server.address()
    );
    let gateway = Gateway::start(&config(&upstream)).await;
    let asking = gateway.request("POST", "/x").body(vec![0_u8; BODY_BYTES]);
    let (answer, _unread) = tokio::join!(asking.send(), server.accept());
    assert_eq!(answer.refusal(), (504, "upstream_timeout".into()));
}

#[tokio::test]
async fn an_idle_connection_to_a_server_is_closed_when_its_time_is_over() {
    let server = Listener::open().await;
    let upstream = format!(
        "url = \"http://{}\"\nidle_timeout_secs = 1",
        server.address()
    );
    let gateway = Gateway::start(&config(&upstream)).await;
    let serving = async {
        let mut call = server.accept().await;
        call.read_message().await;
        call.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            .await;
        call
    };
    let (answer, mut call) = tokio::join!(gateway.request("GET", "/x").send(), serving);
    answer.expect(200);
    assert_eq!(call.read_to_end().await, "");
}

#[tokio::test]
async fn as_many_failures_take_a_server_out_as_are_told() {
    let healthy = Provider::start().await;
    let failing = Listener::open().await;
    let address = failing.address();
    drop(failing);
    for failures_max in [1, 5] {
        let upstream = format!(
            "urls = [\"http://{address}\", \"http://{}\"]\nhealth_failures_max = {failures_max}\nhealth_cooldown_secs = 3600",
            healthy.address()
        );
        let gateway = Gateway::start(&config(&upstream)).await;
        let mut tried_both = 0;
        for _ in 0..20 {
            let answer = gateway.request("GET", "/x").send().await.expect(200);
            let log = gateway.log_of(answer.request_id()).await;
            tried_both += u32::from(log.attempts == 2);
        }
        assert_eq!(tried_both, failures_max);
    }
}

#[tokio::test]
async fn a_server_that_failed_is_asked_again_when_its_time_is_up() {
    let healthy = Provider::start().await;
    let failing = Listener::open().await;
    let address = failing.address();
    drop(failing);
    let upstream = format!(
        "urls = [\"http://{address}\", \"http://{}\"]\nhealth_failures_max = 1\nhealth_cooldown_secs = 1",
        healthy.address()
    );
    let gateway = Gateway::start(&config(&upstream)).await;
    // A request that tried both says so; after the first of them, only a probe does.
    let tries_both = async || {
        eventually("the server that is gone is tried", || async {
            let answer = gateway.request("GET", "/x").send().await.expect(200);
            let log = gateway.log_of(answer.request_id()).await;
            assert_eq!(log.outcome, Outcome::Complete);
            (log.attempts == 2).then_some(())
        })
        .await;
    };
    let begun = Instant::now();
    for _ in 0..3 {
        tries_both().await;
    }
    // By the default two of them would be twenty seconds apart.
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn a_pool_that_is_switched_off_answers_nothing() {
    let server = Provider::start().await;
    let upstream = format!("url = \"http://{}\"\nenabled = false", server.address());
    let gateway = Gateway::start(&config(&upstream)).await;
    let answer = gateway.request("GET", "/x").send().await;
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(answer.text().contains("switched off"), "{}", answer.text());
    assert_eq!(server.count("calls").await, 0);
}
