//! What a client sent and was sent, beside the log of the request in the file of its day, where that is asked for.

use rusqlite::{CachedStatement, Connection, Error, OptionalExtension, params};

use super::slot::Bodies;
use crate::ids::RequestId;

/// A row that is there already stays as it is, so that a batch can be written again.
const INSERT: &str =
    "INSERT OR IGNORE INTO request_bodies (id, request, response) VALUES (?1, ?2, ?3)";

/// The writer has other work: this compresses text to a third, and faster than a disk writes it.
const COMPRESSION_LEVEL: i32 = 1;

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
