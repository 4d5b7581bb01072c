//! `ferrogate reload`: another configuration for a running gateway, or nothing at all.
//!
//! 1. A gateway that is named gets the text of `--config`; without one it reads its own file again.
//! 2. `--config` alone means the gateway that the file belongs to, whose socket it names. Where none runs, the file is
//!    judged here and now, and that is said.
//! 3. Exit code 0 says that it is in force, or, where nothing was to be put in force, that it is valid.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, bail};
use ferrogate_api::{ConfigReload, Status};
use ferrogate_tui::{
    Target,
    client::{Call, ClientError},
};
use http::Method;
use serde_json::{Map, Value, json};

use super::admin_target::AdminTargetArgs;
use super::findings;
use super::out::{self, Format};
use super::session::{ChangeArgs, Session, Write, explain};
use super::validate;

/// Give a running gateway another configuration, or check one
///
/// With --admin-url or --admin-socket, that gateway gets the text of --config; without --config it reads its own file
/// again. With --config alone, the gateway that the file belongs to gets it; where none runs, the file is only checked.
/// Requests in flight go on with what they began with. Exit code 0: it is in force (or valid, where it was only
/// checked); 1: it was refused, and nothing has changed.
#[derive(Debug, clap::Args)]
pub(super) struct ReloadArgs {
    /// The configuration file whose text is sent
    #[arg(short, long, env = "FERROGATE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Hand the listeners on to a new process
    #[arg(long)]
    graceful_upgrade: bool,
    #[command(flatten)]
    how: ReloadHow,
    /// How to print the result
    #[arg(short = 'o', long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
    #[command(flatten)]
    gateway: AdminTargetArgs,
}

/// What goes with a reload.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ReloadHow {
    /// Why; it stands in the audit log and in the history
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Only say what would come of it
    #[arg(long)]
    dry_run: bool,
}

/// A configuration on its way to a gateway.
#[derive(Debug, Clone, Default)]
pub(super) struct Sent {
    /// As it was named; `None`: the gateway's own file.
    pub(super) file: Option<String>,
    text: Option<String>,
}

/// No configuration is larger.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Runs the command.
///
/// # Errors
/// The gateway's, or why it could not be asked; a configuration that is refused is none, but an exit code.
pub(super) fn run(args: ReloadArgs) -> anyhow::Result<ExitCode> {
    if args.graceful_upgrade {
        bail!(
            "--graceful-upgrade is not yet supported: restart the gateway instead, for example with \
             `systemctl restart ferrogate`; requests in flight get their time to end"
        );
    }
    match (args.gateway.clone().named(), &args.config) {
        (Some(target), file) => {
            let sent = Sent::read(file.as_deref())?;
            reload(&Session::to(&target, args.output)?, &sent, &args.how)
        }
        (None, Some(file)) => reload_own(file, &args),
        (None, None) => {
            let target = args.gateway.target()?;
            let session = Session::to(&target, args.output)?;
            reload(&session, &Sent::default(), &args.how)
        }
    }
}

/// Gives the configuration to the gateway of `session`.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(super) fn reload(session: &Session, sent: &Sent, how: &ReloadHow) -> anyhow::Result<ExitCode> {
    let mut body = sent.body();
    body.insert("dry_run".to_owned(), json!(how.dry_run));
    if let Some(reason) = &how.reason {
        body.insert("reason".to_owned(), json!(reason));
    }
    let answer = session.write(Write {
        method: Method::POST,
        resource: "config/reload",
        body: Some(Value::Object(body)),
        change: &ChangeArgs {
            reason: how.reason.clone(),
            if_match: None,
        },
    })?;
    let done: ConfigReload = serde_json::from_value(answer.json().clone())
        .context("the gateway's answer is not what the admin API promises")?;
    if session.format == Format::Json {
        session.show(&answer, |_| String::new())?;
    } else {
        eprint!(
            "{}",
            findings::lines(&done.errors, "error", sent.file.as_deref())
        );
        eprint!(
            "{}",
            findings::lines(&done.warnings, "warning", sent.file.as_deref())
        );
        out::show(&report(&done, sent, how.dry_run))?;
    }
    Ok(exit_code(&done, how.dry_run))
}

/// The gateway that runs with this file, if one does.
fn reload_own(file: &Path, args: &ReloadArgs) -> anyhow::Result<ExitCode> {
    let sent = Sent::read(Some(file))?;
    let checked = match validate::check(file) {
        Ok(checked) => checked,
        Err(error) if args.output == Format::Json => {
            let report = json!({
                "valid": false,
                "committed": false,
                "validate_only": true,
                "error": format!("{error:#}"),
            });
            out::show(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
            return Ok(ExitCode::FAILURE);
        }
        Err(error) => {
            eprintln!("{error:#}");
            let text = format!(
                "{} is not valid; nothing was sent to a gateway\n",
                file.display()
            );
            out::show(&text)?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let socket = checked.config().admin.socket.clone();
    let session = Session::to(&Target::Socket(socket.clone()), args.output)?;
    match session.call(Call::new(Method::GET, "status")) {
        Ok(answer) => {
            let status: Option<Status> = serde_json::from_value(answer.json().clone()).ok();
            if let (Some(status), Format::Table) = (status, args.output) {
                eprintln!(
                    "the gateway at {} runs as process {}",
                    socket.display(),
                    status.process.pid
                );
            }
            reload(&session, &sent, &args.how)
        }
        Err(error) if error.is_nobody_there() => checked_alone(file, &checked, &socket, args),
        Err(error @ ClientError::Unreachable { .. }) => Err(explain(error)).with_context(|| {
            format!(
                "{} is valid, and the gateway that runs with it could not be asked",
                file.display()
            )
        }),
        Err(error) => Err(explain(error)),
    }
}

/// The report of the original's `reload` without a gateway.
fn checked_alone(
    file: &Path,
    checked: &validate::Checked,
    socket: &Path,
    args: &ReloadArgs,
) -> anyhow::Result<ExitCode> {
    if args.output == Format::Json {
        let report = json!({
            "valid": true,
            "committed": false,
            "validate_only": true,
            "warnings": checked.warnings(),
        });
        out::show(&format!("{}\n", serde_json::to_string_pretty(&report)?))?;
        return Ok(ExitCode::SUCCESS);
    }
    for warning in checked.warnings() {
        eprintln!("warning: {warning}");
    }
    out::show(&format!(
        "{}\nvalidate only: no gateway answers at {}, so nothing was reloaded; --admin-url or --admin-socket names one\n",
        checked.summary(file),
        socket.display()
    ))?;
    Ok(ExitCode::SUCCESS)
}

impl Sent {
    /// Reads the file that is to be sent, if one is.
    ///
    /// # Errors
    /// When it cannot be read, or is in a form that is not yet supported.
    pub(super) fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = file else {
            return Ok(Self::default());
        };
        let name = path.display().to_string();
        if name.ends_with("Caddyfile") || name.ends_with(".caddyfile") {
            bail!("{name}: Caddyfile is not yet supported; write TOML");
        }
        let mut text = String::new();
        File::open(path)
            .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text))
            .with_context(|| format!("{name} cannot be read"))?;
        if u64::try_from(text.len()).is_ok_and(|length| length > FILE_BYTES_MAX) {
            bail!("{name} is larger than 16 MiB");
        }
        Ok(Self {
            file: Some(name),
            text: Some(text),
        })
    }

    /// The text, or where to read it.
    pub(super) fn body(&self) -> Map<String, Value> {
        let mut body = Map::new();
        match &self.text {
            Some(text) => body.insert("config_toml".to_owned(), json!(text)),
            None => body.insert("source".to_owned(), json!("file")),
        };
        body
    }

    /// What messages call it.
    pub(super) fn name(&self) -> &str {
        self.file.as_deref().unwrap_or("the gateway's file")
    }
}

/// In force, or, after a dry run, able to be.
fn exit_code(done: &ConfigReload, dry_run: bool) -> ExitCode {
    let can_be = done.valid && findings::mode(done.mode, &done.restart_keys).is_none();
    if done.committed || (dry_run && can_be) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn report(done: &ConfigReload, sent: &Sent, dry_run: bool) -> String {
    let name = sent.name();
    let mut text = findings::changes(&done.changes);
    if done.committed {
        let revision = match done.revision {
            Some(revision) => format!("revision {revision}"),
            None => "nothing had to be changed".to_owned(),
        };
        text.push_str(&format!(
            "{name} is in force: {revision}, snapshot {}\n",
            done.active_snapshot
        ));
        if !done.persisted {
            text.push_str(
                "the gateway's own file says something else, and a restart goes by that: put the new text there\n",
            );
        }
        return text;
    }
    if let Some(mode) = findings::mode(done.mode, &done.restart_keys) {
        text.push_str(&mode);
    }
    text.push_str(&match (done.valid, dry_run) {
        (true, true) => {
            format!("{name} is valid; nothing was changed, as a dry run was asked for\n")
        }
        (true, false) => format!(
            "{name} is valid and not in force; snapshot {} goes on\n",
            done.active_snapshot
        ),
        (false, _) => format!(
            "{name} was refused; snapshot {} goes on\n",
            done.active_snapshot
        ),
    });
    text
}

#[cfg(test)]
mod tests {
    use ferrogate_api::ReloadMode;

    use super::*;

    fn done(committed: bool, valid: bool, mode: ReloadMode) -> ConfigReload {
        ConfigReload {
            valid,
            committed,
            mode,
            active_snapshot: "7-ab12".to_owned(),
            candidate_snapshot: "8-cd34".to_owned(),
            error: None,
            errors: Vec::new(),
            warnings: Vec::new(),
            restart_keys: vec!["listen".to_owned()],
            changes: Vec::new(),
            revision: committed.then_some(8),
            persisted: true,
        }
    }

    #[test]
    fn the_exit_code_tells_what_is_in_force() {
        let check = |reload: &ConfigReload, dry_run: bool, succeeds: bool| {
            let code = exit_code(reload, dry_run);
            let expected = if succeeds {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            };
            assert_eq!(code, expected, "{reload:?} {dry_run}");
        };
        let local = ReloadMode::ProcessLocal;
        check(&done(true, true, local), false, true);
        check(&done(false, false, local), false, false);
        check(
            &done(false, true, ReloadMode::ListenerLevelRequired),
            false,
            false,
        );
        check(&done(false, true, ReloadMode::RestartRequired), true, false);
        check(&done(false, true, local), true, true);
        check(&done(false, false, local), true, false);
    }

    #[test]
    fn a_report_says_what_is_in_force_and_what_to_do() {
        let sent = Sent {
            file: Some("a.toml".to_owned()),
            text: None,
        };
        let check = |reload: &ConfigReload, dry_run: bool, expected: &str| {
            let text = report(reload, &sent, dry_run);
            assert!(text.contains(expected), "{text}");
        };
        let local = ReloadMode::ProcessLocal;
        check(
            &done(true, true, local),
            false,
            "a.toml is in force: revision 8, snapshot 7-ab12\n",
        );
        let unsaved = ConfigReload {
            persisted: false,
            ..done(true, true, local)
        };
        check(&unsaved, false, "put the new text there");
        check(
            &done(false, true, ReloadMode::ListenerLevelRequired),
            false,
            "listener-level-required: the change needs new listeners: listen\n",
        );
        check(
            &done(false, false, local),
            false,
            "a.toml was refused; snapshot 7-ab12 goes on\n",
        );
        check(&done(false, true, local), true, "a dry run was asked for");
    }

    #[test]
    fn a_caddyfile_is_refused_by_its_name() {
        let error = Sent::read(Some(Path::new("/x/Caddyfile"))).unwrap_err();
        assert!(error.to_string().contains("not yet supported"), "{error}");
    }
}
