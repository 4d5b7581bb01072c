//! Budgets hold: whatever clients, the provider, operators and a kill do at the same time, no budget is spent beyond
//! what it has, but for the estimate errors of the requests that were in flight, and the ledger adds up afterwards.
//!
//! Requests, faults, hang-ups and their order are random; a failure prints the seed. What ran beside what is up to the
//! machine, so that the same seed is the same plan and not the same run.

mod books;
mod one_moment;
mod operators;
mod requests;
mod traffic;

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::{Arc, atomic::Ordering},
};

use ferrogate_api::{BudgetStatus, MeteringEvent, Outcome};

use self::{
    books::{check_budgets, check_estimates, check_told, verified},
    operators::{BUDGETS, populate},
    requests::{Random, Seen},
    traffic::Traffic,
};
use crate::support::{Gateway, Provider, Rig, eventually};

/// A few more clients than may have a request in flight.
const CLIENTS: u64 = 26;
/// The organization's limit, and so the most requests whose estimates can be wrong at one time.
const IN_FLIGHT_MAX: usize = 24;
/// So many requests before the gateway is killed, and as many after it.
const REQUESTS: u64 = 1_200;
/// After so many requests an operator changes something.
const REQUESTS_PER_WRITE: u32 = 25;

/// Each model's requests have another maximum of output tokens, so that a row of the ledger says what was estimated. The
/// last one leaves it to the model's default.
const MODELS: [(&str, u64); 4] = [
    ("terse", 100),
    ("even", 1_000),
    ("wordy", 6_000),
    ("open", 2_000),
];
/// In every prompt, at least.
const PROMPT: &str =
    "The provider's own usage decides what a request costs, whatever this prompt looks like to us.";
/// Prices in nano-units a token.
const INPUT_NANOS: u64 = 1_000;
const OUTPUT_NANOS: u64 = 2_000;

/// Failures are frequent here, and no reason to ask a provider no more.
const RELIABILITY: &str = "
    [reliability]
    provider_dispatch_max_retries = 1
    provider_retry_backoff_ms = 1
    provider_circuit_breaker_failure_threshold = 0
";

fn config(settle: &str) -> String {
    let model = |(name, output): (&str, u64)| {
        format!(
            r#"
            [[models]]
            name = "{name}"
            provider = "openai"
            provider_model = "gpt-4o-mini"
            default_max_output_tokens = {output}
            input_price_per_1m = 1
            output_price_per_1m = 2
            "#
        )
    };
    let storage = format!("[storage]\nsettle = \"{settle}\"");
    format!("{RELIABILITY}{}{storage}", MODELS.map(model).concat())
}

/// From the environment, to repeat a plan, or from the system.
fn seed() -> u64 {
    match std::env::var("OVERSPEND_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => RandomState::new().build_hasher().finish(),
    }
}

/// Traffic, a kill in the middle of it, traffic again, and then the books.
async fn spend(settle: &str) {
    let seed = seed();
    eprintln!("settle = {settle}: OVERSPEND_SEED={seed}");
    let mut random = Random(seed);
    let rig = Rig::start_with(Provider::start().await, &config(settle)).await;
    let secrets = populate(&rig.gateway).await;
    let seen = Arc::new(Seen::default());

    let traffic = Traffic::start(rig, &seen, (&random, &secrets), 0);
    traffic.reaches(REQUESTS).await;
    traffic.rig.gateway.signal_kill();
    let (Rig { gateway, provider }, writes) = traffic.end().await;
    let answered_before = seen.count("answered");
    let stopped = gateway.left().await.1;
    verified(&stopped.data_directory()).await;
    let gateway = stopped.restart().await;
    let rig = Rig { gateway, provider };

    random.next();
    let traffic = Traffic::start(rig, &seen, (&random, &secrets), writes);
    traffic.reaches(2 * REQUESTS).await;
    seen.stop.store(true, Ordering::Relaxed);
    let (rig, _) = traffic.end().await;
    let events = check_books(&rig.gateway, &seen).await;

    // It was about something: budgets ran out, and what was added later was spent too.
    for ending in ["left", "token_budget_exceeded", "cost_budget_exceeded"] {
        assert!(seen.count(ending) > 0, "{ending}");
    }
    assert!(answered_before > 0 && seen.count("answered") > answered_before);
    rig.gateway.terminate();
    let (code, stopped) = rig.gateway.left().await;
    assert_eq!(code, Some(0));
    verified(&stopped.data_directory()).await;
    if settle == "before-last-byte" {
        check_told(&seen.told.lock().unwrap(), &events);
    }
}

/// Once all requests have ended.
async fn check_books(gateway: &Gateway, seen: &Seen) -> Vec<MeteringEvent> {
    eventually("everything is settled", || async {
        let status = gateway.status().await;
        (status.in_flight == 0 && status.writer.queue_used == 0).then_some(())
    })
    .await;
    let events = gateway.metering_events().await;
    let orphaned = |event: &&MeteringEvent| event.outcome == Outcome::Orphaned;
    eprintln!(
        "{} rows, {} of them orphaned; {:?}",
        events.len(),
        events.iter().filter(orphaned).count(),
        seen.endings.lock().unwrap()
    );
    let budgets: Vec<BudgetStatus> = gateway.list("/admin/v1/budgets?limit=500").await;
    assert_eq!(budgets.len(), BUDGETS);
    check_budgets(&budgets, &events);
    check_estimates(&gateway.request_logs().await);
    let rollups = gateway.usage_aggregates("total").await;
    let rolled_up: u64 = rollups.iter().map(|rollup| rollup.tokens.total()).sum();
    let tokens: u64 = events.iter().map(|event| event.tokens.total()).sum();
    assert_eq!(rolled_up, tokens);
    verified(&gateway.data_directory()).await;
    events
}

#[tokio::test]
async fn no_interleaving_overspends_where_requests_are_settled_before_their_last_byte() {
    spend("before-last-byte").await;
}

#[tokio::test]
async fn no_interleaving_overspends_where_requests_are_settled_in_batches() {
    spend("batched").await;
}
