//! Charts through the store: what is handed over is drawn at once, filtered, and there after a restart.

use ferrogate_api::{
    Timeseries, TimeseriesBy, TimeseriesLine, TimeseriesMetric, TimeseriesSource, TimeseriesStep,
};

use super::*;
use crate::live::{Selection, Sight};
use crate::store::TimeseriesAsk;

fn ask(metric: TimeseriesMetric, by: TimeseriesBy) -> TimeseriesAsk {
    TimeseriesAsk {
        metric,
        by,
        step: TimeseriesStep::Minute,
        since_unix_ms: NOON - 5 * 60_000,
        until_unix_ms: NOON + 60_000,
        top: 3,
        selection: Selection::default(),
    }
}

/// A request that ends at noon.
fn request(key: &str, model: &str, status: u16) -> RequestLog {
    let id = id_at(NOON);
    RequestLog {
        status,
        outcome: Outcome::Complete,
        api_key_id: named(key),
        model: named(model),
        ..log(id)
    }
}

fn totals(chart: &Timeseries, value: &str) -> Vec<(Option<String>, Option<i64>)> {
    let lines = chart.lines.iter();
    lines
        .map(|line| {
            let name = line.name.as_deref().map(ToOwned::to_owned);
            let name = if line.is_other {
                Some("…".to_owned())
            } else {
                name
            };
            (name, line.totals[value])
        })
        .collect()
}

fn line(chart: &Timeseries) -> &TimeseriesLine {
    let [line] = &chart.lines[..] else {
        panic!("{:?}", chart.lines);
    };
    line
}

#[tokio::test]
async fn the_newest_minute_is_drawn_at_once_and_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    write_logs(
        &store,
        [request("a", "small", 200), request("a", "small", 503)],
    )
    .await;
    let requests = ask(TimeseriesMetric::Requests, TimeseriesBy::None);
    let chart = store.timeseries(requests.clone()).await.unwrap();
    assert!(chart.complete);
    assert_eq!(chart.source, TimeseriesSource::Requests);
    assert_eq!(chart.at_unix_ms.len(), 6);
    assert_eq!(chart.at_unix_ms[5], NOON);
    assert_eq!(chart.until_unix_ms, NOON + 60_000);
    let counts = &line(&chart).values["count"];
    assert_eq!(
        counts[..],
        [Some(0), Some(0), Some(0), Some(0), Some(0), Some(2)]
    );
    store.close().await.unwrap();
    drop(store);

    let store = open(&directory);
    assert_eq!(store.timeseries(requests).await.unwrap(), chart);
    let errors = ask(TimeseriesMetric::Errors, TimeseriesBy::None);
    let errors = store.timeseries(errors).await.unwrap();
    assert_eq!(line(&errors).totals["count"], Some(1));
}

#[tokio::test]
async fn each_metric_shows_what_it_says() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let hit = RequestLog {
        cache: Some(CacheStatus::Hit),
        ..request("a", "small", 200)
    };
    let cut = RequestLog {
        outcome: Outcome::UpstreamCut,
        ..request("a", "small", 200)
    };
    let left = RequestLog {
        outcome: Outcome::ClientGone,
        ..request("a", "small", 499)
    };
    let logs = [
        hit,
        cut,
        left,
        request("a", "small", 429),
        request("a", "small", 404),
        request("a", "small", 502),
    ];
    write_logs(&store, logs).await;
    let mut drawn = Vec::new();
    for metric in TimeseriesMetric::ALL {
        // By endpoint, so that all come from the requests.
        let chart = store
            .timeseries(ask(*metric, TimeseriesBy::Endpoint))
            .await
            .unwrap();
        let values = line(&chart).totals.iter();
        let values: Vec<_> = values
            .map(|(name, value)| (name.to_string(), value.unwrap()))
            .collect();
        drawn.push((*metric, values));
    }
    let values = |pairs: &[(&str, i64)]| {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), *value))
            .collect::<Vec<_>>()
    };
    let times = |us| values(&[("count", 6), ("p50", us), ("p95", us), ("p99", us)]);
    assert_eq!(
        drawn,
        [
            (TimeseriesMetric::Requests, values(&[("count", 6)])),
            (TimeseriesMetric::Errors, values(&[("count", 2)])),
            (TimeseriesMetric::ClientErrors, values(&[("count", 3)])),
            (TimeseriesMetric::RateLimited, values(&[("count", 1)])),
            (TimeseriesMetric::CacheHits, values(&[("count", 1)])),
            (
                TimeseriesMetric::Tokens,
                values(&[("input", 72), ("output", 180)])
            ),
            (TimeseriesMetric::Cost, values(&[("nanos", 25_200)])),
            (TimeseriesMetric::Latency, times(1_503)),
            (TimeseriesMetric::Ttft, times(911)),
            (TimeseriesMetric::Overhead, times(40)),
        ]
    );
}

#[tokio::test]
async fn lines_are_told_apart_filtered_and_the_smallest_are_one() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let mut logs = Vec::new();
    for (key, count) in [("a", 5), ("b", 4), ("c", 3), ("d", 2), ("e", 1)] {
        logs.extend((0..count).map(|_| request(key, "small", 200)));
    }
    let unknown = RequestLog {
        api_key_id: None,
        tenant: None,
        model: named("whatever a client says"),
        provider: None,
        ..request("x", "small", 401)
    };
    logs.push(unknown);
    write_logs(&store, logs).await;
    let draw = async |change: &dyn Fn(&mut TimeseriesAsk)| {
        let mut ask = ask(TimeseriesMetric::Requests, TimeseriesBy::Key);
        change(&mut ask);
        totals(&store.timeseries(ask).await.unwrap(), "count")
    };
    let own = |name: &str, count| (Some(name.to_owned()), Some(count));
    assert_eq!(
        draw(&|_| ()).await,
        [own("a", 5), own("b", 4), own("c", 3), own("…", 4)]
    );
    assert_eq!(
        draw(&|ask| ask.by = TimeseriesBy::Model).await,
        [own("small", 15), (None, Some(1))]
    );
    assert_eq!(
        draw(&|ask| ask.by = TimeseriesBy::Organization).await,
        [own("acme", 15), (None, Some(1))]
    );
    assert_eq!(
        draw(&|ask| ask.selection.key = Some("d".to_owned())).await,
        [own("d", 2)]
    );
    assert_eq!(
        draw(&|ask| ask.selection.provider = Some("two".to_owned())).await,
        []
    );
    let sight = |organization: &'static str| Sight {
        tenant: Arc::new(move |tenant| tenant.organization_id.as_deref() == Some(organization)),
        account: Arc::new(|_| false),
    };
    assert_eq!(
        draw(&|ask| ask.selection.sight = Some(sight("other"))).await,
        []
    );
    assert_eq!(
        draw(&|ask| ask.selection.sight = Some(sight("acme"))).await,
        [own("a", 5), own("b", 4), own("c", 3), own("…", 3)]
    );
}

#[tokio::test]
async fn tokens_and_money_are_the_ledgers_where_it_tells_them_apart() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let id = id_at(NOON);
    let slot = store.reserve().await.unwrap();
    // The ledger has two attempts, the log one sum that is not theirs.
    let second = MeteringEvent {
        attempt: 2,
        provider: "two".into(),
        ..event(id)
    };
    end(slot, log(id), vec![event(id), second]);
    store.flush().await.unwrap();
    let check = async |by,
                       change: &dyn Fn(&mut TimeseriesAsk),
                       source,
                       expected: &[(Option<&str>, i64)]| {
        let mut ask = ask(TimeseriesMetric::Cost, by);
        change(&mut ask);
        let chart = store.timeseries(ask).await.unwrap();
        assert_eq!(chart.source, source, "{by}");
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, nanos)| (name.map(ToOwned::to_owned), Some(*nanos)))
            .collect();
        assert_eq!(totals(&chart, "nanos"), expected, "{by}");
    };
    let ledger = TimeseriesSource::Ledger;
    check(TimeseriesBy::None, &|_| (), ledger, &[(None, 8_400)]).await;
    check(
        TimeseriesBy::Provider,
        &|_| (),
        ledger,
        &[(Some("one"), 4_200), (Some("two"), 4_200)],
    )
    .await;
    check(
        TimeseriesBy::Key,
        &|ask| ask.step = TimeseriesStep::Day,
        ledger,
        &[(Some("key-a"), 8_400)],
    )
    .await;
    check(
        TimeseriesBy::Model,
        &|ask| ask.selection.provider = Some("two".to_owned()),
        ledger,
        &[(Some("small"), 4_200)],
    )
    .await;
    let requests = TimeseriesSource::Requests;
    check(
        TimeseriesBy::Organization,
        &|_| (),
        requests,
        &[(Some("acme"), 4_200)],
    )
    .await;
    check(
        TimeseriesBy::Model,
        &|ask| ask.selection.organization = Some("acme".to_owned()),
        requests,
        &[(Some("small"), 4_200)],
    )
    .await;
    let mut tokens = ask(TimeseriesMetric::Tokens, TimeseriesBy::None);
    tokens.step = TimeseriesStep::FiveMinutes;
    let chart = store.timeseries(tokens).await.unwrap();
    assert_eq!(line(&chart).totals["input"], Some(24));
    assert_eq!(chart.at_unix_ms[0], NOON - 5 * 60_000);
    assert_eq!(line(&chart).values["output"], [Some(0), Some(60)]);
}
