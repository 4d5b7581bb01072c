//! Request logs leave by age, size and number, bodies before them; whoever reads a day that leaves finishes, or is told
//! nothing of it.

use std::{fs, time::Duration};

use ferrogate_api::{RequestLogFacetsQuery, RequestLogQuery};
use tempfile::TempDir;

use super::*;
use crate::store::{
    Bodies,
    day_writer::DayWriter,
    days::{Day, DayFiles},
    facets,
    listing::Deadline,
    request_logs,
    retention::days::{BodyRetention, DayLimits, LogRetention},
};

const NO_LIMITS: DayLimits = DayLimits {
    days: 0,
    records: 0,
    max_bytes: 0,
    body_days: 0,
    slice_rows: 7,
};

struct Logs {
    directory: TempDir,
    files: Arc<DayFiles>,
    writer: DayWriter,
}

impl Logs {
    /// So many logs with bodies on each of some days, the first of which is that of [`NOON`].
    fn of(rows_of_days: &[i64]) -> Self {
        let directory = TempDir::new().unwrap();
        let files = Arc::new(DayFiles::open(&storage(directory.path())).unwrap());
        let mut writer = DayWriter::new(Arc::clone(&files));
        for (day, rows) in (0..).zip(rows_of_days) {
            let records: Vec<_> = (0..*rows)
                .map(|n| Record {
                    bodies: Some(Box::new(Bodies {
                        request: format!("{n}").repeat(1_000).into(),
                        response: "answer".into(),
                    })),
                    ..record(log(id_at(NOON + day * DAY_MS + n * 10_000)))
                })
                .collect();
            assert_eq!(writer.write(&records), 0);
        }
        Self {
            directory,
            files,
            writer,
        }
    }

    /// Runs the logs' job to its end; how many rows left.
    fn run(&mut self, now_unix_ms: i64, limits: DayLimits) -> u64 {
        let mut job = LogRetention::default();
        let mut removed = 0;
        for _ in 0..1_000 {
            let step = job.step(&mut self.writer, now_unix_ms, &limits).unwrap();
            removed += step.removed;
            if !step.more {
                return removed;
            }
        }
        panic!("the job does not end");
    }

    fn run_bodies(&mut self, now_unix_ms: i64, limits: DayLimits) -> u64 {
        let mut job = BodyRetention::default();
        let mut removed = 0;
        for _ in 0..1_000 {
            let step = job.step(&mut self.writer, now_unix_ms, &limits).unwrap();
            removed += step.removed;
            if !step.more {
                return removed;
            }
        }
        panic!("the job does not end");
    }

    fn listed(&self) -> Vec<RequestLog> {
        let query = RequestLogQuery {
            limit: Some(10_000),
            key: Some("key-a".to_owned()),
            ..RequestLogQuery::default()
        };
        let deadline = Deadline::after(Duration::from_secs(60));
        request_logs::list(&self.files, &query, deadline)
            .unwrap()
            .data
    }

    /// Rows of each day, oldest first; the facets agree.
    fn rows(&self) -> Vec<usize> {
        let days = self.files.oldest_first();
        let listed = self.listed();
        let rows = days.iter().map(|day| {
            let of_day = |log: &&RequestLog| Day::of(log.started_at_unix_ms) == *day;
            listed.iter().filter(of_day).count()
        });
        let query = RequestLogFacetsQuery::default();
        let deadline = Deadline::after(Duration::from_secs(60));
        let counted = facets::totals(&self.files, &query, deadline);
        assert!(counted.complete);
        for facet in counted.facets.iter().filter(|facet| facet.name == "key") {
            let sum: u64 = facet.values.iter().map(|one| one.count).sum();
            assert_eq!(usize::try_from(sum).unwrap(), listed.len());
        }
        rows.collect()
    }

    fn file_names(&self) -> Vec<String> {
        let names = fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<_> = names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[test]
fn a_day_is_dropped_when_all_of_it_is_too_old() {
    let check = |now_unix_ms: i64, days: u32, left: &[usize]| {
        let mut logs = Logs::of(&[1, 2, 3]);
        let limits = DayLimits { days, ..NO_LIMITS };
        let removed = logs.run(now_unix_ms, limits);
        assert_eq!(logs.rows(), left, "{days}");
        let gone = usize::try_from(removed).unwrap();
        assert_eq!(gone, 6 - left.iter().sum::<usize>());
        let of_left = |name: &String| name.ends_with(".db");
        let files = logs.file_names().into_iter().filter(of_left);
        assert_eq!(files.count(), left.len());
    };
    let last_day = NOON + 2 * DAY_MS;
    check(last_day, 0, &[1, 2, 3]);
    check(last_day, 2, &[1, 2, 3]);
    check(last_day, 1, &[2, 3]);
    // The last millisecond in which the second day is less than a day old.
    check(last_day + DAY_MS / 2 - 1, 1, &[2, 3]);
    check(last_day + DAY_MS / 2, 1, &[3]);
    check(last_day + 40 * DAY_MS, 30, &[]);
}

#[test]
fn the_number_of_records_is_kept_exactly() {
    let check = |records: u64, left: &[usize]| {
        let mut logs = Logs::of(&[30, 20, 10]);
        let limits = DayLimits {
            records,
            ..NO_LIMITS
        };
        let before = logs.listed();
        logs.run(NOON + 2 * DAY_MS, limits);
        assert_eq!(logs.rows(), left, "{records}");
        // The oldest went.
        let kept = left.iter().sum();
        assert_eq!(logs.listed(), before[..kept], "{records}");
        // Nothing more goes, and a gateway that starts anew counts the same.
        assert_eq!(logs.run(NOON + 2 * DAY_MS, limits), 0);
        logs.writer.finish();
        logs.files = Arc::new(DayFiles::open(&storage(logs.directory.path())).unwrap());
        logs.writer = DayWriter::new(Arc::clone(&logs.files));
        assert_eq!(logs.rows(), left, "{records}");
        assert_eq!(logs.run(NOON + 2 * DAY_MS, limits), 0);
    };
    check(0, &[30, 20, 10]);
    check(60, &[30, 20, 10]);
    check(59, &[29, 20, 10]);
    check(31, &[1, 20, 10]);
    check(30, &[20, 10]);
    check(25, &[15, 10]);
    check(10, &[10]);
    check(3, &[3]);
}

#[test]
fn what_belongs_to_a_log_goes_with_it() {
    let mut logs = Logs::of(&[30]);
    let limits = DayLimits {
        records: 12,
        ..NO_LIMITS
    };
    assert_eq!(logs.run(NOON, limits), 18);
    let file = raw(&logs.files.path(Day::of(NOON)));
    let count = |table: &str| -> i64 {
        file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
            row.get(0)
        })
        .unwrap()
    };
    assert_eq!((count("request_logs"), count("request_bodies")), (12, 12));
    // The facets of the rows that are left, and of no others: see `facet_values.rows`.
    logs.writer.finish();
    let sums = |select: &str| -> i64 { file.query_row(select, [], |row| row.get(0)).unwrap() };
    let of_values = sums("SELECT sum(rows) FROM facet_values WHERE facet = 'model'");
    assert_eq!(of_values, 12);
    assert_eq!(
        sums("SELECT sum(rows) FROM facet_values"),
        sums("SELECT sum(rows) FROM facet_blocks")
    );
}

#[test]
fn days_leave_until_the_rest_fits_and_then_rows_of_the_last_one() {
    let mut logs = Logs::of(&[200, 200, 200]);
    logs.writer.finish();
    let size: u64 = logs
        .files
        .oldest_first()
        .into_iter()
        .map(|day| logs.files.size_bytes(day))
        .sum();
    let limits = |max_bytes| DayLimits {
        max_bytes,
        slice_rows: 50,
        ..NO_LIMITS
    };
    assert_eq!(logs.run(NOON, limits(size)), 0);
    logs.run(NOON, limits(size - 1));
    assert_eq!(logs.rows(), [200, 200]);
    logs.run(NOON, limits(size / 4));
    let [left] = logs.rows()[..] else {
        panic!("days are left: {:?}", logs.rows());
    };
    assert!((1..200).contains(&left), "{left}");
    // Less than an empty file takes cannot be had; the job ends all the same.
    logs.run(NOON, limits(1));
    assert_eq!(logs.rows(), [0]);
}

#[test]
fn a_day_that_is_dropped_takes_nothing_from_who_reads_it() {
    let mut logs = Logs::of(&[30, 20]);
    let first = Day::of(NOON);
    let limits = DayLimits {
        days: 1,
        ..NO_LIMITS
    };
    let files = Arc::clone(&logs.files);
    let now = NOON + 2 * DAY_MS;
    let read = files.read(first, |connection| {
        let mut select = connection.prepare("SELECT id FROM request_logs")?;
        let mut rows = select.query([])?;
        let mut read = usize::from(rows.next()?.is_some());
        assert_eq!(logs.run(now, limits), 30);
        while rows.next()?.is_some() {
            read += 1;
        }
        Ok(read)
    });
    assert_eq!(read.unwrap(), 30);
    assert!(!files.has(first));
    let left = logs.file_names();
    assert!(
        left.iter().all(|name| !name.contains("2026-01-01")),
        "{left:?}"
    );
    assert_eq!(logs.rows(), [20]);
    // A request that began on that day and ends now makes it anew; a reader of the old file is not asked for it.
    let late = log(id_at(NOON + 1));
    assert_eq!(logs.writer.write(&[record(late.clone())]), 0);
    assert_eq!(logs.rows(), [1, 20]);
    assert_eq!(logs.listed().last(), Some(&late));
}

#[test]
fn bodies_leave_after_their_days_and_give_their_room_back() {
    let mut logs = Logs::of(&[300, 5, 5]);
    logs.writer.finish();
    let first = Day::of(NOON);
    let before = logs.files.size_bytes(first);
    let limits = |body_days| DayLimits {
        body_days,
        ..NO_LIMITS
    };
    let now = NOON + 2 * DAY_MS;
    assert_eq!(logs.run_bodies(now, limits(0)), 0);
    assert_eq!(logs.run_bodies(now, limits(2)), 0);
    assert_eq!(logs.run_bodies(now, limits(1)), 300);
    assert_eq!(logs.run_bodies(now, limits(1)), 0);
    logs.writer.finish();
    let after = logs.files.size_bytes(first);
    assert!(after < before, "{after} of {before} bytes");
    assert_eq!(logs.rows(), [300, 5, 5]);
    let bodies_of = |at: i64| {
        let id = logs
            .listed()
            .into_iter()
            .find(|log| log.started_at_unix_ms == at)
            .unwrap();
        let id = RequestId::parse(&id.request_id).unwrap();
        request_logs::get(&logs.files, id)
            .unwrap()
            .unwrap()
            .response_body
    };
    assert_eq!(bodies_of(NOON), None);
    assert_eq!(bodies_of(NOON + DAY_MS).as_deref(), Some("answer"));
}

#[test]
fn rows_of_a_day_that_is_not_counted_yet_stay_until_it_is() {
    let mut logs = Logs::of(&[30, 20]);
    // As if killed: what was in memory must be built first.
    logs.files = Arc::new(DayFiles::open(&storage(logs.directory.path())).unwrap());
    logs.writer = DayWriter::new(Arc::clone(&logs.files));
    let limits = DayLimits {
        records: 25,
        ..NO_LIMITS
    };
    assert_eq!(logs.run(NOON, limits), 0);
    while let Some((day, task)) = logs.files.facets.task() {
        let connection = logs.writer.connection(day).unwrap();
        facets::slice(&logs.files.facets, (day, task), connection).unwrap();
    }
    assert_eq!(logs.run(NOON, limits), 25);
    assert_eq!(logs.rows(), [5, 20]);
}

#[test]
fn a_day_that_cannot_be_removed_is_removed_when_it_can() {
    let directory = TempDir::new().unwrap();
    let files = DayFiles::open(&storage(directory.path())).unwrap();
    let day = Day::of(NOON);
    drop(files.open_writer(day).unwrap());
    let mut in_the_way = files.path(day).into_os_string();
    in_the_way.push("-shm");
    fs::create_dir(&in_the_way).unwrap();
    files.remove(day).unwrap_err();
    assert_eq!(files.oldest_first(), [day]);
    fs::remove_dir(&in_the_way).unwrap();
    files.remove(day).unwrap();
    assert!(files.oldest_first().is_empty());
}
