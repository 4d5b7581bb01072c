//! `--governed`: what governance costs, with ten thousand keys and a thousand policies.
//!
//! Two gateways take turns with the same keys and requests: for one that is all there is, the other has everything to
//! count. What is compared was measured in the same round, so that a machine that changes its mind changes both.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::Bytes;
use tempfile::TempDir;

use super::{
    Plan,
    admission::{Admissions, Governance},
    dialect::Dialect,
    gateway::{CpuTime, Gateway, Home},
    governed_report::GovernedReport,
    load::{Load, Round, Target, Timed, run_round},
    population::{KEYS, Population, key_id},
    report::Records,
    say, seeding, setup,
    steady::{Pace, Window, run_window},
    writes::{Admin, Change, Probe},
};
use crate::cli::processes::Instance;
use crate::tasks::Tasks;

/// One connection shows what one request waits, the others what the machine can do.
pub(super) const CONNECTIONS: [usize; 2] = [1, 32];

/// Before anything is measured.
const WARM_UP: Duration = Duration::from_millis(500);

/// How many keys are switched off and on again in each round.
const SWITCHED_KEYS: usize = 2;

/// Everything that was measured.
#[derive(Debug)]
pub(super) struct Measured {
    /// For each of [`CONNECTIONS`], one entry a round.
    pub(super) levels: [Vec<Turn>; CONNECTIONS.len()],
    pub(super) admissions: Vec<Admissions>,
    pub(super) changes: Vec<Change>,
    pub(super) windows: Vec<Windows>,
    pub(super) plain_idle_kib: u64,
    pub(super) governed_idle_kib: u64,
    /// From the start of the process to its first answer.
    pub(super) governed_start: Duration,
}

/// A plain round and the governed one beside it.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) plain: Run,
    pub(super) governed: Run,
}

/// What one gateway did in a round, and the CPU time it took.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) round: Round,
    pub(super) cpu: CpuTime,
}

/// A window of steady load without writes, and one with them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    pub(super) quiet: Window,
    pub(super) written: Window,
    pub(super) writes: u64,
}

/// The whole measurement, in order.
///
/// # Errors
/// When a process does not start, a request or a change fails, or the population is none.
pub(super) async fn measure(plan: &Plan, directory: &TempDir) -> anyhow::Result<GovernedReport> {
    let (mock, provider) =
        Instance::mock(&["--recent-calls", "0"], &directory.path().join("mock.log"))?;
    say(&format!("{KEYS} keys, twice …"));
    let population = Population::new()?;
    let home = Home::create(&directory.path().join("plain"))?;
    let config = setup::frame(provider, &home.data());
    seeding::seed(&config, population.bare()).await?;
    let requests = setup::chats(population.secrets());
    let mut plain = Contender::start(&home, &config, requests).await?;
    let home = Home::create(&directory.path().join("governed"))?;
    let config = setup::frame(provider, &home.data());
    let declared = population.declared();
    let governance = Arc::new(Governance::of(&config, &declared)?);
    seeding::seed(&config, declared).await?;
    let started = Instant::now();
    let requests = setup::chats(population.secrets());
    let mut governed = Contender::start(&home, &config, requests).await?;
    let governed_start = started.elapsed();

    let mut measured = Measured {
        levels: [Vec::new(), Vec::new()],
        admissions: Vec::new(),
        changes: Vec::new(),
        windows: Vec::new(),
        plain_idle_kib: plain.gateway.resident_kib()?,
        governed_idle_kib: governed.gateway.resident_kib()?,
        governed_start,
    };
    let tasks = Tasks::default();
    for connections in CONNECTIONS {
        plain.run(&tasks, load(connections, WARM_UP)).await?;
        governed.run(&tasks, load(connections, WARM_UP)).await?;
    }
    for round in 0..plan.rounds {
        say(&format!("round {} of {} …", round + 1, plan.rounds));
        for (connections, turns) in CONNECTIONS.into_iter().zip(&mut measured.levels) {
            let load = load(connections, plan.round);
            turns.push(take_turns(&tasks, (&mut plain, &mut governed), load, round).await?);
        }
        measured.admissions.push(governance.time()?);
        measured.changes.extend(governed.switch_keys(round).await?);
        let windows = governed.windows(&tasks, plan.round).await?;
        measured.windows.push(windows);
    }
    let records = Records {
        answered: plain.answered + governed.answered,
        written: plain.recorded().await? + governed.recorded().await?,
    };
    drop((plain, governed));
    mock.end()?;
    GovernedReport::of(plan, &measured, records)
}

fn load(connections: usize, duration: Duration) -> Load {
    Load {
        connections,
        duration,
        timed: Timed::WholeAnswer,
    }
}

/// Who comes first changes with every round.
async fn take_turns(
    tasks: &Tasks,
    (plain, governed): (&mut Contender, &mut Contender),
    load: Load,
    round: usize,
) -> anyhow::Result<Turn> {
    if round.is_multiple_of(2) {
        let plain = plain.run(tasks, load).await?;
        let governed = governed.run(tasks, load).await?;
        return Ok(Turn { plain, governed });
    }
    let governed = governed.run(tasks, load).await?;
    let plain = plain.run(tasks, load).await?;
    Ok(Turn { plain, governed })
}

/// One of the two gateways.
struct Contender {
    gateway: Gateway,
    admin_socket: PathBuf,
    target: Target,
    /// What its ledger must hold.
    answered: u64,
}

impl Contender {
    async fn start(home: &Home, config: &str, requests: Arc<[Bytes]>) -> anyhow::Result<Self> {
        let gateway = Gateway::start(home, config).await?;
        Ok(Self {
            target: Target {
                address: gateway.address,
                dialect: Dialect::Chat,
                requests,
            },
            gateway,
            admin_socket: home.socket(),
            answered: 0,
        })
    }

    async fn run(&mut self, tasks: &Tasks, load: Load) -> anyhow::Result<Run> {
        let before = self.gateway.cpu()?;
        let round = run_round(tasks, &self.target, load)
            .await
            .context("through a gateway")?;
        self.answered += round.answered;
        let cpu = self.gateway.cpu()?.since(before);
        Ok(Run { round, cpu })
    }

    /// Switches some keys off and on again; other ones in each round.
    async fn switch_keys(&mut self, round: usize) -> anyhow::Result<Vec<Change>> {
        let mut admin = self.admin().await?;
        let mut changes = Vec::new();
        for nth in 0..SWITCHED_KEYS {
            let index = (round * SWITCHED_KEYS + nth) * 997 % KEYS;
            let mut probe = Probe::new(&self.target, index, key_id(index))?;
            for on in [false, true] {
                let change = probe.see(&mut admin, on).await?;
                self.answered += change.requests_answered;
                changes.push(change);
            }
        }
        Ok(changes)
    }

    async fn windows(&mut self, tasks: &Tasks, duration: Duration) -> anyhow::Result<Windows> {
        let quiet = run_window(tasks, &self.target, Pace::EASY, duration).await?;
        let mut admin = self.admin().await?;
        let key_of = |number: u64| {
            let index = usize::try_from(number).unwrap_or_default();
            key_id(index * 991 % KEYS)
        };
        let (written, writes) = tokio::try_join!(
            run_window(tasks, &self.target, Pace::EASY, duration),
            admin.keep_writing(key_of, Instant::now() + duration),
        )?;
        self.answered += quiet.answered + written.answered;
        Ok(Windows {
            quiet,
            written,
            writes,
        })
    }

    /// A new connection: one that nothing was sent over for a while may be closed.
    async fn admin(&self) -> anyhow::Result<Admin> {
        Admin::connect(&self.admin_socket).await
    }

    async fn recorded(&self) -> anyhow::Result<u64> {
        self.gateway.requests_recorded(self.answered).await
    }
}
