use super::*;

fn with_budget(amount: i64) -> [(&'static str, AccountLimits); 2] {
    [
        ("key:k", no_limits()),
        (
            "team:t",
            budgets(&[token_budget(amount, BudgetPeriod::Day)]),
        ),
    ]
}

#[test]
fn a_balance_is_what_the_ledger_says_and_what_was_settled_since() {
    let world = World::unopened(&with_budget(100), NOW_MS);
    let mut early = world.admit("k", ask(30), NOW_MS).unwrap();
    let mut before = world.admit("k", ask(5), NOW_MS).unwrap();
    // Its row is before the question in the ledger's queue, and so within the answer.
    before.settle(used(5), NOW_MS, |_| ());
    let keys = world.accounts.open(&world.tree, NOW_MS, |keys| {
        assert!(world.accounts.0.state.is_locked());
        keys
    });
    let keys = keys.unwrap();
    assert_eq!(
        keys,
        [BalanceKey {
            account: "team:t".parse().unwrap(),
            unit: BudgetUnit::Tokens,
            start_unix_ms: NOW_MS,
            end_unix_ms: NOW_MS + 24 * HOUR_MS,
        }]
    );
    early.settle(used(20), NOW_MS, |_| ());
    assert!(
        world.admit("k", ask(1000), NOW_MS).is_ok(),
        "not enforced yet"
    );
    assert_eq!(world.accounts.balances(), []);
    assert_eq!(world.accounts.used(&keys), [None]);
    assert_eq!(world.accounts.used_of_all(), None);

    world.accounts.opened(&[(keys[0].clone(), 55)]);
    assert_eq!(world.budget("team:t", NOW_MS), (75, 0));
    assert_eq!(world.accounts.balances(), [(keys[0].clone(), 75, 0)]);
    assert_eq!(world.accounts.used(&keys), [Some(75)]);
    let known = world.accounts.used_of_all();
    assert_eq!(known, Some(vec![(keys[0].clone(), 75)]));
    let path = world.tree.path("k").unwrap();
    assert_eq!(world.accounts.balances_of(path), keys);
    let yesterday = BalanceKey {
        start_unix_ms: NOW_MS - 24 * HOUR_MS,
        end_unix_ms: NOW_MS,
        ..keys[0].clone()
    };
    assert_eq!(world.accounts.used(&[yesterday]), [None]);
    assert!(world.admit("k", ask(26), NOW_MS).is_err());
    assert!(world.admit("k", ask(25), NOW_MS).is_ok());
}

#[test]
fn a_balance_that_is_known_is_neither_asked_for_nor_changed_again() {
    let mut world = World::new(&with_budget(100), NOW_MS);
    assert!(world.spend("k", ask(40), NOW_MS).is_ok());
    let key = world.accounts.balances().remove(0).0;
    world.accounts.opened(&[(key, 1000)]);
    assert_eq!(world.budget("team:t", NOW_MS), (40, 0));

    // A new amount is no new balance.
    world.tree = compile(&world.accounts, &with_budget(50));
    assert_eq!(world.accounts.open(&world.tree, NOW_MS, |keys| keys), None);
    assert!(world.admit("k", ask(11), NOW_MS).is_err());
    assert!(world.admit("k", ask(10), NOW_MS).is_ok());
}

#[test]
fn a_question_that_was_never_answered_is_asked_anew() {
    let world = World::unopened(&with_budget(100), NOW_MS);
    let ask_for = || world.accounts.open(&world.tree, NOW_MS, |keys| keys);
    let first = ask_for().unwrap();
    assert!(world.spend("k", ask(7), NOW_MS).is_ok());
    let second = ask_for().unwrap();
    assert_eq!(first, second);
    assert!(world.spend("k", ask(1), NOW_MS).is_ok());
    world.accounts.opened(&[(second[0].clone(), 7)]);
    assert_eq!(world.budget("team:t", NOW_MS), (8, 0));
    assert_eq!(ask_for(), None);
}

#[test]
fn a_period_that_begins_before_the_answer_needs_none() {
    let world = World::unopened(&with_budget(100), NOW_MS);
    let old = world
        .accounts
        .open(&world.tree, NOW_MS, |keys| keys)
        .unwrap();
    let tomorrow = NOW_MS + 24 * HOUR_MS;
    assert!(world.spend("k", ask(90), tomorrow).is_ok());
    assert!(world.admit("k", ask(11), tomorrow).is_err());
    world.accounts.opened(&[(old[0].clone(), 1000)]);
    assert_eq!(world.budget("team:t", tomorrow), (90, 0));
}

#[test]
fn a_budget_that_is_declared_again_is_asked_for_again() {
    let mut world = World::new(&with_budget(100), NOW_MS);
    assert!(world.spend("k", ask(40), NOW_MS).is_ok());
    let without = [("key:k", no_limits()), ("team:t", no_limits())];
    world.reload(&without, NOW_MS);
    assert!(world.spend("k", ask(1000), NOW_MS).is_ok());
    // Whoever compiles next finds that nobody refers to the budget any more.
    world.tree = compile(&world.accounts, &without);
    world.tree = compile(&world.accounts, &with_budget(100));
    let keys = world
        .accounts
        .open(&world.tree, NOW_MS, |keys| keys)
        .unwrap();
    world.accounts.opened(&[(keys[0].clone(), 40)]);
    assert_eq!(world.budget("team:t", NOW_MS), (40, 0));
}

#[test]
fn a_request_keeps_its_accounts_and_charges_the_budgets_they_have_got_meanwhile() {
    let mut world = World::new(&with_budget(100), NOW_MS);
    let mut old = world.admit("k", ask(30), NOW_MS).unwrap();
    world.reload(
        &[("key:k", budgets(&[token_budget(50, BudgetPeriod::Day)]))],
        NOW_MS,
    );
    assert_eq!(
        world.budget("key:k", NOW_MS),
        (0, 30),
        "the new budget sees what is held"
    );
    for _ in 0..3 {
        world.tree = compile(
            &world.accounts,
            &[("key:k", budgets(&[token_budget(50, BudgetPeriod::Day)]))],
        );
    }
    old.settle(used(20), NOW_MS, |_| ());
    drop(old);
    assert_eq!(world.budget("key:k", NOW_MS), (20, 0));
    let team = world
        .accounts
        .balances()
        .into_iter()
        .find(|(key, ..)| *key.account.id == *"t");
    assert_eq!(team.map(|(_, used, _)| used), Some(20));
}

#[test]
fn a_place_is_not_given_away_while_a_request_refers_to_it() {
    let mut world = World::new(&[("key:k", no_limits()), ("team:t", no_limits())], NOW_MS);
    let old = world.admit("k", ask(3), NOW_MS).unwrap();
    for number in 0..3 {
        let id = format!("team:{number}");
        world.reload(
            &[("key:k", no_limits()), (id.as_str(), no_limits())],
            NOW_MS,
        );
    }
    let new = world.admit("k", ask(3), NOW_MS).unwrap();
    drop(old);
    assert_eq!(world.view("team:2", NOW_MS).in_flight, 1);
    drop(new);
    assert_eq!(world.view("team:2", NOW_MS).in_flight, 0);
}

#[test]
fn what_a_configuration_does_not_change_it_shares_with_the_one_before() {
    let mut world = World::new(&with_budget(100), NOW_MS);
    let of =
        |world: &World, id: &str| Arc::clone(world.tree.account(&id.parse().unwrap()).unwrap());
    let before = (of(&world, "key:k"), of(&world, "team:t"));
    world.reload(&with_budget(101), NOW_MS);
    assert!(Arc::ptr_eq(&of(&world, "key:k"), &before.0));
    assert!(!Arc::ptr_eq(&of(&world, "team:t"), &before.1));
    assert!(world.admit("k", ask(101), NOW_MS).is_ok());
}

#[test]
fn a_changed_period_is_another_balance() {
    let mut world = World::new(&with_budget(100), NOW_MS);
    assert!(world.spend("k", ask(40), NOW_MS).is_ok());
    let hourly = Budget {
        id: "day-tokens".into(),
        ..token_budget(100, BudgetPeriod::Hour)
    };
    world.reload(
        &[("key:k", no_limits()), ("team:t", budgets(&[hourly]))],
        NOW_MS,
    );
    assert_eq!(world.budget("team:t", NOW_MS), (0, 0));
    assert!(world.spend("k", ask(100), NOW_MS).is_ok());
}

#[test]
fn two_zones_that_agree_on_the_period_ask_for_one_balance() {
    let utc = token_budget(10, BudgetPeriod::Day);
    let london = Budget {
        id: "london".into(),
        ..in_zone(token_budget(20, BudgetPeriod::Day), "Europe/London")
    };
    let world = World::unopened(&[("key:k", budgets(&[utc, london]))], NOW_MS);
    let keys = world
        .accounts
        .open(&world.tree, NOW_MS, |keys| keys)
        .unwrap();
    assert_eq!(keys.len(), 1);
    world.accounts.opened(&[(keys[0].clone(), 4)]);
    let used: Vec<i64> = world
        .view("key:k", NOW_MS)
        .budgets
        .iter()
        .map(|budget| budget.status.used)
        .collect();
    assert_eq!(used, [4, 4]);
}

#[test]
fn places_that_nobody_refers_to_are_used_again_and_windows_that_run_empty_are_dropped() {
    let limited = AccountLimits {
        tokens_per_minute: Some(10),
        ..requests(10)
    };
    let mut world = World::new(&[("key:none", no_limits())], NOW_MS);
    for round in 0..20 {
        let now = NOW_MS + round * 61_000;
        let ids: Vec<String> = (0..100)
            .map(|number| format!("key:{round}-{number}"))
            .collect();
        let declared: Vec<_> = ids
            .iter()
            .map(|id| (id.as_str(), limited.clone()))
            .collect();
        world.reload(&declared, now);
        for id in &ids {
            let key = id.strip_prefix("key:").unwrap();
            assert!(world.spend(key, ask(1), now).is_ok());
        }
    }
    let state = world.accounts.lock();
    assert!(state.slots.len() <= 400, "{}", state.slots.len());
    let windows = state
        .slots
        .iter()
        .flatten()
        .filter(|slot| slot.requests.is_some())
        .count();
    assert!(windows <= 200, "{windows}");
}

#[test]
fn a_reload_neither_forgives_nor_forgets() {
    let mut world = World::new(&[("key:k", requests(1))], NOW_MS);
    assert!(world.admit("k", ask(1), NOW_MS).is_ok());
    for limits in [requests(1), no_limits(), requests(1)] {
        world.reload(&[("key:k", limits)], NOW_MS);
    }
    assert!(world.admit("k", ask(1), NOW_MS).is_err());
    // Not even where the key was gone for a while.
    for _ in 0..3 {
        world.reload(&[("key:other", no_limits())], NOW_MS);
    }
    world.reload(&[("key:k", requests(1))], NOW_MS);
    assert!(world.admit("k", ask(1), NOW_MS).is_err());
}
