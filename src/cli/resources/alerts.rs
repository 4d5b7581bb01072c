//! `ferrogate alerts`: what the gateway watches of itself, and how that stands.

use http::Method;
use serde_json::{Map, Value, json};

use super::{
    ResourceCommand,
    fields::{Reads, field},
    kind::{Id, Kind, Resource},
};
use crate::cli::details;
use crate::cli::listing::column;
use crate::cli::session::{self, ChangeArgs, Common, Session, Write};
use crate::cli::when;

/// What the gateway watches of itself, and whom it tells
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct AlertsArgs {
    #[command(subcommand)]
    command: AlertsCommand,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Subcommand)]
enum AlertsCommand {
    #[command(flatten)]
    Any(ResourceCommand<Alerts>),
    /// Take an alert on: its webhook is told nothing more until it was resolved
    #[command(alias = "ack")]
    Acknowledge(AcknowledgeArgs),
    /// Tell its webhook once, and say what came of it
    Test(TestArgs),
}

#[derive(Debug, clap::Args)]
struct AcknowledgeArgs {
    /// Its name
    name: String,
    /// Tell the webhook again after so long should it still fire, such as 2h; by default not before it was resolved
    #[arg(long, value_name = "TIME", value_parser = when::duration)]
    silence: Option<std::time::Duration>,
    #[command(flatten)]
    change: ChangeArgs,
}

#[derive(Debug, clap::Args)]
struct TestArgs {
    /// Its name
    name: String,
    #[command(flatten)]
    change: ChangeArgs,
}

/// Alert rules.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Alerts;

impl Resource for Alerts {
    const KIND: &'static Kind = &Kind {
        noun: "alert",
        path: "alerts",
        id: Id::Field("name"),
        columns: &[
            column("NAME", "name"),
            column("ENABLED", "enabled"),
            column("STATE", "state"),
            column("SINCE", "since_unix_ms"),
            column("METRIC", "metric"),
            column("VALUE", "value"),
            column("ABOVE", "above"),
            column("BELOW", "below"),
            column("SEVERITY", "severity"),
            column("TAKEN ON BY", "acknowledged.actor"),
            column("TOLD", "last_delivery.ok"),
            column("ORIGIN", "origin"),
        ],
        fields: &[
            field("name", "name", Reads::Text, "What it is called"),
            field(
                "metric",
                "metric",
                Reads::Text,
                "What it watches, such as error_rate_percent",
            ),
            field("above", "above", Reads::Decimal, "It holds above this"),
            field("below", "below", Reads::Decimal, "It holds below this"),
            field(
                "window-secs",
                "window_secs",
                Reads::Number,
                "Over how long it is counted",
            ),
            field(
                "for-secs",
                "for_secs",
                Reads::Number,
                "How long it has to hold before anybody is told",
            ),
            field("model", "model", Reads::Text, "Only requests for it"),
            field(
                "provider",
                "provider",
                Reads::Text,
                "Only requests to it, or its health",
            ),
            field("key", "api_key", Reads::Text, "Only requests of it"),
            field(
                "account",
                "account",
                Reads::Text,
                "Only its budgets, such as organization:acme",
            ),
            field("severity", "severity", Reads::Text, "warning or critical"),
            field(
                "webhook-url",
                "webhook_url",
                Reads::Text,
                "Who gets a POST of JSON",
            ),
            field(
                "webhook-url-env",
                "webhook_url_env",
                Reads::Text,
                "The gateway's environment variable with the address",
            ),
            field(
                "webhook-secret-env",
                "webhook_secret_env",
                Reads::Text,
                "The gateway's environment variable with the bearer token",
            ),
            field("message", "message", Reads::Text, "For whoever is told"),
        ],
        defaults: &[],
        secret_keys: &[],
    };
}

/// Runs one command.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(in crate::cli) fn run(args: AlertsArgs) -> anyhow::Result<()> {
    let session = Session::open(args.common)?;
    match args.command {
        AlertsCommand::Any(command) => command.run(&session),
        AlertsCommand::Acknowledge(args) => acknowledge(&session, &args),
        AlertsCommand::Test(args) => test(&session, &args),
    }
}

fn acknowledge(session: &Session, args: &AcknowledgeArgs) -> anyhow::Result<()> {
    let mut body = Map::new();
    if let Some(silence) = args.silence {
        body.insert("silence_secs".to_owned(), json!(silence.as_secs()));
    }
    let path = Alerts::KIND.path_of(&args.name)?;
    let answer = session.write(Write {
        method: Method::POST,
        resource: &format!("{path}/acknowledge"),
        body: Some(Value::Object(body)),
        change: &args.change,
    })?;
    session.show(&answer, |one| details::of(one, session::dates_and_ages()))
}

fn test(session: &Session, args: &TestArgs) -> anyhow::Result<()> {
    let path = Alerts::KIND.path_of(&args.name)?;
    let answer = session.write(Write {
        method: Method::POST,
        resource: &format!("{path}/test"),
        body: None,
        change: &args.change,
    })?;
    session.show(&answer, report)?;
    if answer.json().get("ok") != Some(&Value::Bool(true)) {
        anyhow::bail!("the webhook of alert {} was not told", args.name);
    }
    Ok(())
}

fn report(delivery: &Value) -> String {
    let status = delivery.get("status").and_then(Value::as_u64);
    match (delivery.get("error").and_then(Value::as_str), status) {
        (None, Some(status)) => format!("told: it answered with status {status}\n"),
        (None, None) => "told\n".to_owned(),
        (Some(error), _) => format!("not told: {error}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_says_what_the_webhook_made_of_it() {
        let check = |delivery: Value, expected: &str| assert_eq!(report(&delivery), expected);
        check(
            json!({"ok": true, "status": 204, "error": null}),
            "told: it answered with status 204\n",
        );
        check(
            json!({"ok": false, "status": 500, "error": "it answered with status 500"}),
            "not told: it answered with status 500\n",
        );
        check(
            json!({"ok": false, "status": null, "error": "it could not be reached"}),
            "not told: it could not be reached\n",
        );
    }
}
