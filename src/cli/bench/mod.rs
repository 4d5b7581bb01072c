//! `ferrogate bench`: what the gateway costs on this machine, with everything on.
//!
//! It starts our own executable twice, as provider and as gateway, and plays the clients itself. Every round through
//! the gateway follows one without it, so that a machine that changes its mind changes both.

mod admission;
mod client;
mod dialect;
mod gateway;
mod governed;
mod governed_report;
mod governed_tables;
mod load;
mod overhead;
mod pairs;
mod population;
mod prompt;
mod report;
mod seeding;
mod setup;
mod sides;
mod steady;
mod store;
mod store_logs;
mod store_queries;
mod store_report;
mod translation;
mod translation_report;
mod translation_tables;
mod writes;

use std::{
    fmt::{self, Display, Formatter},
    io::Write,
    time::Duration,
};

use anyhow::{Context, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde::Serialize;
use tempfile::TempDir;

use self::{
    governed_report::GovernedReport,
    report::{Records, Report},
    store_report::StoreReport,
    translation_report::TranslationReport,
};

/// Where memory under load is read.
const LOADED_REQUESTS: u64 = 100_000;

/// The request logs that `--store` begins with.
const ROWS: u64 = 10_000_000;
const QUICK_ROWS: u64 = 300_000;

/// Measure what the gateway costs on this machine.
///
/// Starts a provider and a gateway of its own, with keys, limits, metering and the ledger on, and compares requests
/// through the gateway with requests straight to the provider. Everything stays on loopback and in a temporary
/// directory. docs/performance/README.md says how to read the figures.
#[derive(Debug, clap::Args)]
pub(super) struct BenchArgs {
    /// Shorter rounds and fewer of them: under 30 seconds in all
    #[arg(long)]
    quick: bool,

    /// Measure instead what it costs to translate: answers, streams, and a prompt of 1 MiB that only passes
    #[arg(long)]
    dialect: bool,

    /// Measure instead what governance costs: 10,000 keys with limits and budgets on every level, 1,000 policies
    #[arg(long, conflicts_with = "dialect")]
    governed: bool,

    /// Measure instead what a month of request logs costs: lists and facets under load, and the load beside them. Takes
    /// some minutes and 5 GB of disk
    #[arg(long, conflicts_with_all = ["dialect", "governed"])]
    store: bool,

    /// How many request logs to begin with [default: 10000000, quick: 300000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(10_000..=1_000_000_000), requires = "store")]
    rows: Option<u64>,

    /// Print the figures as one JSON object
    #[arg(long)]
    json: bool,

    /// Keep the temporary directory with configuration, logs and ledger, and say where it is
    #[arg(long)]
    keep: bool,

    /// How long one round takes [default: 3, quick: 0.6; with --dialect 1, quick: 0.25; with --store 10, quick: 2]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    duration: Option<Duration>,

    /// How many rounds the medians are of [default: 5, quick: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100))]
    rounds: Option<u8>,

    /// How many streams to hold open at once [default: 512, quick: 128]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=8192), conflicts_with_all = ["dialect", "governed", "store"])]
    streams: Option<u16>,
}

/// Measures and prints.
///
/// # Errors
/// When a process does not start, a request fails, or the ledger does not hold what was answered.
pub(super) fn run(args: &BenchArgs) -> anyhow::Result<()> {
    raise_open_files_limit();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime could not be started")?;
    let directory = tempfile::Builder::new()
        .prefix("ferrogate-bench-")
        .tempdir()
        .context("no temporary directory")?;
    let plan = Plan::of(args);
    let measured = runtime.block_on(async {
        tokio::select! {
            figures = measure(&plan, &directory) => figures,
            interrupted = tokio::signal::ctrl_c() => match interrupted {
                Ok(()) => bail!("interrupted"),
                Err(error) => Err(error.into()),
            },
        }
    });
    if args.keep {
        say(&format!("kept: {}", directory.keep().display()));
    }
    let figures = measured?;
    print(&figures, args.json)?;
    let Records { answered, written } = figures.records();
    if answered != written {
        bail!("{answered} requests were answered, but the ledger holds {written}");
    }
    Ok(())
}

/// How much of everything.
#[derive(Debug, Clone)]
struct Plan {
    quick: bool,
    subject: Subject,
    rounds: usize,
    round: Duration,
    streams: usize,
    /// How many requests to have answered before memory is read.
    loaded_requests: u64,
    /// How many request logs there are before the first request.
    rows: u64,
}

/// What is measured, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subject {
    Overhead,
    Dialect,
    Governed,
    Store,
}

impl Plan {
    fn of(args: &BenchArgs) -> Self {
        let subject = match (args.dialect, args.governed, args.store) {
            (true, ..) => Subject::Dialect,
            (false, true, _) => Subject::Governed,
            (false, false, true) => Subject::Store,
            (false, false, false) => Subject::Overhead,
        };
        let (rounds, streams, loaded_requests) = match args.quick {
            true => (3, 128, 0),
            false => (5, 512, LOADED_REQUESTS),
        };
        // A round of `--dialect` visits many questions, each for so long.
        let round_ms = match (subject, args.quick) {
            (Subject::Overhead | Subject::Governed, true) => 600,
            (Subject::Overhead | Subject::Governed, false) => 3000,
            (Subject::Dialect, true) => 250,
            (Subject::Dialect, false) => 1000,
            (Subject::Store, true) => 2000,
            (Subject::Store, false) => 10_000,
        };
        let rows = if args.quick { QUICK_ROWS } else { ROWS };
        Self {
            quick: args.quick,
            subject,
            rounds: args.rounds.map_or(rounds, usize::from),
            round: args.duration.unwrap_or(Duration::from_millis(round_ms)),
            streams: args.streams.map_or(streams, usize::from),
            loaded_requests,
            rows: args.rows.unwrap_or(rows),
        }
    }
}

/// What is asked for, measured.
async fn measure(plan: &Plan, directory: &TempDir) -> anyhow::Result<Figures> {
    Ok(match plan.subject {
        Subject::Overhead => Figures::Overhead(Box::new(overhead::measure(plan, directory).await?)),
        Subject::Dialect => Figures::Translation(translation::measure(plan, directory).await?),
        Subject::Governed => Figures::Governed(Box::new(governed::measure(plan, directory).await?)),
        Subject::Store => Figures::Store(store::measure(plan, directory).await?),
    })
}

/// What was measured.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Figures {
    Overhead(Box<Report>),
    Translation(TranslationReport),
    Governed(Box<GovernedReport>),
    Store(StoreReport),
}

impl Figures {
    fn records(&self) -> Records {
        match self {
            Self::Overhead(report) => report.records,
            Self::Translation(report) => report.records,
            Self::Governed(report) => report.records,
            Self::Store(report) => report.records,
        }
    }
}

impl Display for Figures {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overhead(report) => report.fmt(f),
            Self::Translation(report) => report.fmt(f),
            Self::Governed(report) => report.fmt(f),
            Self::Store(report) => report.fmt(f),
        }
    }
}

/// Streams need two descriptors each in the gateway, which inherits our limit.
fn raise_open_files_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        say(&format!("the limit of open files stays as it is: {error}"));
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse() {
        Ok(seconds @ 0.1..=600.0) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected 0.1 to 600 seconds".into()),
    }
}

fn print(figures: &Figures, json: bool) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut stdout, figures)?;
        writeln!(stdout)?;
    } else {
        write!(stdout, "{figures}")?;
    }
    Ok(())
}

/// Progress goes to stderr, so that stdout holds the figures alone.
#[expect(clippy::print_stderr, reason = "a command speaks to its user")]
fn say(what: &str) {
    eprintln!("{what}");
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        bench: BenchArgs,
    }

    fn plan(words: &[&str]) -> Result<Plan, clap::Error> {
        let words = ["bench"].iter().chain(words);
        Line::try_parse_from(words).map(|line| Plan::of(&line.bench))
    }

    #[test]
    fn a_plan_is_quick_when_told_to_and_what_is_told_has_the_last_word() {
        let check = |words: &[&str], rounds: usize, round_ms: u64| {
            let plan = plan(words).unwrap();
            assert_eq!(
                (plan.rounds, plan.round),
                (rounds, Duration::from_millis(round_ms)),
                "{words:?}"
            );
            let subject = match words.first() {
                Some(&"--dialect") => Subject::Dialect,
                Some(&"--governed") => Subject::Governed,
                Some(&"--store") => Subject::Store,
                _ => Subject::Overhead,
            };
            assert_eq!(plan.subject, subject);
        };
        check(&[], 5, 3000);
        check(&["--quick"], 3, 600);
        check(&["--governed"], 5, 3000);
        check(&["--governed", "--quick"], 3, 600);
        check(&["--store"], 5, 10_000);
        check(&["--store", "--quick"], 3, 2000);
        assert_eq!(plan(&["--store"]).unwrap().rows, ROWS);
        assert_eq!(plan(&["--store", "--rows", "20000"]).unwrap().rows, 20_000);
        check(&["--dialect"], 5, 1000);
        check(&["--dialect", "--quick"], 3, 250);
        check(
            &["--dialect", "--quick", "--duration", "0.1", "--rounds", "1"],
            1,
            100,
        );
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        assert!(plan(&["--dialect", "--streams", "4"]).is_err());
        assert!(plan(&["--governed", "--streams", "4"]).is_err());
        assert!(plan(&["--governed", "--dialect"]).is_err());
        assert!(plan(&["--store", "--dialect"]).is_err());
        assert!(plan(&["--store", "--streams", "4"]).is_err());
        assert!(plan(&["--rows", "20000"]).is_err());
        assert!(plan(&["--duration", "0.01"]).is_err());
    }
}
