//! How each job is doing: for operators, and on the disk, so that a restart forgets nothing.

use std::collections::HashMap;

use rusqlite::{Connection, Error, OptionalExtension, params};

use crate::store::columns;

/// What is remembered of one job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) last_started_at_unix_ms: Option<i64>,
    pub(super) last_duration_ms: Option<u64>,
    pub(super) last_outcome: Option<String>,
    pub(super) last_removed: u64,
    pub(super) removed_total: u64,
}

/// All that is known.
pub(super) fn load(connection: &Connection) -> Result<HashMap<String, Standing>, Error> {
    connection
        .prepare("SELECT * FROM retention_jobs")?
        .query_map([], |row| {
            let standing = Standing {
                last_started_at_unix_ms: row.get("last_started_at_unix_ms")?,
                last_duration_ms: columns::optional_count(row, "last_duration_ms")?,
                last_outcome: row.get("last_outcome")?,
                last_removed: columns::count(row, "last_removed")?,
                removed_total: columns::count(row, "removed_total")?,
            };
            Ok((row.get("name")?, standing))
        })?
        .collect()
}

pub(super) fn save(connection: &Connection, name: &str, standing: &Standing) -> Result<(), Error> {
    let duration_ms = standing.last_duration_ms.map(columns::from_count);
    connection
        .prepare_cached(
            "INSERT INTO retention_jobs (
                 name, last_started_at_unix_ms, last_duration_ms, last_outcome, last_removed, removed_total
             ) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (name) DO UPDATE SET
                 last_started_at_unix_ms = excluded.last_started_at_unix_ms,
                 last_duration_ms        = excluded.last_duration_ms,
                 last_outcome            = excluded.last_outcome,
                 last_removed            = excluded.last_removed,
                 removed_total           = excluded.removed_total",
        )?
        .execute(params![
            name,
            standing.last_started_at_unix_ms,
            duration_ms,
            standing.last_outcome,
            columns::from_count(standing.last_removed),
            columns::from_count(standing.removed_total),
        ])?;
    Ok(())
}

/// Counts, in the transaction that removes them, what has left.
pub(super) fn add_removed(connection: &Connection, name: &str, rows: u64) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO retention_jobs (name, removed_total) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET removed_total = removed_total + excluded.removed_total",
        )?
        .execute(params![name, columns::from_count(rows)])?;
    Ok(())
}

/// Notes, in the transaction that removes it, from when on a kind of row is whole. It never goes back.
pub(super) fn keep_from(connection: &Connection, name: &str, unix_ms: i64) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO retention_jobs (name, kept_from_unix_ms) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET
                 kept_from_unix_ms = max(coalesce(kept_from_unix_ms, excluded.kept_from_unix_ms),
                                         excluded.kept_from_unix_ms)",
        )?
        .execute(params![name, unix_ms])?;
    Ok(())
}

/// From when on a kind of row is whole; `None` where nothing has left.
pub(in crate::store) fn kept_from(
    connection: &Connection,
    name: &str,
) -> Result<Option<i64>, Error> {
    let kept_from = connection
        .prepare_cached("SELECT kept_from_unix_ms FROM retention_jobs WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    Ok(kept_from.flatten())
}
