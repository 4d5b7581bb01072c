//! Answers to requests that carried an `Idempotency-Key`, so that repeating one does nothing again.
//!
//! 1. A row is written before the request runs, and gets the answer after it. Between the two a second request with the
//!    same key is told so.
//! 2. A row without an answer that another process began means that nobody knows what became of the request: that is
//!    said, and nothing is done again.
//! 3. A request that was refused leaves no row: it changed nothing, and may be repeated.

use rusqlite::{Connection, Error, OptionalExtension, Row, params};

use super::{Store, StoreError, columns, queue::Message};

/// Rows that leave with each one that comes, where there are too many or too old ones.
const FORGOTTEN_AT_ONCE: u32 = 64;

/// A request that is about to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotentBegin {
    /// Whose key it is: two callers may use the same one.
    pub caller: String,
    pub key: String,
    /// SHA-256 over all that tells the request from others.
    pub fingerprint: [u8; 32],
    pub now_unix_ms: i64,
    /// Answers that are older are forgotten.
    pub forget_before_unix_ms: i64,
    /// The oldest answers beyond so many are forgotten.
    pub keep_max: u64,
}

/// What is known of a request's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Nothing: it may run, and has to be ended or dropped.
    Fresh,
    /// The first one is running in this process.
    InProgress,
    /// The process that ran the first one ended under it.
    Unknown,
    /// It was answered.
    Done(IdempotentAnswer),
    /// It came with another request.
    OtherRequest,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotentAnswer {
    pub status: u16,
    pub etag: Option<String>,
    pub body: Vec<u8>,
}

/// One write of this table.
#[derive(Debug)]
pub(super) enum IdempotentWrite {
    Begin {
        begin: IdempotentBegin,
        process: [u8; 16],
    },
    End {
        caller: String,
        key: String,
        answer: IdempotentAnswer,
    },
    Drop {
        caller: String,
        key: String,
    },
}

struct Known {
    fingerprint: [u8; 32],
    process: [u8; 16],
    answer: Option<IdempotentAnswer>,
}

impl Store {
    /// Notes that a request is about to run, or says what is known of its key.
    ///
    /// # Errors
    /// When the disk fails: then it must not run.
    pub async fn begin_idempotent(&self, begin: IdempotentBegin) -> Result<Begun, StoreError> {
        if let Some(known) = self.idempotent(&begin).await? {
            return Ok(self.judge(&begin, known));
        }
        let write = IdempotentWrite::Begin {
            begin: begin.clone(),
            process: self.process_id(),
        };
        match self.write_idempotent(write).await {
            Ok(()) => Ok(Begun::Fresh),
            // Two came at once, and this is the second.
            Err(StoreError::IdempotencyKeyTaken) => {
                let known = self.idempotent(&begin).await?;
                Ok(known.map_or(Begun::InProgress, |known| self.judge(&begin, known)))
            }
            Err(error) => Err(error),
        }
    }

    /// Keeps the answer of a request that was begun.
    ///
    /// # Errors
    /// When the disk fails: then repeating it is answered as unknown once this process has ended.
    pub async fn end_idempotent(
        &self,
        caller: String,
        key: String,
        answer: IdempotentAnswer,
    ) -> Result<(), StoreError> {
        self.write_idempotent(IdempotentWrite::End {
            caller,
            key,
            answer,
        })
        .await
    }

    /// Forgets a request that was begun and changed nothing.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn drop_idempotent(&self, caller: String, key: String) -> Result<(), StoreError> {
        self.write_idempotent(IdempotentWrite::Drop { caller, key })
            .await
    }

    fn judge(&self, begin: &IdempotentBegin, known: Known) -> Begun {
        if known.fingerprint != begin.fingerprint {
            return Begun::OtherRequest;
        }
        match known.answer {
            Some(answer) => Begun::Done(answer),
            None if known.process == self.process_id() => Begun::InProgress,
            None => Begun::Unknown,
        }
    }

    async fn idempotent(&self, begin: &IdempotentBegin) -> Result<Option<Known>, StoreError> {
        let (caller, key) = (begin.caller.clone(), begin.key.clone());
        self.read(move |readers| {
            let connection = readers.ledger.get().map_err(StoreError::Connect)?;
            select(&connection, &caller, &key).map_err(|source| StoreError::Read {
                what: "answers to idempotent requests",
                source,
            })
        })
        .await
    }

    async fn write_idempotent(&self, write: IdempotentWrite) -> Result<(), StoreError> {
        let write = Box::new(write);
        self.0
            .queue
            .ask(|reply| Message::Idempotent { write, reply })
            .await
    }
}

fn select(connection: &Connection, caller: &str, key: &str) -> Result<Option<Known>, Error> {
    connection
        .prepare_cached(
            "SELECT * FROM idempotent_answers WHERE caller = ?1 AND idempotency_key = ?2",
        )?
        .query_row([caller, key], known)
        .optional()
}

fn known(row: &Row<'_>) -> Result<Known, Error> {
    let status: Option<u16> = row.get("status")?;
    let answer = match status {
        Some(status) => Some(IdempotentAnswer {
            status,
            etag: row.get("etag")?,
            body: row.get("body")?,
        }),
        None => None,
    };
    Ok(Known {
        fingerprint: row.get("fingerprint")?,
        process: row.get("process")?,
        answer,
    })
}

/// Does one write as a part of the transaction.
pub(super) fn apply(
    connection: &Connection,
    write: &IdempotentWrite,
) -> Result<Result<(), StoreError>, Error> {
    match write {
        IdempotentWrite::Begin { begin, process } => {
            forget(connection, begin)?;
            let inserted = connection
                .prepare_cached(
                    "INSERT OR IGNORE INTO idempotent_answers (
                         caller, idempotency_key, fingerprint, process, began_at_unix_ms
                     ) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    begin.caller,
                    begin.key,
                    begin.fingerprint,
                    process,
                    begin.now_unix_ms
                ])?;
            Ok(match inserted {
                0 => Err(StoreError::IdempotencyKeyTaken),
                _ => Ok(()),
            })
        }
        IdempotentWrite::End {
            caller,
            key,
            answer,
        } => {
            connection
                .prepare_cached(
                    "UPDATE idempotent_answers SET status = ?3, etag = ?4, body = ?5
                     WHERE caller = ?1 AND idempotency_key = ?2",
                )?
                .execute(params![
                    caller,
                    key,
                    answer.status,
                    answer.etag,
                    answer.body
                ])?;
            Ok(Ok(()))
        }
        IdempotentWrite::Drop { caller, key } => {
            connection
                .prepare_cached(
                    "DELETE FROM idempotent_answers WHERE caller = ?1 AND idempotency_key = ?2",
                )?
                .execute([caller, key])?;
            Ok(Ok(()))
        }
    }
}

fn forget(connection: &Connection, begin: &IdempotentBegin) -> Result<(), Error> {
    connection
        .prepare_cached(
            "DELETE FROM idempotent_answers WHERE (caller, idempotency_key) IN (
                 SELECT caller, idempotency_key FROM idempotent_answers
                 WHERE began_at_unix_ms < ?1 ORDER BY began_at_unix_ms LIMIT ?2)",
        )?
        .execute(params![begin.forget_before_unix_ms, FORGOTTEN_AT_ONCE])?;
    // The newest stay, and the one that comes is one of them.
    connection
        .prepare_cached(
            "DELETE FROM idempotent_answers WHERE (caller, idempotency_key) IN (
                 SELECT caller, idempotency_key FROM idempotent_answers
                 ORDER BY began_at_unix_ms DESC LIMIT ?2 OFFSET max(?1 - 1, 0))",
        )?
        .execute(params![
            columns::from_count(begin.keep_max),
            FORGOTTEN_AT_ONCE
        ])?;
    Ok(())
}
