//! Which gateway a command talks to: its unix socket, or the address of its admin API.

use std::path::{Path, PathBuf};

use anyhow::bail;
use ferrogate_tui::{AdminToken, Target};

// `global`: the arguments may stand before or behind the subcommand of a command that has some.

/// Below what a command has of its own.
const HEADING: &str = "Which gateway";

#[derive(Debug, Clone, clap::Args)]
pub(super) struct AdminTargetArgs {
    /// The gateway's unix socket [default: the first of /run/ferrogate, /var/lib/ferrogate and ./ferrogate-data that has one]
    #[arg(
        long,
        global = true,
        help_heading = HEADING,
        env = "FERROGATE_ADMIN_SOCKET",
        value_name = "PATH",
        conflicts_with = "admin_url"
    )]
    admin_socket: Option<PathBuf>,
    /// The gateway's admin address, for example `https://gw.example.com:2019`
    #[arg(long, global = true, env = "FERROGATE_ADMIN_URL", value_name = "URL")]
    admin_url: Option<String>,
    /// A key with the scope that is needed, admin.read or admin.write, for --admin-url
    #[arg(
        long,
        global = true,
        help_heading = HEADING,
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

impl AdminTargetArgs {
    /// The gateway that is meant.
    ///
    /// # Errors
    /// When none is named and none is found.
    pub(super) fn target(self) -> anyhow::Result<Target> {
        match self.named() {
            Some(target) => Ok(target),
            None => find_socket().map(Target::Socket),
        }
    }

    /// The gateway that is named, if one is.
    pub(super) fn named(self) -> Option<Target> {
        match (self.admin_url, self.admin_socket) {
            (Some(url), _) => Some(Target::Url {
                url,
                token: self.admin_token.map(AdminToken::new),
            }),
            (None, Some(socket)) => Some(Target::Socket(socket)),
            (None, None) => None,
        }
    }
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
