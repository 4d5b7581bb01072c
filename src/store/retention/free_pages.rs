//! The pages of a day's file that hold nothing any more.

use rusqlite::{Connection, Error};

use crate::store::columns;

/// What one slice gives back to the file system at most.
const SLICE_PAGES: i64 = 256;

/// What is used of a file, in bytes.
pub(super) fn used_bytes(connection: &Connection) -> Result<u64, Error> {
    connection
        .prepare_cached(
            "SELECT (page_count - freelist_count) * page_size AS used_bytes
             FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
        )?
        .query_row([], |row| columns::count(row, "used_bytes"))
}

/// Gives a slice of what is free in a file back to the file system; says whether there is more.
pub(super) fn give_back(connection: &Connection) -> Result<bool, Error> {
    let before = free_pages(connection)?;
    if before == 0 {
        return Ok(false);
    }
    {
        let mut vacuum =
            connection.prepare_cached(&format!("PRAGMA incremental_vacuum({SLICE_PAGES})"))?;
        // It frees one page a step.
        let mut rows = vacuum.query([])?;
        while rows.next()?.is_some() {}
    }
    let left = free_pages(connection)?;
    // A file that was made without it keeps its pages, and uses them again.
    Ok(left > 0 && left < before)
}

fn free_pages(connection: &Connection) -> Result<u64, Error> {
    connection
        .prepare_cached("SELECT freelist_count FROM pragma_freelist_count")?
        .query_row([], |row| columns::count(row, "freelist_count"))
}
