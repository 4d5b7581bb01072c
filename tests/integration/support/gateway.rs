//! The gateway under test: `ferrogate run` on free ports with a data directory of its own.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use ferrogate_api::{
    MeteringEvent, Page, ProviderHealth, RequestLog, RequestLogDetail, RoutingTrace, Status,
    UsageAggregate,
};
use nix::sys::signal::Signal;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use super::{Ended, Process, Request, Target, eventually, ferrogate};

/// A running gateway.
#[derive(Debug)]
pub(crate) struct Gateway {
    process: Process,
    home: Home,
    status: Status,
}

/// A gateway that has ended; its data directory is still there.
#[derive(Debug)]
pub(crate) struct Stopped(Home);

/// What outlives a process.
#[derive(Debug)]
struct Home {
    directory: TempDir,
    environment: Vec<(String, String)>,
}

impl Gateway {
    /// Starts with `config`, to which free ports and a data directory are added.
    pub(crate) async fn start(config: &str) -> Self {
        Self::start_with(config, &[]).await
    }

    /// Starts with environment variables, too.
    pub(crate) async fn start_with(config: &str, environment: &[(&str, &str)]) -> Self {
        Self::start_on(config, environment, async |_| {}).await
    }

    /// Starts on a data directory that was prepared.
    pub(crate) async fn start_on(
        config: &str,
        environment: &[(&str, &str)],
        prepare: impl AsyncFnOnce(&Path),
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = Home {
            environment: environment
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            directory,
        };
        std::fs::write(home.config(), on_free_ports(config, &home)).unwrap();
        prepare(&home.data()).await;
        home.run().await
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.status.listen.parse().unwrap()
    }

    /// Where the admin API listens over TCP.
    pub(crate) fn admin_address(&self) -> SocketAddr {
        self.status.admin_listen.as_ref().unwrap().parse().unwrap()
    }

    pub(crate) fn data_directory(&self) -> PathBuf {
        self.home.data()
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.home.config()
    }

    pub(crate) fn admin_socket(&self) -> PathBuf {
        self.home.socket()
    }

    /// What it logged so far.
    pub(crate) fn logged(&self) -> String {
        self.process.logged()
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        Request::new(Target::Tcp(self.address()), method, path)
    }

    /// A request to the admin API through the unix socket, which needs no key.
    pub(crate) fn admin(&self, path: &str) -> Request {
        Request::new(Target::Unix(self.admin_socket()), "GET", path)
    }

    pub(crate) async fn status(&self) -> Status {
        let answer = self.admin("/admin/v1/status").send().await;
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// The log of one request, as soon as it is written.
    pub(crate) async fn log_of(&self, request_id: &str) -> RequestLog {
        let path = &format!("/admin/v1/request-logs/{request_id}");
        eventually("the request's log is written", || async {
            let answer = self.admin(path).send().await;
            (answer.status == 200).then(|| serde_json::from_slice(&answer.body).unwrap())
        })
        .await
    }

    /// Why a request went where it went, as soon as that is written; fails where nothing was decided.
    pub(crate) async fn routing_of(&self, request_id: &str) -> RoutingTrace {
        self.log_of(request_id).await;
        let path = &format!("/admin/v1/request-logs/{request_id}");
        let answer = self.admin(path).send().await.expect(200);
        let detail: RequestLogDetail = serde_json::from_slice(&answer.body).unwrap();
        detail.routing.unwrap()
    }

    /// What live requests have shown of one provider.
    pub(crate) async fn health_of(&self, provider: &str) -> ProviderHealth {
        let path = format!("/admin/v1/provider-health?provider={provider}");
        self.list(&path).await.remove(0)
    }

    /// A command that asks this gateway through its unix socket.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Ended {
        let mut command = ferrogate(arguments);
        command.arg("--admin-socket").arg(self.admin_socket());
        Ended::of(command, "").await
    }

    /// The ledger's rows for one request, in the order of its attempts. Its log comes in the same batch.
    pub(crate) async fn events_of(&self, request_id: &str) -> Vec<MeteringEvent> {
        self.log_of(request_id).await;
        let mut events = self.metering_events().await;
        events.retain(|event| event.request_id == request_id);
        events.sort_by_key(|event| event.attempt);
        events
    }

    /// Every row of the ledger, newest first.
    pub(crate) async fn metering_events(&self) -> Vec<MeteringEvent> {
        self.list("/admin/v1/metering-events?limit=500").await
    }

    /// Every request log, newest first.
    pub(crate) async fn request_logs(&self) -> Vec<RequestLog> {
        self.list("/admin/v1/request-logs?limit=500").await
    }

    pub(crate) async fn usage_aggregates(&self, window: &str) -> Vec<UsageAggregate> {
        let path = format!("/admin/v1/usage-aggregates?limit=500&window={window}");
        self.list(&path).await
    }

    /// All pages of a list. `path` has a query already.
    pub(crate) async fn list<T: DeserializeOwned>(&self, path: &str) -> Vec<T> {
        let mut all = Vec::new();
        let mut next = path.to_owned();
        loop {
            let answer = self.admin(&next).send().await.expect(200);
            let page: Page<T> = serde_json::from_slice(&answer.body).unwrap();
            all.extend(page.data);
            match page.next_cursor {
                Some(cursor) => next = format!("{path}&cursor={cursor}"),
                None => return all,
            }
        }
    }

    /// Ends it the way a crash does.
    pub(crate) async fn kill(self) -> Stopped {
        self.signal_kill();
        self.left().await.1
    }

    /// The same while others still use it.
    pub(crate) fn signal_kill(&self) {
        self.process.signal(Signal::SIGKILL);
    }

    /// Asks it to leave; it goes on until its requests are done.
    pub(crate) fn terminate(&self) {
        self.process.signal(Signal::SIGTERM);
    }

    /// Waits until it is gone, and gives its exit code, if it had time for one.
    pub(crate) async fn left(mut self) -> (Option<i32>, Stopped) {
        let status = self.process.ended().await;
        (status.code(), Stopped(self.home))
    }
}

impl Stopped {
    /// Starts again on the same files.
    pub(crate) async fn restart(self) -> Gateway {
        self.0.run().await
    }

    pub(crate) fn data_directory(&self) -> PathBuf {
        self.0.data()
    }
}

impl Home {
    fn config(&self) -> PathBuf {
        self.directory.path().join("ferrogate.toml")
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn socket(&self) -> PathBuf {
        self.data().join("admin.sock")
    }

    async fn run(self) -> Gateway {
        let config = self.config();
        let mut command = ferrogate(&["run", "--config", config.to_str().unwrap()]);
        let environment = self.environment.iter().map(|(name, value)| (name, value));
        command.envs(environment);
        let log = self.directory.path().join("gateway.log");
        let mut process = Process::start(command, &log);
        let status = ready(&mut process, self.socket()).await;
        Gateway {
            process,
            home: self,
            status,
        }
    }
}

/// Waits until the admin socket answers.
async fn ready(process: &mut Process, socket: PathBuf) -> Status {
    eventually("the gateway is ready", || {
        assert!(!process.has_ended(), "it ended: {}", process.logged());
        let status = Request::new(Target::Unix(socket.clone()), "GET", "/admin/v1/status");
        async move {
            let answer = status.try_send().await.ok()?;
            serde_json::from_slice(&answer.body).ok()
        }
    })
    .await
}

/// `config` with what makes it this test's own, where it does not say otherwise.
fn on_free_ports(config: &str, home: &Home) -> String {
    let mut root: toml::Table = config.parse().unwrap();
    let mut set = |section: &str, key: &str, value: &str| {
        let table = match section {
            "" => &mut root,
            name => root
                .entry(name)
                .or_insert_with(|| toml::Table::new().into())
                .as_table_mut()
                .unwrap(),
        };
        table.entry(key).or_insert_with(|| value.into());
    };
    set("", "listen", "127.0.0.1:0");
    set("admin", "listen", "127.0.0.1:0");
    set("storage", "path", home.data().to_str().unwrap());
    root.to_string()
}
