//! Whatever happens between memory and disk: a chart shows every request that was counted, once.

use std::{collections::BTreeMap, time::Duration};

use ferrogate_api::{Outcome, RequestLog, TimeseriesLine, Tokens};
use proptest::prelude::*;
use rusqlite::Connection;
use tempfile::TempDir;

use super::{
    super::{
        connection,
        migrations::Schema,
        usage_rollups::{DAY_MS, HOUR_MS, MINUTE_MS},
    },
    histogram::Histogram,
    *,
};
use crate::config::Durability;

/// 2026-01-01T23:00:00Z: an hour before midnight.
const START: i64 = 1_767_308_400_000;

/// A file, the writer on it, and a reader beside it.
struct Bench {
    directory: TempDir,
    disk: Connection,
    reader: Connection,
    writer: TrafficWriter,
    now: i64,
}

impl Bench {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let (disk, reader, writer) = open(&directory, START);
        Self {
            directory,
            disk,
            reader,
            writer,
            now: START,
        }
    }

    /// As after a kill: what is in memory is gone.
    fn reopen(&mut self) {
        let (disk, reader, writer) = open(&self.directory, self.now);
        (self.disk, self.reader, self.writer) = (disk, reader, writer);
    }

    fn slice(&mut self) -> bool {
        self.writer.hurry();
        self.writer.work(&self.disk, self.now)
    }

    fn settle(&mut self) {
        let slices = (0..10_000).find(|_| !self.slice());
        assert!(slices.is_some(), "it comes to an end");
    }

    /// Counts a request that ends now, and says in which minute it is counted.
    fn note(&self, key: &str, duration_us: u64) -> i64 {
        let log = log(key, self.now, duration_us);
        self.writer.note([&log].into_iter());
        let open_from = self.writer.book().lock().open_from_unix_ms;
        floor(self.now, MINUTE_MS).max(open_from)
    }

    fn chart(&self, ask: &TimeseriesAsk) -> Vec<TimeseriesLine> {
        let mut chart = Chart::new(ask.metric, ask.steps());
        let complete = read::add_requests(
            &self.reader,
            &self.writer.book(),
            (ask, ask.steps()),
            (&mut chart, Deadline::after(Duration::from_secs(60))),
        );
        assert!(complete.unwrap());
        chart.finish(ask.by, ask.top)
    }
}

fn open(directory: &TempDir, now: i64) -> (Connection, Connection, TrafficWriter) {
    let path = directory.path().join("ferrogate.db");
    let disk = connection::open_writer(&path, Schema::Ledger, Durability::ProcessCrash).unwrap();
    let reader = connection::open_reader(&path).unwrap();
    let writer = TrafficWriter::open(&disk, 100, now).unwrap();
    (disk, reader, writer)
}

fn log(key: &str, ended_unix_ms: i64, duration_us: u64) -> RequestLog {
    let took_ms = i64::try_from(duration_us / 1000).unwrap();
    RequestLog {
        started_at_unix_ms: ended_unix_ms - took_ms,
        duration_us,
        ttft_us: Some(duration_us / 2),
        overhead_us: Some(50),
        endpoint: "chat.completions".into(),
        api_key_id: Some(key.into()),
        model: Some("fast".into()),
        provider: Some("openai".into()),
        status: 200,
        outcome: Outcome::Complete,
        tokens: Tokens {
            input: 10,
            output: 5,
            ..Tokens::default()
        },
        cost_nanos: Some(7),
        ..RequestLog::default()
    }
}

fn ask(metric: TimeseriesMetric, step: TimeseriesStep) -> TimeseriesAsk {
    TimeseriesAsk {
        metric,
        by: TimeseriesBy::Key,
        step,
        since_unix_ms: START - DAY_MS,
        until_unix_ms: START + 3 * DAY_MS,
        top: 50,
        selection: Selection::default(),
    }
}

/// What a chart must show: the durations by key and step.
fn expected(
    noted: &[(i64, &str, u64)],
    step: TimeseriesStep,
) -> BTreeMap<(String, i64), (i64, Option<u64>)> {
    let mut times: BTreeMap<(String, i64), Histogram> = BTreeMap::new();
    for (minute, key, duration_us) in noted {
        let at = (key.to_string(), floor(*minute, step.millis()));
        times.entry(at).or_default().record(*duration_us);
    }
    let figures = |times: Histogram| (i64::try_from(times.count()).unwrap(), times.permille(950));
    times
        .into_iter()
        .map(|(at, times)| (at, figures(times)))
        .collect()
}

fn shown(bench: &Bench, step: TimeseriesStep) -> BTreeMap<(String, i64), (i64, Option<u64>)> {
    let ask = ask(TimeseriesMetric::Latency, step);
    let starts = ask.steps().starts();
    let mut shown = BTreeMap::new();
    for line in bench.chart(&ask) {
        assert!(!line.is_other);
        let key = line.name.clone().unwrap().to_string();
        for (index, start) in starts.iter().enumerate() {
            let count = line.values["count"][index].unwrap();
            if count > 0 {
                let p95 = line.values["p95"][index].map(|us| u64::try_from(us).unwrap());
                shown.insert((key.clone(), *start), (count, p95));
            }
        }
    }
    shown
}

#[derive(Debug, Clone)]
enum Step {
    Note {
        key: usize,
        duration_us: u64,
    },
    Pass {
        seconds: i64,
    },
    Slice,
    /// Everything is written, then the process is killed.
    Restart,
    /// Killed between two slices, with nothing new since everything was written.
    Kill,
}

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..KEYS.len(), 1_000u64..40_000_000).prop_map(|(key, duration_us)| Step::Note { key, duration_us }),
        3 => (1i64..4_000).prop_map(|seconds| Step::Pass { seconds }),
        6 => Just(Step::Slice),
        1 => Just(Step::Restart),
        1 => Just(Step::Kill),
    ];
    prop::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn every_request_is_shown_once_however_far_it_has_come(steps in steps()) {
        let mut bench = Bench::new();
        let mut noted = Vec::new();
        for step in steps {
            match step {
                Step::Note { key, duration_us } => {
                    let minute = bench.note(KEYS[key], duration_us);
                    noted.push((minute, KEYS[key], duration_us));
                }
                Step::Pass { seconds } => bench.now += seconds * 1000,
                Step::Slice => drop(bench.slice()),
                Step::Restart | Step::Kill => {
                    bench.writer.finish(&bench.disk);
                    if matches!(step, Step::Kill) {
                        bench.slice();
                    }
                    bench.reopen();
                }
            }
            for step in TimeseriesStep::ALL {
                prop_assert_eq!(shown(&bench, *step), expected(&noted, *step), "{}", step);
            }
        }
    }
}

#[test]
fn hours_are_the_sum_of_their_minutes_and_days_of_their_hours() {
    let mut bench = Bench::new();
    for hour in 0..3 {
        for minute in 0..5 {
            bench.now = START + hour * HOUR_MS + minute * MINUTE_MS;
            for key in KEYS {
                bench.note(key, 1_000_000);
            }
        }
    }
    bench.now = START + 26 * HOUR_MS;
    bench.settle();
    assert_eq!(rows(&bench, MINUTE_MS), (60, 60));
    assert_eq!(rows(&bench, HOUR_MS), (12, 60));
    // One hour of the first day, two of the second.
    assert_eq!(rows(&bench, DAY_MS), (8, 60));
    assert!(
        bench.writer.book().lock().minutes.is_empty(),
        "memory is free again"
    );
    // Once more changes nothing.
    bench.settle();
    bench.reopen();
    bench.settle();
    assert_eq!(
        (rows(&bench, HOUR_MS), rows(&bench, DAY_MS)),
        ((12, 60), (8, 60))
    );
}

/// How many rows of this span there are, and what they come to.
fn rows(bench: &Bench, span_ms: i64) -> (i64, i64) {
    let sql = "SELECT count(*), sum(requests) FROM traffic_rollups WHERE span_ms = ?1";
    let row = bench
        .reader
        .query_row(sql, [span_ms], |row| Ok((row.get(0)?, row.get(1)?)));
    row.unwrap()
}

#[test]
fn what_was_counted_since_the_last_flush_is_all_that_a_kill_costs() {
    let mut bench = Bench::new();
    bench.note("a", 1_000);
    bench.writer.finish(&bench.disk);
    bench.note("a", 1_000);
    bench.reopen();
    bench.note("a", 1_000);
    let count = |bench: &Bench| {
        bench.chart(&ask(TimeseriesMetric::Requests, TimeseriesStep::Minute))[0].totals["count"]
    };
    assert_eq!(count(&bench), Some(2));
    bench.writer.finish(&bench.disk);
    bench.reopen();
    assert_eq!(count(&bench), Some(2), "the minute goes on where it was");
}

#[test]
fn a_disk_that_fails_costs_nothing_once_it_is_back() {
    let mut bench = Bench::new();
    bench.note("a", 1_000);
    bench.disk.execute_batch("PRAGMA query_only = ON").unwrap();
    assert!(!bench.slice());
    bench.note("a", 1_000);
    bench.disk.execute_batch("PRAGMA query_only = OFF").unwrap();
    bench.settle();
    bench.reopen();
    let lines = bench.chart(&ask(TimeseriesMetric::Requests, TimeseriesStep::Hour));
    assert_eq!(lines[0].totals["count"], Some(2));
}

#[test]
fn a_clock_that_was_years_ahead_does_not_stop_the_charts() {
    let mut bench = Bench::new();
    let today = bench.now;
    bench.now += 5000 * DAY_MS;
    bench.note("a", 1_000);
    bench.now += HOUR_MS * 30;
    bench.settle();
    bench.now = today;
    bench.reopen();
    bench.note("a", 1_000);
    bench.now += 2 * HOUR_MS;
    bench.settle();
    for step in TimeseriesStep::ALL {
        let lines = bench.chart(&ask(TimeseriesMetric::Requests, *step));
        assert_eq!(lines[0].totals["count"], Some(1), "{step}");
    }
}

#[test]
fn what_is_not_told_apart_is_part_of_everything_and_of_the_rest() {
    let mut bench = Bench::new();
    for index in 0..130 {
        bench.note(&format!("key-{index}"), 1_000);
    }
    bench.settle();
    let mut all = ask(TimeseriesMetric::Requests, TimeseriesStep::Hour);
    let lines = bench.chart(&TimeseriesAsk {
        top: 50,
        ..all.clone()
    });
    let rest = lines.last().unwrap();
    assert_eq!(
        (lines.len(), rest.is_other, rest.totals["count"]),
        (51, true, Some(80))
    );
    all.by = TimeseriesBy::None;
    assert_eq!(bench.chart(&all)[0].totals["count"], Some(130));
    all.selection.key = Some("key-3".to_owned());
    assert_eq!(bench.chart(&all)[0].totals["count"], Some(1));
    all.selection.key = Some("key-129".to_owned());
    assert_eq!(bench.chart(&all)[0].totals["count"], Some(0));
}
