//! `[storage]`: when records are written, and how long state is kept.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{KEY, Provider, Request, Rig, eventually};

#[tokio::test]
async fn a_batch_waits_for_more_as_long_as_it_is_told() {
    let rig = Rig::start("[storage]\nbatch_linger_ms = 10000").await;
    // Far longer than by default, far shorter than this one, and fewer than fill a batch.
    let begun = Instant::now();
    for _ in 0..500 {
        rig.chat("hello").send().await.expect(200);
        if begun.elapsed() > Duration::from_millis(500) {
            break;
        }
    }
    assert_eq!(rig.gateway.status().await.writer.records_written, 0);
}

#[tokio::test]
async fn the_writer_has_as_many_places_as_it_is_told() {
    let rig = Rig::start("[storage]\nqueue_max_records = 64").await;
    assert_eq!(rig.gateway.status().await.writer.queue_max, 64);
}

#[tokio::test]
async fn a_list_has_as_many_entries_as_it_is_told() {
    let config = "[storage]\nadmin_list_default_limit = 1\nadmin_list_max_limit = 2";
    let gateway = Rig::start(config).await.gateway;
    let rows = async |query: &str| {
        let page: Value = gateway.shown(&format!("models{query}")).await;
        page["data"].as_array().unwrap().len()
    };
    gateway
        .made(
            "POST",
            "models",
            &json!({"name": "third", "provider": "openai", "provider_model": "m"}),
        )
        .await;
    assert_eq!(rows("").await, 1);
    assert_eq!(rows("?limit=500").await, 2);
}

/// A gateway in front of a provider that keeps no responses itself.
async fn with_state(storage: &str) -> Rig {
    let provider = Provider::start().await;
    let config = format!(
        r#"
        [storage]
        {storage}

        [[providers]]
        name = "chat"
        kind = "openai-compatible"
        base_url = "{}"
        api_key_env = "PROVIDER_KEY"
        apis = ["chat"]

        [[models]]
        name = "chatty"
        provider = "chat"
        provider_model = "m"
        "#,
        provider.base_url()
    );
    Rig::start_with(provider, &config).await
}

async fn kept(rig: &Rig, input: &str) -> Request {
    let body = json!({"model": "chatty", "input": input});
    let answer = rig.post("/v1/responses", &body).send().await.expect(200);
    let path = format!("/v1/responses/{}", answer.json()["id"].as_str().unwrap());
    rig.gateway.request("GET", &path).key(KEY)
}

#[tokio::test]
async fn without_retention_a_response_does_not_outlive_the_gateway() {
    for (days, status) in [(1, 200), (0, 404)] {
        let rig = with_state(&format!("response_retention_days = {days}")).await;
        let body = json!({"model": "chatty", "input": "hello"});
        let answer = rig.post("/v1/responses", &body).send().await.expect(200);
        let path = format!("/v1/responses/{}", answer.json()["id"].as_str().unwrap());
        rig.gateway.terminate();
        let gateway = rig.gateway.left().await.1.restart().await;
        let shown = gateway.request("GET", &path).key(KEY).send().await;
        assert_eq!(shown.status, status, "{days}: {}", shown.text());
    }
}

#[tokio::test]
async fn what_is_larger_than_an_entry_may_be_is_not_kept() {
    let rig = with_state("state_entry_max_bytes = 4096").await;
    kept(&rig, "hello").await.send().await.expect(200);
    let large = kept(&rig, &"word ".repeat(2000)).await;
    large.send().await.expect(404);
    eventually("it is counted", || async {
        let state = rig.gateway.status().await.writer.state;
        (state.entries_too_large == 1).then_some(())
    })
    .await;
}
