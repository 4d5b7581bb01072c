use super::*;

#[test]
fn each_threshold_is_told_once_in_a_period() {
    let world = World::new(
        &[
            ("team:t", budgets(&[token_budget(100, BudgetPeriod::Hour)])),
            ("key:k", no_limits()),
        ],
        NOW_MS,
    );
    let spend = |tokens, now, expected: &[u8]| {
        assert!(world.spend("k", ask(tokens), now).is_ok());
        assert_eq!(world.crossed_percents(), expected);
    };
    spend(49, NOW_MS, &[]);
    assert!(world.spend("k", ask(1), NOW_MS).is_ok());
    let told = world.crossed.lock().clone();
    assert_eq!(
        told,
        [ThresholdCrossed {
            account: "team:t".parse().unwrap(),
            budget_id: "hour-tokens".into(),
            unit: BudgetUnit::Tokens,
            percent: 50,
            used: 50,
            limit: 100,
            period_end_unix_ms: Some(NOW_MS + HOUR_MS),
        }]
    );
    world.crossed.lock().clear();
    spend(10, NOW_MS, &[]);
    spend(40, NOW_MS, &[80, 100]);
    spend(0, NOW_MS, &[]);
    spend(80, NOW_MS + HOUR_MS, &[50, 80]);
}

#[test]
fn a_raise_moves_what_is_still_to_be_told() {
    let world = World::new(
        &[("key:k", budgets(&[token_budget(100, BudgetPeriod::Total)]))],
        NOW_MS,
    );
    assert!(world.spend("k", ask(60), NOW_MS).is_ok());
    assert_eq!(world.crossed_percents(), [50]);
    world.accounts.set_raises(&[Raise {
        account: "key:k".parse().unwrap(),
        budget_id: "total-tokens".into(),
        amount: 100,
        starts_at_unix_ms: 0,
        ends_at_unix_ms: None,
    }]);
    assert!(world.spend("k", ask(60), NOW_MS).is_ok());
    assert_eq!(
        world.crossed_percents(),
        [0_u8; 0],
        "60 % of it, and 50 was told"
    );
    assert!(world.spend("k", ask(40), NOW_MS).is_ok());
    assert_eq!(world.crossed_percents(), [80]);
    let total = world.crossed.lock().clone();
    assert_eq!(total, []);
}

#[test]
fn what_lay_behind_when_the_gateway_started_was_told_before() {
    let world = World::unopened(
        &[("key:k", budgets(&[token_budget(100, BudgetPeriod::Day)]))],
        NOW_MS,
    );
    let keys = world
        .accounts
        .open(&world.tree, NOW_MS, |keys| keys)
        .unwrap();
    world.accounts.opened(&[(keys[0].clone(), 60)]);
    assert!(world.spend("k", ask(1), NOW_MS).is_ok());
    assert_eq!(world.crossed_percents(), [0_u8; 0]);
    assert!(world.spend("k", ask(20), NOW_MS).is_ok());
    assert_eq!(world.crossed_percents(), [80]);
}

#[test]
fn thresholds_can_be_changed_and_are_told_in_order() {
    let world = World::new(
        &[("key:k", budgets(&[token_budget(100, BudgetPeriod::Day)]))],
        NOW_MS,
    );
    world.accounts.set_thresholds(vec![90, 10, 10]);
    assert!(world.spend("k", ask(95), NOW_MS).is_ok());
    assert_eq!(world.crossed_percents(), [10, 90]);
}
