//! `ferrogate audit`: who did what, and whether the log of it is what it was when it was written.

use std::{path::Path, process::ExitCode};

use anyhow::Context;
use clap::Subcommand;
use ferrogate_api::AuditReport;

use super::audit_list::{self, AuditListArgs};
use super::data_directory::DataArgs;
use super::out;
use crate::store;

/// Who did what, and whether the log of it is whole
#[derive(Debug, clap::Args)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// List the events, newest first
    List(Box<AuditListArgs>),
    /// Reckon the chain of hashes on the disk again, whether a gateway has it open or not; changes nothing
    Verify(VerifyArgs),
}

#[derive(Debug, clap::Args)]
struct VerifyArgs {
    #[command(flatten)]
    data: DataArgs,
    /// A head that was printed earlier and noted elsewhere: the log must still lead through it
    #[arg(long, value_name = "HASH", value_parser = hash)]
    expect_head: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The log is whole.
const WHOLE: u8 = 0;
/// It is not, or a list could not be had.
const PROBLEMS: u8 = 1;
/// It could not be read.
const UNREADABLE: u8 = 2;
const HASH_DIGITS: usize = 64;

/// Its own exit codes: a log that is not whole is another answer than one that cannot be read.
pub(super) fn run(args: AuditArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        AuditCommand::List(args) => audit_list::run(*args).map(|()| ExitCode::SUCCESS),
        AuditCommand::Verify(args) => match verify(args) {
            Ok(true) => Ok(ExitCode::from(WHOLE)),
            Ok(false) => Ok(ExitCode::from(PROBLEMS)),
            Err(error) if out::is_nobody_reading(&error) => Err(error),
            Err(error) => {
                eprintln!("ferrogate: {error:#}");
                Ok(ExitCode::from(UNREADABLE))
            }
        },
    }
}

fn verify(args: VerifyArgs) -> anyhow::Result<bool> {
    let directory = args.data.directory()?.path;
    let report =
        store::verify_audit(&directory, args.expect_head.as_deref()).with_context(|| {
            format!(
                "the audit log of {} cannot be verified",
                directory.display()
            )
        })?;
    if args.json {
        out::show(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
    } else {
        out::show(&text(&directory, &report))?;
    }
    Ok(report.ok)
}

fn hash(text: &str) -> Result<String, String> {
    let is_hash = text.len() == HASH_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(format!("{HASH_DIGITS} hexadecimal digits are expected"))
    }
}

fn text(directory: &Path, report: &AuditReport) -> String {
    let mut text = format!("{}\n\n", directory.display());
    text.push_str(&match (report.first_seq, report.last_seq) {
        (Some(first), Some(last)) => format!("rows   {}, from {first} to {last}\n", report.rows),
        _ => format!("rows   {}\n", report.rows),
    });
    if let Some(anchor) = report.anchor_seq {
        text.push_str(&format!("left   those to {anchor}, by retention\n"));
    }
    if let Some(head) = &report.head_hash {
        text.push_str(&format!("head   {head}\n"));
    }
    if let Some(seq) = report.expected_seq {
        text.push_str(&format!("found  the expected hash, in row {seq}\n"));
    }
    if report.ok {
        text.push_str(
            "\nThe log is whole. Note its head elsewhere; `--expect-head` compares later.\n",
        );
        return text;
    }
    text.push_str(&format!("\n{} problems:\n", report.problems_found));
    for problem in &report.problems {
        text.push_str(&format!("  {problem}\n"));
    }
    let listed = u64::try_from(report.problems.len()).unwrap_or(u64::MAX);
    let more = report.problems_found.saturating_sub(listed);
    if more > 0 {
        text.push_str(&format!("  and {more} more\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_a_hash_and_nothing_else() {
        let check = |text: &str, good: bool| assert_eq!(hash(text).is_ok(), good, "{text}");
        check(&"aB".repeat(32), true);
        check(&"a".repeat(63), false);
        check(&"g".repeat(64), false);
        check("", false);
    }

    #[test]
    fn a_report_says_where_the_log_begins_and_what_is_wrong_with_it() {
        let mut report = AuditReport {
            ok: true,
            rows: 3,
            first_seq: Some(8),
            last_seq: Some(10),
            anchor_seq: Some(7),
            head_hash: Some("ab".to_owned()),
            expected_seq: Some(9),
            ..AuditReport::default()
        };
        let told = text(Path::new("/data"), &report);
        for expected in [
            "rows   3, from 8 to 10\n",
            "left   those to 7,",
            "head   ab\n",
            "in row 9\n",
            "The log is whole.",
        ] {
            assert!(told.contains(expected), "{expected:?} not in {told}");
        }
        report.ok = false;
        report.problems_found = 2;
        report.problems.push("audit_events 9: hash".to_owned());
        let told = text(Path::new("/data"), &report);
        assert!(
            told.ends_with("\n2 problems:\n  audit_events 9: hash\n  and 1 more\n"),
            "{told}"
        );
    }

    #[test]
    fn a_directory_without_a_ledger_cannot_be_read() {
        let args = VerifyArgs {
            data: DataArgs {
                data_dir: Some("/nowhere/at/all".into()),
                config: None,
            },
            expect_head: None,
            json: false,
        };
        let error = format!("{:#}", verify(args).unwrap_err());
        assert!(
            error.ends_with("there is no ledger at /nowhere/at/all/ferrogate.db"),
            "{error}"
        );
    }
}
