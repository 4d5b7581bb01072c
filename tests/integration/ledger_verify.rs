//! `ferrogate ledger verify` and `ferrogate reprice`: the books of a gateway that was killed add up, what somebody
//! altered afterwards is found, and a price that was wrong is put right without altering a row.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ferrogate_api::{BudgetStatus, MeteringEvent, Outcome, RepriceReport};
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::support::{Ended, Gateway, Ledger, Rig, Stopped, eventually, ferrogate};

/// Everybody's budgets are wide: here they are for being reckoned.
const TENANTS: &str = r#"
    [reliability]
    provider_circuit_breaker_failure_threshold = 0

    [[tenants]]
    kind = "organization"
    id = "acme"
    budgets = [
        { id = "all", tokens = 1_000_000_000, period = "total" },
        { id = "purse", money = "1000", period = "month", time_zone = "Europe/Berlin" },
    ]

    [[tenants]]
    kind = "project"
    id = "red"
    parent = "organization:acme"
    budgets = [{ id = "today", money = "1000", period = "day" }]

    [[api_keys]]
    id = "spender"
    key = "spender-secret"
    project_id = "red"
    budgets = [{ id = "own", tokens = 1_000_000_000, period = "month" }]
"#;

const CLIENTS: u64 = 12;
/// So many whole answers are in before the gateway is killed.
const ANSWERS_MIN: u64 = 150;

/// Of four shapes, the one that the provider cuts.
const CUT: u64 = 2;

/// A request of the key with the budgets, in a shape that its number picks.
fn request(rig: &Rig, number: u64) -> crate::support::Request {
    let text = match number % 4 {
        0 => "sim: usage=random delay_ms=2 tokens=6\nhello",
        1 => "sim: usage=random cached=200\nhello",
        CUT => "sim: delay_ms=2 tokens=9 fault=cut after=3\nhello",
        _ => "sim: ttft_ms=10 tokens=8\nhello",
    };
    let request = match number % 4 {
        0 | CUT => rig.chat_stream(text),
        _ => rig.chat(text),
    };
    request.key("spender-secret")
}

/// Kills a gateway while its clients have requests in every stage.
async fn crash(settle: &str) -> Stopped {
    let config = format!("{TENANTS}\n[storage]\nsettle = \"{settle}\"");
    let rig = Arc::new(Rig::start(&config).await);
    let answers = Arc::new(AtomicU64::new(0));
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (rig, answers) = (Arc::clone(&rig), Arc::clone(&answers));
        clients.spawn(async move {
            let mut number = client;
            while let Ok(answer) = request(&rig, number).try_send().await {
                assert_eq!(answer.status, 200, "{}", answer.text());
                // Of one that was cut nobody waits for the record.
                let is_whole = number % 4 != CUT;
                answers.fetch_add(u64::from(is_whole), Ordering::Relaxed);
                number += 1;
            }
        });
    }
    eventually("enough is on record", || {
        let enough = answers.load(Ordering::Relaxed) >= ANSWERS_MIN;
        std::future::ready(enough.then_some(()))
    })
    .await;
    rig.gateway.signal_kill();
    clients.join_all().await;
    let rig = Arc::into_inner(rig).unwrap();
    rig.gateway.left().await.1
}

/// What `ferrogate ledger verify` says of a data directory.
async fn verify(data_directory: &Path) -> (Ended, Value) {
    let directory = data_directory.to_str().unwrap();
    let command = ferrogate(&["ledger", "verify", "--json", "--data-dir", directory]);
    let ended = Ended::of(command, "").await;
    let report = serde_json::from_str(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}{}", ended.stdout, ended.stderr));
    (ended, report)
}

async fn verified(data_directory: &Path) -> Value {
    let (ended, report) = verify(data_directory).await;
    assert_eq!(ended.code, Some(0), "{report:#}");
    assert_eq!(report["differences_found"], 0);
    report
}

/// Each of the gateway's budgets is what the rows say.
async fn check_budgets(gateway: &Gateway) {
    let events = gateway.metering_events().await;
    let spent: Vec<&MeteringEvent> = events
        .iter()
        .filter(|event| &*event.api_key_id == "spender")
        .collect();
    let tokens: u64 = spent.iter().map(|event| event.tokens.total()).sum();
    let cost: i64 = spent.iter().filter_map(|event| event.cost_nanos).sum();
    let budgets: Vec<BudgetStatus> = gateway.list("/admin/v1/budgets?limit=500").await;
    assert_eq!(budgets.len(), 4);
    for budget in budgets {
        let expected = match budget.unit {
            ferrogate_api::BudgetUnit::Tokens => i64::try_from(tokens).unwrap(),
            ferrogate_api::BudgetUnit::Money => cost,
        };
        assert_eq!((budget.used, budget.held), (expected, 0), "{budget:?}");
    }
}

#[tokio::test]
async fn the_books_of_a_killed_gateway_add_up_and_again_when_its_orphans_are_charged() {
    let stopped = crash("before-last-byte").await;
    let directory = stopped.data_directory();
    let before = verified(&directory).await;
    // Looking changes nothing: the write-ahead log that the kill left is still there.
    let log = fs::metadata(directory.join("ferrogate.db-wal")).unwrap();
    assert!(log.len() > 0);
    assert_eq!(verified(&directory).await, before);
    let rows = before["metering_events"].as_u64().unwrap();
    let open = before["open_holds"]["requests"].as_u64().unwrap();
    assert!(rows >= ANSWERS_MIN && open > 0, "{before:#}");

    let gateway = stopped.restart().await;
    let events = gateway.metering_events().await;
    let orphaned = |event: &&MeteringEvent| event.outcome == Outcome::Orphaned;
    let orphans = events.iter().filter(orphaned).count();
    assert_eq!(u64::try_from(orphans).unwrap(), open);
    assert_eq!(u64::try_from(events.len()).unwrap(), rows + open);
    check_budgets(&gateway).await;
    // While it runs, too.
    let after = verified(&directory).await;
    assert_eq!(after["metering_events"], rows + open);
    assert_eq!(after["open_holds"]["requests"], 0);

    gateway.terminate();
    let (code, stopped) = gateway.left().await;
    assert_eq!(code, Some(0));
    assert_eq!(verified(&stopped.data_directory()).await, after);
}

#[tokio::test]
async fn the_books_add_up_too_where_the_last_batch_was_lost() {
    let stopped = crash("batched").await;
    let before = verified(&stopped.data_directory()).await;
    assert_eq!(before["open_holds"]["requests"], 0);
    let gateway = stopped.restart().await;
    check_budgets(&gateway).await;
    assert_eq!(
        verified(&gateway.data_directory()).await["metering_events"],
        before["metering_events"]
    );
}

/// What somebody with write access might do, and what is said of it.
const ALTERED: [(&str, &[&str]); 7] = [
    (
        "UPDATE metering_events SET output_tokens = output_tokens + 1 \
         WHERE request_id = (SELECT max(request_id) FROM metering_events WHERE output_tokens > 0)",
        &[
            "usage_rollups day",
            ": output_tokens",
            "balances organization:acme tokens",
        ],
    ),
    (
        "UPDATE metering_events SET cost_nanos = cost_nanos - 1 \
         WHERE request_id = (SELECT max(request_id) FROM metering_events WHERE cost_nanos > 0)",
        &[
            "metering_events ",
            ": cost_nanos",
            "balances project:red money",
        ],
    ),
    (
        "DELETE FROM metering_events \
         WHERE request_id = (SELECT max(request_id) FROM metering_events WHERE output_tokens > 0)",
        &[": requests", "balances key:spender tokens"],
    ),
    (
        "UPDATE usage_rollups SET errors = errors + 1 WHERE span_ms = 3600000",
        &["usage_rollups hour", "spender fast openai: errors"],
    ),
    (
        "UPDATE balances SET used = used - 1 WHERE account_kind = 'organization' AND unit = 'money'",
        &["balances organization:acme money"],
    ),
    (
        "UPDATE price_versions SET output_micros_per_million = output_micros_per_million + 1000000",
        &["metering_events ", ": cost_nanos"],
    ),
    (
        "UPDATE audit_events SET actor = 'somebody else' WHERE seq = 1",
        &["audit_events 1: hash"],
    ),
];

#[tokio::test]
async fn a_row_that_was_altered_is_found_and_named() {
    let rig = Rig::start(TENANTS).await;
    for number in 0..12 {
        request(&rig, number).send().await;
    }
    rig.gateway.terminate();
    let stopped = rig.gateway.left().await.1;
    let directory = stopped.data_directory();
    let whole = verified(&directory).await;
    assert!(whole["metering_events"].as_u64().unwrap() >= 12);

    for (alteration, expected) in ALTERED {
        let copy = copy_of(&directory);
        alter(copy.path(), alteration);
        let (ended, report) = verify(copy.path()).await;
        assert_eq!(ended.code, Some(1), "{alteration}: {report:#}");
        let listed = report["differences"].as_array().unwrap();
        assert!(!listed.is_empty() && report["differences_found"] != 0);
        let named: Vec<&str> = listed
            .iter()
            .map(|difference| difference["what"].as_str().unwrap())
            .collect();
        for part in expected {
            let found = named.iter().any(|what| what.contains(part));
            assert!(found, "{alteration}: {part} in {named:#?}");
        }
        // For people it says the same.
        let path = copy.path().to_str().unwrap();
        let told = Ended::of(ferrogate(&["ledger", "verify", "--data-dir", path]), "").await;
        assert_eq!(told.code, Some(1));
        assert!(told.stdout.contains(named[0]), "{}", told.stdout);
    }
    verified(&directory).await;
    Ledger::assert_intact(&directory);
}

/// The databases of a gateway that has ended, where they can be spoiled.
fn copy_of(data_directory: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(data_directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        if path.is_file() {
            fs::copy(&path, copy.path().join(name)).unwrap();
        }
    }
    copy
}

fn alter(data_directory: &Path, sql: &str) {
    let path = data_directory.join("ferrogate.db");
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let rows = connection.execute(sql, []).unwrap();
    assert!(rows > 0, "{sql}");
}

#[tokio::test]
async fn a_directory_without_a_ledger_is_another_answer_than_one_that_does_not_add_up() {
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().to_str().unwrap();
    let ended = Ended::of(ferrogate(&["ledger", "verify", "--data-dir", path]), "").await;
    assert_eq!(ended.code, Some(2), "{}", ended.stdout);
    assert!(ended.stderr.contains(path), "{}", ended.stderr);
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
}

/// Output tokens become dearer; what they were is in the standard configuration.
fn reprice_output(config: &Path) {
    let text = fs::read_to_string(config).unwrap();
    let mut root: toml::Table = text.parse().unwrap();
    let models = root["models"].as_array_mut().unwrap();
    let fast = models
        .iter_mut()
        .find(|model| model["name"].as_str() == Some("fast"));
    let fast = fast.unwrap().as_table_mut().unwrap();
    let before = fast.insert("output_price_per_1m".to_owned(), "2.40".into());
    assert_eq!(before, Some("0.60".into()));
    fs::write(config, root.to_string()).unwrap();
}

/// What an event costs with the price that [`reprice_output`] sets, beyond what it cost before: 1,800 nano-units for
/// each output token instead of none.
fn dearer(event: &MeteringEvent) -> i64 {
    i64::try_from(event.tokens.output).unwrap() * 1_800
}

async fn reprice(gateway: &Gateway, more: &[&str]) -> RepriceReport {
    let mut arguments = vec!["reprice", "--since", "2000-01-01", "--json"];
    arguments.extend(more);
    let ended = gateway.command(&arguments).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap()
}

async fn total_cost(gateway: &Gateway) -> i64 {
    let rollups = gateway.usage_aggregates("total").await;
    rollups.iter().map(|rollup| rollup.cost_nanos).sum()
}

async fn spent_money(gateway: &Gateway) -> Vec<i64> {
    let budgets: Vec<BudgetStatus> = gateway.list("/admin/v1/budgets?limit=500").await;
    let money = |budget: &&BudgetStatus| budget.unit == ferrogate_api::BudgetUnit::Money;
    budgets
        .iter()
        .filter(money)
        .map(|budget| budget.used)
        .collect()
}

#[tokio::test]
async fn a_price_that_changed_is_put_right_by_corrections_that_budgets_and_rollups_follow() {
    let rig = Rig::start(TENANTS).await;
    for number in 0..8 {
        request(&rig, number).send().await;
    }
    let config = rig.gateway.config_file();
    rig.gateway.terminate();
    let stopped = rig.gateway.left().await.1;
    reprice_output(&config);
    let gateway = stopped.restart().await;
    let events = gateway.metering_events().await;
    let cost: i64 = events.iter().filter_map(|event| event.cost_nanos).sum();
    let difference: i64 = events.iter().map(dearer).sum();
    let corrected = events
        .iter()
        .filter(|event| event.tokens.output > 0)
        .count();
    assert!(cost > 0 && difference > 0);
    assert_eq!(spent_money(&gateway).await, [cost, cost]);

    let expected = RepriceReport {
        dry_run: true,
        examined: u64::try_from(events.len()).unwrap(),
        corrected: u64::try_from(corrected).unwrap(),
        unpriced: 0,
        difference_nanos: difference,
    };
    assert_eq!(reprice(&gateway, &["--dry-run"]).await, expected);
    assert_eq!(total_cost(&gateway).await, cost);
    let done = RepriceReport {
        dry_run: false,
        ..expected
    };
    assert_eq!(reprice(&gateway, &[]).await, done);

    let corrected_cost = cost + difference;
    assert_eq!(spent_money(&gateway).await, [corrected_cost; 2]);
    assert_eq!(total_cost(&gateway).await, corrected_cost);
    assert_eq!(gateway.metering_events().await, events, "no row is altered");
    let audit: Vec<Value> = gateway.list("/admin/v1/audit-events?limit=100").await;
    assert!(
        audit
            .iter()
            .any(|entry| entry["action"] == "ledger.reprice"),
        "{audit:#?}"
    );
    // Nothing is left to be corrected.
    let again = RepriceReport {
        corrected: 0,
        difference_nanos: 0,
        ..done
    };
    assert_eq!(reprice(&gateway, &[]).await, again);
    let report = verified(&gateway.data_directory()).await;
    assert_eq!(report["cost_nanos"], corrected_cost);
    assert_eq!(report["adjustments"], u64::try_from(corrected).unwrap());

    // And what was corrected stays so, whatever ends the process.
    let gateway = gateway.kill().await.restart().await;
    assert_eq!(spent_money(&gateway).await, [corrected_cost; 2]);
    verified(&gateway.data_directory()).await;
}
