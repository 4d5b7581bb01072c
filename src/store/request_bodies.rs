//! What a client sent and was sent, beside the log of the request in the file of its day, where that is asked for.

use rusqlite::{
    CachedStatement, Connection, Error, OptionalExtension, TransactionBehavior, params,
};

use super::slot::Bodies;
use crate::ids::RequestId;

/// A row that is there already stays as it is, so that a batch can be written again.
const INSERT: &str =
    "INSERT OR IGNORE INTO request_bodies (id, request, response) VALUES (?1, ?2, ?3)";

/// The writer has other work: this compresses text to a third, and faster than a disk writes it.
const COMPRESSION_LEVEL: i32 = 1;

/// What one transaction deletes at most, a few milliseconds' worth: bodies can be large.
const SLICE_ROWS: usize = 200;
const SLICE_BYTES: i64 = 4 << 20;

/// The statement that adds a row, prepared once per batch.
pub(super) struct Insert<'c>(CachedStatement<'c>);

impl<'c> Insert<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> Result<Self, Error> {
        connection.prepare_cached(INSERT).map(Self)
    }

    pub(super) fn insert(&mut self, id: RequestId, bodies: &Bodies) -> Result<(), Error> {
        let compress = |body: &[u8]| {
            zstd::bulk::compress(body, COMPRESSION_LEVEL)
                .map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))
        };
        self.0.execute(params![
            id.as_bytes(),
            compress(&bodies.request)?,
            compress(&bodies.response)?
        ])?;
        Ok(())
    }
}

/// The bodies of one request, as text. One that cannot be read is reported and left out: the log beside it still
/// tells most.
pub(super) fn get(connection: &Connection, id: RequestId) -> Result<[Option<String>; 2], Error> {
    let compressed: Option<[Vec<u8>; 2]> = connection
        .prepare_cached("SELECT request, response FROM request_bodies WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| Ok([row.get(0)?, row.get(1)?]))
        .optional()?;
    Ok(compressed.map_or([None, None], |bodies| {
        bodies.map(|body| {
            zstd::decode_all(&*body)
                .inspect_err(|error| {
                    tracing::warn!(request.id = %id, %error, "a body cannot be read and is left out");
                })
                .ok()
                .map(|body| String::from_utf8_lossy(&body).into_owned())
        })
    }))
}

/// Whether the day has any.
pub(super) fn exist(connection: &Connection) -> Result<bool, Error> {
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM request_bodies)")?
        .query_row([], |row| row.get(0))
}

/// Deletes a slice of the bodies of requests up to `last`; says whether those were all.
pub(super) fn remove_through(connection: &mut Connection, last: RequestId) -> Result<bool, Error> {
    let (_, is_last) = remove_slice(connection, last.as_bytes())?;
    Ok(is_last)
}

/// Deletes a slice of all bodies of the day: how many, and whether they were all.
pub(super) fn remove(connection: &mut Connection) -> Result<(usize, bool), Error> {
    remove_slice(connection, &[u8::MAX; 16])
}

fn remove_slice(connection: &mut Connection, last: &[u8; 16]) -> Result<(usize, bool), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut ids: Vec<[u8; 16]> = Vec::new();
    let mut is_last = true;
    {
        let mut select = transaction.prepare_cached(
            "SELECT id, length(request) + length(response) FROM request_bodies WHERE id <= ?1 ORDER BY id",
        )?;
        let mut rows = select.query([last])?;
        let mut bytes = 0;
        while let Some(row) = rows.next()? {
            if ids.len() >= SLICE_ROWS || bytes >= SLICE_BYTES {
                is_last = false;
                break;
            }
            ids.push(row.get(0)?);
            bytes += row.get::<_, i64>(1)?;
        }
    }
    {
        let mut delete = transaction.prepare_cached("DELETE FROM request_bodies WHERE id = ?1")?;
        for id in &ids {
            delete.execute([id])?;
        }
    }
    transaction.commit()?;
    Ok((ids.len(), is_last))
}
