//! The process: bind, start, serve, leave.
//!
//! We run Pingora's listening services on our own runtime and not inside its `Server`, whose shutdown sleeps for a
//! fixed time and whose port conflicts surface half a minute later in a thread that dies alone (docs/decisions/0001).

mod jobs;
pub mod listeners;

use std::{io, net::TcpListener, sync::Arc, time::Duration};

use pingora::services::Service as _;
use thiserror::Error;
use tokio::sync::watch;

use crate::admin;
use crate::clock::Clock;
use crate::config::Config;
use crate::gateway::{Actor, BuildError, Change, ConfigSource, Gateway, Listening};
use crate::live::LogTap;
use crate::proxy;
use crate::store::StoreError;
use crate::tasks::Tasks;
use listeners::{FdTable, HttpServer, ListenError, bind, bind_unix, service};

/// The service's own user and group may connect; who may do what is decided by the peer's uid.
const SOCKET_MODE: u32 = 0o660;

/// Why the process could not start, or not leave cleanly.
#[derive(Debug, Error)]
pub enum ServerError {
    #[error("the runtime could not be started")]
    Runtime(#[source] io::Error),
    #[error("signals could not be listened for")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("a listener does not know its address")]
    Listener(#[source] io::Error),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error("the last records could not be written")]
    Flush(#[source] StoreError),
}

/// Runs the gateway until SIGTERM or SIGINT.
///
/// # Errors
/// [`ServerError`]: a taken port, a database in use, records that could not be flushed.
pub fn run(config: Config, clock: Clock, log: LogTap) -> Result<(), ServerError> {
    raise_open_files_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("ferrogate")
        .enable_all()
        .build()
        .map_err(ServerError::Runtime)?;
    let done = runtime.block_on(serve(config, clock, log));
    // Whatever is still running had its time.
    runtime.shutdown_timeout(Duration::from_millis(100));
    done
}

async fn serve(config: Config, clock: Clock, log: LogTap) -> Result<(), ServerError> {
    let mut signals = Signals::listen().map_err(ServerError::Signals)?;
    // Before anything else: a taken port must not cost a migration.
    let listener = bind(config.listen, "listen")?;
    let admin_listener = config
        .admin
        .listen
        .map(|address| bind(address, "admin.listen"))
        .transpose()?;
    let gateway = Arc::new(Gateway::build(config, clock, Tasks::default()).await?);
    log.connect(&gateway.live);
    let stop_accepting = start(&gateway, listener, admin_listener)?;
    if let Some(at) = gateway.listening() {
        tracing::info!(
            listen = %at.gateway,
            admin.listen = at.admin.map(tracing::field::display),
            admin.socket = %at.admin_socket.display(),
            "the gateway is ready"
        );
    }
    signals.received(&gateway).await;
    leave(&gateway, &stop_accepting).await
}

/// Starts serving on every listener; sending `true` on what it returns stops the data plane from accepting.
fn start(
    gateway: &Arc<Gateway>,
    listener: TcpListener,
    admin_listener: Option<TcpListener>,
) -> Result<watch::Sender<bool>, ServerError> {
    let tasks = &gateway.tasks;
    let snapshot = gateway.snapshot();
    let config = &snapshot.config;
    let fds = FdTable::new();
    let listening = Listening {
        gateway: fds.register(listener).map_err(ServerError::Listener)?,
        admin: admin_listener
            .as_ref()
            .map(TcpListener::local_addr)
            .transpose()
            .map_err(ServerError::Listener)?,
        admin_socket: config.admin.socket.clone(),
    };
    let socket = bind_unix(&listening.admin_socket, SOCKET_MODE, "admin.socket")?;
    let address = listening.gateway;
    gateway.set_listening(listening);

    let router = admin::router(Arc::clone(gateway));
    let on_gateway = config.admin.on_gateway.then(|| router.clone());
    let (app, connections) = proxy::application(gateway, on_gateway);
    let mut service = service("gateway", app, address);
    let (stop_accepting, stopped) = watch::channel(false);
    tasks.spawn("gateway listener", async move {
        service.start_service(Some(fds.fds()), stopped, 1).await;
    });

    let server = HttpServer {
        router,
        header_timeout: config.limits.header_timeout,
        header_max_bytes: config.limits.header_max_bytes,
        connections_max: config.admin.connections_max,
        drain_timeout: gateway.ai.limits().graceful_shutdown_timeout,
        tasks: tasks.clone(),
    };
    if let Some(listener) = admin_listener {
        serve_admin(tasks, "admin listener", server.clone().serve_tcp(listener));
    }
    serve_admin(tasks, "admin socket", server.serve_unix(socket));
    gateway.follow_cluster();
    jobs::start(gateway, connections);
    Ok(stop_accepting)
}

fn serve_admin(
    tasks: &Tasks,
    name: &'static str,
    serving: impl Future<Output = io::Result<()>> + Send + 'static,
) {
    tasks.spawn(name, async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, listener = name, "an admin listener could not be served");
        }
    });
}

/// As many connections as the system allows this process.
fn raise_open_files_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit on open files could not be raised");
    }
}

/// Stops accepting, lets requests in flight end, ends those that do not, and flushes the ledger.
async fn leave(gateway: &Gateway, stop_accepting: &watch::Sender<bool>) -> Result<(), ServerError> {
    let limits = gateway.ai.limits();
    gateway.drain.begin();
    stop_accepting.send_replace(true);
    let in_flight = gateway.live.in_flight_count();
    tracing::info!(in_flight, "shutting down");
    let all_done = || async {
        while gateway.live.in_flight_count() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(limits.graceful_shutdown_grace_period, all_done())
        .await
        .is_err()
    {
        let cut = gateway.live.in_flight_count();
        tracing::warn!(
            in_flight = cut,
            "the grace period is over: ending what is left"
        );
        gateway.ai.cut.cancel();
        if tokio::time::timeout(limits.graceful_shutdown_timeout, all_done())
            .await
            .is_err()
        {
            tracing::warn!("some requests did not end in time");
        }
    }
    if tokio::time::timeout(limits.graceful_shutdown_timeout, gateway.tasks.drain())
        .await
        .is_err()
    {
        tracing::warn!("some background tasks did not end in time");
    }
    if let Some(at) = gateway.listening()
        && let Err(error) = std::fs::remove_file(&at.admin_socket)
    {
        tracing::debug!(%error, "the admin socket was gone already");
    }
    admin::flush_refusals(gateway).await;
    gateway.store.close().await.map_err(ServerError::Flush)?;
    tracing::info!("every record is written; goodbye");
    Ok(())
}

/// SIGTERM and SIGINT: leave gracefully. SIGHUP: read the configuration file again.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until the process is to leave.
    async fn received(&mut self, gateway: &Gateway) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => reload(gateway).await,
            }
        }
    }
}

/// Nobody waits for an answer: the log tells what became of it.
async fn reload(gateway: &Gateway) {
    let by = Change::by(Actor {
        name: "signal:SIGHUP".to_owned(),
    });
    match gateway.reload(ConfigSource::File, &by, false).await {
        Ok(report) if report.committed => {
            tracing::info!(snapshot = %report.active_snapshot, "the configuration file was read again");
        }
        Ok(report) => {
            for finding in &report.errors {
                tracing::error!(key = %finding.key, line = finding.line, "{}", finding.message);
            }
            tracing::error!(
                error = report.error,
                "the configuration file cannot be put in force, and nothing was changed"
            );
        }
        Err(error) => tracing::error!(%error, "the configuration file could not be read again"),
    }
}
