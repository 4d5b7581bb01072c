//! Balances: the sum of what was handed over before the question, kept from then on.

use ferrogate_api::{AccountKind, AccountRef, BalanceKey, BudgetUnit};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::store::verify;

const HOUR_MS: i64 = 3_600_000;

fn account(kind: AccountKind, id: &str) -> AccountRef {
    AccountRef {
        kind,
        id: id.into(),
    }
}

fn balance(kind: AccountKind, id: &str, unit: BudgetUnit, window: (i64, i64)) -> BalanceKey {
    BalanceKey {
        account: account(kind, id),
        unit,
        start_unix_ms: window.0,
        end_unix_ms: window.1,
    }
}

/// One balance of each account of [`event`], in both units, for the day around noon and for all time.
fn all_of_event() -> Vec<BalanceKey> {
    let accounts = [
        (AccountKind::Key, "key-a"),
        (AccountKind::User, "ada"),
        (AccountKind::Project, "web"),
        (AccountKind::Organization, "acme"),
    ];
    let windows = [(NOON - 12 * HOUR_MS, NOON + 12 * HOUR_MS), (0, i64::MAX)];
    let mut keys = Vec::new();
    for (kind, id) in accounts {
        for window in windows {
            for unit in BudgetUnit::ALL {
                keys.push(balance(kind, id, unit, window));
            }
        }
    }
    keys
}

fn rows_in_table(directory: &TempDir) -> i64 {
    raw(&directory.path().join("ferrogate.db"))
        .query_row("SELECT count(*) FROM balances", [], |row| row.get(0))
        .unwrap()
}

fn assert_verified(directory: &Path) {
    let report = verify(directory, cost_of).unwrap();
    assert_eq!(report.differences, []);
}

#[tokio::test]
async fn a_question_is_answered_with_what_was_handed_over_before_it() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let keys = all_of_event();
    let used = |events: i64| -> Vec<i64> {
        let of = |key: &BalanceKey| match key.unit {
            BudgetUnit::Tokens => 42 * events,
            BudgetUnit::Money => 4_200 * events,
        };
        keys.iter().map(of).collect()
    };
    let mut slot = store.reserve().await.unwrap();
    slot.settle(vec![metered(event(id_at(NOON)))], false);
    let first = store.open_balances(keys.clone());
    slot.settle(vec![metered(event(id_at(NOON + 1)))], false);
    let second = store.open_balances(keys.clone());
    slot.settle(vec![metered(event(id_at(NOON + 2)))], false);
    assert_eq!(first.await.unwrap(), used(1));
    assert_eq!(second.await.unwrap(), used(2));
    assert_eq!(store.open_balances(keys.clone()).await.unwrap(), used(3));
    assert_verified(directory.path());
    store.close().await.unwrap();
    drop(store);

    let store = open(&directory);
    assert_eq!(store.open_balances(keys.clone()).await.unwrap(), used(3));
    assert_verified(directory.path());
    store.close().await.unwrap();
    let closed = store.open_balances(keys).await;
    assert!(matches!(closed, Err(StoreError::Closed)), "{closed:?}");
}

#[tokio::test]
async fn what_only_others_used_and_what_the_cache_answered_is_not_in_a_balance() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let others = MeteringEvent {
        api_key_id: "key-b".into(),
        tenant: None,
        ..event(id_at(NOON))
    };
    let hit = MeteringEvent {
        cache_hit: true,
        saved_nanos: Some(7),
        ..event(id_at(NOON))
    };
    let before = event(id_at(NOON - 24 * HOUR_MS));
    let at_the_end = event(id_at(NOON + 12 * HOUR_MS));
    let mut slot = store.reserve().await.unwrap();
    commit(&mut slot, vec![others, hit, before, at_the_end])
        .await
        .unwrap();
    let window = (NOON - 12 * HOUR_MS, NOON + 12 * HOUR_MS);
    let keys: Vec<_> = [("key-a", AccountKind::Key), ("key-b", AccountKind::Key)]
        .map(|(id, kind)| balance(kind, id, BudgetUnit::Tokens, window))
        .into();
    assert_eq!(store.open_balances(keys).await.unwrap(), [0, 42]);
    assert_verified(directory.path());
}

#[tokio::test]
async fn a_batch_that_is_written_again_adds_nothing_twice() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let keys = all_of_event();
    store.open_balances(keys.clone()).await.unwrap();
    let blocker = raw(&directory.path().join("ferrogate.db"));
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut slot = store.reserve().await.unwrap();
    let row = event(id_at(NOON));
    let failed = commit(&mut slot, vec![row.clone()]).await;
    assert!(matches!(failed, Err(StoreError::Commit(_))), "{failed:?}");
    let failed = store.open_balances(keys.clone()).await;
    assert!(matches!(failed, Err(StoreError::Commit(_))), "{failed:?}");
    // One that nobody waits for is asked again by the writer itself.
    let later = balance(AccountKind::Team, "red", BudgetUnit::Tokens, (0, i64::MAX));
    store.open_balances_later(vec![later]);
    blocker.execute_batch("ROLLBACK").unwrap();
    slot.settle(vec![metered(row)], false);
    let used = store.open_balances(keys.clone()).await.unwrap();
    assert!(
        used.iter().all(|used| [42, 4_200].contains(used)),
        "{used:?}"
    );
    let rows = i64::try_from(keys.len() + 1).unwrap();
    assert_eq!(rows_in_table(&directory), rows);
    assert_verified(directory.path());
}

#[tokio::test]
async fn a_window_that_is_over_leaves_and_its_sum_can_still_be_asked_for() {
    let directory = TempDir::new().unwrap();
    let clock = Clock::manual(NOON);
    let store = Store::open(&storage(directory.path()), clock.clone()).unwrap();
    let window = |start| {
        balance(
            AccountKind::Key,
            "key-a",
            BudgetUnit::Tokens,
            (start, start + HOUR_MS),
        )
    };
    let (first, second) = (window(NOON), window(NOON + HOUR_MS));
    let mut slot = store.reserve().await.unwrap();
    commit(&mut slot, vec![event(id_at(NOON))]).await.unwrap();
    store.open_balances(vec![first.clone()]).await.unwrap();
    assert_eq!(rows_in_table(&directory), 1);

    clock.advance_ms(HOUR_MS);
    store.open_balances_later(vec![second.clone()]);
    // The last request of the hour that is over comes in late.
    commit(&mut slot, vec![event(id_at(NOON + HOUR_MS - 1))])
        .await
        .unwrap();
    assert_eq!(rows_in_table(&directory), 1);
    let both = vec![first, second];
    assert_eq!(store.open_balances(both.clone()).await.unwrap(), [84, 0]);
    assert_eq!(rows_in_table(&directory), 1);
    assert_verified(directory.path());
    drop(store);

    let store = Store::open(
        &storage(directory.path()),
        Clock::manual(NOON + 9 * HOUR_MS),
    )
    .unwrap();
    assert_eq!(rows_in_table(&directory), 0);
    assert_eq!(store.open_balances(both).await.unwrap(), [84, 0]);
}

#[tokio::test]
async fn a_killed_process_holds_are_charged_to_the_balances_that_are_open_then() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let keys = vec![
        balance(
            AccountKind::Organization,
            "acme",
            BudgetUnit::Tokens,
            (0, i64::MAX),
        ),
        balance(
            AccountKind::User,
            "ada",
            BudgetUnit::Money,
            (NOON, NOON + HOUR_MS),
        ),
        // Asked for again only after the restart: found though its id is hours old.
        balance(
            AccountKind::Key,
            "key-a",
            BudgetUnit::Tokens,
            (NOON, NOON + HOUR_MS),
        ),
    ];
    store.open_balances(keys[..2].to_vec()).await.unwrap();
    let early = id_at(NOON - 5 * HOUR_MS);
    let mut slot = store.reserve().await.unwrap();
    slot.hold(hold(early)).await.unwrap();
    let mut other = store.reserve().await.unwrap();
    commit(&mut other, vec![event(id_at(NOON))]).await.unwrap();

    let killed = as_if_killed(&directory);
    let report = verify(killed.path(), cost_of).unwrap();
    assert_eq!(
        (report.open_holds.requests, report.open_holds.tokens),
        (1, 1_100)
    );
    assert_eq!(report.differences, []);
    let restarted = open(&killed);
    assert_eq!(restarted.orphans_charged(), 1);
    let used = restarted.open_balances(keys).await.unwrap();
    assert_eq!(used, [1_142, 94_200, 1_142]);
    assert_verified(killed.path());
}

/// One step of a life of the store.
#[derive(Debug, Clone)]
enum Step {
    /// A row of one of a few keys, so much after noon, and as much after its request began.
    Row {
        key: u8,
        after_ms: i64,
        lasted_ms: i64,
        tokens: u64,
    },
    /// The row before, once more.
    Again,
    Ask {
        key: u8,
        unit: BudgetUnit,
        window: (i64, i64),
    },
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let day = 24 * HOUR_MS;
    let row = (0..3_u8, -day..day, 0..2 * HOUR_MS, 0..1_000_u64);
    let window =
        (-day..day, 1..day).prop_map(|(start, length)| (NOON + start, NOON + start + length));
    let ask = (0..3_u8, prop::sample::select(&BudgetUnit::ALL[..]), window);
    let step = prop_oneof![
        6 => row.prop_map(|(key, after_ms, lasted_ms, tokens)| Step::Row { key, after_ms, lasted_ms, tokens }),
        1 => Just(Step::Again),
        3 => ask.prop_map(|(key, unit, window)| Step::Ask { key, unit, window }),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..60)
}

fn row(key: u8, at: i64, lasted_ms: i64, tokens: u64) -> MeteringEvent {
    let tenant = TenantContext {
        organization_id: named("acme"),
        team_id: (key > 0).then(|| "red".into()),
        ..TenantContext::default()
    };
    MeteringEvent {
        api_key_id: format!("key-{key}").into(),
        tenant: Some(Arc::new(tenant)),
        occurred_at_unix_ms: at,
        tokens: Tokens {
            input: tokens,
            output: tokens / 2,
            ..Tokens::default()
        },
        cost_nanos: (!tokens.is_multiple_of(3)).then(|| i64::try_from(tokens).unwrap() * 5),
        ..event(id_at(at - lasted_ms))
    }
}

fn account_of(key: u8) -> AccountRef {
    match key {
        0 => account(AccountKind::Organization, "acme"),
        1 => account(AccountKind::Team, "red"),
        _ => account(AccountKind::Key, "key-2"),
    }
}

fn sum(rows: &[MeteringEvent], key: &BalanceKey) -> i64 {
    let id = &key.account.id;
    let counts = |row: &&MeteringEvent| {
        let tenant = row.tenant.as_ref().unwrap();
        (key.start_unix_ms..key.end_unix_ms).contains(&row.occurred_at_unix_ms)
            && (row.api_key_id == *id || tenant.get(key.account.kind) == Some(id))
    };
    let amount = |row: &MeteringEvent| match key.unit {
        BudgetUnit::Tokens => i64::try_from(row.tokens.total()).unwrap(),
        BudgetUnit::Money => row.cost_nanos.unwrap_or_default(),
    };
    rows.iter().filter(counts).map(amount).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_happens_a_balance_is_the_sum_of_the_rows(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let directory = TempDir::new().unwrap();
            let mut store = open(&directory);
            let mut rows: Vec<MeteringEvent> = Vec::new();
            let mut asked: Vec<BalanceKey> = Vec::new();
            for step in steps {
                match step {
                    Step::Row { key, after_ms, lasted_ms, tokens } => {
                        rows.push(row(key, NOON + after_ms, lasted_ms, tokens));
                        let mut slot = store.reserve().await.unwrap();
                        slot.settle(vec![metered(rows.last().unwrap().clone())], false);
                    }
                    Step::Again => if let Some(last) = rows.last() {
                        let mut slot = store.reserve().await.unwrap();
                        slot.settle(vec![metered(last.clone())], false);
                    }
                    Step::Ask { key, unit, window: (start_unix_ms, end_unix_ms) } => {
                        let key = BalanceKey { account: account_of(key), unit, start_unix_ms, end_unix_ms };
                        let found = store.open_balances(vec![key.clone()]).await.unwrap();
                        assert_eq!(found, [sum(&rows, &key)], "{key:?}");
                        asked.push(key);
                    }
                    Step::Restart => {
                        drop(store);
                        store = open(&directory);
                    }
                }
            }
            let found = store.open_balances(asked.clone()).await.unwrap();
            let expected: Vec<_> = asked.iter().map(|key| sum(&rows, key)).collect();
            assert_eq!(found, expected);
            assert_verified(directory.path());
        });
    }
}
