//! A Redis of the test's own.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Generous: a machine that runs several builds must not fail a test that is right.
pub(super) const TIME_LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// `redis-server` on a free port, without a file. It ends with the test.
pub(super) struct RedisServer {
    child: Child,
    port: u16,
    directory: TempDir,
    client: redis::Client,
}

impl RedisServer {
    pub(super) async fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let directory = tempfile::tempdir().unwrap();
        let server = Self {
            child: spawn(port, &directory),
            port,
            client: redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap(),
            directory,
        };
        server.answers().await;
        server
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends it the way a crash does; all its keys are gone.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, empty.
    pub(super) async fn restart(&mut self) {
        self.child = spawn(self.port, &self.directory);
        self.answers().await;
    }

    /// One command.
    pub(super) async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        let connection = self.client.get_multiplexed_async_connection().await;
        command.query_async(&mut connection.unwrap()).await.unwrap()
    }

    pub(super) async fn keys(&self) -> Vec<String> {
        self.ask(&["KEYS", "*"]).await
    }

    async fn answers(&self) {
        eventually("redis-server answers", || async {
            let connection = self.client.get_multiplexed_async_connection().await;
            let answer = redis::cmd("PING").query_async(&mut connection.ok()?).await;
            answer.ok().map(|pong: String| assert_eq!(pong, "PONG"))
        })
        .await;
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn spawn(port: u16, directory: &TempDir) -> Child {
    let port = port.to_string();
    Command::new("redis-server")
        .args(["--port", &port, "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--loglevel", "warning"])
        .arg("--dir")
        .arg(directory.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("these tests need `redis-server` (Debian's package of this name) in the PATH")
}

/// Asks until there is an answer.
pub(super) async fn eventually<T, F>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + TIME_LIMIT;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "it never came to this: {what}");
        tokio::time::sleep(POLL).await;
    }
}
