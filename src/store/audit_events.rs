//! The audit log: who changed what. Append-only, and chained: each row's hash covers the row and the hash before it,
//! so that a row cannot be altered, taken out or put in without every later hash becoming wrong.

use std::sync::Arc;

use ferrogate_api::{AuditEvent, AuditEventQuery, Page};
use rusqlite::{Connection, Error, OptionalExtension, Row, params, params_from_iter, types::Value};
use sha2::{Digest, Sha256};

use super::{
    Store, StoreError, columns,
    listing::{Deadline, Filter, SCAN_ROWS, limit_or_default},
    queue::Message,
};

/// What is to be noted.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    pub occurred_at_unix_ms: i64,
    /// Who: the id of an admin key, `unix:uid=…`, or the gateway itself.
    pub actor: Arc<str>,
    /// What: `api_key.create`, `ledger.reprice` and so on.
    pub action: Arc<str>,
    /// To what: `api_key:dev`, `organization:acme`.
    pub target: String,
    /// How it went: `ok`, or the code of the error.
    pub outcome: Arc<str>,
    /// Never a secret; nor is anything in `detail`.
    pub message: String,
    pub detail: Option<serde_json::Value>,
}

/// The hash before the first row.
pub(super) const FIRST_PREV_HASH: [u8; 32] = [0; 32];

/// Begins every hashed row. Another encoding gets another line.
const ENCODING: &[u8] = b"ferrogate audit event 1\n";

/// A row as it is hashed.
#[derive(Debug)]
pub(super) struct Hashed<'e> {
    pub(super) seq: i64,
    pub(super) occurred_at_unix_ms: i64,
    pub(super) actor: &'e str,
    pub(super) action: &'e str,
    pub(super) target: &'e str,
    pub(super) outcome: &'e str,
    pub(super) message: &'e str,
    /// The JSON as it is stored, byte for byte.
    pub(super) detail: Option<&'e str>,
    pub(super) prev_hash: [u8; 32],
}

impl Hashed<'_> {
    /// Every field with its length before it, so that no two rows have one encoding.
    pub(super) fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(ENCODING);
        hash.update(self.prev_hash);
        hash.update(self.seq.to_be_bytes());
        hash.update(self.occurred_at_unix_ms.to_be_bytes());
        let texts = [
            Some(self.actor),
            Some(self.action),
            Some(self.target),
            Some(self.outcome),
            Some(self.message),
            self.detail,
        ];
        for text in texts {
            hash.update([u8::from(text.is_some())]);
            let text = text.unwrap_or_default();
            hash.update(columns::length(text.len()).to_be_bytes());
            hash.update(text);
        }
        hash.finalize().into()
    }
}

impl Store {
    /// Notes what happened and waits for the commit.
    ///
    /// # Errors
    /// When the commit failed: then it is not noted.
    pub async fn audit(&self, entry: AuditEntry) -> Result<(), StoreError> {
        let entry = Box::new(entry);
        self.0
            .queue
            .ask(|reply| Message::Audit { entry, reply })
            .await
    }

    /// Lists what was noted, newest first.
    ///
    /// # Errors
    /// For a cursor that no list gave out, or when the disk fails.
    pub async fn audit_events(
        &self,
        query: AuditEventQuery,
    ) -> Result<Page<AuditEvent>, StoreError> {
        self.read(move |readers| {
            let deadline = Deadline::after(readers.time_limit);
            let connection = readers.ledger.get().map_err(StoreError::Connect)?;
            list(&connection, &query, deadline)
        })
        .await
    }
}

/// Adds a row to the end of the chain, as a part of the transaction.
pub(super) fn append(connection: &Connection, entry: &AuditEntry) -> Result<(), Error> {
    let detail = entry.detail.as_ref().map(ToString::to_string);
    let last = head(connection)?;
    let hashed = Hashed {
        seq: last_seq(connection)?.saturating_add(1),
        occurred_at_unix_ms: entry.occurred_at_unix_ms,
        actor: &entry.actor,
        action: &entry.action,
        target: &entry.target,
        outcome: &entry.outcome,
        message: &entry.message,
        detail: detail.as_deref(),
        prev_hash: last.map_or(FIRST_PREV_HASH, |last| last.hash),
    };
    let mut insert = connection.prepare_cached(
        "INSERT INTO audit_events (
             seq, occurred_at_unix_ms, actor, action, target, outcome, message, detail, prev_hash, hash
         ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    insert.execute(params![
        hashed.seq,
        hashed.occurred_at_unix_ms,
        hashed.actor,
        hashed.action,
        hashed.target,
        hashed.outcome,
        hashed.message,
        hashed.detail,
        hashed.prev_hash,
        hashed.hash(),
    ])?;
    Ok(())
}

/// A place in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) seq: i64,
    pub(super) hash: [u8; 32],
}

/// Where the chain goes on: its last row, or where retention has taken all of them, the last that left.
pub(super) fn head(connection: &Connection) -> Result<Option<Link>, Error> {
    let last = connection
        .prepare_cached("SELECT seq, hash FROM audit_events ORDER BY seq DESC LIMIT 1")?
        .query_row([], link)
        .optional()?;
    match last {
        Some(last) => Ok(Some(last)),
        None => anchor(connection),
    }
}

/// The last row that retention took away, from whose hash the chain goes on. A backup may be older than retention is.
pub(super) fn anchor(connection: &Connection) -> Result<Option<Link>, Error> {
    if !connection.table_exists(None::<&str>, "audit_anchors")? {
        return Ok(None);
    }
    connection
        .prepare_cached("SELECT seq, hash FROM audit_anchors ORDER BY seq DESC LIMIT 1")?
        .query_row([], link)
        .optional()
}

pub(super) fn link(row: &Row<'_>) -> Result<Link, Error> {
    Ok(Link {
        seq: row.get("seq")?,
        hash: row.get("hash")?,
    })
}

/// The highest number that was ever given to a row, whether the row is still there or not.
pub(super) fn last_seq(connection: &Connection) -> Result<i64, Error> {
    let last: Option<i64> = connection
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'audit_events'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(last.unwrap_or_default())
}

fn list(
    connection: &Connection,
    query: &AuditEventQuery,
    deadline: Deadline,
) -> Result<Page<AuditEvent>, StoreError> {
    let limit = limit_or_default(query.limit);
    let mut below = match &query.cursor {
        Some(cursor) => parse_cursor(cursor)?,
        None => i64::MAX,
    };
    let filter = filter_of(query);
    let mut events = Vec::new();
    loop {
        let wanted = limit + 1 - events.len();
        let chunk =
            scan(connection, &filter, below, wanted).map_err(|source| StoreError::Read {
                what: "audit events",
                source,
            })?;
        events.extend(chunk.events);
        if events.len() > limit {
            events.truncate(limit);
            let cursor = events.last().map(|event: &AuditEvent| event.id.clone());
            return Ok(Page::new(events, cursor));
        }
        let Some(scanned_to) = chunk.scanned_to else {
            return Ok(Page::new(events, None));
        };
        below = scanned_to;
        if deadline.is_over() {
            return Ok(Page::partial(events, Some(below.to_string())));
        }
    }
}

/// A cursor is the number of the last row that was shown or looked at.
fn parse_cursor(cursor: &str) -> Result<i64, StoreError> {
    let is_number = cursor.bytes().all(|byte| byte.is_ascii_digit());
    let seq = cursor.parse().ok().filter(|_| is_number);
    seq.ok_or(StoreError::InvalidCursor)
}

fn filter_of(query: &AuditEventQuery) -> Filter {
    let mut filter = Filter::default();
    filter.and("actor = ?", query.actor.clone());
    filter.and("action = ?", query.action.clone());
    filter.and("target = ?", query.target.clone());
    filter.and("outcome = ?", query.outcome.clone());
    filter.and("occurred_at_unix_ms >= ?", query.since);
    filter.and("occurred_at_unix_ms < ?", query.until);
    // One line for each, so that no text is found that begins in one and ends in another.
    filter.and(
        "instr(lower(concat_ws(char(10), actor, action, target, outcome, message, detail)), lower(?)) > 0",
        query.q.clone(),
    );
    filter
}

/// Part of the table, read in one short transaction.
struct Chunk {
    events: Vec<AuditEvent>,
    /// The lowest row of the chunk; `None` when there is none below it.
    scanned_to: Option<i64>,
}

fn scan(
    connection: &Connection,
    filter: &Filter,
    below: i64,
    limit: usize,
) -> Result<Chunk, Error> {
    let scanned_to: Option<i64> = connection
        .prepare_cached(&format!(
            "SELECT seq FROM audit_events WHERE seq < ?1 ORDER BY seq DESC LIMIT 1 OFFSET {SCAN_ROWS}"
        ))?
        .query_row([below], |row| row.get(0))
        .optional()?;
    let mut select = connection.prepare_cached(&format!(
        "SELECT * FROM audit_events WHERE seq < ? AND seq >= ?{} ORDER BY seq DESC LIMIT ?",
        filter.conditions()
    ))?;
    let values = [
        Value::from(below),
        Value::from(scanned_to.unwrap_or_default()),
    ]
    .into_iter()
    .chain(filter.values())
    .chain([Value::from(i64::try_from(limit).unwrap_or(i64::MAX))]);
    let events = select
        .query_map(params_from_iter(values), event)?
        .collect::<Result<_, _>>()?;
    Ok(Chunk { events, scanned_to })
}

/// The rows after one, in their order.
pub(super) fn after(
    connection: &Connection,
    seq: i64,
    limit: i64,
) -> Result<Vec<(i64, AuditEvent)>, Error> {
    connection
        .prepare_cached("SELECT * FROM audit_events WHERE seq > ?1 ORDER BY seq LIMIT ?2")?
        .query_map([seq, limit], |row| Ok((row.get("seq")?, event(row)?)))?
        .collect()
}

/// It was written as JSON; what is not shows as nothing, and `ledger verify` tells.
fn detail(row: &Row<'_>) -> Result<Option<serde_json::Value>, Error> {
    let text: Option<String> = row.get("detail")?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

fn event(row: &Row<'_>) -> Result<AuditEvent, Error> {
    Ok(AuditEvent {
        id: row.get::<_, i64>("seq")?.to_string(),
        occurred_at_unix_ms: row.get("occurred_at_unix_ms")?,
        actor: row.get("actor")?,
        action: row.get("action")?,
        target: row.get("target")?,
        outcome: row.get("outcome")?,
        message: row.get("message")?,
        detail: detail(row)?,
    })
}
