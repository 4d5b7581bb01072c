//! `ferrogate usage`: sums over the ledger, and how they went over time.

use serde_json::{Value, json};

use super::listing::{self, Column, ListArgs, column};
use super::out::{self, Format};
use super::series::{self, SeriesArgs};
use super::session::{Common, Session};
use super::units::Times;
use super::when;

/// Sums over the ledger, and how they went over time
#[derive(Debug, clap::Args)]
pub(super) struct UsageArgs {
    #[command(subcommand)]
    command: UsageCommand,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Subcommand)]
enum UsageCommand {
    /// Sums for each key, model and provider
    Sums(SumsArgs),
    /// One measure over time, for each key, model, provider or status
    Series(SeriesArgs),
}

#[derive(Debug, clap::Args)]
struct SumsArgs {
    /// Of how long a time each: minute, hour, day or total
    #[arg(long, value_name = "WINDOW", default_value = "total")]
    window: String,
    /// Of one model alone
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Of one key alone
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// Of one provider alone
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// From the window of this time on: 7d, a date, or a time in RFC 3339
    #[arg(long, value_name = "TIME", value_parser = when::past_unix_ms)]
    since: Option<i64>,
    #[command(flatten)]
    list: ListArgs,
}

const COLUMNS: &[Column] = &[
    column("SINCE", "window_start_unix_ms"),
    column("KEY", "api_key_id"),
    column("MODEL", "model"),
    column("PROVIDER", "provider"),
    column("REQUESTS", "requests"),
    column("ERRORS", "errors"),
    column("IN", "tokens.input"),
    column("OUT", "tokens.output"),
    column("COST", "cost_nanos"),
    column("CACHE HITS", "cache_hits"),
    column("SAVED", "saved_nanos"),
];

/// What can be added up.
const SUMMED: [&str; 7] = [
    "requests",
    "errors",
    "tokens.input",
    "tokens.output",
    "cost_nanos",
    "cache_hits",
    "saved_nanos",
];

/// Runs one command.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(super) fn run(args: UsageArgs) -> anyhow::Result<()> {
    let session = Session::open(args.common)?;
    match args.command {
        UsageCommand::Sums(args) => sums(&session, args),
        UsageCommand::Series(args) => series::show(&session, &args),
    }
}

fn sums(session: &Session, args: SumsArgs) -> anyhow::Result<()> {
    let list = args
        .list
        .with("window", Some(args.window))
        .with("model", args.model)
        .with("key", args.key)
        .with("provider", args.provider)
        .with("since", args.since);
    let listed = listing::walk(session, "usage-aggregates", &list)?;
    if session.format == Format::Json {
        return out::show(&listed.json());
    }
    let mut rows = listed.rows.clone();
    if rows.len() > 1 {
        rows.push(total(&rows));
    }
    let table = listing::table(&rows, COLUMNS, Times::Dates);
    out::show(&table.print(out::has_colours()))?;
    listed.tell_rest();
    Ok(())
}

/// A row with the sums of all others.
fn total(rows: &[Value]) -> Value {
    let mut total = json!({"api_key_id": "in all"});
    for field in SUMMED {
        let sum = rows
            .iter()
            .filter_map(|row| listing::at(row, field).as_i64())
            .fold(0_i64, i64::saturating_add);
        match field.split_once('.') {
            Some((table, name)) => total[table][name] = json!(sum),
            None => total[field] = json!(sum),
        }
    }
    total
}
