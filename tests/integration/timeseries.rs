//! `GET /admin/v1/timeseries`: charts of what happened.

use ferrogate_api::{Timeseries, TimeseriesSource, TimeseriesStep};

use crate::support::{Gateway, Rig, eventually};

async fn chart(gateway: &Gateway, query: &str) -> Timeseries {
    let path = format!("/admin/v1/timeseries?{query}");
    let answer = gateway.admin(&path).send().await.expect(200);
    serde_json::from_slice(&answer.body).unwrap()
}

/// The total of one value in each line.
fn totals<'c>(chart: &'c Timeseries, value: &str) -> Vec<(Option<&'c str>, i64)> {
    let lines = chart.lines.iter();
    lines
        .map(|line| (line.name.as_deref(), line.totals[value].unwrap()))
        .collect()
}

async fn until_counted(gateway: &Gateway, requests: i64) {
    eventually("every request is counted", || async {
        let chart = chart(gateway, "metric=requests").await;
        (totals(&chart, "count") == [(None, requests)]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn requests_are_drawn_as_soon_as_they_are_written() {
    let rig = Rig::start("").await;
    let answer = rig.chat("sim: ttft_ms=50\nhello").send().await.expect(200);
    rig.chat("sim: fault=503\nhello").send().await.expect(503);
    rig.gateway
        .request("POST", "/v1/chat/completions")
        .send()
        .await
        .expect(401);
    until_counted(&rig.gateway, 3).await;

    let requests = chart(&rig.gateway, "metric=requests&by=key").await;
    assert_eq!(requests.step, TimeseriesStep::Minute);
    assert_eq!(requests.source, TimeseriesSource::Requests);
    assert!(requests.complete);
    assert_eq!(totals(&requests, "count"), [(Some("dev"), 2), (None, 1)]);
    assert!((60..=62).contains(&requests.at_unix_ms.len()));
    for line in &requests.lines {
        assert_eq!(line.values["count"].len(), requests.at_unix_ms.len());
    }
    let errors = chart(&rig.gateway, "metric=errors&by=provider").await;
    assert_eq!(totals(&errors, "count"), [(Some("openai"), 1), (None, 0)]);
    let refused = chart(&rig.gateway, "metric=client_errors").await;
    assert_eq!(totals(&refused, "count"), [(None, 1)]);

    let latency = chart(
        &rig.gateway,
        "metric=latency&by=model&model=fast&window=24h",
    )
    .await;
    assert_eq!(latency.step, TimeseriesStep::FiveMinutes);
    let line = &latency.lines[0];
    assert_eq!(
        (line.name.as_deref(), line.totals["count"]),
        (Some("fast"), Some(2))
    );
    assert!(line.totals["p99"].unwrap() >= 48_000, "{line:?}");

    let usage = &answer.json()["usage"];
    let tokens = chart(&rig.gateway, "metric=tokens&by=model").await;
    assert_eq!(tokens.source, TimeseriesSource::Ledger);
    assert_eq!(
        totals(&tokens, "output"),
        [(Some("fast"), usage["completion_tokens"].as_i64().unwrap())]
    );
    let log = rig.gateway.log_of(answer.request_id()).await;
    let cost = chart(&rig.gateway, "metric=cost&by=endpoint").await;
    assert_eq!(cost.source, TimeseriesSource::Requests);
    let lines = totals(&cost, "nanos");
    assert_eq!(
        lines[0],
        (Some("chat.completions"), log.cost_nanos.unwrap())
    );
}

#[tokio::test]
async fn a_restart_goes_on_where_the_charts_were() {
    let rig = Rig::start("").await;
    for _ in 0..3 {
        rig.chat("hello").send().await.expect(200);
    }
    until_counted(&rig.gateway, 3).await;
    let before = chart(&rig.gateway, "metric=latency&by=model&window=24h&step=1h").await;
    rig.gateway.terminate();
    let (code, stopped) = rig.gateway.left().await;
    assert_eq!(code, Some(0));
    let gateway = stopped.restart().await;
    let after = chart(&gateway, "metric=latency&by=model&window=24h&step=1h").await;
    assert_eq!(after.lines[0].totals, before.lines[0].totals);
    until_counted(&gateway, 3).await;
}

#[tokio::test]
async fn what_cannot_be_drawn_is_refused() {
    let gateway = Gateway::start("").await;
    for (query, param) in [
        ("metric=speed", "metric"),
        ("by=colour", "by"),
        ("window=1w", "window"),
        ("window=0h", "window"),
        ("window=1h&since=0", "window"),
        ("since=5&until=5", "since"),
        ("step=2m", "step"),
        ("window=30d&step=1m", "step"),
        ("top=0", "top"),
        ("top=51", "top"),
        ("colour=red", "colour"),
    ] {
        let path = format!("/admin/v1/timeseries?{query}");
        let answer = gateway.admin(&path).send().await;
        assert_eq!(
            answer.refusal(),
            (400, "invalid_request".to_owned()),
            "{query}"
        );
        assert_eq!(answer.json()["error"]["param"], param, "{query}");
    }
    let nothing = chart(&gateway, "metric=ttft&by=key&window=30d&step=1d").await;
    assert!(nothing.lines.is_empty());
    let nothing = chart(&gateway, "metric=ttft").await;
    assert_eq!(nothing.lines[0].totals["p50"], None);
}
