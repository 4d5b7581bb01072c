//! The figures, from rounds to one object: medians, differences, a table for people and JSON for the rest.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::{load::Round, sides::Rounds};

/// Everything that was measured. `--json` prints it as it is.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) version: &'static str,
    pub(super) cpus: usize,
    pub(super) quick: bool,
    pub(super) rounds: usize,
    pub(super) seconds_per_round: f64,
    /// Through the gateway, at 32 connections.
    pub(super) rps_c32: f64,
    /// That, as a share of what the provider does without a gateway.
    pub(super) rps_c32_of_direct: f64,
    pub(super) added_p50_us_c1: f64,
    pub(super) added_p99_us_c1: f64,
    pub(super) added_ttft_p50_us: f64,
    pub(super) added_ttft_p99_us: f64,
    /// The gateway's user and system time, at 32 connections.
    pub(super) cpu_us_per_request: f64,
    pub(super) rss_idle_mib: f64,
    pub(super) rss_loaded_mib: f64,
    /// How many requests the gateway had answered when `rss_loaded_mib` was read.
    pub(super) rss_loaded_after_requests: u64,
    pub(super) streams_held: usize,
    pub(super) kib_per_stream: f64,
    pub(super) records: Records,
    pub(super) levels: Vec<Level>,
    pub(super) first_content: Comparison,
}

/// What clients got, and what the ledger holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Records {
    pub(super) answered: u64,
    pub(super) written: u64,
}

/// One number of connections.
#[derive(Debug, Serialize)]
pub(super) struct Level {
    pub(super) connections: usize,
    #[serde(flatten)]
    pub(super) comparison: Comparison,
    pub(super) cpu_us_per_request: f64,
}

/// Medians over the rounds; the differences are medians of each round's own difference.
#[derive(Debug, Serialize)]
pub(super) struct Comparison {
    pub(super) direct: Figures,
    pub(super) gateway: Figures,
    pub(super) added_p50_us: f64,
    pub(super) added_p99_us: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Figures {
    pub(super) rps: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
}

/// User and system time of the gateway's process, for each request of its round.
#[expect(
    clippy::cast_precision_loss,
    reason = "a round's CPU time and requests are far below 2^52"
)]
fn cpu_us_per_request(rounds: &Rounds) -> f64 {
    rounds.cpu.total_us() as f64 / (rounds.gateway.answered.max(1)) as f64
}

impl Level {
    pub(super) fn of(connections: usize, rounds: &[Rounds]) -> Self {
        Self {
            connections,
            comparison: Comparison::of(rounds),
            cpu_us_per_request: median(rounds.iter().map(cpu_us_per_request)),
        }
    }
}

impl Comparison {
    pub(super) fn of(rounds: &[Rounds]) -> Self {
        let added = |quantile: f64| median(rounds.iter().map(|both| both.added_us(quantile)));
        Self {
            direct: Figures::of(rounds.iter().map(|both| &both.direct)),
            gateway: Figures::of(rounds.iter().map(|both| &both.gateway)),
            added_p50_us: added(0.5),
            added_p99_us: added(0.99),
        }
    }
}

impl Figures {
    pub(super) fn of<'a>(rounds: impl Iterator<Item = &'a Round> + Clone) -> Self {
        Self {
            rps: median(rounds.clone().map(Round::requests_per_second)),
            p50_us: median(rounds.clone().map(|round| round.latency_us(0.5))),
            p99_us: median(rounds.map(|round| round.latency_us(0.99))),
        }
    }
}

/// The middle value, or the mean of the two in the middle; 0 of nothing.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (Some(value), 1) => *value,
        (Some(value), _) => f64::midpoint(values[middle - 1], *value),
        (None, _) => 0.0,
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mode = if self.quick { ", --quick" } else { "" };
        writeln!(
            f,
            "ferrogate {} bench: {} CPUs, medians of {} rounds of {} s{mode}",
            self.version, self.cpus, self.rounds, self.seconds_per_round
        )?;
        writeln!(f)?;
        write_head(f, &format!("{:<11}", "connections"))?;
        for level in &self.levels {
            write_level(f, &format!("{:<11}", level.connections), level)?;
        }
        write_row(f, "first token", &self.first_content)?;
        writeln!(f)?;
        writeln!(f)?;
        self.write_memory(f)?;
        write!(f, "{}", self.records)
    }
}

impl Report {
    fn write_memory(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "memory      {:.1} MiB idle, {:.1} MiB after {} requests",
            self.rss_idle_mib, self.rss_loaded_mib, self.rss_loaded_after_requests
        )?;
        writeln!(
            f,
            "streams     {} held at once, {:.1} KiB each",
            self.streams_held, self.kib_per_stream
        )
    }
}

impl Display for Records {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { answered, written } = self;
        let verdict = if answered == written {
            "all there"
        } else {
            "THEY DIFFER"
        };
        writeln!(
            f,
            "records     {answered} requests answered, {written} in the ledger: {verdict}"
        )
    }
}

/// The two lines above [`write_level`]'s; all labels must be equally wide.
pub(super) fn write_head(f: &mut Formatter<'_>, label: &str) -> fmt::Result {
    let width = label.chars().count();
    writeln!(
        f,
        "{:<width$} {:^28}   {:^28}   {:^17}   {:>11}",
        "", "direct", "through the gateway", "added", "gateway CPU"
    )?;
    writeln!(
        f,
        "{label} {:>8} {:>9} {:>9}   {:>8} {:>9} {:>9}   {:>8} {:>8}   {:>11}",
        "req/s", "p50 µs", "p99 µs", "req/s", "p50 µs", "p99 µs", "p50 µs", "p99 µs", "µs/req"
    )
}

pub(super) fn write_level(f: &mut Formatter<'_>, label: &str, level: &Level) -> fmt::Result {
    write_row(f, label, &level.comparison)?;
    writeln!(f, "   {:>11.1}", level.cpu_us_per_request)
}

fn write_row(f: &mut Formatter<'_>, label: &str, row: &Comparison) -> fmt::Result {
    let Comparison {
        direct, gateway, ..
    } = row;
    write!(
        f,
        "{label} {:>8.0} {:>9.0} {:>9.0}   {:>8.0} {:>9.0} {:>9.0}   {:>8.0} {:>8.0}",
        direct.rps,
        direct.p50_us,
        direct.p99_us,
        gateway.rps,
        gateway.p50_us,
        gateway.p99_us,
        row.added_p50_us,
        row.added_p99_us,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle() {
        let check = |values: &[f64], expected: f64| {
            assert!((median(values.iter().copied()) - expected).abs() < f64::EPSILON);
        };
        check(&[], 0.0);
        check(&[3.0], 3.0);
        check(&[9.0, 1.0, 5.0], 5.0);
        check(&[4.0, 1.0, 2.0, 100.0], 3.0);
    }

    fn report(written: u64) -> Report {
        let figures = || Figures {
            rps: 20_000.0,
            p50_us: 40.0,
            p99_us: 90.0,
        };
        let comparison = || Comparison {
            direct: figures(),
            gateway: figures(),
            added_p50_us: 1.0,
            added_p99_us: 2.0,
        };
        Report {
            version: "1.0.0",
            cpus: 2,
            quick: true,
            rounds: 3,
            seconds_per_round: 0.5,
            rps_c32: 1.0,
            rps_c32_of_direct: 0.5,
            added_p50_us_c1: 1.0,
            added_p99_us_c1: 1.0,
            added_ttft_p50_us: 1.0,
            added_ttft_p99_us: 1.0,
            cpu_us_per_request: 1.0,
            rss_idle_mib: 1.0,
            rss_loaded_mib: 1.0,
            rss_loaded_after_requests: 10,
            streams_held: 128,
            kib_per_stream: 1.0,
            records: Records {
                answered: 10,
                written,
            },
            levels: vec![Level {
                connections: 32,
                comparison: comparison(),
                cpu_us_per_request: 30.0,
            }],
            first_content: comparison(),
        }
    }

    #[test]
    fn the_json_has_the_promised_keys() {
        let json = serde_json::to_value(report(10)).unwrap();
        for key in [
            "rps_c32",
            "added_p50_us_c1",
            "added_p99_us_c1",
            "added_ttft_p99_us",
            "cpu_us_per_request",
            "rss_idle_mib",
            "rss_loaded_mib",
            "kib_per_stream",
        ] {
            assert!(json[key].is_number(), "{key}");
        }
        assert_eq!(
            json["records"],
            serde_json::json!({"answered": 10, "written": 10})
        );
        assert_eq!(json["levels"][0]["gateway"]["rps"], 20_000.0);
    }

    #[test]
    fn the_table_says_when_records_are_missing() {
        let table = report(10).to_string();
        assert!(
            table.contains("--quick") && table.contains("all there"),
            "{table}"
        );
        assert!(
            report(9)
                .to_string()
                .contains("9 in the ledger: THEY DIFFER")
        );
        let widths: Vec<usize> = table
            .lines()
            .filter(|line| line.starts_with("connections") || line.starts_with("32"))
            .map(|line| line.chars().count())
            .collect();
        assert_eq!(widths[0], widths[1], "{table}");
    }
}
