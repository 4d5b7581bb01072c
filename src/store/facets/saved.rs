//! The facets in a day's file: what is read from them, and the slices in which they are written.

use std::borrow::Cow;

use hashbrown::HashMap;
use roaring::RoaringBitmap;
use rusqlite::{
    CachedStatement, Connection, Error, OptionalExtension, TransactionBehavior, params,
};

use super::{
    COLUMNS, Facet, Place, SPANS, Span, SpanSet,
    day_values::{Name, Unsaved, Value, ValueId, shared_of},
    each_value_of_row,
};
use crate::ids::RequestId;
use crate::store::{
    columns,
    listing::{IdRange, Position},
};

const ADD_VALUE: &str = "INSERT INTO facet_values (facet, shared, value, id, rows, spans)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT DO UPDATE SET rows = rows + excluded.rows, spans = excluded.spans";
const ADD_BLOCKS: &str = "INSERT INTO facet_blocks (place, rows, blocks) VALUES (?1, ?2, ?3)
    ON CONFLICT DO UPDATE SET rows = rows + excluded.rows, blocks = excluded.blocks";

/// The marked spans of a day.
pub(in crate::store) fn gaps(connection: &Connection) -> Result<SpanSet, Error> {
    let mut select = connection.prepare_cached("SELECT span FROM facet_gaps")?;
    let mut rows = select.query([])?;
    let mut gaps = SpanSet::default();
    while let Some(row) = rows.next()? {
        let span = u8::try_from(row.get::<_, i64>(0)?).unwrap_or(u8::MAX);
        if span < SPANS {
            gaps.insert(Span(span));
        }
    }
    Ok(gaps)
}

/// Marks a span, in the transaction of its first row.
pub(super) fn mark(connection: &Connection, span: Span) -> Result<(), Error> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO facet_gaps (span) VALUES (?1)")?
        .execute([span.0])?;
    Ok(())
}

/// All values that a day knows, in the order of their ids; `None` where they make no sense.
pub(super) fn values(connection: &Connection) -> Result<Option<Vec<Value>>, Error> {
    let mut select = connection.prepare_cached(
        "SELECT facet, shared, value, id, rows, spans FROM facet_values ORDER BY id",
    )?;
    let mut rows = select.query([])?;
    let mut values = Vec::new();
    while let Some(row) = rows.next()? {
        let facet = Facet::parse(row.get_ref(0)?.as_str()?);
        let text = row.get_ref(2)?.as_str()?;
        let name = match row.get(1)? {
            0 => Some(Name::Own(text.into())),
            1 => text.parse().ok().map(Name::Shared),
            _ => None,
        };
        let is_next = row.get::<_, i64>(3)? == i64::try_from(values.len()).unwrap_or(i64::MAX);
        let (Some(facet), Some(name), true) = (facet, name, is_next) else {
            return Ok(None);
        };
        let spans = span_set(row.get(5)?);
        values.push(Value {
            facet,
            name,
            rows: columns::count(row, "rows")?,
            spans,
            saved_spans: spans,
            is_saved: true,
        });
    }
    Ok(Some(values))
}

/// Forgets everything, so that all of it is built anew.
pub(super) fn reset(connection: &mut Connection) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch("DELETE FROM facet_values; DELETE FROM facet_blocks;")?;
    for number in 0..SPANS {
        mark(&transaction, Span(number))?;
    }
    transaction.commit()
}

/// The places of one value, and the spans it occurs in.
pub(super) fn find(
    connection: &Connection,
    facet: Facet,
    text: &str,
) -> Result<Vec<(ValueId, SpanSet)>, Error> {
    let mut select = connection.prepare_cached(
        "SELECT id, spans FROM facet_values WHERE facet = ?1 AND shared = ?2 AND value = ?3",
    )?;
    let shared = shared_of(text).to_string();
    let mut found = Vec::new();
    for (shared, text) in [(false, text), (true, &*shared)] {
        let place = select
            .query_row(params![facet.name(), shared, text], |row| {
                Ok((ValueId(row.get(0)?), span_set(row.get(1)?)))
            })
            .optional()?;
        found.extend(place);
    }
    Ok(found)
}

/// The places of all values whose name `matches`.
pub(super) fn find_all(
    connection: &Connection,
    facet: Facet,
    matches: impl Fn(&str) -> bool,
) -> Result<Vec<(ValueId, SpanSet)>, Error> {
    let mut select = connection
        .prepare_cached("SELECT shared, value, id, spans FROM facet_values WHERE facet = ?1")?;
    let mut rows = select.query([facet.name()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let is_shared: bool = row.get(0)?;
        if is_shared || matches(row.get_ref(1)?.as_str()?) {
            found.push((ValueId(row.get(2)?), span_set(row.get(3)?)));
        }
    }
    Ok(found)
}

/// A value's blocks in a span; `None` where there are none, or none that can be read.
pub(super) fn blocks(
    connection: &Connection,
    span: Span,
    id: ValueId,
) -> Result<Option<RoaringBitmap>, Error> {
    let mut select =
        connection.prepare_cached("SELECT blocks FROM facet_blocks WHERE place = ?1")?;
    let blocks = select
        .query_row([place(span, id)], |row| {
            Ok(RoaringBitmap::deserialize_from(row.get_ref(0)?.as_blob()?).ok())
        })
        .optional()?;
    Ok(blocks.flatten())
}

/// Calls `each` with every value of the day that has rows, what it is called and how many they are.
pub(super) fn each_count(
    connection: &Connection,
    mut each: impl FnMut(Facet, Option<&str>, u64),
) -> Result<(), Error> {
    let mut select =
        connection.prepare_cached("SELECT facet, shared, value, rows FROM facet_values")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let Some(facet) = Facet::parse(row.get_ref(0)?.as_str()?) else {
            continue;
        };
        let is_shared: bool = row.get(1)?;
        let text = row.get_ref(2)?.as_str()?;
        let count = columns::count(row, "rows")?;
        if count > 0 {
            each(facet, (!is_shared).then_some(text), count);
        }
    }
    Ok(())
}

/// How many rows are in the saved spans: every row has an outcome.
pub(in crate::store) fn rows(connection: &Connection) -> Result<u64, Error> {
    let rows: i64 = connection
        .prepare_cached("SELECT coalesce(sum(rows), 0) FROM facet_values WHERE facet = ?1")?
        .query_row([Facet::Outcome.name()], |row| row.get(0))?;
    Ok(u64::try_from(rows).unwrap_or_default())
}

/// Writes one slice of a span.
pub(super) fn save(connection: &mut Connection, span: Span, slice: &Unsaved) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut add_value = transaction.prepare_cached(ADD_VALUE)?;
        for (id, value) in &slice.values {
            write_value(&mut add_value, *id, value, 0)?;
        }
        let mut add_blocks = transaction.prepare_cached(ADD_BLOCKS)?;
        for (id, part, value) in &slice.parts {
            let is_there = value.saved_spans.contains(span);
            let mut value = value.clone();
            value.saved_spans.insert(span);
            write_value(&mut add_value, *id, &value, part.rows)?;
            let mut all = part.blocks.clone();
            if is_there && let Some(saved) = blocks(&transaction, span, *id)? {
                all |= saved;
            }
            add_blocks.execute(params![
                place(span, *id),
                columns::from_count(part.rows),
                serialized(all)?
            ])?;
        }
        if slice.is_last {
            transaction
                .prepare_cached("DELETE FROM facet_gaps WHERE span = ?1")?
                .execute([span.0])?;
        }
    }
    transaction.commit()
}

fn write_value(
    add: &mut CachedStatement<'_>,
    id: ValueId,
    value: &Value,
    rows: u64,
) -> Result<(), Error> {
    let (is_shared, text) = written(&value.name);
    add.execute(params![
        value.facet.name(),
        is_shared,
        text,
        id.0,
        columns::from_count(rows),
        value.saved_spans.0.to_be_bytes()
    ])?;
    Ok(())
}

fn serialized(mut blocks: RoaringBitmap) -> Result<Vec<u8>, Error> {
    blocks.optimize();
    let mut bytes = Vec::with_capacity(blocks.serialized_size());
    blocks
        .serialize_into(&mut bytes)
        .map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))?;
    Ok(bytes)
}

/// How many rows of which values a saved span has.
pub(super) fn rows_of_span(
    connection: &Connection,
    span: Span,
) -> Result<Vec<(ValueId, u64)>, Error> {
    let mut select = connection
        .prepare_cached("SELECT place, rows FROM facet_blocks WHERE place BETWEEN ?1 AND ?2")?;
    let rows = select.query_map(all_of(span), |row| {
        Ok((id_in(row.get(0)?), columns::count(row, "rows")?))
    })?;
    rows.collect()
}

/// Takes a span out of the file, with `rows` of its values, and marks it.
pub(super) fn take_back(
    connection: &mut Connection,
    span: Span,
    rows: &[(Value, u64)],
) -> Result<(), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (value, rows) in rows {
        let mut value = value.clone();
        value.saved_spans.remove(span);
        subtract(&transaction, &value, *rows)?;
    }
    transaction.execute(
        "DELETE FROM facet_blocks WHERE place BETWEEN ?1 AND ?2",
        all_of(span),
    )?;
    mark(&transaction, span)?;
    transaction.commit()
}

/// Takes `rows` off a value, whose saved spans are these now.
pub(super) fn subtract(connection: &Connection, value: &Value, rows: u64) -> Result<(), Error> {
    let (is_shared, text) = written(&value.name);
    connection
        .prepare_cached(
            "UPDATE facet_values SET rows = max(rows - ?4, 0), spans = ?5
             WHERE facet = ?1 AND shared = ?2 AND value = ?3",
        )?
        .execute(params![
            value.facet.name(),
            is_shared,
            text,
            columns::from_count(rows),
            value.saved_spans.0.to_be_bytes()
        ])?;
    Ok(())
}

/// Takes `rows` off a value in a span; says whether it has none there any more.
pub(super) fn subtract_in_span(
    connection: &Connection,
    span: Span,
    (id, rows): (ValueId, u64),
) -> Result<bool, Error> {
    let place = place(span, id);
    let left: Option<i64> = connection
        .prepare_cached("UPDATE facet_blocks SET rows = rows - ?2 WHERE place = ?1 RETURNING rows")?
        .query_row(params![place, columns::from_count(rows)], |row| row.get(0))
        .optional()?;
    let is_empty = left.is_none_or(|left| left <= 0);
    if is_empty {
        connection
            .prepare_cached("DELETE FROM facet_blocks WHERE place = ?1")?
            .execute([place])?;
    }
    Ok(is_empty)
}

/// The oldest rows of a day.
#[derive(Debug)]
pub(super) struct Oldest {
    pub(super) last: RequestId,
    pub(super) rows: u64,
    /// How many of them have which value.
    pub(super) values: HashMap<(Span, Facet, String), u64>,
}

/// The oldest rows of a day, at most `limit` of them.
pub(super) fn oldest(connection: &Connection, limit: usize) -> Result<Option<Oldest>, Error> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT id, {COLUMNS} FROM request_logs ORDER BY id LIMIT ?1"
    ))?;
    let mut rows = select.query([i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut oldest: Option<Oldest> = None;
    while let Some(row) = rows.next()? {
        let last = columns::request_id(row, "id")?;
        let span = Place::of(last.unix_ms()).span;
        let oldest = oldest.get_or_insert_with(|| Oldest {
            last,
            rows: 0,
            values: HashMap::new(),
        });
        oldest.last = last;
        oldest.rows += 1;
        each_value_of_row(row, 1, |facet, text| {
            *oldest
                .values
                .entry((span, facet, text.to_owned()))
                .or_default() += 1;
        })?;
    }
    Ok(oldest)
}

/// The next rows of a span from `from` on, given to `each`, at most `limit` of them; where they end, and whether that is
/// the end of the span.
pub(super) fn each_row(
    connection: &Connection,
    range: IdRange,
    limit: usize,
    mut each: impl FnMut(Place, (Facet, &str)),
) -> Result<(Position, bool), Error> {
    let mut select = connection.prepare_cached(&format!(
        "SELECT id, {COLUMNS} FROM request_logs WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT ?3"
    ))?;
    let [low, high] = range.values();
    let mut rows = select.query(params![low, high, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut seen = 0;
    let mut last = None;
    while let Some(row) = rows.next()? {
        seen += 1;
        let id = columns::request_id(row, "id")?;
        last = Some(Position::of(id));
        let place = Place::of(id.unix_ms());
        each_value_of_row(row, 1, |facet, text| each(place, (facet, text)))?;
    }
    let ended = seen < limit;
    let next = last.filter(|_| !ended).map(Position::next);
    Ok((next.unwrap_or(range.end()), ended))
}

fn span_set(bytes: [u8; 16]) -> SpanSet {
    SpanSet(u128::from_be_bytes(bytes))
}

fn place(span: Span, id: ValueId) -> i64 {
    i64::from(span.0) << 32 | i64::from(id.0)
}

fn id_in(place: i64) -> ValueId {
    ValueId(u32::try_from(place & i64::from(u32::MAX)).unwrap_or(u32::MAX))
}

fn all_of(span: Span) -> [i64; 2] {
    [place(span, ValueId(0)), place(span, ValueId(u32::MAX))]
}

/// Whether it is a shared place, and what stands in the column `value`.
fn written(name: &Name) -> (bool, Cow<'_, str>) {
    match name {
        Name::Own(text) => (false, Cow::Borrowed(text)),
        Name::Shared(number) => (true, Cow::Owned(number.to_string())),
    }
}
