//! The gateway under test: a process with a configuration and a ledger of its own, and what `/proc` says about it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use ferrogate_api::{UsageAggregateQuery, Window};
use ferrogate_tui::client::{self, AdminApi, Target};

use crate::cli::processes::Instance;
use crate::config::ADMIN_SOCKET;

/// Between two looks at the ledger.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// The ledger is complete when nothing more has arrived for so long.
const SETTLED_AFTER: Duration = Duration::from_secs(3);

/// As many combinations of key and model as there can be: each of the population's keys asks for one model.
pub(super) const AGGREGATES_MAX: u32 = 10_000;

/// The unit of CPU times in `/proc`: USER_HZ, 100 on every Linux.
const TICK_US: u64 = 10_000;

/// Where one gateway's files are; it shares them with nobody.
#[derive(Debug)]
pub(super) struct Home(PathBuf);

impl Home {
    pub(super) fn create(directory: &Path) -> anyhow::Result<Self> {
        fs::create_dir(directory)
            .with_context(|| format!("{} could not be made", directory.display()))?;
        Ok(Self(directory.to_owned()))
    }

    pub(super) fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    /// The admin API's, which asks for no key.
    pub(super) fn socket(&self) -> PathBuf {
        self.data().join(ADMIN_SOCKET)
    }
}

/// A running gateway; dropping it ends it.
pub(super) struct Gateway {
    instance: Instance,
    api: Arc<dyn AdminApi>,
    pub(super) address: SocketAddr,
}

impl Gateway {
    /// Starts it with `config` and waits until it answers on its admin socket.
    pub(super) async fn start(home: &Home, config: &str) -> anyhow::Result<Self> {
        let file = home.0.join("ferrogate.toml");
        fs::write(&file, config).context("the configuration could not be written")?;
        let log = home.0.join("gateway.log");
        let mut instance = Instance::gateway(&file, &log)?;
        let socket = home.socket();
        let status = instance.ready(&socket, &log).await?;
        Ok(Self {
            address: status.listen.parse().context("the bound address")?,
            api: client::connect(&Target::Socket(socket))?,
            instance,
        })
    }

    /// How many requests the ledger holds, once it has stopped growing or has reached `expected`.
    pub(super) async fn requests_recorded(&self, expected: u64) -> anyhow::Result<u64> {
        let query = UsageAggregateQuery {
            window: Window::Total,
            limit: Some(AGGREGATES_MAX),
            ..UsageAggregateQuery::default()
        };
        let mut last = 0;
        let mut grown = Instant::now();
        loop {
            let page = self.api.usage_aggregates(&query).await?;
            let recorded = page.data.iter().map(|aggregate| aggregate.requests).sum();
            if recorded > last {
                last = recorded;
                grown = Instant::now();
            }
            if recorded >= expected || grown.elapsed() > SETTLED_AFTER {
                return Ok(recorded);
            }
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// The CPU time so far.
    pub(super) fn cpu(&self) -> anyhow::Result<CpuTime> {
        let stat = self.read("stat")?;
        CpuTime::of(&stat).with_context(|| format!("no CPU times in {stat:?}"))
    }

    /// Resident memory, in KiB.
    pub(super) fn resident_kib(&self) -> anyhow::Result<u64> {
        // Not `status`, whose figure lags behind by some pages per CPU.
        let rollup = self.read("smaps_rollup")?;
        resident_kib_of(&rollup).with_context(|| format!("no resident size in {rollup:?}"))
    }

    fn read(&self, file: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{file}", self.instance.pid());
        fs::read_to_string(&path).with_context(|| format!("{path} could not be read"))
    }
}

/// CPU time of a process, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct CpuTime {
    /// In its own code.
    pub(super) user_us: u64,
    /// In the kernel, for it.
    pub(super) system_us: u64,
}

impl CpuTime {
    /// Fields 14 and 15; the second one, the name, may hold anything, but no later field holds a parenthesis.
    fn of(stat: &str) -> Option<Self> {
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_ascii_whitespace().skip(11);
        let user: u64 = fields.next()?.parse().ok()?;
        let system: u64 = fields.next()?.parse().ok()?;
        Some(Self {
            user_us: user * TICK_US,
            system_us: system * TICK_US,
        })
    }

    pub(super) fn since(self, before: Self) -> Self {
        Self {
            user_us: self.user_us.saturating_sub(before.user_us),
            system_us: self.system_us.saturating_sub(before.system_us),
        }
    }

    pub(super) fn total_us(self) -> u64 {
        self.user_us + self.system_us
    }
}

fn resident_kib_of(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_figures_are_read() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 900 0 0 0 250 50 0 0 20 0 8 0 100 1000 200";
        let cpu = CpuTime::of(stat).unwrap();
        assert_eq!((cpu.user_us, cpu.system_us), (2_500_000, 500_000));
        assert_eq!(cpu.total_us(), 3_000_000);
        assert_eq!(CpuTime::of("7 (a) S 1"), None);
        let rollup =
            "5581-7ffe ---p 0 00:00 0   [rollup]\nRss:               12345 kB\nPss: 1 kB\n";
        assert_eq!(resident_kib_of(rollup), Some(12345));
    }

    #[test]
    fn time_that_passed_is_the_difference() {
        let time = |user_us, system_us| CpuTime { user_us, system_us };
        assert_eq!(time(50, 20).since(time(30, 20)), time(20, 0));
    }

    #[test]
    fn our_own_process_can_be_read() {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        assert!(CpuTime::of(&stat).is_some());
        let rollup = fs::read_to_string("/proc/self/smaps_rollup").unwrap();
        assert!(resident_kib_of(&rollup).unwrap() > 100);
    }
}
