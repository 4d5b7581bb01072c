//! Lists under filters find what a look at every row would find, whatever has happened to the facets: crashes, restarts,
//! values beyond the most that a day tells apart, rows that came late, rows and days that left.

use std::time::Duration;

use ferrogate_api::{Outcome, RequestLogFacetsQuery, RequestLogQuery, RequestLogSort};
use proptest::{collection::vec, option, prelude::*, sample::select};
use rusqlite::Connection;
use tempfile::TempDir;

use super::{lists::matches, *};
use crate::store::{
    day_writer::DayWriter,
    days::{Day, DayFiles},
    facets,
    listing::Deadline,
    request_logs,
};

/// The writer and the readers without their threads, and what they must hold.
struct Logs {
    directory: TempDir,
    files: Arc<DayFiles>,
    writer: DayWriter,
    /// What was written and has not left.
    expected: Vec<RequestLog>,
}

/// What happens.
#[derive(Debug, Clone)]
enum Step {
    Write(Vec<Row>),
    /// So many slices of saving and building.
    Upkeep(usize),
    /// Nothing in memory survives.
    Crash,
    Restart,
    /// A file as an earlier version left it.
    ForgetFacets,
    RemoveOldest(usize),
    DropOldestDay,
}

/// A request, by numbers.
#[derive(Debug, Clone)]
struct Row {
    day: i64,
    in_day_ms: i64,
    value: [u8; 4],
    status: u16,
    stream: bool,
}

impl Row {
    fn log(&self) -> RequestLog {
        let [model, key, provider, user] = self.value;
        let id = id_at(NOON - DAY_MS / 2 + self.day * DAY_MS + self.in_day_ms);
        let is_error = self.status >= 400;
        RequestLog {
            status: self.status,
            stream: self.stream,
            model: (model > 0).then(|| format!("model-{model}").into()),
            api_key_id: (key > 0).then(|| format!("key-{key}").into()),
            provider: (provider > 0).then(|| format!("provider-{provider}").into()),
            error_code: is_error.then(|| format!("code-{}", self.status % 3).into()),
            outcome: if is_error {
                Outcome::Refused
            } else {
                Outcome::Complete
            },
            endpoint: format!("endpoint-{}", user % 2).into(),
            tenant: (user > 0).then(|| {
                Arc::new(TenantContext {
                    organization_id: Some(format!("organization-{}", user % 2).into()),
                    user_id: Some(format!("user-{user}").into()),
                    ..TenantContext::default()
                })
            }),
            ..log(id)
        }
    }
}

impl Logs {
    fn new(values_max: usize) -> Self {
        let directory = TempDir::new().unwrap();
        let (files, writer) = Self::open(&directory, values_max);
        Self {
            directory,
            files,
            writer,
            expected: Vec::new(),
        }
    }

    fn open(directory: &TempDir, values_max: usize) -> (Arc<DayFiles>, DayWriter) {
        let mut storage = storage(directory.path());
        storage.facet_values_max = values_max;
        let files = Arc::new(DayFiles::open(&storage).unwrap());
        (Arc::clone(&files), DayWriter::new(files))
    }

    fn reopen(&mut self, values_max: usize) {
        (self.files, self.writer) = Self::open(&self.directory, values_max);
    }

    fn apply(&mut self, step: &Step, values_max: usize) {
        match step {
            Step::Write(rows) => self.write(rows.iter().map(Row::log).collect()),
            Step::Upkeep(slices) => {
                for _ in 0..*slices {
                    if !self.upkeep() {
                        break;
                    }
                }
            }
            Step::Crash => self.reopen(values_max),
            Step::Restart => {
                self.writer.finish();
                self.reopen(values_max);
            }
            Step::ForgetFacets => {
                for day in self.files.oldest_first() {
                    forget_facets(&raw(&self.files.path(day)));
                }
                self.reopen(values_max);
            }
            Step::RemoveOldest(rows) => self.remove_oldest(*rows),
            Step::DropOldestDay => {
                if let Some(day) = self.files.oldest_first().first() {
                    self.writer.drop_day(*day).unwrap();
                    self.expected.retain(|log| day_of(log) != *day);
                }
            }
        }
    }

    fn write(&mut self, logs: Vec<RequestLog>) {
        let records: Vec<_> = logs.iter().cloned().map(record).collect();
        assert_eq!(self.writer.write(&records), 0);
        self.expected.extend(logs);
        self.expected
            .sort_by(|a, b| a.request_id.cmp(&b.request_id));
    }

    /// One slice; `false` when there is nothing to do.
    fn upkeep(&mut self) -> bool {
        let Some((day, task)) = self.files.facets.task() else {
            return false;
        };
        let connection = self.writer.connection(day).unwrap();
        facets::slice(&self.files.facets, (day, task), connection).unwrap();
        true
    }

    fn remove_oldest(&mut self, rows: usize) {
        // Of a day that is not counted nothing is removed: see `LogRetention`.
        while self.upkeep() {}
        let Some(day) = self.files.oldest_first().first().copied() else {
            return;
        };
        let removed = self.writer.remove_oldest(day, rows).unwrap();
        let of_day = self
            .expected
            .iter()
            .filter(|log| day_of(log) == day)
            .count();
        let removed = usize::try_from(removed).unwrap();
        assert_eq!(removed, rows.min(of_day));
        self.expected.drain(..removed);
    }

    /// All pages of a list, which has so much time for each.
    fn walk(&self, query: &RequestLogQuery, time: Duration) -> Vec<String> {
        let mut query = query.clone();
        let mut ids = Vec::new();
        // More pages than there are rows and places to look into.
        for _ in 0..10_000 {
            let page = request_logs::list(&self.files, &query, Deadline::after(time)).unwrap();
            assert!(page.complete || page.next_cursor.is_some());
            ids.extend(page.data.into_iter().map(|log| log.request_id));
            match page.next_cursor {
                Some(cursor) => {
                    query.cursor = Some(cursor);
                    query.offset = None;
                }
                None => return ids,
            }
        }
        panic!("a list does not end: {query:?}");
    }

    fn naive(&self, query: &RequestLogQuery) -> Vec<String> {
        let matching = self.expected.iter().filter(|log| matches(query, log));
        let mut ids: Vec<_> = matching.map(|log| log.request_id.clone()).collect();
        if query.sort.unwrap_or_default() == RequestLogSort::NewestFirst {
            ids.reverse();
        }
        let offset = usize::try_from(query.offset.unwrap_or_default()).unwrap();
        ids.into_iter().skip(offset).collect()
    }

    /// The counts of all days are those of the rows; where a value has none of its own, it is among the others.
    fn check_counts(&self) {
        let query = RequestLogFacetsQuery {
            limit: Some(1_000),
            ..RequestLogFacetsQuery::default()
        };
        let answer = facets::totals(
            &self.files,
            &query,
            Deadline::after(Duration::from_secs(60)),
        );
        if !answer.complete {
            return;
        }
        for facet in &answer.facets {
            let mut other = 0;
            let mut counted = std::collections::BTreeMap::new();
            for log in &self.expected {
                if let Some(value) = value_of(&facet.name, log) {
                    *counted.entry(value).or_insert(0_u64) += 1;
                }
            }
            for (value, count) in &counted {
                let answered = facet.values.iter().find(|one| one.value == *value);
                let answered = answered.map_or(0, |one| one.count);
                assert!(
                    answered <= *count,
                    "{}={value}: {answered} > {count}",
                    facet.name
                );
                other += count - answered;
            }
            assert_eq!(facet.other, other, "{}", facet.name);
            assert!(
                facet
                    .values
                    .iter()
                    .all(|one| counted.contains_key(&one.value))
            );
            assert!(
                facet
                    .values
                    .is_sorted_by_key(|one| std::cmp::Reverse(one.count))
            );
        }
    }
}

fn day_of(log: &RequestLog) -> Day {
    Day::of(log.started_at_unix_ms)
}

fn value_of(facet: &str, log: &RequestLog) -> Option<String> {
    let tenant = |pick: fn(&TenantContext) -> &Option<Arc<str>>| {
        let tenant = log.tenant.as_deref()?;
        pick(tenant).as_deref().map(str::to_owned)
    };
    let text = |value: &Option<Arc<str>>| value.as_deref().map(str::to_owned);
    match facet {
        "status" => Some(log.status.to_string()),
        "model" => text(&log.model),
        "provider" => text(&log.provider),
        "key" => text(&log.api_key_id),
        "organization" => tenant(|tenant| &tenant.organization_id),
        "team" => tenant(|tenant| &tenant.team_id),
        "project" => tenant(|tenant| &tenant.project_id),
        "user" => tenant(|tenant| &tenant.user_id),
        "endpoint" => Some(log.endpoint.to_string()),
        "outcome" => Some(log.outcome.as_str().to_owned()),
        "error_code" => text(&log.error_code),
        "stream" => Some(log.stream.to_string()),
        other => panic!("{other} is no facet"),
    }
}

/// As the migration leaves a file that had rows.
fn forget_facets(file: &Connection) {
    file.execute_batch(
        "DELETE FROM facet_values; DELETE FROM facet_blocks;
         WITH RECURSIVE n (span) AS (SELECT 0 UNION ALL SELECT span + 1 FROM n WHERE span < 82)
         INSERT OR IGNORE INTO facet_gaps SELECT span FROM n;",
    )
    .unwrap();
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    // Few times, so that rows share blocks and spans; the edges of days and spans among them.
    let in_day_ms = prop_oneof![
        Just(0),
        Just(DAY_MS - 1),
        1_048_570..1_048_580_i64,
        50_000_000..50_000_200_i64,
        0..DAY_MS,
    ];
    let row = (
        0..3_i64,
        in_day_ms,
        [0..4_u8, 0..6_u8, 0..3_u8, 0..5_u8],
        select(vec![200, 201, 400, 404, 429, 500, 502]),
        any::<bool>(),
    );
    let row = row.prop_map(|(day, in_day_ms, value, status, stream)| Row {
        day,
        in_day_ms,
        value,
        status,
        stream,
    });
    vec(row, 1..40)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => rows().prop_map(Step::Write),
        3 => (1..30_usize).prop_map(Step::Upkeep),
        1 => Just(Step::Upkeep(1_000)),
        2 => Just(Step::Crash),
        1 => Just(Step::Restart),
        1 => Just(Step::ForgetFacets),
        1 => (1..30_usize).prop_map(Step::RemoveOldest),
        1 => Just(Step::DropOldestDay),
    ]
}

fn query() -> impl Strategy<Value = RequestLogQuery> {
    let named = |name: &'static str, most: u8| {
        option::weighted(0.3, (0..most).prop_map(move |n| format!("{name}-{n}")))
    };
    let statuses = select(vec!["404", "4xx", ">=400", "<400", "503"]);
    let status = option::weighted(0.3, statuses.prop_map(|text| text.parse().unwrap()));
    let time = || {
        let from_start = 0..3 * DAY_MS;
        option::weighted(0.2, from_start.prop_map(|ms| NOON - DAY_MS / 2 + ms))
    };
    let first = (
        status,
        named("model", 4),
        named("key", 6),
        named("provider", 3),
        named("organization", 2),
        named("user", 5),
        option::weighted(0.2, any::<bool>()),
        option::weighted(
            0.1,
            select(vec!["CODE-1", "el-2", "v1/chat", "nowhere", "%"]),
        ),
    );
    let second = (
        time(),
        time(),
        option::of(select(RequestLogSort::ALL.to_vec())),
        1..20_u32,
        option::weighted(0.2, 0..30_u32),
        option::weighted(0.1, select(vec![Outcome::Refused, Outcome::Stalled])),
        named("endpoint", 3),
        named("code", 3),
    );
    (first, second).prop_map(|(first, second)| {
        let (status, model, key, provider, organization, user, stream, q) = first;
        let (since, until, sort, limit, offset, outcome, endpoint, error_code) = second;
        RequestLogQuery {
            status,
            model,
            key,
            provider,
            organization,
            user,
            endpoint,
            outcome,
            error_code,
            stream,
            q: q.map(str::to_owned),
            since,
            until,
            sort,
            offset,
            limit: Some(limit),
            ..RequestLogQuery::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_list_finds_what_a_look_at_every_row_finds(
        steps in vec(step(), 1..10),
        queries in vec(query(), 4),
        values_max in select(vec![1, 3, 1_000]),
    ) {
        let mut logs = Logs::new(values_max);
        for step in &steps {
            logs.apply(step, values_max);
            for query in &queries {
                let expected = logs.naive(query);
                let unhurried = logs.walk(query, Duration::from_secs(60));
                prop_assert_eq!(&unhurried, &expected, "{:?}", query);
            }
            logs.check_counts();
        }
        // Every page is cut off after its first look.
        for query in &queries {
            prop_assert_eq!(logs.walk(query, Duration::ZERO), logs.naive(query), "{:?}", query);
        }
        while logs.upkeep() {}
        for query in &queries {
            prop_assert_eq!(logs.walk(query, Duration::from_secs(60)), logs.naive(query), "{:?}", query);
        }
        logs.check_counts();
    }
}

fn row(day: i64, in_day_ms: i64, model: u8) -> Row {
    Row {
        day,
        in_day_ms,
        value: [model, 1, 1, 1],
        status: 200,
        stream: false,
    }
}

fn of_model(model: &str) -> RequestLogQuery {
    RequestLogQuery {
        model: Some(model.to_owned()),
        ..RequestLogQuery::default()
    }
}

#[test]
fn a_rare_value_is_found_at_once_and_a_pair_that_never_meets_is_given_up_in_time() {
    let mut logs = Logs::new(100);
    for batch in 0..20 {
        let rows = (0..500).map(|n| {
            let at = 1_000 * batch + 2 * n;
            match (batch, n) {
                (3, 7) => row(0, at, 3),
                // In every block, but never in one row.
                (_, n) if n % 2 == 0 => row(0, at, 1),
                _ => Row {
                    status: 429,
                    ..row(0, at, 2)
                },
            }
        });
        logs.write(rows.map(|row| row.log()).collect());
    }
    let no_time = || Deadline::after(Duration::ZERO);
    let page = request_logs::list(&logs.files, &of_model("model-3"), no_time()).unwrap();
    assert_eq!((page.data.len(), page.complete), (1, true));
    let pair = RequestLogQuery {
        status: Some("429".parse().unwrap()),
        ..of_model("model-1")
    };
    let page = request_logs::list(&logs.files, &pair, no_time()).unwrap();
    assert!(page.data.is_empty() && !page.complete && page.next_cursor.is_some());
    assert!(logs.walk(&pair, Duration::ZERO).is_empty());
}

#[test]
fn what_a_killed_process_had_in_memory_is_built_again() {
    let mut logs = Logs::new(100);
    logs.write((0..50).map(|n| row(0, n, 1).log()).collect());
    logs.write(vec![row(0, 40_000_000, 2).log()]);
    // The first span is over and saved; the second is only in memory.
    assert!(logs.upkeep());
    assert!(!logs.upkeep());
    logs.reopen(100);
    let totals = |logs: &Logs| {
        let query = RequestLogFacetsQuery::default();
        facets::totals(
            &logs.files,
            &query,
            Deadline::after(Duration::from_secs(60)),
        )
    };
    let answer = totals(&logs);
    assert!(!answer.complete);
    assert_eq!(answer.facets[1].values[0].count, 50);
    assert_eq!(answer.facets[1].values.len(), 1);
    assert_eq!(
        logs.walk(&of_model("model-2"), Duration::from_secs(60))
            .len(),
        1
    );
    while logs.upkeep() {}
    let answer = totals(&logs);
    assert!(answer.complete);
    assert_eq!(answer.facets[1].values.len(), 2);
    assert_eq!(
        (answer.since, answer.until),
        (Some(NOON - DAY_MS / 2), Some(NOON + DAY_MS / 2))
    );
}

#[test]
fn facets_that_make_no_sense_are_built_anew() {
    let mut logs = Logs::new(100);
    logs.write((0..50).map(|n| row(0, n, 1).log()).collect());
    logs.writer.finish();
    let file = raw(&logs.files.path(logs.files.oldest_first()[0]));
    file.execute_batch("UPDATE facet_values SET id = id + 1 WHERE facet = 'model'")
        .unwrap();
    logs.reopen(100);
    // The day is taken into memory with its next row.
    logs.write(vec![row(0, 1_000, 2).log()]);
    while logs.upkeep() {}
    assert_eq!(
        logs.walk(&of_model("model-1"), Duration::from_secs(60))
            .len(),
        50
    );
    logs.check_counts();
    // A bitmap that cannot be read costs time, not rows.
    logs.writer.finish();
    file.execute_batch("UPDATE facet_blocks SET blocks = x'00'")
        .unwrap();
    logs.reopen(100);
    assert_eq!(
        logs.walk(&of_model("model-2"), Duration::from_secs(60))
            .len(),
        1
    );
}

#[test]
fn only_the_days_that_are_asked_for_are_counted() {
    let mut logs = Logs::new(100);
    logs.write((0..3).map(|day| row(day, 5, 1).log()).collect());
    let midnight = NOON - DAY_MS / 2;
    let check = |since: Option<i64>, until: Option<i64>, counted: u64| {
        let query = RequestLogFacetsQuery {
            since,
            until,
            limit: None,
        };
        let answer = facets::totals(
            &logs.files,
            &query,
            Deadline::after(Duration::from_secs(60)),
        );
        let count: u64 = answer.facets[1].values.iter().map(|one| one.count).sum();
        assert_eq!(count, counted, "{query:?}");
    };
    check(None, None, 3);
    check(Some(midnight + DAY_MS), None, 2);
    check(Some(midnight + DAY_MS - 1), None, 3);
    check(None, Some(midnight + DAY_MS), 1);
    check(None, Some(midnight + DAY_MS + 1), 2);
    check(Some(midnight + 9 * DAY_MS), None, 0);
    check(Some(i64::MIN), Some(i64::MAX), 3);
    check(Some(i64::MAX), Some(i64::MIN), 0);
}

#[test]
fn rows_of_a_span_that_is_not_known_are_not_forgotten_by_the_next_start() {
    let mut logs = Logs::new(100);
    logs.write(vec![row(0, 5, 1).log()]);
    // A commit failed: nobody knows what memory had of this day, and its file has no mark of what comes now.
    let day = logs.files.oldest_first()[0];
    raw(&logs.files.path(day))
        .execute_batch("DELETE FROM facet_gaps")
        .unwrap();
    logs.files.facets.unload(day);
    logs.writer = DayWriter::new(Arc::clone(&logs.files));
    logs.write(vec![row(0, 6, 1).log(), row(0, 50_000_000, 1).log()]);
    logs.reopen(100);
    let found = logs.walk(&of_model("model-1"), Duration::from_secs(60));
    assert_eq!(found.len(), 3);
    while logs.upkeep() {}
    logs.check_counts();
}

/// Logs of one span, each with a user of its own.
fn crowd(numbers: std::ops::Range<i64>) -> Vec<RequestLog> {
    numbers
        .map(|n| RequestLog {
            tenant: Some(Arc::new(TenantContext {
                user_id: Some(format!("user-{n}").into()),
                ..TenantContext::default()
            })),
            ..row(0, 10 * n, 1).log()
        })
        .collect()
}

fn of_user(user: &str) -> RequestLogQuery {
    RequestLogQuery {
        user: Some(user.to_owned()),
        ..RequestLogQuery::default()
    }
}

#[test]
fn a_span_that_takes_several_slices_is_counted_once_whatever_comes_in_between() {
    let minute = Duration::from_secs(60);
    let mut logs = Logs::new(10_000);
    logs.write(crowd(0..2_500));
    logs.reopen(10_000);
    // Built to the middle, when a row comes that is behind it, and one that is ahead.
    assert!(logs.upkeep());
    logs.write(crowd(3..4));
    logs.write(crowd(2_400..2_401));
    assert_eq!(logs.walk(&of_user("user-3"), minute).len(), 2);
    assert_eq!(logs.walk(&of_user("user-2400"), minute).len(), 2);
    while logs.upkeep() {}
    logs.check_counts();
    // The next span makes this one be saved, in slices; a row comes between two of them.
    logs.write(vec![row(0, 40_000_000, 1).log()]);
    assert!(logs.upkeep());
    logs.write(crowd(1..2));
    for user in ["user-1", "user-3", "user-2499"] {
        let found = logs.walk(&of_user(user), minute).len();
        assert_eq!(found, logs.naive(&of_user(user)).len(), "{user}");
    }
    while logs.upkeep() {}
    logs.check_counts();
    // Half saved, and then killed.
    logs.write(crowd(0..2_500));
    assert!(logs.upkeep());
    logs.reopen(10_000);
    while logs.upkeep() {}
    logs.check_counts();
    let found = logs.walk(&of_user("user-1"), minute);
    assert_eq!(found, logs.naive(&of_user("user-1")));
    assert!(found.len() >= 3, "{found:?}");
}
