//! `ferrogate bench`: what the gateway costs on this machine, with everything on.
//!
//! It starts our own executable twice, as provider and as gateway, and plays the clients itself. Every round through
//! the gateway follows one without it, so that a machine that changes its mind changes both.

mod client;
mod gateway;
mod load;
mod report;
mod setup;

use std::{io::Write, net::SocketAddr, time::Duration};

use anyhow::{Context, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tempfile::TempDir;

use self::{
    gateway::Gateway,
    load::{Load, Round, Target, Timed, hold_streams, run_round},
    report::{Comparison, Level, Pair, Records, Report},
    setup::{Question, Setup},
};
use crate::cli::processes::Instance;
use crate::tasks::Tasks;

/// The numbers of connections that are measured; the report's keys name the first two.
const CONNECTIONS: [usize; 3] = [1, 32, 256];

/// Where memory under load is read.
const LOADED_REQUESTS: u64 = 100_000;

/// Before anything is measured, and in one go to reach [`LOADED_REQUESTS`].
const WARM_UP: Duration = Duration::from_millis(500);
const TOP_UP: Duration = Duration::from_secs(2);

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

    /// Print the figures as one JSON object
    #[arg(long)]
    json: bool,

    /// Keep the temporary directory with configuration, logs and ledger, and say where it is
    #[arg(long)]
    keep: bool,

    /// How long one round takes [default: 3, quick: 0.6]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    duration: Option<Duration>,

    /// How many rounds the medians are of [default: 5, quick: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100))]
    rounds: Option<u8>,

    /// How many streams to hold open at once [default: 512, quick: 128]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=8192))]
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
            report = measure(&plan, &directory) => report,
            interrupted = tokio::signal::ctrl_c() => match interrupted {
                Ok(()) => bail!("interrupted"),
                Err(error) => Err(error.into()),
            },
        }
    });
    if args.keep {
        say(&format!("kept: {}", directory.keep().display()));
    }
    let report = measured?;
    print(&report, args.json)?;
    let Records { answered, written } = report.records;
    if answered != written {
        bail!("{answered} requests were answered, but the ledger holds {written}");
    }
    Ok(())
}

/// How much of everything.
#[derive(Debug, Clone)]
struct Plan {
    quick: bool,
    rounds: usize,
    round: Duration,
    streams: usize,
    /// How many requests to have answered before memory is read.
    loaded_requests: u64,
}

impl Plan {
    fn of(args: &BenchArgs) -> Self {
        let (rounds, round, streams, loaded_requests) = match args.quick {
            true => (3, Duration::from_millis(600), 128, 0),
            false => (5, Duration::from_secs(3), 512, LOADED_REQUESTS),
        };
        Self {
            quick: args.quick,
            rounds: args.rounds.map_or(rounds, usize::from),
            round: args.duration.unwrap_or(round),
            streams: args.streams.map_or(streams, usize::from),
            loaded_requests,
        }
    }
}

/// The whole benchmark, in order.
async fn measure(plan: &Plan, directory: &TempDir) -> anyhow::Result<Report> {
    let setup = Setup::new()?;
    let (mock, provider) =
        Instance::mock(&["--recent-calls", "0"], &directory.path().join("mock.log"))?;
    let gateway = Gateway::start(&directory.path().join("load"), &setup, provider).await?;
    let idle_kib = gateway.resident_kib()?;
    let mut bench = Bench {
        tasks: Tasks::default(),
        setup: &setup,
        provider,
        gateway: &gateway,
        answered: 0,
    };

    bench.warm_up().await?;
    let mut levels = Vec::new();
    for connections in CONNECTIONS {
        say(&format!("{connections} connections …"));
        let load = Load {
            connections,
            duration: plan.round,
            timed: Timed::WholeAnswer,
        };
        let pairs = bench.compare(plan.rounds, Question::Chat, load).await?;
        levels.push(Level::of(connections, &pairs));
    }
    say("time to first token …");
    let load = Load {
        connections: 1,
        duration: plan.round,
        timed: Timed::FirstContent,
    };
    let pairs = bench.compare(plan.rounds, Question::Stream, load).await?;
    let first_content = Comparison::of(&pairs);
    bench.top_up(plan.loaded_requests).await?;
    let loaded_kib = gateway.resident_kib()?;
    let answered = bench.answered;
    let written = gateway.requests_recorded(answered).await?;
    drop(gateway);

    say(&format!("{} streams at once …", plan.streams));
    let kib_per_stream = weigh_streams(plan, directory, &setup, provider).await?;
    mock.end()?;
    let [one, many, ..] = levels.as_slice() else {
        bail!("no level was measured");
    };
    Ok(Report {
        version: env!("CARGO_PKG_VERSION"),
        cpus: std::thread::available_parallelism()?.get(),
        quick: plan.quick,
        rounds: plan.rounds,
        seconds_per_round: plan.round.as_secs_f64(),
        rps_c32: many.comparison.gateway.rps,
        rps_c32_of_direct: many.comparison.gateway.rps / many.comparison.direct.rps,
        added_p50_us_c1: one.comparison.added_p50_us,
        added_p99_us_c1: one.comparison.added_p99_us,
        added_ttft_p50_us: first_content.added_p50_us,
        added_ttft_p99_us: first_content.added_p99_us,
        cpu_us_per_request: many.cpu_us_per_request,
        rss_idle_mib: mib(idle_kib),
        rss_loaded_mib: mib(loaded_kib),
        rss_loaded_after_requests: answered,
        streams_held: plan.streams,
        kib_per_stream,
        records: Records { answered, written },
        levels,
        first_content,
    })
}

/// The gateway under load, and the provider without it.
struct Bench<'a> {
    tasks: Tasks,
    setup: &'a Setup,
    provider: SocketAddr,
    gateway: &'a Gateway,
    /// Requests the gateway has answered so far: what its ledger must hold.
    answered: u64,
}

impl Bench<'_> {
    /// Every key and model, both ways, on as many connections as will ever be open.
    async fn warm_up(&mut self) -> anyhow::Result<()> {
        for connections in CONNECTIONS {
            let load = Load {
                connections,
                duration: WARM_UP / 3,
                timed: Timed::WholeAnswer,
            };
            self.direct(Question::Chat, load).await?;
            self.through_gateway(Question::Chat, load).await?;
        }
        Ok(())
    }

    async fn compare(
        &mut self,
        rounds: usize,
        question: Question,
        load: Load,
    ) -> anyhow::Result<Vec<Pair>> {
        let mut pairs = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            let direct = self.direct(question, load).await?;
            let cpu_before = self.gateway.cpu_us()?;
            let gateway = self.through_gateway(question, load).await?;
            let cpu_us = self.gateway.cpu_us()?.saturating_sub(cpu_before);
            pairs.push(Pair {
                direct,
                gateway,
                cpu_us,
            });
        }
        Ok(pairs)
    }

    /// Goes on until so many requests have been answered.
    async fn top_up(&mut self, requests: u64) -> anyhow::Result<()> {
        while self.answered < requests {
            let load = Load {
                connections: 32,
                duration: TOP_UP,
                timed: Timed::WholeAnswer,
            };
            self.through_gateway(Question::Chat, load).await?;
        }
        Ok(())
    }

    async fn direct(&self, question: Question, load: Load) -> anyhow::Result<Round> {
        let target = target(self.provider, self.setup, question);
        run_round(&self.tasks, &target, load)
            .await
            .context("straight to the provider")
    }

    async fn through_gateway(&mut self, question: Question, load: Load) -> anyhow::Result<Round> {
        let target = target(self.gateway.address, self.setup, question);
        let round = run_round(&self.tasks, &target, load)
            .await
            .context("through the gateway")?;
        self.answered += round.answered;
        Ok(round)
    }
}

fn target(address: SocketAddr, setup: &Setup, question: Question) -> Target {
    Target {
        address,
        requests: setup.requests(question).into(),
    }
}

/// What one open stream costs, on a gateway of its own: memory that load has left behind would hide it.
async fn weigh_streams(
    plan: &Plan,
    directory: &TempDir,
    setup: &Setup,
    provider: SocketAddr,
) -> anyhow::Result<f64> {
    let directory = directory.path().join("streams");
    let gateway = Gateway::start(&directory, setup, provider).await?;
    let target = target(gateway.address, setup, Question::SlowStream);
    // The first ones pay for what all later ones share.
    let first = hold_streams(&target, 4).await?;
    let before_kib = gateway.resident_kib()?;
    let streams = hold_streams(&target, plan.streams).await?;
    let after_kib = gateway.resident_kib()?;
    drop((first, streams));
    let kib = u32::try_from(after_kib.saturating_sub(before_kib))?;
    let count = u32::try_from(plan.streams)?;
    Ok(f64::from(kib) / f64::from(count))
}

fn mib(kib: u64) -> f64 {
    u32::try_from(kib).map_or(f64::INFINITY, f64::from) / 1024.0
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

fn print(report: &Report, json: bool) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut stdout, report)?;
        writeln!(stdout)?;
    } else {
        write!(stdout, "{report}")?;
    }
    Ok(())
}

/// Progress goes to stderr, so that stdout holds the figures alone.
#[expect(clippy::print_stderr, reason = "a command speaks to its user")]
fn say(what: &str) {
    eprintln!("{what}");
}
