//! `ferrogate tui`: the console of a running gateway.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use ferrogate_tui::{AdminToken, Options, Target};

#[derive(Debug, clap::Args)]
pub(super) struct TuiArgs {
    /// The gateway's unix socket [default: the first of /run/ferrogate, /var/lib/ferrogate and ./ferrogate-data that has one]
    #[arg(
        long,
        env = "FERROGATE_ADMIN_SOCKET",
        value_name = "PATH",
        conflicts_with = "admin_url"
    )]
    admin_socket: Option<PathBuf>,
    /// The gateway's admin address, for example `https://gw.example.com:2019`
    #[arg(long, env = "FERROGATE_ADMIN_URL", value_name = "URL")]
    admin_url: Option<String>,
    /// A key with the scope admin.read, for --admin-url
    #[arg(
        long,
        env = "FERROGATE_ADMIN_TOKEN",
        hide_env_values = true,
        value_name = "KEY"
    )]
    admin_token: Option<String>,
}

/// Where a gateway puts its socket when nobody says otherwise: packaged, then started by hand.
const SOCKETS: [&str; 3] = [
    "/run/ferrogate/admin.sock",
    "/var/lib/ferrogate/admin.sock",
    "ferrogate-data/admin.sock",
];

pub(super) fn run(args: TuiArgs) -> anyhow::Result<()> {
    let target = match (args.admin_url, args.admin_socket) {
        (Some(url), _) => Target::Url {
            url,
            token: args.admin_token.map(AdminToken::new),
        },
        (None, Some(socket)) => Target::Socket(socket),
        (None, None) => Target::Socket(find_socket()?),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(open(target))
}

/// Opens the console and stays in it until the user leaves.
pub(super) async fn open(target: Target) -> anyhow::Result<()> {
    ferrogate_tui::run(Options { target })
        .await
        .context("the console could not go on")
}

fn find_socket() -> anyhow::Result<PathBuf> {
    match SOCKETS.iter().map(Path::new).find(|path| path.exists()) {
        Some(path) => Ok(path.to_owned()),
        None => bail!(
            "no running gateway was found: none of {} exists. \
             Name its socket with --admin-socket, or its address with --admin-url",
            SOCKETS.join(", ")
        ),
    }
}
