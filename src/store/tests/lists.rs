//! Lists: every filter, pages across days, time limits, days that cannot be read.

use std::{collections::BTreeSet, fs, time::Duration};

use ferrogate_api::{
    AccountKind, MeteringEventQuery, RequestLogQuery, RequestLogSort, UsageAggregateQuery, Window,
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
            Some(cursor) => {
                query.cursor = Some(cursor);
                query.offset = None;
            }
            None => return ids,
        }
    }
}

/// What a list must find, looked up in the log itself.
pub(super) fn matches(query: &RequestLogQuery, log: &RequestLog) -> bool {
    let named = |name: &Option<String>, value: Option<&str>| {
        name.as_deref().is_none_or(|name| Some(name) == value)
    };
    let of_tenant = |name: &Option<String>, kind| {
        let tenant = log.tenant.as_ref();
        named(
            name,
            tenant.and_then(|tenant| tenant.get(kind)).map(|id| &**id),
        )
    };
    let has_text = |text: &str| {
        let fields = [
            Some(&*log.path),
            log.model.as_deref(),
            log.provider.as_deref(),
            log.api_key_id.as_deref(),
            log.error_code.as_deref(),
            log.client_request_id.as_deref(),
            log.client_address.as_deref(),
        ];
        let text = text.to_ascii_lowercase();
        let found = |field: &str| field.to_ascii_lowercase().contains(&text);
        fields.into_iter().flatten().any(found) || log.request_id.starts_with(&text)
    };
    query.status.is_none_or(|status| status.matches(log.status))
        && of_tenant(&query.organization, AccountKind::Organization)
        && of_tenant(&query.team, AccountKind::Team)
        && of_tenant(&query.project, AccountKind::Project)
        && of_tenant(&query.user, AccountKind::User)
        && named(&query.key, log.api_key_id.as_deref())
        && named(&query.model, log.model.as_deref())
        && named(&query.provider, log.provider.as_deref())
        && named(&query.endpoint, Some(&log.endpoint))
        && named(&query.error_code, log.error_code.as_deref())
        && query.outcome.is_none_or(|outcome| outcome == log.outcome)
        && query.stream.is_none_or(|stream| stream == log.stream)
        && query.q.as_deref().is_none_or(has_text)
        && query
            .since
            .is_none_or(|since| log.started_at_unix_ms >= since)
        && query
            .until
            .is_none_or(|until| log.started_at_unix_ms < until)
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
        RequestLogQuery {
            until: Some(NOON + DAY_MS),
            ..none()
        },
        RequestLogQuery {
            since: Some(NOON),
            until: Some(NOON + 30_000),
            status: status("5xx"),
            ..none()
        },
        RequestLogQuery {
            until: Some(i64::MIN),
            ..none()
        },
        RequestLogQuery {
            endpoint: text("chat.completions"),
            provider: text("rare"),
            ..none()
        },
        RequestLogQuery {
            stream: Some(false),
            ..none()
        },
        RequestLogQuery {
            outcome: Some(Outcome::Stalled),
            ..none()
        },
        RequestLogQuery {
            error_code: text("invalid_request"),
            ..none()
        },
    ];
    for query in queries {
        let expected: Vec<_> = logs
            .iter()
            .filter(|log| matches(&query, log))
            .cloned()
            .collect();
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
async fn a_list_can_begin_at_the_other_end_and_pass_rows_over() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let logs = three_days();
    write_logs(&store, logs.clone()).await;
    let newest_first = newest_first(&logs);
    for sort in RequestLogSort::ALL {
        let mut expected = newest_first.clone();
        if sort == RequestLogSort::OldestFirst {
            expected.reverse();
        }
        for (limit, offset) in [(7, 0), (7, 13), (60, 59), (1, 60)] {
            let query = RequestLogQuery {
                sort: Some(sort),
                limit: Some(limit),
                offset: Some(offset),
                ..RequestLogQuery::default()
            };
            let offset = usize::try_from(offset).unwrap();
            assert_eq!(
                walk(&store, query).await,
                expected[offset..],
                "{sort:?} {limit} {offset}"
            );
        }
    }
}

#[tokio::test]
async fn free_text_is_found_in_what_people_copy_and_taken_as_it_is() {
    let directory = TempDir::new().unwrap();
    let store = open(&directory);
    let ids = [id_at(NOON), id_at(NOON + 70_000), id_at(NOON + DAY_MS)];
    let logs = [
        RequestLog {
            client_request_id: Some("Order 100%_done".to_owned()),
            client_address: Some("198.51.100.9".to_owned()),
            ..log(ids[0])
        },
        RequestLog {
            path: "/v1/embeddings".to_owned(),
            error_code: named("rate_limit_exceeded"),
            ..log(ids[1])
        },
        RequestLog {
            api_key_id: named("key-Zeta"),
            provider: named("omega"),
            ..log(ids[2])
        },
    ];
    write_logs(&store, logs).await;
    let check = async |text: &str, expected: &[usize]| {
        let query = RequestLogQuery {
            q: Some(text.to_owned()),
            sort: Some(RequestLogSort::OldestFirst),
            ..RequestLogQuery::default()
        };
        let expected: Vec<_> = expected
            .iter()
            .map(|index| ids[*index].to_string())
            .collect();
        assert_eq!(walk(&store, query).await, expected, "{text}");
    };
    check("100%", &[0]).await;
    check("order", &[0]).await;
    check("0_d", &[]).await;
    check("198.51", &[0]).await;
    check("EMBED", &[1]).await;
    check("limit_exc", &[1]).await;
    check("zeta", &[2]).await;
    check("omega", &[2]).await;
    check("small", &[0, 1, 2]).await;
    check("-", &[0, 1, 2]).await;
    check("no such text", &[]).await;
    // A whole id, with its hyphens; and what two of them begin with.
    check(&ids[1].to_string(), &[1]).await;
    let common: String = ids[0].to_string().chars().take(4).collect();
    check(&common, &[0, 1, 2]).await;
    let own: String = ids[2].to_string().chars().take(13).collect();
    check(&own, &[2]).await;
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
async fn a_pair_that_never_meets_runs_out_of_time_too() {
    const SPAN_MS: i64 = 1 << 20;
    let directory = TempDir::new().unwrap();
    let mut storage = storage(directory.path());
    storage.list_time_limit = Duration::ZERO;
    let store = Store::open(&storage, Clock::system()).unwrap();
    // Each value in each span, and never in one row.
    for span in 0..3 {
        for (offset, provider, error_code) in [(0, "sound", None), (1_000, "ill", named("late"))] {
            let slot = store.reserve().await.unwrap();
            let log = RequestLog {
                provider: named(provider),
                error_code,
                ..log(id_at(NOON + span * SPAN_MS + offset))
            };
            end(slot, log, Vec::new());
        }
    }
    store.flush().await.unwrap();
    let query = RequestLogQuery {
        provider: Some("sound".to_owned()),
        error_code: Some("late".to_owned()),
        ..RequestLogQuery::default()
    };
    let first = store.request_logs(query.clone()).await.unwrap();
    assert!(!first.complete && first.next_cursor.is_some());
    assert_eq!(walk(&store, query).await, Vec::<String>::new());
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

    // Free text has no facet: it is looked for in every row.
    let mut query = RequestLogQuery {
        q: Some("RARE".to_owned()),
        ..RequestLogQuery::default()
    };
    let first = store.request_logs(query.clone()).await.unwrap();
    assert!(first.data.is_empty() && !first.complete);
    query.cursor = Some(first.next_cursor.unwrap());
    assert_eq!(walk(&store, query.clone()).await, [rare.to_string()]);
    // What was not passed over yet is in the cursor.
    query.cursor = None;
    query.offset = Some(1);
    assert_eq!(walk(&store, query).await, Vec::<String>::new());

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
