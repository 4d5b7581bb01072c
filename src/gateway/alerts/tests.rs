//! The states of a rule, and of all rules together, under a clock that is moved by hand.

use ferrogate_api::{AlertAcknowledgement, AlertEventState, AlertMetric, AlertSeverity};
use serde_json::Value;

use super::{state::Change, *};
use crate::config::{AlertBound, AlertScope, Quantity};

const START: i64 = 1_767_225_600_000;

fn rule(name: &str, lasting_secs: u64) -> Alert {
    Alert {
        name: name.into(),
        enabled: true,
        metric: AlertMetric::LogsDropped,
        bound: AlertBound::Above(Quantity::whole(5)),
        window: Duration::from_secs(60),
        lasting: Duration::from_secs(lasting_secs),
        scope: AlertScope::default(),
        severity: AlertSeverity::Critical,
        webhook: None,
        message: None,
    }
}

fn reading(value: u64) -> Reading {
    Reading {
        value: Some(Quantity::whole(value)),
        holds: value > 5,
    }
}

/// A rule under a clock.
struct Watched {
    standing: Standing,
    now: i64,
    repeat: Duration,
}

impl Watched {
    fn new(lasting_secs: u64) -> Self {
        Self {
            standing: Standing::new(Arc::new(rule("r", lasting_secs))),
            now: START,
            repeat: Duration::ZERO,
        }
    }

    /// Ten seconds later.
    fn then(&mut self, value: u64) -> Option<Change> {
        self.now += 10_000;
        self.standing.step(self.now, reading(value), self.repeat)
    }

    fn state(&self) -> &'static str {
        self.standing.status().state.as_str()
    }

    fn acknowledge(&mut self, silent_secs: Option<i64>) -> bool {
        self.standing.acknowledge(AlertAcknowledgement {
            actor: "ops".to_owned(),
            reason: String::new(),
            at_unix_ms: self.now,
            silent_until_unix_ms: silent_secs.map(|secs| self.now + secs * 1000),
        })
    }
}

const FIRED: Option<Change> = Some(Change::Fired { tell: true });

fn resolved(since_unix_ms: i64, tell: bool) -> Option<Change> {
    Some(Change::Resolved {
        since_unix_ms,
        tell,
    })
}

#[test]
fn a_rule_fires_at_once_and_is_resolved_by_the_second_look_that_finds_it_well() {
    let mut watched = Watched::new(0);
    assert_eq!(watched.standing.status(), AlertStatus::default());
    assert_eq!((watched.then(5), watched.state()), (None, "ok"));
    assert_eq!((watched.then(6), watched.state()), (FIRED, "firing"));
    let since = watched.now;
    assert_eq!(watched.then(9), None);
    let status = watched.standing.status();
    assert_eq!(status.since_unix_ms, Some(since));
    assert_eq!(status.value, Some(9.into()));
    assert_eq!(status.evaluated_at_unix_ms, Some(watched.now));
    // Once is not enough.
    assert_eq!((watched.then(0), watched.state()), (None, "firing"));
    assert_eq!((watched.then(6), watched.state()), (None, "firing"));
    assert_eq!((watched.then(0), watched.state()), (None, "firing"));
    assert_eq!(
        (watched.then(0), watched.state()),
        (resolved(since, true), "ok")
    );
    assert_eq!(watched.then(0), None);
}

#[test]
fn a_rule_that_has_to_last_fires_when_it_has() {
    let mut watched = Watched::new(20);
    assert_eq!((watched.then(6), watched.state()), (None, "pending"));
    assert_eq!((watched.then(6), watched.state()), (None, "pending"));
    assert_eq!((watched.then(0), watched.state()), (None, "ok"));
    assert_eq!((watched.then(6), watched.state()), (None, "pending"));
    assert_eq!(watched.then(6), None);
    assert_eq!((watched.then(6), watched.state()), (FIRED, "firing"));
    assert_eq!(watched.standing.firing_since_unix_ms(), Some(watched.now));
}

#[test]
fn what_cannot_be_measured_does_not_hold() {
    let mut watched = Watched::new(0);
    assert_eq!(watched.then(6), FIRED);
    let since = watched.now;
    let mut nothing = || {
        watched.now += 10_000;
        let change = watched
            .standing
            .step(watched.now, Reading::default(), Duration::ZERO);
        (change, watched.standing.value())
    };
    assert_eq!(nothing(), (None, None));
    assert_eq!(nothing(), (resolved(since, true), None));
}

#[test]
fn an_alarm_is_told_again_after_a_while() {
    let mut watched = Watched::new(0);
    watched.repeat = Duration::from_secs(30);
    let told: Vec<_> = (0..8).map(|_| watched.then(6)).collect();
    let repeated = Some(Change::Repeated);
    assert_eq!(
        told,
        [FIRED, None, None, repeated, None, None, repeated, None]
    );
}

#[test]
fn who_takes_an_alarm_on_hears_no_more_of_it_until_it_was_resolved() {
    let mut watched = Watched::new(0);
    watched.repeat = Duration::from_secs(10);
    assert!(!watched.acknowledge(None), "there is nothing yet");
    assert_eq!(watched.then(6), FIRED);
    let since = watched.now;
    assert!(watched.acknowledge(None));
    let told: Vec<_> = (0..20).map(|_| watched.then(6)).collect();
    assert_eq!(told, [None; 20]);
    assert_eq!(watched.standing.status().acknowledged.unwrap().actor, "ops");
    watched.then(0);
    // It was told that it fires, and nothing stays open.
    assert_eq!(watched.then(0), resolved(since, true));
    assert_eq!(watched.standing.status().acknowledged, None);
    assert_eq!(watched.then(6), FIRED);
}

#[test]
fn silence_ends_and_what_still_fires_is_told_again() {
    let mut watched = Watched::new(0);
    assert_eq!(watched.then(6), FIRED);
    let since = watched.now;
    assert!(watched.acknowledge(Some(25)));
    assert_eq!(watched.then(6), None);
    assert_eq!(watched.then(6), None);
    assert_eq!(watched.then(6), Some(Change::Repeated));
    assert_eq!(watched.then(6), None, "without repetitions it stays there");
    assert_eq!(watched.standing.status().acknowledged, None);
    watched.then(0);
    assert_eq!(watched.then(0), resolved(since, true));
}

#[test]
fn silence_that_ends_between_two_looks_that_find_it_well_says_nothing_but_that() {
    let mut watched = Watched::new(0);
    assert_eq!(watched.then(6), FIRED);
    let since = watched.now;
    assert!(watched.acknowledge(Some(5)));
    assert_eq!(watched.then(0), None);
    assert_eq!(watched.then(0), resolved(since, true));
    assert_eq!(watched.then(6), FIRED);
}

#[test]
fn what_was_taken_on_before_it_fired_is_never_told() {
    let mut watched = Watched::new(20);
    watched.then(6);
    assert!(watched.acknowledge(None));
    watched.then(6);
    assert_eq!(watched.then(6), Some(Change::Fired { tell: false }));
    let since = watched.now;
    assert_eq!(watched.then(6), None);
    watched.then(0);
    assert_eq!(watched.then(0), resolved(since, false));
}

#[test]
fn what_was_taken_on_before_it_fired_is_told_when_silence_ends() {
    let mut watched = Watched::new(10);
    watched.then(6);
    assert!(watched.acknowledge(Some(15)));
    assert_eq!(watched.then(6), Some(Change::Fired { tell: false }));
    assert_eq!(watched.then(6), Some(Change::Repeated));
}

/// All rules of a gateway, without the gateway.
struct Rules {
    alerts: Alerts,
    clock: Clock,
}

impl Rules {
    fn new() -> Self {
        let clock = Clock::manual(START);
        let dns = Dns::new(Duration::from_secs(60), crate::tasks::Tasks::default());
        Self {
            alerts: Alerts::new(dns, clock.clone()),
            clock,
        }
    }

    /// What is told of these rules, each with its figure, ten seconds later.
    fn look(&self, rules: &[(&Alert, u64)]) -> Vec<(String, &'static str)> {
        self.events(rules)
            .iter()
            .map(|event| (event.alert.to_string(), event.state.as_str()))
            .collect()
    }

    fn events(&self, rules: &[(&Alert, u64)]) -> Vec<AlertEvent> {
        self.clock.advance_ms(10_000);
        let rules: Vec<_> = rules
            .iter()
            .map(|(rule, value)| (Arc::new((*rule).clone()), reading(*value)))
            .collect();
        let node = Node {
            id: "node-1".to_owned(),
            now_unix_ms: self.clock.unix_ms(),
        };
        let loaded = config::parse("", "t", &|_| None).unwrap();
        let settings = loaded.config.alerting;
        let notices = self.alerts.look(&rules, &node, &settings);
        notices.into_iter().map(|notice| notice.event).collect()
    }
}

#[test]
fn a_rule_that_leaves_while_it_fires_is_resolved_by_that() {
    let rules = Rules::new();
    let (one, two) = (rule("one", 0), rule("two", 0));
    assert_eq!(
        rules.look(&[(&one, 6), (&two, 0)]),
        [("one".to_owned(), "firing")]
    );
    assert_eq!(rules.look(&[(&two, 0)]), [("one".to_owned(), "resolved")]);
    let standings = rules.alerts.firing();
    assert_eq!(standings, [("two".into(), false)]);
}

#[test]
fn a_rule_that_asks_something_else_begins_anew_and_one_that_tells_somebody_else_goes_on() {
    let rules = Rules::new();
    let before = rule("r", 0);
    assert_eq!(rules.look(&[(&before, 6)]).len(), 1);
    let other_message = Alert {
        message: Some("look".to_owned()),
        severity: AlertSeverity::Warning,
        ..before.clone()
    };
    assert_eq!(rules.look(&[(&other_message, 6)]), []);
    let other_bound = Alert {
        bound: AlertBound::Above(Quantity::whole(7)),
        ..other_message
    };
    let events = rules.events(&[(&other_bound, 6)]);
    let [resolved, fired] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(resolved.state, AlertEventState::Resolved);
    assert_eq!(resolved.threshold, 5.into());
    assert_eq!(resolved.message, "look");
    assert_eq!(fired.threshold, 7.into());
}

#[test]
fn an_event_says_what_happened_and_where() {
    let rules = Rules::new();
    let plain = rule("r", 0);
    let event = rules.events(&[(&plain, 6)]).remove(0);
    let json = serde_json::to_value(&event).unwrap();
    let expected: Value = json!({
        "alert": "r", "state": "firing", "severity": "critical", "metric": "logs_dropped", "value": 6,
        "comparison": "above", "threshold": 5, "message": "logs_dropped is 6, and the rule is: above 5",
        "at_unix_ms": START + 10_000, "firing_since_unix_ms": START + 10_000, "node": "node-1",
        "gateway_version": env!("CARGO_PKG_VERSION"),
    });
    assert_eq!(json, expected);
}

#[test]
fn the_next_news_take_the_place_of_those_that_are_still_being_told() {
    let rules = Rules::new();
    rules.look(&[(&rule("r", 0), 6)]);
    let alerts = &rules.alerts;
    let delivery = |attempts| AlertDelivery {
        at_unix_ms: START,
        ok: true,
        attempts,
        status: Some(200),
        error: None,
    };
    let name: Arc<str> = "r".into();
    let (first, second) = (alerts.begin_telling(&name), alerts.begin_telling(&name));
    assert!(first.is_cancelled() && !second.is_cancelled());
    alerts.end_telling("r", &first, delivery(1));
    let last = || alerts.standings.lock()["r"].last_delivery.clone();
    assert_eq!(last(), None);
    alerts.end_telling("r", &second, delivery(2));
    assert_eq!(last(), Some(delivery(2)));
    assert!(alerts.telling.lock().is_empty());
    let third = alerts.begin_telling(&name);
    alerts.stop_telling("r");
    assert!(third.is_cancelled());
}
