//! Deletes from `state.db` what is too old or too much, in slices: between two of them the ledger has its turn.

use rusqlite::{Connection, Error, TransactionBehavior, params};

use super::{Aging, limits::Limits};
use crate::store::{columns, reasoning_state, response_state};

/// What one slice deletes at most, a few milliseconds' worth.
const SLICE_ROWS: usize = 256;
const SLICE_BYTES: u64 = 4 << 20;
/// What one slice gives back to the file system at most.
const SLICE_PAGES: i64 = 256;
/// Free pages are used again; the file is made smaller only when a quarter of it, and more than this, is free.
const FREE_BYTES_KEPT: u64 = 16 << 20;
/// What a row costs beside its long values.
const ROW_BYTES: u64 = 128;

/// How much may be deleted at once.
#[derive(Debug, Clone, Copy)]
struct Slice {
    rows: usize,
    bytes: u64,
}

/// What was deleted.
#[derive(Debug, Clone, Copy, Default)]
struct Deleted {
    rows: usize,
    bytes: u64,
}

impl Slice {
    const WHOLE: Self = Self {
        rows: SLICE_ROWS,
        bytes: SLICE_BYTES,
    };

    fn is_used_up_by(self, deleted: Deleted) -> bool {
        deleted.rows >= self.rows || deleted.bytes >= self.bytes
    }
}

/// Deletes one slice; says whether there is more to do.
pub(super) fn sweep(
    connection: &mut Connection,
    limits: &Limits,
    now_unix_ms: i64,
) -> Result<bool, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let outdated = [
        (
            response_state::AGING,
            limits.responses.rows_outdated_at(now_unix_ms),
        ),
        (
            reasoning_state::AGING,
            limits.reasoning.rows_outdated_at(now_unix_ms),
        ),
    ];
    let deleted = delete_oldest(&transaction, &outdated, Slice::WHOLE)?;
    let more = if Slice::WHOLE.is_used_up_by(deleted) {
        true
    } else {
        delete_surplus(&transaction, limits.file_max_bytes, SLICE_BYTES)?
    };
    transaction.commit()?;
    Ok(more || shrink(connection, limits.file_max_bytes)?)
}

/// Called in the transaction that added `added_bytes`: where the file is full, as much leaves as came. Says whether
/// there is more to do.
pub(super) fn make_room(
    connection: &Connection,
    limits: &Limits,
    added_bytes: u64,
) -> Result<bool, Error> {
    let bytes_max = added_bytes.max(SLICE_BYTES);
    delete_surplus(connection, limits.file_max_bytes, bytes_max)
}

/// Deletes the oldest rows of both tables while the file holds more than it may.
fn delete_surplus(connection: &Connection, max_bytes: u64, bytes_max: u64) -> Result<bool, Error> {
    let surplus = Pages::of(connection)?
        .used_bytes()
        .saturating_sub(max_bytes);
    if surplus == 0 {
        return Ok(false);
    }
    let every_row = [response_state::AGING, reasoning_state::AGING].map(|aging| (aging, i64::MAX));
    let slice = Slice {
        rows: SLICE_ROWS,
        bytes: surplus.min(bytes_max),
    };
    let deleted = delete_oldest(connection, &every_row, slice)?;
    // Without a row to delete it is the empty tables that are too large, and nothing can be done.
    Ok(deleted.rows > 0 && Pages::of(connection)?.used_bytes() > max_bytes)
}

/// Deletes the oldest first, whichever table they are in.
fn delete_oldest(
    connection: &Connection,
    tables: &[(Aging, i64); 2],
    slice: Slice,
) -> Result<Deleted, Error> {
    let mut oldest = Vec::new();
    for (aging, until_unix_ms) in tables {
        let mut select = connection.prepare_cached(aging.oldest)?;
        let limit = i64::try_from(slice.rows).unwrap_or(i64::MAX);
        let mut rows = select.query(params![until_unix_ms, limit])?;
        while let Some(row) = rows.next()? {
            let (rowid, since_unix_ms): (i64, i64) = (row.get(0)?, row.get(1)?);
            let bytes = u64::try_from(row.get::<_, i64>(2)?).unwrap_or_default();
            oldest.push((since_unix_ms, rowid, bytes + ROW_BYTES, aging.delete));
        }
    }
    oldest.sort_unstable_by_key(|(since_unix_ms, ..)| *since_unix_ms);
    let mut deleted = Deleted::default();
    for (_, rowid, bytes, delete) in oldest {
        if slice.is_used_up_by(deleted) {
            break;
        }
        connection.prepare_cached(delete)?.execute([rowid])?;
        deleted.rows += 1;
        deleted.bytes += bytes;
    }
    Ok(deleted)
}

/// Gives free pages back to the file system; says whether there are more that should go.
fn shrink(connection: &Connection, max_bytes: u64) -> Result<bool, Error> {
    let before = Pages::of(connection)?;
    if !before.should_shrink(max_bytes) {
        return Ok(false);
    }
    let mut vacuum =
        connection.prepare_cached(&format!("PRAGMA incremental_vacuum({SLICE_PAGES})"))?;
    // It frees one page a step.
    let mut rows = vacuum.query([])?;
    while rows.next()?.is_some() {}
    let after = Pages::of(connection)?;
    Ok(after.all < before.all && after.should_shrink(max_bytes))
}

/// What the file consists of.
#[derive(Debug, Clone, Copy)]
struct Pages {
    all: u64,
    free: u64,
    size_bytes: u64,
}

impl Pages {
    fn of(connection: &Connection) -> Result<Self, Error> {
        let mut select = connection.prepare_cached(
            "SELECT page_count, freelist_count, page_size
             FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
        )?;
        select.query_row([], |row| {
            Ok(Self {
                all: columns::count(row, "page_count")?,
                free: columns::count(row, "freelist_count")?,
                size_bytes: columns::count(row, "page_size")?,
            })
        })
    }

    fn used_bytes(self) -> u64 {
        self.all.saturating_sub(self.free) * self.size_bytes
    }

    fn should_shrink(self, max_bytes: u64) -> bool {
        let free_bytes = self.free * self.size_bytes;
        let too_loose = self.free > self.all / 4 && free_bytes > FREE_BYTES_KEPT;
        too_loose || (self.free > 0 && self.all * self.size_bytes > max_bytes)
    }
}
