//! `ferrogate backup`: copies of the databases. One is made by the gateway that runs, or from the disk where none does;
//! everything else works on the folder that holds them, with a gateway or without.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Subcommand;
use ferrogate_api::{Backup, BackupReport, NewBackup};
use ferrogate_tui::Target;
use http::Method;
use jiff::Timestamp;

use super::admin_target::AdminTargetArgs;
use super::data_directory::{DataArgs, DataDirectory};
use super::out::{self, Format};
use super::session::{ChangeArgs, Session, Write};
use crate::clock::Clock;
use crate::store::{self, BackupRequest, Restored, StoreError};

/// Make, list, verify, restore and prune copies of the databases
#[derive(Debug, clap::Args)]
pub(super) struct BackupArgs {
    #[command(subcommand)]
    command: BackupCommand,
    /// How to print the result
    #[arg(
        short = 'o',
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    output: Format,
}

#[derive(Debug, Subcommand)]
enum BackupCommand {
    /// Make one: by the gateway that runs, or from the disk where none does
    Create(Box<CreateArgs>),
    /// List those there are, newest first
    List(PlaceArgs),
    /// Read one from beginning to end, try a copy of it and say whether it can be restored; exit code 1 when it cannot
    Verify(OneArgs),
    /// Put one in the place of the databases of a gateway that does not run; what was there is moved aside
    Restore(RestoreArgs),
    /// Delete the oldest
    Prune(PruneArgs),
}

#[derive(Debug, clap::Args)]
struct PlaceArgs {
    /// The folder that holds the backups [default: `[backup] path` of the configuration, or `backups` in the data directory]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// The request logs too
    #[arg(long)]
    include_request_logs: bool,
    /// Why; it stays in the manifest and in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Ask no gateway: copy from the disk, where none has the data directory open
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    gateway: AdminTargetArgs,
}

#[derive(Debug, clap::Args)]
struct OneArgs {
    /// The name of a backup, or the path of its folder
    #[arg(value_name = "BACKUP")]
    backup: String,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Debug, clap::Args)]
struct RestoreArgs {
    #[command(flatten)]
    one: OneArgs,
    /// Into this data directory [default: the one whose backup it is]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct PruneArgs {
    /// How many of the newest stay [default: `[backup] keep`]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Runs one command.
///
/// # Errors
/// When it could not be done, or what was verified is not sound.
pub(super) fn run(args: BackupArgs) -> anyhow::Result<()> {
    let format = args.output;
    match args.command {
        BackupCommand::Create(args) => create(*args, format),
        BackupCommand::List(place) => list(&place, format),
        BackupCommand::Verify(one) => verify(&one, format),
        BackupCommand::Restore(args) => restore(&args, format),
        BackupCommand::Prune(args) => prune(&args, format),
    }
}

impl PlaceArgs {
    fn folder(&self) -> anyhow::Result<PathBuf> {
        match &self.dir {
            Some(folder) => Ok(folder.clone()),
            None => Ok(self.data.directory()?.backup.path),
        }
    }
}

impl OneArgs {
    /// A path has a slash in it, or is there; anything else is a name.
    fn folder(&self) -> anyhow::Result<PathBuf> {
        let path = Path::new(&self.backup);
        if self.backup.contains('/') || path.is_dir() {
            return Ok(path.to_owned());
        }
        let folder = self.place.folder()?.join(path);
        if !folder.is_dir() {
            bail!(
                "there is no backup `{}` in {}",
                self.backup,
                folder.parent().unwrap_or(path).display()
            );
        }
        Ok(folder)
    }
}

fn create(args: CreateArgs, format: Format) -> anyhow::Result<()> {
    let made = if args.offline {
        from_disk(&args)?
    } else {
        by_gateway_or_from_disk(&args, format)?
    };
    show(format, &made, || described(&made))
}

/// A gateway that was named is the one that is meant, and so is that of a data directory that was. Where none was and none
/// answers, the disk is copied, unless some gateway has it open after all.
fn by_gateway_or_from_disk(args: &CreateArgs, format: Format) -> anyhow::Result<Backup> {
    let is_named = args.gateway.clone().named().is_some();
    let asked = target(args).and_then(|target| by_gateway(args, &Session::to(&target, format)?));
    let why = match asked {
        Ok(made) => return Ok(made),
        Err(why) if is_named => return Err(why),
        Err(why) => why,
    };
    match from_disk(args) {
        Ok(made) => {
            eprintln!("no gateway answers; the backup was made from the disk");
            Ok(made)
        }
        Err(error) if matches!(error.downcast_ref(), Some(StoreError::InUse { .. })) => Err(why),
        Err(error) => Err(why.context(format!("nor can the disk be copied: {error:#}"))),
    }
}

/// Whoever names a data directory must not get a backup of another.
fn target(args: &CreateArgs) -> anyhow::Result<Target> {
    match args.gateway.clone().named() {
        Some(named) => Ok(named),
        None if args.place.data.is_named() => {
            Ok(Target::Socket(args.place.data.directory()?.socket))
        }
        None => args.gateway.clone().target(),
    }
}

fn by_gateway(args: &CreateArgs, session: &Session) -> anyhow::Result<Backup> {
    let body = NewBackup {
        include_request_logs: args.include_request_logs.then_some(true),
        reason: args.reason.clone(),
    };
    let answer = session.write(Write {
        method: Method::POST,
        resource: "backups",
        body: Some(serde_json::to_value(body)?),
        change: &ChangeArgs::default(),
    })?;
    serde_json::from_value(answer.json().clone()).context("the gateway's answer is no backup")
}

fn from_disk(args: &CreateArgs) -> anyhow::Result<Backup> {
    let DataDirectory { path, backup, .. } = args.place.data.directory()?;
    let folder = args.place.dir.clone().unwrap_or(backup.path);
    let request = BackupRequest {
        include_request_logs: args.include_request_logs || backup.include_request_logs,
        reason: args.reason.clone().unwrap_or_default(),
        config_sha256: None,
    };
    Ok(store::create_backup(
        &path,
        &folder,
        &request,
        &Clock::system(),
    )?)
}

fn list(place: &PlaceArgs, format: Format) -> anyhow::Result<()> {
    let folder = place.folder()?;
    let backups = store::list_backups(&folder)?;
    show(format, &backups, || {
        let mut text = format!("{}\n\n", folder.display());
        for backup in &backups {
            text.push_str(&format!(
                "{:<48} {:>14} bytes  {}\n",
                backup.name,
                backup.size_bytes(),
                backup.reason
            ));
        }
        if backups.is_empty() {
            text.push_str("No backups.\n");
        }
        text
    })
}

fn verify(one: &OneArgs, format: Format) -> anyhow::Result<()> {
    let report = store::verify_backup(&one.folder()?)?;
    show(format, &report, || judged(&report))?;
    if report.ok {
        Ok(())
    } else {
        Err(anyhow!("the backup {} cannot be restored", report.name))
    }
}

fn restore(args: &RestoreArgs, format: Format) -> anyhow::Result<()> {
    let backup = args.one.folder()?;
    let to = match &args.to {
        Some(directory) => directory.clone(),
        None => args.one.place.data.directory()?.path,
    };
    let restored = store::restore_backup(&backup, &to, &Clock::system())
        .with_context(|| format!("{} was not restored", backup.display()))?;
    let told = serde_json::json!({
        "backup": restored.backup,
        "data_directory": to,
        "moved_to": restored.moved_to,
        "moved": restored.moved,
    });
    show(format, &told, || done(&to, &restored))
}

fn prune(args: &PruneArgs, format: Format) -> anyhow::Result<()> {
    let (folder, keep) = match (&args.place.dir, args.keep) {
        (Some(folder), Some(keep)) => (folder.clone(), keep),
        (folder, keep) => {
            let configured = args.place.data.directory()?.backup;
            (
                folder.clone().unwrap_or(configured.path),
                keep.unwrap_or(configured.keep),
            )
        }
    };
    let deleted = store::prune_backups(&folder, keep)?;
    let told = serde_json::json!({"deleted": deleted});
    show(format, &told, || {
        let mut text = String::new();
        for name in &deleted {
            text.push_str(&format!("{name} deleted\n"));
        }
        text.push_str(&format!("{} deleted in all\n", deleted.len()));
        text
    })
}

fn show<T: serde::Serialize>(
    format: Format,
    value: &T,
    text: impl FnOnce() -> String,
) -> anyhow::Result<()> {
    match format {
        Format::Json => out::show(&format!("{}\n", serde_json::to_string_pretty(value)?)),
        Format::Table => out::show(&text()),
    }
}

fn described(backup: &Backup) -> String {
    let time = Timestamp::from_millisecond(backup.created_at_unix_ms);
    let mut text = format!("{}\n", backup.name);
    if let Ok(time) = time {
        text.push_str(&format!("made at {time}\n"));
    }
    for file in &backup.files {
        text.push_str(&format!(
            "  {:<28} {:>14} bytes\n",
            file.name, file.size_bytes
        ));
    }
    for name in &backup.omitted {
        text.push_str(&format!("  {name:<28} is damaged and was left out\n"));
    }
    text
}

fn judged(report: &BackupReport) -> String {
    let mut text = format!("{}\n\n", report.name);
    for check in &report.checks {
        let mark = if check.ok { "ok " } else { "BAD" };
        text.push_str(&format!("{mark}  {}: {}\n", check.what, check.found));
    }
    text.push_str(if report.ok {
        "\nIt can be restored.\n"
    } else {
        "\nIt cannot be restored.\n"
    });
    text
}

fn done(to: &Path, restored: &Restored) -> String {
    let mut text = String::new();
    if let Some(aside) = &restored.moved_to {
        text.push_str(&format!("moved to {}:\n", aside.display()));
        for name in &restored.moved {
            text.push_str(&format!("  {name}\n"));
        }
    }
    text.push_str(&format!("restored into {}:\n", to.display()));
    for file in &restored.backup.files {
        text.push_str(&format!("  {}\n", file.name));
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use ferrogate_api::{BackupCheck, BackupFile};

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[command(flatten)]
        backup: BackupArgs,
    }

    fn parsed(line: &str) -> Option<BackupCommand> {
        let cli = Cli::try_parse_from(line.split(' ')).ok()?;
        Some(cli.backup.command)
    }

    #[test]
    fn a_backup_is_meant_by_its_name_or_by_its_path() {
        let check = |line: &str, expected: Option<&str>| {
            let Some(BackupCommand::Verify(one)) = parsed(line) else {
                panic!("{line}");
            };
            let folder = one.folder().ok();
            assert_eq!(folder.as_deref(), expected.map(Path::new), "{line}");
        };
        check(
            "backup verify /mnt/20260101T120000Z",
            Some("/mnt/20260101T120000Z"),
        );
        check("backup verify ./x", Some("./x"));
        check("backup verify nowhere --dir /nowhere/at/all", None);
    }

    #[test]
    fn at_least_one_backup_stays() {
        assert!(parsed("backup prune --keep 1 --dir /b").is_some());
        assert!(parsed("backup prune --keep 0 --dir /b").is_none());
        assert!(parsed("backup restore").is_none());
        assert!(parsed("backup list --config a.toml --data-dir /data").is_none());
    }

    #[test]
    fn what_was_done_can_be_read() {
        let backup = Backup {
            name: "20260101T120000Z".to_owned(),
            created_at_unix_ms: 1_767_268_800_000,
            files: vec![BackupFile {
                name: "ferrogate.db".to_owned(),
                size_bytes: 4_096,
                sha256: String::new(),
            }],
            omitted: vec!["requests-2026-01-01.db".to_owned()],
            ..Backup::default()
        };
        let text = described(&backup);
        assert!(
            text.starts_with("20260101T120000Z\nmade at 2026-01-01T12:00:00Z\n"),
            "{text}"
        );
        assert!(
            text.contains("requests-2026-01-01.db       is damaged"),
            "{text}"
        );
        let restored = Restored {
            backup,
            moved_to: Some("/data/before-restore-x".into()),
            moved: vec!["ferrogate.db".to_owned()],
        };
        assert_eq!(
            done(Path::new("/data"), &restored),
            "moved to /data/before-restore-x:\n  ferrogate.db\nrestored into /data:\n  ferrogate.db\n"
        );
        let report = BackupReport {
            checks: vec![BackupCheck {
                what: "manifest".to_owned(),
                ok: false,
                found: "is none".to_owned(),
            }],
            ..BackupReport::default()
        };
        let text = judged(&report);
        assert!(
            text.contains("BAD  manifest: is none\n") && text.ends_with("cannot be restored.\n"),
            "{text}"
        );
    }
}
