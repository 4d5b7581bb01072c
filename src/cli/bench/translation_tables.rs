//! The figures of `--dialect` as tables for people.

use std::fmt::{self, Display, Formatter};

use super::{
    report::{write_head, write_level},
    translation_report::TranslationReport,
};

/// Every label is so wide.
const LABEL: usize = 20;

impl Display for TranslationReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mode = if self.quick { " --quick" } else { "" };
        writeln!(
            f,
            "ferrogate {} bench --dialect{mode}: {} CPUs, 1 connection, medians of {} rounds of {} s",
            self.version, self.cpus, self.rounds, self.seconds_per_round
        )?;
        writeln!(f, "client → provider; the first pair passes unchanged\n")?;
        self.write_answers(f)?;
        self.write_streams(f)?;
        self.write_prompts(f)?;
        writeln!(
            f,
            "worst       added p99 {:.0} µs; {:.1} µs per event added, {:.1} by translation; {:.1} scans of a prompt",
            self.added_p99_us_c1_max,
            self.added_us_per_event_max,
            self.translation_us_per_event_max,
            self.prompt_scans_max,
        )?;
        write!(f, "{}", self.records)
    }
}

impl TranslationReport {
    fn write_answers(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_head(f, &format!("{:<LABEL$}", "answers"))?;
        for pair in &self.pairs {
            write_level(f, &format!("{:<LABEL$}", pair.label()), &pair.answers)?;
        }
        writeln!(f)
    }

    fn write_streams(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<LABEL$} {:>9} {:>9}   {:^17}   {:>11}",
            "streams of", "direct", "gateway", "added, µs/event", "gateway CPU"
        )?;
        let events = format!("{} events at once", self.content_events_per_stream);
        writeln!(
            f,
            "{events:<LABEL$} {:>9} {:>9}   {:>8} {:>8}   {:>11}",
            "p50 µs", "p50 µs", "in all", "transl.", "µs/event"
        )?;
        for pair in &self.pairs {
            let streams = &pair.streams;
            writeln!(
                f,
                "{:<LABEL$} {:>9.0} {:>9.0}   {:>8.2} {:>8.2}   {:>11.2}",
                pair.label(),
                streams.direct_p50_us,
                streams.gateway_p50_us,
                streams.added_us_per_event,
                streams.translation_us_per_event,
                streams.cpu_us_per_event,
            )?;
        }
        writeln!(f)
    }

    fn write_prompts(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} bytes that pass: one scan of the JSON takes {:.2} ms, one copy with a UTF-8 check {:.2} ms",
            self.prompt_bytes, self.one_scan_ms, self.one_copy_ms
        )?;
        writeln!(
            f,
            "{:<LABEL$} {:>9} {:>9}   {:^17}   {:^17}   {:>11}",
            "prompt", "direct", "gateway", "added", "gateway user CPU", "system CPU"
        )?;
        writeln!(
            f,
            "{:<LABEL$} {:>9} {:>9}   {:>8} {:>8}   {:>8} {:>8}   {:>11}",
            "", "p50 ms", "p50 ms", "ms", "scans", "ms", "scans", "ms"
        )?;
        for prompt in &self.prompts {
            writeln!(
                f,
                "{:<LABEL$} {:>9.2} {:>9.2}   {:>8.2} {:>8.1}   {:>8.2} {:>8.1}   {:>11.2}",
                prompt.dialect,
                prompt.comparison.direct.p50_us / 1000.0,
                prompt.comparison.gateway.p50_us / 1000.0,
                prompt.added_ms,
                prompt.added_scans,
                prompt.user_ms,
                prompt.user_scans,
                prompt.system_ms,
            )?;
        }
        writeln!(f)
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::bench::translation_report::tests::report;

    #[test]
    fn the_columns_of_each_table_stand_under_their_heads() {
        let text = report().to_string();
        let mut tables = text.split("\n\n");
        let head = tables.next().unwrap();
        assert!(head.contains("--dialect --quick"), "{head}");
        for (table, lines) in [("answers", 5), ("streams", 5), ("prompts", 4)] {
            let lines_found: Vec<_> = tables.next().unwrap().lines().collect();
            assert_eq!(lines_found.len(), lines, "{table}:\n{text}");
            let widths = lines_found.iter().rev().take(lines - 1);
            let widths: Vec<_> = widths.map(|line| line.chars().count()).collect();
            assert!(widths.iter().all(|width| *width == widths[0]), "{text}");
        }
        assert!(text.contains("10 in the ledger: all there"), "{text}");
    }
}
