//! Reckoning costs anew: corrections beside the rows, in slices, and everything that adds up with them.

use std::sync::mpsc;

use ferrogate_api::{
    AccountKind, AccountRef, AuditEventQuery, BalanceKey, BudgetUnit, UsageAggregateQuery,
};
use tempfile::TempDir;

use super::{changes::audit, *};
use crate::config::Price;
use crate::store::{Reprice, Repriced, verify};

/// So much for a million tokens of input, and the double for output.
fn price(micros: u64) -> Price {
    Price {
        input_micros_per_million: micros,
        output_micros_per_million: 2 * micros,
        cache_read_micros_per_million: None,
        cache_write_micros_per_million: None,
        long_context: None,
    }
}

/// A row with the cost that its price gives: 72 times a thousandth of the price.
fn priced(event: MeteringEvent, price: Price) -> Metered {
    let event = MeteringEvent {
        cost_nanos: cost_of(event.tokens, price),
        ..event
    };
    Metered {
        event,
        price: Some(price),
    }
}

fn order(since_unix_ms: i64) -> Reprice {
    Reprice {
        since_unix_ms,
        dry_run: false,
        reason: "the list changed".to_owned(),
        audit: audit("ledger.reprice", "ledger"),
    }
}

async fn reprice(store: &Store, order: Reprice, micros: u64) -> Repriced {
    let price_of = move |provider: &str, provider_model: &str, model: &str| {
        assert_eq!((provider, provider_model), ("one", "small-1"));
        (model != "unlisted").then(|| price(micros))
    };
    let done = store.reprice(order, price_of, cost_of);
    done.await.unwrap()
}

fn money(kind: AccountKind, id: &str, window: (i64, i64)) -> BalanceKey {
    BalanceKey {
        account: AccountRef {
            kind,
            id: id.into(),
        },
        unit: BudgetUnit::Money,
        start_unix_ms: window.0,
        end_unix_ms: window.1,
    }
}

async fn cost_and_unpriced(store: &Store) -> (i64, u64) {
    let page = store.usage_aggregates(UsageAggregateQuery::default()).await;
    let sums = page.unwrap().data;
    let cost = sums.iter().map(|sum| sum.cost_nanos).sum();
    (cost, sums.iter().map(|sum| sum.unpriced_requests).sum())
}

#[tokio::test]
async fn what_was_metered_with_another_price_is_corrected_once() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let unlisted = MeteringEvent {
        model: "unlisted".into(),
        ..event(id_at(NOON))
    };
    let no_price = MeteringEvent {
        cost_nanos: None,
        ..event(id_at(NOON + 1))
    };
    let hit = MeteringEvent {
        attempt: 0,
        cache_hit: true,
        cost_nanos: None,
        ..event(id_at(NOON + 2))
    };
    // Began long before, ended in time.
    let long = MeteringEvent {
        occurred_at_unix_ms: NOON + 3,
        ..event(id_at(NOON - DAY_MS))
    };
    let rows = vec![
        priced(event(id_at(NOON - 1)), price(1_000)),
        priced(event(id_at(NOON)), price(1_000)),
        priced(event(id_at(NOON)), price(3_000)),
        priced(long, price(1_000)),
        priced(unlisted, price(1_000)),
        metered(no_price),
        metered(hit),
    ];
    let mut slot = store.reserve().await.unwrap();
    slot.settle(rows, true).unwrap().await.unwrap();
    let keys = [
        money(AccountKind::Organization, "acme", (0, i64::MAX)),
        money(AccountKind::Key, "key-a", (NOON + 1, NOON + 3)),
        money(AccountKind::Team, "red", (0, i64::MAX)),
    ];
    let asked = store.open_balances(keys.to_vec()).await.unwrap();
    assert_eq!(asked, [5 * 72 + 2 * 72, 0, 0]);
    assert_eq!(cost_and_unpriced(&store).await, (504, 1));

    let expected = Repriced {
        examined: 5,
        corrected: 3,
        unpriced: 1,
        difference_nanos: 144 + 216 + 144,
        balances: Vec::new(),
    };
    let dry = Reprice {
        dry_run: true,
        ..order(NOON)
    };
    assert_eq!(reprice(&store, dry, 3_000).await, expected);
    assert_eq!(cost_and_unpriced(&store).await, (504, 1));

    let mut done = reprice(&store, order(NOON), 3_000).await;
    done.balances.sort();
    assert_eq!(
        done.balances,
        [(keys[1].clone(), 216), (keys[0].clone(), 504)]
    );
    assert_eq!(done.difference_nanos, expected.difference_nanos);
    assert_eq!(cost_and_unpriced(&store).await, (1_008, 0));
    let asked = store.open_balances(keys.to_vec()).await.unwrap();
    assert_eq!(asked, [1_008, 216, 0]);

    let again = reprice(&store, order(NOON), 3_000).await;
    assert_eq!((again.corrected, again.difference_nanos), (0, 0));
    // Back again: a correction of what was corrected.
    let back = reprice(&store, order(NOON), 1_000).await;
    assert_eq!((back.corrected, back.difference_nanos), (4, -4 * 144));
    let report = verify(directory.path(), cost_of).unwrap();
    assert_eq!(report.differences, []);
    assert_eq!((report.adjustments, report.price_versions), (7, 2));
    assert_eq!(report.cost_nanos, 6 * 72);
    let audited = store.audit_events(AuditEventQuery::default()).await;
    assert_eq!(audited.unwrap().data.len(), 3, "a dry run leaves none");
    let detail: String = raw(&directory.path().join("ferrogate.db"))
        .query_row("SELECT detail FROM audit_events WHERE seq = 1", [], |row| {
            row.get(0)
        })
        .unwrap();
    let detail: serde_json::Value = serde_json::from_str(&detail).unwrap();
    assert_eq!(
        (&detail["corrected"], &detail["difference_nanos"]),
        (&3.into(), &504.into())
    );
}

#[tokio::test]
async fn a_long_ledger_is_reckoned_in_slices_and_others_are_not_kept_waiting() {
    const ROWS: usize = 2_500;
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let rows = (0..ROWS).map(|_| priced(event(id_at(NOON)), price(1_000)));
    let mut slot = store.reserve().await.unwrap();
    slot.settle(rows.collect(), true).unwrap().await.unwrap();
    let (asked, not_asked) = (
        money(AccountKind::User, "ada", (0, i64::MAX)),
        money(AccountKind::Key, "key-a", (0, i64::MAX)),
    );
    let both = vec![asked.clone(), not_asked.clone()];
    store.open_balances(both).await.unwrap();

    // The second slice stops in its first row until it is told to go on.
    let (in_second, reached) = mpsc::channel();
    let (go_on, may_go_on) = mpsc::channel();
    let calls = std::cell::Cell::new(0);
    let price_of = move |_: &str, _: &str, _: &str| {
        calls.set(calls.get() + 1);
        if calls.get() == 2_001 {
            in_second.send(()).unwrap();
            may_go_on.recv().unwrap();
        }
        Some(price(2_000))
    };
    let repricing = {
        let store = store.clone();
        crate::tasks::thread("reprice", move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap();
            runtime.block_on(store.reprice(order(0), price_of, cost_of))
        })
        .unwrap()
    };
    reached.recv().unwrap();
    let half: i64 = raw(&directory.path().join("ferrogate.db"))
        .query_row("SELECT count(*) FROM budget_adjustments", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(half, 2_000, "the first slice is committed");
    let answer = store.open_balances(vec![asked.clone()]);
    go_on.send(()).unwrap();
    assert_eq!(answer.await.unwrap(), [i64::try_from(ROWS).unwrap() * 144]);
    let done = repricing.join().unwrap().unwrap();
    let difference = i64::try_from(ROWS).unwrap() * 72;
    assert_eq!(done.difference_nanos, difference);
    // Who was answered in between knows already.
    assert_eq!(done.balances, [(not_asked, difference)]);
    let report = verify(directory.path(), cost_of).unwrap();
    assert_eq!(report.differences, []);
}

#[tokio::test]
async fn a_reckoning_waits_for_a_ledger_that_cannot_be_written_and_ends_with_the_store() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let mut slot = store.reserve().await.unwrap();
    let row = priced(event(id_at(NOON)), price(1_000));
    slot.settle(vec![row], true).unwrap().await.unwrap();
    let blocker = raw(&directory.path().join("ferrogate.db"));
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    let repricing = reprice(&store, order(0), 2_000);
    let unblock = async {
        // The writer gives up waiting once, and tries again.
        let failed = store.audit(audit("a", "b")).await;
        assert!(failed.is_err());
        blocker.execute_batch("ROLLBACK").unwrap();
    };
    let (done, ()) = tokio::join!(repricing, unblock);
    assert_eq!(done.corrected, 1);
    store.close().await.unwrap();
    let closed = store.reprice(order(0), |_, _, _| None, cost_of).await;
    assert!(matches!(closed, Err(StoreError::Closed)), "{closed:?}");
}
