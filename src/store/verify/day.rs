//! The ledger one UTC day after the other: every window of a rollup lies within one.

use rusqlite::{Connection, Error, OptionalExtension, Params, params};

use crate::store::{
    columns,
    listing::Position,
    usage_rollups::{DAY_MS, HOUR_MS, MINUTE_MS, floor},
};

/// Before any time that can be reckoned with.
pub(super) const FIRST_UNIX_MS: i64 = i64::MIN / 4;
const LAST_UNIX_MS: i64 = i64::MAX / 4;

pub(super) fn end(start_unix_ms: i64) -> i64 {
    start_unix_ms.saturating_add(DAY_MS)
}

/// The start of the next day that has a row of any kind in it, from the start of a day on.
pub(super) fn next(connection: &Connection, from_unix_ms: i64) -> Result<Option<i64>, Error> {
    let request: Option<_> = connection
        .prepare_cached(
            "SELECT request_id FROM metering_events WHERE request_id >= ?1 ORDER BY request_id LIMIT 1",
        )?
        .query_row([Position::start_of(from_unix_ms).id()], |row| {
            columns::request_id(row, "request_id")
        })
        .optional()?;
    let displaced = time(
        connection,
        "SELECT occurred_at_unix_ms FROM metering_events INDEXED BY metering_events_displaced
         WHERE displaced = 1 AND occurred_at_unix_ms >= ?1 ORDER BY occurred_at_unix_ms LIMIT 1",
        params![from_unix_ms],
    )?;
    let charge = time(
        connection,
        "SELECT starts_at_unix_ms FROM budget_adjustments INDEXED BY budget_adjustments_charges
         WHERE kind IN ('correction', 'closing') AND starts_at_unix_ms >= ?1
         ORDER BY starts_at_unix_ms LIMIT 1",
        params![from_unix_ms],
    )?;
    let mut times = vec![request.map(|id| id.unix_ms()), displaced, charge];
    for span_ms in [MINUTE_MS, HOUR_MS, DAY_MS] {
        times.push(time(
            connection,
            "SELECT window_start_unix_ms FROM usage_rollups
             WHERE span_ms = ?1 AND window_start_unix_ms >= ?2 ORDER BY window_start_unix_ms LIMIT 1",
            params![span_ms, from_unix_ms],
        )?);
    }
    let first = times.into_iter().flatten().min();
    Ok(first
        .filter(|first| *first < LAST_UNIX_MS)
        .map(|first| floor(first, DAY_MS)))
}

fn time(connection: &Connection, sql: &str, values: impl Params) -> Result<Option<i64>, Error> {
    connection
        .prepare_cached(sql)?
        .query_row(values, |row| row.get(0))
        .optional()
}
