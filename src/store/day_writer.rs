//! Writes request logs into the file of their day. A file that cannot be written is left alone for a while and its
//! logs are dropped: they must never stand in the way of the ledger.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use ferrogate_api::RequestLog;
use rusqlite::{Connection, TransactionBehavior};

use super::{
    StoreError,
    connection::{Checkpoint, checkpoint},
    days::{Day, DayFiles},
    request_logs,
};
use crate::ids::RequestId;

/// Today's file, and yesterday's for requests that outlast midnight.
const OPEN_MAX: usize = 2;
/// How long a file that failed is left alone.
const REST: Duration = Duration::from_secs(10);

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

    /// Writes the logs, one transaction for each day, and says how many had to be dropped.
    pub(super) fn write<'l>(&mut self, logs: impl Iterator<Item = &'l RequestLog>) -> u64 {
        let mut dropped = 0;
        let mut by_day: BTreeMap<Day, Vec<(RequestId, &RequestLog)>> = BTreeMap::new();
        for log in logs {
            match RequestId::parse(&log.request_id) {
                Some(id) => by_day
                    .entry(Day::of(id.unix_ms()))
                    .or_default()
                    .push((id, log)),
                None => dropped += 1,
            }
        }
        for (day, logs) in by_day {
            if let Err(error) = self.write_day(day, &logs) {
                let logs = super::columns::length(logs.len());
                dropped += logs;
                if let Some(error) = error {
                    tracing::error!(%day, logs, error = ?error, "request logs cannot be written and are dropped");
                }
            }
        }
        dropped
    }

    /// `Err(None)`: the file failed a moment ago, and that was reported then.
    fn write_day(
        &mut self,
        day: Day,
        logs: &[(RequestId, &RequestLog)],
    ) -> Result<(), Option<StoreError>> {
        if let Some(until) = self.resting.get(&day) {
            if Instant::now() < *until {
                return Err(None);
            }
            self.resting.remove(&day);
        }
        let written = self.connection(day).and_then(|connection| {
            commit(connection, logs).map_err(|source| StoreError::Commit(Arc::new(source)))
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

fn commit(
    connection: &mut Connection,
    logs: &[(RequestId, &RequestLog)],
) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut insert = request_logs::Insert::prepare(&transaction)?;
        for (id, log) in logs {
            insert.insert(*id, log)?;
        }
    }
    transaction.commit()
}
