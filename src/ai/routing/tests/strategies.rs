//! The order that each strategy gives.

use std::collections::BTreeMap;

use super::*;

#[test]
fn priority_puts_the_smallest_number_first_every_time() {
    let bench = Bench::model("", &["b; priority = 30", "c; priority = 20"]);
    for _ in 0..10 {
        assert_eq!(bench.order(&CHAT), "a c b");
    }
    let plan = bench.plan("any", &CHAT).unwrap();
    assert_eq!(
        reasons(&plan.trace.unwrap()),
        [
            "1 a: first by priority 0",
            "2 c: then by priority 20",
            "3 b: then by priority 30"
        ]
    );
}

#[test]
fn equal_priorities_share_by_weight_the_models_own_candidate_included() {
    let bench = Bench::model(
        "weight = 3",
        &["b; priority = 0; weight = 1", "c; priority = 9"],
    );
    let shares = bench.shares(400);
    assert!(shares["a"].abs_diff(300) <= 1, "{shares:?}");
    assert_eq!(shares["a"] + shares["b"], 400);
    let plan = bench.plan("any", &CHAT).unwrap();
    assert!(names(&plan).ends_with(" c"));
    let trace = plan.trace.unwrap();
    assert!(
        reasons(&trace)[0].contains("by priority 0, drawn with weight"),
        "{trace:?}"
    );
}

#[test]
fn weighted_spreads_over_all_by_weight_and_so_does_what_fails() {
    let bench = Bench::model(
        "routing_strategy = \"weighted\"\nweight = 5",
        &["b; weight = 3", "c; weight = 2"],
    );
    let shares = bench.shares(1000);
    for (provider, expected) in [("a", 500), ("b", 300), ("c", 200)] {
        let share = shares[provider];
        assert!(share.abs_diff(expected) <= 3, "{provider}: {share}");
    }
    // Where `a` fails, the next is `b` three times for each two times of `c`.
    let mut seconds = BTreeMap::new();
    for _ in 0..1000 {
        let order = bench.order(&CHAT);
        if let Some((_, rest)) = order
            .split_once("a ")
            .filter(|(before, _)| before.is_empty())
        {
            *seconds.entry(rest.to_owned()).or_insert(0_u32) += 1;
        }
    }
    let share = seconds["b c"] * 100 / (seconds["b c"] + seconds["c b"]);
    assert!((50..=70).contains(&share), "{seconds:?}");
}

#[test]
fn shares_come_out_right_over_a_few_requests_and_neighbours_differ() {
    let bench = Bench::model("routing_strategy = \"weighted\"", &["b"]);
    let firsts: Vec<char> = (0..10)
        .map(|_| bench.order(&CHAT).chars().next().unwrap())
        .collect();
    assert_eq!(firsts.iter().filter(|first| **first == 'a').count(), 5);
    let longest_run = firsts.chunk_by(|a, b| a == b).map(<[char]>::len).max();
    assert!(longest_run <= Some(3), "{firsts:?}");
}

const PRICE: &str = "input_price_per_1m = 1; output_price_per_1m";

#[test]
fn lowest_cost_goes_by_what_this_request_costs() {
    let bench = Bench::model(
        "routing_strategy = \"lowest_cost\"\ninput_price_per_1m = 1\noutput_price_per_1m = 10",
        &[
            "b; input_price_per_1m = 3; output_price_per_1m = 3",
            "c; input_price_per_1m = 5; output_price_per_1m = 5",
        ],
    );
    assert_eq!(bench.order(&CHAT), "b c a");
    // A long prompt with a short answer is cheapest elsewhere.
    let reading = Ask {
        input_tokens: 100_000,
        output_tokens_max: Some(10),
        ..CHAT
    };
    assert_eq!(bench.order(&reading), "a b c");
    let trace = bench.plan("any", &reading).unwrap().trace.unwrap();
    assert_eq!(trace.candidates[0].cost_nanos_estimate, Some(100_100_000));
    assert_eq!(reasons(&trace)[0], "1 a: first by estimated cost");
}

#[test]
fn lowest_latency_goes_by_what_was_measured_of_late() {
    let bench = Bench::model("routing_strategy = \"lowest_latency\"", &["b", "c"]);
    // With nothing measured the order is that of priorities.
    assert_eq!(bench.order(&CHAT), "a b c");
    bench.attempts("a", 4, 200, 900);
    bench.attempts("b", 4, 200, 300);
    bench.attempts("c", 4, 200, 600);
    for _ in 0..20 {
        assert_eq!(bench.order(&CHAT), "b c a");
    }
    let trace = bench.plan("any", &CHAT).unwrap().trace.unwrap();
    assert_eq!(reasons(&trace)[0], "1 b: first by latency, 300 ms of late");
    assert_eq!(trace.candidates[0].latency_us, Some(300_000));
    // Whole answers were not measured.
    let whole = Ask {
        stream: false,
        ..CHAT
    };
    assert_eq!(bench.order(&whole), "a b c");
}

#[test]
fn what_fails_most_of_the_time_is_not_fast() {
    let bench = Bench::model("routing_strategy = \"lowest_latency\"", &["b", "c"]);
    bench.attempts("a", 3, 200, 900);
    bench.attempts("b", 3, 200, 100);
    bench.attempts("b", 4, 500, 0);
    bench.attempts("c", 3, 200, 600);
    assert_eq!(bench.order(&CHAT), "c a b");
    let trace = bench.plan("any", &CHAT).unwrap().trace.unwrap();
    assert_eq!(
        reasons(&trace)[2],
        "3 b: then: half or more of its recent attempts failed"
    );
}

#[test]
fn one_of_eight_requests_tries_what_was_not_measured() {
    let bench = Bench::model("routing_strategy = \"lowest_latency\"", &["b", "c"]);
    bench.attempts("a", 1, 200, 100);
    let shares = bench.shares(80);
    assert_eq!(shares["a"], 70);
    assert_eq!(shares["b"], 10);
    let explored = (0..8)
        .map(|_| bench.plan("any", &CHAT).unwrap().trace.unwrap())
        .find(|trace| &*trace.candidates[0].provider == "b")
        .unwrap();
    assert_eq!(
        reasons(&explored),
        [
            "1 b: first: one of 8 requests tries what was not measured lately",
            "2 a: then by latency, 100 ms of late",
            "3 c: then: its latency was not measured lately"
        ]
    );
}

#[test]
fn balanced_weighs_cost_latency_and_failures_against_each_other() {
    let bench = Bench::model(
        &format!(
            "routing_strategy = \"balanced\"\n{} = 1",
            PRICE.replace("; ", "\n")
        ),
        &[&format!("b; {PRICE} = 3"), &format!("c; {PRICE} = 1")],
    );
    // All are as fast as the fastest until they are measured: the price decides, then the priority.
    assert_eq!(bench.order(&CHAT), "a c b");
    bench.attempts("a", 2, 200, 1000);
    bench.attempts("b", 2, 200, 100);
    bench.attempts("c", 2, 200, 200);
    // a: 1 + 10, b: 2 + 1, c: 1 + 2.
    assert_eq!(bench.order(&CHAT), "b c a");
    bench.attempts("b", 1, 500, 0);
    assert_eq!(bench.order(&CHAT), "c b a");
    let trace = bench.plan("any", &CHAT).unwrap().trace.unwrap();
    assert_eq!(
        reasons(&trace)[0],
        "1 c: first by score 3.00: cost 1.00, latency 2.00, failures 0.00"
    );
}

#[test]
fn a_candidate_without_a_price_is_the_dearest_but_no_worse() {
    let bench = Bench::model(
        "routing_strategy = \"balanced\"",
        &[&format!("b; {PRICE} = 1"), &format!("c; {PRICE} = 9")],
    );
    assert_eq!(bench.order(&CHAT), "b a c");
}
