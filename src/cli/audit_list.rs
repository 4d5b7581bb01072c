//! `ferrogate audit list`: who did what, and when.

use super::listing::{self, Column, ListArgs, column};
use super::session::{Common, Session};
use super::units::Times;
use super::when;

/// Which events of the audit log.
#[derive(Debug, clap::Args)]
pub(super) struct AuditListArgs {
    /// By whom: the id of an admin key, or unix:uid=…
    #[arg(long, value_name = "ACTOR")]
    actor: Option<String>,
    /// What was done, such as api_key.rotate
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// What it was done to, such as api_key:dev
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    /// How it went: ok, or the code of the error
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
    /// Not before: 2h, a date, or a time in RFC 3339
    #[arg(long, value_name = "TIME", value_parser = when::past_unix_ms)]
    since: Option<i64>,
    /// Not after, in the same words
    #[arg(long, value_name = "TIME", value_parser = when::past_unix_ms)]
    until: Option<i64>,
    #[command(flatten)]
    list: ListArgs,
    #[command(flatten)]
    common: Common,
}

const COLUMNS: &[Column] = &[
    column("TIME", "occurred_at_unix_ms"),
    column("ACTOR", "actor"),
    column("ACTION", "action"),
    column("TARGET", "target"),
    column("OUTCOME", "outcome"),
    column("MESSAGE", "message"),
    column("ID", "id"),
];

/// Prints the events, newest first.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(super) fn run(args: AuditListArgs) -> anyhow::Result<()> {
    let session = Session::open(args.common)?;
    let list = args
        .list
        .with("actor", args.actor)
        .with("action", args.action)
        .with("target", args.target)
        .with("outcome", args.outcome)
        .with("since", args.since)
        .with("until", args.until);
    listing::show(&session, "audit-events", &list, (COLUMNS, Times::Dates))
}
