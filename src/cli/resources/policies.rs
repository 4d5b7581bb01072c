//! `ferrogate policies`: rules that deny.

use serde_json::{Map, Value, json};

use super::{
    ResourceCommand,
    document::DocumentArgs,
    fields::{Flags, Reads, field},
    kind::{Id, Kind, Resource},
};
use crate::cli::listing::{self, column};
use crate::cli::out;
use crate::cli::session::{self, Common, Session};
use crate::cli::units;

/// Rules that deny, and what they would have denied
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PoliciesArgs {
    #[command(subcommand)]
    command: PoliciesCommand,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Subcommand)]
enum PoliciesCommand {
    #[command(flatten)]
    Any(ResourceCommand<Policies>),
    /// Say what would have been refused of the requests that were: by the policies in force, or by one that is
    /// written here or in a file
    DryRun(DryRunArgs),
}

#[derive(Debug, clap::Args)]
struct DryRunArgs {
    /// The requests of the last so many hours
    #[arg(long, value_name = "N", default_value_t = 24)]
    last_hours: u32,
    #[command(flatten)]
    flags: Flags<Policies>,
    #[command(flatten)]
    document: DocumentArgs,
}

/// Rules that deny.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Policies;

impl Resource for Policies {
    const KIND: &'static Kind = &Kind {
        noun: "policy",
        path: "policies",
        id: Id::Field("name"),
        columns: &[
            column("NAME", "name"),
            column("ENABLED", "enabled"),
            column("ORGANIZATIONS", "organization_ids"),
            column("KEYS", "api_key_ids"),
            column("MODELS", "models"),
            column("PROVIDERS", "providers"),
            column("WHEN", "when"),
            column("CODE", "code"),
            column("ORIGIN", "origin"),
        ],
        fields: &[
            field("name", "name", Reads::Text, "What it is called"),
            field(
                "organizations",
                "organization_ids",
                Reads::Texts,
                "Whose requests it is about",
            ),
            field(
                "teams",
                "team_ids",
                Reads::Texts,
                "Whose requests it is about",
            ),
            field(
                "projects",
                "project_ids",
                Reads::Texts,
                "Whose requests it is about",
            ),
            field(
                "users",
                "user_ids",
                Reads::Texts,
                "Whose requests it is about",
            ),
            field(
                "keys",
                "api_key_ids",
                Reads::Texts,
                "Whose requests it is about",
            ),
            field("models", "models", Reads::Texts, "Which models it is about"),
            field(
                "providers",
                "providers",
                Reads::Texts,
                "Which providers it is about",
            ),
            field(
                "code",
                "code",
                Reads::Text,
                "The error code that clients get",
            ),
            field("message", "message", Reads::Text, "What clients are told"),
            field(
                "hours",
                "when.hours",
                Reads::Text,
                "When it holds, such as 22:00-06:00",
            ),
            field(
                "days",
                "when.days",
                Reads::Texts,
                "On which days: mon to sun",
            ),
            field(
                "time-zone",
                "when.time_zone",
                Reads::Text,
                "Whose clock that is, such as Europe/Berlin",
            ),
            field(
                "tokens-above",
                "when.estimated_tokens_above",
                Reads::Number,
                "Only requests estimated above so many tokens",
            ),
            field(
                "cost-above",
                "when.estimated_cost_above",
                Reads::Decimal,
                "Only requests estimated above so much money",
            ),
            field(
                "streaming",
                "when.streaming",
                Reads::Switch,
                "Only requests that stream, or do not",
            ),
        ],
        defaults: &[("effect", "deny")],
        secret_keys: &[],
    };
}

/// Runs one command.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(in crate::cli) fn run(args: PoliciesArgs) -> anyhow::Result<()> {
    let session = Session::open(args.common)?;
    match args.command {
        PoliciesCommand::Any(command) => command.run(&session),
        PoliciesCommand::DryRun(args) => dry_run(&session, &args),
    }
}

fn dry_run(session: &Session, args: &DryRunArgs) -> anyhow::Result<()> {
    let mut body = Map::new();
    body.insert("hours".to_owned(), json!(args.last_hours));
    let mut policy = args.document.document(Policies::KIND, args.flags.read()?)?;
    if !policy.is_empty() {
        policy.entry("name").or_insert_with(|| json!("draft"));
        Policies::KIND.fill_in(&mut policy);
        body.insert("policy".to_owned(), Value::Object(policy));
    }
    let answer = session.post("policies:dry-run", Value::Object(body))?;
    session.show(&answer, report)
}

fn report(done: &Value) -> String {
    let number = |name: &str| {
        let number = done.get(name).and_then(Value::as_i64);
        units::grouped(number.unwrap_or_default())
    };
    let mut text = format!(
        "{} requests of a key to a model\n{} of them would have been refused\n{} were refused at the time\n",
        number("examined"),
        number("refused"),
        number("already_refused"),
    );
    if let Some(Value::Array(counts)) = done.get("by_policy")
        && !counts.is_empty()
    {
        let columns = [
            column("POLICY", "name"),
            column("REFUSED", "refused"),
            column("SUCH AS", "sample_request_ids"),
        ];
        let table = listing::table(counts, &columns, session::ages());
        text.push('\n');
        text.push_str(&table.print(out::has_colours()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dry_run_says_how_many_and_by_whom() {
        let text = report(&json!({
            "examined": 5120, "refused": 31, "already_refused": 12,
            "by_policy": [{"name": "draft", "refused": 31, "sample_request_ids": ["01a2"]}],
        }));
        assert_eq!(
            text,
            "5,120 requests of a key to a model\n31 of them would have been refused\n12 were refused at the time\n\n\
             POLICY  REFUSED  SUCH AS\ndraft        31  01a2\n"
        );
    }
}
