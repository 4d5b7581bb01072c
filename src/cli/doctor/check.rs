//! One check of the doctor: what was looked at, what was found, and what to do about it.

use ferrogate_tui::client::sanitise;
use serde::Serialize;

use crate::cli::table::{Cell, Table};
use crate::cli::units::counted;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Ok,
    /// It works, and should be looked at.
    Warn,
    /// It does not work, or soon will not.
    Fail,
    /// It could not be looked at, or need not be.
    Skipped,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) name: String,
    pub(super) state: State,
    pub(super) found: String,
    /// What to do; absent where nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

impl Check {
    pub(super) fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self::of(name, State::Ok, found)
    }

    pub(super) fn skipped(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self::of(name, State::Skipped, found)
    }

    pub(super) fn warn(
        name: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            remedy: Some(remedy.into()),
            ..Self::of(name, State::Warn, found)
        }
    }

    pub(super) fn fail(
        name: impl Into<String>,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            remedy: Some(remedy.into()),
            ..Self::of(name, State::Fail, found)
        }
    }

    fn of(name: impl Into<String>, state: State, found: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            state,
            found: found.into(),
            remedy: None,
        }
    }
}

/// Everything that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    object: &'static str,
    version: &'static str,
    /// Nothing failed.
    pub(super) ok: bool,
    warnings: usize,
    failures: usize,
    checks: Vec<Check>,
}

impl Report {
    pub(super) fn of(checks: Vec<Check>) -> Self {
        let count = |state: State| checks.iter().filter(|check| check.state == state).count();
        let failures = count(State::Fail);
        Self {
            object: "doctor",
            version: env!("CARGO_PKG_VERSION"),
            ok: failures == 0,
            warnings: count(State::Warn),
            failures,
            checks,
        }
    }

    /// A line for each check, and one more for what to do.
    pub(super) fn print(&self, colours: bool) -> String {
        let mut table = Table::default();
        for check in &self.checks {
            let mut lines = check.found.lines();
            table.row([
                Cell::left(state_text(check.state, colours)),
                Cell::left(sanitise::clean(&check.name)),
                Cell::left(sanitise::clean(lines.next().unwrap_or_default())),
            ]);
            let more = lines.map(|line| format!("  {line}"));
            let remedy = check.remedy.iter().map(|remedy| format!("→ {remedy}"));
            for line in more.chain(remedy) {
                table.row([
                    Cell::left(""),
                    Cell::left(""),
                    Cell::left(sanitise::clean(&line)),
                ]);
            }
        }
        let mut text = table.print(colours);
        text.push_str(&format!(
            "\n{}, {} failed, {}\n",
            counted(self.checks.len(), "check", "checks"),
            self.failures,
            counted(self.warnings, "warning", "warnings"),
        ));
        text
    }
}

/// Never a colour alone: the word says the same.
fn state_text(state: State, colours: bool) -> String {
    let (colour, word) = match state {
        State::Ok => (32, "✓ ok"),
        State::Warn => (33, "! warn"),
        State::Fail => (31, "✗ FAIL"),
        State::Skipped => (90, "- skip"),
    };
    // Padded here, for the escapes would be counted as columns.
    let word = format!("{word:<6}");
    if colours {
        format!("\u{1b}[{colour}m{word}\u{1b}[0m")
    } else {
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_to_do_below_what_was_found() {
        let report = Report::of(vec![
            Check::ok("configuration", "a.toml"),
            Check::warn("disk", "1 % is free\nof 3 GiB", "make room"),
            Check::fail("database", "damaged\u{1b}[2J", "restore a backup"),
            Check::skipped("redis", "not configured"),
        ]);
        assert!(!report.ok);
        assert_eq!(
            report.print(false),
            "✓ ok    configuration  a.toml\n\
             ! warn  disk           1 % is free\n\
             \u{20}                      \u{20} of 3 GiB\n\
             \u{20}                      → make room\n\
             ✗ FAIL  database       damaged\u{FFFD}[2J\n\
             \u{20}                      → restore a backup\n\
             - skip  redis          not configured\n\n\
             4 checks, 1 failed, 1 warning\n"
        );
        assert!(report.print(true).contains("\u{1b}[31m✗ FAIL\u{1b}[0m"));
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["checks"][1]["state"], "warn");
        assert_eq!(json["checks"][0].get("remedy"), None);
        assert!(Report::of(vec![Check::warn("a", "b", "c")]).ok);
    }
}
