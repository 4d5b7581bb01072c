//! `ferrogate cache`: what the response cache holds, and how to empty it.

use http::Method;
use serde_json::{Value, json};

use super::details;
use super::session::{self, ChangeArgs, Common, ReasonArgs, Session, Write};
use super::units;

/// What the response cache holds, and how to empty it
#[derive(Debug, clap::Args)]
pub(super) struct CacheArgs {
    #[command(subcommand)]
    command: CacheCommand,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Subcommand)]
enum CacheCommand {
    /// Show how full it is and what it has saved
    Show,
    /// Take answers out of it
    Purge(PurgeArgs),
}

#[derive(Debug, clap::Args)]
#[group(id = "what", required = true, multiple = false, args = ["model", "account", "all"])]
struct PurgeArgs {
    /// Those to one model
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Those that the requests of one account left there: key:ID, organization:ID and so on
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    /// Every one
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    reason: ReasonArgs,
}

/// Runs one command.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(super) fn run(args: CacheArgs) -> anyhow::Result<()> {
    let session = Session::open(args.common)?;
    match args.command {
        CacheCommand::Show => {
            let answer = session.get("cache", &[])?;
            session.show(&answer, |cache| details::of(cache, session::ages()))
        }
        CacheCommand::Purge(args) => purge(&session, args),
    }
}

fn purge(session: &Session, args: PurgeArgs) -> anyhow::Result<()> {
    let body = match (args.model, args.account) {
        (Some(model), _) => json!({"model": model}),
        (None, Some(account)) => json!({"account": account}),
        (None, None) => json!({"all": args.all}),
    };
    let answer = session.write(Write {
        method: Method::POST,
        resource: "cache:purge",
        body: Some(body),
        change: &ChangeArgs::from(args.reason),
    })?;
    session.show(&answer, |done| {
        let purged = done.get("purged").and_then(Value::as_i64);
        format!(
            "{} answers were taken out\n",
            units::grouped(purged.unwrap_or_default())
        )
    })
}
