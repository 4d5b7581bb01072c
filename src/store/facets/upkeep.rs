//! What the writer does for the facets between batches: it saves spans that are over and builds those that are unknown,
//! a slice at a time.

use rusqlite::{Connection, Error};

use super::{
    Span, SpanSet,
    live::{Building, Facets, Task},
    saved,
};
use crate::store::days::Day;

/// Values that are saved in one transaction, and rows that are read in one slice: a few milliseconds' worth.
const SLICE_VALUES: usize = 500;
const SLICE_ROWS: usize = 1_000;

/// Does one slice of `task` in the file of `day`, which is in memory.
pub(in crate::store) fn slice(
    facets: &Facets,
    (day, task): (Day, Task),
    connection: &mut Connection,
) -> Result<(), Error> {
    match task {
        Task::Save(span) => save(facets, day, span, connection).map(|_| ()),
        Task::Build(span) => build(facets, day, span, connection),
    }
}

/// Saves all that is only in memory of a day.
pub(in crate::store) fn save_all(
    facets: &Facets,
    day: Day,
    connection: &mut Connection,
) -> Result<(), Error> {
    save_spans(facets, day, connection, SpanSet(u128::MAX))
}

/// Saves what is only in memory of these spans.
pub(super) fn save_spans(
    facets: &Facets,
    day: Day,
    connection: &mut Connection,
    spans: SpanSet,
) -> Result<(), Error> {
    for span in facets.open_spans(day).and(spans).iter() {
        while !save(facets, day, span, connection)? {}
    }
    Ok(())
}

/// Saves one slice of a span; says whether that was the last.
fn save(facets: &Facets, day: Day, span: Span, connection: &mut Connection) -> Result<bool, Error> {
    let Some(slice) = facets.unsaved(day, span, SLICE_VALUES) else {
        return Ok(true);
    };
    saved::save(connection, span, &slice)?;
    facets.saved(day, span, &slice);
    Ok(slice.is_last)
}

/// Builds the unknown spans of a day from `span` on, until a slice's worth of rows was read.
fn build(facets: &Facets, day: Day, span: Span, connection: &mut Connection) -> Result<(), Error> {
    let building = match facets.building(day) {
        Some(building) if building.span == span => building,
        Some(_) | None => begin(facets, day, span, connection)?,
    };
    let left = span.ids(day).from(building.next);
    let reached = saved::each_row(connection, left, SLICE_ROWS, |place, value| {
        facets.note_value(day, place, value);
    })?;
    facets.built_to(day, span, reached);
    Ok(())
}

/// Takes out what the file has of a span: it may be half of it.
fn begin(
    facets: &Facets,
    day: Day,
    span: Span,
    connection: &mut Connection,
) -> Result<Building, Error> {
    let had = saved::rows_of_span(connection, span)?;
    let values = facets.values_of(day, &had);
    let rows: Vec<_> = values
        .into_iter()
        .zip(&had)
        .filter_map(|(value, (_, rows))| Some((value?, *rows)))
        .collect();
    saved::take_back(connection, span, &rows)?;
    let building = Building {
        span,
        next: span.ids(day).first(),
    };
    facets.begin_building(day, building, &had);
    Ok(building)
}
