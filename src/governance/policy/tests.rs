use std::sync::Arc;

use ferrogate_api::{Outcome, RequestLog, TenantContext, Tokens};
use jiff::{civil::Weekday, tz::TimeZone};
use proptest::prelude::*;

use super::{Policies, Subject, index::Selector};
use crate::config::{HourRange, Policy, PolicyCondition};

const KEYS: &[&str] = &["k1", "k2", "k3"];
const TENANTS: &[&str] = &["t1", "t2"];
const MODELS: &[&str] = &["fast", "deep", "mcp_tool:github-search"];
const PROVIDERS: &[&str] = &["openai", "mcp:github"];

#[test]
fn a_rule_is_met_when_every_list_is_and_an_empty_list_is_met_by_all() {
    let tenant = tenant(["acme", "core", "search", "ann"].map(Some));
    let subject = nobody(&tenant);
    let check = |policy: Policy, met: bool| {
        let name = policy.name.clone();
        let policies = Policies::build(&[Arc::new(policy)]);
        assert_eq!(policies.refuses(&subject).is_some(), met, "{name}");
    };
    check(named("everything"), true);
    for (list, inside, outside) in [
        (Selector::Key, "k1", "k2"),
        (Selector::User, "ann", "bob"),
        (Selector::Project, "search", "ads"),
        (Selector::Team, "core", "edge"),
        (Selector::Organization, "acme", "globex"),
        (Selector::Model, "fast", "deep"),
        (Selector::Provider, "openai", "anthropic"),
    ] {
        check(with(named("one"), list, &[inside]), true);
        check(with(named("two"), list, &[outside, inside]), true);
        check(with(named("other"), list, &[outside]), false);
        // Whatever stands beside it, which is not the list the rule is found by.
        let beside = with(named("beside"), Selector::Key, &["k1"]);
        check(with(beside.clone(), list, &[inside]), true);
        check(with(beside, list, &[outside]), false);
    }
}

#[test]
fn a_rule_that_names_tenants_is_not_met_by_a_key_without_one() {
    let without = TenantContext::default();
    for list in [
        Selector::User,
        Selector::Project,
        Selector::Team,
        Selector::Organization,
    ] {
        let named = with(named("t"), list, &["acme", ""]);
        let beside = with(named.clone(), Selector::Key, &["k1"]);
        let policies = Policies::build(&[Arc::new(named), Arc::new(beside)]);
        assert_eq!(policies.refuses(&nobody(&without)), None, "{list:?}");
    }
}

#[test]
fn the_first_rule_in_declared_order_refuses_however_narrow_the_later_ones_are() {
    let tenant = tenant([Some("acme"), None, None, None]);
    let subject = nobody(&tenant);
    let rules = [
        with(named("another key"), Selector::Key, &["k2"]),
        Policy {
            enabled: false,
            ..named("switched off")
        },
        with(named("organization"), Selector::Organization, &["acme"]),
        with(named("key"), Selector::Key, &["k1"]),
        named("all"),
    ]
    .map(Arc::new);
    let refused_by = |rules: &[Arc<Policy>]| {
        let policies = Policies::build(rules);
        policies.refuses(&subject).map(|rule| rule.name.to_string())
    };
    assert_eq!(refused_by(&rules).as_deref(), Some("organization"));
    let mut turned = rules;
    turned.reverse();
    assert_eq!(refused_by(&turned).as_deref(), Some("all"));
    assert_eq!(refused_by(&turned[1..]).as_deref(), Some("key"));
    assert_eq!(refused_by(&turned[3..]), None);
}

#[test]
fn tools_are_refused_by_their_names() {
    let tenant = TenantContext::default();
    let tool = Subject {
        model: "mcp_tool:github-search",
        provider: "mcp:github",
        ..nobody(&tenant)
    };
    for (list, name) in [
        (Selector::Model, "mcp_tool:github-search"),
        (Selector::Provider, "mcp:github"),
    ] {
        let policies = Policies::build(&[Arc::new(with(named("tool"), list, &[name]))]);
        assert!(policies.refuses(&tool).is_some());
        assert!(policies.refuses(&nobody(&tenant)).is_none());
    }
}

#[test]
fn hours_and_days_are_those_of_the_zone_and_a_night_belongs_to_its_evening() {
    let check = |hours: Option<(u16, u16)>, days: &[Weekday], zone: &str, at: &str, met: bool| {
        let policies = Policies::build(&[Arc::new(when(PolicyCondition {
            hours: hours.map(|(from, to)| HourRange {
                from_minute: from * 60,
                to_minute: to * 60,
            }),
            days: days.to_vec(),
            time_zone: TimeZone::get(zone).unwrap(),
            ..always()
        }))]);
        let tenant = TenantContext::default();
        let at: jiff::Timestamp = at.parse().unwrap();
        let subject = Subject {
            at_unix_ms: at.as_millisecond(),
            ..nobody(&tenant)
        };
        let found = policies.refuses(&subject).is_some();
        assert_eq!(found, met, "{hours:?} {days:?} {zone} {at}");
    };
    let friday = &[Weekday::Friday];
    // 2026-01-02 is a Friday.
    check(Some((9, 17)), &[], "UTC", "2026-01-02T08:59:59Z", false);
    check(Some((9, 17)), &[], "UTC", "2026-01-02T09:00:00Z", true);
    check(Some((9, 17)), &[], "UTC", "2026-01-02T16:59:59Z", true);
    check(Some((9, 17)), &[], "UTC", "2026-01-02T17:00:00Z", false);
    check(Some((0, 24)), &[], "UTC", "2026-01-02T23:59:59Z", true);
    check(Some((22, 6)), &[], "UTC", "2026-01-02T21:59:59Z", false);
    check(Some((22, 6)), &[], "UTC", "2026-01-02T22:00:00Z", true);
    check(Some((22, 6)), &[], "UTC", "2026-01-02T05:59:59Z", true);
    check(Some((22, 6)), &[], "UTC", "2026-01-02T06:00:00Z", false);
    check(Some((22, 6)), friday, "UTC", "2026-01-02T23:00:00Z", true);
    check(Some((22, 6)), friday, "UTC", "2026-01-03T05:00:00Z", true);
    check(Some((22, 6)), friday, "UTC", "2026-01-02T05:00:00Z", false);
    check(Some((22, 6)), friday, "UTC", "2026-01-03T23:00:00Z", false);
    check(None, friday, "UTC", "2026-01-02T23:00:00Z", true);
    check(None, friday, "UTC", "2026-01-03T00:00:00Z", false);
    // Saturday in Tokyo while it is Friday in London.
    check(None, friday, "Asia/Tokyo", "2026-01-02T20:00:00Z", false);
    // 09:00 in Berlin is 08:00 UTC in winter, 07:00 UTC in summer.
    let berlin = "Europe/Berlin";
    check(Some((9, 17)), &[], berlin, "2026-01-02T07:30:00Z", false);
    check(Some((9, 17)), &[], berlin, "2026-01-02T08:00:00Z", true);
    check(Some((9, 17)), &[], berlin, "2026-07-03T07:00:00Z", true);
    check(Some((9, 17)), &[], berlin, "2026-07-03T15:00:00Z", false);
}

#[test]
fn each_rule_asks_for_the_time_of_its_own_zone() {
    let tenant = TenantContext::default();
    let morning = |zone: &str| {
        Arc::new(Policy {
            name: zone.into(),
            ..when(PolicyCondition {
                hours: Some(HourRange {
                    from_minute: 6 * 60,
                    to_minute: 12 * 60,
                }),
                time_zone: TimeZone::get(zone).unwrap(),
                ..always()
            })
        })
    };
    // More than are remembered at once.
    let zones = [
        "UTC",
        "Asia/Tokyo",
        "UTC",
        "Asia/Kolkata",
        "America/New_York",
        "UTC",
        "America/Los_Angeles",
        "Pacific/Honolulu",
    ]
    .map(morning);
    let policies = Policies::build(&zones);
    // Each of these is a morning there, and in none of the zones before it.
    for (at, expected) in [
        ("2026-01-02T06:00:00Z", "UTC"),
        ("2026-01-02T22:00:00Z", "Asia/Tokyo"),
        ("2026-01-02T03:30:00Z", "Asia/Kolkata"),
        ("2026-01-02T12:00:00Z", "America/New_York"),
        ("2026-01-02T17:30:00Z", "America/Los_Angeles"),
        ("2026-01-02T20:30:00Z", "Pacific/Honolulu"),
    ] {
        let at: jiff::Timestamp = at.parse().unwrap();
        let subject = Subject {
            at_unix_ms: at.as_millisecond(),
            ..nobody(&tenant)
        };
        assert_eq!(&*policies.refuses(&subject).unwrap().name, expected);
    }
}

#[test]
fn bounds_are_crossed_from_above_and_an_unknown_cost_is_above_every_bound() {
    let tenant = TenantContext::default();
    let check = |condition: PolicyCondition, tokens: u64, cost: Option<i64>, stream, met| {
        let policies = Policies::build(&[Arc::new(when(condition.clone()))]);
        let subject = Subject {
            estimated_tokens: tokens,
            estimated_cost_nanos: cost,
            stream,
            ..nobody(&tenant)
        };
        let found = policies.refuses(&subject).is_some();
        assert_eq!(found, met, "{condition:?} {tokens} {cost:?} {stream}");
    };
    let tokens = PolicyCondition {
        estimated_tokens_above: Some(1000),
        ..always()
    };
    check(tokens.clone(), 1000, None, false, false);
    check(tokens.clone(), 1001, None, false, true);
    let cost = PolicyCondition {
        estimated_cost_above_nanos: Some(5),
        ..always()
    };
    check(cost.clone(), 0, Some(5), false, false);
    check(cost.clone(), 0, Some(6), false, true);
    check(cost, 0, None, false, true);
    for wanted in [true, false] {
        let streaming = PolicyCondition {
            streaming: Some(wanted),
            ..always()
        };
        check(streaming.clone(), 0, None, wanted, true);
        check(streaming, 0, None, !wanted, false);
    }
    let both = PolicyCondition {
        streaming: Some(true),
        ..tokens
    };
    check(both.clone(), 1001, None, true, true);
    check(both.clone(), 1001, None, false, false);
    check(both, 1000, None, true, false);
}

#[test]
fn an_estimate_is_needed_only_where_an_enabled_rule_asks_for_it() {
    let check = |policy: Policy, needed: bool| {
        let name = policy.name.clone();
        let policies = Policies::build(&[Arc::new(named("plain")), Arc::new(policy)]);
        assert_eq!(policies.needs_estimate(), needed, "{name}");
    };
    let tokens = || {
        when(PolicyCondition {
            estimated_tokens_above: Some(1),
            ..always()
        })
    };
    let cost = when(PolicyCondition {
        estimated_cost_above_nanos: Some(1),
        ..always()
    });
    let stream = when(PolicyCondition {
        streaming: Some(true),
        ..always()
    });
    check(tokens(), true);
    check(cost, true);
    check(stream, false);
    check(
        Policy {
            enabled: false,
            ..tokens()
        },
        false,
    );
    assert!(Policies::build(&[]).is_empty());
}

#[test]
fn a_dry_run_counts_what_would_have_been_refused_and_was_not() {
    let at: jiff::Timestamp = "2026-01-02T12:00:00Z".parse().unwrap();
    let log = |id: &str| RequestLog {
        request_id: id.to_owned(),
        started_at_unix_ms: at.as_millisecond(),
        api_key_id: Some("k1".into()),
        model: Some("fast".into()),
        provider: Some("openai".into()),
        ..RequestLog::default()
    };
    let large = when(PolicyCondition {
        estimated_tokens_above: Some(1000),
        ..always()
    });
    let policies = Policies::build(&[
        Arc::new(with(named("deep"), Selector::Model, &["deep"])),
        Arc::new(Policy {
            name: "large".into(),
            ..large
        }),
        Arc::new(with(named("globex"), Selector::Organization, &["globex"])),
        Arc::new(with(named("never"), Selector::Key, &["k9"])),
    ]);
    let logs = [
        log("passes"),
        RequestLog {
            model: Some("deep".into()),
            estimated_tokens: Some(2000),
            ..log("deep and large")
        },
        RequestLog {
            estimated_tokens: Some(2000),
            ..log("large")
        },
        RequestLog {
            estimated_tokens: Some(10),
            tokens: Tokens {
                output: 2000,
                ..Tokens::default()
            },
            ..log("larger than it was estimated")
        },
        RequestLog {
            tokens: Tokens {
                input: 600,
                output: 600,
                ..Tokens::default()
            },
            ..log("never estimated")
        },
        RequestLog {
            model: Some("deep".into()),
            outcome: Outcome::Refused,
            ..log("refused then")
        },
        RequestLog {
            tenant: Some(Arc::new(tenant([Some("globex"), None, None, None]))),
            ..log("globex")
        },
        RequestLog {
            model: None,
            ..log("a list of models")
        },
        RequestLog {
            api_key_id: None,
            ..log("nobody's")
        },
    ];
    let mut run = policies.dry_run();
    let (first, rest) = logs.split_at(3);
    run.examine(first);
    run.examine(rest);
    let report = run.report();
    assert_eq!(
        (report.examined, report.refused, report.already_refused),
        (7, 4, 1)
    );
    let counts: Vec<_> = report
        .by_policy
        .iter()
        .map(|count| {
            (
                &*count.name,
                count.refused,
                count.sample_request_ids.join(", "),
            )
        })
        .collect();
    assert_eq!(
        counts,
        [
            ("deep", 1, "deep and large".to_owned()),
            ("large", 2, "large, never estimated".to_owned()),
            ("globex", 1, "globex".to_owned()),
            ("never", 0, String::new()),
        ]
    );

    let mut run = policies.dry_run();
    let many = vec![logs[2].clone(); 1000];
    run.examine(&many);
    let large = run.report().by_policy.remove(1);
    assert_eq!(
        (large.refused, large.sample_request_ids.len()),
        (1000, super::dry_run::SAMPLES_MAX)
    );
}

proptest! {
    /// Whatever is declared, the index finds what reading every rule from the top would find.
    #[test]
    fn the_index_forgets_no_rule(
        rules in prop::collection::vec(any_policy(), 0..40),
        subjects in prop::collection::vec(any_subject(), 1..20),
    ) {
        let rules: Vec<_> = rules.into_iter().map(Arc::new).collect();
        let policies = Policies::build(&rules);
        for (key, tenant, model, provider, stream) in &subjects {
            let subject = Subject {
                key_id: key,
                tenant,
                model,
                provider,
                stream: *stream,
                ..nobody(tenant)
            };
            let expected = rules.iter().find(|rule| one_by_one(rule, &subject));
            prop_assert_eq!(policies.refuses(&subject), expected);
        }
    }
}

/// The rule's meaning, without any index.
fn one_by_one(rule: &Policy, subject: &Subject<'_>) -> bool {
    let in_lists = Selector::ALL.into_iter().all(|selector| {
        let names = selector.names(rule);
        let name = selector.name_of(subject);
        names.is_empty() || name.is_some_and(|name| names.iter().any(|listed| **listed == *name))
    });
    let streaming = rule.when.as_ref().and_then(|when| when.streaming);
    rule.enabled && in_lists && streaming.is_none_or(|stream| stream == subject.stream)
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let list = |names: &'static [&'static str]| {
        prop_oneof![
            3 => Just(Vec::new()),
            2 => prop::collection::vec(prop::sample::select(names), 1..3),
        ]
    };
    let tenants = [list(TENANTS), list(TENANTS), list(TENANTS), list(TENANTS)];
    let streaming = prop_oneof![3 => Just(None), 1 => any::<bool>().prop_map(Some)];
    (
        list(KEYS),
        tenants,
        list(MODELS),
        list(PROVIDERS),
        prop::bool::weighted(0.9),
        streaming,
    )
        .prop_map(|(keys, tenants, models, providers, enabled, streaming)| {
            let mut policy = Policy {
                enabled,
                when: streaming.map(|streaming| PolicyCondition {
                    streaming: Some(streaming),
                    ..always()
                }),
                ..named("any")
            };
            let [users, projects, teams, organizations] = tenants;
            for (selector, names) in [
                (Selector::Key, keys),
                (Selector::User, users),
                (Selector::Project, projects),
                (Selector::Team, teams),
                (Selector::Organization, organizations),
                (Selector::Model, models),
                (Selector::Provider, providers),
            ] {
                policy = with(policy, selector, &names);
            }
            policy
        })
}

type AnySubject = (
    &'static str,
    TenantContext,
    &'static str,
    &'static str,
    bool,
);

fn any_subject() -> impl Strategy<Value = AnySubject> {
    let id = || prop::option::of(prop::sample::select(TENANTS));
    let ids = [id(), id(), id(), id()];
    (
        prop::sample::select(KEYS),
        ids.prop_map(tenant),
        prop::sample::select(MODELS),
        prop::sample::select(PROVIDERS),
        any::<bool>(),
    )
}

/// Organization, team, project, user.
fn tenant(ids: [Option<&str>; 4]) -> TenantContext {
    let [organization_id, team_id, project_id, user_id] = ids.map(|id| id.map(Arc::from));
    TenantContext {
        organization_id,
        team_id,
        project_id,
        user_id,
    }
}

fn nobody(tenant: &TenantContext) -> Subject<'_> {
    Subject {
        key_id: "k1",
        tenant,
        model: "fast",
        provider: "openai",
        estimated_tokens: 0,
        estimated_cost_nanos: Some(0),
        stream: false,
        at_unix_ms: 0,
    }
}

fn named(name: &str) -> Policy {
    Policy {
        name: name.into(),
        enabled: true,
        organization_ids: Vec::new(),
        team_ids: Vec::new(),
        project_ids: Vec::new(),
        user_ids: Vec::new(),
        api_key_ids: Vec::new(),
        models: Vec::new(),
        providers: Vec::new(),
        code: "policy_denied".into(),
        message: "no".to_owned(),
        when: None,
    }
}

fn with(mut policy: Policy, list: Selector, names: &[&str]) -> Policy {
    let list = match list {
        Selector::Key => &mut policy.api_key_ids,
        Selector::User => &mut policy.user_ids,
        Selector::Project => &mut policy.project_ids,
        Selector::Team => &mut policy.team_ids,
        Selector::Organization => &mut policy.organization_ids,
        Selector::Model => &mut policy.models,
        Selector::Provider => &mut policy.providers,
    };
    *list = names.iter().copied().map(Arc::from).collect();
    policy
}

fn when(condition: PolicyCondition) -> Policy {
    Policy {
        when: Some(condition),
        ..named("when")
    }
}

fn always() -> PolicyCondition {
    PolicyCondition {
        hours: None,
        days: Vec::new(),
        time_zone: TimeZone::UTC,
        estimated_tokens_above: None,
        estimated_cost_above_nanos: None,
        streaming: None,
    }
}
