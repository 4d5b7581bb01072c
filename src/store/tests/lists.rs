//! Lists: every filter, pages across days, time limits, days that cannot be read.

use std::{collections::BTreeSet, fs, time::Duration};

use ferrogate_api::{
    AccountKind, MeteringEventQuery, RequestLogQuery, UsageAggregateQuery, Window,
};
use tempfile::TempDir;

use super::*;
use crate::store::StoreError;

/// Walks all pages and returns the ids in the order in which they came.
async fn walk(store: &Store, query: RequestLogQuery) -> Vec<String> {
    let mut query = query;
    let mut ids = Vec::new();
    loop {
        let page = store.request_logs(query.clone()).await.unwrap();
        if let Some(limit) = query.limit {
            assert!(page.data.len() <= usize::try_from(limit).unwrap());
        }
        ids.extend(page.data.into_iter().map(|log| log.request_id));
        match page.next_cursor {
            Some(cursor) => query.cursor = Some(cursor),
            None => return ids,
        }
    }
}

fn newest_first(logs: &[RequestLog]) -> Vec<String> {
    let mut ids: Vec<_> = logs.iter().map(|log| log.request_id.clone()).collect();
    ids.sort_by(|a, b| b.cmp(a));
    ids
}

/// 60 logs over three days, of several keys, models, providers and statuses.
fn three_days() -> Vec<RequestLog> {
    (0..60)
        .map(|n: i64| {
            let id = id_at(NOON + (n % 3) * DAY_MS + n * 1_000);
            RequestLog {
                status: match n % 5 {
                    0 => 429,
                    1 => 502,
                    _ => 200,
                },
                api_key_id: (n % 7 > 0).then(|| format!("key-{}", n % 4).into()),
                model: (n % 6 > 0).then(|| format!("model-{}", n % 2).into()),
                provider: named(if n % 10 == 0 { "rare" } else { "one" }),
                tenant: (n % 9 > 0).then(|| {
                    Arc::new(TenantContext {
                        organization_id: Some(format!("organization-{}", n % 2).into()),
                        team_id: Some(format!("team-{}", n % 3).into()),
                        project_id: Some(format!("project-{}", n % 4).into()),
                        user_id: Some(format!("user-{}", n % 5).into()),
                    })
                }),
                ..log(id)
            }
        })
        .collect()
}

#[tokio::test]
async fn pages_across_three_days_have_neither_gaps_nor_repeats() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let logs = three_days();
    write_logs(&store, logs.clone()).await;
    for limit in [1, 7, 20, 59, 60, 61] {
        let query = RequestLogQuery {
            limit: Some(limit),
            ..RequestLogQuery::default()
        };
        assert_eq!(walk(&store, query).await, newest_first(&logs), "{limit}");
    }
    // A page that holds the last row says so.
    let query = RequestLogQuery {
        limit: Some(60),
        ..RequestLogQuery::default()
    };
    let page = store.request_logs(query).await.unwrap();
    assert_eq!(page.next_cursor, None);
}

#[tokio::test]
async fn every_filter_finds_what_it_names_and_nothing_else() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let logs = three_days();
    write_logs(&store, logs.clone()).await;
    let status = |text: &str| Some(text.parse().unwrap());
    let text = |text: &str| Some(text.to_owned());
    let none = RequestLogQuery::default;
    let queries = [
        RequestLogQuery {
            status: status("429"),
            ..none()
        },
        RequestLogQuery {
            status: status("4xx"),
            ..none()
        },
        RequestLogQuery {
            status: status(">=400"),
            ..none()
        },
        RequestLogQuery {
            status: status("<400"),
            ..none()
        },
        RequestLogQuery {
            status: status("503"),
            ..none()
        },
        RequestLogQuery {
            key: text("key-1"),
            ..none()
        },
        RequestLogQuery {
            key: text("nobody"),
            ..none()
        },
        RequestLogQuery {
            key: text("key-2"),
            status: status("5xx"),
            ..none()
        },
        RequestLogQuery {
            model: text("model-1"),
            ..none()
        },
        RequestLogQuery {
            provider: text("rare"),
            ..none()
        },
        RequestLogQuery {
            provider: text("rare"),
            model: text("model-0"),
            ..none()
        },
        RequestLogQuery {
            organization: text("organization-1"),
            ..none()
        },
        RequestLogQuery {
            team: text("team-2"),
            status: status("2xx"),
            ..none()
        },
        RequestLogQuery {
            project: text("project-3"),
            key: text("key-3"),
            ..none()
        },
        RequestLogQuery {
            user: text("user-4"),
            ..none()
        },
        RequestLogQuery {
            user: text("project-3"),
            ..none()
        },
        RequestLogQuery {
            since: Some(NOON + DAY_MS),
            ..none()
        },
        RequestLogQuery {
            since: Some(NOON + DAY_MS + 30_000),
            key: text("key-3"),
            ..none()
        },
        RequestLogQuery {
            since: Some(NOON + 9 * DAY_MS),
            ..none()
        },
        RequestLogQuery {
            since: Some(-5),
            ..none()
        },
    ];
    for query in queries {
        let matches = |log: &&RequestLog| {
            let named = |name: &Option<String>, value: &Option<Arc<str>>| {
                name.is_none() || name.as_deref() == value.as_deref()
            };
            let of_tenant = |name: &Option<String>, kind| {
                let tenant = log.tenant.as_ref();
                named(name, &tenant.and_then(|tenant| tenant.get(kind).cloned()))
            };
            query.status.is_none_or(|status| status.matches(log.status))
                && of_tenant(&query.organization, AccountKind::Organization)
                && of_tenant(&query.team, AccountKind::Team)
                && of_tenant(&query.project, AccountKind::Project)
                && of_tenant(&query.user, AccountKind::User)
                && named(&query.key, &log.api_key_id)
                && named(&query.model, &log.model)
                && named(&query.provider, &log.provider)
                && query
                    .since
                    .is_none_or(|since| log.started_at_unix_ms >= since)
        };
        let expected: Vec<_> = logs.iter().filter(matches).cloned().collect();
        for limit in [2, 100] {
            let query = RequestLogQuery {
                limit: Some(limit),
                ..query.clone()
            };
            assert_eq!(
                walk(&store, query.clone()).await,
                newest_first(&expected),
                "{query:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_request_is_filed_under_the_utc_day_of_its_id() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let midnight = NOON + DAY_MS / 2;
    let (before, after) = (id_at(midnight - 1), id_at(midnight));
    // Finished in the other order, as requests that outlast midnight are.
    write_logs(&store, [log(after), log(before)]).await;
    for (day, id) in [("2026-01-01", before), ("2026-01-02", after)] {
        let path = directory.path().join(format!("requests-{day}.db"));
        let file = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let ids: Vec<[u8; 16]> = file
            .prepare("SELECT id FROM request_logs")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(ids, [*id.as_bytes()], "{day}");
    }
}

#[tokio::test]
async fn a_list_that_runs_out_of_time_goes_on_from_its_cursor() {
    let directory = TempDir::new().unwrap();
    let mut storage = storage(directory.path());
    storage.list_time_limit = Duration::ZERO;
    let store = Store::open(&storage, Clock::system()).unwrap();
    let rare = id_at(NOON);
    let common = (1..5_000).map(|n| id_at(NOON + n));
    let logs = common.map(log).chain([RequestLog {
        model: named("rare"),
        ..log(rare)
    }]);
    for log in logs {
        let event = MeteringEvent {
            model: log.model.clone().unwrap(),
            ..event(RequestId::parse(&log.request_id).unwrap())
        };
        let slot = store.reserve().await.unwrap();
        end(slot, log, vec![event]);
    }
    store.flush().await.unwrap();

    let mut query = RequestLogQuery {
        model: Some("rare".to_owned()),
        ..RequestLogQuery::default()
    };
    let first = store.request_logs(query.clone()).await.unwrap();
    assert!(first.data.is_empty());
    query.cursor = Some(first.next_cursor.unwrap());
    assert_eq!(walk(&store, query).await, [rare.to_string()]);

    let mut query = MeteringEventQuery {
        model: Some("rare".to_owned()),
        ..MeteringEventQuery::default()
    };
    let mut pages = 0;
    let mut found = Vec::new();
    loop {
        let page = store.metering_events(query.clone()).await.unwrap();
        pages += 1;
        found.extend(page.data.into_iter().map(|event| event.request_id));
        match page.next_cursor {
            Some(cursor) => query.cursor = Some(cursor),
            None => break,
        }
    }
    assert_eq!(found, [rare.to_string()]);
    assert!(pages > 1);
}

#[tokio::test]
async fn metering_events_page_through_the_attempts_of_a_request() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let mut expected = BTreeSet::new();
    for n in 0..8 {
        let id = id_at(NOON + n);
        let events = (1..=3).map(|attempt| MeteringEvent {
            attempt,
            provider: format!("p{attempt}").into(),
            ..event(id)
        });
        expected.extend((1..=3).map(|attempt| (id.to_string(), attempt)));
        let mut slot = store.reserve().await.unwrap();
        commit(&mut slot, events.collect()).await.unwrap();
    }
    let expected: Vec<_> = expected.into_iter().rev().collect();
    let mut query = MeteringEventQuery {
        limit: Some(5),
        ..MeteringEventQuery::default()
    };
    let mut walked = Vec::new();
    loop {
        let page = store.metering_events(query.clone()).await.unwrap();
        walked.extend(
            page.data
                .into_iter()
                .map(|event| (event.request_id, event.attempt)),
        );
        match page.next_cursor {
            Some(cursor) => query.cursor = Some(cursor),
            None => break,
        }
    }
    assert_eq!(walked, expected);

    let count =
        async |query: MeteringEventQuery| store.metering_events(query).await.unwrap().data.len();
    let none = MeteringEventQuery::default;
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        count(MeteringEventQuery {
            provider: text("p2"),
            ..none()
        })
        .await,
        8
    );
    assert_eq!(
        count(MeteringEventQuery {
            key: text("nobody"),
            ..none()
        })
        .await,
        0
    );
    assert_eq!(
        count(MeteringEventQuery {
            model: text("small"),
            ..none()
        })
        .await,
        24
    );
    assert_eq!(
        count(MeteringEventQuery {
            since: Some(NOON + 6),
            ..none()
        })
        .await,
        6
    );
}

#[tokio::test]
async fn aggregates_take_in_the_window_that_since_falls_into() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    for day in 0..3 {
        let mut slot = store.reserve().await.unwrap();
        let other = MeteringEvent {
            attempt: 2,
            api_key_id: "key-b".into(),
            ..event(id_at(NOON + day * DAY_MS))
        };
        commit(&mut slot, vec![event(id_at(NOON + day * DAY_MS)), other])
            .await
            .unwrap();
    }
    let requests = async |window, since, key: Option<&str>| {
        let query = UsageAggregateQuery {
            window,
            since,
            key: key.map(str::to_owned),
            ..UsageAggregateQuery::default()
        };
        let page = store.usage_aggregates(query).await.unwrap();
        let starts: Vec<_> = page
            .data
            .iter()
            .map(|sum| sum.window_start_unix_ms)
            .collect();
        assert!(starts.is_sorted_by(|a, b| a >= b), "{starts:?}");
        page.data.iter().map(|sum| sum.requests).sum::<u64>()
    };
    let evening = Some(NOON + DAY_MS + 3_600_000);
    assert_eq!(requests(Window::Total, None, None).await, 6);
    assert_eq!(requests(Window::Total, evening, None).await, 4);
    assert_eq!(requests(Window::Day, evening, Some("key-b")).await, 2);
    assert_eq!(requests(Window::Hour, evening, None).await, 2);
    assert_eq!(
        requests(Window::Minute, Some(NOON + DAY_MS + 59_999), None).await,
        4
    );
    assert_eq!(requests(Window::Total, None, Some("nobody")).await, 0);
}

#[tokio::test]
async fn a_cursor_that_no_list_gave_out_is_refused() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let query = RequestLogQuery {
        cursor: Some("page-2".to_owned()),
        ..RequestLogQuery::default()
    };
    let refused = store.request_logs(query).await;
    assert!(matches!(refused, Err(StoreError::InvalidCursor)));
    let query = MeteringEventQuery {
        cursor: Some("'; --".to_owned()),
        ..MeteringEventQuery::default()
    };
    let refused = store.metering_events(query).await;
    assert!(matches!(refused, Err(StoreError::InvalidCursor)));
}

#[tokio::test]
async fn a_damaged_day_stops_neither_ledger_nor_lists() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let days: Vec<_> = (0..3).map(|day| log(id_at(NOON + day * DAY_MS))).collect();
    write_logs(&store, days.clone()).await;
    store.close().await.unwrap();
    drop(store);
    let damaged = directory.path().join("requests-2026-01-02.db");
    fs::write(&damaged, b"this is no database".repeat(1_000)).unwrap();

    // Found damaged at the start. No file is kept open for reading: what a reader has seen it may still know.
    let mut storage = storage(directory.path());
    storage.open_day_files_max = 0;
    let store = Store::open(&storage, Clock::manual(NOON)).unwrap();
    let undamaged = [days[0].clone(), days[2].clone()];
    assert_eq!(
        walk(&store, RequestLogQuery::default()).await,
        newest_first(&undamaged)
    );
    // Its new logs are lost, and counted; the ledger has their events.
    let id = id_at(NOON + DAY_MS);
    let slot = store.reserve().await.unwrap();
    end(slot, log(id), vec![event(id)]);
    store.flush().await.unwrap();
    assert_eq!(store.status().logs_dropped, 1);
    let events = store
        .metering_events(MeteringEventQuery::default())
        .await
        .unwrap();
    assert_eq!(events.data, [event(id)]);

    // Damaged while in use.
    let damaged = directory.path().join("requests-2026-01-01.db");
    fs::write(&damaged, vec![0xff; 64 * 1024]).unwrap();
    assert_eq!(
        walk(&store, RequestLogQuery::default()).await,
        newest_first(&days[2..])
    );
    let late = id_at(NOON + 2 * DAY_MS + 1);
    write_logs(&store, [log(late)]).await;
    assert_eq!(store.request_log(late).await.unwrap(), found(log(late)));
}
