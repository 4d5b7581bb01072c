//! The rows of `traffic_series` and `traffic_rollups`.

use rusqlite::{Connection, Error, OptionalExtension, Row, params, params_from_iter, types::Type};

use super::{
    book::{Cell, Sums},
    dimensions::{COLUMNS, Dimensions},
    histogram::Histogram,
};

/// Where a row stands in the order of its table's key, within one span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) window_start_unix_ms: i64,
    pub(super) series_id: i64,
}

/// A window of one combination.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rollup {
    pub(super) place: Place,
    pub(super) cell: Cell,
}

const UPSERT: &str = "INSERT INTO traffic_rollups (
        span_ms, window_start_unix_ms, series_id, requests, errors, client_errors, rate_limited,
        cache_hits, input_tokens, output_tokens, cost_nanos, latency, ttft, overhead
    ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
    ON CONFLICT (span_ms, window_start_unix_ms, series_id) DO UPDATE SET
        requests      = excluded.requests,
        errors        = excluded.errors,
        client_errors = excluded.client_errors,
        rate_limited  = excluded.rate_limited,
        cache_hits    = excluded.cache_hits,
        input_tokens  = excluded.input_tokens,
        output_tokens = excluded.output_tokens,
        cost_nanos    = excluded.cost_nanos,
        latency       = excluded.latency,
        ttft          = excluded.ttft,
        overhead      = excluded.overhead";

/// Writes a row as it is now: writing it again changes nothing.
pub(super) fn put(connection: &Connection, span_ms: i64, rollup: &Rollup) -> Result<(), Error> {
    let Rollup { place, cell } = rollup;
    let [a, b, c, d, e, f, g, h] = cell.sums.columns();
    connection.prepare_cached(UPSERT)?.execute(params![
        span_ms,
        place.window_start_unix_ms,
        place.series_id,
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        h,
        cell.latency.encode(),
        cell.ttft.encode(),
        cell.overhead.encode(),
    ])?;
    Ok(())
}

/// The row at a place; empty where there is none.
pub(super) fn get(connection: &Connection, span_ms: i64, place: Place) -> Result<Cell, Error> {
    let found = connection
        .prepare_cached(
            "SELECT * FROM traffic_rollups
             WHERE span_ms = ?1 AND window_start_unix_ms = ?2 AND series_id = ?3",
        )?
        .query_row(
            params![span_ms, place.window_start_unix_ms, place.series_id],
            rollup,
        )
        .optional()?;
    Ok(found.map(|rollup| rollup.cell).unwrap_or_default())
}

/// The next rows after a place, of windows before `end_unix_ms`, in the order of their key.
pub(super) fn after(
    connection: &Connection,
    span_ms: i64,
    (place, end_unix_ms): (Place, i64),
    limit: usize,
) -> Result<Vec<Rollup>, Error> {
    connection
        .prepare_cached(
            "SELECT * FROM traffic_rollups
             WHERE span_ms = ?1 AND (window_start_unix_ms, series_id) > (?2, ?3) AND window_start_unix_ms < ?4
             ORDER BY window_start_unix_ms, series_id LIMIT ?5",
        )?
        .query_map(
            params![
                span_ms,
                place.window_start_unix_ms,
                place.series_id,
                end_unix_ms,
                i64::try_from(limit).unwrap_or(i64::MAX),
            ],
            rollup,
        )?
        .collect()
}

fn rollup(row: &Row<'_>) -> Result<Rollup, Error> {
    Ok(Rollup {
        place: Place {
            window_start_unix_ms: row.get("window_start_unix_ms")?,
            series_id: row.get("series_id")?,
        },
        cell: Cell {
            sums: Sums::from_columns([
                row.get("requests")?,
                row.get("errors")?,
                row.get("client_errors")?,
                row.get("rate_limited")?,
                row.get("cache_hits")?,
                row.get("input_tokens")?,
                row.get("output_tokens")?,
                row.get("cost_nanos")?,
            ]),
            latency: histogram(row, "latency")?,
            ttft: histogram(row, "ttft")?,
            overhead: histogram(row, "overhead")?,
        },
    })
}

pub(super) fn histogram(row: &Row<'_>, column: &'static str) -> Result<Histogram, Error> {
    let index = row.as_ref().column_index(column)?;
    let bytes = row.get_ref(index)?.as_blob()?;
    Histogram::decode(bytes).map_err(|unreadable| {
        Error::FromSqlConversionFailure(index, Type::Blob, Box::new(unreadable))
    })
}

/// The row of a combination, which is made where there is none.
pub(super) fn series_id(connection: &Connection, dimensions: &Dimensions) -> Result<i64, Error> {
    let texts = || dimensions.0.iter().map(|text| &**text);
    let find = format!(
        "SELECT id FROM traffic_series WHERE {}",
        COLUMNS.map(|column| format!("{column} = ?")).join(" AND ")
    );
    let found = connection
        .prepare_cached(&find)?
        .query_row(params_from_iter(texts()), |row| row.get(0))
        .optional()?;
    if let Some(id) = found {
        return Ok(id);
    }
    let insert = format!(
        "INSERT INTO traffic_series ({}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        COLUMNS.join(", ")
    );
    connection
        .prepare_cached(&insert)?
        .insert(params_from_iter(texts()))
}

/// Every combination that has a row.
pub(super) fn all_series(
    connection: &Connection,
    mut each: impl FnMut(i64, Dimensions),
) -> Result<(), Error> {
    let mut select = connection.prepare_cached("SELECT * FROM traffic_series")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let mut texts = Vec::with_capacity(COLUMNS.len());
        for column in COLUMNS {
            texts.push(row.get(column)?);
        }
        if let Ok(texts) = texts.try_into() {
            each(row.get("id")?, Dimensions(texts));
        }
    }
    Ok(())
}

/// Up to where the rows of a span are added to those of the next.
pub(super) fn folded_to(connection: &Connection, span_ms: i64) -> Result<Place, Error> {
    connection
        .prepare_cached(
            "SELECT window_start_unix_ms, series_id FROM traffic_folds WHERE span_ms = ?1",
        )?
        .query_row([span_ms], |row| {
            Ok(Place {
                window_start_unix_ms: row.get(0)?,
                series_id: row.get(1)?,
            })
        })
}

pub(super) fn set_folded_to(
    connection: &Connection,
    span_ms: i64,
    place: Place,
) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO traffic_folds (span_ms, window_start_unix_ms, series_id) VALUES (?1, ?2, ?3)
             ON CONFLICT (span_ms) DO UPDATE SET
                 window_start_unix_ms = excluded.window_start_unix_ms, series_id = excluded.series_id",
        )?
        .execute(params![
            span_ms,
            place.window_start_unix_ms,
            place.series_id
        ])?;
    Ok(())
}
