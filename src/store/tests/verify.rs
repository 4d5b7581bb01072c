//! Verification: it adds up wherever it can be read, it changes nothing, and one altered row is found.

use std::collections::BTreeMap;

use ferrogate_api::{BalanceKey, BudgetUnit, UsageSource};
use tempfile::TempDir;

use super::{changes::audit, *};
use crate::config::Price;
use crate::store::{LedgerReport, Reprice, verify};

const PRICE: Price = Price {
    input_micros_per_million: 1_000,
    output_micros_per_million: 2_000,
    cache_read_micros_per_million: Some(100),
    cache_write_micros_per_million: None,
    long_context: None,
};

fn report(directory: &Path) -> LedgerReport {
    verify(directory, cost_of).unwrap()
}

/// Three days of rows with a little of everything: prices, a correction, a long request, a cached answer, balances,
/// an audit log.
async fn fill(store: &Store) {
    let mut slot = store.reserve().await.unwrap();
    for day in 0..3 {
        for minute in 0..4 {
            let id = id_at(NOON + day * DAY_MS + minute * 61_000);
            let mut event = event(id);
            event.tokens.cache_read = 2;
            event.cost_nanos = cost_of(event.tokens, PRICE);
            if minute == 3 {
                event.occurred_at_unix_ms += 7_200_000;
            }
            let price = Some(PRICE);
            slot.settle(vec![Metered { event, price }], false);
        }
    }
    let hit = MeteringEvent {
        attempt: 0,
        cache_hit: true,
        cost_nanos: None,
        saved_nanos: Some(50),
        tokens: Tokens::default(),
        usage_source: UsageSource::None,
        ..event(id_at(NOON))
    };
    slot.settle(vec![metered(hit)], false);
    let accounts = ["organization:acme", "key:key-a"];
    let keys = accounts.map(|account| BalanceKey {
        account: account.parse().unwrap(),
        unit: BudgetUnit::Money,
        start_unix_ms: 0,
        end_unix_ms: i64::MAX,
    });
    store.open_balances(keys.to_vec()).await.unwrap();
    for number in 0..3 {
        store
            .audit(audit("tenant.update", &number.to_string()))
            .await
            .unwrap();
    }
    let order = Reprice {
        since_unix_ms: NOON + 2 * DAY_MS,
        dry_run: false,
        reason: String::new(),
        audit: audit("ledger.reprice", "ledger"),
    };
    let dearer = Price {
        output_micros_per_million: 3_000,
        ..PRICE
    };
    let done = store.reprice(order, move |_, _, _| Some(dearer), cost_of);
    assert_eq!(done.await.unwrap().corrected, 4);
}

/// Every file of a directory, byte for byte.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn a_ledger_adds_up_in_use_and_after_a_kill_and_at_rest_and_is_left_as_it_is() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    fill(&store).await;
    let mut slot = store.reserve().await.unwrap();
    slot.hold(hold(id_at(NOON))).await.unwrap();
    let in_use = report(directory.path());
    assert_eq!(in_use.differences, []);
    let counts = [
        in_use.metering_events,
        in_use.cache_hits,
        in_use.balances,
        in_use.adjustments,
        in_use.audit_events,
        in_use.price_versions,
        in_use.open_holds.requests,
    ];
    assert_eq!(counts, [13, 1, 2, 4, 4, 2, 1]);
    assert_eq!(in_use.saved_nanos, 50);
    // 12 rows of 10 fresh, 2 cached and 30 answered; the answers of the last day cost half as much again.
    assert_eq!(in_use.cost_nanos, 12 * 70 + 4 * 30);

    let killed = as_if_killed(&directory);
    // A write-ahead log with everything in it, and what the killed process had beside it.
    fs::write(killed.path().join("ferrogate.db-shm"), [7; 32_768]).unwrap();
    let before = contents(killed.path());
    assert!(before["ferrogate.db-wal"].len() > 100_000);
    assert_eq!(report(killed.path()), in_use);
    assert_eq!(contents(killed.path()), before);

    slot.finish(record(log(id_at(NOON))));
    store.close().await.unwrap();
    drop(store);
    let before = contents(directory.path());
    assert!(!before.contains_key("ferrogate.db-wal"));
    let at_rest = report(directory.path());
    assert_eq!(contents(directory.path()), before);
    assert_eq!(at_rest.open_holds.requests, 0);
    assert_eq!((at_rest.metering_events, at_rest.differences), (13, vec![]));
    // A copy without the lock, under a name that is not easily written as a URI.
    let copy = TempDir::with_prefix("a copy?x=1#").unwrap();
    fs::copy(
        directory.path().join("ferrogate.db"),
        copy.path().join("ferrogate.db"),
    )
    .unwrap();
    assert_eq!(report(copy.path()).metering_events, 13);
    assert_eq!(contents(copy.path()).len(), 1);
}

#[tokio::test]
async fn an_altered_row_is_found() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    fill(&store).await;
    store.close().await.unwrap();
    drop(store);
    let check = |sql: &str, expected: &[&str]| {
        let copy = TempDir::new().unwrap();
        let path = copy.path().join("ferrogate.db");
        fs::copy(directory.path().join("ferrogate.db"), &path).unwrap();
        let altered = raw(&path).execute(sql, []).unwrap();
        assert!(altered > 0, "{sql}");
        let report = report(copy.path());
        assert!(!report.is_clean(), "{sql}");
        let what = |part: &&str| {
            report
                .differences
                .iter()
                .any(|difference| difference.what.contains(*part))
        };
        let missing: Vec<_> = expected.iter().filter(|part| !what(part)).collect();
        assert!(
            missing.is_empty(),
            "{sql}: {missing:?} not in {:#?}",
            report.differences
        );
    };
    let one = |set: &str| {
        format!(
            "UPDATE metering_events SET {set} WHERE attempt = 1 AND displaced = 0
                 AND request_id = (SELECT min(request_id) FROM metering_events WHERE attempt = 1 AND displaced = 0)"
        )
    };
    check(
        &one("cost_nanos = cost_nanos + 1"),
        &[
            "metering_events",
            "minute",
            "hour",
            "day",
            "balances organization:acme",
            "balances key:key-a",
        ],
    );
    check(
        &one("input_tokens = input_tokens - 1"),
        &[
            "cost_nanos",
            "day 2026-01-01T00:00:00Z key-a small one: input_tokens",
        ],
    );
    check(&one("price_version = 99"), &["metering_events"]);
    check(
        &one("organization_id = 'umbrella'"),
        &["balances organization:acme"],
    );
    check(
        &one("api_key_id = 'key-b'"),
        &[
            "day 2026-01-01T00:00:00Z key-b",
            "day 2026-01-01T00:00:00Z key-a",
            "balances key:key-a",
        ],
    );
    check(&one("status = 502"), &["errors"]);
    check(
        &one("occurred_at_unix_ms = occurred_at_unix_ms + 60000"),
        &["minute"],
    );
    check(
        &one("occurred_at_unix_ms = 9223372036854775807"),
        &["displaced", "day 2026-01-01"],
    );
    check(
        &one("occurred_at_unix_ms = -9223372036854775808"),
        &["displaced", "day 2026-01-01"],
    );
    check(&one("displaced = 1"), &["displaced"]);
    check(
        "UPDATE metering_events SET displaced = 0 WHERE displaced = 1",
        &["displaced"],
    );
    check(
        "UPDATE metering_events SET occurred_at_unix_ms = 9223372036854775807 WHERE displaced = 1",
        &["rows with a time"],
    );
    check(
        "UPDATE metering_events SET saved_nanos = 51 WHERE cache_hit = 1",
        &["saved_nanos"],
    );
    check(
        "UPDATE metering_events SET cache_hit = 0 WHERE cache_hit = 1",
        &["requests", "cache_hits"],
    );
    check(
        "DELETE FROM metering_events WHERE request_id = (SELECT max(request_id) FROM metering_events)",
        &["budget_adjustments", "requests"],
    );
    check(
        "UPDATE usage_rollups SET requests = requests + 1 WHERE span_ms = 3600000",
        &["hour"],
    );
    check(
        "DELETE FROM usage_rollups WHERE span_ms = 86400000",
        &["day 2026-01-01", "day 2026-01-03"],
    );
    check(
        "INSERT INTO usage_rollups SELECT 1, window_start_unix_ms, api_key_id, model, provider, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 FROM usage_rollups LIMIT 1",
        &["usage_rollups: rows with a time"],
    );
    check(
        "UPDATE usage_rollups SET api_key_id = 'key-b' WHERE span_ms = 86400000",
        &["key-a", "key-b"],
    );
    check(
        "UPDATE balances SET used = used - 1 WHERE account_kind = 'key'",
        &["balances key:key-a money 1970-01-01T00:00:00Z to"],
    );
    check(
        "UPDATE budget_adjustments SET amount = amount * 2",
        &["cost with corrections", "balances", "minute"],
    );
    check(
        "DELETE FROM budget_adjustments",
        &["balances", "2026-01-03"],
    );
    check(
        "UPDATE price_versions SET output_micros_per_million = 5 WHERE id = 1",
        &["metering_events"],
    );
    check(
        "UPDATE price_versions SET output_micros_per_million = 5 WHERE id = 2",
        &["cost with corrections"],
    );
    check(
        "UPDATE audit_events SET message = 'x' WHERE seq = 2",
        &["audit_events 2: hash"],
    );
    check(
        "UPDATE audit_events SET detail = NULL WHERE seq = 2",
        &["audit_events 2: hash"],
    );
    check(
        "UPDATE audit_events SET hash = zeroblob(32) WHERE seq = 2",
        &["audit_events 2: hash", "audit_events 3: prev_hash"],
    );
    check(
        "DELETE FROM audit_events WHERE seq = 2",
        &["the row after 1", "audit_events 3: prev_hash"],
    );
    check(
        "DELETE FROM audit_events WHERE seq = 1",
        &["the row after 0"],
    );
    check("DELETE FROM audit_events WHERE seq = 4", &["the last row"]);
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_and_no_difference() {
    let directory = TempDir::new().unwrap();
    let failed = verify(directory.path(), cost_of).unwrap_err();
    assert!(matches!(failed, StoreError::NoLedger { .. }), "{failed}");
    fs::write(
        directory.path().join("ferrogate.db"),
        b"no database".repeat(500),
    )
    .unwrap();
    let failed = verify(directory.path(), cost_of).unwrap_err();
    assert!(matches!(failed, StoreError::Open { .. }), "{failed}");
    assert_eq!(contents(directory.path()).len(), 1);
}

#[tokio::test]
async fn a_gateway_cannot_begin_while_a_ledger_at_rest_is_read() {
    let directory = TempDir::new().unwrap();
    drop(open(&directory));
    let lock = crate::store::lock::DirectoryLock::share(directory.path()).unwrap();
    // Two may read.
    assert_eq!(report(directory.path()).differences, []);
    let refused = Store::open(&storage(directory.path()), Clock::system());
    assert!(
        matches!(refused, Err(StoreError::InUse { .. })),
        "{refused:?}"
    );
    drop(lock);
    open(&directory);
}
