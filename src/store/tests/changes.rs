//! What changes through the admin API: resources, adjustments, and who did it. And when keys were last used.

use ferrogate_api::{
    AccountKind, AccountRef, AdjustmentKind, AuditEvent, AuditEventQuery, BalanceKey,
    BudgetAdjustment, BudgetUnit,
};
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::store::{AuditEntry, ResourceChange, ResourceKind, StoredResource, verify};

pub(super) fn audit(action: &str, target: &str) -> AuditEntry {
    AuditEntry {
        occurred_at_unix_ms: NOON,
        actor: "unix:uid=0".into(),
        action: action.into(),
        target: target.to_owned(),
        outcome: "ok".into(),
        message: "by \"hand\"".to_owned(),
        detail: Some(json!({"ü": [1, null]})),
    }
}

fn key(id: &str, revision: u64, hash: &str) -> StoredResource {
    StoredResource {
        kind: ResourceKind::ApiKey,
        id: id.to_owned(),
        revision,
        document: json!({"id": id, "key_hash": hash, "scopes": ["models.read"]}),
        created_at_unix_ms: NOON,
        updated_at_unix_ms: NOON + i64::try_from(revision).unwrap(),
    }
}

fn put(resources: &[StoredResource]) -> ResourceChange {
    ResourceChange {
        put: resources.to_vec(),
        delete: Vec::new(),
        audit: audit("api_key.put", &resources[0].id),
        revision: None,
    }
}

async fn audited(store: &Store) -> Vec<String> {
    let page = store.audit_events(AuditEventQuery::default()).await;
    let events = page.unwrap().data.into_iter();
    events
        .map(|event| format!("{} {}", event.action, event.target))
        .collect()
}

#[tokio::test]
async fn a_change_is_made_as_a_whole_or_not_at_all() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    // All in one batch: what is refused must not spoil the others.
    let (made, exists, secret, half) = tokio::join!(
        store.change(put(&[key("a", 1, "hash-a")])),
        store.change(put(&[key("a", 1, "hash-b")])),
        store.change(put(&[key("b", 1, "hash-a")])),
        store.change(put(&[key("c", 1, "hash-c"), key("a", 1, "hash-d")])),
    );
    made.unwrap();
    assert!(
        matches!(exists, Err(StoreError::ResourceExists { ref id, .. }) if id == "a"),
        "{exists:?}"
    );
    assert!(
        matches!(secret, Err(StoreError::SecretInUse { ref id }) if id == "b"),
        "{secret:?}"
    );
    assert!(
        matches!(half, Err(StoreError::ResourceExists { .. })),
        "{half:?}"
    );
    assert_eq!(store.resources().await.unwrap(), [key("a", 1, "hash-a")]);
    assert_eq!(audited(&store).await, ["api_key.put a"]);

    let (first, second) = tokio::join!(
        store.change(put(&[key("a", 2, "hash-e")])),
        store.change(put(&[key("a", 2, "hash-f")])),
    );
    first.unwrap();
    assert!(
        matches!(second, Err(StoreError::RevisionConflict { .. })),
        "{second:?}"
    );
    // A deletion makes room for another in the same change; what is not there need not be deleted.
    let gone = ["a", "nobody"].map(|id| (ResourceKind::ApiKey, id.to_owned()));
    store
        .change(ResourceChange {
            delete: gone.to_vec(),
            ..put(&[key("d", 1, "hash-e")])
        })
        .await
        .unwrap();
    store.close().await.unwrap();
    drop(store);
    let store = open(&directory);
    assert_eq!(store.resources().await.unwrap(), [key("d", 1, "hash-e")]);
    assert_eq!(
        audited(&store).await,
        ["api_key.put d", "api_key.put a", "api_key.put a"]
    );
}

#[tokio::test]
async fn the_audit_log_is_listed_newest_first_and_goes_on_from_its_cursor() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    for number in 0..25 {
        let entry = AuditEntry {
            occurred_at_unix_ms: NOON + number,
            ..audit(
                if number % 5 == 0 {
                    "cache.purge"
                } else {
                    "tenant.update"
                },
                &number.to_string(),
            )
        };
        store.audit(entry).await.unwrap();
    }
    let list = async |query: AuditEventQuery| {
        let mut targets: Vec<i64> = Vec::new();
        let mut query = query;
        loop {
            let page = store.audit_events(query.clone()).await.unwrap();
            assert!(page.data.len() <= 4);
            targets.extend(
                page.data
                    .iter()
                    .map(|event| event.target.parse::<i64>().unwrap()),
            );
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                return targets;
            }
        }
    };
    let all = AuditEventQuery {
        limit: Some(4),
        ..AuditEventQuery::default()
    };
    assert_eq!(list(all.clone()).await, (0..25).rev().collect::<Vec<_>>());
    let purges = AuditEventQuery {
        action: Some("cache.purge".to_owned()),
        since: Some(NOON + 5),
        ..all.clone()
    };
    assert_eq!(list(purges).await, [20, 15, 10, 5]);
    let other = AuditEventQuery {
        actor: Some("somebody".to_owned()),
        ..all.clone()
    };
    assert!(list(other).await.is_empty());
    for wrong in ["", "x", "-1", "1.0", "99999999999999999999"] {
        let query = AuditEventQuery {
            cursor: Some(wrong.to_owned()),
            ..all.clone()
        };
        let refused = store.audit_events(query).await;
        assert!(matches!(refused, Err(StoreError::InvalidCursor)), "{wrong}");
    }
    let page = store.audit_events(all).await.unwrap();
    let newest = AuditEvent {
        id: "25".to_owned(),
        occurred_at_unix_ms: NOON + 24,
        actor: "unix:uid=0".into(),
        action: "tenant.update".into(),
        target: "24".to_owned(),
        outcome: "ok".into(),
        message: "by \"hand\"".to_owned(),
        detail: Some(json!({"ü": [1, null]})),
    };
    assert_eq!(page.data[0], newest);
}

fn adjustment(id: &str, kind: AdjustmentKind) -> BudgetAdjustment {
    BudgetAdjustment {
        id: id.to_owned(),
        kind,
        account: AccountRef {
            kind: AccountKind::User,
            id: "ada".into(),
        },
        budget_id: "monthly".into(),
        unit: BudgetUnit::Tokens,
        amount: 1_000,
        starts_at_unix_ms: NOON,
        ends_at_unix_ms: None,
        reason: "a good one".to_owned(),
        actor: "unix:uid=0".to_owned(),
        created_at_unix_ms: NOON,
    }
}

#[tokio::test]
async fn adjustments_are_in_force_until_they_end_and_corrections_count_as_used() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let ended = BudgetAdjustment {
        ends_at_unix_ms: Some(NOON + 10),
        ..adjustment("ended", AdjustmentKind::Raise)
    };
    let to_come = BudgetAdjustment {
        starts_at_unix_ms: NOON + 20,
        created_at_unix_ms: NOON + 1,
        ..adjustment("to-come", AdjustmentKind::Raise)
    };
    let top_up = adjustment("top-up", AdjustmentKind::TopUp);
    let mut balance = BalanceKey {
        account: top_up.account.clone(),
        unit: BudgetUnit::Tokens,
        start_unix_ms: 0,
        end_unix_ms: i64::MAX,
    };
    let ask = |balance: &BalanceKey| store.open_balances(vec![balance.clone()]);
    assert_eq!(ask(&balance).await.unwrap(), [0]);
    let correction = adjustment("correction", AdjustmentKind::Correction);
    let closing = BudgetAdjustment {
        amount: -300,
        ..adjustment("closing", AdjustmentKind::Closing)
    };
    for adjustment in [&ended, &to_come, &top_up, &correction, &closing] {
        let entry = audit("budget.adjust", &adjustment.id);
        store.adjust(adjustment.clone(), entry).await.unwrap();
    }
    let again = store.adjust(correction.clone(), audit("budget.adjust", "again"));
    let again = again.await;
    assert!(
        matches!(again, Err(StoreError::AdjustmentExists(ref id)) if id == "correction"),
        "{again:?}"
    );

    let in_force = store.adjustments_in_force(NOON + 10).await.unwrap();
    assert_eq!(in_force, [top_up, to_come]);
    assert_eq!(store.adjustments_in_force(NOON + 9).await.unwrap().len(), 3);
    assert_eq!(ask(&balance).await.unwrap(), [700]);
    // One that nobody has kept so far has them too; an account above has not.
    balance.end_unix_ms -= 1;
    assert_eq!(ask(&balance).await.unwrap(), [700]);
    balance.account.kind = AccountKind::Organization;
    assert_eq!(ask(&balance).await.unwrap(), [0]);
    assert_eq!(audited(&store).await.len(), 5);
    let report = verify(directory.path(), cost_of).unwrap();
    assert_eq!(report.differences, []);
    assert_eq!((report.adjustments, report.balances), (5, 3));
}

#[tokio::test]
async fn when_a_key_was_last_used_is_written_without_anybody_waiting() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let of = |key: &str, unix_ms| RequestLog {
        api_key_id: named(key),
        ..log(id_at(unix_ms))
    };
    let nobody = RequestLog {
        api_key_id: None,
        ..log(id_at(NOON))
    };
    let logs = [
        of("a", NOON),
        of("a", NOON + 50),
        of("a", NOON + 20),
        of("b", NOON),
        nobody,
    ];
    write_logs(&store, logs).await;
    let mut used = store.last_used().await.unwrap();
    while used.is_empty() {
        tokio::task::yield_now().await;
        used = store.last_used().await.unwrap();
    }
    let expected = [("a".into(), NOON + 50), ("b".into(), NOON)].into();
    assert_eq!(used, expected);
    // What came in the last second is written at the end.
    write_logs(&store, [of("c", NOON), of("a", NOON + 10)]).await;
    store.close().await.unwrap();
    let used = store.last_used().await.unwrap();
    assert_eq!((used.len(), used["a"], used["c"]), (3, NOON + 50, NOON));
    drop(store);

    let store = open(&directory);
    let gone = ResourceChange {
        put: Vec::new(),
        delete: vec![(ResourceKind::ApiKey, "a".to_owned())],
        audit: audit("api_key.delete", "a"),
        revision: None,
    };
    store.change(gone).await.unwrap();
    assert_eq!(store.last_used().await.unwrap().len(), 2);
}
