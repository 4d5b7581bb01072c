//! Deletes the oldest rows of a day, and takes them off its facets.

use std::collections::BTreeMap;

use rusqlite::{Connection, Error, TransactionBehavior};

use super::{
    Span, SpanSet,
    day_values::{Value, ValueId},
    live::Facets,
    saved::{self, Oldest},
    upkeep::save_spans,
};
use crate::store::{days::Day, request_bodies};

/// How many rows of which values were deleted.
#[derive(Debug, Default)]
struct Removed {
    by_value: BTreeMap<ValueId, u64>,
    /// Values that have no rows in a span any more.
    left: Vec<(ValueId, Span)>,
}

/// Deletes the oldest rows of a day that is in memory, with everything beside them, at most `limit`; gives how many they
/// were. Bodies may be large: their part is bounded too, so that there may be none although there are rows.
pub(in crate::store) fn remove_oldest(
    facets: &Facets,
    day: Day,
    connection: &mut Connection,
    limit: usize,
) -> Result<u64, Error> {
    let Some(oldest) = saved::oldest(connection, limit)? else {
        return Ok(0);
    };
    if !request_bodies::remove_through(connection, oldest.last)? {
        return Ok(0);
    }
    // What is counted in memory alone could not be taken off the file.
    let mut spans = SpanSet::default();
    for (span, ..) in oldest.values.keys() {
        spans.insert(*span);
    }
    save_spans(facets, day, connection, spans)?;
    let places: Vec<_> = oldest
        .values
        .iter()
        .filter_map(|((span, facet, text), rows)| {
            let id = facets.place_of(day, *span, (*facet, text))?;
            Some((*span, id, *rows))
        })
        .collect();
    let removed = delete(facets, day, connection, (&oldest, &places))?;
    facets.removed(day, &removed.by_value, &removed.left);
    Ok(oldest.rows)
}

fn delete(
    facets: &Facets,
    day: Day,
    connection: &mut Connection,
    (oldest, places): (&Oldest, &[(Span, ValueId, u64)]),
) -> Result<Removed, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for delete in [
        "DELETE FROM request_logs WHERE id <= ?1",
        "DELETE FROM decision_traces WHERE id <= ?1",
    ] {
        transaction
            .prepare_cached(delete)?
            .execute([oldest.last.as_bytes()])?;
    }
    let mut removed = Removed::default();
    for (span, id, rows) in places {
        *removed.by_value.entry(*id).or_default() += rows;
        if saved::subtract_in_span(&transaction, *span, (*id, *rows))? {
            removed.left.push((*id, *span));
        }
    }
    let ids: Vec<_> = removed
        .by_value
        .iter()
        .map(|(id, rows)| (*id, *rows))
        .collect();
    for (value, (id, rows)) in facets.values_of(day, &ids).into_iter().zip(&ids) {
        if let Some(value) = value {
            saved::subtract(&transaction, &without(value, *id, &removed.left), *rows)?;
        }
    }
    transaction.commit()?;
    Ok(removed)
}

/// The value, without the spans that it has left.
fn without(mut value: Value, id: ValueId, left: &[(ValueId, Span)]) -> Value {
    for (_, span) in left.iter().filter(|(of, _)| *of == id) {
        value.saved_spans.remove(*span);
    }
    value
}
