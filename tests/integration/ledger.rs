//! What is on record: every request once, with exactly what its client was told.

use std::collections::HashMap;

use ferrogate_api::{Outcome, Tokens, UsageSource};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Answer, Request, Rig, eventually};

const CLIENTS: u64 = 12;
const REQUESTS_EACH: u64 = 24;

/// Chat whole and streamed, responses whole and streamed, embeddings: request `index` of a client.
fn request(rig: &Rig, client: u64, index: u64) -> Request {
    let text = format!("sim: usage=random tag={client}.{index}\nhello");
    let chat = json!([{"role": "user", "content": text}]);
    match index % 5 {
        0 => rig.chat(&text),
        1 => rig.post(
            "/v1/chat/completions",
            &json!({"model": "fast", "stream": true, "stream_options": {"include_usage": true}, "messages": chat}),
        ),
        2 => rig.post("/v1/responses", &json!({"model": "fast", "input": text})),
        3 => rig.post(
            "/v1/responses",
            &json!({"model": "fast", "stream": true, "input": text}),
        ),
        _ => rig.post("/v1/embeddings", &json!({"model": "embed", "input": text})),
    }
}

/// What an answer, streamed or not and in either dialect, told its client.
fn told(answer: &Answer) -> Tokens {
    let usage = if answer
        .header("content-type")
        .starts_with("text/event-stream")
    {
        let payloads = answer.text().lines();
        let events = payloads.filter_map(|line| line.strip_prefix("data: "));
        let events = events.filter_map(|data| serde_json::from_str::<Value>(data).ok());
        let mut usages = events.filter_map(|event| usage_in(&event));
        usages.next_back().unwrap()
    } else {
        usage_in(&answer.json()).unwrap()
    };
    let number = |paths: [&str; 2]| {
        let found = paths.iter().find_map(|path| usage.pointer(path)?.as_u64());
        found.unwrap_or_default()
    };
    Tokens {
        input: number(["/prompt_tokens", "/input_tokens"]),
        output: number(["/completion_tokens", "/output_tokens"]),
        cache_read: number([
            "/prompt_tokens_details/cached_tokens",
            "/input_tokens_details/cached_tokens",
        ]),
        cache_write: 0,
        reasoning: number([
            "/completion_tokens_details/reasoning_tokens",
            "/output_tokens_details/reasoning_tokens",
        ]),
    }
}

fn usage_in(answer: &Value) -> Option<Value> {
    let response = answer.get("response").unwrap_or(answer);
    response
        .get("usage")
        .filter(|usage| usage.is_object())
        .cloned()
}

async fn load(rig: Rig) -> (Rig, HashMap<String, Tokens>) {
    let rig = std::sync::Arc::new(rig);
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let rig = std::sync::Arc::clone(&rig);
        clients.spawn(async move {
            let mut seen = Vec::new();
            for index in 0..REQUESTS_EACH {
                let answer = request(&rig, client, index).send().await.expect(200);
                seen.push((answer.request_id().to_owned(), told(&answer)));
            }
            seen
        });
    }
    let seen = clients.join_all().await.into_iter().flatten().collect();
    (std::sync::Arc::into_inner(rig).unwrap(), seen)
}

#[tokio::test]
async fn what_clients_saw_what_the_ledger_says_and_what_the_rollups_sum_up_agree_exactly() {
    let (rig, seen) = load(Rig::start("").await).await;
    let count = CLIENTS * REQUESTS_EACH;
    assert_eq!(u64::try_from(seen.len()).unwrap(), count, "ids are unique");
    eventually("every record is written", || async {
        let written = rig.gateway.status().await.writer.records_written;
        (written >= count).then_some(())
    })
    .await;

    let events = rig.gateway.metering_events().await;
    let mut sum = Tokens::default();
    let mut cost_nanos = 0;
    assert_eq!(events.len(), seen.len());
    for event in &events {
        assert_eq!(seen[&event.request_id], event.tokens, "{event:?}");
        assert_eq!(event.usage_source, UsageSource::Provider);
        assert_eq!(event.outcome, Outcome::Complete);
        sum += event.tokens;
        cost_nanos += event.cost_nanos.unwrap_or_default();
    }
    let stats = rig.provider.stats().await;
    assert_eq!(stats["completed"], count);
    assert_eq!(stats["usage"]["input_tokens"], sum.input);
    assert_eq!(stats["usage"]["output_tokens"], sum.output);

    for window in ["total", "minute", "hour", "day"] {
        let mut requests = 0;
        let mut tokens = Tokens::default();
        let mut cost = 0;
        for aggregate in rig.gateway.usage_aggregates(window).await {
            requests += aggregate.requests;
            tokens += aggregate.tokens;
            cost += aggregate.cost_nanos;
            assert_eq!(aggregate.errors, 0, "{window}");
            assert_eq!(aggregate.window_start_unix_ms.is_none(), window == "total");
        }
        assert_eq!(
            (requests, tokens, cost),
            (count, sum, cost_nanos),
            "{window}"
        );
    }

    let logs = rig.gateway.request_logs().await;
    assert_eq!(logs.len(), seen.len());
    for log in &logs {
        assert_eq!(seen[&log.request_id], log.tokens, "{log:?}");
    }
    assert_eq!(rig.gateway.status().await.writer.logs_dropped, 0);
}

#[tokio::test]
async fn failed_and_refused_requests_are_summed_up_as_what_they_were() {
    let rig = Rig::start("").await;
    rig.chat("hello").send().await.expect(200);
    rig.chat("sim: fault=500").send().await.expect(500);
    let broken = rig.chat_stream("sim: delay_ms=5 tokens=9 fault=cut after=2\nhi");
    broken.send().await.expect(200);
    let refused = rig.chat("hello").key("wrong").send().await.expect(401);
    rig.gateway.log_of(refused.request_id()).await;
    eventually("the rollups are written", || async {
        let all = rig.gateway.usage_aggregates("total").await;
        let sum = |of: fn(&ferrogate_api::UsageAggregate) -> u64| all.iter().map(of).sum::<u64>();
        let sums = (sum(|all| all.requests), sum(|all| all.errors));
        (sums == (3, 2)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn records_outlive_the_process() {
    let rig = Rig::start("").await;
    let answer = rig.chat("hello").send().await.expect(200);
    let before = rig.gateway.events_of(answer.request_id()).await;
    let Rig { gateway, provider } = rig;
    gateway.terminate();
    let (code, stopped) = gateway.left().await;
    assert_eq!(code, Some(0));
    let gateway = stopped.restart().await;
    assert_eq!(gateway.events_of(answer.request_id()).await, before);
    let rig = Rig { gateway, provider };
    rig.chat("hello").send().await.expect(200);
}
