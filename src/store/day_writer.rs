//! Writes request logs, decision traces and bodies into the file of their day. A file that cannot be written is left
//! alone for a while and its logs are dropped: they must never stand in the way of the ledger.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use ferrogate_api::{RequestLog, RoutingTrace};
use rusqlite::{Connection, TransactionBehavior};

use super::{
    StoreError,
    connection::{Checkpoint, checkpoint},
    days::{Day, DayFiles},
    decision_traces, request_bodies, request_logs,
    slot::{Bodies, Record},
};
use crate::ids::RequestId;

/// Today's file, and yesterday's for requests that outlast midnight.
const OPEN_MAX: usize = 2;
/// How long a file that failed is left alone.
const REST: Duration = Duration::from_secs(10);

/// What is left of one request in the file of its day.
struct Entry<'r> {
    id: RequestId,
    log: &'r RequestLog,
    routing: Option<&'r RoutingTrace>,
    bodies: Option<&'r Bodies>,
}

/// The day files that are open for writing; used by the writer thread alone.
#[derive(Debug)]
pub(super) struct DayWriter {
    files: Arc<DayFiles>,
    open: BTreeMap<Day, Connection>,
    resting: HashMap<Day, Instant>,
}

impl DayWriter {
    pub(super) fn new(files: Arc<DayFiles>) -> Self {
        Self {
            files,
            open: BTreeMap::new(),
            resting: HashMap::new(),
        }
    }

    /// Writes the records' logs, one transaction for each day, and says how many had to be dropped.
    pub(super) fn write(&mut self, records: &[Record]) -> u64 {
        let mut dropped = 0;
        let mut by_day: BTreeMap<Day, Vec<Entry<'_>>> = BTreeMap::new();
        for record in records {
            let Some(log) = record.log.as_deref() else {
                continue;
            };
            match RequestId::parse(&log.request_id) {
                Some(id) => by_day
                    .entry(Day::of(id.unix_ms()))
                    .or_default()
                    .push(Entry {
                        id,
                        log,
                        routing: record.routing.as_deref(),
                        bodies: record.bodies.as_deref(),
                    }),
                None => dropped += 1,
            }
        }
        for (day, entries) in by_day {
            if let Err(error) = self.write_day(day, &entries) {
                let logs = super::columns::length(entries.len());
                dropped += logs;
                if let Some(error) = error {
                    tracing::error!(%day, logs, error = ?error, "request logs cannot be written and are dropped");
                }
            }
        }
        dropped
    }

    /// `Err(None)`: the file failed a moment ago, and that was reported then.
    fn write_day(&mut self, day: Day, entries: &[Entry<'_>]) -> Result<(), Option<StoreError>> {
        if let Some(until) = self.resting.get(&day) {
            if Instant::now() < *until {
                return Err(None);
            }
            self.resting.remove(&day);
        }
        let written = self.connection(day).and_then(|connection| {
            commit(connection, entries).map_err(|source| StoreError::Commit(Arc::new(source)))
        });
        written.map_err(|error| {
            self.open.remove(&day);
            self.resting.insert(day, Instant::now() + REST);
            Some(error)
        })
    }

    fn connection(&mut self, day: Day) -> Result<&mut Connection, StoreError> {
        if !self.open.contains_key(&day) {
            let connection = self.files.open_writer(day)?;
            self.open.insert(day, connection);
            while self.open.len() > OPEN_MAX {
                // The oldest, unless that is the one asked for: then the next.
                let Some(oldest) = self.open.keys().copied().find(|open| *open != day) else {
                    break;
                };
                self.open.remove(&oldest);
            }
        }
        self.open.get_mut(&day).ok_or(StoreError::Closed)
    }

    pub(super) fn checkpoint(&mut self, how: Checkpoint) {
        for (day, connection) in &self.open {
            if let Err(error) = checkpoint(connection, how) {
                tracing::warn!(%day, %error, "a day of request logs cannot be checkpointed");
            }
        }
    }
}

fn commit(connection: &mut Connection, entries: &[Entry<'_>]) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut logs = request_logs::Insert::prepare(&transaction)?;
        let mut traces = decision_traces::Insert::prepare(&transaction)?;
        let mut bodies = request_bodies::Insert::prepare(&transaction)?;
        for entry in entries {
            logs.insert(entry.id, entry.log)?;
            if let Some(trace) = entry.routing {
                traces.insert(entry.id, trace)?;
            }
            if let Some(of_request) = entry.bodies {
                bodies.insert(entry.id, of_request)?;
            }
        }
    }
    transaction.commit()
}
