//! The figures of `--store`: how long lists take, and what they do to the requests beside them.

use std::{
    fmt::{self, Display, Formatter},
    time::Duration,
};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::{
    Plan,
    load::LATENCY_NANOS_MAX,
    report::{Records, median},
    store::{Measured, QueryTimes, Run, Turn},
    store_logs::DAYS,
    store_queries::{Asked, Query},
};

/// Everything that was measured. `--json` prints it as it is.
#[derive(Debug, Serialize)]
pub(super) struct StoreReport {
    pub(super) version: &'static str,
    pub(super) cpus: usize,
    pub(super) quick: bool,
    pub(super) rounds: usize,
    pub(super) seconds_per_round: f64,
    pub(super) rows: u64,
    /// What writing one of them took, facets and all.
    pub(super) fill_us_per_row: f64,
    pub(super) start_ms: f64,
    pub(super) rss_mib: f64,
    pub(super) dropped_rows: u64,
    pub(super) drop_ms: f64,
    pub(super) queries: Vec<QueryFigures>,
    pub(super) load: LoadFigures,
    pub(super) records: Records,
}

/// One kind of list, asked for while 2,000 requests a second came in.
#[derive(Debug, Serialize)]
pub(super) struct QueryFigures {
    pub(super) query: Query,
    pub(super) asked: u64,
    /// Answers that time ran out for.
    pub(super) partial: u64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// The requests, without lists and with ten of them a second: medians over the rounds, and of the rounds' own ratios.
#[derive(Debug, Serialize)]
pub(super) struct LoadFigures {
    pub(super) quiet_cpu_us_per_request: f64,
    pub(super) asked_cpu_us_per_request: f64,
    pub(super) cpu_ratio: f64,
    pub(super) quiet_p99_us: f64,
    pub(super) asked_p99_us: f64,
    pub(super) p99_ratio: f64,
}

impl QueryTimes {
    pub(super) fn new(query: Query) -> Self {
        let latency = Histogram::new_with_bounds(100, LATENCY_NANOS_MAX, 3);
        Self {
            query,
            latency: latency.expect("the bounds are in order"),
            partial: 0,
        }
    }

    pub(super) fn add(&mut self, asked: Asked) {
        let nanos = u64::try_from(asked.took.as_nanos()).unwrap_or(u64::MAX);
        self.latency.saturating_record(nanos);
        self.partial += u64::from(!asked.complete);
    }

    fn figures(&self) -> QueryFigures {
        let millis = |quantile| {
            let nanos = self.latency.value_at_quantile(quantile);
            Duration::from_nanos(nanos).as_secs_f64() * 1000.0
        };
        QueryFigures {
            query: self.query,
            asked: self.latency.len(),
            partial: self.partial,
            p50_ms: millis(0.5),
            p99_ms: millis(0.99),
        }
    }
}

impl Run {
    /// For each request, in microseconds.
    fn cpu_us(&self) -> f64 {
        ratio(self.cpu.total_us(), self.window.answered)
    }

    fn p99_us(&self) -> f64 {
        self.window.p99.as_secs_f64() * 1e6
    }
}

impl LoadFigures {
    fn of(turns: &[Turn]) -> Self {
        let over = |figure: &dyn Fn(&Turn) -> f64| median(turns.iter().map(figure));
        Self {
            quiet_cpu_us_per_request: over(&|turn| turn.quiet.cpu_us()),
            asked_cpu_us_per_request: over(&|turn| turn.asked.cpu_us()),
            cpu_ratio: over(&|turn| turn.asked.cpu_us() / turn.quiet.cpu_us()),
            quiet_p99_us: over(&|turn| turn.quiet.p99_us()),
            asked_p99_us: over(&|turn| turn.asked.p99_us()),
            p99_ratio: over(&|turn| turn.asked.p99_us() / turn.quiet.p99_us()),
        }
    }
}

impl StoreReport {
    /// # Errors
    /// When nobody knows how many CPUs there are.
    pub(super) fn of(plan: &Plan, measured: &Measured, records: Records) -> anyhow::Result<Self> {
        let (dropped_rows, drop) = measured.dropped;
        Ok(Self {
            version: env!("CARGO_PKG_VERSION"),
            cpus: std::thread::available_parallelism()?.get(),
            quick: plan.quick,
            rounds: plan.rounds,
            seconds_per_round: plan.round.as_secs_f64(),
            rows: measured.rows,
            fill_us_per_row: ratio(
                u64::try_from(measured.fill.as_micros()).unwrap_or(u64::MAX),
                measured.rows,
            ),
            start_ms: measured.start.as_secs_f64() * 1000.0,
            rss_mib: ratio(measured.resident_kib, 1024),
            dropped_rows,
            drop_ms: drop.as_secs_f64() * 1000.0,
            queries: measured.queries.iter().map(QueryTimes::figures).collect(),
            load: LoadFigures::of(&measured.turns),
            records,
        })
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "times and counts of a benchmark are far below 2^52"
)]
fn ratio(of: u64, by: u64) -> f64 {
    of as f64 / by.max(1) as f64
}

impl Display for StoreReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mode = if self.quick { ", --quick" } else { "" };
        writeln!(
            f,
            "ferrogate {} bench --store: {} CPUs, medians of {} rounds of {} s{mode}",
            self.version, self.cpus, self.rounds, self.seconds_per_round
        )?;
        writeln!(
            f,
            "{} request logs over {DAYS} days, 2,000 requests a second",
            self.rows
        )?;
        writeln!(f)?;
        writeln!(
            f,
            "{:<24} {:>6} {:>8} {:>8} {:>8}",
            "list", "asked", "partial", "p50 ms", "p99 ms"
        )?;
        for query in &self.queries {
            writeln!(
                f,
                "{:<24} {:>6} {:>8} {:>8.1} {:>8.1}",
                query.query.name(),
                query.asked,
                query.partial,
                query.p50_ms,
                query.p99_ms
            )?;
        }
        writeln!(f)?;
        let load = &self.load;
        writeln!(
            f,
            "CPU         {:.1} µs a request, {:.1} µs with ten lists a second (newest, one filter, facets): {:.3} times",
            load.quiet_cpu_us_per_request, load.asked_cpu_us_per_request, load.cpu_ratio
        )?;
        writeln!(
            f,
            "p99         {:.0} µs, {:.0} µs with them: {:.3} times",
            load.quiet_p99_us, load.asked_p99_us, load.p99_ratio
        )?;
        writeln!(
            f,
            "dropping    {} rows in {:.1} ms",
            self.dropped_rows, self.drop_ms
        )?;
        writeln!(
            f,
            "writing     {:.1} µs a row; ready after {:.0} ms; memory {:.1} MiB",
            self.fill_us_per_row, self.start_ms, self.rss_mib
        )?;
        write!(f, "{}", self.records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::bench::{Subject, gateway::CpuTime, steady::Window};

    fn run(cpu_us: u64, p99_us: u64) -> Run {
        Run {
            window: Window {
                answered: 10,
                slowest: Duration::from_secs(1),
                p99: Duration::from_micros(p99_us),
            },
            cpu: CpuTime {
                user_us: cpu_us,
                system_us: 0,
            },
        }
    }

    /// Three rounds, of which the second was disturbed.
    fn report() -> StoreReport {
        let turn = |quiet, asked| Turn { quiet, asked };
        let mut times = QueryTimes::new(Query::FreeText);
        for (ms, complete) in [(1, true), (2, false), (40, true)] {
            let took = Duration::from_millis(ms);
            times.add(Asked { took, complete });
        }
        let measured = Measured {
            rows: 2_000_000,
            fill: Duration::from_secs(20),
            dropped: (1_000, Duration::from_millis(30)),
            start: Duration::from_millis(200),
            queries: vec![times],
            turns: vec![
                turn(run(500, 1_000), run(550, 1_100)),
                turn(run(900, 9_000), run(900, 90_000)),
                turn(run(500, 1_000), run(510, 1_200)),
            ],
            resident_kib: 40_960,
        };
        let plan = Plan {
            quick: true,
            subject: Subject::Store,
            rounds: 3,
            round: Duration::from_secs(2),
            streams: 0,
            loaded_requests: 0,
            rows: 2_000_000,
        };
        let records = Records {
            answered: 60,
            written: 60,
        };
        StoreReport::of(&plan, &measured, records).unwrap()
    }

    #[test]
    fn the_json_has_the_promised_figures() {
        let json = serde_json::to_value(report()).unwrap();
        let check = |pointer: &str, expected: f64| {
            let found = json.pointer(pointer).and_then(serde_json::Value::as_f64);
            let found = found.unwrap_or_else(|| panic!("{pointer} in {json:#}"));
            assert!((found - expected).abs() < 0.05, "{pointer}: {found}");
        };
        check("/rows", 2_000_000.0);
        check("/fill_us_per_row", 10.0);
        check("/drop_ms", 30.0);
        check("/rss_mib", 40.0);
        check("/queries/0/asked", 3.0);
        check("/queries/0/partial", 1.0);
        check("/queries/0/p99_ms", 40.0);
        check("/load/quiet_cpu_us_per_request", 50.0);
        check("/load/cpu_ratio", 1.02);
        check("/load/p99_ratio", 1.2);
        assert_eq!(json["queries"][0]["query"], "free_text");
        assert!(report().to_string().contains("free text, found nowhere"));
    }
}
