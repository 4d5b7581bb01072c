//! The history of a gateway's configuration: what was changed, and the way back.

use ferrogate_api::{ConfigRevision, ConfigRollback};
use ferrogate_tui::client::sanitise;
use serde_json::{Map, Value, json};

use super::{How, read};
use crate::cli::findings;
use crate::cli::listing::{self, Column, ListArgs, column};
use crate::cli::out::{self, Format};
use crate::cli::session::{self, Session};
use crate::cli::units::{self, Times};

#[derive(Debug, clap::Args)]
pub(super) struct RevisionArgs {
    /// Its number
    revision: u64,
}

#[derive(Debug, clap::Args)]
pub(super) struct RollbackArgs {
    /// The number of the revision to go back to
    revision: u64,
    #[command(flatten)]
    how: How,
}

const REVISIONS: &str = "config/revisions";

const REVISION_COLUMNS: &[Column] = &[
    column("REVISION", "revision"),
    column("TIME", "occurred_at_unix_ms"),
    column("BY", "actor"),
    column("SOURCE", "source"),
    column("CHANGES", "what"),
    column("REASON", "reason"),
];

/// Lists what was changed.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(super) fn revisions(session: &Session, args: &ListArgs) -> anyhow::Result<()> {
    let listed = listing::walk(session, REVISIONS, args)?;
    if session.format == Format::Json {
        return out::show(&listed.json());
    }
    let rows: Vec<Value> = listed.rows.iter().map(with_summary).collect();
    let table = listing::table(&rows, REVISION_COLUMNS, Times::Dates);
    out::show(&table.print(out::has_colours()))?;
    listed.tell_rest();
    Ok(())
}

/// The revision with its changes in a few words.
fn with_summary(revision: &Value) -> Value {
    /// What a table has room for.
    const SHOWN_MAX: usize = 3;
    let mut row = revision.clone();
    let Ok(read) = read::<ConfigRevision>(revision) else {
        return row;
    };
    let lines = findings::changes(&read.changes);
    let mut words: Vec<String> = lines.lines().take(SHOWN_MAX).map(str::to_owned).collect();
    let more = read.changes.len().saturating_sub(SHOWN_MAX);
    if more > 0 {
        words.push(format!("and {more} more"));
    }
    row["what"] = json!(words.join(", "));
    row
}

/// Prints one change, with before and after.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(super) fn revision(session: &Session, args: &RevisionArgs) -> anyhow::Result<()> {
    let answer = session.get(&format!("{REVISIONS}/{}", args.revision), &[])?;
    let revision: ConfigRevision = read(answer.json())?;
    session.show(&answer, |_| {
        let mut text = format!(
            "revision {}, {} by {} ({})\n",
            revision.revision,
            units::time(revision.occurred_at_unix_ms, session::dates_and_ages()),
            sanitise::clean(&revision.actor),
            revision.source,
        );
        if !revision.reason.is_empty() {
            text.push_str(&format!("{}\n", sanitise::clean(&revision.reason)));
        }
        for change in &revision.changes {
            text.push_str(&findings::changes(std::slice::from_ref(change)));
            for (word, value) in [("before", &change.before), ("after", &change.after)] {
                if let Some(value) = value {
                    text.push_str(&format!(
                        "    {word:<6}  {}\n",
                        sanitise::clean(&value.to_string())
                    ));
                }
            }
        }
        text
    })
}

/// Makes what the API changed as it was.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(super) fn rollback(session: &Session, args: &RollbackArgs) -> anyhow::Result<()> {
    let resource = format!("{REVISIONS}/{}/rollback", args.revision);
    let answer = args.how.post(session, &resource, Map::new())?;
    let done: ConfigRollback = read(answer.json())?;
    session.show(&answer, |_| {
        let mut text = findings::changes(&done.restored);
        text.push_str(&match (done.revision, args.how.dry_run) {
            (_, true) => "nothing was changed, as a dry run was asked for\n".to_owned(),
            (Some(revision), false) => {
                format!("as at revision {}: revision {revision}\n", args.revision)
            }
            (None, false) => "nothing had to be changed\n".to_owned(),
        });
        if !done.file_diff.is_empty() {
            text.push_str(
                "\nthe gateway does not write its file; this would make it as it was:\n\n",
            );
            text.push_str(&sanitise::clean_lines(&done.file_diff));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_summed_up_in_a_line() {
        let change = |name: &str| json!({"section": "models", "name": name, "action": "create", "before": null, "after": {}});
        let changes = ["a", "b", "c", "d", "e"].map(change);
        let row = with_summary(&json!({
            "revision": 7, "occurred_at_unix_ms": 1, "actor": "admin", "source": "api", "reason": "",
            "changes": changes, "file_sha256": null,
        }));
        assert_eq!(
            row["what"],
            "+ models a, + models b, + models c, and 2 more"
        );
    }
}
