//! Taking what one gateway goes by to another.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use ferrogate_api::ConfigImport;
use ferrogate_tui::client::{Body, sanitise};
use serde_json::json;

use super::{How, read};
use crate::cli::findings;
use crate::cli::out;
use crate::cli::reload::Sent;
use crate::cli::session::Session;

#[derive(Debug, clap::Args)]
pub(super) struct ExportArgs {
    /// Only what the API made, without the file's part
    #[arg(long)]
    managed: bool,
    /// Write it to a new file that only its owner can read; it holds sealed secrets and the hashes of keys
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct ImportArgs {
    /// The exported file
    file: PathBuf,
    /// Replace what is there already, and pass over what the gateway's own file declares
    #[arg(long)]
    adopt: bool,
    #[command(flatten)]
    how: How,
}

/// Prints the whole as one file, or writes it.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(super) fn export(session: &Session, args: &ExportArgs) -> anyhow::Result<()> {
    let query: &[(&str, &str)] = if args.managed {
        &[("managed", "true")]
    } else {
        &[]
    };
    let answer = session.get("config/export", query)?;
    if let Some(path) = &args.to {
        return write_private(path, answer.raw())
            .with_context(|| format!("{} cannot be written", path.display()));
    }
    match &answer.body {
        // A file gets the very bytes; on a terminal nothing of them may drive it.
        Body::Text(text) if out::is_terminal() => out::show(text),
        _ => out::show_bytes(answer.raw()),
    }
}

/// A new file: an older one may be read by others, or be all there is.
fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(())
}

/// Takes over what another gateway exported.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(super) fn import(session: &Session, args: &ImportArgs) -> anyhow::Result<()> {
    let sent = Sent::read(Some(&args.file))?;
    let mut body = sent.body();
    body.insert("adopt".to_owned(), json!(args.adopt));
    let answer = args.how.post(session, "config/import", body)?;
    let done: ConfigImport = read(answer.json())?;
    session.show(&answer, |_| {
        let mut text = findings::changes(&done.changes);
        for (word, counts) in [
            ("taken over", &done.imported),
            ("passed over", &done.skipped),
        ] {
            for (kind, count) in counts.iter().filter(|(_, count)| **count > 0) {
                text.push_str(&format!("{word}: {count} {}\n", sanitise::clean(kind)));
            }
        }
        text.push_str(&match (done.revision, args.how.dry_run) {
            (_, true) => "nothing was changed, as a dry run was asked for\n".to_owned(),
            (Some(revision), false) => format!("revision {revision}\n"),
            (None, false) => "nothing had to be changed\n".to_owned(),
        });
        text
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn an_export_is_a_new_file_that_others_cannot_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("export.toml");
        write_private(&path, b"a = 1\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"a = 1\n");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(write_private(&path, b"b = 1\n").is_err());
        assert_eq!(fs::read(&path).unwrap(), b"a = 1\n");
    }
}
