//! Other instances of this executable, started and stopped by a command: a simulated provider, a gateway.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use ferrogate_api::Status;
use ferrogate_tui::client::{self, Target};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// How long an instance may take to be ready, on a machine that is busy compiling.
const READY_WAIT: Duration = Duration::from_secs(60);
/// How long it may take to leave before it is killed.
const LEAVE_WAIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// A running instance; dropping it ends it.
#[derive(Debug)]
pub(super) struct Instance {
    child: Child,
    name: &'static str,
}

impl Instance {
    /// Starts `ferrogate mock` on a free port of the loopback address; what it logs goes to `log`.
    pub(super) fn mock(flags: &[&str], log: &Path) -> anyhow::Result<(Self, SocketAddr)> {
        let mut command = this_executable()?;
        command
            .args(["mock", "--listen", "127.0.0.1:0"])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(File::create(log).context("a log file could not be made")?);
        let mut instance = Self::spawn(command, "mock")?;
        let mut line = String::new();
        if let Some(stdout) = instance.child.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .context("the simulator did not say where it listens")?;
        }
        let address = line
            .trim()
            .rsplit("//")
            .next()
            .and_then(|address| address.parse().ok())
            .with_context(|| format!("the simulator did not start; see {}", log.display()))?;
        Ok((instance, address))
    }

    /// Starts `ferrogate run`; what it logs goes to `log`.
    pub(super) fn gateway(config: &Path, log: &Path) -> anyhow::Result<Self> {
        let log = File::create(log).context("a log file could not be made")?;
        let mut command = this_executable()?;
        command
            .arg("run")
            .arg("--config")
            .arg(config)
            .env_remove("FERROGATE_LISTEN")
            .stdout(Stdio::null())
            .stderr(log);
        Self::spawn(command, "gateway")
    }

    fn spawn(mut command: Command, name: &'static str) -> anyhow::Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("the {name} could not be started"))?;
        Ok(Self { child, name })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the gateway behind `socket` answers, and says what it answered.
    pub(super) async fn ready(&mut self, socket: &Path, log: &Path) -> anyhow::Result<Status> {
        let api = client::connect(&Target::Socket(socket.to_owned()))?;
        let deadline = Instant::now() + READY_WAIT;
        loop {
            if let Some(status) = self.child.try_wait()? {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                bail!("the {} ended at once ({status}):\n{said}", self.name);
            }
            match api.status().await {
                Ok(status) => return Ok(status),
                Err(error) if Instant::now() > deadline => {
                    return Err(error).context("the gateway did not get ready");
                }
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    }

    /// Asks it to leave and waits until it has.
    pub(super) fn end(mut self) -> anyhow::Result<()> {
        self.terminate()
    }

    fn terminate(&mut self) -> anyhow::Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        let pid = i32::try_from(self.child.id()).context("a process id does not fit")?;
        kill(Pid::from_raw(pid), Signal::SIGTERM)?;
        let deadline = Instant::now() + LEAVE_WAIT;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                self.child.kill()?;
                self.child.wait()?;
                bail!("the {} did not leave in time and was killed", self.name);
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Err(error) = self.terminate() {
            eprintln!("ferrogate: {error:#}");
        }
    }
}

fn this_executable() -> anyhow::Result<Command> {
    let path = std::env::current_exe().context("this executable could not be found")?;
    Ok(Command::new(path))
}
