mod feed;
mod killing;

use std::cell::Cell;

use ferrogate_api::{Outcome, SkipReason, Skipped, Tokens, UsageSource};

use super::*;
use crate::ids::RequestId;

const NOW_MS: i64 = 1_767_225_600_000;

fn live(change: impl FnOnce(&mut config::Admin)) -> (Live, Clock) {
    let loaded = config::parse("", "test.toml", &|_| None).unwrap();
    let mut bounds = config::Admin {
        event_buffer_max: 64,
        event_replay_max: 8,
        events_per_second_max: 200,
        event_readers_max: 2,
        in_flight_list_max: 10,
        ..loaded.config.admin
    };
    change(&mut bounds);
    let clock = Clock::manual(NOW_MS);
    (Live::new(clock.clone(), &bounds), clock)
}

fn started(clock: &Clock) -> Started {
    Started {
        id: RequestId::new(clock),
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        endpoint: "chat.completions".into(),
    }
}

fn log(status: u16, outcome: Outcome, duration_us: u64) -> Arc<RequestLog> {
    Arc::new(RequestLog {
        request_id: "id".into(),
        trace_id: "0".repeat(32),
        started_at_unix_ms: NOW_MS,
        duration_us,
        ttft_us: Some(duration_us / 2),
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        endpoint: "chat.completions".into(),
        status,
        outcome,
        attempts: 1,
        tokens: Tokens {
            input: 7,
            output: 3,
            ..Tokens::default()
        },
        usage_source: UsageSource::Provider,
        cost_nanos: Some(11),
        ..RequestLog::default()
    })
}

fn finish(live: &Live, clock: &Clock, log: Arc<RequestLog>) {
    live.begin(started(clock)).finish(|| log);
}

#[test]
fn a_request_is_listed_with_what_is_known_of_it_until_it_ends() {
    let (live, clock) = live(|_| ());
    let first = live.begin(started(&clock));
    clock.advance_ms(5);
    let second = live.begin(started(&clock));
    first.set_phase(Phase::Waiting);
    first.set_key("team".into(), None);
    first.set_target("fast".into(), "openai".into());

    let listed = live.in_flight(10);
    assert_eq!(listed.total, 2);
    let [oldest, newest] = &listed.requests[..] else {
        panic!("{listed:?}");
    };
    assert_eq!(
        (oldest.started_at_unix_ms, newest.started_at_unix_ms),
        (NOW_MS, NOW_MS + 5)
    );
    assert_eq!(
        (oldest.phase, newest.phase),
        (Phase::Waiting, Phase::Receiving)
    );
    assert_eq!(oldest.api_key_id.as_deref(), Some("team"));
    assert_eq!(oldest.model.as_deref(), Some("fast"));
    assert_eq!(oldest.provider.as_deref(), Some("openai"));

    drop(first);
    assert_eq!(live.in_flight_count(), 1);
    second.finish(|| unreachable!("nobody listens"));
    assert_eq!(live.in_flight(10), InFlight::default());
    assert_eq!(live.in_flight_count(), 0);
}

#[test]
fn a_list_is_cut_to_the_oldest_and_says_how_many_there_are() {
    let (live, clock) = live(|_| ());
    let entries: Vec<_> = (0..100)
        .map(|_| {
            clock.advance_ms(1);
            live.begin(started(&clock))
        })
        .collect();
    let listed = live.in_flight(3);
    assert_eq!(listed.total, 100);
    let times: Vec<_> = listed
        .requests
        .iter()
        .map(|request| request.started_at_unix_ms - NOW_MS)
        .collect();
    assert_eq!(times, [1, 2, 3]);
    drop(entries);
    assert_eq!(live.in_flight_count(), 0);
}

#[tokio::test]
async fn of_requests_nothing_is_computed_while_nobody_listens() {
    let (live, clock) = live(|_| ());
    let computed = Cell::new(0);
    let finish = || {
        live.begin(started(&clock)).finish(|| {
            computed.set(computed.get() + 1);
            log(200, Outcome::Complete, 1000)
        });
    };
    finish();
    live.tick();
    assert_eq!(computed.get(), 0);

    let mut reader = live.subscribe().unwrap();
    finish();
    assert_eq!(computed.get(), 1);
    assert!(matches!(event(&mut reader).await, Event::Finished(_)));

    // For a while its last reader is waited for.
    drop(reader);
    finish();
    assert_eq!(computed.get(), 2);
    for _ in 0..30 {
        live.tick();
    }
    finish();
    assert_eq!(computed.get(), 2);
}

#[tokio::test]
async fn a_second_counts_every_request_and_starts_empty_for_the_first_reader() {
    let (live, clock) = live(|_| ());
    let first_reader = live.subscribe().unwrap();
    finish(&live, &clock, log(200, Outcome::Complete, 1));
    drop(first_reader);

    let mut reader = live.subscribe().unwrap();
    for (status, outcome) in [
        (200, Outcome::Complete),
        (200, Outcome::UpstreamCut),
        (200, Outcome::ClientGone),
        (429, Outcome::Refused),
        (404, Outcome::Refused),
        (502, Outcome::UpstreamError),
    ] {
        finish(&live, &clock, log(status, outcome, 2000));
        assert!(matches!(event(&mut reader).await, Event::Finished(_)));
    }
    let _in_flight = live.begin(started(&clock));
    clock.advance_ms(1000);
    live.tick();
    let Event::Second(second) = event(&mut reader).await else {
        panic!("the second comes first");
    };
    assert_eq!(second.at_unix_ms, NOW_MS + 1000);
    assert_eq!((second.requests, second.in_flight), (6, 1));
    assert_eq!(
        (
            second.client_errors,
            second.rate_limited,
            second.server_errors
        ),
        (2, 1, 2)
    );
    assert_eq!(
        (second.input_tokens, second.output_tokens, second.cost_nanos),
        (42, 18, 66)
    );
    assert!((1990..=2020).contains(&second.latency_p99_us), "{second:?}");
    assert!((990..=1010).contains(&second.ttft_p50_us), "{second:?}");
    assert!(matches!(event(&mut reader).await, Event::InFlight(list) if list.total == 1));

    live.tick();
    let Event::Second(second) = event(&mut reader).await else {
        panic!("a silent second is a second too");
    };
    assert_eq!((second.requests, second.latency_p99_us), (0, 0));
}

#[tokio::test]
async fn over_the_cap_requests_are_counted_and_not_sent() {
    let (live, clock) = live(|bounds| bounds.events_per_second_max = 2);
    let mut reader = live.subscribe().unwrap();
    for _ in 0..2 {
        for _ in 0..5 {
            finish(&live, &clock, log(200, Outcome::Complete, 1000));
        }
        live.tick();
        assert!(matches!(event(&mut reader).await, Event::Finished(_)));
        assert!(matches!(event(&mut reader).await, Event::Finished(_)));
        assert_eq!(event(&mut reader).await, skipped(3, SkipReason::Rate));
        assert!(matches!(event(&mut reader).await, Event::Second(second) if second.requests == 5));
        assert!(matches!(event(&mut reader).await, Event::InFlight(_)));
    }
}

#[test]
fn readers_are_bounded_and_a_place_comes_free_again() {
    let (live, _) = live(|bounds| bounds.event_readers_max = 1);
    let reader = live.subscribe().unwrap();
    assert_eq!(live.subscribe().unwrap_err(), TooManyReaders { max: 1 });
    drop(reader);
    assert!(live.subscribe().is_ok());
}

async fn event(reader: &mut Subscription) -> Event {
    reader.next().await.event
}

fn skipped(count: u64, reason: SkipReason) -> Event {
    Event::Skipped(Skipped { count, reason })
}
