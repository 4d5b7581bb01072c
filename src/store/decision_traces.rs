//! Decision traces: why a request went where it went, beside its log in the file of its day.

use ferrogate_api::RoutingTrace;
use rusqlite::{CachedStatement, Connection, Error, OptionalExtension, params};

use crate::ids::RequestId;

/// A row that is there already stays as it is, so that a batch can be written again.
const INSERT: &str = "INSERT OR IGNORE INTO decision_traces (id, trace) VALUES (?1, ?2)";

/// The statement that adds a row, prepared once per batch.
pub(super) struct Insert<'c>(CachedStatement<'c>);

impl<'c> Insert<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> Result<Self, Error> {
        connection.prepare_cached(INSERT).map(Self)
    }

    pub(super) fn insert(&mut self, id: RequestId, trace: &RoutingTrace) -> Result<(), Error> {
        let json = serde_json::to_string(trace)
            .map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))?;
        self.0.execute(params![id.as_bytes(), json])?;
        Ok(())
    }
}

/// The trace of one request. One that cannot be read is reported and left out: the log beside it still tells most.
pub(super) fn get(connection: &Connection, id: RequestId) -> Result<Option<RoutingTrace>, Error> {
    let json: Option<String> = connection
        .prepare_cached("SELECT trace FROM decision_traces WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(json.and_then(|json| {
        serde_json::from_str(&json)
            .inspect_err(|error| {
                tracing::warn!(request.id = %id, %error, "a decision trace cannot be read and is left out");
            })
            .ok()
    }))
}
