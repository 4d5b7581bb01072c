use std::time::Duration;

use super::*;

const UNIT: i64 = 1_000_000_000;

fn money(cost_nanos: i64) -> Ask {
    Ask {
        cost_nanos: Some(cost_nanos),
        ..ask(0)
    }
}

#[test]
fn what_is_used_and_held_and_asked_for_has_to_fit() {
    let world = World::new(
        &[("key:k", budgets(&[token_budget(100, BudgetPeriod::Day)]))],
        NOW_MS,
    );
    assert!(world.spend("k", ask(30), NOW_MS).is_ok());
    let held = world.admit("k", ask(50), NOW_MS).unwrap();
    assert!(world.admit("k", ask(21), NOW_MS).is_err());
    let last = world.admit("k", ask(20), NOW_MS).unwrap();
    assert!(world.admit("k", ask(1), NOW_MS).is_err());
    drop((held, last));
    assert_eq!(world.budget("key:k", NOW_MS), (30, 0));
    assert!(world.spend("k", ask(70), NOW_MS).is_ok());
    assert!(world.admit("k", ask(1), NOW_MS).is_err());
}

#[test]
fn a_refusal_says_whose_budget_how_it_stands_and_when_it_begins_anew() {
    let berlin = in_zone(token_budget(1000, BudgetPeriod::Month), "Europe/Berlin");
    let declared = [
        ("key:k", budgets(&[berlin])),
        (
            "organization:acme",
            budgets(&[money_budget(25 * UNIT, BudgetPeriod::Day)]),
        ),
    ];
    let world = World::new(&declared, NOW_MS);
    assert!(world.spend("k", ask(900), NOW_MS).is_ok());
    let held = world.admit("k", ask(50), NOW_MS).unwrap();
    let refusal = world.admit("k", ask(80), NOW_MS).unwrap_err();
    assert_eq!(refusal.error.kind, ErrorKind::TokenBudgetExceeded);
    assert_eq!(
        refusal.error.message,
        "The key `k`'s budget `month-tokens` is 1000 tokens: 900 used, 50 held by requests in flight, and this \
         request may take 80. The budget begins anew at 2026-02-01T00:00:00+01:00[Europe/Berlin]."
    );
    assert!(!refusal.retry_can_help);
    assert_eq!(refusal.error.retry_after, None, "nobody waits for a month");
    drop(held);

    assert!(world.spend("k", money(24 * UNIT), NOW_MS).is_ok());
    let refusal = world
        .admit("k", money(UNIT + UNIT / 2), NOW_MS + 5000)
        .unwrap_err();
    assert_eq!(refusal.error.kind, ErrorKind::CostBudgetExceeded);
    assert_eq!(
        refusal.error.message,
        "The organization `acme`'s budget `day-money` is 25 in money: 24 used, 0 held by requests in flight, and \
         this request may take 1.5. The budget begins anew at 2026-01-02T00:00:00+00:00[UTC]."
    );
    let until_midnight = Duration::from_secs(24 * 60 * 60 - 5);
    assert_eq!(refusal.error.retry_after, Some(until_midnight));
    assert!(!refusal.retry_can_help);
}

#[test]
fn a_request_that_no_period_lets_through_is_told_so() {
    let check = |budget: Budget, tokens, expected: &str| {
        let world = World::new(&[("key:k", budgets(&[budget]))], NOW_MS);
        assert!(world.spend("k", ask(10), NOW_MS).is_ok());
        let refusal = world.admit("k", ask(tokens), NOW_MS).unwrap_err();
        let message = &refusal.error.message;
        assert!(message.contains(expected), "{message}");
        assert_eq!(refusal.error.retry_after, None);
    };
    check(
        token_budget(100, BudgetPeriod::Hour),
        101,
        "it can never pass",
    );
    check(
        token_budget(100, BudgetPeriod::Total),
        101,
        "it can never pass",
    );
    check(
        token_budget(100, BudgetPeriod::Total),
        91,
        "a total and never begins anew",
    );
}

#[test]
fn the_budget_that_refuses_longest_is_named() {
    let day = token_budget(10, BudgetPeriod::Day);
    let hour = token_budget(10, BudgetPeriod::Hour);
    let total = token_budget(10, BudgetPeriod::Total);
    let check = |key: &Budget, organization: &Budget, expected: &str| {
        let declared = [
            ("key:k", budgets(std::slice::from_ref(key))),
            (
                "organization:acme",
                budgets(std::slice::from_ref(organization)),
            ),
        ];
        let world = World::new(&declared, NOW_MS);
        assert!(world.spend("k", ask(10), NOW_MS).is_ok());
        let refusal = world.admit("k", ask(1), NOW_MS).unwrap_err();
        let message = &refusal.error.message;
        assert!(message.contains(expected), "{message}");
    };
    check(&hour, &day, "organization `acme`'s budget `day-tokens`");
    check(&day, &hour, "key `k`'s budget `day-tokens`");
    check(&day, &day, "key `k`'s budget `day-tokens`");
    check(&day, &total, "organization `acme`'s budget `total-tokens`");
}

#[test]
fn rates_come_before_concurrency_and_concurrency_before_budgets() {
    let all = AccountLimits {
        requests_per_minute: Some(1),
        ..concurrency(1)
    };
    let declared = [
        ("key:k", budgets(&[token_budget(1, BudgetPeriod::Day)])),
        ("organization:acme", all),
    ];
    let world = World::new(&declared, NOW_MS);
    let kind = |now| world.admit("k", ask(1), now).unwrap_err().error.kind;
    let permit = world.admit("k", ask(1), NOW_MS).unwrap();
    assert_eq!(kind(NOW_MS), ErrorKind::RateLimitExceeded);
    assert_eq!(kind(NOW_MS + 61_000), ErrorKind::ConcurrencyLimitExceeded);
    let mut permit = permit;
    permit.settle(used(1), NOW_MS + 61_000, |_| ());
    drop(permit);
    assert_eq!(kind(NOW_MS + 61_000), ErrorKind::TokenBudgetExceeded);
}

#[test]
fn without_a_price_no_budget_in_money_lets_anything_through() {
    let declared = [
        ("key:k", budgets(&[token_budget(100, BudgetPeriod::Day)])),
        ("team:t", budgets(&[money_budget(100, BudgetPeriod::Day)])),
    ];
    let world = World::new(&declared, NOW_MS);
    let unpriced = Ask {
        cost_nanos: None,
        ..ask(1)
    };
    let before = world.everything(NOW_MS);
    let refusal = world.admit("k", unpriced, NOW_MS).unwrap_err();
    assert_eq!(refusal.error.kind, ErrorKind::PriceUnknown);
    assert!(
        refusal
            .error
            .message
            .contains("team `t` has the budget `day-money`")
    );
    assert!(!refusal.retry_can_help);
    assert_eq!(world.everything(NOW_MS), before);

    let world = World::new(&declared[..1], NOW_MS);
    assert!(world.spend("k", unpriced, NOW_MS).is_ok());
}

#[test]
fn a_settlement_above_the_estimate_is_charged_in_full() {
    let world = World::new(
        &[("key:k", budgets(&[token_budget(100, BudgetPeriod::Day)]))],
        NOW_MS,
    );
    let mut permit = world.admit("k", ask(10), NOW_MS).unwrap();
    permit.settle(used(130), NOW_MS, |_| ());
    drop(permit);
    let status = world.view("key:k", NOW_MS).budgets.remove(0).status;
    assert_eq!((status.used, status.held, status.remaining), (130, 0, -30));
    assert!(world.admit("k", ask(0), NOW_MS).is_err());
}

#[test]
fn amounts_that_nothing_holds_saturate() {
    let limits = budgets(&[
        token_budget(i64::MAX, BudgetPeriod::Day),
        money_budget(i64::MAX, BudgetPeriod::Day),
    ]);
    let world = World::new(
        &[("key:k", limits), ("organization:free", no_limits())],
        NOW_MS,
    );
    let huge = Ask {
        cost_nanos: Some(i64::MAX),
        ..ask(u64::MAX)
    };
    let mut first = world.admit("k", huge, NOW_MS).unwrap();
    assert!(world.admit("k", ask(1), NOW_MS).is_err());
    for _ in 0..2 {
        let all = Used {
            tokens: u64::MAX,
            cost_nanos: Some(i64::MAX),
        };
        first.settle(all, NOW_MS, |_| ());
    }
    drop(first);
    assert_eq!(world.budget("key:k", NOW_MS), (i64::MAX, 0));

    // Where there is no budget to refuse them, holds add up to more than there is room for, and still come back.
    let world = World::new(&[("key:k", no_limits())], NOW_MS);
    let both = (
        world.admit("k", huge, NOW_MS).unwrap(),
        world.admit("k", huge, NOW_MS).unwrap(),
    );
    drop(both);
    let mut world = world;
    world.reload(
        &[("key:k", budgets(&[token_budget(5, BudgetPeriod::Day)]))],
        NOW_MS,
    );
    assert_eq!(world.budget("key:k", NOW_MS), (0, 0));
}

#[test]
fn top_ups_and_raises_count_while_they_are_in_force() {
    let limits = budgets(&[
        token_budget(100, BudgetPeriod::Day),
        token_budget(1000, BudgetPeriod::Total),
    ]);
    let world = World::new(&[("key:k", limits)], NOW_MS);
    let raise = |amount, starts_in_ms, ends_in_ms: Option<i64>| Raise {
        account: "key:k".parse().unwrap(),
        budget_id: "day-tokens".into(),
        amount,
        starts_at_unix_ms: NOW_MS + starts_in_ms,
        ends_at_unix_ms: ends_in_ms.map(|ms| NOW_MS + ms),
    };
    let limit = |now| {
        let budget = world.view("key:k", now).budgets.remove(0);
        (budget.status.limit, budget.raised)
    };
    assert!(world.spend("k", ask(100), NOW_MS).is_ok());
    assert!(world.admit("k", ask(1), NOW_MS).is_err());

    world
        .accounts
        .set_raises(&[raise(50, 0, Some(1000)), raise(7, 500, None)]);
    assert_eq!(limit(NOW_MS), (150, 50));
    assert_eq!(limit(NOW_MS + 500), (157, 57));
    assert_eq!(limit(NOW_MS + 1000), (107, 7));
    assert_eq!(world.view("key:k", NOW_MS).budgets[1].raised, 0);
    assert!(world.admit("k", ask(50), NOW_MS).is_ok());
    assert!(world.admit("k", ask(51), NOW_MS).is_err());
    assert!(world.admit("k", ask(8), NOW_MS + 1000).is_err());

    world.accounts.set_raises(&[]);
    assert_eq!(limit(NOW_MS), (100, 0));
    assert!(world.admit("k", ask(1), NOW_MS).is_err());
}

#[test]
fn a_raise_waits_for_a_budget_that_is_declared_later() {
    let mut world = World::new(&[("key:other", no_limits())], NOW_MS);
    world.accounts.set_raises(&[Raise {
        account: "key:k".parse().unwrap(),
        budget_id: "day-tokens".into(),
        amount: 11,
        starts_at_unix_ms: 0,
        ends_at_unix_ms: None,
    }]);
    world.reload(
        &[("key:k", budgets(&[token_budget(100, BudgetPeriod::Day)]))],
        NOW_MS,
    );
    assert!(world.spend("k", ask(111), NOW_MS).is_ok());
    assert!(world.admit("k", ask(1), NOW_MS).is_err());
}

#[test]
fn a_correction_changes_the_balance_it_names_and_no_other() {
    let of_team = [
        money_budget(100, BudgetPeriod::Total),
        token_budget(9, BudgetPeriod::Total),
    ];
    let declared = [
        ("key:k", budgets(&[money_budget(100, BudgetPeriod::Hour)])),
        ("team:t", budgets(&of_team)),
    ];
    let world = World::new(&declared, NOW_MS);
    assert!(world.spend("k", money(40), NOW_MS).is_ok());
    let known = world.accounts.balances();
    let key_of = |account: &str| {
        let of_account = |key: &&BalanceKey| key.account.to_string() == account;
        let mut money = known.iter().map(|(key, ..)| key).filter(of_account);
        money
            .find(|key| key.unit == BudgetUnit::Money)
            .unwrap()
            .clone()
    };
    let nobody = BalanceKey {
        account: "team:nobody".parse().unwrap(),
        ..key_of("team:t")
    };
    let before = BalanceKey {
        start_unix_ms: NOW_MS - HOUR_MS,
        end_unix_ms: NOW_MS,
        ..key_of("key:k")
    };
    world.accounts.corrected(&[
        (key_of("key:k"), -15),
        (key_of("team:t"), 3),
        (before, 1000),
        (nobody, 1000),
    ]);
    assert_eq!(world.budget("key:k", NOW_MS).0, 25);
    assert_eq!(world.budget("team:t", NOW_MS).0, 43);
    assert_eq!(world.view("team:t", NOW_MS).budgets[1].status.used, 0);
}
