//! Whether the databases are sound, as [`crate::store`] sees them.

use std::{path::Path, time::Duration};

use ferrogate_tui::format;

use super::check::Check;
use crate::cli::units::counted;
use crate::store::{self, DatabaseCheck, SchemaCheck};

/// For all files together.
const TIME_MAX: Duration = Duration::from_secs(20);
/// The writer empties the log between batches; one so large means that it does not get to it.
const WAL_BYTES_WARN: u64 = 256 << 20;
const WAL_BYTES_FAIL: u64 = 2 << 30;

/// Looks at every database file in `directory`.
pub(super) fn check(directory: &Path) -> Vec<Check> {
    if !directory.exists() {
        return vec![Check::skipped(
            "databases",
            format!("{} is made by the first start", directory.display()),
        )];
    }
    match store::check_databases(directory, TIME_MAX) {
        Ok(databases) if databases.is_empty() => vec![Check::skipped(
            "databases",
            format!("there are none in {} yet", directory.display()),
        )],
        Ok(databases) => report(&databases),
        Err(error) => vec![Check::warn(
            "databases",
            format!("{:#}", anyhow::Error::from(error)),
            "run the doctor as root or as the gateway's user",
        )],
    }
}

fn report(databases: &[DatabaseCheck]) -> Vec<Check> {
    let mut checks: Vec<Check> = databases.iter().filter_map(trouble).collect();
    if checks.is_empty() {
        let bytes = databases.iter().map(|database| database.size_bytes).sum();
        checks.push(Check::ok(
            "databases",
            format!(
                "{}, {}: sound, and of this version's schema",
                counted(databases.len(), "file", "files"),
                format::bytes(bytes)
            ),
        ));
    }
    checks.push(write_ahead_logs(databases));
    checks
}

fn trouble(database: &DatabaseCheck) -> Option<Check> {
    let file = database.path.file_name().unwrap_or_default();
    let name = format!("database {}", file.display());
    if !database.problems.is_empty() {
        return Some(Check::fail(
            name,
            database.problems.join("\n"),
            "stop the gateway, keep a copy of the file, and restore a backup: ferrogate backup restore",
        ));
    }
    match database.schema {
        SchemaCheck::Newer { found, known } => Some(Check::fail(
            name,
            format!("a newer version has written it: schema {found}, this one knows {known}"),
            "run that version again, or restore a backup from before it",
        )),
        // Between its making and its first migration, which is a moment.
        SchemaCheck::Older { found: 0, .. } => {
            Some(Check::skipped(name, "it is being made just now"))
        }
        SchemaCheck::Older { found, known } => Some(Check::warn(
            name,
            format!("schema {found}, this version has {known}"),
            "the next start of this version brings it up to date, after a backup",
        )),
        SchemaCheck::Current | SchemaCheck::Unknown if !database.checked_whole => {
            Some(Check::skipped(
                name,
                format!(
                    "{} are too much to look at in {} s",
                    format::bytes(database.size_bytes),
                    TIME_MAX.as_secs()
                ),
            ))
        }
        SchemaCheck::Current | SchemaCheck::Unknown => None,
    }
}

fn write_ahead_logs(databases: &[DatabaseCheck]) -> Check {
    const NAME: &str = "write-ahead logs";
    let Some(largest) = databases.iter().max_by_key(|database| database.wal_bytes) else {
        return Check::skipped(NAME, "there are no databases");
    };
    let found = format!(
        "the largest is {}, of {}",
        format::bytes(largest.wal_bytes),
        largest.path.display()
    );
    let remedy = "something reads for very long, or the disk is too slow: look for `cannot checkpoint` in the log, \
                  end what reads the file, and restart the gateway";
    match largest.wal_bytes {
        bytes if bytes >= WAL_BYTES_FAIL => Check::fail(NAME, found, remedy),
        bytes if bytes >= WAL_BYTES_WARN => Check::warn(NAME, found, remedy),
        _ => Check::ok(NAME, found),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;

    fn database() -> DatabaseCheck {
        DatabaseCheck {
            path: "/data/ferrogate.db".into(),
            size_bytes: 1 << 20,
            wal_bytes: 4096,
            schema: SchemaCheck::Current,
            problems: Vec::new(),
            checked_whole: true,
        }
    }

    #[test]
    fn each_trouble_has_its_own_state() {
        let check = |database: DatabaseCheck, expected: State, about: &str| {
            let checks = report(&[database]);
            assert_eq!(checks[0].state, expected, "{checks:?}");
            assert!(checks[0].found.contains(about), "{checks:?}");
        };
        check(database(), State::Ok, "1 file, 1.0 MiB");
        let problems = vec!["page 3 is wrong".to_owned()];
        let damaged = DatabaseCheck {
            problems,
            ..database()
        };
        check(damaged, State::Fail, "page 3 is wrong");
        let (found, known) = (9, 5);
        let newer = DatabaseCheck {
            schema: SchemaCheck::Newer { found, known },
            ..database()
        };
        check(newer, State::Fail, "schema 9");
        let older = DatabaseCheck {
            schema: SchemaCheck::Older { found: 1, known },
            ..database()
        };
        check(older, State::Warn, "schema 1");
        let new = DatabaseCheck {
            schema: SchemaCheck::Older { found: 0, known },
            ..database()
        };
        check(new, State::Skipped, "being made");
        let large = DatabaseCheck {
            checked_whole: false,
            ..database()
        };
        check(large, State::Skipped, "too much");
    }

    #[test]
    fn a_log_that_grows_is_told() {
        let check = |wal_bytes: u64, expected: State| {
            let database = DatabaseCheck {
                wal_bytes,
                ..database()
            };
            let checks = report(&[database]);
            assert_eq!(checks[1].state, expected, "{checks:?}");
        };
        check(64 << 20, State::Ok);
        check(256 << 20, State::Warn);
        check(2 << 30, State::Fail);
    }
}
