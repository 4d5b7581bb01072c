//! Who is told what: topics, filters, what a reader misses, and what it is told when it comes back.

use ferrogate_api::{
    AccountKind, AccountRef, BreakerState, BudgetUnit, LogLevel, StatusFilter, TenantContext,
};
use futures_util::FutureExt as _;

use super::*;

fn wanted(topics: &[Topic]) -> Wanted {
    Wanted {
        topics: Topics::of(topics),
        ..Wanted::default()
    }
}

fn line(level: LogLevel) -> LogLine {
    LogLine {
        at_unix_ms: 0,
        level,
        target: "ferrogate::server".to_owned(),
        message: "listening".to_owned(),
        fields: [("address".to_owned(), "127.0.0.1:80".to_owned())].into(),
    }
}

fn breaker(provider: &str) -> BreakerChanged {
    BreakerChanged {
        at_unix_ms: NOW_MS,
        provider: provider.into(),
        from: BreakerState::Closed,
        to: BreakerState::Open,
        consecutive_failures: 5,
    }
}

fn threshold(account: &str) -> BudgetThreshold {
    BudgetThreshold {
        at_unix_ms: NOW_MS,
        account: account.parse().unwrap(),
        budget_id: "month".into(),
        unit: BudgetUnit::Tokens,
        percent: 80,
        used: 80,
        limit: 100,
        period_end_unix_ms: None,
    }
}

fn audit(target: &str) -> AuditEvent {
    AuditEvent {
        id: "1".to_owned(),
        occurred_at_unix_ms: NOW_MS,
        actor: "unix:uid=0".into(),
        action: "api_key.create".into(),
        target: target.to_owned(),
        outcome: "ok".into(),
        message: String::new(),
        detail: None,
    }
}

fn of_tenant(organization: &str) -> Option<Arc<TenantContext>> {
    Some(Arc::new(TenantContext {
        organization_id: Some(organization.into()),
        ..TenantContext::default()
    }))
}

/// A request of this key, in full.
fn of(key: &str, organization: &str, status: u16) -> Arc<RequestLog> {
    let mut log = (*log(status, Outcome::Complete, 1000)).clone();
    log.api_key_id = Some(key.into());
    log.tenant = of_tenant(organization);
    log.model = Some("fast".into());
    log.provider = Some("openai".into());
    Arc::new(log)
}

/// The names of everything that waits for a reader right now.
fn waiting(reader: &mut Subscription) -> Vec<String> {
    let mut names = Vec::new();
    while let Some(told) = reader.next().now_or_never() {
        names.push(match &told.event {
            Event::Finished(log) => log.api_key_id.as_deref().unwrap_or("?").to_owned(),
            Event::Skipped(skipped) => format!("skipped {} {:?}", skipped.count, skipped.reason),
            event => event.name().to_owned(),
        });
    }
    names
}

#[test]
fn a_reader_is_told_of_its_topics_alone() {
    let (live, clock) = live(|bounds| bounds.event_readers_max = 8);
    let check = |topics: &[Topic], expected: &[&str]| {
        let mut reader = live.subscribe_to(wanted(topics), None).unwrap();
        finish(&live, &clock, of("a", "acme", 200));
        live.breaker_changed(breaker("openai"));
        live.budget_threshold(threshold("key:a"));
        live.audit(&audit("api_key:a"));
        live.log(line(LogLevel::Info));
        live.tick();
        assert_eq!(waiting(&mut reader), expected, "{topics:?}");
    };
    check(&[Topic::Requests], &["a", "second", "in_flight"]);
    check(
        &[Topic::Health, Topic::Audit],
        &["breaker_changed", "audit"],
    );
    check(&[Topic::Alerts], &["budget_threshold"]);
    check(&[Topic::Logs], &["log"]);
    check(&[Topic::Config], &[]);
}

#[test]
fn a_filter_holds_for_what_it_is_about() {
    let (live, clock) = live(|bounds| bounds.event_readers_max = 16);
    let check = |change: &dyn Fn(&mut Wanted), expected: &[&str]| {
        let mut asked = wanted(&Topic::ALL);
        change(&mut asked);
        let mut reader = live.subscribe_to(asked, None).unwrap();
        finish(&live, &clock, of("a", "acme", 200));
        finish(&live, &clock, of("b", "other", 503));
        finish(&live, &clock, of("c", "acme", 404));
        live.breaker_changed(breaker("gemini"));
        live.budget_threshold(threshold("organization:acme"));
        live.log(line(LogLevel::Warn));
        assert_eq!(waiting(&mut reader), expected);
    };
    let all = ["a", "b", "c", "breaker_changed", "budget_threshold", "log"];
    check(&|_| (), &all);
    check(
        &|wanted| wanted.selection.key = Some("a".to_owned()),
        &["a", "breaker_changed", "log"],
    );
    check(
        &|wanted| wanted.selection.organization = Some("acme".to_owned()),
        &["a", "c", "breaker_changed", "budget_threshold", "log"],
    );
    check(
        &|wanted| wanted.selection.provider = Some("openai".to_owned()),
        &["a", "b", "c", "budget_threshold", "log"],
    );
    check(
        &|wanted| wanted.selection.model = Some("slow".to_owned()),
        &["breaker_changed", "budget_threshold", "log"],
    );
    check(
        &|wanted| wanted.status = Some("4xx".parse::<StatusFilter>().unwrap()),
        &["c", "breaker_changed", "budget_threshold", "log"],
    );
    check(
        &|wanted| wanted.errors_only = true,
        &["b", "c", "breaker_changed", "budget_threshold", "log"],
    );
    check(
        &|wanted| wanted.level = LogLevel::Error,
        &["a", "b", "c", "breaker_changed", "budget_threshold"],
    );
}

#[test]
fn one_tenant_sees_its_own_requests_and_counts_alone() {
    let (live, clock) = live(|_| ());
    let sight = Sight {
        tenant: Arc::new(|tenant| tenant.organization_id.as_deref() == Some("acme")),
        account: Arc::new(|account| {
            *account
                == AccountRef {
                    kind: AccountKind::Organization,
                    id: "acme".into(),
                }
        }),
    };
    let mut asked = Wanted::default();
    asked.selection.sight = Some(sight);
    let mut reader = live.subscribe_to(asked, None).unwrap();

    let own = live.begin(started(&clock));
    own.set_key("a".into(), of_tenant("acme"));
    let foreign = live.begin(started(&clock));
    foreign.set_key("b".into(), of_tenant("other"));
    let unknown = live.begin(started(&clock));
    finish(&live, &clock, of("a", "acme", 200));
    finish(&live, &clock, of("b", "other", 200));
    finish(&live, &clock, log(401, Outcome::Refused, 10));
    live.budget_threshold(threshold("organization:acme"));
    live.budget_threshold(threshold("organization:other"));
    live.tick();

    assert!(
        matches!(next(&mut reader), Event::Finished(log) if log.api_key_id.as_deref() == Some("a"))
    );
    assert!(matches!(next(&mut reader), Event::BudgetThreshold(_)));
    assert!(
        matches!(next(&mut reader), Event::Second(second) if (second.requests, second.in_flight) == (1, 1))
    );
    let Event::InFlight(list) = next(&mut reader) else {
        panic!("the list comes last");
    };
    let keys: Vec<_> = list
        .requests
        .iter()
        .map(|one| one.api_key_id.as_deref())
        .collect();
    assert_eq!((list.total, keys), (1, vec![Some("a")]));
    assert!(waiting(&mut reader).is_empty());
    drop((own, foreign, unknown));
}

fn next(reader: &mut Subscription) -> Event {
    reader.next().now_or_never().unwrap().event
}

#[test]
fn a_slow_reader_is_told_how_much_it_missed_and_the_others_miss_nothing() {
    let (live, clock) = live(|bounds| bounds.event_buffer_max = 4);
    let mut slow = live.subscribe().unwrap();
    let mut quick = live.subscribe().unwrap();
    for round in 0..5 {
        finish(&live, &clock, of("a", "acme", 200));
        finish(&live, &clock, of("b", "acme", 200));
        assert_eq!(waiting(&mut quick), ["a", "b"], "{round}");
    }
    assert_eq!(waiting(&mut slow), ["a", "b", "a", "b"]);
    assert_eq!(live.status().events_dropped, 6);
    // The gap is told before what comes after it.
    finish(&live, &clock, of("c", "acme", 200));
    assert_eq!(waiting(&mut slow), ["skipped 6 SlowReader", "c"]);
    finish(&live, &clock, of("d", "acme", 200));
    assert_eq!(waiting(&mut slow), ["d"]);
    assert_eq!(waiting(&mut quick), ["c", "d"]);
    let status = live.status();
    assert_eq!((status.readers, status.readers_max), (2, 2));
}

#[test]
fn a_reader_that_comes_back_misses_nothing_that_is_kept() {
    let (live, clock) = live(|bounds| bounds.event_replay_max = 3);
    let everything = || wanted(&Topic::ALL);
    let mut reader = live.subscribe_to(everything(), None).unwrap();
    finish(&live, &clock, of("a", "acme", 200));
    let seen = reader.next().now_or_never().unwrap().id.to_string();
    drop(reader);

    live.audit(&audit("api_key:x"));
    finish(&live, &clock, of("b", "acme", 200));
    let back = |last: &str, topics: &[Topic]| {
        let mut reader = live.subscribe_to(wanted(topics), Some(last)).unwrap();
        waiting(&mut reader)
    };
    assert_eq!(back(&seen, &Topic::ALL), ["audit", "b"]);
    assert_eq!(back(&seen, &[Topic::Audit]), ["audit"]);
    for key in ["c", "d", "e"] {
        finish(&live, &clock, of(key, "acme", 200));
    }
    assert_eq!(
        back(&seen, &Topic::ALL),
        ["skipped 1 NotKept", "audit", "c", "d", "e"]
    );
    // What is rare has not been washed out.
    assert_eq!(back(&seen, &[Topic::Audit]), ["audit"]);
    for wrong in ["", "x", "abc-", "1-2"] {
        assert_eq!(back(wrong, &Topic::ALL), ["skipped 0 Restarted"], "{wrong}");
    }
    let now = {
        let mut reader = live.subscribe().unwrap();
        live.tick();
        reader.next().now_or_never().unwrap().id.to_string()
    };
    assert!(back(&now, &Topic::ALL).is_empty(), "it is up to date");
}

#[test]
fn a_gap_that_was_told_is_not_told_again() {
    let (live, clock) = live(|_| ());
    let everything = || wanted(&Topic::ALL);
    let mut reader = live.subscribe_to(everything(), None).unwrap();
    finish(&live, &clock, of("a", "acme", 200));
    let seen = reader.next().now_or_never().unwrap().id.to_string();
    finish(&live, &clock, of("b", "acme", 200));
    drop(reader);
    // Long enough that nobody is waited for any more: nothing is kept.
    for _ in 0..30 {
        live.tick();
    }
    let mut reader = live.subscribe_to(everything(), Some(&seen)).unwrap();
    let gap = reader.next().now_or_never().unwrap();
    assert!(matches!(gap.event, Event::Skipped(_)), "{:?}", gap.event);
    drop(reader);
    let up_to_date = gap.id.to_string();
    let mut reader = live.subscribe_to(everything(), Some(&up_to_date)).unwrap();
    assert!(waiting(&mut reader).is_empty());
}

#[test]
fn what_is_rare_is_kept_though_nobody_listened() {
    let (live, _) = live(|_| ());
    live.audit(&audit("api_key:x"));
    live.budget_threshold(threshold("key:a"));
    live.breaker_changed(breaker("openai"));
    // The id of the time before the first event.
    let start = format!("{NOW_MS:x}-0");
    let mut reader = live
        .subscribe_to(wanted(&Topic::ALL), Some(&start))
        .unwrap();
    assert_eq!(
        waiting(&mut reader),
        ["audit", "budget_threshold", "breaker_changed"]
    );
}

#[test]
fn every_event_has_the_number_after_the_one_before() {
    let (live, clock) = live(|_| ());
    let mut reader = live.subscribe_to(wanted(&Topic::ALL), None).unwrap();
    finish(&live, &clock, of("a", "acme", 200));
    live.tick();
    finish(&live, &clock, of("b", "acme", 200));
    let mut ids = Vec::new();
    while let Some(told) = reader.next().now_or_never() {
        ids.push((told.event.name(), told.id.to_string()));
    }
    let id = |number: u64| format!("{NOW_MS:x}-{number}");
    assert_eq!(
        ids,
        [
            ("finished", id(1)),
            // They are not kept: what comes after them comes after the last that is.
            ("second", id(1)),
            ("in_flight", id(1)),
            ("finished", id(2)),
        ]
    );
}

#[test]
fn log_lines_are_told_as_they_are_logged_and_cut_where_they_are_long() {
    use tracing_subscriber::layer::SubscriberExt as _;

    let (live, _) = live(|_| ());
    let tap = LogTap::default();
    let subscriber = tracing_subscriber::registry().with(tap.layer());
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!("nobody is connected");
        tap.connect(&live);
        tracing::info!("nobody listens");
        let mut reader = live.subscribe_to(wanted(&[Topic::Logs]), None).unwrap();
        tracing::debug!("too fine");
        tracing::warn!(provider = "openai", status = 503, "a provider failed");
        tracing::event!(target: "log", tracing::Level::ERROR, log.target = "pingora_core", log.line = 3, "no luck");
        let long = "é".repeat(5000);
        tracing::info!(long, "a long one");

        let mut lines = Vec::new();
        while let Some(told) = reader.next().now_or_never() {
            let Event::Log(line) = told.event else {
                panic!("{told:?}");
            };
            lines.push(line);
        }
        let [failed, bridged, long] = &lines[..] else {
            panic!("{lines:?}");
        };
        assert_eq!(
            (failed.level, &*failed.message),
            (LogLevel::Warn, "a provider failed")
        );
        assert_eq!(failed.fields["provider"], "openai");
        assert_eq!(failed.fields["status"], "503");
        assert_eq!(failed.at_unix_ms, NOW_MS);
        assert!(failed.target.starts_with("ferrogate::live"));
        assert_eq!(
            (&*bridged.target, bridged.fields.len()),
            ("pingora_core", 0)
        );
        assert_eq!(long.fields["long"].len(), 4096 + '…'.len_utf8());
    });
}
