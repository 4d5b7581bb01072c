//! `[alerting]` and `[[alerts]]`: how long a webhook is waited for, how often it is told, and which rules are looked at.

use serde_json::{Value, json};

use crate::support::{Gateway, Listener, eventually};

/// A rule of the file that holds from the start.
const HOLDS: &str = "[[alerts]]\nname = \"size\"\nmetric = \"database_bytes\"\nabove = 0\n";

/// What became of the last call, once it is over.
async fn delivery(gateway: &Gateway) -> Value {
    eventually("it is known what became of the call", || async {
        let alert = gateway.shown("alerts/size").await;
        let delivery = alert["last_delivery"].clone();
        (!delivery.is_null()).then_some(delivery)
    })
    .await
}

#[tokio::test]
async fn a_webhook_that_says_nothing_is_given_up() {
    let silent = Listener::open().await;
    let config = format!(
        "[alerting]\ninterval_secs = 1\nwebhook_timeout_ms = 200\nwebhook_max_retries = 0\n\
         {HOLDS}webhook_url = \"http://{}/\"\nmessage = \"It is large.\"\n",
        silent.address()
    );
    let gateway = Gateway::start(&config).await;
    let mut call = silent.accept().await;
    let (_, told) = call.read_message().await;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["message"], "It is large.");
    // It hangs up without an answer.
    assert_eq!(call.read_to_end().await, "");
    let delivery = delivery(&gateway).await;
    assert_eq!(
        (&delivery["ok"], &delivery["attempts"]),
        (&json!(false), &json!(1))
    );
}

#[tokio::test]
async fn a_webhook_that_fails_is_told_again_as_often_as_is_allowed() {
    let failing = Listener::open().await;
    let config = format!(
        "[alerting]\ninterval_secs = 1\nwebhook_max_retries = 2\nwebhook_retry_backoff_ms = 1\n\
         {HOLDS}webhook_url = \"http://{}/\"\n",
        failing.address()
    );
    let gateway = Gateway::start(&config).await;
    for _ in 0..3 {
        let mut call = failing.accept().await;
        call.read_message().await;
        call.send("HTTP/1.1 503 Unavailable\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            .await;
    }
    let delivery = delivery(&gateway).await;
    assert_eq!(
        (&delivery["ok"], &delivery["attempts"]),
        (&json!(false), &json!(3))
    );
}

#[tokio::test]
async fn a_rule_that_is_switched_off_is_not_looked_at() {
    let off = HOLDS.replace("\"size\"", "\"off\"") + "enabled = false\n";
    let config = format!("[alerting]\ninterval_secs = 1\n{HOLDS}{off}");
    let gateway = Gateway::start(&config).await;
    eventually("the other one fires", || async {
        let alert = gateway.shown("alerts/size").await;
        (alert["state"] == "firing").then_some(())
    })
    .await;
    let off = gateway.shown("alerts/off").await;
    assert_ne!(off["state"], "firing");
    assert_eq!(off["evaluated_at_unix_ms"], Value::Null);
}
