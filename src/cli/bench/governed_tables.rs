//! `--governed`, for people: the tables and lines of its report.

use std::fmt::{self, Display, Formatter};

use super::governed_report::{AdmissionFigures, GovernedReport, Level, WriteFigures};

impl Display for GovernedReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mode = if self.quick { ", --quick" } else { "" };
        writeln!(
            f,
            "ferrogate {} bench --governed: {} CPUs, medians of {} rounds of {} s{mode}",
            self.version, self.cpus, self.rounds, self.seconds_per_round
        )?;
        writeln!(
            f,
            "{} keys of {} tenants, {} budgets, {} policies",
            self.keys, self.tenants, self.budgets, self.policies
        )?;
        writeln!(f)?;
        write_head(f)?;
        for level in &self.levels {
            level.fmt(f)?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "share       {:.3} of the plain gateway's requests/s at 32 connections",
            self.rps_c32_of_plain
        )?;
        self.admission.fmt(f)?;
        self.writes.fmt(f)?;
        writeln!(
            f,
            "memory      {:.1} MiB idle, plain {:.1} MiB; ready after {:.0} ms",
            self.governed_rss_idle_mib, self.plain_rss_idle_mib, self.governed_start_ms
        )?;
        write!(f, "{}", self.records)
    }
}

fn write_head(f: &mut Formatter<'_>) -> fmt::Result {
    writeln!(
        f,
        "{:<11} {:^28}   {:^28}   {:^17}   {:^17}",
        "", "plain", "governed", "added", "CPU, µs/req"
    )?;
    writeln!(
        f,
        "{:<11} {:>8} {:>9} {:>9}   {:>8} {:>9} {:>9}   {:>8} {:>8}   {:>8} {:>8}",
        "connections",
        "req/s",
        "p50 µs",
        "p99 µs",
        "req/s",
        "p50 µs",
        "p99 µs",
        "p50 µs",
        "p99 µs",
        "plain",
        "governed"
    )
}

impl Display for Level {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            plain, governed, ..
        } = self;
        writeln!(
            f,
            "{:<11} {:>8.0} {:>9.0} {:>9.0}   {:>8.0} {:>9.0} {:>9.0}   {:>8.0} {:>8.0}   {:>8.1} {:>8.1}",
            self.connections,
            plain.rps,
            plain.p50_us,
            plain.p99_us,
            governed.rps,
            governed.p50_us,
            governed.p99_us,
            self.added_p50_us,
            self.added_p99_us,
            self.plain_cpu_us_per_request,
            self.governed_cpu_us_per_request,
        )
    }
}

impl Display for AdmissionFigures {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "admission   p50 {:.1} µs, p99 {:.1} µs, slowest {:.0} µs; on {} threads at once p50 {:.1} µs, p99 {:.1} µs",
            self.p50_us,
            self.p99_us,
            self.slowest_us,
            self.threads,
            self.contended_p50_us,
            self.contended_p99_us,
        )
    }
}

impl Display for WriteFigures {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let late = match self.late {
            0 => String::new(),
            late => format!(", {late} OF THEM NOT BY REQUESTS THAT CAME AFTER THEIR ANSWER"),
        };
        writeln!(
            f,
            "writes      {} changes of a key, answered in {:.1} ms, seen after {:.1} ms, the slowest after {:.1} ms{late}",
            self.changes, self.answered_p50_ms, self.visible_p50_ms, self.visible_slowest_ms
        )?;
        writeln!(
            f,
            "slowest     request at 1,000/s: {:.1} ms without writes, {:.1} ms with {} of them, a factor of {:.2}",
            self.slowest_quiet_ms, self.slowest_written_ms, self.window_writes, self.slowest_ratio
        )
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::bench::governed_report::tests::report;

    #[test]
    fn the_table_is_even_and_says_what_is_wrong() {
        let table = report(9).to_string();
        let starts = ["connections", "1 ", "32 "];
        let rows = table
            .lines()
            .filter(|line| starts.iter().any(|start| line.starts_with(start)));
        let widths: Vec<_> = rows.map(|line| line.chars().count()).collect();
        assert_eq!(widths, [widths[0]; 3], "{table}");
        for part in [
            "--governed",
            "--quick",
            "10000 keys of 1350 tenants",
            "0.500 of the plain",
            "1 OF THEM NOT BY REQUESTS THAT CAME AFTER",
            "a factor of 1.50",
            "9 in the ledger: THEY DIFFER",
        ] {
            assert!(table.contains(part), "{part} in\n{table}");
        }
    }
}
