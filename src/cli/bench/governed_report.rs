//! The figures of `--governed`: what governance takes of the gateway's speed, how long an admission takes, and what a
//! write through the admin API does to the requests beside it.

use std::time::Duration;

use serde::Serialize;

use super::{
    Plan,
    admission::Admissions,
    governed::{CONNECTIONS, Measured, Run, Turn},
    population::{BUDGETS, KEYS, POLICIES, TENANTS},
    report::{Figures, Records, median},
};

/// Everything that was measured. `--json` prints it as it is.
#[derive(Debug, Serialize)]
pub(super) struct GovernedReport {
    pub(super) version: &'static str,
    pub(super) cpus: usize,
    pub(super) quick: bool,
    pub(super) rounds: usize,
    pub(super) seconds_per_round: f64,
    pub(super) keys: usize,
    pub(super) policies: usize,
    pub(super) tenants: usize,
    pub(super) budgets: usize,
    /// Requests a second of the governed gateway, as a share of the plain one's, at 32 connections.
    pub(super) rps_c32_of_plain: f64,
    /// User and system time for each request at 32 connections.
    pub(super) plain_cpu_us_per_request: f64,
    pub(super) governed_cpu_us_per_request: f64,
    /// What governance adds at 1 connection, and the same at 32.
    pub(super) added_p50_us_c1: f64,
    pub(super) added_p99_us_c1: f64,
    pub(super) added_p99_us_c32: f64,
    pub(super) admission: AdmissionFigures,
    pub(super) writes: WriteFigures,
    pub(super) plain_rss_idle_mib: f64,
    pub(super) governed_rss_idle_mib: f64,
    /// How long the governed gateway took to start.
    pub(super) governed_start_ms: f64,
    pub(super) levels: Vec<Level>,
    pub(super) records: Records,
}

/// Policies, limits and budgets of one request, asked and settled in this process: medians over the rounds.
#[derive(Debug, Serialize)]
pub(super) struct AdmissionFigures {
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) slowest_us: f64,
    /// On so many threads at once, all of which want the same lock,
    pub(super) threads: usize,
    pub(super) contended_p50_us: f64,
    pub(super) contended_p99_us: f64,
}

/// What a change of one key does.
#[derive(Debug, Serialize)]
pub(super) struct WriteFigures {
    /// How many were timed until a request saw them.
    pub(super) changes: usize,
    pub(super) answered_p50_ms: f64,
    pub(super) visible_p50_ms: f64,
    pub(super) visible_slowest_ms: f64,
    /// Changes that a request did not see although it began when they were answered.
    pub(super) late: usize,
    /// The slowest request of a window of steady load, without writes and with one each 200 ms: medians over the rounds.
    pub(super) slowest_quiet_ms: f64,
    pub(super) slowest_written_ms: f64,
    /// The second as a multiple of the first: median of the rounds' own.
    pub(super) slowest_ratio: f64,
    /// How many writes there were in all windows together.
    pub(super) window_writes: u64,
}

/// One number of connections.
#[derive(Debug, Serialize)]
pub(super) struct Level {
    pub(super) connections: usize,
    pub(super) plain: Figures,
    pub(super) governed: Figures,
    pub(super) rps_of_plain: f64,
    pub(super) added_p50_us: f64,
    pub(super) added_p99_us: f64,
    pub(super) plain_cpu_us_per_request: f64,
    pub(super) governed_cpu_us_per_request: f64,
}

impl GovernedReport {
    /// # Errors
    /// When nobody knows how many CPUs there are.
    pub(super) fn of(plan: &Plan, measured: &Measured, records: Records) -> anyhow::Result<Self> {
        let [one, many] = &measured.levels;
        let (one, many) = (
            Level::of(CONNECTIONS[0], one),
            Level::of(CONNECTIONS[1], many),
        );
        Ok(Self {
            version: env!("CARGO_PKG_VERSION"),
            cpus: std::thread::available_parallelism()?.get(),
            quick: plan.quick,
            rounds: plan.rounds,
            seconds_per_round: plan.round.as_secs_f64(),
            keys: KEYS,
            policies: POLICIES,
            tenants: TENANTS,
            budgets: BUDGETS,
            rps_c32_of_plain: many.rps_of_plain,
            plain_cpu_us_per_request: many.plain_cpu_us_per_request,
            governed_cpu_us_per_request: many.governed_cpu_us_per_request,
            added_p50_us_c1: one.added_p50_us,
            added_p99_us_c1: one.added_p99_us,
            added_p99_us_c32: many.added_p99_us,
            admission: AdmissionFigures::of(&measured.admissions),
            writes: WriteFigures::of(measured),
            plain_rss_idle_mib: mib(measured.plain_idle_kib),
            governed_rss_idle_mib: mib(measured.governed_idle_kib),
            governed_start_ms: millis(measured.governed_start),
            levels: vec![one, many],
            records,
        })
    }
}

impl Level {
    fn of(connections: usize, turns: &[Turn]) -> Self {
        let added = |quantile: f64| {
            let added = turns.iter().map(|turn| {
                turn.governed.round.latency_us(quantile) - turn.plain.round.latency_us(quantile)
            });
            median(added)
        };
        let share = |turn: &Turn| {
            turn.governed.round.requests_per_second() / turn.plain.round.requests_per_second()
        };
        Self {
            connections,
            plain: Figures::of(turns.iter().map(|turn| &turn.plain.round)),
            governed: Figures::of(turns.iter().map(|turn| &turn.governed.round)),
            rps_of_plain: median(turns.iter().map(share)),
            added_p50_us: added(0.5),
            added_p99_us: added(0.99),
            plain_cpu_us_per_request: median(turns.iter().map(|turn| turn.plain.cpu_us())),
            governed_cpu_us_per_request: median(turns.iter().map(|turn| turn.governed.cpu_us())),
        }
    }
}

impl Run {
    /// For each request, in microseconds.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a round's CPU time and requests are far below 2^52"
    )]
    fn cpu_us(&self) -> f64 {
        self.cpu.total_us() as f64 / self.round.answered.max(1) as f64
    }
}

impl AdmissionFigures {
    fn of(rounds: &[Admissions]) -> Self {
        let over = |figure: fn(&Admissions) -> f64| median(rounds.iter().map(figure));
        Self {
            p50_us: over(|round| round.alone.micros(0.5)),
            p99_us: over(|round| round.alone.micros(0.99)),
            slowest_us: over(|round| round.alone.micros(1.0)),
            threads: rounds
                .iter()
                .map(|round| round.threads)
                .max()
                .unwrap_or_default(),
            contended_p50_us: over(|round| round.contended.micros(0.5)),
            contended_p99_us: over(|round| round.contended.micros(0.99)),
        }
    }
}

impl WriteFigures {
    fn of(measured: &Measured) -> Self {
        let changes = &measured.changes;
        let windows = &measured.windows;
        let quiet = |index: usize| millis(windows[index].quiet.slowest);
        let written = |index: usize| millis(windows[index].written.slowest);
        let rounds = 0..windows.len();
        Self {
            changes: changes.len(),
            answered_p50_ms: median(changes.iter().map(|change| millis(change.answered))),
            visible_p50_ms: median(changes.iter().map(|change| millis(change.visible))),
            visible_slowest_ms: changes
                .iter()
                .map(|change| millis(change.visible))
                .fold(0.0, f64::max),
            late: changes.iter().filter(|change| change.late).count(),
            slowest_quiet_ms: median(rounds.clone().map(quiet)),
            slowest_written_ms: median(rounds.clone().map(written)),
            slowest_ratio: median(rounds.map(|index| written(index) / quiet(index))),
            window_writes: windows.iter().map(|window| window.writes).sum(),
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn mib(kib: u64) -> f64 {
    u32::try_from(kib).map_or(f64::INFINITY, f64::from) / 1024.0
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::cli::bench::{
        admission::Timings, gateway::CpuTime, governed::Windows, load::Round, steady::Window,
        writes::Change,
    };

    /// A round that took so many microseconds for each of its requests.
    fn run(latencies_us: &[u64], cpu_us: u64) -> Run {
        Run {
            round: Round::with_latencies_us(latencies_us),
            cpu: CpuTime {
                user_us: cpu_us,
                system_us: 0,
            },
        }
    }

    fn window(slowest_ms: u64) -> Window {
        Window {
            answered: 10,
            slowest: Duration::from_millis(slowest_ms),
            p99: Duration::ZERO,
        }
    }

    fn change(visible_ms: u64, late: bool) -> Change {
        Change {
            answered: Duration::from_millis(5),
            visible: Duration::from_millis(visible_ms),
            late,
            requests_answered: 1,
        }
    }

    fn turn() -> Turn {
        Turn {
            plain: run(&[100, 100, 100, 100], 200),
            governed: run(&[130, 130], 120),
        }
    }

    /// Two rounds, of which the second was disturbed.
    pub(in crate::cli::bench) fn report(written: u64) -> GovernedReport {
        let admissions = |micros: u64| Admissions {
            alone: Timings::of_micros(&[micros]),
            contended: Timings::of_micros(&[2 * micros]),
            threads: 2,
        };
        let windows = |quiet, with_writes| Windows {
            quiet: window(quiet),
            written: window(with_writes),
            writes: 3,
        };
        let measured = Measured {
            levels: [vec![turn(), turn()], vec![turn(), turn()]],
            admissions: vec![admissions(4), admissions(6)],
            changes: vec![change(6, false), change(10, true), change(20, false)],
            windows: vec![windows(4, 6), windows(40, 60)],
            plain_idle_kib: 10_240,
            governed_idle_kib: 20_480,
            governed_start: Duration::from_millis(300),
        };
        let plan = Plan {
            quick: true,
            subject: crate::cli::bench::Subject::Governed,
            rounds: 2,
            round: Duration::from_millis(600),
            streams: 0,
            loaded_requests: 0,
            rows: 0,
        };
        let answered = 10;
        GovernedReport::of(&plan, &measured, Records { answered, written }).unwrap()
    }

    #[test]
    fn the_json_has_the_promised_figures() {
        let json = serde_json::to_value(report(10)).unwrap();
        let check = |pointer: &str, expected: f64| {
            let found = json.pointer(pointer).and_then(serde_json::Value::as_f64);
            let found = found.unwrap_or_else(|| panic!("{pointer} in {json:#}"));
            assert!((found - expected).abs() < 0.05, "{pointer}: {found}");
        };
        check("/keys", 10_000.0);
        check("/policies", 1_000.0);
        check("/rps_c32_of_plain", 0.5);
        check("/plain_cpu_us_per_request", 50.0);
        check("/governed_cpu_us_per_request", 60.0);
        check("/added_p99_us_c1", 30.0);
        check("/admission/p99_us", 5.0);
        check("/admission/contended_p99_us", 10.0);
        check("/writes/visible_p50_ms", 10.0);
        check("/writes/visible_slowest_ms", 20.0);
        check("/writes/late", 1.0);
        check("/writes/slowest_ratio", 1.5);
        check("/writes/window_writes", 6.0);
        check("/governed_rss_idle_mib", 20.0);
        check("/levels/1/governed/rps", 2.0);
        check("/records/written", 10.0);
    }
}
