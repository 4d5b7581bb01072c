use super::*;

#[test]
fn requests_in_flight_are_counted_until_their_permits_are_dropped() {
    let declared = [
        ("key:one", concurrency(5)),
        ("key:two", no_limits()),
        ("project:p", concurrency(2)),
    ];
    let world = World::new(&declared, NOW_MS);
    let mut first = world.admit("one", ask(1), NOW_MS).unwrap();
    let second = world.admit("two", ask(1), NOW_MS).unwrap();
    let refusal = world.admit("one", ask(1), NOW_MS).unwrap_err();
    assert_eq!(refusal.error.kind, ErrorKind::ConcurrencyLimitExceeded);
    assert!(refusal.error.message.contains("project `p`"));
    assert!(refusal.error.message.contains("`concurrency_limit` of 2"));
    assert!(refusal.retry_can_help);
    assert_eq!(refusal.error.retry_after, None);

    first.settle(used(1), NOW_MS, |_| ());
    assert!(world.admit("one", ask(1), NOW_MS).is_err());
    drop(first);
    assert_eq!(world.view("project:p", NOW_MS).in_flight, 1);
    let third = world.admit("one", ask(1), NOW_MS).unwrap();
    assert!(world.admit("two", ask(1), NOW_MS).is_err());
    drop((second, third));
    assert_eq!(world.view("project:p", NOW_MS).in_flight, 0);
    assert_eq!(world.view("key:one", NOW_MS).in_flight, 0);
}

#[test]
fn a_concurrency_limit_counts_what_was_let_in_before_there_was_one() {
    let mut world = World::new(&[("key:k", no_limits())], NOW_MS);
    let before = world.admit("k", ask(1), NOW_MS).unwrap();
    world.reload(&[("key:k", concurrency(1))], NOW_MS);
    assert!(world.admit("k", ask(1), NOW_MS).is_err());
    drop(before);
    assert!(world.admit("k", ask(1), NOW_MS).is_ok());
}

fn everywhere() -> [(&'static str, AccountLimits); 3] {
    let limits = AccountLimits {
        requests_per_minute: Some(10),
        tokens_per_minute: Some(1000),
        concurrency: Some(10),
        budgets: vec![
            token_budget(1000, BudgetPeriod::Day),
            money_budget(1000, BudgetPeriod::Month),
        ],
    };
    [
        ("key:k", limits.clone()),
        ("project:p", no_limits()),
        ("organization:acme", limits),
    ]
}

#[test]
fn a_permit_that_is_dropped_gives_everything_back_but_the_request() {
    let world = World::new(&everywhere(), NOW_MS);
    let before = world.everything(NOW_MS);
    let priced = Ask {
        cost_nanos: Some(7),
        ..ask(300)
    };
    let permit = world.admit("k", priced, NOW_MS).unwrap();
    let view = world.view("organization:acme", NOW_MS);
    assert_eq!((view.in_flight, view.tokens_in_window), (1, 300));
    let held: Vec<i64> = view
        .budgets
        .iter()
        .map(|budget| budget.status.held)
        .collect();
    assert_eq!(held, [300, 7]);
    drop(permit);
    let mut after = world.everything(NOW_MS);
    for view in &mut after {
        let limited = *view.account.id != *"p";
        assert_eq!(view.requests_in_window, u64::from(limited));
        view.requests_in_window = 0;
    }
    assert_eq!(after, before);
}

#[test]
fn a_permit_that_is_cancelled_was_never_there() {
    let world = World::new(&everywhere(), NOW_MS);
    assert!(world.spend("k", ask(5), NOW_MS).is_ok());
    let before = world.everything(NOW_MS + 1500);
    let cancelled = world.admit("k", ask(300), NOW_MS + 1500).unwrap();
    assert_ne!(world.everything(NOW_MS + 1500), before);
    cancelled.cancel();
    assert_eq!(world.everything(NOW_MS + 1500), before);
}

#[test]
fn each_attempt_is_charged_and_the_next_one_holds_the_whole_estimate_again() {
    let limits = AccountLimits {
        tokens_per_minute: Some(1000),
        ..budgets(&[token_budget(100, BudgetPeriod::Day)])
    };
    let world = World::new(&[("key:k", limits)], NOW_MS);
    let mut permit = world.admit("k", ask(40), NOW_MS).unwrap();
    // The hold is still there: there is nothing to renew.
    assert!(permit.renew(NOW_MS).is_ok());
    assert_eq!(world.budget("key:k", NOW_MS), (0, 40));

    permit.settle(used(30), NOW_MS, |_| ());
    assert_eq!(world.budget("key:k", NOW_MS), (30, 0));
    assert!(permit.renew(NOW_MS).is_ok());
    assert_eq!(world.budget("key:k", NOW_MS), (30, 40));
    assert_eq!(world.view("key:k", NOW_MS).tokens_in_window, 70);

    permit.settle(used(31), NOW_MS, |_| ());
    assert_eq!(world.view("key:k", NOW_MS).tokens_in_window, 61);
    let refusal = permit.renew(NOW_MS).unwrap_err();
    assert_eq!(refusal.error.kind, ErrorKind::TokenBudgetExceeded);
    assert!(refusal.error.message.contains("61 used"));
    assert_eq!(world.budget("key:k", NOW_MS), (61, 0));
    assert_eq!(world.view("key:k", NOW_MS).in_flight, 1);
    drop(permit);
    assert_eq!(world.budget("key:k", NOW_MS), (61, 0));
    assert_eq!(world.view("key:k", NOW_MS).in_flight, 0);
}

#[test]
fn an_attempt_that_may_use_nothing_is_renewed_like_any_other() {
    let world = World::new(
        &[("key:k", budgets(&[token_budget(100, BudgetPeriod::Day)]))],
        NOW_MS,
    );
    let mut nothing = world.admit("k", ask(0), NOW_MS).unwrap();
    let mut other = world.admit("k", ask(100), NOW_MS).unwrap();
    other.settle(used(101), NOW_MS, |_| ());
    assert!(nothing.renew(NOW_MS).is_ok(), "it was never settled");
    nothing.settle(used(0), NOW_MS, |_| ());
    assert!(nothing.renew(NOW_MS).is_err());
}

#[test]
fn a_settlement_is_handed_over_once_and_under_the_lock() {
    let world = World::new(&everywhere(), NOW_MS);
    let mut permit = world.admit("k", ask(1), NOW_MS).unwrap();
    let mut handed_over = 0;
    permit.settle(used(1), NOW_MS, |begun| {
        assert!(world.accounts.0.state.is_locked());
        assert!(begun.is_empty());
        handed_over += 1;
    });
    assert_eq!(handed_over, 1);
}

#[test]
fn a_request_that_panics_lets_go() {
    let world = World::new(&everywhere(), NOW_MS);
    let permit = world.admit("k", ask(10), NOW_MS).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _permit = permit;
        panic!("in a request");
    }));
    assert!(panicked.is_err());
    let view = world.view("key:k", NOW_MS);
    assert_eq!((view.in_flight, view.tokens_in_window), (0, 0));
    assert_eq!(world.budget("key:k", NOW_MS), (0, 0));
}
