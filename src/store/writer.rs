//! The one thread that writes: it takes what is queued, commits it in batches and answers those who wait.
//!
//! What the queue and this thread promise each other, and everybody else:
//!
//! 1. A place in the queue is reserved when a request is admitted and travels in its [`Slot`](super::Slot) into the
//!    message that ends it. It is free again when that message has been written, not when it has been taken. So the
//!    queue is bounded by `queue_max_records`, waiting happens at admission alone, and handing over never waits.
//! 2. Messages are written in the order of their arrival; those of one request arrive in the order of its life.
//! 3. An ordinary record never wakes a lingering writer, so that a busy gateway pays for one wake-up per batch and
//!    not per record. The writer is woken when it sleeps over an empty queue, when a batch is full or the queue is
//!    half full, and at once when somebody waits for a commit or for a place. Whoever wakes it marks it as awake
//!    under the queue's lock; it looks at the queue under that lock before it sleeps. No wake-up is lost or doubled.
//! 4. One batch is one transaction of the ledger: metering rows, cleared holds and rollups of a request are committed
//!    together. Whoever waits is answered after that COMMIT; a flush after the request logs and the state too.
//! 5. A batch that cannot be committed is kept, and written again together with the next one. Those who wait hear of
//!    the failure at once. Their ledger rows are kept too, their holds and keys are not: nobody will act on them.
//! 6. Writing again changes nothing: rows are identified by request and attempt, and only a row that is new is added
//!    to a rollup. A rollup is therefore always the sum of the rows.
//! 7. Request logs follow the ledger's commit, one transaction for each day. A day that cannot be written loses its
//!    logs, counted; the ledger never notices.
//! 8. `state.db` comes last: after each batch one small transaction of it, and a slice of its retention. Nothing that
//!    goes wrong there is an error here (see [`super::state`]).
//! 9. However this thread ends, the queue is closed after it: nobody waits for a writer that is gone.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use rusqlite::{Connection, Error, TransactionBehavior};

use super::{
    StoreError, api_keys, columns,
    connection::{Checkpoint, checkpoint},
    day_writer::DayWriter,
    holds::HoldStatements,
    metering_events,
    queue::{Message, Queue, Record, Taken},
    state::StateWriter,
    usage_rollups::Rollups,
};

/// Requests come first: a batch that is written a moment later delays nobody. On Linux this is the thread's own.
const NICENESS: i32 = 5;
/// How often committed pages are moved out of the write-ahead logs while something is written.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);
/// How long the writer waits before it tries a batch again that nobody waits for.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// The writer thread's own.
pub(super) struct Writer {
    queue: Arc<Queue>,
    ledger: Connection,
    days: DayWriter,
    state: StateWriter,
    /// What is being written; not empty between two rounds only after a failure.
    batch: VecDeque<Message>,
    /// When to move pages; `None` while nothing was written since the last time.
    checkpoint_at: Option<Instant>,
    retry_at: Option<Instant>,
}

impl Writer {
    pub(super) fn new(
        queue: Arc<Queue>,
        ledger: Connection,
        days: DayWriter,
        state: StateWriter,
    ) -> Self {
        Self {
            queue,
            ledger,
            days,
            state,
            batch: VecDeque::new(),
            checkpoint_at: None,
            retry_at: None,
        }
    }

    /// Writes until the queue is closed and empty, then empties the write-ahead logs.
    pub(super) fn run(mut self) -> Result<(), StoreError> {
        let _closes = CloseOnExit(Arc::clone(&self.queue));
        if let Err(error) = rustix::process::nice(NICENESS) {
            tracing::debug!(%error, "the writer runs at the priority of everybody else");
        }
        loop {
            let until = [self.checkpoint_at, self.retry_at, Some(self.state.due())]
                .into_iter()
                .flatten()
                .min();
            match self.queue.take(&mut self.batch, until) {
                Taken::Batch => self.write(),
                Taken::Nothing => self.write_again(),
                Taken::Closed => break,
            }
            if self.state.work() {
                self.checkpoint_later();
            }
            self.checkpoint_when_due();
        }
        self.write();
        if !self.batch.is_empty() {
            let messages = self.batch.len();
            tracing::error!(
                messages,
                "the store closes with records that could not be committed"
            );
        }
        self.state.finish();
        self.days.checkpoint(Checkpoint::Truncate);
        checkpoint(&self.ledger, Checkpoint::Truncate).map_err(StoreError::Checkpoint)
    }

    fn write_again(&mut self) {
        if self.retry_at.is_some_and(|at| at <= Instant::now()) {
            self.write();
        }
    }

    fn write(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        match commit(&mut self.ledger, &self.batch) {
            Ok(keys_refused) => {
                self.retry_at = None;
                self.checkpoint_later();
                self.committed(&keys_refused);
            }
            Err(error) => {
                self.retry_at = Some(Instant::now() + RETRY_INTERVAL);
                self.not_committed(error);
            }
        }
    }

    fn committed(&mut self, keys_refused: &[usize]) {
        let mut records = Vec::with_capacity(self.batch.len());
        let mut flushed = Vec::new();
        let mut places = Vec::with_capacity(self.batch.len());
        for (index, message) in self.batch.drain(..).enumerate() {
            match message {
                Message::Hold { reply, .. } => answer(reply, Ok(())),
                Message::Settle { reply, .. } => {
                    if let Some(reply) = reply {
                        answer(reply, Ok(()));
                    }
                }
                Message::Finish { record, place } => {
                    records.push(record);
                    places.push(place);
                }
                Message::ApiKey { key, reply } => answer(
                    reply,
                    if keys_refused.contains(&index) {
                        Err(StoreError::ApiKeyExists(key.key.id))
                    } else {
                        Ok(())
                    },
                ),
                Message::Flush { reply } => flushed.push(reply),
            }
        }
        self.write_logs(&records);
        drop(places);
        if !flushed.is_empty() {
            self.state.drain();
        }
        for reply in flushed {
            answer(reply, Ok(()));
        }
    }

    fn write_logs(&mut self, records: &[Record]) {
        let dropped = self.days.write(records);
        let counters = &self.queue.counters;
        let written = columns::length(records.len()).saturating_sub(dropped);
        counters
            .records_written
            .fetch_add(written, Ordering::Relaxed);
        counters.logs_dropped.fetch_add(dropped, Ordering::Relaxed);
    }

    fn not_committed(&mut self, error: Error) {
        let failures = &self.queue.counters.commit_failures;
        failures.fetch_add(1, Ordering::Relaxed);
        tracing::error!(messages = self.batch.len(), %error, "a batch cannot be committed to the ledger and is kept");
        let error = Arc::new(error);
        let failed = || Err(StoreError::Commit(Arc::clone(&error)));
        let kept = self.batch.drain(..).filter_map(|message| match message {
            Message::Hold { reply, .. }
            | Message::ApiKey { reply, .. }
            | Message::Flush { reply } => {
                answer(reply, failed());
                None
            }
            Message::Settle {
                events,
                clears_hold,
                reply,
            } => {
                if let Some(reply) = reply {
                    answer(reply, failed());
                }
                Some(Message::Settle {
                    events,
                    clears_hold,
                    reply: None,
                })
            }
            finish @ Message::Finish { .. } => Some(finish),
        });
        self.batch = kept.collect();
        if self.batch.is_empty() {
            self.retry_at = None;
        }
    }

    fn checkpoint_later(&mut self) {
        self.checkpoint_at
            .get_or_insert_with(|| Instant::now() + CHECKPOINT_INTERVAL);
    }

    fn checkpoint_when_due(&mut self) {
        if self.checkpoint_at.is_none_or(|at| at > Instant::now()) {
            return;
        }
        self.checkpoint_at = None;
        self.days.checkpoint(Checkpoint::Passive);
        self.state.checkpoint(Checkpoint::Passive);
        if let Err(error) = checkpoint(&self.ledger, Checkpoint::Passive) {
            tracing::warn!(%error, "the ledger cannot be checkpointed");
        }
    }
}

/// Writes the batch's part of the ledger in one transaction; says which of its messages ask for a key that exists.
fn commit(ledger: &mut Connection, batch: &VecDeque<Message>) -> Result<Vec<usize>, Error> {
    if !batch.iter().any(touches_ledger) {
        return Ok(Vec::new());
    }
    let transaction = ledger.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let keys_refused = write_messages(&transaction, batch)?;
    transaction.commit()?;
    Ok(keys_refused)
}

fn touches_ledger(message: &Message) -> bool {
    match message {
        Message::Hold { .. } | Message::Settle { .. } | Message::ApiKey { .. } => true,
        Message::Finish { record, .. } => {
            !record.metering.is_empty() || record.clears_hold.is_some()
        }
        Message::Flush { .. } => false,
    }
}

fn write_messages(connection: &Connection, batch: &VecDeque<Message>) -> Result<Vec<usize>, Error> {
    let mut events_insert = metering_events::Insert::prepare(connection)?;
    let mut holds = HoldStatements::prepare(connection)?;
    let mut rollups = Rollups::default();
    let mut keys_refused = Vec::new();
    for (index, message) in batch.iter().enumerate() {
        let (events, clears_hold) = match message {
            Message::Hold { hold, .. } => {
                holds.open(hold)?;
                continue;
            }
            Message::ApiKey { key, .. } => {
                if !api_keys::insert(connection, key)? {
                    keys_refused.push(index);
                }
                continue;
            }
            Message::Flush { .. } => continue,
            Message::Settle {
                events,
                clears_hold,
                ..
            } => (events, clears_hold),
            Message::Finish { record, .. } => (&record.metering, &record.clears_hold),
        };
        for event in events {
            if events_insert.insert(event)? {
                rollups.add(event);
            }
        }
        if let Some(request) = clears_hold {
            holds.clear(*request)?;
        }
    }
    rollups.write(connection)?;
    Ok(keys_refused)
}

/// Whoever waited may have left; that is no concern of the writer's.
fn answer(reply: super::queue::Reply, result: Result<(), StoreError>) {
    drop(reply.send(result));
}

/// Closes the queue when the thread ends, by a panic too.
struct CloseOnExit(Arc<Queue>);

impl Drop for CloseOnExit {
    fn drop(&mut self) {
        let abandoned = self.0.abandon();
        if abandoned > 0 {
            tracing::error!(
                messages = abandoned,
                "the store's writer ended with messages in its queue"
            );
        }
    }
}
