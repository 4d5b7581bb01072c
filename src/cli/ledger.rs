//! `ferrogate ledger`: what can be asked of the ledger on the disk, whether a gateway has it open or not.

use std::{path::Path, process::ExitCode};

use anyhow::Context;
use clap::Subcommand;
use ferrogate_api::decimal_of_nanos;

use super::data_directory::DataArgs;
use crate::metering::pricing;
use crate::store::{self, LedgerReport};

#[derive(Debug, clap::Args)]
pub(super) struct LedgerArgs {
    #[command(subcommand)]
    command: LedgerCommand,
}

#[derive(Debug, Subcommand)]
enum LedgerCommand {
    /// Reckon every sum, balance and cost again and print what does not add up; changes nothing
    Verify(VerifyArgs),
}

#[derive(Debug, clap::Args)]
struct VerifyArgs {
    #[command(flatten)]
    data: DataArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The ledger adds up.
const CLEAN: u8 = 0;
/// It does not.
const DIFFERENCES: u8 = 1;
/// It could not be read.
const UNREADABLE: u8 = 2;

/// Its own exit codes: a ledger that does not add up is another answer than one that cannot be read.
pub(super) fn run(args: LedgerArgs) -> ExitCode {
    let LedgerCommand::Verify(args) = args.command;
    match verify(args) {
        Ok(is_clean) => ExitCode::from(if is_clean { CLEAN } else { DIFFERENCES }),
        Err(error) => {
            eprintln!("ferrogate: {error:#}");
            ExitCode::from(UNREADABLE)
        }
    }
}

fn verify(args: VerifyArgs) -> anyhow::Result<bool> {
    let directory = args.data.directory()?.path;
    let report = store::verify(&directory, pricing::cost_nanos)
        .with_context(|| format!("{} cannot be verified", directory.display()))?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", table(&directory, &report));
    }
    Ok(report.is_clean())
}

fn table(directory: &Path, report: &LedgerReport) -> String {
    let mut text = format!("{}\n\n", directory.display());
    for (name, rows) in [
        ("metering events", report.metering_events),
        ("usage rollups", report.usage_rollups),
        ("balances", report.balances),
        ("price versions", report.price_versions),
        ("budget adjustments", report.adjustments),
        ("audit events", report.audit_events),
    ] {
        text.push_str(&format!("{name:<20} {rows:>14}\n"));
    }
    let money = decimal_of_nanos;
    let (tokens, holds) = (report.tokens, &report.open_holds);
    text.push_str(&format!(
        "\ntokens      {} in, {} out\ncost        {}\nfrom cache  {} answers, {} saved\n",
        tokens.input,
        tokens.output,
        money(report.cost_nanos),
        report.cache_hits,
        money(report.saved_nanos),
    ));
    text.push_str(&format!(
        "open holds  {} requests, {} tokens, {}\n",
        holds.requests,
        holds.tokens,
        money(holds.cost_nanos),
    ));
    if report.without_price_version > 0 {
        text.push_str(&format!(
            "{} events are older than the table of prices: their costs are verified as sums only\n",
            report.without_price_version
        ));
    }
    text.push_str(&differences(report));
    text
}

fn differences(report: &LedgerReport) -> String {
    if report.is_clean() {
        return "\nEverything adds up.\n".to_owned();
    }
    let mut text = format!("\n{} differences:\n", report.differences_found);
    for difference in &report.differences {
        text.push_str(&format!(
            "  {}\n    expected {}\n    found    {}\n",
            difference.what, difference.expected, difference.found
        ));
    }
    let listed = u64::try_from(report.differences.len()).unwrap_or(u64::MAX);
    let more = report.differences_found.saturating_sub(listed);
    if more > 0 {
        text.push_str(&format!("  and {more} more\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::store::{Difference, OpenHolds};

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        ledger: LedgerArgs,
    }

    fn args(line: &str) -> Option<VerifyArgs> {
        let cli = Cli::try_parse_from(line.split(' ')).ok()?;
        let LedgerCommand::Verify(args) = cli.ledger.command;
        Some(args)
    }

    #[test]
    fn a_directory_or_a_configuration_says_which_ledger() {
        let directory = args("ledger verify --data-dir /data --json").unwrap();
        assert_eq!(directory.data.data_dir.as_deref(), Some(Path::new("/data")));
        assert!(directory.json);
        let config = args("ledger verify --config a.toml").unwrap();
        assert_eq!(config.data.config.as_deref(), Some(Path::new("a.toml")));
        assert!(args("ledger verify --config a.toml --data-dir /data").is_none());
        assert!(args("ledger").is_none());
    }

    #[test]
    fn a_directory_without_a_ledger_is_named_in_the_error() {
        let args = args("ledger verify --data-dir /nowhere/at/all").unwrap();
        let error = format!("{:#}", verify(args).unwrap_err());
        assert_eq!(
            error,
            "/nowhere/at/all cannot be verified: there is no ledger at /nowhere/at/all/ferrogate.db"
        );
    }

    #[test]
    fn a_report_says_how_much_there_is_and_what_does_not_add_up() {
        let mut report = LedgerReport {
            metering_events: 12,
            usage_rollups: 36,
            cost_nanos: 1_500_000_000,
            without_price_version: 2,
            open_holds: OpenHolds {
                requests: 1,
                tokens: 1_100,
                cost_nanos: 90_000,
            },
            ..LedgerReport::default()
        };
        let text = table(Path::new("/data"), &report);
        for expected in [
            "/data\n",
            "metering events                  12\n",
            "cost        1.5\n",
            "open holds  1 requests, 1100 tokens, 0.00009\n",
            "2 events are older",
            "\nEverything adds up.\n",
        ] {
            assert!(text.contains(expected), "{expected:?} not in {text}");
        }
        report.differences_found = 3;
        report.differences.push(Difference {
            what: "balances key:a: used".to_owned(),
            expected: "5".to_owned(),
            found: "6".to_owned(),
        });
        let text = table(Path::new("/data"), &report);
        assert!(
            text.ends_with(
                "3 differences:\n  balances key:a: used\n    expected 5\n    found    6\n  and 2 more\n"
            ),
            "{text}"
        );
    }
}
