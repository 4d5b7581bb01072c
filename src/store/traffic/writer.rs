//! From memory to the disk, in slices between the batches of the ledger.
//!
//! ```text
//! requests ──▶ open minutes, in memory ──(every 10 s, as they are)──▶ minute rows
//!                  closed, and written ──(added once)──▶ hour rows ──(added once)──▶ day rows
//! ```
//! 1. An open minute is in memory; its rows are copies of it. Writing them again changes nothing.
//! 2. A closed minute is written and then added to its hour. How far that has come is noted in the transaction that
//!    adds, so a row is added once, however often the process is killed. So are hours to days.
//! 3. A closed minute stays in memory until the disk has it, and its rows are never changed after that.
//! 4. What cannot be written is kept, and tried again. It must never stand in the way of the ledger.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ferrogate_api::RequestLog;
use parking_lot::Mutex;
use rusqlite::{Connection, Error, Transaction, TransactionBehavior};

use super::{
    super::usage_rollups::{DAY_MS, HOUR_MS, MINUTE_MS, floor},
    book::{self, Book, Cell},
    dimensions::Dimensions,
    rows::{self, Place, Rollup},
};

/// How much of the charts a killed process can lose.
const FLUSH_INTERVAL: Duration = Duration::from_secs(10);
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// Rows of one transaction: some milliseconds. In tests so few that everything takes several.
const SLICE_ROWS: usize = if cfg!(test) { 3 } else { 250 };
/// The clock was this much ahead when a file says so, and is right now.
const FUTURE_MS: i64 = DAY_MS;

/// The writer thread's end of the traffic figures.
#[derive(Debug)]
pub(in crate::store) struct TrafficWriter {
    book: Arc<Mutex<Book>>,
    due: Instant,
    /// There is more to do than one slice.
    busy: bool,
}

impl TrafficWriter {
    /// Reads what an earlier run of the process has counted in the minutes that are still open.
    pub(in crate::store) fn open(
        connection: &Connection,
        series_max: usize,
        now_unix_ms: i64,
    ) -> Result<Self, Error> {
        forget_future(connection, now_unix_ms)?;
        let folded = rows::folded_to(connection, MINUTE_MS)?;
        let after_folded = folded.window_start_unix_ms.saturating_add(MINUTE_MS);
        let mut book = Book::new(series_max, book::open_from(now_unix_ms).max(after_folded));
        restore(connection, &mut book)?;
        Ok(Self {
            book: Arc::new(Mutex::new(book)),
            due: Instant::now() + FLUSH_INTERVAL,
            busy: true,
        })
    }

    /// What readers look into.
    pub(super) fn book(&self) -> Arc<Mutex<Book>> {
        Arc::clone(&self.book)
    }

    /// Counts requests that ended.
    pub(in crate::store) fn note<'l>(&self, logs: impl Iterator<Item = &'l RequestLog>) {
        let mut logs = logs.peekable();
        if logs.peek().is_none() {
            return;
        }
        let mut book = self.book.lock();
        for log in logs {
            book.note(log);
        }
    }

    /// When there is something to do.
    pub(in crate::store) fn due(&self) -> Instant {
        match self.busy {
            true => Instant::now(),
            false => self.due,
        }
    }

    /// Makes everything due.
    #[cfg(test)]
    pub(super) fn hurry(&mut self) {
        self.busy = true;
    }

    /// Does one slice of what is due; says whether it wrote anything.
    pub(in crate::store) fn work(&mut self, connection: &Connection, now_unix_ms: i64) -> bool {
        if !self.busy && self.due > Instant::now() {
            return false;
        }
        match self.slice(connection, now_unix_ms) {
            Ok(wrote) => {
                self.busy = wrote;
                if !wrote {
                    self.due = Instant::now() + FLUSH_INTERVAL;
                }
                wrote
            }
            Err(error) => {
                tracing::warn!(%error, "traffic figures cannot be written and wait");
                self.busy = false;
                self.due = Instant::now() + RETRY_INTERVAL;
                false
            }
        }
    }

    /// Writes what is in memory; the last call.
    pub(in crate::store) fn finish(&mut self, connection: &Connection) {
        loop {
            match self.write_changed(connection) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(%error, "the last traffic figures cannot be written");
                    return;
                }
            }
        }
    }

    /// First what has changed, then closed minutes into hours, then hours into days.
    fn slice(&self, connection: &Connection, now_unix_ms: i64) -> Result<bool, Error> {
        self.book.lock().close(now_unix_ms);
        if self.write_changed(connection)? {
            return Ok(true);
        }
        let closed = self.book.lock().open_from_unix_ms;
        if fold(connection, (MINUTE_MS, HOUR_MS), closed)? {
            return Ok(true);
        }
        self.book.lock().let_go(closed);
        fold(connection, (HOUR_MS, DAY_MS), floor(closed, HOUR_MS))
    }

    /// Writes some of the rows that are not on the disk as they are; false when all are.
    fn write_changed(&self, connection: &Connection) -> Result<bool, Error> {
        let changed = self.changed();
        if changed.is_empty() {
            return Ok(false);
        }
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        let mut ids = Vec::with_capacity(changed.len());
        for row in &changed {
            let series_id = match row.series_id {
                Some(id) => id,
                None => rows::series_id(&transaction, &row.dimensions)?,
            };
            let place = Place {
                window_start_unix_ms: row.window_start_unix_ms,
                series_id,
            };
            let cell = row.cell.clone();
            rows::put(&transaction, MINUTE_MS, &Rollup { place, cell })?;
            ids.push(series_id);
        }
        transaction.commit()?;
        self.written(&changed, &ids);
        Ok(true)
    }

    fn changed(&self) -> Vec<Changed> {
        let book = self.book.lock();
        let minutes = book.minutes.iter().enumerate();
        minutes
            .flat_map(|(minute, held)| {
                let cells = held.cells.iter().enumerate();
                cells.filter_map(move |(place, kept)| Some((minute, held, place, kept.as_ref()?)))
            })
            .filter(|(.., kept)| kept.changed)
            .take(SLICE_ROWS)
            .map(|(minute, held, place, kept)| Changed {
                minute,
                place,
                window_start_unix_ms: held.start_unix_ms,
                series_id: book.series[place].id,
                dimensions: Arc::clone(&book.series[place].dimensions),
                cell: kept.cell.clone(),
            })
            .collect()
    }

    /// Nobody else counts meanwhile: that is this thread's own.
    fn written(&self, changed: &[Changed], ids: &[i64]) {
        let mut book = self.book.lock();
        for (row, id) in changed.iter().zip(ids) {
            book.series[row.place].id = Some(*id);
            let held = book.minutes.get_mut(row.minute);
            if let Some(Some(kept)) = held.and_then(|held| held.cells.get_mut(row.place)) {
                kept.changed = false;
            }
        }
    }
}

/// A row to write, and where it is in the book.
struct Changed {
    minute: usize,
    place: usize,
    window_start_unix_ms: i64,
    series_id: Option<i64>,
    dimensions: Arc<Dimensions>,
    cell: Cell,
}

/// Adds some rows of one span to those of the next; false when all before `end_unix_ms` are.
fn fold(
    connection: &Connection,
    (from_ms, into_ms): (i64, i64),
    end_unix_ms: i64,
) -> Result<bool, Error> {
    let folded = rows::folded_to(connection, from_ms)?;
    let next = rows::after(connection, from_ms, (folded, end_unix_ms), SLICE_ROWS)?;
    let Some(last) = next.last().map(|rollup| rollup.place) else {
        return Ok(false);
    };
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    for rollup in &next {
        let place = Place {
            window_start_unix_ms: floor(rollup.place.window_start_unix_ms, into_ms),
            ..rollup.place
        };
        let mut cell = rows::get(&transaction, into_ms, place)?;
        cell.merge(&rollup.cell);
        rows::put(&transaction, into_ms, &Rollup { place, cell })?;
    }
    rows::set_folded_to(&transaction, from_ms, last)?;
    transaction.commit()?;
    Ok(true)
}

fn restore(connection: &Connection, book: &mut Book) -> Result<(), Error> {
    let before = Place {
        window_start_unix_ms: book.open_from_unix_ms,
        series_id: i64::MIN,
    };
    let open = rows::after(connection, MINUTE_MS, (before, i64::MAX), usize::MAX)?;
    if open.is_empty() {
        return Ok(());
    }
    let mut series = hashbrown::HashMap::new();
    rows::all_series(connection, |id, dimensions| {
        series.insert(id, dimensions);
    })?;
    for Rollup { place, cell } in open {
        if let Some(dimensions) = series.get(&place.series_id) {
            let known = (place.series_id, dimensions.clone());
            book.restore(place.window_start_unix_ms, known, cell);
        }
    }
    Ok(())
}

/// A clock that was far ahead has left windows that nobody has lived through. They would stand in the way of the
/// present, for nothing before them is ever open again.
fn forget_future(connection: &Connection, now_unix_ms: i64) -> Result<(), Error> {
    let limit = now_unix_ms.saturating_add(FUTURE_MS);
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    for span_ms in [MINUTE_MS, HOUR_MS, DAY_MS] {
        transaction.execute(
            "DELETE FROM traffic_rollups WHERE span_ms = ?1 AND window_start_unix_ms > ?2",
            [span_ms, limit],
        )?;
    }
    let mended = transaction.execute(
        "UPDATE traffic_folds SET window_start_unix_ms = ?1 - span_ms, series_id = ?2
         WHERE window_start_unix_ms > ?3",
        [now_unix_ms, i64::MAX, limit],
    )?;
    transaction.commit()?;
    if mended > 0 {
        tracing::warn!(
            "the clock was ahead by more than a day; traffic figures of that time are gone"
        );
    }
    Ok(())
}
