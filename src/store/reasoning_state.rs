//! Reasoning state: what a provider wants back with the next turn, where the client's dialect has no place for it.
//! Rows of `state.db`, found by the tool call that they came with and bound to the API key that made it.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use rusqlite::{Connection, Error, OptionalExtension, params};

use super::state::Aging;

/// The reasoning state of one tool call. Opaque here.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct StoredReasoning {
    pub(super) owner: Arc<str>,
    pub(super) call_id: Arc<str>,
    pub(super) kept_at_unix_ms: i64,
    pub(super) state: Bytes,
}

impl StoredReasoning {
    pub(super) fn size_bytes(&self) -> usize {
        self.owner.len() + self.call_id.len() + self.state.len()
    }
}

/// Without the state: thoughts belong in no log.
impl fmt::Debug for StoredReasoning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredReasoning")
            .field("owner", &self.owner)
            .field("call_id", &self.call_id)
            .field("kept_at_unix_ms", &self.kept_at_unix_ms)
            .field("state_bytes", &self.state.len())
            .finish()
    }
}

pub(super) const AGING: Aging = Aging {
    oldest: "SELECT rowid, kept_at_unix_ms, length(state) FROM reasoning_state
             WHERE kept_at_unix_ms <= ?1 ORDER BY kept_at_unix_ms LIMIT ?2",
    delete: "DELETE FROM reasoning_state WHERE rowid = ?1",
};

/// Adds a row; one of the same owner and call makes way.
pub(super) fn insert(connection: &Connection, reasoning: &StoredReasoning) -> Result<(), Error> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO reasoning_state (api_key_id, call_id, kept_at_unix_ms, state)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    insert.execute(params![
        reasoning.owner,
        reasoning.call_id,
        reasoning.kept_at_unix_ms,
        &reasoning.state[..],
    ])?;
    Ok(())
}

/// The states of one owner's calls, in their order; none that was kept at `kept_after` or before.
pub(super) fn get(
    connection: &Connection,
    owner: &str,
    call_ids: &[String],
    kept_after: i64,
) -> Result<Vec<Option<Bytes>>, Error> {
    let mut select = connection.prepare_cached(
        "SELECT state FROM reasoning_state WHERE api_key_id = ?1 AND call_id = ?2 AND kept_at_unix_ms > ?3",
    )?;
    call_ids
        .iter()
        .map(|call_id| {
            select
                .query_row(params![owner, call_id, kept_after], |row| {
                    row.get::<_, Vec<u8>>(0).map(Bytes::from)
                })
                .optional()
        })
        .collect()
}
