//! Deletes from `state.db` what is too old or too much, in slices: between two of them the ledger has its turn.

use rusqlite::{Connection, Error, TransactionBehavior, params};

use super::{Aging, limits::Limits};
use crate::store::{cached_answers, columns, reasoning_state, response_state};

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

/// What one slice did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Swept {
    pub(super) rows: u64,
    /// There is more to do.
    pub(super) more: bool,
}

/// Deletes one slice.
pub(super) fn sweep(
    connection: &mut Connection,
    limits: &Limits,
    now_unix_ms: i64,
) -> Result<Swept, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let outdated = [
        // The end of their time stands in the rows.
        (cached_answers::AGING, now_unix_ms),
        (
            response_state::AGING,
            limits.responses.rows_outdated_at(now_unix_ms),
        ),
        (
            reasoning_state::AGING,
            limits.reasoning.rows_outdated_at(now_unix_ms),
        ),
    ];
    let mut deleted = delete_oldest(&transaction, &outdated, Slice::WHOLE)?;
    let more = if Slice::WHOLE.is_used_up_by(deleted) {
        true
    } else {
        delete_surplus(
            &transaction,
            limits.file_max_bytes,
            SLICE_BYTES,
            &mut deleted,
        )?
    };
    transaction.commit()?;
    Ok(Swept {
        rows: columns::length(deleted.rows),
        more: more || shrink(connection, limits.file_max_bytes)?,
    })
}

/// Called in the transaction that added `added_bytes`: where the file is full, as much leaves as came. Says whether
/// there is more to do.
pub(super) fn make_room(
    connection: &Connection,
    limits: &Limits,
    added_bytes: u64,
) -> Result<bool, Error> {
    let bytes_max = added_bytes.max(SLICE_BYTES);
    delete_surplus(
        connection,
        limits.file_max_bytes,
        bytes_max,
        &mut Deleted::default(),
    )
}

/// Deletes rows while the file holds more than it may: cached answers first, which nobody goes on from, then the oldest of
/// both other tables.
fn delete_surplus(
    connection: &Connection,
    max_bytes: u64,
    bytes_max: u64,
    sum: &mut Deleted,
) -> Result<bool, Error> {
    let surplus = Pages::of(connection)?
        .used_bytes()
        .saturating_sub(max_bytes);
    if surplus == 0 {
        return Ok(false);
    }
    let slice = Slice {
        rows: SLICE_ROWS,
        bytes: surplus.min(bytes_max),
    };
    let every_answer = [(cached_answers::AGING, i64::MAX)];
    let mut deleted = delete_oldest(connection, &every_answer, slice)?;
    if deleted.rows == 0 {
        let every_row =
            [response_state::AGING, reasoning_state::AGING].map(|aging| (aging, i64::MAX));
        deleted = delete_oldest(connection, &every_row, slice)?;
    }
    sum.rows += deleted.rows;
    // Without a row to delete it is the empty tables that are too large, and nothing can be done.
    Ok(deleted.rows > 0 && Pages::of(connection)?.used_bytes() > max_bytes)
}

/// Deletes the oldest first, whichever table they are in.
fn delete_oldest(
    connection: &Connection,
    tables: &[(Aging, i64)],
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{
        super::{
            cached_answers::tests::answer,
            migrations::{Schema, migrate},
            response_state::StoredResponse,
        },
        limits::Lifetime,
    };
    use super::*;

    fn limits(file_max_bytes: u64) -> Limits {
        let lifetime = Lifetime::of(Duration::from_secs(3_600));
        Limits {
            responses: lifetime,
            reasoning: lifetime,
            file_max_bytes,
            entry_max_bytes: 1 << 20,
        }
    }

    /// A response that is older than two answers, of which one is over at 2000.
    fn filled() -> Connection {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, "memory".as_ref(), Schema::State).unwrap();
        let response = StoredResponse {
            id: "resp-1".to_owned(),
            owner: "a".into(),
            created_at_unix_ms: 10,
            model: "fast".into(),
            provider: None,
            answer: vec![b'x'; 20_000].into(),
            conversation: "[]".into(),
        };
        response_state::insert(&connection, &response).unwrap();
        for (digest, expires_at) in [(1, 2_000), (2, 9_000)] {
            let answer = crate::store::StoredAnswer {
                body: vec![digest; 20_000].into(),
                ..answer(digest, "a", expires_at)
            };
            cached_answers::insert(&connection, &answer).unwrap();
        }
        connection
    }

    fn rows(connection: &Connection) -> (i64, i64) {
        let count = |table: &str| {
            let select = format!("SELECT count(*) FROM {table}");
            connection.query_row(&select, [], |row| row.get(0)).unwrap()
        };
        (count("response_state"), count("cached_answers"))
    }

    #[test]
    fn an_answer_goes_when_its_time_is_over_however_young_it_is() {
        let mut connection = filled();
        for (now, expected) in [(1_999, (1, 2)), (2_000, (1, 1)), (9_000, (1, 0))] {
            assert!(!sweep(&mut connection, &limits(u64::MAX), now).unwrap().more);
            assert_eq!(rows(&connection), expected, "{now}");
        }
    }

    #[test]
    fn where_the_file_is_full_answers_go_before_what_is_older() {
        let mut connection = filled();
        let mut seen = vec![rows(&connection)];
        while sweep(&mut connection, &limits(1), 0).unwrap().more {
            seen.push(rows(&connection));
        }
        seen.push(rows(&connection));
        seen.dedup();
        let answers_first = |(responses, answers): &(i64, i64)| *responses == 1 || *answers == 0;
        assert!(seen.iter().all(answers_first), "{seen:?}");
        assert_eq!(seen.last(), Some(&(0, 0)));
        assert!(seen.contains(&(1, 0)), "{seen:?}");
    }
}
