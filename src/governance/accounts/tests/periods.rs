use super::*;

/// Spends one token every six hours from `from` until `to`, and gives the times at which the budget was fresh.
fn resets(budget: Budget, from: &str, to: &str) -> Vec<String> {
    let zone = budget.time_zone.clone();
    let limits = budgets(&[budget]);
    let (mut now, to) = (at(from), at(to));
    let world = World::new(&[("key:k", limits)], now);
    let mut resets = Vec::new();
    let mut used_before = 0;
    while now < to {
        assert!(world.spend("k", ask(1), now).is_ok());
        let (used, held) = world.budget("key:k", now);
        assert_eq!(held, 0);
        if used <= used_before {
            assert_eq!(used, 1, "it begins anew with nothing");
            let status = world.view("key:k", now).budgets.remove(0).status;
            let start = status.period_start_unix_ms.unwrap();
            let start = jiff::Timestamp::from_millisecond(start).unwrap();
            resets.push(start.to_zoned(zone.clone()).to_string());
        } else {
            assert_eq!(used, used_before + 1, "nothing is lost on the way");
        }
        used_before = used;
        now += 6 * HOUR_MS;
    }
    resets
}

#[test]
fn a_months_budget_begins_anew_exactly_once_at_a_months_end_whatever_the_clocks_do() {
    let check = |zone, from, to, expected: &str| {
        let budget = in_zone(token_budget(10_000, BudgetPeriod::Month), zone);
        assert_eq!(resets(budget, from, to), [expected], "{zone}");
    };
    // Summer time begins on 29 March and ends on 25 October 2026.
    check(
        "Europe/Berlin",
        "2026-03-20T09:00[Europe/Berlin]",
        "2026-04-20T09:00[Europe/Berlin]",
        "2026-04-01T00:00:00+02:00[Europe/Berlin]",
    );
    check(
        "Europe/Berlin",
        "2026-10-20T09:00[Europe/Berlin]",
        "2026-11-20T09:00[Europe/Berlin]",
        "2026-11-01T00:00:00+01:00[Europe/Berlin]",
    );
    // Clocks went from midnight to one o'clock on 4 November 2018, and back on 18 February.
    check(
        "America/Sao_Paulo",
        "2018-10-20T09:00[America/Sao_Paulo]",
        "2018-11-20T09:00[America/Sao_Paulo]",
        "2018-11-01T00:00:00-03:00[America/Sao_Paulo]",
    );
    check(
        "America/Sao_Paulo",
        "2018-02-10T09:00[America/Sao_Paulo]",
        "2018-03-20T09:00[America/Sao_Paulo]",
        "2018-03-01T00:00:00-03:00[America/Sao_Paulo]",
    );
    // The first of the month had no midnight: 1 October 2017 began at one o'clock.
    check(
        "America/Asuncion",
        "2017-09-20T09:00[America/Asuncion]",
        "2017-10-20T09:00[America/Asuncion]",
        "2017-10-01T01:00:00-03:00[America/Asuncion]",
    );
    // Half an hour of summer time, from 5 October 2025 to 5 April 2026.
    check(
        "Australia/Lord_Howe",
        "2025-09-20T09:00[Australia/Lord_Howe]",
        "2025-10-20T09:00[Australia/Lord_Howe]",
        "2025-10-01T00:00:00+10:30[Australia/Lord_Howe]",
    );
    check(
        "Australia/Lord_Howe",
        "2026-03-20T09:00[Australia/Lord_Howe]",
        "2026-04-20T09:00[Australia/Lord_Howe]",
        "2026-04-01T00:00:00+11:00[Australia/Lord_Howe]",
    );
}

#[test]
fn a_period_ends_to_the_millisecond() {
    let budget = in_zone(token_budget(10, BudgetPeriod::Month), "Europe/Berlin");
    let end = at("2026-04-01T00:00[Europe/Berlin]");
    let world = World::new(&[("key:k", budgets(&[budget]))], end - 1);
    assert!(world.spend("k", ask(10), end - 1).is_ok());
    assert!(world.admit("k", ask(1), end - 1).is_err());
    assert!(world.admit("k", ask(1), end).is_ok());
}

#[test]
fn a_new_period_is_announced_before_anything_is_counted_in_it() {
    let declared = [
        ("key:k", budgets(&[token_budget(10, BudgetPeriod::Hour)])),
        (
            "team:t",
            budgets(&[
                token_budget(10, BudgetPeriod::Hour),
                token_budget(10, BudgetPeriod::Day),
            ]),
        ),
    ];
    let world = World::new(&declared, NOW_MS);
    let begun = |keys: Vec<BalanceKey>| -> Vec<(String, i64)> {
        keys.iter()
            .map(|key| (key.account.to_string(), key.start_unix_ms - NOW_MS))
            .collect()
    };
    let path = world.tree.path("k").unwrap();
    let mut announced = Vec::new();
    let mut permit = world
        .accounts
        .admit(path, ask(4), NOW_MS + HOUR_MS, |keys| {
            assert!(world.accounts.0.state.is_locked());
            announced = begun(keys);
        })
        .unwrap();
    let hours = |number| {
        [
            ("key:k".to_owned(), number * HOUR_MS),
            ("team:t".to_owned(), number * HOUR_MS),
        ]
    };
    assert_eq!(announced, hours(1));

    // A refusal counts nothing, and the period has begun all the same.
    let mut announced = Vec::new();
    let refused = world
        .accounts
        .admit(path, ask(100), NOW_MS + 2 * HOUR_MS, |keys| {
            announced = begun(keys);
        });
    assert!(refused.is_err());
    assert_eq!(announced, hours(2));

    // Where a settlement is the first to come, it says so together with its row.
    permit.settle(used(3), NOW_MS + 3 * HOUR_MS, |keys| {
        assert_eq!(begun(keys), hours(3));
    });
    permit.settle(used(0), NOW_MS + 3 * HOUR_MS, |keys| assert_eq!(keys, []));
    assert!(permit.renew(NOW_MS + 4 * HOUR_MS).is_ok());
    permit.settle(used(0), NOW_MS + 4 * HOUR_MS, |keys| {
        assert_eq!(begun(keys), hours(4));
    });
    assert_eq!(world.budget("key:k", NOW_MS + 4 * HOUR_MS), (0, 0));
    let view = world.view("team:t", NOW_MS + 4 * HOUR_MS);
    assert_eq!(view.budgets[1].status.used, 3);
}

#[test]
fn holds_survive_the_end_of_a_period_and_are_settled_in_the_next() {
    let world = World::new(
        &[("key:k", budgets(&[token_budget(10, BudgetPeriod::Hour)]))],
        NOW_MS,
    );
    let mut permit = world.admit("k", ask(8), NOW_MS).unwrap();
    let next = NOW_MS + HOUR_MS;
    assert!(world.admit("k", ask(3), next).is_err());
    assert_eq!(world.budget("key:k", next), (0, 8));
    permit.settle(used(6), next, |_| ());
    assert_eq!(world.budget("key:k", next), (6, 0));
}

#[test]
fn a_clock_that_is_set_back_stays_in_the_later_period() {
    let world = World::new(
        &[("key:k", budgets(&[token_budget(10, BudgetPeriod::Hour)]))],
        NOW_MS,
    );
    let later = NOW_MS + HOUR_MS;
    assert!(world.spend("k", ask(10), NOW_MS).is_ok());
    assert!(world.spend("k", ask(9), later).is_ok());
    for now in [NOW_MS, later - 1, later, NOW_MS] {
        assert_eq!(world.budget("key:k", now), (9, 0));
        assert!(world.admit("k", ask(2), now).is_err());
        assert!(world.admit("k", ask(1), now).is_ok());
    }
    assert!(world.spend("k", ask(1), NOW_MS).is_ok());
    assert!(world.admit("k", ask(1), later).is_err());
}

#[test]
fn looking_on_shows_the_period_that_is_due_and_does_not_begin_it() {
    let world = World::new(
        &[("key:k", budgets(&[token_budget(10, BudgetPeriod::Hour)]))],
        NOW_MS,
    );
    assert!(world.spend("k", ask(10), NOW_MS).is_ok());
    let status = world
        .view("key:k", NOW_MS + HOUR_MS)
        .budgets
        .remove(0)
        .status;
    assert_eq!(
        (status.used, status.period_start_unix_ms),
        (0, Some(NOW_MS + HOUR_MS))
    );
    assert_eq!(world.budget("key:k", NOW_MS), (10, 0));
}
