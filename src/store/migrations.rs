//! Brings a database file to the schema of this version. `migrations/README.md` says how to change it.

use std::path::Path;

use refinery::Runner;
use rusqlite::Connection;

use super::StoreError;

mod ferrogate {
    refinery::embed_migrations!("migrations/ferrogate");
}

mod state {
    refinery::embed_migrations!("migrations/state");
}

mod requests {
    refinery::embed_migrations!("migrations/requests");
}

/// Which kind of database file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schema {
    Ledger,
    RequestLogs,
    State,
}

impl Schema {
    pub(super) fn runner(self) -> Runner {
        let runner = match self {
            Self::Ledger => ferrogate::migrations::runner(),
            Self::RequestLogs => requests::migrations::runner(),
            Self::State => state::migrations::runner(),
        };
        // One transaction for the change and its entry in the history: refinery's default is one for each, and a
        // process killed between them leaves a file that can never be opened again.
        runner.set_grouped(true)
    }

    /// The version that this version of FerroGate brings files to.
    pub(super) fn known_version(self) -> i64 {
        let runner = self.runner();
        let versions = runner.get_migrations().iter();
        versions
            .map(|migration| i64::from(migration.version()))
            .max()
            .unwrap_or_default()
    }
}

/// The version that a file with rows in it is about to be brought to; `None` for one that is new, or as it should be.
pub(super) fn pending(
    connection: &Connection,
    path: &Path,
    schema: Schema,
) -> Result<Option<i64>, StoreError> {
    let (found, known) = versions(connection, path, schema)?;
    Ok((found > 0 && found < known).then_some(known))
}

/// Applies what is missing; refuses a file that a newer version has written.
pub(super) fn migrate(
    connection: &mut Connection,
    path: &Path,
    schema: Schema,
) -> Result<(), StoreError> {
    let (found, known) = versions(connection, path, schema)?;
    if found < known {
        schema
            .runner()
            .run(connection)
            .map_err(|source| StoreError::Migrate {
                path: path.to_owned(),
                source: Box::new(source),
            })?;
    }
    Ok(())
}

/// Refuses a file with any other schema than ours, for who only reads it.
pub(super) fn require_current(
    connection: &Connection,
    path: &Path,
    schema: Schema,
) -> Result<(), StoreError> {
    let (found, known) = versions(connection, path, schema)?;
    if found < known {
        return Err(StoreError::OlderSchema {
            path: path.to_owned(),
            found,
            known,
        });
    }
    Ok(())
}

/// The version of the file, which is at most the one that we know, and that one.
fn versions(
    connection: &Connection,
    path: &Path,
    schema: Schema,
) -> Result<(i64, i64), StoreError> {
    let known = schema.known_version();
    let found = applied_version(connection).map_err(|source| StoreError::Open {
        path: path.to_owned(),
        source,
    })?;
    if found > known {
        return Err(StoreError::NewerSchema {
            path: path.to_owned(),
            found,
            known,
        });
    }
    Ok((found, known))
}

/// The newest version in the file's history, 0 for a new file. Read here and not through refinery, which panics on a
/// history that it cannot parse: a damaged file must be an error.
pub(super) fn applied_version(connection: &Connection) -> Result<i64, rusqlite::Error> {
    let has_history: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'refinery_schema_history')",
        [],
        |row| row.get(0),
    )?;
    if !has_history {
        return Ok(0);
    }
    connection.query_row(
        "SELECT coalesce(max(version), 0) FROM refinery_schema_history",
        [],
        |row| row.get(0),
    )
}
