//! `ferrogate keys`: virtual keys.

use http::Method;
use serde_json::{Map, Value, json};

use super::{
    ResourceCommand,
    fields::{Reads, field},
    kind::{Id, Kind, Resource},
    show_made,
};
use crate::cli::listing::column;
use crate::cli::session::{ChangeArgs, Common, Session, Write};
use crate::cli::when;

pub(super) const PATH: &str = "api-keys";

/// Make, change, roll and withdraw virtual keys
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Subcommand)]
enum KeysCommand {
    #[command(flatten)]
    Any(ResourceCommand<Keys>),
    /// Give a key a new secret and print it, once
    Rotate(RotateArgs),
}

#[derive(Debug, clap::Args)]
struct RotateArgs {
    /// The key's id
    id: String,
    /// How long the old secret goes on working beside the new one, such as 1h; by default not at all
    #[arg(long, value_name = "TIME", value_parser = when::duration)]
    overlap: Option<std::time::Duration>,
    #[command(flatten)]
    change: ChangeArgs,
}

/// Virtual keys.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Keys;

impl Resource for Keys {
    const KIND: &'static Kind = &Kind {
        noun: "key",
        path: PATH,
        id: Id::Field("id"),
        columns: &[
            column("ID", "id"),
            column("ENABLED", "enabled"),
            column("ORGANIZATION", "organization_id"),
            column("TEAM", "team_id"),
            column("PROJECT", "project_id"),
            column("RPM", "request_limit_per_minute"),
            column("TPM", "token_limit_per_minute"),
            column("BUDGETS", "budgets"),
            column("EXPIRES", "expires_at_unix"),
            column("LAST USED", "last_used_unix_ms"),
            column("ORIGIN", "origin"),
        ],
        fields: &[
            field("id", "id", Reads::Text, "What it is called; not secret"),
            field("name", "name", Reads::Text, "What people call it"),
            field(
                "scopes",
                "scopes",
                Reads::Texts,
                "What it may do; without them what clients may, and never administer",
            ),
            field(
                "organization",
                "organization_id",
                Reads::Text,
                "Whose it is",
            ),
            field("team", "team_id", Reads::Text, "Whose it is"),
            field("project", "project_id", Reads::Text, "Whose it is"),
            field("user", "user_id", Reads::Text, "Whose it is"),
            field(
                "models",
                "allowed_models",
                Reads::Texts,
                "The only models it may use",
            ),
            field(
                "denied-models",
                "denied_models",
                Reads::Texts,
                "Models it may not use",
            ),
            field(
                "providers",
                "allowed_providers",
                Reads::Texts,
                "The only providers it may use",
            ),
            field(
                "denied-providers",
                "denied_providers",
                Reads::Texts,
                "Providers it may not use",
            ),
            field(
                "rpm",
                "request_limit_per_minute",
                Reads::Number,
                "Requests a minute",
            ),
            field(
                "tpm",
                "token_limit_per_minute",
                Reads::Number,
                "Tokens a minute",
            ),
            field(
                "concurrency",
                "concurrency_limit",
                Reads::Number,
                "Requests at once",
            ),
            field(
                "budget",
                "budgets",
                Reads::TokenBudget,
                "Tokens for each hour, day, week, month, or in total; can be repeated",
            ),
            field(
                "money-budget",
                "budgets",
                Reads::MoneyBudget,
                "The same in money",
            ),
            field(
                "expires",
                "expires_at_unix",
                Reads::Expiry,
                "When it ends: 30d, a date, or a time in RFC 3339",
            ),
            field(
                "cache",
                "cache_enabled",
                Reads::Switch,
                "Whether the cache may answer it",
            ),
            field(
                "log-bodies",
                "log_bodies",
                Reads::Switch,
                "Whether what it says is logged, where that is on",
            ),
            field(
                "key-hash",
                "key_hash",
                Reads::Text,
                "The hash of a secret of your own, which `ferrogate hash-key` prints",
            ),
        ],
        defaults: &[],
        secret_keys: &[("key", "give its hash instead, with --key-hash")],
    };
}

/// Runs one command.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(in crate::cli) fn run(args: KeysArgs) -> anyhow::Result<()> {
    let session = Session::open(args.common)?;
    match args.command {
        KeysCommand::Any(command) => command.run(&session),
        KeysCommand::Rotate(args) => rotate(&session, &args),
    }
}

fn rotate(session: &Session, args: &RotateArgs) -> anyhow::Result<()> {
    let mut body = Map::new();
    if let Some(overlap) = args.overlap {
        body.insert("overlap_secs".to_owned(), json!(overlap.as_secs()));
    }
    let answer = session.write(Write {
        method: Method::POST,
        resource: &format!("{}/rotate", Keys::KIND.path_of(&args.id)?),
        body: Some(Value::Object(body)),
        change: &args.change,
    })?;
    show_made(session, &answer)
}
