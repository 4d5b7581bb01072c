//! Retention: what leaves is what should, what stays adds up at every step, and the chain of the audit log goes on.

use ferrogate_api::{
    AccountKind, AccountRef, AuditEventQuery, BalanceKey, BudgetUnit, RetentionJob,
};

use super::{changes::audit, *};
use crate::store::{
    AuditEntry, Reprice,
    audit_events::append,
    balances::{Book, fold},
    connection::open_writer,
    day_writer::DayWriter,
    days::DayFiles,
    migrations::Schema,
    retention::Retention as Job,
    verify, verify_audit,
};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

const PRICE: Price = Price {
    input_micros_per_million: 1_000,
    output_micros_per_million: 2_000,
    cache_read_micros_per_million: None,
    cache_write_micros_per_million: None,
    long_context: None,
};

/// A small generator, so that every run has the same rows.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn time(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.below(u64::try_from(to - from).unwrap())).unwrap()
    }
}

fn account(kind: AccountKind, id: &str) -> AccountRef {
    AccountRef {
        kind,
        id: id.into(),
    }
}

fn key(account: &AccountRef, unit: BudgetUnit, start: i64, end: i64) -> BalanceKey {
    BalanceKey {
        account: account.clone(),
        unit,
        start_unix_ms: start,
        end_unix_ms: end,
    }
}

/// Seventy days of rows of three keys: prices, corrections, long requests, cached answers, balances in total and of a month.
async fn fill(directory: &TempDir) {
    let store = Store::open(&storage(directory.path()), Clock::manual(NOON)).unwrap();
    let mut slot = store.reserve().await.unwrap();
    let mut dice = Dice(7);
    for number in 0..400 {
        let at = dice.time(NOON - 70 * DAY_MS, NOON);
        let mut event = event(id_at(at));
        event.api_key_id = ["key-a", "key-b", "key-c"][number % 3].into();
        event.tenant = (number % 3 > 0).then(tenant);
        event.tokens.output = dice.below(500);
        event.cost_nanos = cost_of(event.tokens, PRICE);
        if number % 10 == 3 {
            event.occurred_at_unix_ms += dice.time(0, 3 * HOUR_MS);
        }
        if number % 10 == 7 {
            event.cache_hit = true;
            event.cost_nanos = None;
            event.tokens = Tokens::default();
        }
        let price = event.cost_nanos.map(|_| PRICE);
        slot.settle(vec![Metered { event, price }], false);
    }
    let mut keys = Vec::new();
    for account in [
        account(AccountKind::Key, "key-a"),
        account(AccountKind::Key, "key-b"),
        account(AccountKind::Organization, "acme"),
        account(AccountKind::User, "ada"),
    ] {
        for unit in [BudgetUnit::Tokens, BudgetUnit::Money] {
            keys.push(key(&account, unit, 0, i64::MAX));
            keys.push(key(&account, unit, NOON - 20 * DAY_MS, NOON + 10 * DAY_MS));
        }
    }
    store.open_balances(keys).await.unwrap();
    let order = Reprice {
        since_unix_ms: NOON - 50 * DAY_MS,
        dry_run: false,
        reason: String::new(),
        audit: audit("ledger.reprice", "ledger"),
    };
    let dearer = Price {
        output_micros_per_million: 3_000,
        ..PRICE
    };
    let done = store.reprice(order, move |_, _, _| Some(dearer), cost_of);
    assert!(done.await.unwrap().corrected > 100);
    for number in 0..30 {
        let entry = audit("tenant.update", &number.to_string());
        store.audit(entry).await.unwrap();
    }
    store.close().await.unwrap();
}

fn ledger(directory: &Path) -> Connection {
    open_writer(
        &directory.join("ferrogate.db"),
        Schema::Ledger,
        Durability::ProcessCrash,
    )
    .unwrap()
}

fn retention(connection: &Connection, limits: Retention, now_unix_ms: i64) -> Job {
    let clock = Clock::manual(now_unix_ms);
    Job::new(limits, clock, connection).unwrap()
}

/// One round; `each` is called after every slice.
fn round(job: &mut Job, connection: &Connection, mut each: impl FnMut()) -> Vec<RetentionJob> {
    // Request logs have tests of their own.
    let elsewhere = TempDir::new().unwrap();
    let files = DayFiles::open(&storage(elsewhere.path())).unwrap();
    let mut days = DayWriter::new(Arc::new(files));
    for _ in 0..10_000 {
        let goes_on = job.step_now(connection, &mut days);
        each();
        if !goes_on {
            return job.shown().lock().clone();
        }
    }
    panic!("a round without an end");
}

fn count(connection: &Connection, what: &str) -> i64 {
    let select = format!("SELECT count(*) FROM {what}");
    connection.query_row(&select, [], |row| row.get(0)).unwrap()
}

/// The sums of very different windows, as they are folded from what the ledger holds.
fn sums(connection: &Connection, keys: &[BalanceKey]) -> Vec<i64> {
    let mut book = Book::of(keys);
    fold(connection, &mut book).unwrap();
    keys.iter().map(|key| book.get(key).unwrap()).collect()
}

/// In total, and every window of an hour, a day or a month that somebody may still open, in zones that begin their hours
/// at any quarter.
fn windows() -> Vec<BalanceKey> {
    let mut dice = Dice(99);
    let mut keys = Vec::new();
    for account in [
        account(AccountKind::Key, "key-a"),
        account(AccountKind::Key, "key-c"),
        account(AccountKind::Organization, "acme"),
        account(AccountKind::Project, "web"),
    ] {
        for unit in [BudgetUnit::Tokens, BudgetUnit::Money] {
            keys.push(key(&account, unit, 0, i64::MAX));
            for length in [HOUR_MS, DAY_MS, 7 * DAY_MS, 31 * DAY_MS] {
                for _ in 0..20 {
                    let begin = dice.time(NOON - 31 * DAY_MS, NOON);
                    let start = begin - begin.rem_euclid(15 * MINUTE_MS);
                    keys.push(key(&account, unit, start, start + length));
                }
            }
        }
    }
    keys
}

fn differences(directory: &TempDir) -> Vec<String> {
    let left = as_if_killed(directory);
    let report = verify(left.path(), cost_of).unwrap();
    report
        .differences
        .iter()
        .map(|difference| format!("{difference:?}"))
        .collect()
}

#[tokio::test]
async fn rows_of_the_ledger_leave_and_every_sum_stays_wherever_it_is_stopped() {
    let check = |directory: &TempDir, limits: Retention, events: std::ops::RangeInclusive<i64>| {
        let connection = ledger(directory.path());
        let keys = windows();
        let before = sums(&connection, &keys);
        assert!(before.iter().filter(|sum| **sum > 0).count() > 200);
        let rows = count(&connection, "metering_events");
        let mut job = retention(&connection, limits, NOON);
        let mut slices = 0;
        let jobs = round(&mut job, &connection, || {
            slices += 1;
            assert_eq!(sums(&connection, &keys), before, "after {slices} slices");
            if slices % 5 == 0 {
                assert_eq!(
                    differences(directory),
                    [] as [&str; 0],
                    "after {slices} slices"
                );
            }
        });
        let left = count(&connection, "metering_events");
        assert!(events.contains(&left), "{left}");
        assert!(slices > 12, "{slices}");
        let job = jobs
            .iter()
            .find(|job| job.name == "metering_events")
            .unwrap();
        assert_eq!(job.removed, u64::try_from(rows - left).unwrap());
        assert_eq!(job.last_outcome.as_deref(), Some("ok"));
        let corrections = count(&connection, "budget_adjustments WHERE kind = 'correction'");
        let kept = count(
            &connection,
            "budget_adjustments a JOIN metering_events e ON a.request_id = e.request_id AND a.attempt = e.attempt",
        );
        assert_eq!(corrections, kept);
    };
    let directory = TempDir::new().unwrap();
    fill(&directory).await;
    let slices = Retention {
        slice_rows: 23,
        ..no_retention()
    };
    let by_age = Retention {
        billing_event_days: 40,
        ..slices.clone()
    };
    check(&directory, by_age, 180..=260);
    let by_number = Retention {
        billing_event_records: 50,
        ..slices.clone()
    };
    check(&directory, by_number.clone(), 50..=60);
    // What was taken once is not taken again, and the store opens on it.
    let connection = ledger(directory.path());
    let mut job = retention(&connection, by_number, NOON);
    round(&mut job, &connection, || ());
    assert_eq!(differences(&directory), [] as [&str; 0]);
    drop(connection);
    let store = Store::open(&storage(directory.path()), Clock::manual(NOON)).unwrap();
    store.close().await.unwrap();
    assert_eq!(differences(&directory), [] as [&str; 0]);
}

#[tokio::test]
async fn closings_that_no_running_period_needs_are_put_together() {
    let directory = TempDir::new().unwrap();
    fill(&directory).await;
    let connection = ledger(directory.path());
    let keys = [
        account(AccountKind::Key, "key-a"),
        account(AccountKind::Organization, "acme"),
    ]
    .map(|account| key(&account, BudgetUnit::Money, 0, i64::MAX));
    let before = sums(&connection, &keys);
    let limits = Retention {
        billing_event_records: 1,
        slice_rows: 40,
        ..no_retention()
    };
    let mut job = retention(&connection, limits.clone(), NOON);
    round(&mut job, &connection, || ());
    let short = count(&connection, "budget_adjustments WHERE kind = 'closing'");
    assert!(short > 300, "{short}");
    let mut job = retention(&connection, limits, NOON + 40 * DAY_MS);
    round(&mut job, &connection, || {
        assert_eq!(sums(&connection, &keys), before);
    });
    assert_eq!(differences(&directory), [] as [&str; 0]);
    // Three months or four, seven accounts, two units.
    let long = count(&connection, "budget_adjustments WHERE kind = 'closing'");
    assert!((20..=56).contains(&long), "{long}");
}

#[tokio::test]
async fn a_row_that_is_altered_after_others_left_is_still_found() {
    let directory = TempDir::new().unwrap();
    fill(&directory).await;
    let connection = ledger(directory.path());
    let limits = Retention {
        billing_event_days: 30,
        usage_rollup_minute_days: 10,
        usage_rollup_hour_days: 20,
        ..no_retention()
    };
    let mut job = retention(&connection, limits, NOON);
    let jobs = round(&mut job, &connection, || ());
    assert_eq!(differences(&directory), [] as [&str; 0]);
    let removed = |name: &str| jobs.iter().find(|job| job.name == name).unwrap().removed;
    assert!(removed("usage_rollups.minute") > removed("usage_rollups.hour"));
    assert!(removed("usage_rollups.hour") > 100);
    let check = |sql: &str, expected: &str| {
        connection.execute_batch("BEGIN").unwrap();
        assert!(connection.execute(sql, []).unwrap() > 0, "{sql}");
        connection.execute_batch("COMMIT").unwrap();
        let found = differences(&directory);
        assert!(
            found.iter().any(|difference| difference.contains(expected)),
            "{sql}: {found:?}"
        );
    };
    check(
        "UPDATE budget_adjustments SET amount = amount + 1 WHERE rowid =
             (SELECT min(rowid) FROM budget_adjustments WHERE kind = 'closing' AND account_id = 'key-a')",
        "balances key:key-a",
    );
    check(
        "DELETE FROM usage_rollups WHERE span_ms = 86400000 AND window_start_unix_ms =
             (SELECT max(window_start_unix_ms) FROM usage_rollups WHERE span_ms = 86400000)",
        "usage_rollups day",
    );
    check(
        "DELETE FROM usage_rollups WHERE span_ms = 60000 AND window_start_unix_ms =
             (SELECT max(window_start_unix_ms) FROM usage_rollups WHERE span_ms = 60000)",
        "usage_rollups minute",
    );
}

#[test]
fn traffic_leaves_once_it_is_in_the_sums_of_the_next_span() {
    let directory = TempDir::new().unwrap();
    let connection = ledger(directory.path());
    for minute in 0..100 {
        connection
            .execute(
                "INSERT INTO traffic_rollups VALUES (60000, ?1, 1, 1, 0, 0, 0, 0, 0, 0, 0, x'', x'', x'')",
                [NOON + minute * MINUTE_MS],
            )
            .unwrap();
    }
    let limits = Retention {
        usage_rollup_minute_days: 1,
        slice_rows: 9,
        ..no_retention()
    };
    let check = |folded_to: i64, left: i64| {
        connection
            .execute(
                "UPDATE traffic_folds SET window_start_unix_ms = ?1 WHERE span_ms = 60000",
                [NOON + folded_to * MINUTE_MS],
            )
            .unwrap();
        let now = NOON + DAY_MS + 60 * MINUTE_MS;
        round(
            &mut retention(&connection, limits.clone(), now),
            &connection,
            || (),
        );
        assert_eq!(count(&connection, "traffic_rollups"), left, "{folded_to}");
    };
    check(0, 100);
    check(30, 70);
    check(90, 40);
}

fn entry(number: i64, at_unix_ms: i64) -> AuditEntry {
    AuditEntry {
        occurred_at_unix_ms: at_unix_ms,
        ..audit("tenant.update", &number.to_string())
    }
}

#[test]
fn the_chain_of_the_audit_log_goes_on_from_what_has_left() {
    let directory = TempDir::new().unwrap();
    let connection = ledger(directory.path());
    let verified = || {
        let left = as_if_killed(&directory);
        verify_audit(left.path(), None).unwrap()
    };
    for number in 1..=100 {
        append(&connection, &entry(number, NOON + number * DAY_MS)).unwrap();
    }
    let head = verified().head_hash;
    let check = |limits: Retention, rows: u64, anchor: Option<i64>| {
        let mut job = retention(&connection, limits, NOON + 100 * DAY_MS);
        round(&mut job, &connection, || {
            assert!(verified().ok, "{:?}", verified());
        });
        let report = verified();
        assert_eq!(
            (report.rows, report.anchor_seq),
            (rows, anchor),
            "{report:?}"
        );
        assert_eq!(report.head_hash, head);
        assert_eq!(report.last_seq, (rows > 0).then_some(100));
    };
    let slices = Retention {
        slice_rows: 7,
        ..no_retention()
    };
    check(slices.clone(), 100, None);
    check(
        Retention {
            audit_event_days: 60,
            ..slices.clone()
        },
        61,
        Some(39),
    );
    check(
        Retention {
            audit_event_records: 10,
            audit_event_days: 90,
            ..slices.clone()
        },
        10,
        Some(90),
    );
    append(&connection, &entry(101, NOON + 101 * DAY_MS)).unwrap();
    let noted = verified().head_hash.unwrap();
    // All of them: the anchor alone remembers.
    let mut job = retention(
        &connection,
        Retention {
            audit_event_days: 1,
            ..slices
        },
        NOON + 200 * DAY_MS,
    );
    round(&mut job, &connection, || ());
    let report = verified();
    assert!(report.ok && report.rows == 0, "{report:?}");
    assert_eq!(report.head_hash, Some(noted.clone()));
    append(&connection, &entry(102, NOON)).unwrap();
    let report = verified();
    assert!(report.ok, "{report:?}");
    assert_eq!((report.first_seq, report.last_seq), (Some(102), Some(102)));

    let expecting = |hash: &str| {
        let left = as_if_killed(&directory);
        verify_audit(left.path(), Some(hash)).unwrap()
    };
    let found = expecting(&noted.to_uppercase());
    assert_eq!((found.ok, found.expected_seq), (true, Some(101)));
    assert_eq!(
        expecting(&report.head_hash.unwrap()).expected_seq,
        Some(102)
    );
    let unknown = expecting(&head.unwrap());
    assert!(!unknown.ok && unknown.problems_found == 1, "{unknown:?}");

    connection
        .execute("UPDATE audit_anchors SET hash = zeroblob(32)", [])
        .unwrap();
    let altered = verified();
    assert!(!altered.ok, "{altered:?}");
    assert!(altered.problems[0].contains("audit_events 102: prev_hash"));
}

#[test]
fn the_newest_revisions_stay() {
    let directory = TempDir::new().unwrap();
    let connection = ledger(directory.path());
    for number in 1..=20 {
        connection
            .execute(
                "INSERT INTO config_revisions VALUES (?1, 0, 'a', 'api', '', '[]', '[]', NULL)",
                [number],
            )
            .unwrap();
    }
    let limits = Retention {
        config_revision_records: 5,
        slice_rows: 4,
        ..no_retention()
    };
    let mut job = retention(&connection, limits, NOON);
    round(&mut job, &connection, || ());
    let left = "config_revisions WHERE revision BETWEEN 16 AND 20";
    assert_eq!(count(&connection, left), 5);
    assert_eq!(count(&connection, "config_revisions"), 5);
}

#[tokio::test]
async fn a_gateway_removes_between_batches_and_tells_of_it_after_a_restart_too() {
    let directory = TempDir::new().unwrap();
    let storage = Storage {
        retention: Retention {
            interval: Duration::from_millis(1),
            audit_event_records: 3,
            slice_rows: 2,
            ..no_retention()
        },
        ..storage(directory.path())
    };
    let store = Store::open(&storage, Clock::manual(NOON)).unwrap();
    for number in 0..20 {
        let entry = audit("tenant.update", &number.to_string());
        store.audit(entry).await.unwrap();
    }
    let audited = |store: &Store| {
        let jobs = store.retention_status();
        jobs.into_iter()
            .find(|job| job.name == "audit_events")
            .unwrap()
    };
    for _ in 0..10_000 {
        // Every flush is a round of the writer's.
        store.flush().await.unwrap();
        if audited(&store).removed_total == 17 && !audited(&store).running {
            break;
        }
    }
    let job = audited(&store);
    assert_eq!(job.removed_total, 17, "{job:?}");
    assert_eq!(job.limits.records, Some(3));
    assert!(job.next_at_unix_ms.is_some());
    let page = store
        .audit_events(AuditEventQuery::default())
        .await
        .unwrap();
    assert_eq!(page.data.len(), 3);
    assert!(store.verify_audit(None).await.unwrap().ok);
    let names: Vec<_> = store
        .retention_status()
        .into_iter()
        .map(|job| job.name)
        .collect();
    assert!(names.contains(&"response_state".to_owned()), "{names:?}");
    store.close().await.unwrap();
    drop(store);
    let store = Store::open(&storage, Clock::manual(NOON)).unwrap();
    assert_eq!(audited(&store).removed_total, 17);
    store.close().await.unwrap();
}
