//! `ferrogate config`: what a running gateway goes by, what would change, and its history.

mod history;
mod transfer;

use std::{path::PathBuf, process::ExitCode};

use anyhow::bail;
use ferrogate_api::{ConfigDiff, ConfigReport};
use ferrogate_tui::client::{Answer, sanitise};
use http::Method;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use self::{
    history::{RevisionArgs, RollbackArgs},
    transfer::{ExportArgs, ImportArgs},
};
use super::findings;
use super::listing::ListArgs;
use super::out::Format;
use super::reload::{self, ReloadHow, Sent};
use super::session::{ChangeArgs, Common, Session, Write};

/// What a running gateway goes by, what would change, and its history
#[derive(Debug, clap::Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Subcommand)]
enum ConfigCommand {
    /// Print what it goes by, without secrets
    Show,
    /// Ask it what is wrong with a configuration; exit code 1 when something is
    Validate(FileArgs),
    /// Show what a configuration would change
    Diff(DiffArgs),
    /// Put a configuration in force, or nothing; exit code 1 when it is refused
    Reload(ReloadArgs),
    /// List what was changed, by whom and why
    Revisions(ListArgs),
    /// Show one change
    Revision(RevisionArgs),
    /// Make what the API changed as it was at a revision; the file's part is printed as a diff
    Rollback(RollbackArgs),
    /// Print the whole as one file that another gateway can be started with
    Export(ExportArgs),
    /// Take over what another gateway exported
    Import(ImportArgs),
}

#[derive(Debug, clap::Args)]
struct FileArgs {
    /// The file whose text is meant; without one, the gateway's own
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct DiffArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Exit code 1 when something would change
    #[arg(long)]
    exit_code: bool,
}

#[derive(Debug, clap::Args)]
struct ReloadArgs {
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    how: ReloadHow,
}

/// Why, and whether in earnest.
#[derive(Debug, clap::Args)]
struct How {
    /// Why; it stands in the audit log and in the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
}

/// Runs one command.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(super) fn run(args: ConfigArgs) -> anyhow::Result<ExitCode> {
    let session = Session::open(args.common)?;
    match args.command {
        ConfigCommand::Show => show(&session)?,
        ConfigCommand::Validate(args) => return validate(&session, &args),
        ConfigCommand::Diff(args) => return diff(&session, &args),
        ConfigCommand::Reload(args) => {
            let sent = Sent::read(args.file.config.as_deref())?;
            return reload::reload(&session, &sent, &args.how);
        }
        ConfigCommand::Revisions(args) => history::revisions(&session, &args)?,
        ConfigCommand::Revision(args) => history::revision(&session, &args)?,
        ConfigCommand::Rollback(args) => history::rollback(&session, &args)?,
        ConfigCommand::Export(args) => transfer::export(&session, &args)?,
        ConfigCommand::Import(args) => transfer::import(&session, &args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(session: &Session) -> anyhow::Result<()> {
    let answer = session.get("config", &[])?;
    session.show(&answer, |view| {
        let text = |name: &str| view.get(name).and_then(Value::as_str);
        text("text").unwrap_or_default().to_owned()
    })
}

fn validate(session: &Session, args: &FileArgs) -> anyhow::Result<ExitCode> {
    let sent = Sent::read(args.config.as_deref())?;
    let answer = session.post("config/validate", Value::Object(sent.body()))?;
    let report: ConfigReport = read(answer.json())?;
    if session.format == Format::Table {
        let file = sent.file.as_deref();
        eprint!("{}", findings::lines(&report.errors, "error", file));
        eprint!("{}", findings::lines(&report.warnings, "warning", file));
    }
    session.show(&answer, |_| {
        let mut text = findings::changes(&report.changes);
        let name = sent.name();
        if report.valid {
            text.push_str(&format!("{name} is valid\n"));
        } else {
            text.push_str(&format!("{name} is not valid\n"));
        }
        if let Some(mode) = findings::mode(report.reload_mode, &report.restart_keys) {
            text.push_str(&mode);
        }
        text
    })?;
    Ok(if report.valid {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn diff(session: &Session, args: &DiffArgs) -> anyhow::Result<ExitCode> {
    let sent = Sent::read(args.file.config.as_deref())?;
    let answer = session.post("config:diff", Value::Object(sent.body()))?;
    let diff: ConfigDiff = read(answer.json())?;
    session.show(&answer, |_| sanitise::clean_lines(&diff.text).into_owned())?;
    Ok(if args.exit_code && !diff.changes.is_empty() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

impl How {
    fn post(
        &self,
        session: &Session,
        resource: &str,
        mut body: Map<String, Value>,
    ) -> anyhow::Result<Answer> {
        body.insert("dry_run".to_owned(), json!(self.dry_run));
        if let Some(reason) = &self.reason {
            body.insert("reason".to_owned(), json!(reason));
        }
        session.write(Write {
            method: Method::POST,
            resource,
            body: Some(Value::Object(body)),
            change: &ChangeArgs {
                reason: self.reason.clone(),
                if_match: None,
            },
        })
    }
}

fn read<T: DeserializeOwned>(value: &Value) -> anyhow::Result<T> {
    match serde_json::from_value(value.clone()) {
        Ok(read) => Ok(read),
        Err(error) => bail!("the gateway's answer is not what the admin API promises: {error}"),
    }
}
