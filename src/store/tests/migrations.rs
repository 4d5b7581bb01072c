//! Files of earlier versions, brought up to date with what is in them.

use ferrogate_api::BalanceKey;
use refinery::Target;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::store::{ResourceKind, migrations::Schema, verify};

/// A database file as the given version of its schema has it.
fn at_version(path: &Path, schema: Schema, version: i32) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let mut connection = Connection::open_with_flags(path, flags).unwrap();
    let runner = schema.runner().set_target(Target::Version(version));
    runner.run(&mut connection).unwrap();
    connection
}

/// A row of the first version; its times are those of the id and of the event.
fn insert_event(connection: &Connection, id: RequestId, occurred_at: i64) {
    connection
        .execute(
            "INSERT INTO metering_events VALUES (?1, 1, ?2, 'key-a', 'chat', 'small', 'one', 'small-1',
                 200, 'complete', 1, 12, 30, 0, 0, 0, 'provider', 4200)",
            (id.as_bytes(), occurred_at),
        )
        .unwrap();
    for span in [60_000, 3_600_000, DAY_MS] {
        let start = occurred_at.div_euclid(span) * span;
        connection
            .execute(
                "INSERT INTO usage_rollups VALUES (?1, ?2, 'key-a', 'small', 'one', 1, 0, 12, 30, 0, 0, 0, 4200, 0)
                 ON CONFLICT DO UPDATE SET requests = requests + 1, input_tokens = input_tokens + 12,
                     output_tokens = output_tokens + 30, cost_nanos = cost_nanos + 4200",
                (span, start),
            )
            .unwrap();
    }
}

#[tokio::test]
async fn a_ledger_of_the_first_version_keeps_its_rows_and_its_keys() {
    let directory = TempDir::new().unwrap();
    let old = at_version(&directory.path().join("ferrogate.db"), Schema::Ledger, 1);
    insert_event(&old, id_at(NOON), NOON + 600_000);
    // Ended a day after it began: its id alone does not lead to it.
    insert_event(&old, id_at(NOON - DAY_MS), NOON);
    let lists = [
        "[\"admin.read\"]",
        "[\"small\", \"a \\\"b\\\"\"]",
        "[]",
        "[]",
        "[\"two\"]",
    ];
    old.execute(
        "INSERT INTO api_keys VALUES ('a', 'sha256:00', 'first', 1, ?1, ?2, ?3, ?4, ?5, NULL, 1800000000)",
        lists,
    )
    .unwrap();
    old.execute(
        "INSERT INTO api_keys VALUES ('b', 'sha256:01', 'second', 0, ?1, ?2, ?3, ?4, ?5, 60, NULL)",
        lists,
    )
    .unwrap();
    drop(old);
    let refused = verify(directory.path(), cost_of).unwrap_err();
    assert!(
        matches!(refused, StoreError::OlderSchema { found: 1, .. }),
        "{refused}"
    );

    let store = open(&directory);
    let resources = store.resources().await.unwrap();
    let document = |enabled, limit: (&str, i64)| {
        let (id, name, hash) = match enabled {
            true => ("a", "first", "sha256:00"),
            false => ("b", "second", "sha256:01"),
        };
        let mut document = json!({
            "id": id, "name": name, "key_hash": hash, "enabled": enabled,
            "scopes": ["admin.read"], "allowed_models": ["small", "a \"b\""], "denied_models": [],
            "allowed_providers": [], "denied_providers": ["two"],
        });
        document[limit.0] = limit.1.into();
        document
    };
    let found: Vec<_> = resources
        .iter()
        .map(|resource| {
            (
                resource.kind,
                &*resource.id,
                resource.revision,
                &resource.document,
            )
        })
        .collect();
    let expires = document(true, ("expires_at_unix", 1_800_000_000));
    let limited = document(false, ("request_limit_per_minute", 60));
    assert_eq!(
        found,
        [
            (ResourceKind::ApiKey, "a", 1, &expires),
            (ResourceKind::ApiKey, "b", 1, &limited),
        ]
    );
    assert!(
        resources
            .iter()
            .all(|resource| resource.created_at_unix_ms > NOON - 366 * DAY_MS)
    );

    let mut slot = store.reserve().await.unwrap();
    commit(&mut slot, vec![event(id_at(NOON))]).await.unwrap();
    let key = BalanceKey {
        account: "key:key-a".parse().unwrap(),
        unit: ferrogate_api::BudgetUnit::Money,
        start_unix_ms: NOON,
        end_unix_ms: NOON + DAY_MS,
    };
    assert_eq!(store.open_balances(vec![key]).await.unwrap(), [3 * 4_200]);
    let report = verify(directory.path(), cost_of).unwrap();
    assert_eq!(report.differences, []);
    assert_eq!(
        (report.metering_events, report.without_price_version),
        (3, 3)
    );
}

#[tokio::test]
async fn a_day_of_the_first_version_keeps_its_logs_and_takes_new_ones() {
    let directory = TempDir::new().unwrap();
    let (early, late) = (id_at(NOON), id_at(NOON + 1));
    let old = at_version(
        &directory.path().join("requests-2026-01-01.db"),
        Schema::RequestLogs,
        1,
    );
    old.execute(
        "INSERT INTO request_logs VALUES (?1, NULL, 'trace', ?2, 1, NULL, NULL, 'POST', '/v1', 'chat', 200,
             NULL, 'complete', 0, 'key-a', NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 'none', NULL, 1, 2, NULL)",
        (early.as_bytes(), NOON),
    )
    .unwrap();
    drop(old);
    let store = open(&directory);
    let mut slot = store.reserve().await.unwrap();
    slot.settle(vec![metered(event(late))], false);
    slot.finish(Record {
        routing: Some(Box::default()),
        ..record(log(late))
    });
    store.flush().await.unwrap();
    let detail = store.request_log(early).await.unwrap().unwrap();
    assert_eq!(
        (detail.log.tenant, detail.log.tags, detail.routing),
        (None, None, None)
    );
    assert_eq!(detail.log.trace_id, "trace");
    let detail = store.request_log(late).await.unwrap().unwrap();
    assert_eq!(detail.log, log(late));
    assert!(detail.routing.is_some());
}
