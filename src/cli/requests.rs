//! `ferrogate requests`: the requests in flight, and how to end one.

use ferrogate_tui::client::segment;
use http::Method;

use super::listing::{self, Column, ListArgs, column};
use super::session::{self, ChangeArgs, Common, ReasonArgs, Session, Write};

/// The requests in flight, and how to end one
#[derive(Debug, clap::Args)]
pub(super) struct RequestsArgs {
    #[command(subcommand)]
    command: RequestsCommand,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Subcommand)]
enum RequestsCommand {
    /// List what has not ended, the oldest first
    #[command(alias = "ls")]
    List(ListArgs),
    /// End one: its provider is left, its client gets an error, and what was made is billed
    Kill(KillArgs),
}

#[derive(Debug, clap::Args)]
struct KillArgs {
    /// Its id, as `list` shows it
    #[arg(required = true)]
    ids: Vec<String>,
    #[command(flatten)]
    reason: ReasonArgs,
}

const IN_FLIGHT: &str = "requests/in-flight";

const COLUMNS: &[Column] = &[
    column("STARTED", "started_at_unix_ms"),
    column("PHASE", "phase"),
    column("METHOD", "method"),
    column("PATH", "path"),
    column("KEY", "api_key_id"),
    column("MODEL", "model"),
    column("PROVIDER", "provider"),
    column("ID", "request_id"),
];

/// Runs one command.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(super) fn run(args: RequestsArgs) -> anyhow::Result<()> {
    let session = Session::open(args.common)?;
    match args.command {
        RequestsCommand::List(args) => {
            listing::show(&session, IN_FLIGHT, &args, (COLUMNS, session::ages()))
        }
        RequestsCommand::Kill(args) => kill(&session, args),
    }
}

fn kill(session: &Session, args: KillArgs) -> anyhow::Result<()> {
    let change = ChangeArgs::from(args.reason);
    for id in &args.ids {
        let answer = session.write(Write {
            method: Method::DELETE,
            resource: &format!("{IN_FLIGHT}/{}", segment(id)),
            body: None,
            change: &change,
        })?;
        session.show(&answer, |_| format!("request {id}: ended\n"))?;
    }
    Ok(())
}
