//! `ferrogate drain`: taking a gateway out of service, and putting it back.

use std::time::{Duration, Instant};

use anyhow::bail;
use ferrogate_tui::client::Answer;
use http::Method;
use serde_json::{Value, json};

use super::details;
use super::session::{self, ChangeArgs, Common, ReasonArgs, Session, Write};
use super::when;

/// Take a gateway out of service, and put it back
#[derive(Debug, clap::Args)]
pub(super) struct DrainArgs {
    #[command(subcommand)]
    command: DrainCommand,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Subcommand)]
enum DrainCommand {
    /// Say that it is not ready any more; requests in flight go on
    Start(StartArgs),
    /// Take up work again
    Stop(ReasonArgs),
    /// Say whether it takes new work, and what is in flight
    Status,
}

#[derive(Debug, clap::Args)]
struct StartArgs {
    /// Refuse new AI requests at once, in place of serving them until a balancer has noticed
    #[arg(long)]
    refuse_new: bool,
    /// Wait until nothing is in flight, at most so long, such as 60s; exit code 1 when something still is
    #[arg(long, value_name = "TIME", value_parser = when::duration)]
    wait: Option<Duration>,
    #[command(flatten)]
    reason: ReasonArgs,
}

const RESOURCE: &str = "drain";
const POLL: Duration = Duration::from_millis(250);

/// Runs one command.
///
/// # Errors
/// The gateway's, why it could not be asked, or that something is in flight after the wait.
pub(super) fn run(args: DrainArgs) -> anyhow::Result<()> {
    let session = Session::open(args.common)?;
    match args.command {
        DrainCommand::Start(args) => start(&session, args),
        DrainCommand::Stop(reason) => {
            let answer = session.write(Write {
                method: Method::DELETE,
                resource: RESOURCE,
                body: None,
                change: &ChangeArgs::from(reason),
            })?;
            show(&session, &answer)
        }
        DrainCommand::Status => show(&session, &session.get(RESOURCE, &[])?),
    }
}

fn start(session: &Session, args: StartArgs) -> anyhow::Result<()> {
    let mut body = json!({"drain": true});
    if args.refuse_new {
        body["refuse_new"] = json!(true);
    }
    if let Some(reason) = &args.reason.reason {
        body["reason"] = json!(reason);
    }
    let mut answer = session.write(Write {
        method: Method::POST,
        resource: RESOURCE,
        body: Some(body),
        change: &ChangeArgs::from(args.reason),
    })?;
    let begun = Instant::now();
    while let Some(limit) = args.wait {
        let in_flight = in_flight(answer.json());
        if in_flight == 0 {
            break;
        }
        if begun.elapsed() >= limit {
            show(session, &answer)?;
            bail!("{in_flight} requests are still in flight; it goes on draining");
        }
        session.block_on(tokio::time::sleep(POLL));
        answer = session.get(RESOURCE, &[])?;
    }
    show(session, &answer)
}

fn in_flight(status: &Value) -> u64 {
    status
        .get("in_flight")
        .and_then(Value::as_u64)
        .unwrap_or_default()
}

fn show(session: &Session, answer: &Answer) -> anyhow::Result<()> {
    session.show(answer, |status| details::of(status, session::ages()))
}
