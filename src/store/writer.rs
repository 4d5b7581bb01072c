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
//! 4. One batch is one transaction of the ledger: metering rows, cleared holds, rollups and balances of a request are
//!    committed together. Whoever waits is answered after that COMMIT; a flush after the request logs and the state too.
//! 5. A batch that cannot be committed is kept, and written again together with the next one. Those who wait hear of
//!    the failure at once. Their ledger rows are kept too; their holds, questions and changes are not: nobody will act
//!    on them.
//! 6. Writing again changes nothing: rows are identified by request and attempt, and only a row that is new is added
//!    to a rollup or a balance. Those are therefore always the sum of the rows.
//! 7. Request logs follow the ledger's commit, one transaction for each day. A day that cannot be written loses its
//!    logs, counted; the ledger never notices.
//! 8. `state.db` comes last: after each batch one small transaction of it, and a slice of its retention. Nothing that
//!    goes wrong there is an error here (see [`super::state`]).
//! 9. A reckoning of costs anew goes on in slices after batches, each a transaction of its own (see
//!    [`super::repricing`]).
//! 10. What is too old or too much leaves in slices too (see [`super::retention`]), after everything else. While a backup
//!     is made the rounds go on between its steps, on the same connection (see [`super::backup`]).
//! 11. However this thread ends, the queue is closed after it: nobody waits for a writer that is gone.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use rusqlite::Error;
use tokio::sync::oneshot;

use super::{
    StoreError,
    backup::LedgerCopy,
    columns,
    connection::Checkpoint,
    day_writer::DayWriter,
    ledger::{Ledger, OpenedLedger, Outcomes},
    queue::{Message, Queue, Taken},
    repricing::Job,
    retention::Retention,
    slot::Record,
    state::StateWriter,
};

/// How often committed pages are moved out of the write-ahead logs while something is written.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);
/// How long the writer waits before it tries a batch again that nobody waits for.
const RETRY_INTERVAL: Duration = Duration::from_millis(250);

/// What the writer thread begins with.
pub(super) struct Opened {
    pub(super) queue: Arc<Queue>,
    pub(super) ledger: OpenedLedger,
    pub(super) days: DayWriter,
    pub(super) state: StateWriter,
    pub(super) retention: Retention,
}

impl Opened {
    /// Writes until the queue is closed and empty, then empties the write-ahead logs.
    pub(super) fn run(self) -> Result<(), StoreError> {
        let OpenedLedger {
            connection,
            book,
            prices,
            beside,
            clock,
        } = self.ledger;
        let writer = Writer {
            queue: self.queue,
            ledger: Ledger::new(&connection, book, prices, (beside, clock)),
            days: self.days,
            state: self.state,
            retention: self.retention,
            jobs: VecDeque::new(),
            slice_at: Instant::now(),
            copies: VecDeque::new(),
            batch: VecDeque::new(),
            checkpoint_at: None,
            retry_at: None,
        };
        writer.run()
    }
}

/// The writer thread's own.
struct Writer<'c> {
    queue: Arc<Queue>,
    ledger: Ledger<'c>,
    days: DayWriter,
    state: StateWriter,
    retention: Retention,
    /// Reckonings under way, one after the other.
    jobs: VecDeque<Job>,
    /// When the next slice of the first of them is due.
    slice_at: Instant,
    /// Copies that were asked for, one after the other.
    copies: VecDeque<LedgerCopy>,
    /// What is being written; not empty between two rounds only after a failure.
    batch: VecDeque<Message>,
    /// When to move pages; `None` while nothing was written since the last time.
    checkpoint_at: Option<Instant>,
    retry_at: Option<Instant>,
}

impl Writer<'_> {
    fn run(mut self) -> Result<(), StoreError> {
        let _closes = CloseOnExit(Arc::clone(&self.queue));
        while self.round(None) {
            if let Some(copy) = self.copies.pop_front() {
                copy.run(self.ledger.connection(), |until| self.rounds(until));
            }
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
        self.days.finish();
        self.ledger.finish().map_err(StoreError::Checkpoint)
    }

    /// Takes what is queued and does what is due; sleeps at most until then. False when the queue is closed and empty.
    fn round(&mut self, until: Option<Instant>) -> bool {
        let due = self.due().into_iter().chain(until).min();
        match self.queue.take(&mut self.batch, due) {
            Taken::Batch => self.write(),
            Taken::Nothing => self.write_again(),
            Taken::Closed => return false,
        }
        self.reprice();
        let retained = self
            .retention
            .work(self.ledger.connection(), &mut self.days);
        if self.ledger.work() | self.days.work() | self.state.work() | retained {
            self.checkpoint_later();
        }
        self.checkpoint_when_due();
        true
    }

    /// At least one round, so that the queue has its turn between two steps of a copy.
    fn rounds(&mut self, until: Instant) -> bool {
        loop {
            if !self.round(Some(until)) {
                return false;
            }
            if until <= Instant::now() {
                return true;
            }
        }
    }

    /// When there is something to do though nothing is handed over.
    fn due(&self) -> Option<Instant> {
        let slice_at = (!self.jobs.is_empty()).then_some(self.slice_at);
        [
            self.checkpoint_at,
            self.retry_at,
            slice_at,
            self.ledger.due(),
            Some(self.days.due()),
            Some(self.state.due()),
            Some(self.retention.due()),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does one slice of the first reckoning.
    fn reprice(&mut self) {
        if self.slice_at > Instant::now() {
            return;
        }
        let Some(job) = self.jobs.front_mut() else {
            return;
        };
        let ended = match self.ledger.reprice(job) {
            Ok(was_last) => was_last.then_some(Ok(())),
            Err(error) => {
                tracing::warn!(%error, "a slice of a reckoning cannot be committed");
                self.slice_at = Instant::now() + RETRY_INTERVAL;
                job.fail().then_some(Err(error))
            }
        };
        self.checkpoint_later();
        if let Some(ended) = ended
            && let Some(job) = self.jobs.pop_front()
        {
            job.answer(ended);
        }
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
        match self.ledger.commit(&self.batch) {
            Ok(outcomes) => {
                self.retry_at = None;
                self.checkpoint_later();
                self.committed(outcomes);
            }
            Err(error) => {
                self.retry_at = Some(Instant::now() + RETRY_INTERVAL);
                self.not_committed(error);
            }
        }
    }

    fn committed(&mut self, mut outcomes: Outcomes) {
        let mut records = Vec::with_capacity(self.batch.len());
        let mut flushed = Vec::new();
        let mut places = Vec::with_capacity(self.batch.len());
        for (index, message) in self.batch.drain(..).enumerate() {
            let done = outcomes.refused.remove(&index).map_or(Ok(()), Err);
            match message {
                Message::Hold { reply, .. }
                | Message::Change { reply, .. }
                | Message::Audit { reply, .. }
                | Message::Idempotent { reply, .. }
                | Message::Adjust { reply, .. } => answer(reply, done),
                Message::Settle { reply, .. } => {
                    if let Some(reply) = reply {
                        answer(reply, done);
                    }
                }
                Message::Finish { record, place, .. } => {
                    records.push(record);
                    places.push(place);
                }
                Message::OpenBalances { keys, reply } => {
                    let used = outcomes.balances.remove(&index).unwrap_or_default();
                    if let Some(reply) = reply {
                        for job in &mut self.jobs {
                            job.forget_balances(&keys);
                        }
                        answer(reply, Ok(used));
                    }
                }
                Message::Reprice { job } => self.jobs.push_back(*job),
                Message::Backup { copy } => self.copies.push_back(*copy),
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
        for log in records.iter().filter_map(|record| record.log.as_deref()) {
            self.ledger.key_activity.note(log);
        }
        let logs = records.iter().filter_map(|record| record.log.as_deref());
        self.ledger.beside.traffic.note(logs);
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
            | Message::Change { reply, .. }
            | Message::Audit { reply, .. }
            | Message::Idempotent { reply, .. }
            | Message::Adjust { reply, .. }
            | Message::Flush { reply } => {
                answer(reply, failed());
                None
            }
            Message::OpenBalances {
                reply: Some(reply), ..
            } => {
                answer(reply, Err(StoreError::Commit(Arc::clone(&error))));
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
            kept @ (Message::Finish { .. }
            | Message::OpenBalances { reply: None, .. }
            | Message::Backup { .. }
            | Message::Reprice { .. }) => Some(kept),
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
        if let Err(error) = self.ledger.checkpoint(Checkpoint::Passive) {
            tracing::warn!(%error, "the ledger cannot be checkpointed");
        }
    }
}

/// Whoever waited may have left; that is no concern of the writer's.
fn answer<T>(reply: oneshot::Sender<Result<T, StoreError>>, result: Result<T, StoreError>) {
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
