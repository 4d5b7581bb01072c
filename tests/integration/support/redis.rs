//! A Redis of the test's own: Debian's `redis-server` on a free port, without a file.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use nix::sys::signal::Signal;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::Command,
};

use super::{Process, eventually};

/// A running Redis.
#[derive(Debug)]
pub(crate) struct Redis {
    address: SocketAddr,
    process: Process,
    directory: TempDir,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let directory = tempfile::tempdir().unwrap();
        let redis = Self {
            process: spawn(address, &directory).await,
            address,
            directory,
        };
        redis.answers().await;
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Ends it the way a crash does; all its keys are gone.
    pub(crate) async fn kill(&mut self) {
        self.process.signal(Signal::SIGKILL);
        self.process.ended().await;
    }

    /// Starts it again, empty.
    pub(crate) async fn restart(&mut self) {
        self.process = spawn(self.address, &self.directory).await;
        self.answers().await;
    }

    /// The first line of the answer to a command of plain words.
    pub(crate) async fn ask(&self, command: &str) -> String {
        self.try_ask(command).await.unwrap()
    }

    async fn try_ask(&self, command: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream
            .write_all(format!("{command}\r\n").as_bytes())
            .await?;
        let mut line = Vec::new();
        loop {
            match stream.read_u8().await? {
                b'\r' => return Ok(String::from_utf8(line).unwrap()),
                byte => line.push(byte),
            }
        }
    }

    async fn answers(&self) {
        eventually("redis-server answers", || async {
            let answer = self.try_ask("PING").await.ok()?;
            (answer == "+PONG").then_some(())
        })
        .await;
    }
}

async fn spawn(address: SocketAddr, directory: &TempDir) -> Process {
    let version = Command::new("redis-server").arg("--version").output().await;
    version.expect("these tests need `redis-server` (Debian's package of this name) in the PATH");
    let mut command = Command::new("redis-server");
    command
        .args(["--port", &address.port().to_string()])
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(["--loglevel", "warning"])
        .arg("--dir")
        .arg(directory.path())
        .arg("--logfile")
        .arg(directory.path().join("redis-server.log"))
        .kill_on_drop(true);
    Process::start(command, &directory.path().join("stderr.log"))
}
