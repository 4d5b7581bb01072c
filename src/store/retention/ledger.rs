//! The oldest rows of the ledger leave, and with each of them its corrections. What they cost stays, in closing rows.
//!
//! 1. A run fixes a time; what happened before it leaves. That time is noted first: sums of windows that begin before
//!    it can no longer be reckoned from rows, and [`crate::store::verify()`] does not try.
//! 2. One slice is one transaction: rows and corrections go, closings come. Every balance that is open, and every one
//!    that is opened later, adds up before it and after it.
//! 3. A balance whose window is over leaves first, as it would with the next batch: closings of 30 days would not fit it.
//! 4. The rows are found as a reckoning of costs finds them: along the ids, then through those that ids do not lead to.
//!    A place is kept in memory alone; a run that was killed begins anew, and finds less.

use rusqlite::{Connection, Error, OptionalExtension, Row, params};

use super::{
    METERING_EVENTS, StepOutcome,
    closings::{self, Closings},
    limits::Keep,
    slice::Slice,
    standing,
};
use crate::store::{
    balances::{self, CHARGE_COLUMNS, event_charge},
    columns,
    listing::Position,
};

/// Rows that are only counted are so much cheaper than rows that leave.
const COUNTED_FOR_ONE: usize = 16;

/// How far a run is.
#[derive(Debug, Default)]
pub(super) struct LedgerRetention {
    phase: Phase,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Idle,
    /// On the way from the newest row to the last that may stay: where, and how many were passed.
    Counting { below: Position, left: u64 },
    /// Rows from before this time leave; the last that was looked at.
    ById(i64, Position),
    /// Rows from before this time leave that their ids do not lead to.
    Displaced(i64),
    /// Closings are put together.
    Merging,
}

/// Where one slice along the ids ended.
#[derive(Debug, Default)]
struct Walked {
    last: Option<Position>,
    looked_at: usize,
}

const CORRECTED: &str =
    "(SELECT sum(amount) FROM budget_adjustments INDEXED BY budget_adjustments_by_attempt
         WHERE budget_adjustments.request_id IS NOT NULL
             AND budget_adjustments.request_id = metering_events.request_id
             AND budget_adjustments.attempt = metering_events.attempt) AS corrected_nanos";

impl LedgerRetention {
    pub(super) fn step(
        &mut self,
        connection: &Connection,
        keep: Keep,
        slice: &Slice,
    ) -> Result<StepOutcome, Error> {
        let (outcome, next) = match &self.phase {
            Phase::Idle => {
                balances::drop_what_is_over(connection, slice.now_unix_ms)?;
                (StepOutcome::more(0), begin(keep, slice))
            }
            Phase::Counting { below, left } => {
                let next = count(connection, (*below, *left), keep, slice)?;
                (StepOutcome::more(0), next)
            }
            Phase::ById(before, after) => remove_by_id(connection, (*before, *after), slice)?,
            Phase::Displaced(before) => remove_displaced(connection, *before, slice)?,
            Phase::Merging => {
                let more = closings::merge(connection, slice)?;
                let next = if more { Phase::Merging } else { Phase::Idle };
                (StepOutcome { removed: 0, more }, next)
            }
        };
        self.phase = next;
        Ok(outcome)
    }

    /// The next run begins anew.
    pub(super) fn give_up(&mut self) {
        self.phase = Phase::Idle;
    }
}

fn begin(keep: Keep, slice: &Slice) -> Phase {
    match keep.records {
        Some(left) => Phase::Counting {
            below: Position::END,
            left,
        },
        None => remove_from(keep.oldest_unix_ms(slice.now_unix_ms)),
    }
}

fn remove_from(before_unix_ms: Option<i64>) -> Phase {
    match before_unix_ms {
        Some(before) => Phase::ById(before, Position::start_of(0)),
        None => Phase::Merging,
    }
}

/// Goes on from the newest row to older ones until so many were passed.
fn count(
    connection: &Connection,
    (below, left): (Position, u64),
    keep: Keep,
    slice: &Slice,
) -> Result<Phase, Error> {
    let by_age = keep.oldest_unix_ms(slice.now_unix_ms);
    let chunk = u64::try_from(slice.rows_max * COUNTED_FOR_ONE).unwrap_or(u64::MAX);
    let step = left.min(chunk).max(1);
    let passed = connection
        .prepare_cached(
            "SELECT request_id, attempt FROM metering_events
             WHERE (request_id, attempt) < (?1, ?2) ORDER BY request_id DESC, attempt DESC LIMIT 1 OFFSET ?3",
        )?
        .query_row(
            params![below.id(), below.attempt(), columns::from_count(step - 1)],
            |row| {
                let id = columns::request_id(row, "request_id")?;
                Ok(Position::of(id).with_attempt(row.get("attempt")?))
            },
        )
        .optional()?;
    let Some(below) = passed else {
        // There are fewer than may stay.
        return Ok(remove_from(by_age));
    };
    let left = left - step;
    if left > 0 {
        return Ok(Phase::Counting { below, left });
    }
    // Rows end after they begin: none that is newer than this one ended before this one began.
    Ok(remove_from(by_age.max(Some(below.unix_ms()))))
}

fn remove_by_id(
    connection: &Connection,
    (before, after): (i64, Position),
    slice: &Slice,
) -> Result<(StepOutcome, Phase), Error> {
    // What began before and ended after stays for now; the next run begins with it.
    let end = Position::start_of(before);
    let mut closings = Closings::new(slice.now_unix_ms);
    let (mut walked, mut leaving) = (Walked::default(), Vec::new());
    {
        let mut select = connection.prepare_cached(&format!(
            "SELECT {CHARGE_COLUMNS}, request_id, attempt, {CORRECTED} FROM metering_events
             WHERE (request_id, attempt) > (?1, ?2) AND request_id < ?3 AND displaced = 0
             ORDER BY request_id, attempt LIMIT ?4"
        ))?;
        let values = params![after.id(), after.attempt(), end.id(), slice.rows_as_limit()];
        let mut rows = select.query(values)?;
        while let Some(row) = rows.next()? {
            let id = columns::request_id(row, "request_id")?;
            let position = Position::of(id).with_attempt(row.get("attempt")?);
            if row.get::<_, i64>(0)? < before {
                close(row, &mut closings)?;
                leaving.push(position);
            }
            walked.last = Some(position);
            walked.looked_at += 1;
            if slice.is_over(walked.looked_at) {
                break;
            }
        }
    }
    remove(connection, before, &leaving)?;
    closings.write(connection)?;
    let removed = columns::length(leaving.len());
    Ok(match walked.last {
        Some(last) => (StepOutcome::more(removed), Phase::ById(before, last)),
        None => (StepOutcome::more(removed), Phase::Displaced(before)),
    })
}

/// All of them leave that are old enough, and so each slice begins at the beginning.
fn remove_displaced(
    connection: &Connection,
    before: i64,
    slice: &Slice,
) -> Result<(StepOutcome, Phase), Error> {
    let mut closings = Closings::new(slice.now_unix_ms);
    let mut leaving = Vec::new();
    {
        let mut select = connection.prepare_cached(&format!(
            "SELECT {CHARGE_COLUMNS}, request_id, attempt, {CORRECTED}
             FROM metering_events INDEXED BY metering_events_displaced
             WHERE displaced = 1 AND occurred_at_unix_ms < ?1 ORDER BY occurred_at_unix_ms LIMIT ?2"
        ))?;
        let mut rows = select.query(params![before, slice.rows_as_limit()])?;
        while let Some(row) = rows.next()? {
            let id = columns::request_id(row, "request_id")?;
            leaving.push(Position::of(id).with_attempt(row.get("attempt")?));
            close(row, &mut closings)?;
            if slice.is_over(leaving.len()) {
                break;
            }
        }
    }
    remove(connection, before, &leaving)?;
    closings.write(connection)?;
    let removed = columns::length(leaving.len());
    let next = if leaving.is_empty() {
        Phase::Merging
    } else {
        Phase::Displaced(before)
    };
    Ok((StepOutcome::more(removed), next))
}

/// Reads a row that begins with [`CHARGE_COLUMNS`].
fn close(row: &Row<'_>, closings: &mut Closings) -> Result<(), Error> {
    let corrected: Option<i64> = row.get("corrected_nanos")?;
    if let Some(mut charge) = event_charge(row)? {
        let corrected = corrected.unwrap_or_default();
        charge.money_nanos = charge.money_nanos.saturating_add(corrected);
        closings.add(&charge);
    }
    Ok(())
}

fn remove(connection: &Connection, before: i64, leaving: &[Position]) -> Result<(), Error> {
    if leaving.is_empty() {
        return Ok(());
    }
    standing::keep_from(connection, METERING_EVENTS, before)?;
    let mut events = connection
        .prepare_cached("DELETE FROM metering_events WHERE request_id = ?1 AND attempt = ?2")?;
    let mut corrections = connection.prepare_cached(
        "DELETE FROM budget_adjustments INDEXED BY budget_adjustments_by_attempt
         WHERE request_id IS NOT NULL AND request_id = ?1 AND attempt = ?2",
    )?;
    for row in leaving {
        events.execute(params![row.id(), row.attempt()])?;
        corrections.execute(params![row.id(), row.attempt()])?;
    }
    Ok(())
}
