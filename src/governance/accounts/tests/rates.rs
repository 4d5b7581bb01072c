use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::*;

#[test]
fn a_path_without_limits_is_admitted_and_has_nothing_to_report() {
    let world = World::new(&[("key:k", no_limits())], NOW_MS);
    let permit = world.admit("k", ask(1 << 60), NOW_MS).unwrap();
    assert_eq!(permit.standing(), Standing::default());
    assert_eq!(permit.standing().headers().count(), 0);
}

#[test]
fn the_limit_is_granted_then_refused_and_each_grant_returns_a_minute_later() {
    let world = World::new(&[("key:k", requests(3))], NOW_MS);
    let mut now = NOW_MS;
    for remaining in [2, 1, 0] {
        let permit = world.admit("k", ask(1), now).unwrap();
        let rate = permit.standing().requests.unwrap();
        assert_eq!((rate.limit, rate.remaining), (3, remaining));
        now += 10_000;
    }
    let refusal = world.admit("k", ask(1), now).unwrap_err();
    let rate = refusal.standing.requests.unwrap();
    assert_eq!((rate.limit, rate.remaining), (3, 0));
    assert_eq!(rate.reset, Duration::from_secs(51));
    assert!(refusal.retry_can_help);
    assert_eq!(refusal.error.kind, ErrorKind::RateLimitExceeded);
    assert_eq!(refusal.error.retry_after, Some(Duration::from_secs(31)));
    assert_eq!(
        refusal.error.message,
        "The key `k` has used up its limit of 3 requests per minute. Try again in 31s."
    );

    assert!(world.admit("k", ask(1), now + 30_999).is_err());
    assert!(world.admit("k", ask(1), now + 31_000).is_ok());
    assert!(world.admit("k", ask(1), now + 31_000).is_err());
}

#[test]
fn refused_requests_do_not_push_the_next_grant_away() {
    let world = World::new(&[("key:k", requests(1))], NOW_MS);
    assert!(world.admit("k", ask(1), NOW_MS).is_ok());
    for second in 1..61 {
        let refused = world.admit("k", ask(1), NOW_MS + second * 1000);
        assert!(refused.is_err(), "second {second}");
    }
    assert!(world.admit("k", ask(1), NOW_MS + 61_000).is_ok());
}

#[test]
fn a_limit_that_can_never_be_met_says_so() {
    let check = |limits: AccountLimits, tokens, expected: &str| {
        let world = World::new(&[("key:k", limits)], NOW_MS);
        let refusal = world.admit("k", ask(tokens), NOW_MS).unwrap_err();
        assert!(!refusal.retry_can_help);
        assert_eq!(refusal.error.kind, ErrorKind::RateLimitExceeded);
        assert_eq!(refusal.error.retry_after, None);
        let message = &refusal.error.message;
        assert!(message.contains(expected), "{message}");
    };
    check(requests(0), 1, "limit of 0 requests per minute");
    check(tokens_per_minute(100), 101, "101 tokens");
    check(tokens_per_minute(100), 101, "it can never pass");
    check(tokens_per_minute(100), u64::MAX, "it can never pass");
}

#[test]
fn a_lowered_limit_waits_until_enough_grants_have_left() {
    let mut world = World::new(&[("key:k", requests(10))], NOW_MS);
    for second in 0..4 {
        assert!(world.admit("k", ask(1), NOW_MS + second * 1000).is_ok());
    }
    world.reload(&[("key:k", requests(2))], NOW_MS + 4000);
    let refusal = world.admit("k", ask(1), NOW_MS + 4000).unwrap_err();
    assert_eq!(refusal.error.retry_after, Some(Duration::from_secs(59)));
    assert!(world.admit("k", ask(1), NOW_MS + 62_999).is_err());
    assert!(world.admit("k", ask(1), NOW_MS + 63_000).is_ok());
}

#[test]
fn a_clock_that_is_set_back_neither_frees_grants_nor_locks_the_key_out() {
    let world = World::new(&[("key:k", requests(2))], NOW_MS);
    for now in [NOW_MS + HOUR_MS, NOW_MS] {
        assert!(world.admit("k", ask(1), now).is_ok());
    }
    assert!(world.admit("k", ask(1), NOW_MS).is_err());
    assert!(world.admit("k", ask(1), NOW_MS + 60_999).is_err());
    assert!(world.admit("k", ask(1), NOW_MS + 61_000).is_ok());
}

#[test]
fn readings_of_the_clock_that_come_out_of_order_do_not_make_the_window_shorter() {
    let world = World::new(&[("key:k", requests(1))], NOW_MS);
    assert!(world.admit("k", ask(1), NOW_MS + 60_000).is_ok());
    for _ in 0..100 {
        assert!(world.admit("k", ask(1), NOW_MS).is_err());
        assert!(world.admit("k", ask(1), NOW_MS + 60_000).is_err());
    }
    assert!(world.admit("k", ask(1), NOW_MS + 120_999).is_err());
    assert!(world.admit("k", ask(1), NOW_MS + 121_000).is_ok());
}

#[test]
fn no_minute_ever_holds_more_grants_than_the_limit_however_many_ask_at_once() {
    const LIMIT: u64 = 50;
    let world = World::new(&[("key:k", requests(LIMIT))], NOW_MS);
    let mut now = NOW_MS;
    let mut granted_at = Vec::new();
    // Uneven steps, so that bursts fall anywhere within a second.
    for round in 0..400 {
        let granted = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        if world.admit("k", ask(1), now).is_ok() {
                            granted.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        granted_at.push((now, granted.into_inner()));
        now += 137 * (round % 11) + 1;
    }
    for (end, _) in &granted_at {
        let in_window: u64 = granted_at
            .iter()
            .filter(|(at, _)| (end - 60_000..=*end).contains(at))
            .map(|(_, count)| count)
            .sum();
        assert!(
            in_window <= LIMIT,
            "{in_window} grants in the minute before {end}"
        );
    }
    let total: u64 = granted_at.iter().map(|(_, count)| count).sum();
    assert!(total > 3 * LIMIT, "the window slides: {total}");
}

#[test]
fn tokens_count_as_estimated_until_the_settlement_says_what_was_used() {
    let world = World::new(&[("key:k", tokens_per_minute(100))], NOW_MS);
    let counted = |now| world.view("key:k", now).tokens_in_window;
    let mut permit = world.admit("k", ask(70), NOW_MS).unwrap();
    assert_eq!(permit.standing().tokens.unwrap().remaining, 30);
    let refusal = world.admit("k", ask(31), NOW_MS + 5000).unwrap_err();
    assert_eq!(refusal.standing.tokens.unwrap().remaining, 30);
    assert_eq!(refusal.error.retry_after, Some(Duration::from_secs(56)));
    assert_eq!(
        refusal.error.message,
        "The key `k` has 30 of its limit of 100 tokens per minute left, and this request may take 31. \
         Try again in 56s, or ask for fewer tokens."
    );

    permit.settle(used(20), NOW_MS + 10_000, |_| ());
    drop(permit);
    assert_eq!(counted(NOW_MS + 10_000), 20);
    // What is used counts in the second in which it was let in.
    assert_eq!(counted(NOW_MS + 60_999), 20);
    assert_eq!(counted(NOW_MS + 61_000), 0);
}

#[test]
fn tokens_above_the_estimate_count_when_they_are_settled() {
    let world = World::new(&[("key:k", tokens_per_minute(100))], NOW_MS);
    let counted = |now| world.view("key:k", now).tokens_in_window;
    let mut permit = world.admit("k", ask(10), NOW_MS).unwrap();
    permit.settle(used(150), NOW_MS + 30_000, |_| ());
    assert_eq!(counted(NOW_MS + 30_000), 150);
    assert!(world.admit("k", ask(0), NOW_MS + 30_000).is_err());
    assert_eq!(counted(NOW_MS + 61_000), 140);
    assert_eq!(counted(NOW_MS + 91_000), 0);
}

#[test]
fn an_estimate_that_has_left_the_window_is_not_taken_out_of_others() {
    let world = World::new(&[("key:k", tokens_per_minute(100))], NOW_MS);
    let mut long = world.admit("k", ask(60), NOW_MS).unwrap();
    let mut other = world.admit("k", ask(40), NOW_MS + 61_000).unwrap();
    other.settle(used(40), NOW_MS + 61_000, |_| ());
    long.settle(used(1), NOW_MS + 62_000, |_| ());
    drop(long);
    let view = world.view("key:k", NOW_MS + 62_000);
    assert_eq!(view.tokens_in_window, 40);
}

#[test]
fn the_tightest_limit_of_the_path_is_shown_and_the_one_that_refuses_is_named() {
    let both = AccountLimits {
        tokens_per_minute: Some(5000),
        ..requests(10)
    };
    let declared = [
        ("key:k", both),
        ("key:other", no_limits()),
        ("team:t", requests(4)),
        ("organization:acme", tokens_per_minute(900)),
    ];
    let world = World::new(&declared, NOW_MS);
    for _ in 0..3 {
        assert!(world.admit("other", ask(0), NOW_MS).is_ok());
    }
    let permit = world.admit("k", ask(100), NOW_MS).unwrap();
    let standing = permit.standing();
    assert_eq!(standing.requests.unwrap().limit, 4);
    assert_eq!(standing.requests.unwrap().remaining, 0);
    assert_eq!(standing.tokens.unwrap().limit, 900);
    assert_eq!(standing.tokens.unwrap().remaining, 800);

    let refusal = world.admit("k", ask(100), NOW_MS).unwrap_err();
    assert!(refusal.error.message.contains("The team `t`"));
    assert_eq!(refusal.standing.requests.unwrap().limit, 4);
    // The tokens do not fit ever; the requests would, in a minute.
    let refusal = world.admit("k", ask(901), NOW_MS).unwrap_err();
    let message = &refusal.error.message;
    assert!(message.contains("organization `acme`"), "{message}");
    assert!(!refusal.retry_can_help);
}

#[test]
fn of_two_refusals_the_one_that_lasts_longer_is_given_and_shown() {
    let declared = [
        ("key:k", tokens_per_minute(100)),
        ("key:other", no_limits()),
        ("organization:acme", tokens_per_minute(200)),
    ];
    let world = World::new(&declared, NOW_MS);
    assert!(world.spend("k", ask(90), NOW_MS).is_ok());
    assert!(world.spend("other", ask(85), NOW_MS + 30_000).is_ok());
    let later = NOW_MS + 40_000;
    let check = |tokens, account: &str, wait, remaining| {
        let refusal = world.admit("k", ask(tokens), later).unwrap_err();
        assert!(refusal.error.message.contains(account), "{}", refusal.error);
        assert_eq!(refusal.error.retry_after, Some(Duration::from_secs(wait)));
        let shown = refusal.standing.tokens.unwrap();
        assert_eq!(shown.remaining, remaining);
    };
    check(20, "key `k`", 21, 10);
    // They end together: then it is the narrower account's.
    check(30, "key `k`", 21, 10);
    assert!(world.spend("other", ask(24), later).is_ok());
    let mut world = world;
    let mut lowered = declared;
    lowered[2].1 = tokens_per_minute(105);
    world.reload(&lowered, later);
    let refusal = world.admit("k", ask(20), later).unwrap_err();
    let message = &refusal.error.message;
    assert!(message.contains("organization `acme`"), "{message}");
    assert_eq!(refusal.error.retry_after, Some(Duration::from_secs(51)));
}

#[test]
fn a_refusal_shows_the_limit_that_refused_even_where_another_has_less_left() {
    let declared = [
        ("key:k", tokens_per_minute(50)),
        ("key:other", no_limits()),
        ("organization:acme", tokens_per_minute(100)),
    ];
    let world = World::new(&declared, NOW_MS);
    assert!(world.spend("other", ask(70), NOW_MS).is_ok());
    let refusal = world.admit("k", ask(60), NOW_MS).unwrap_err();
    let shown = refusal.standing.tokens.unwrap();
    assert_eq!((shown.limit, shown.remaining), (50, 50));
}

#[test]
fn what_one_level_refuses_no_level_counts() {
    let declared = [
        (
            "key:k",
            AccountLimits {
                tokens_per_minute: Some(1000),
                ..requests(10)
            },
        ),
        ("user:u", budgets(&[token_budget(1000, BudgetPeriod::Day)])),
        ("project:p", requests(10)),
        ("team:t", concurrency(5)),
        (
            "organization:full",
            budgets(&[token_budget(10, BudgetPeriod::Day)]),
        ),
    ];
    let world = World::new(&declared, NOW_MS);
    assert!(world.spend("k", ask(5), NOW_MS).is_ok());
    let before = world.everything(NOW_MS);
    for _ in 0..20 {
        let refusal = world.admit("k", ask(6), NOW_MS).unwrap_err();
        assert_eq!(refusal.error.kind, ErrorKind::TokenBudgetExceeded);
    }
    assert_eq!(world.everything(NOW_MS), before);
}

#[test]
fn an_answer_from_the_cache_counts_as_a_request_and_as_nothing_else() {
    let limits = AccountLimits {
        tokens_per_minute: Some(10),
        concurrency: Some(1),
        budgets: vec![
            token_budget(10, BudgetPeriod::Day),
            money_budget(10, BudgetPeriod::Day),
        ],
        ..requests(2)
    };
    let world = World::new(&[("key:k", limits)], NOW_MS);
    let hit = Ask {
        tokens: 1000,
        cost_nanos: None,
        charges: false,
    };
    let first = world.admit("k", hit, NOW_MS).unwrap();
    let second = world.admit("k", hit, NOW_MS).unwrap();
    let view = world.view("key:k", NOW_MS);
    assert_eq!((view.requests_in_window, view.tokens_in_window), (2, 0));
    assert_eq!((view.in_flight, world.budget("key:k", NOW_MS)), (0, (0, 0)));
    assert!(world.admit("k", hit, NOW_MS).is_err());
    drop((first, second));
    assert_eq!(world.view("key:k", NOW_MS).requests_in_window, 2);
}
