//! Response state: answers that can be fetched by their id, and the conversations that go on from them. Rows of
//! `state.db`, each bound to the API key that it was made with.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use rusqlite::{Connection, Error, OptionalExtension, Row, params};

use super::state::Aging;

/// A response that its owner can fetch, go on from and delete.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredResponse {
    pub id: String,
    /// The id of the API key that may see it; to every other it is not there.
    pub owner: Arc<str>,
    pub created_at_unix_ms: i64,
    /// The logical model.
    pub model: Arc<str>,
    /// Set when the provider itself keeps the response.
    pub provider: Option<Arc<str>>,
    /// The answer as JSON; empty when the provider keeps it.
    pub answer: Bytes,
    /// The conversation so far, its answer included, as JSON; empty when the provider keeps it.
    pub conversation: Bytes,
}

impl StoredResponse {
    pub(super) fn size_bytes(&self) -> usize {
        let names = [&self.owner, &self.model].map(|name| name.len());
        let provider = self.provider.as_ref().map_or(0, |name| name.len());
        let bodies = self.answer.len() + self.conversation.len();
        self.id.len() + names.iter().sum::<usize>() + provider + bodies
    }
}

/// Bodies by their size alone: what people write to a model belongs in no log.
impl fmt::Debug for StoredResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredResponse")
            .field("id", &self.id)
            .field("owner", &self.owner)
            .field("created_at_unix_ms", &self.created_at_unix_ms)
            .field("model", &self.model)
            .field("provider", &self.provider)
            .field("answer_bytes", &self.answer.len())
            .field("conversation_bytes", &self.conversation.len())
            .finish()
    }
}

pub(super) const AGING: Aging = Aging {
    oldest:
        "SELECT rowid, created_at_unix_ms, length(answer) + length(conversation) FROM response_state
             WHERE created_at_unix_ms <= ?1 ORDER BY created_at_unix_ms LIMIT ?2",
    delete: "DELETE FROM response_state WHERE rowid = ?1",
};

/// Adds a row; one with the same owner and id makes way.
pub(super) fn insert(connection: &Connection, response: &StoredResponse) -> Result<(), Error> {
    let mut insert = connection.prepare_cached(
        "INSERT OR REPLACE INTO response_state (
             api_key_id, id, created_at_unix_ms, model, provider, answer, conversation
         ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    insert.execute(params![
        response.owner,
        response.id,
        response.created_at_unix_ms,
        response.model,
        response.provider,
        &response.answer[..],
        &response.conversation[..],
    ])?;
    Ok(())
}

/// One that is no older than retention allows: created after `created_after`.
pub(super) fn get(
    connection: &Connection,
    (owner, id): (&str, &str),
    created_after: i64,
) -> Result<Option<StoredResponse>, Error> {
    connection
        .prepare_cached(
            "SELECT * FROM response_state WHERE api_key_id = ?1 AND id = ?2 AND created_at_unix_ms > ?3",
        )?
        .query_row(params![owner, id, created_after], stored)
        .optional()
}

/// Whether there was one to delete, no older than retention allows.
pub(super) fn delete(
    connection: &Connection,
    (owner, id): (&str, &str),
    created_after: i64,
) -> Result<bool, Error> {
    let created_at: Option<i64> = connection
        .prepare_cached(
            "DELETE FROM response_state WHERE api_key_id = ?1 AND id = ?2 RETURNING created_at_unix_ms",
        )?
        .query_row(params![owner, id], |row| row.get(0))
        .optional()?;
    Ok(created_at.is_some_and(|created_at| created_at > created_after))
}

fn stored(row: &Row<'_>) -> Result<StoredResponse, Error> {
    let bytes = |column: &str| row.get::<_, Vec<u8>>(column).map(Bytes::from);
    Ok(StoredResponse {
        id: row.get("id")?,
        owner: row.get("api_key_id")?,
        created_at_unix_ms: row.get("created_at_unix_ms")?,
        model: row.get("model")?,
        provider: row.get("provider")?,
        answer: bytes("answer")?,
        conversation: bytes("conversation")?,
    })
}
