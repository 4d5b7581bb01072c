//! `ferrogate tui` against a running gateway, in a terminal.

use crate::support::{Rig, Terminal};

#[tokio::test]
async fn the_console_shows_what_the_gateway_does_and_leaves_at_a_key() {
    let rig = Rig::start("").await;
    let socket = rig.gateway.admin_socket();
    let mut console = Terminal::run(&["tui", "--admin-socket", socket.to_str().unwrap()]);
    console
        .shows(&["[1 Overview]", "live", "no requests yet"])
        .await;
    rig.chat("hello").send().await.expect(200);
    console.shows(&["fast", "openai", "dev"]).await;

    console.press("2");
    console.shows(&["[2 Requests]", "fast", "openai"]).await;
    let body = serde_json::json!({"model": "no-such-model"});
    let refused = rig.post("/v1/chat/completions", &body).send().await;
    console.shows(&["404", "model_not_found"]).await;
    console.press("\r");
    console
        .shows(&[refused.request_id(), "model_not_found"])
        .await;
    console.press("q");
    assert_eq!(console.ended().await, Some(0));
}
