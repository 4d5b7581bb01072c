//! Any sequence of what can happen, against a model that keeps a list of everything and adds it up anew each time.

mod flights;
mod sums;

use proptest::prelude::*;

use super::*;
use flights::Model;

#[derive(Debug, Clone)]
enum Step {
    Admit {
        key: usize,
        ask: Ask,
    },
    Settle {
        permit: usize,
        used: Used,
    },
    Renew {
        permit: usize,
    },
    End {
        permit: usize,
        cancel: bool,
    },
    Wait {
        ms: i64,
    },
    Reload {
        variant: usize,
        settle: Option<Used>,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let permit = 0..8_usize;
    let used = || {
        (0..250_u64, proptest::option::weighted(0.9, 0..2500_i64))
            .prop_map(|(tokens, cost_nanos)| Used { tokens, cost_nanos })
    };
    let ask = (
        0..200_u64,
        proptest::option::weighted(0.9, 0..2000_i64),
        proptest::bool::weighted(0.9),
    )
        .prop_map(|(tokens, cost_nanos, charges)| Ask {
            tokens,
            cost_nanos,
            charges,
        });
    let waits = vec![0, 1, 900, 5000, 30_000, 61_000, HOUR_MS, 24 * HOUR_MS];
    prop_oneof![
        10 => (0..2_usize, ask).prop_map(|(key, ask)| Step::Admit { key, ask }),
        6 => (permit.clone(), used()).prop_map(|(permit, used)| Step::Settle { permit, used }),
        2 => permit.clone().prop_map(|permit| Step::Renew { permit }),
        5 => (permit, proptest::bool::weighted(0.2))
            .prop_map(|(permit, cancel)| Step::End { permit, cancel }),
        4 => proptest::sample::select(waits).prop_map(|ms| Step::Wait { ms }),
        1 => (0..3_usize, proptest::option::of(used()))
            .prop_map(|(variant, settle)| Step::Reload { variant, settle }),
    ]
}

fn variant(number: usize) -> Vec<(&'static str, AccountLimits)> {
    let hour = |amount| token_budget(amount, BudgetPeriod::Hour);
    let day = |amount| in_zone(money_budget(amount, BudgetPeriod::Day), "Europe/Berlin");
    let total = |amount| token_budget(amount, BudgetPeriod::Total);
    let limits = |rates: [Option<u64>; 3], of: &[Budget]| AccountLimits {
        requests_per_minute: rates[0],
        tokens_per_minute: rates[1],
        concurrency: rates[2],
        budgets: of.to_vec(),
    };
    match number {
        0 => vec![
            ("key:a", limits([Some(6), Some(400), Some(3)], &[hour(500)])),
            ("key:b", limits([None, None, None], &[day(5000)])),
            (
                "team:t",
                limits([Some(8), None, Some(5)], &[hour(900), day(9000)]),
            ),
            (
                "organization:o",
                limits([None, Some(700), None], &[total(6000)]),
            ),
        ],
        1 => vec![
            ("key:a", no_limits()),
            ("key:b", limits([Some(5), Some(300), Some(1)], &[])),
            (
                "organization:o",
                limits([Some(9), None, None], &[total(3000), hour(800)]),
            ),
        ],
        _ => vec![
            (
                "key:a",
                limits([None, Some(250), None], &[day(3000), hour(700)]),
            ),
            ("key:b", no_limits()),
            ("user:u", limits([Some(7), None, Some(4)], &[total(2000)])),
            ("team:t", limits([None, None, None], &[hour(400)])),
            ("organization:o", no_limits()),
        ],
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn whatever_happens_the_counts_are_those_of_the_model(
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let mut model = Model::new();
        for step in steps {
            model.take(step);
        }
        while !model.flights.is_empty() {
            model.end(0, false);
            model.compare();
        }
        for view in model.world.everything(model.now) {
            prop_assert_eq!(view.in_flight, 0);
            prop_assert!(view.budgets.iter().all(|budget| budget.status.held == 0));
        }
    }
}
