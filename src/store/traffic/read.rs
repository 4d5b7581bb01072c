//! Reading charts: rows of the disk, and what is in memory and not there yet.
//!
//! A row is counted once: an hour row holds those of its minutes that were added to it, and the others are counted as
//! minutes; so are days and their hours. The disk is read in one transaction, and memory as it is when that begins, so
//! that nothing moves from one to the other between two looks. A minute that is in memory is not read from the disk,
//! but for what of it was added to an hour already.

use std::sync::Arc;

use ferrogate_api::{TimeseriesBy, TimeseriesMetric, TimeseriesStep};
use hashbrown::HashMap;
use parking_lot::Mutex;
use rusqlite::{Connection, Error, Row, Statement, params};

use super::{
    super::{
        listing::{Deadline, SCAN_ROWS},
        usage_rollups::{DAY_MS, HOUR_MS, MINUTE_MS},
    },
    TimeseriesAsk,
    book::Book,
    chart::{Chart, Line, Steps, Value},
    dimensions::Dimensions,
    rows::{self, Place},
};

/// What memory holds of one combination in one minute.
struct Held {
    start_unix_ms: i64,
    series_id: Option<i64>,
    line: Line,
    value: Value,
}

/// Which rows of which span are read.
struct Part {
    span_ms: i64,
    /// Rows up to here are in those of the next span.
    after: Option<Place>,
    end_unix_ms: i64,
}

/// Adds everything that is asked for; false when time was up.
pub(super) fn add_requests(
    connection: &Connection,
    book: &Mutex<Book>,
    (ask, steps): (&TimeseriesAsk, Steps),
    (chart, deadline): (&mut Chart, Deadline),
) -> Result<bool, Error> {
    let snapshot = connection.unchecked_transaction()?;
    let (minutes, hours, (held, open_from)) = {
        let book = book.lock();
        // Its first read is when a transaction begins.
        let minutes = rows::folded_to(&snapshot, MINUTE_MS)?;
        let hours = rows::folded_to(&snapshot, HOUR_MS)?;
        (minutes, hours, held(&book, ask, steps))
    };
    let lines = lines(&snapshot, ask)?;
    let mut complete = true;
    for part in parts(steps.step, (minutes, hours), open_from) {
        complete &= add_rows(&snapshot, &part, (ask, steps), (&lines, chart, deadline))?;
    }
    let coarse = steps.step.millis() >= HOUR_MS;
    for held in held {
        let is_folded = held.series_id.is_some_and(|series_id| {
            let place = Place {
                window_start_unix_ms: held.start_unix_ms,
                series_id,
            };
            place <= minutes
        });
        if !(coarse && is_folded) {
            chart.add(&held.line, held.start_unix_ms, &held.value);
        }
    }
    Ok(complete)
}

/// Minute rows alone for fine steps; for coarse ones what was added up, and what was not yet.
fn parts(step: TimeseriesStep, (minutes, hours): (Place, Place), open_from: i64) -> Vec<Part> {
    let part = |span_ms, after, end_unix_ms| Part {
        span_ms,
        after,
        end_unix_ms,
    };
    match step {
        TimeseriesStep::Minute | TimeseriesStep::FiveMinutes => {
            vec![part(MINUTE_MS, None, open_from)]
        }
        TimeseriesStep::Hour => vec![
            part(HOUR_MS, None, i64::MAX),
            part(MINUTE_MS, Some(minutes), open_from),
        ],
        TimeseriesStep::Day => vec![
            part(DAY_MS, None, i64::MAX),
            part(HOUR_MS, Some(hours), i64::MAX),
            part(MINUTE_MS, Some(minutes), open_from),
        ],
    }
}

fn held(book: &Book, ask: &TimeseriesAsk, steps: Steps) -> (Vec<Held>, i64) {
    let lines: Vec<Option<Line>> = book
        .series
        .iter()
        .map(|series| line_of(&series.dimensions, ask))
        .collect();
    let within = steps.since_unix_ms..steps.end_unix_ms();
    let mut held = Vec::new();
    for minute in &book.minutes {
        if !within.contains(&minute.start_unix_ms) {
            continue;
        }
        for (place, kept) in minute.cells.iter().enumerate() {
            if let (Some(kept), Some(line)) = (kept, &lines[place]) {
                held.push(Held {
                    start_unix_ms: minute.start_unix_ms,
                    series_id: book.series[place].id,
                    line: line.clone(),
                    value: Value::of(ask.metric, &kept.cell),
                });
            }
        }
    }
    // What is in memory is not read from the disk, whether it is closed or not.
    let first = book.minutes.front().map(|minute| minute.start_unix_ms);
    let from = first.map_or(book.open_from_unix_ms, |first| {
        first.min(book.open_from_unix_ms)
    });
    (held, from)
}

/// Which line a combination belongs to; `None` where it is not asked for.
fn line_of(dimensions: &Dimensions, ask: &TimeseriesAsk) -> Option<Line> {
    if !ask.selection.is_everything() && !dimensions.is_in(&ask.selection) {
        return None;
    }
    if dimensions.is_rest() && ask.by != TimeseriesBy::None {
        return Some(Line::Other);
    }
    Some(Line::Own(dimensions.name(ask.by)))
}

fn lines(connection: &Connection, ask: &TimeseriesAsk) -> Result<HashMap<i64, Line>, Error> {
    let mut lines = HashMap::new();
    rows::all_series(connection, |id, dimensions| {
        lines.extend(line_of(&dimensions, ask).map(|line| (id, line)));
    })?;
    Ok(lines)
}

/// Adds the rows of one part, newest first; false when time was up.
fn add_rows(
    connection: &Connection,
    part: &Part,
    (ask, steps): (&TimeseriesAsk, Steps),
    (lines, chart, deadline): (&HashMap<i64, Line>, &mut Chart, Deadline),
) -> Result<bool, Error> {
    let mut select = prepare(connection, ask.metric)?;
    let after = part.after.unwrap_or(Place {
        window_start_unix_ms: i64::MIN,
        series_id: i64::MIN,
    });
    let mut rows = select.query(params![
        part.span_ms,
        steps.since_unix_ms,
        steps.end_unix_ms().min(part.end_unix_ms),
        after.window_start_unix_ms,
        after.series_id,
    ])?;
    let mut read = 0usize;
    while let Some(row) = rows.next()? {
        read += 1;
        if read.is_multiple_of(SCAN_ROWS) && deadline.is_over() {
            return Ok(false);
        }
        if let Some(line) = lines.get(&row.get::<_, i64>(1)?) {
            chart.add(line, row.get(0)?, &value(row, ask.metric)?);
        }
    }
    Ok(true)
}

/// Only what the metric shows: three histograms are most of a row.
fn prepare(connection: &Connection, metric: TimeseriesMetric) -> Result<Statement<'_>, Error> {
    let column = column_of(metric);
    connection.prepare(&format!(
        "SELECT window_start_unix_ms, series_id, {column} FROM traffic_rollups
         WHERE span_ms = ?1 AND window_start_unix_ms >= ?2 AND window_start_unix_ms < ?3
             AND (window_start_unix_ms, series_id) > (?4, ?5)
         ORDER BY window_start_unix_ms DESC, series_id DESC"
    ))
}

fn column_of(metric: TimeseriesMetric) -> &'static str {
    match metric {
        TimeseriesMetric::Requests => "requests",
        TimeseriesMetric::Errors => "errors",
        TimeseriesMetric::ClientErrors => "client_errors",
        TimeseriesMetric::RateLimited => "rate_limited",
        TimeseriesMetric::CacheHits => "cache_hits",
        TimeseriesMetric::Cost => "cost_nanos",
        TimeseriesMetric::Tokens => "input_tokens, output_tokens",
        TimeseriesMetric::Latency => "latency",
        TimeseriesMetric::Ttft => "ttft",
        TimeseriesMetric::Overhead => "overhead",
    }
}

fn value(row: &Row<'_>, metric: TimeseriesMetric) -> Result<Value, Error> {
    Ok(match metric {
        TimeseriesMetric::Tokens => Value::Tokens {
            input: row.get(2)?,
            output: row.get(3)?,
        },
        TimeseriesMetric::Latency | TimeseriesMetric::Ttft | TimeseriesMetric::Overhead => {
            Value::Times(rows::histogram(row, column_of(metric))?)
        }
        TimeseriesMetric::Requests
        | TimeseriesMetric::Errors
        | TimeseriesMetric::ClientErrors
        | TimeseriesMetric::RateLimited
        | TimeseriesMetric::CacheHits
        | TimeseriesMetric::Cost => Value::Sum(row.get(2)?),
    })
}

/// Tokens and money as the ledger has them, by key, model or provider.
pub(super) fn add_ledger(
    connection: &Connection,
    (ask, steps): (&TimeseriesAsk, Steps),
    chart: &mut Chart,
) -> Result<(), Error> {
    let name = match ask.by {
        TimeseriesBy::Key => "api_key_id",
        TimeseriesBy::Model => "model",
        TimeseriesBy::Provider => "provider",
        _ => "NULL",
    };
    let span_ms = steps.step.millis().min(DAY_MS);
    let span_ms = if span_ms < HOUR_MS {
        MINUTE_MS
    } else {
        span_ms
    };
    let mut select = connection.prepare_cached(&format!(
        "SELECT window_start_unix_ms - window_start_unix_ms % ?2, {name},
             sum(input_tokens), sum(output_tokens), sum(cost_nanos)
         FROM usage_rollups
         WHERE span_ms = ?1 AND window_start_unix_ms >= ?3 AND window_start_unix_ms < ?4
             AND (?5 IS NULL OR api_key_id = ?5) AND (?6 IS NULL OR model = ?6)
             AND (?7 IS NULL OR provider = ?7)
         GROUP BY 1, 2"
    ))?;
    let mut rows = select.query(params![
        span_ms,
        steps.step.millis(),
        steps.since_unix_ms,
        steps.end_unix_ms(),
        ask.selection.key,
        ask.selection.model,
        ask.selection.provider,
    ])?;
    while let Some(row) = rows.next()? {
        let name: Option<Arc<str>> = row.get(1)?;
        let value = match ask.metric {
            TimeseriesMetric::Tokens => Value::Tokens {
                input: row.get(2)?,
                output: row.get(3)?,
            },
            _ => Value::Sum(row.get(4)?),
        };
        let line = Line::Own(name.filter(|name| !name.is_empty()));
        chart.add(&line, row.get(0)?, &value);
    }
    Ok(())
}
