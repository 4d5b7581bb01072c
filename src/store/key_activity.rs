//! When each key was last seen in a request. Collected in memory and written about once a second, because every
//! request would touch a row otherwise.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use ferrogate_api::RequestLog;
use rusqlite::{Connection, Error, OptionalExtension, Transaction, TransactionBehavior};

use super::{Store, StoreError};

const INTERVAL: Duration = Duration::from_secs(1);

/// What has not been written yet; the writer thread's own.
#[derive(Debug, Default)]
pub(super) struct KeyActivity {
    seen: HashMap<Arc<str>, i64>,
    /// `None` while there is nothing to write.
    due: Option<Instant>,
}

impl KeyActivity {
    pub(super) fn note(&mut self, log: &RequestLog) {
        let Some(key) = &log.api_key_id else { return };
        let at = log.started_at_unix_ms;
        match self.seen.get_mut(key) {
            Some(last) => *last = at.max(*last),
            None => {
                self.seen.insert(Arc::clone(key), at);
            }
        }
        self.due.get_or_insert_with(|| Instant::now() + INTERVAL);
    }

    /// When there is something to write.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Writes what is due; says whether it wrote anything. What cannot be written waits for the next time.
    pub(super) fn write_when_due(&mut self, connection: &Connection) -> bool {
        if self.due.is_none_or(|due| due > Instant::now()) {
            return false;
        }
        self.write(connection)
    }

    pub(super) fn write(&mut self, connection: &Connection) -> bool {
        if self.seen.is_empty() {
            return false;
        }
        match commit(connection, &self.seen) {
            Ok(()) => {
                self.seen.clear();
                self.due = None;
                true
            }
            Err(error) => {
                tracing::warn!(%error, "when keys were last used cannot be written");
                self.due = Some(Instant::now() + INTERVAL);
                false
            }
        }
    }
}

fn commit(connection: &Connection, seen: &HashMap<Arc<str>, i64>) -> Result<(), Error> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    {
        let mut upsert = transaction.prepare_cached(
            "INSERT INTO key_activity (api_key_id, last_used_unix_ms) VALUES (?1, ?2)
             ON CONFLICT (api_key_id) DO UPDATE SET
                 last_used_unix_ms = max(last_used_unix_ms, excluded.last_used_unix_ms)",
        )?;
        for (key, last_used) in seen {
            upsert.execute((key, last_used))?;
        }
    }
    transaction.commit()
}

impl Store {
    /// When each key was last seen in a request, in milliseconds since the Unix epoch; at most about a second behind.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn last_used(&self) -> Result<HashMap<Arc<str>, i64>, StoreError> {
        self.read_activity(select).await
    }

    /// The same of one key.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn last_used_of(&self, id: &str) -> Result<Option<i64>, StoreError> {
        let id = id.to_owned();
        self.read_activity(move |connection| select_one(connection, &id))
            .await
    }

    async fn read_activity<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.read(move |readers| {
            let connection = readers.ledger.get().map_err(StoreError::Connect)?;
            read(&connection).map_err(|source| StoreError::Read {
                what: "when keys were last used",
                source,
            })
        })
        .await
    }
}

fn select_one(connection: &Connection, id: &str) -> Result<Option<i64>, Error> {
    connection
        .prepare_cached("SELECT last_used_unix_ms FROM key_activity WHERE api_key_id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()
}

fn select(connection: &Connection) -> Result<HashMap<Arc<str>, i64>, Error> {
    connection
        .prepare_cached("SELECT api_key_id, last_used_unix_ms FROM key_activity")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}
