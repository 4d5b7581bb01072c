//! `ferrogate auth`, and `ferrogate-auth`, the executable's second name: the authorization service as a process of its
//! own.

use std::{
    ffi::OsStr,
    fs::File,
    io::{Read, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use crate::auth_service::{AuthServer, CallerToken, Loaded, router};
use crate::clock::Clock;
use crate::config::{LogFormat, Secret};
use crate::governance::is_low_entropy;
use crate::observability::install_logs;
use crate::server::listeners::{HttpServer, bind};
use crate::tasks::Tasks;

/// What the executable is called where it is the authorization service and nothing else.
const OWN_NAME: &str = "ferrogate-auth";
const DATA_BYTES_MAX: u64 = 32 << 20;
const TOKEN_BYTES_MAX: u64 = 64 << 10;
const HEADER_TIME_MAX: Duration = Duration::from_secs(10);
const HEADER_BYTES_MAX: usize = 16 << 10;
const CONNECTIONS_MAX: usize = 1024;
/// What is asked when the process is told to leave is still answered for so long.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(10);

/// Say whose a key is and what they may do, for gateways that ask
#[derive(Debug, clap::Args)]
pub(super) struct AuthArgs {
    #[command(subcommand)]
    command: AuthCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AuthCommand {
    /// Answer from a data file until SIGTERM; SIGHUP reads it again
    Serve(ServeArgs),
}

#[derive(Debug, clap::Args)]
struct ServeArgs {
    /// Where to listen; port 0 takes a free one. Anything but a loopback address needs a token
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDR")]
    listen: SocketAddr,

    /// Tenants, keys, roles and bindings, in YAML
    #[arg(long, value_name = "FILE")]
    data: PathBuf,

    /// The environment variable with the token that callers must present as `Authorization: Bearer …`
    #[arg(long, value_name = "NAME", conflicts_with = "token_file")]
    token_env: Option<String>,

    /// The same from a file
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// FerroGate's authorization service: whose is a key, and what may they do?
#[derive(Debug, clap::Parser)]
#[command(name = OWN_NAME, version, about, arg_required_else_help = true)]
struct Standalone {
    #[command(flatten)]
    args: AuthArgs,
}

/// The arguments, where the executable was called by its second name.
pub(super) fn called_by_own_name() -> Option<AuthArgs> {
    let name = std::env::args_os().next()?;
    is_own_name(&name).then(|| Standalone::parse().args)
}

/// Serves until SIGINT or SIGTERM.
///
/// # Errors
/// When the data or the token cannot be read, the address cannot be had, or would be open to others without a token.
pub(super) fn run(args: &AuthArgs) -> anyhow::Result<()> {
    let AuthCommand::Serve(args) = &args.command;
    let token = args.token()?;
    if !args.listen.ip().is_loopback() && token.is_none() {
        bail!(
            "{} is open to others, and whoever can ask can try keys: set a token with --token-env or --token-file, \
             or listen on a loopback address",
            args.listen
        );
    }
    install_logs(LogFormat::Text).context("logging could not be set up")?;
    let loaded = load(&args.data)?;
    args.warn(token.as_ref());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("ferrogate-auth")
        .enable_all()
        .build()
        .context("the runtime could not be started")?;
    let token = token.map(|token| CallerToken::new(token.expose()));
    let server = Arc::new(AuthServer::new(loaded.authority, token, Clock::system()));
    runtime.block_on(serve(args, server))
}

async fn serve(args: &ServeArgs, server: Arc<AuthServer>) -> anyhow::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let listener = bind(args.listen, "--listen")?;
    let address = listener.local_addr()?;
    let tasks = Tasks::default();
    let http = HttpServer {
        router: router(Arc::clone(&server)),
        header_timeout: HEADER_TIME_MAX,
        header_max_bytes: HEADER_BYTES_MAX,
        connections_max: CONNECTIONS_MAX,
        drain_timeout: DRAIN_TIME_MAX,
        tasks: tasks.clone(),
    };
    let serving = tasks.spawn("auth-service", http.serve_tcp(listener));
    // Whoever started us with port 0 reads the address from this line.
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{OWN_NAME} listening on http://{address}")?;
    stdout.flush()?;
    loop {
        tokio::select! {
            _ = hangup.recv() => reload(&args.data, &server).await,
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        }
    }
    tasks.drain().await;
    serving.await.context("the service panicked")??;
    Ok(())
}

/// Takes the file as it is now, or nothing of it.
async fn reload(data: &Path, server: &AuthServer) {
    let path = data.to_owned();
    // A large file takes its time, which requests must not feel.
    match tokio::task::spawn_blocking(move || load(&path)).await {
        Ok(Ok(loaded)) => {
            server.replace(loaded.authority);
            tracing::info!(data = %data.display(), "the data file was read again");
        }
        Ok(Err(error)) => tracing::error!(
            error = format!("{error:#}"),
            "the data file was not taken; what was read before stays in force"
        ),
        Err(error) => tracing::error!(%error, "the data file could not be read again"),
    }
}

fn load(path: &Path) -> anyhow::Result<Loaded> {
    let text = read_text(path, DATA_BYTES_MAX)?;
    let loaded =
        Loaded::read(&text).with_context(|| format!("{} cannot be used", path.display()))?;
    for warning in &loaded.warnings {
        tracing::warn!("{}: {warning}", path.display());
    }
    Ok(loaded)
}

/// The file may hold secrets, so what was read is wiped.
fn read_text(path: &Path, bytes_max: u64) -> anyhow::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    file.take(bytes_max + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read {}", path.display()))?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > bytes_max {
        bail!("{} is over {bytes_max} bytes", path.display());
    }
    Ok(text)
}

impl ServeArgs {
    fn token(&self) -> anyhow::Result<Option<Secret>> {
        let (token, origin) = match (&self.token_env, &self.token_file) {
            (Some(name), _) => {
                let token = std::env::var(name)
                    .with_context(|| format!("the environment variable {name} cannot be used"))?;
                (Secret::new(token), name.clone())
            }
            (None, Some(path)) => {
                let text = read_text(path, TOKEN_BYTES_MAX)?;
                let token = text.trim_end_matches(['\r', '\n']);
                (Secret::new(token), path.display().to_string())
            }
            (None, None) => return Ok(None),
        };
        // A gateway could not send anything else in a header.
        let is_token = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        if !is_token(token.expose()) {
            bail!("the token in {origin} is empty, or holds characters that no bearer token has");
        }
        Ok(Some(token))
    }

    fn warn(&self, token: Option<&Secret>) {
        if token.is_some_and(|token| is_low_entropy(token.expose())) {
            tracing::warn!(
                "the token is easy to guess; `ferrogate hash-key --generate` makes a good one"
            );
        }
        if !self.listen.ip().is_loopback() {
            tracing::warn!(
                listen = %self.listen,
                "keys and the token cross the network as they are; put a proxy that speaks TLS in front"
            );
        }
    }
}

fn is_own_name(called: &OsStr) -> bool {
    Path::new(called).file_name() == Some(OsStr::new(OWN_NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_second_name_is_the_second_name() {
        for (called, expected) in [
            ("ferrogate-auth", true),
            ("/usr/bin/ferrogate-auth", true),
            ("./ferrogate-auth", true),
            ("ferrogate", false),
            ("/opt/ferrogate-auth/ferrogate", false),
            ("ferrogate-auth2", false),
            ("", false),
        ] {
            assert_eq!(is_own_name(OsStr::new(called)), expected, "{called}");
        }
    }

    #[test]
    fn both_names_take_the_same_arguments() {
        let arguments = ["ferrogate-auth", "serve", "--data", "a.yaml"];
        let AuthCommand::Serve(args) = Standalone::try_parse_from(arguments).unwrap().args.command;
        assert_eq!(args.listen, "127.0.0.1:8090".parse().unwrap());
        assert_eq!(args.data, Path::new("a.yaml"));
        for wrong in [
            &["ferrogate-auth", "serve"][..],
            &["ferrogate-auth", "run", "--data", "a.yaml"],
            &[
                "ferrogate-auth",
                "serve",
                "--data",
                "a",
                "--token-env",
                "T",
                "--token-file",
                "t",
            ],
        ] {
            assert!(Standalone::try_parse_from(wrong).is_err(), "{wrong:?}");
        }
    }
}
