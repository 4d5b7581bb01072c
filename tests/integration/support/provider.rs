//! The simulator as a process of its own: `ferrogate mock`.

use std::net::SocketAddr;

use nix::sys::signal::Signal;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::{Process, Request, Target, ferrogate, within};

/// A simulated provider.
#[derive(Debug)]
pub(crate) struct Provider {
    address: SocketAddr,
    process: Process,
    _directory: TempDir,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With further flags of `ferrogate mock`.
    pub(crate) async fn start_with(flags: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut command = ferrogate(&["mock", "--listen", "127.0.0.1:0"]);
        command.args(flags);
        let mut process = Process::start(command, &directory.path().join("mock.log"));
        let mut lines = BufReader::new(process.stdout()).lines();
        let line = within("the simulator starts", lines.next_line()).await;
        let line = line.unwrap().unwrap_or_default();
        let address = line.strip_prefix("mock listening on http://").unwrap();
        Self {
            address: address.parse().unwrap(),
            process,
            _directory: directory,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// For `[[providers]] base_url`.
    pub(crate) fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Asks it without a gateway.
    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        Request::new(Target::Tcp(self.address), method, path)
    }

    /// Ends it the way a crash does.
    pub(crate) async fn kill(mut self) {
        self.process.signal(Signal::SIGKILL);
        self.process.ended().await;
    }

    /// How often it was asked, and how that ended.
    pub(crate) async fn stats(&self) -> Value {
        self.request("GET", "/sim/stats").send().await.json()
    }

    /// One number of [`Provider::stats`].
    pub(crate) async fn count(&self, name: &str) -> u64 {
        self.stats().await[name].as_u64().unwrap()
    }

    /// What it was asked, oldest first.
    pub(crate) async fn calls(&self) -> Vec<Value> {
        let calls = self.request("GET", "/sim/calls").send().await;
        serde_json::from_slice(&calls.body).unwrap()
    }
}
