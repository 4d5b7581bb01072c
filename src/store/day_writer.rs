//! Writes request logs, decision traces and bodies into the file of their day, and looks after its facets. A file that
//! cannot be written is left alone for a while and its logs are dropped: they must never stand in the way of the ledger.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use ferrogate_api::{RequestLog, RoutingTrace};
use rusqlite::{Connection, TransactionBehavior, config::DbConfig};

use super::{
    StoreError,
    connection::{Checkpoint, checkpoint},
    days::{Day, DayFiles},
    decision_traces,
    facets::{self, Facets},
    request_bodies, request_logs,
    slot::{Bodies, Record},
};
use crate::ids::RequestId;

/// Today's file, yesterday's for requests that outlast midnight, and one whose facets are built or whose rows leave.
const OPEN_MAX: usize = 3;
/// How long a file that failed is left alone.
const REST: Duration = Duration::from_secs(10);
/// How often it is looked for facets to save or to build: what came late to a span is saved together.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(60);
/// Between two slices of it, so that they take a small part of this thread's time.
const UPKEEP_PAUSE: Duration = Duration::from_millis(20);

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
    /// When the facets are looked after next.
    upkeep_at: Instant,
}

impl DayWriter {
    pub(super) fn new(files: Arc<DayFiles>) -> Self {
        Self {
            files,
            open: BTreeMap::new(),
            resting: HashMap::new(),
            // What a killed process left undone is done first.
            upkeep_at: Instant::now(),
        }
    }

    pub(super) fn files(&self) -> &DayFiles {
        &self.files
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
        let files = Arc::clone(&self.files);
        let written = self.connection(day).and_then(|connection| {
            commit(connection, &files.facets, day, entries)
                .map_err(|source| StoreError::Commit(Arc::new(source)))
        });
        written.map_err(|error| {
            self.abandon(day);
            self.resting.insert(day, Instant::now() + REST);
            Some(error)
        })
    }

    /// Closes a file that failed. What is in memory of its facets may be more than what was committed.
    fn abandon(&mut self, day: Day) {
        self.open.remove(&day);
        self.files.facets.unload(day);
    }

    /// The connection that writes a day, whose facets are in memory as long as it is open.
    pub(super) fn connection(&mut self, day: Day) -> Result<&mut Connection, StoreError> {
        if !self.open.contains_key(&day) {
            let mut connection = self.files.open_writer(day)?;
            self.files
                .facets
                .load(day, &mut connection)
                .map_err(|source| StoreError::Open {
                    path: self.files.path(day),
                    source,
                })?;
            self.open.insert(day, connection);
            while self.open.len() > OPEN_MAX {
                // The oldest, unless that is the one asked for: then the next.
                let Some(oldest) = self.open.keys().copied().find(|open| *open != day) else {
                    break;
                };
                self.close(oldest);
            }
        }
        self.open.get_mut(&day).ok_or(StoreError::Closed)
    }

    fn close(&mut self, day: Day) {
        self.save_facets(day);
        if let Some(connection) = self.open.get(&day) {
            checkpoint_day(day, connection, Checkpoint::Passive);
        }
        self.abandon(day);
    }

    fn save_facets(&mut self, day: Day) {
        if let Some(connection) = self.open.get_mut(&day)
            && let Err(error) = facets::save_all(&self.files.facets, day, connection)
        {
            tracing::warn!(%day, %error, "the facets of a day of request logs cannot be saved and will be built anew");
        }
    }

    /// When [`DayWriter::work`] has something to do.
    pub(super) fn due(&self) -> Instant {
        self.upkeep_at
    }

    /// Saves or builds a slice of the facets when it is time to; says whether something was written.
    pub(super) fn work(&mut self) -> bool {
        if self.upkeep_at > Instant::now() {
            return false;
        }
        let Some((day, task)) = self.files.facets.task() else {
            self.upkeep_at = Instant::now() + UPKEEP_INTERVAL;
            return false;
        };
        let files = Arc::clone(&self.files);
        let done = self.connection(day).and_then(|connection| {
            facets::slice(&files.facets, (day, task), connection)
                .map_err(|source| StoreError::Commit(Arc::new(source)))
        });
        if let Err(error) = done {
            tracing::warn!(%day, error = ?error, "the facets of a day of request logs cannot be kept; its lists are slow");
            self.abandon(day);
            self.files.facets.let_rest(day);
        }
        self.upkeep_at = Instant::now() + UPKEEP_PAUSE;
        true
    }

    /// Deletes the oldest rows of a day, at most `limit`; gives how many they were.
    pub(super) fn remove_oldest(&mut self, day: Day, limit: usize) -> Result<u64, StoreError> {
        let files = Arc::clone(&self.files);
        let connection = self.connection(day)?;
        facets::remove_oldest(&files.facets, day, connection, limit).map_err(|source| {
            self.abandon(day);
            StoreError::Commit(Arc::new(source))
        })
    }

    /// Deletes a day: closes its connections and removes its files.
    pub(super) fn drop_day(&mut self, day: Day) -> Result<(), StoreError> {
        if let Some(connection) = self.open.remove(&day) {
            // What is still in the write-ahead log goes too; moving it first would take as long as it is large.
            let moved = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
            if let Err(error) = moved {
                tracing::debug!(%day, %error, "a day of request logs is checkpointed before it is removed");
            }
        }
        self.resting.remove(&day);
        self.files.remove(day)
    }

    /// Saves what is only in memory and empties the write-ahead logs, at the end.
    pub(super) fn finish(&mut self) {
        let open: Vec<_> = self.open.keys().copied().collect();
        for day in open {
            self.save_facets(day);
        }
        self.checkpoint(Checkpoint::Truncate);
    }

    pub(super) fn checkpoint(&mut self, how: Checkpoint) {
        for (day, connection) in &self.open {
            checkpoint_day(*day, connection, how);
        }
    }
}

fn checkpoint_day(day: Day, connection: &Connection, how: Checkpoint) {
    if let Err(error) = checkpoint(connection, how) {
        tracing::warn!(%day, %error, "a day of request logs cannot be checkpointed");
    }
}

fn commit(
    connection: &mut Connection,
    facets: &Facets,
    day: Day,
    entries: &[Entry<'_>],
) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut logs = request_logs::Insert::prepare(&transaction)?;
        let mut traces = decision_traces::Insert::prepare(&transaction)?;
        let mut bodies = request_bodies::Insert::prepare(&transaction)?;
        let mut new = Vec::with_capacity(entries.len());
        for entry in entries {
            if logs.insert(entry.id, entry.log)? {
                new.push((entry.id, entry.log));
            }
            if let Some(trace) = entry.routing {
                traces.insert(entry.id, trace)?;
            }
            if let Some(of_request) = entry.bodies {
                bodies.insert(entry.id, of_request)?;
            }
        }
        // Before the commit, so that no reader sees a row that the facets do not know.
        facets.note(day, new.into_iter(), &transaction)?;
    }
    transaction.commit()
}
