//! The oldest revisions of the configuration leave; the newest always stays, for the next one to count from.

use rusqlite::{Connection, Error, OptionalExtension, params};

use super::{StepOutcome, limits::Keep, slice::Slice};
use crate::store::columns;

pub(super) fn step(
    connection: &Connection,
    keep: Keep,
    slice: &Slice,
) -> Result<StepOutcome, Error> {
    let Some(records) = keep.records else {
        return Ok(StepOutcome::last(0));
    };
    let last_to_leave: Option<i64> = connection
        .prepare_cached(
            "SELECT revision FROM config_revisions ORDER BY revision DESC LIMIT 1 OFFSET ?1",
        )?
        .query_row([columns::from_count(records.max(1))], |row| row.get(0))
        .optional()?;
    let Some(last_to_leave) = last_to_leave else {
        return Ok(StepOutcome::last(0));
    };
    let removed = connection
        .prepare_cached(
            "DELETE FROM config_revisions WHERE revision IN (
                 SELECT revision FROM config_revisions WHERE revision <= ?1 ORDER BY revision LIMIT ?2)",
        )?
        .execute(params![last_to_leave, slice.rows_as_limit()])?;
    Ok(StepOutcome {
        removed: columns::length(removed),
        more: removed >= slice.rows_max,
    })
}
