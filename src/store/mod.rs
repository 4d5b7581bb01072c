//! Embedded SQLite: the only module that knows SQL, and the only one that opens a database file.
//!
//! One thread writes (see [`writer`]); lists are read on threads in the background (see [`reader_threads`]), through
//! connections that can only read. Requests hand over what happened through a [`Slot`] and wait for the disk only where
//! `storage.settle` says so.

mod audit_events;
mod audit_feed;
mod backup;
mod balances;
mod budget_adjustments;
mod cached_answers;
mod check;
mod columns;
mod connection;
mod day_writer;
mod days;
mod decision_traces;
mod error;
mod facets;
mod filling;
mod holds;
mod idempotency;
mod key_activity;
mod ledger;
mod listing;
mod lock;
mod metering_events;
mod migrations;
mod price_versions;
mod queue;
mod reader_threads;
mod reasoning_state;
mod repricing;
mod request_bodies;
mod request_logs;
mod resources;
mod response_state;
mod retention;
mod revisions;
mod slot;
mod state;
mod traffic;
mod usage_aggregates;
mod usage_rollups;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

pub use audit_events::AuditEntry;
pub use backup::{
    BackupRequest, Restored, create_backup, list_backups, prune_backups, restore_backup,
    verify_backup,
};
pub use balances::OpenedBalances;
pub use cached_answers::{AnswersOf, StoredAnswer};
pub use check::{DatabaseCheck, SchemaCheck, check_databases};
pub use error::StoreError;
pub use filling::{drop_oldest_request_logs, fill_request_logs};
pub use holds::Hold;
pub use idempotency::{Begun, IdempotentAnswer, IdempotentBegin};
pub use repricing::{CostOf, Reprice, Repriced};
pub use resources::{ResourceChange, ResourceKind, StoredResource};
pub use response_state::StoredResponse;
pub use revisions::{NewRevision, RevisedResource, Revision, RevisionSource};
pub use slot::{Bodies, Commit, Metered, Record, Slot};
pub use traffic::TimeseriesAsk;
pub use verify::{Difference, LedgerReport, OpenHolds, has_ledger, verify, verify_audit};

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    thread::JoinHandle,
    time::Duration,
};

use ferrogate_api::{
    MeteringEvent, MeteringEventQuery, Page, RequestLog, RequestLogDetail, RequestLogFacets,
    RequestLogFacetsQuery, RequestLogQuery, WriterStatus,
};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::config::{Backup, Storage};
use crate::ids::RequestId;
use crate::tasks::{self, Background};
use audit_feed::{AuditFeed, AuditSink};
use backup::Backups;
use connection::ReadPool;
use day_writer::DayWriter;
use days::DayFiles;
use ledger::{Beside, OpenedLedger};
use listing::Deadline;
use lock::DirectoryLock;
use migrations::Schema;
use queue::{Message, Queue};
use reader_threads::ReaderThreads;
use retention::Retention;
use state::{State, StateWriter};
use traffic::{TrafficBook, TrafficWriter};
use writer::Opened;

const LEDGER_FILE: &str = "ferrogate.db";

/// The data directory, open. Cheap to clone; all clones are one store, which ends with the last of them.
#[derive(Debug, Clone)]
pub struct Store(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Arc<Queue>,
    readers: Arc<Readers>,
    state: Arc<State>,
    audit_sink: AuditSink,
    ledger_path: PathBuf,
    backups: Arc<Backups>,
    retention: Arc<retention::Shown>,
    orphans_charged: u64,
    /// Tells this process from those that had the directory open before.
    process: uuid::Uuid,
    /// Taken by whoever ends it, [`Store::close`] or the last drop.
    writer: Mutex<Option<JoinHandle<Result<(), StoreError>>>>,
    /// Dropped after the writer has ended.
    _lock: DirectoryLock,
}

/// What lists are read with.
#[derive(Debug)]
struct Readers {
    /// One for each connection of the pool and each thread, so that a list that nobody waits for any more is not begun.
    turns: Arc<Semaphore>,
    threads: ReaderThreads,
    ledger: ReadPool,
    days: Arc<DayFiles>,
    traffic: Arc<Mutex<TrafficBook>>,
    time_limit: Duration,
}

impl Store {
    /// Opens the data directory: creates it where it is missing, locks it, brings the schemas up to date, charges the
    /// holds that a killed process left and starts the writer thread. Blocks on the disk.
    ///
    /// # Errors
    /// When another process has the directory open, when a newer version has written to it, or when the disk fails.
    pub fn open(storage: &Storage, clock: Clock) -> Result<Self, StoreError> {
        Self::open_with_backups(storage, &Backup::of(&storage.path), clock)
    }

    /// As [`Store::open`], with backups as they are configured. One is made before a schema changes.
    ///
    /// # Errors
    /// The same, and when that backup cannot be made: then the schema stays as it is.
    pub fn open_with_backups(
        storage: &Storage,
        backup: &Backup,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        let lock = DirectoryLock::acquire(&storage.path)?;
        backup::require_no_interrupted_restore(&storage.path)?;
        let ledger_path = storage.path.join(LEDGER_FILE);
        let mut ledger = connection::open_writer_with(
            &ledger_path,
            Schema::Ledger,
            storage.durability,
            |connection, version| {
                let when = (version, clock.unix_ms());
                backup::before_migration(connection, &ledger_path, backup, when)
            },
        )?;
        let (orphans_charged, book) = holds::charge_orphans(&mut ledger, clock.unix_ms())
            .map_err(StoreError::ChargeOrphans)?;
        let audit_sink = AuditSink::default();
        let beside = Beside {
            traffic: TrafficWriter::open(&ledger, storage.traffic_series_max, clock.unix_ms())
                .map_err(StoreError::Load)?,
            feed: AuditFeed::open(&ledger, audit_sink.clone()).map_err(StoreError::Load)?,
        };
        let traffic = beside.traffic.shared();
        let ledger =
            OpenedLedger::new(ledger, (book, beside), clock.clone()).map_err(StoreError::Load)?;
        if orphans_charged > 0 {
            tracing::warn!(
                orphans_charged,
                "requests were open when the last process ended; their holds are charged"
            );
        }
        let days = Arc::new(DayFiles::open(storage)?);
        let turns = turns(storage.read_connections);
        let readers = Readers {
            turns: Arc::new(Semaphore::new(turns)),
            threads: ReaderThreads::start(turns).map_err(StoreError::StartThread)?,
            ledger: connection::open_read_pool(ledger_path.clone(), storage.read_connections)?,
            days: Arc::clone(&days),
            traffic,
            time_limit: storage.list_time_limit,
        };
        let queue = Arc::new(Queue::new(storage));
        let retention =
            Retention::new(storage.retention.clone(), clock.clone(), &ledger.connection)
                .map_err(StoreError::Load)?;
        let retention_shown = retention.shown();
        let backups = Arc::new(Backups::new(backup, clock.clone()));
        let state = Arc::new(State::new(storage, clock, Arc::clone(&queue)));
        let state_writer = StateWriter::open(Arc::clone(&state));
        let day_writer = DayWriter::new(days);
        let writer = Opened {
            queue: Arc::clone(&queue),
            ledger,
            days: day_writer,
            state: state_writer,
            retention,
        };
        let writer =
            tasks::background_thread("store-writer", Background::Soon, move || writer.run())
                .map_err(StoreError::StartThread)?;
        Ok(Self(Arc::new(Shared {
            queue,
            readers: Arc::new(readers),
            state,
            audit_sink,
            ledger_path,
            backups,
            retention: retention_shown,
            orphans_charged,
            process: uuid::Uuid::now_v7(),
            writer: Mutex::new(Some(writer)),
            _lock: lock,
        })))
    }

    /// How many requests the last process left open; they were charged what they held.
    pub fn orphans_charged(&self) -> u64 {
        self.0.orphans_charged
    }

    fn process_id(&self) -> [u8; 16] {
        self.0.process.into_bytes()
    }

    /// Takes a place in the writer's queue, waiting until one is free.
    ///
    /// # Errors
    /// Only when the store is closed.
    pub async fn reserve(&self) -> Result<Slot, StoreError> {
        self.0.queue.reserve().await
    }

    /// Takes a place in the writer's queue if one is free; if not, the missing log is counted.
    pub fn try_reserve(&self) -> Option<Slot> {
        self.0.queue.try_reserve()
    }

    /// How the writer is doing.
    pub fn status(&self) -> WriterStatus {
        let queue = &self.0.queue;
        let counters = &queue.counters;
        WriterStatus {
            queue_used: columns::length(queue.places_used()),
            queue_max: columns::length(queue.places_max()),
            records_written: counters.records_written.load(Ordering::Relaxed),
            logs_dropped: counters.logs_dropped.load(Ordering::Relaxed),
            commit_failures: counters.commit_failures.load(Ordering::Relaxed),
            wal_bytes: size_bytes(&connection::wal_path(&self.0.ledger_path)),
            database_bytes: size_bytes(&self.0.ledger_path),
            state: self.0.state.status(),
        }
    }

    /// Waits until everything that was finished before is committed.
    ///
    /// # Errors
    /// When the batch could not be committed, or the store is closed.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.0.queue.ask(|reply| Message::Flush { reply }).await
    }

    /// Commits what is queued, empties the write-ahead logs and stops the writer. A request that ends later loses its
    /// record, so this comes after the last of them. Closing again does nothing.
    ///
    /// # Errors
    /// When the last batch could not be committed or the checkpoint failed; the writer is stopped all the same.
    pub async fn close(&self) -> Result<(), StoreError> {
        let Some(writer) = self.0.writer.lock().take() else {
            return Ok(());
        };
        let flushed = self.flush().await;
        self.0.queue.close();
        let ended = tokio::task::spawn_blocking(move || writer.join()).await;
        flushed?;
        match ended {
            Ok(Ok(ended)) => ended,
            Ok(Err(_)) | Err(_) => Err(StoreError::Closed),
        }
    }

    /// Lists request logs, newest first.
    ///
    /// # Errors
    /// For a cursor that no list gave out, or when the disk fails.
    pub async fn request_logs(
        &self,
        query: RequestLogQuery,
    ) -> Result<Page<RequestLog>, StoreError> {
        self.read(move |readers| {
            let deadline = Deadline::after(readers.time_limit);
            request_logs::list(&readers.days, &query, deadline)
        })
        .await
    }

    /// Which values the request logs have, and how often.
    ///
    /// # Errors
    /// When the store is closed.
    pub async fn request_log_facets(
        &self,
        query: RequestLogFacetsQuery,
    ) -> Result<RequestLogFacets, StoreError> {
        self.read(move |readers| {
            let deadline = Deadline::after(readers.time_limit);
            Ok(facets::totals(&readers.days, &query, deadline))
        })
        .await
    }

    /// Finds the log and the decision trace of one request, once they are written.
    ///
    /// # Errors
    /// When its day's file cannot be read.
    pub async fn request_log(&self, id: RequestId) -> Result<Option<RequestLogDetail>, StoreError> {
        self.read(move |readers| request_logs::get(&readers.days, id))
            .await
    }

    /// Lists the ledger's rows, newest request first.
    ///
    /// # Errors
    /// For a cursor that no list gave out, or when the disk fails.
    pub async fn metering_events(
        &self,
        query: MeteringEventQuery,
    ) -> Result<Page<MeteringEvent>, StoreError> {
        self.read(move |readers| {
            let deadline = Deadline::after(readers.time_limit);
            let connection = readers.ledger.get().map_err(StoreError::Connect)?;
            metering_events::list(&connection, &query, deadline)
        })
        .await
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Readers) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let readers = Arc::clone(&self.0.readers);
        let turn = Arc::clone(&readers.turns)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        let of_read = Arc::clone(&readers);
        let run = readers.threads.run(move || {
            let result = read(&of_read);
            // Kept to the end of the read and not of the wait for it: who asked may have left.
            drop(turn);
            result
        });
        run.await.ok_or(StoreError::ReadAborted)?
    }
}

impl Drop for Shared {
    /// A store that was not closed still writes what was handed over, before the lock on the directory is released.
    fn drop(&mut self) {
        self.queue.close();
        if let Some(writer) = self.writer.get_mut().take() {
            match writer.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "the store did not end cleanly"),
                Err(_) => tracing::error!("the store's writer panicked"),
            }
        }
    }
}

fn turns(connections: u32) -> usize {
    usize::try_from(connections.max(1)).unwrap_or(Semaphore::MAX_PERMITS)
}

fn size_bytes(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
