//! `ferrogate providers`: who answers AI requests, how they do, and what they offer.

use anyhow::bail;
use serde_json::{Value, json};

use super::{
    ResourceCommand,
    fields::{Reads, field},
    kind::{Id, Kind, Resource},
};
use crate::cli::listing::{self, ListArgs, column};
use crate::cli::out::{self, Format};
use crate::cli::session::{self, Common, Session};
use crate::cli::table::{Cell, Table};
use crate::cli::units;

/// Who answers AI requests, how they do, and what they offer
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ProvidersArgs {
    #[command(subcommand)]
    command: ProvidersCommand,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Subcommand)]
enum ProvidersCommand {
    #[command(flatten)]
    Any(Box<ResourceCommand<Providers>>),
    /// Show what requests have shown of them of late; nobody is asked for it
    Health(OfProvider),
    /// Ask them now what models they offer
    #[command(alias = "catalog")]
    Catalogue(OfProvider),
}

#[derive(Debug, clap::Args)]
struct OfProvider {
    /// One of them alone
    name: Option<String>,
}

/// Providers.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Providers;

impl Resource for Providers {
    const KIND: &'static Kind = &Kind {
        noun: "provider",
        path: "providers",
        id: Id::Field("name"),
        columns: &[
            column("NAME", "name"),
            column("KIND", "kind"),
            column("ENABLED", "enabled"),
            column("BASE URL", "base_url"),
            column("CREDENTIAL", "credential"),
            column("ORIGIN", "origin"),
        ],
        fields: &[
            field("name", "name", Reads::Text, "What models call it"),
            field(
                "kind",
                "kind",
                Reads::Text,
                "openai, openai-compatible, azure, openrouter, xai, anthropic or gemini",
            ),
            field(
                "base-url",
                "base_url",
                Reads::Text,
                "Where it is; kinds with one public address need none",
            ),
            field(
                "api-key-stdin",
                "api_key",
                Reads::SecretInput,
                "Read its key from standard input; the gateway seals it, and never shows it again",
            ),
            field(
                "api-key-env",
                "api_key_env",
                Reads::Text,
                "The gateway's environment variable with its key",
            ),
            field(
                "api-key-file",
                "api_key_file",
                Reads::Text,
                "The file with its key, on the gateway's machine",
            ),
            field(
                "api-key-credential",
                "api_key_credential",
                Reads::Text,
                "The systemd credential with its key",
            ),
            field("apis", "apis", Reads::Texts, "What it speaks"),
            field(
                "api-version",
                "api_version",
                Reads::Text,
                "The version of its API, for azure and anthropic",
            ),
        ],
        defaults: &[],
        secret_keys: &[("api_key", "pipe it in, with --api-key-stdin")],
    };
}

/// Runs one command.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(in crate::cli) fn run(args: ProvidersArgs) -> anyhow::Result<()> {
    let session = Session::open(args.common)?;
    match args.command {
        ProvidersCommand::Any(command) => command.run(&session),
        ProvidersCommand::Health(of) => health(&session, of.name.as_deref()),
        ProvidersCommand::Catalogue(of) => catalogue(&session, of.name.as_deref()),
    }
}

fn health(session: &Session, of: Option<&str>) -> anyhow::Result<()> {
    let args = ListArgs::default().with("provider", of);
    let listed = listing::walk(session, "provider-health", &args)?;
    if session.format == Format::Json {
        return out::show(&listed.json());
    }
    out::show(&health_tables(&listed.rows))
}

/// The providers, then their models as far as they have been asked.
fn health_tables(providers: &[Value]) -> String {
    let columns = [
        column("PROVIDER", "provider"),
        column("KIND", "kind"),
        column("ENABLED", "enabled"),
        column("STATUS", "status"),
        column("BREAKER", "breaker.state"),
        column("FAILED IN A ROW", "breaker.consecutive_failures"),
        column("PROBED FROM", "breaker.retry_at_unix_ms"),
    ];
    let times = session::ages();
    let colours = out::has_colours();
    let mut text = listing::table(providers, &columns, times).print(colours);
    let mut models = Table::new([
        "PROVIDER",
        "MODEL",
        "REQUESTS",
        "FAILURES",
        "OF LATE",
        "LATENCY",
        "LAST ERROR",
        "AT",
    ]);
    let mut has_models = false;
    for provider in providers {
        for model in entries(provider, "models") {
            has_models = true;
            let cell = |name: &str| units::cell(name, listing::at(model, name), times);
            let permille = model.get("failure_permille").and_then(Value::as_u64);
            let permille = permille.unwrap_or_default();
            models.row([
                units::cell("provider", listing::at(provider, "provider"), times),
                cell("provider_model"),
                cell("requests"),
                cell("failures"),
                Cell::right(format!("{}.{} %", permille / 10, permille % 10)),
                cell("latency_us"),
                cell("last_error_code"),
                cell("last_error_at_unix_ms"),
            ]);
        }
    }
    if has_models {
        text.push('\n');
        text.push_str(&models.print(colours));
    }
    text
}

fn catalogue(session: &Session, of: Option<&str>) -> anyhow::Result<()> {
    let args = ListArgs::default().with("provider", of);
    let listed = listing::walk(session, "provider-models", &args)?;
    if session.format == Format::Json {
        return out::show(&listed.json());
    }
    out::show(&catalogue_table(&listed.rows))?;
    let mut unread = Vec::new();
    for provider in &listed.rows {
        if let Some(error) = provider.get("error").and_then(Value::as_str) {
            let name = provider.get("provider").and_then(Value::as_str);
            unread.push(format!("{}: {error}", name.unwrap_or_default()));
        }
    }
    if !unread.is_empty() {
        bail!("{}", unread.join("\n"));
    }
    Ok(())
}

fn catalogue_table(providers: &[Value]) -> String {
    let mut rows = Vec::new();
    for provider in providers {
        for model in entries(provider, "models") {
            let mut row = model.clone();
            row["provider"] = json!(provider.get("provider"));
            rows.push(row);
        }
    }
    let columns = [
        column("PROVIDER", "provider"),
        column("MODEL", "id"),
        column("CONFIGURED", "configured"),
        column("CONTEXT", "context_window"),
        column("MAX OUTPUT", "max_output_tokens"),
        column("NAME", "display_name"),
    ];
    listing::table(&rows, &columns, session::ages()).print(out::has_colours())
}

fn entries<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_has_a_line_for_each_provider_and_each_model() {
        let providers = [
            json!({
                "provider": "openai", "kind": "openai", "enabled": true, "status": "degraded",
                "breaker": {"state": "closed", "consecutive_failures": 1, "retry_at_unix_ms": null},
                "models": [{
                    "provider_model": "gpt-4o-mini", "requests": 1200, "failures": 3, "failure_permille": 25,
                    "latency_us": 182_000, "last_error_code": "provider_error", "last_error_at_unix_ms": null,
                }],
            }),
            json!({
                "provider": "idle", "kind": "gemini", "enabled": false, "status": "unknown",
                "breaker": {"state": "off", "consecutive_failures": 0, "retry_at_unix_ms": null},
                "models": [],
            }),
        ];
        assert_eq!(
            health_tables(&providers),
            "PROVIDER  KIND    ENABLED  STATUS    BREAKER  FAILED IN A ROW  PROBED FROM\n\
             openai    openai  yes      degraded  closed                 1  -\n\
             idle      gemini  no       unknown   off                    0  -\n\n\
             PROVIDER  MODEL        REQUESTS  FAILURES  OF LATE  LATENCY  LAST ERROR      AT\n\
             openai    gpt-4o-mini     1,200         3    2.5 %   182 ms  provider_error  -\n"
        );
    }

    #[test]
    fn a_catalogue_names_the_provider_of_each_model() {
        let providers = [json!({
            "provider": "a", "models": [{"id": "m", "configured": true, "context_window": 8192}],
        })];
        assert_eq!(
            catalogue_table(&providers),
            "PROVIDER  MODEL  CONFIGURED  CONTEXT  MAX OUTPUT  NAME\na         m      yes           8,192  -           -\n"
        );
    }
}
