//! The oldest rows of the audit log leave. The last one that left stays behind as an anchor: its number and its hash,
//! from which the chain goes on.

use rusqlite::{Connection, Error, params};

use super::{StepOutcome, limits::Keep, slice::Slice};
use crate::store::{
    audit_events::{self, Link},
    columns,
};

pub(super) fn step(
    connection: &Connection,
    keep: Keep,
    slice: &Slice,
) -> Result<StepOutcome, Error> {
    let Some(last) = last_to_leave(connection, keep, slice)? else {
        return Ok(StepOutcome::last(0));
    };
    let removed = connection
        .prepare_cached("DELETE FROM audit_events WHERE seq <= ?1")?
        .execute([last.seq])?;
    connection
        .prepare_cached("DELETE FROM audit_anchors")?
        .execute([])?;
    connection
        .prepare_cached("INSERT INTO audit_anchors (seq, hash) VALUES (?1, ?2)")?
        .execute(params![last.seq, last.hash])?;
    // Another look finds out whether that was all.
    Ok(StepOutcome::more(columns::length(removed)))
}

/// Rows leave in their order alone: one that has to stay keeps all that come after it.
fn last_to_leave(
    connection: &Connection,
    keep: Keep,
    slice: &Slice,
) -> Result<Option<Link>, Error> {
    let newest = audit_events::last_seq(connection)?;
    let surplus_to = keep
        .records
        .map(|records| newest.saturating_sub(columns::from_count(records)));
    let kept_from = keep.oldest_unix_ms(slice.now_unix_ms);
    let mut select = connection.prepare_cached(
        "SELECT seq, hash, occurred_at_unix_ms FROM audit_events ORDER BY seq LIMIT ?1",
    )?;
    let mut rows = select.query([slice.rows_as_limit()])?;
    let (mut last, mut looked_at) = (None, 0);
    while let Some(row) = rows.next()? {
        let link = audit_events::link(row)?;
        let at: i64 = row.get("occurred_at_unix_ms")?;
        let is_surplus = surplus_to.is_some_and(|to| link.seq <= to);
        let is_old = kept_from.is_some_and(|from| at < from);
        if !is_surplus && !is_old {
            break;
        }
        last = Some(link);
        looked_at += 1;
        if slice.is_over(looked_at) {
            break;
        }
    }
    Ok(last)
}
