//! `--store`: what millions of request logs cost. A month of them is written before a gateway starts on it; then the
//! lists of the admin API are timed while requests come in, and the requests with and without those lists.

use std::{
    fs::File,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;
use hdrhistogram::Histogram;
use tempfile::TempDir;

use super::{
    Plan,
    dialect::Dialect,
    gateway::{CpuTime, Gateway, Home},
    load::Target,
    report::Records,
    say,
    setup::{Question, Setup},
    steady::{Pace, Window, run_window},
    store_logs::{self, DAYS},
    store_queries::{Lists, Query},
    store_report::StoreReport,
};
use crate::cli::processes::Instance;
use crate::clock::Clock;
use crate::config::{self, Storage};
use crate::store;
use crate::tasks::Tasks;

/// A list that is not done by then answers with what it has: in time, and with some room below 50 ms.
const LIST_TIME_LIMIT_MS: u64 = 35;

/// How often each list is asked for while the latencies are taken, and how often all together in a second: a page that
/// somebody leafs through, and a dashboard beside it.
const ASKED: usize = 300;
const QUERY_INTERVAL: Duration = Duration::from_millis(100);

/// Before anything is measured.
const WARM_UP: Duration = Duration::from_secs(2);

/// Everything that was measured.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) rows: u64,
    /// To write all of them.
    pub(super) fill: Duration,
    /// Rows of the day that was dropped, and how long that took.
    pub(super) dropped: (u64, Duration),
    /// From the start of the process to its first answer.
    pub(super) start: Duration,
    pub(super) queries: Vec<QueryTimes>,
    pub(super) turns: Vec<Turn>,
    pub(super) resident_kib: u64,
}

/// How long one kind of list took, in nanoseconds.
#[derive(Debug)]
pub(super) struct QueryTimes {
    pub(super) query: Query,
    pub(super) latency: Histogram<u64>,
    /// Answers that said that they were not complete.
    pub(super) partial: u64,
}

/// A window without lists, and one with them.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) quiet: Run,
    pub(super) asked: Run,
}

/// A window, and the gateway's CPU time in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) window: Window,
    pub(super) cpu: CpuTime,
}

/// The whole measurement, in order.
///
/// # Errors
/// When a process does not start, a request or a list fails, or the disk is full.
pub(super) async fn measure(plan: &Plan, directory: &TempDir) -> anyhow::Result<StoreReport> {
    let (mock, provider) =
        Instance::mock(&["--recent-calls", "0"], &directory.path().join("mock.log"))?;
    let setup = Setup::new()?;
    let home = Home::create(&directory.path().join("gateway"))?;
    let config = setup.config(provider, &home.data()).replace(
        "[storage]\n",
        &format!("[storage]\nlist_time_limit_ms = {LIST_TIME_LIMIT_MS}\n"),
    );
    let loaded = config::parse(&config, "ferrogate.toml", &|_| None)
        .context("the configuration of the benchmark is none")?;
    let storage = loaded.config.storage;
    let dropped = drop_a_day(&storage, directory.path(), plan.rows / 10)?;
    say(&format!("{} request logs over {DAYS} days …", plan.rows));
    let begun = Instant::now();
    let now_unix_ms = Clock::system().unix_ms();
    let rows = store::fill_request_logs(&storage, store_logs::month(plan.rows, now_unix_ms))?;
    let fill = begun.elapsed();
    // What the system still has to write would be measured with what comes now.
    rustix::fs::syncfs(&File::open(&storage.path)?).context("the disk did not take the logs")?;

    let begun = Instant::now();
    let gateway = Gateway::start(&home, &config).await?;
    let start = begun.elapsed();
    let target = Target {
        address: gateway.address,
        dialect: Dialect::Chat,
        requests: setup.requests(Question::Chat).into(),
    };
    let mut bench = Bench {
        tasks: Tasks::default(),
        gateway: &gateway,
        target,
        socket: home.socket(),
        answered: 0,
    };
    bench.run(WARM_UP).await?;
    say("lists while 2,000 requests a second come in …");
    let queries = bench.time_queries().await?;
    let mut turns = Vec::new();
    for round in 0..plan.rounds {
        say(&format!("round {} of {} …", round + 1, plan.rounds));
        turns.push(bench.turn(plan.round, round).await?);
    }
    let measured = Measured {
        rows,
        fill,
        dropped,
        start,
        queries,
        turns,
        resident_kib: gateway.resident_kib()?,
    };
    let records = Records {
        answered: bench.answered,
        written: gateway.requests_recorded(bench.answered).await?,
    };
    drop(gateway);
    mock.end()?;
    StoreReport::of(plan, &measured, records)
}

/// In a directory of its own, because there the retention of no gateway can forestall it.
fn drop_a_day(storage: &Storage, directory: &Path, rows: u64) -> anyhow::Result<(u64, Duration)> {
    say(&format!("a day of {rows} request logs, to be dropped …"));
    let storage = Storage {
        path: directory.join("one-day"),
        ..storage.clone()
    };
    let logs = store_logs::day(rows, Clock::system().unix_ms());
    let written = store::fill_request_logs(&storage, logs)?;
    let (dropped, took) = store::drop_oldest_request_logs(&storage)?;
    anyhow::ensure!(
        written == dropped,
        "{dropped} of {written} rows were dropped"
    );
    Ok((dropped, took))
}

struct Bench<'g> {
    tasks: Tasks,
    gateway: &'g Gateway,
    target: Target,
    socket: PathBuf,
    /// What the ledger must hold.
    answered: u64,
}

impl Bench<'_> {
    async fn run(&mut self, duration: Duration) -> anyhow::Result<Run> {
        let before = self.gateway.cpu()?;
        let window = run_window(&self.tasks, &self.target, Pace::BUSY, duration).await?;
        self.answered += window.answered;
        Ok(Run {
            window,
            cpu: self.gateway.cpu()?.since(before),
        })
    }

    /// Asks for each list in turn, [`ASKED`] times, under load.
    async fn time_queries(&mut self) -> anyhow::Result<Vec<QueryTimes>> {
        let mut lists = Lists::connect(&self.socket).await?;
        // The first look into a month of files is not one of those that people wait for again and again.
        for query in Query::ALL {
            lists.ask(query, 0).await?;
        }
        let mut times: Vec<_> = Query::ALL.into_iter().map(QueryTimes::new).collect();
        let asked = u32::try_from(ASKED * Query::ALL.len()).unwrap_or(u32::MAX);
        // A fifth of the interval: this is about the lists, and as many of them as the admin API admits.
        let interval = QUERY_INTERVAL / 5;
        let asking = async {
            let mut ticks = tokio::time::interval(interval);
            for number in 0..ASKED {
                for times in &mut times {
                    ticks.tick().await;
                    times.add(lists.ask(times.query, number).await?);
                }
            }
            anyhow::Ok(())
        };
        let load = run_window(&self.tasks, &self.target, Pace::BUSY, interval * asked);
        let ((), window) = tokio::try_join!(asking, load)?;
        self.answered += window.answered;
        Ok(times)
    }

    /// Which comes first changes with every round.
    async fn turn(&mut self, duration: Duration, round: usize) -> anyhow::Result<Turn> {
        if round.is_multiple_of(2) {
            let quiet = self.run(duration).await?;
            let asked = self.run_asked(duration).await?;
            return Ok(Turn { quiet, asked });
        }
        let asked = self.run_asked(duration).await?;
        let quiet = self.run(duration).await?;
        Ok(Turn { quiet, asked })
    }

    async fn run_asked(&mut self, duration: Duration) -> anyhow::Result<Run> {
        // One of its own: in a window without lists the gateway hangs up on whoever says nothing.
        let mut lists = Lists::connect(&self.socket).await?;
        let before = self.gateway.cpu()?;
        let end = Instant::now() + duration;
        let asking = async {
            let mut ticks = tokio::time::interval(QUERY_INTERVAL);
            for (number, query) in (0..).zip(Query::BESIDE_THE_LOAD.into_iter().cycle()) {
                ticks.tick().await;
                if Instant::now() >= end {
                    break;
                }
                lists.ask(query, number).await?;
            }
            anyhow::Ok(())
        };
        let load = run_window(&self.tasks, &self.target, Pace::BUSY, duration);
        let ((), window) = tokio::try_join!(asking, load)?;
        self.answered += window.answered;
        Ok(Run {
            window,
            cpu: self.gateway.cpu()?.since(before),
        })
    }
}
