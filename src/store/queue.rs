//! The writer's queue: places are reserved when a request is admitted, and what happened is handed over at its end.
//!
//! The protocol between those who hand over and the thread that takes is written down in [`super::writer`].

use std::{
    collections::VecDeque,
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use ferrogate_api::{BalanceKey, BudgetAdjustment};
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    StoreError,
    audit_events::AuditEntry,
    backup::LedgerCopy,
    balances::OpenedReply,
    holds::Hold,
    idempotency::IdempotentWrite,
    repricing::Job,
    resources::ResourceChange,
    slot::{Commit, Metered, Record, Reply, Slot},
};
use crate::config::Storage;
use crate::ids::RequestId;

/// One entry of the queue.
#[derive(Debug)]
pub(super) enum Message {
    Hold {
        hold: Box<Hold>,
        reply: Reply,
    },
    /// Ledger rows. Without a reply where nobody waits, or once that one was told of a failure and the rows are retried.
    Settle {
        events: Vec<Metered>,
        clears_hold: Option<RequestId>,
        reply: Option<Reply>,
    },
    Finish {
        record: Record,
        /// A hold that no ledger row has cleared.
        clears_hold: Option<RequestId>,
        /// Frees the place when the message is dropped, which the writer does after the commit.
        place: OwnedSemaphorePermit,
    },
    OpenBalances {
        keys: Vec<BalanceKey>,
        reply: Option<OpenedReply>,
    },
    Change {
        change: Box<ResourceChange>,
        reply: Reply,
    },
    Audit {
        entry: Box<AuditEntry>,
        reply: Reply,
    },
    Idempotent {
        write: Box<IdempotentWrite>,
        reply: Reply,
    },
    Adjust {
        adjustment: Box<BudgetAdjustment>,
        audit: Box<AuditEntry>,
        reply: Reply,
    },
    Reprice {
        job: Box<Job>,
    },
    Backup {
        copy: Box<LedgerCopy>,
    },
    Flush {
        reply: Reply,
    },
}

/// What the writer counts for `WriterStatus`.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) records_written: AtomicU64,
    pub(super) logs_dropped: AtomicU64,
    pub(super) commit_failures: AtomicU64,
}

/// The queue itself, shared by the store, its slots and the writer thread.
#[derive(Debug)]
pub(super) struct Queue {
    pub(super) counters: Counters,
    places: Arc<Semaphore>,
    places_max: usize,
    batch_max: usize,
    linger: Duration,
    /// A lingering writer is woken when this many messages wait.
    wake_at: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    messages: VecDeque<Message>,
    /// The writer has work that is not in this queue.
    nudged: bool,
    /// Somebody waits for a commit, or for a place.
    urgent: bool,
    closed: bool,
    writer: WriterIs,
}

/// What the writer thread is doing, as far as whoever hands over must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WriterIs {
    /// At work, or woken already: it looks at the queue before it sleeps.
    Awake,
    /// Asleep over an empty queue.
    Idle,
    /// Asleep for a moment, so that more can come into the batch.
    Lingering,
}

/// What [`Queue::take`] came back with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Batch,
    /// The time given ran out, or there is work that is not in this queue.
    Nothing,
    /// The queue is closed and empty.
    Closed,
}

impl Queue {
    pub(super) fn new(storage: &Storage) -> Self {
        let places_max = storage.queue_max_records.clamp(1, Semaphore::MAX_PERMITS);
        let batch_max = storage.batch_max_records.max(1);
        Self {
            counters: Counters::default(),
            places: Arc::new(Semaphore::new(places_max)),
            places_max,
            batch_max,
            linger: storage.batch_linger,
            wake_at: batch_max.min(places_max / 2).max(1),
            state: Mutex::new(State {
                messages: VecDeque::new(),
                nudged: false,
                urgent: false,
                closed: false,
                writer: WriterIs::Awake,
            }),
            changed: Condvar::new(),
        }
    }

    pub(super) fn places_max(&self) -> usize {
        self.places_max
    }

    pub(super) fn places_used(&self) -> usize {
        self.places_max
            .saturating_sub(self.places.available_permits())
    }

    /// Waits for a free place.
    pub(super) async fn reserve(self: &Arc<Self>) -> Result<Slot, StoreError> {
        let place = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => {
                self.hurry();
                Arc::clone(&self.places)
                    .acquire_owned()
                    .await
                    .map_err(|_| StoreError::Closed)?
            }
        };
        Ok(Slot::new(Arc::clone(self), place))
    }

    /// Takes a place if there is one; otherwise counts the log that will be missing.
    pub(super) fn try_reserve(self: &Arc<Self>) -> Option<Slot> {
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => Some(Slot::new(Arc::clone(self), place)),
            Err(_) => {
                self.counters.logs_dropped.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }

    /// Hands over a message that somebody waits for, and waits.
    pub(super) async fn ask(
        &self,
        message: impl FnOnce(Reply) -> Message,
    ) -> Result<(), StoreError> {
        self.hand_over(message).await
    }

    /// Hands over a message that somebody waits for; it is in the queue when this returns. A closed queue drops it,
    /// and with it the reply, which says so.
    pub(super) fn hand_over(&self, message: impl FnOnce(Reply) -> Message) -> Commit {
        let (reply, commit) = Commit::channel();
        drop(self.push(message(reply), true));
        commit
    }

    /// Gives the message back when the queue is closed.
    pub(super) fn push(&self, message: Message, urgent: bool) -> Result<(), Message> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(message);
        }
        state.messages.push_back(message);
        state.urgent |= urgent;
        let wakes = match state.writer {
            WriterIs::Awake => false,
            WriterIs::Idle => true,
            WriterIs::Lingering => urgent || state.messages.len() >= self.wake_at,
        };
        self.wake_if(wakes, state);
        Ok(())
    }

    /// Ends a linger, because somebody waits for a place.
    fn hurry(&self) {
        let mut state = self.state.lock();
        state.urgent = true;
        let wakes = state.writer == WriterIs::Lingering;
        self.wake_if(wakes, state);
    }

    /// Says that there is work which is not in this queue. The writer comes to it as it comes to an ordinary message;
    /// at once when somebody waits for it.
    pub(super) fn nudge(&self, urgent: bool) {
        let mut state = self.state.lock();
        state.nudged = true;
        state.urgent |= urgent;
        let wakes = match state.writer {
            WriterIs::Awake => false,
            WriterIs::Idle => true,
            WriterIs::Lingering => urgent,
        };
        self.wake_if(wakes, state);
    }

    fn wake_if(&self, wakes: bool, mut state: MutexGuard<'_, State>) {
        if wakes {
            // Marked here, so that of all who hand over before it runs only one pays for the wake-up.
            state.writer = WriterIs::Awake;
            drop(state);
            self.changed.notify_one();
        }
    }

    /// Lets nobody in any more; the writer takes what is queued and ends.
    pub(super) fn close(&self) {
        self.places.close();
        let mut state = self.state.lock();
        state.closed = true;
        self.wake_if(true, state);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    /// Drops what is queued, so that whoever waits for it hears that the store is closed.
    pub(super) fn abandon(&self) -> usize {
        self.close();
        let messages = mem::take(&mut self.state.lock().messages);
        messages.len()
    }

    /// Adds the next messages to `batch`, at most `batch_max_records` of them; called by the writer thread alone.
    pub(super) fn take(&self, batch: &mut VecDeque<Message>, until: Option<Instant>) -> Taken {
        let mut state = self.state.lock();
        let mut linger_ends = None;
        loop {
            let now = Instant::now();
            if state.messages.is_empty() && state.closed {
                return Taken::Closed;
            }
            if state.messages.is_empty() && !state.nudged {
                state.urgent = false;
                if until.is_some_and(|until| until <= now) {
                    return Taken::Nothing;
                }
                self.sleep(&mut state, WriterIs::Idle, until);
                continue;
            }
            let ends = *linger_ends.get_or_insert(now + self.linger);
            let full = state.messages.len() >= self.wake_at;
            if state.urgent || state.closed || full || ends <= now {
                state.nudged = false;
                if state.messages.is_empty() {
                    return Taken::Nothing;
                }
                self.move_into(batch, &mut state);
                return Taken::Batch;
            }
            self.sleep(&mut state, WriterIs::Lingering, Some(ends));
        }
    }

    fn sleep(&self, state: &mut MutexGuard<'_, State>, how: WriterIs, until: Option<Instant>) {
        state.writer = how;
        match until {
            Some(until) => drop(self.changed.wait_until(state, until)),
            None => self.changed.wait(state),
        }
        state.writer = WriterIs::Awake;
    }

    fn move_into(&self, batch: &mut VecDeque<Message>, state: &mut State) {
        if batch.is_empty() && state.messages.len() <= self.batch_max {
            mem::swap(batch, &mut state.messages);
        } else {
            let count = state.messages.len().min(self.batch_max);
            batch.extend(state.messages.drain(..count));
        }
    }
}
