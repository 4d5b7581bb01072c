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

use ferrogate_api::{MeteringEvent, RequestLog, RoutingTrace};
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{StoreError, StoredApiKey, holds::Hold};
use crate::config::Storage;
use crate::ids::RequestId;

/// What is left to write when a request ends.
#[derive(Debug, Default)]
pub struct Record {
    pub log: Option<Box<RequestLog>>,
    /// Why it went where it went; written beside the log, and only with it.
    pub routing: Option<Box<RoutingTrace>>,
    pub metering: Vec<MeteringEvent>,
    /// The request whose hold is still open, and is cleared together with the metering rows.
    pub clears_hold: Option<RequestId>,
}

/// Tells whoever waits how the commit went.
pub(super) type Reply = oneshot::Sender<Result<(), StoreError>>;

/// One entry of the queue.
#[derive(Debug)]
pub(super) enum Message {
    Hold {
        hold: Box<Hold>,
        reply: Reply,
    },
    /// Ledger rows somebody waits for; without a reply once that one was told of a failure, and the rows are retried.
    Settle {
        events: Vec<MeteringEvent>,
        clears_hold: Option<RequestId>,
        reply: Option<Reply>,
    },
    Finish {
        record: Record,
        /// Frees the place when the message is dropped, which the writer does after the commit.
        place: OwnedSemaphorePermit,
    },
    ApiKey {
        key: Box<StoredApiKey>,
        reply: Reply,
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
        Ok(self.slot(place))
    }

    /// Takes a place if there is one; otherwise counts the log that will be missing.
    pub(super) fn try_reserve(self: &Arc<Self>) -> Option<Slot> {
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => Some(self.slot(place)),
            Err(_) => {
                self.counters.logs_dropped.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }

    fn slot(self: &Arc<Self>, place: OwnedSemaphorePermit) -> Slot {
        Slot {
            queue: Arc::clone(self),
            place,
            held: None,
        }
    }

    /// Hands over a message that somebody waits for, and waits.
    pub(super) async fn ask(
        &self,
        message: impl FnOnce(Reply) -> Message,
    ) -> Result<(), StoreError> {
        let (reply, answer) = oneshot::channel();
        self.push(message(reply), true)
            .map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Gives the message back when the queue is closed.
    fn push(&self, message: Message, urgent: bool) -> Result<(), Message> {
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

/// A place in the writer's queue, held from admission to the end of the request. Dropping it unused frees the place;
/// a hold that is open then stays open, and is charged at the next start.
#[derive(Debug)]
pub struct Slot {
    queue: Arc<Queue>,
    place: OwnedSemaphorePermit,
    /// Set before the wait for the hold's commit: a caller who stops waiting may have a hold all the same.
    held: Option<RequestId>,
}

impl Slot {
    /// Commits a hold, which replaces an earlier one of the same request, and waits for the commit.
    ///
    /// # Errors
    /// When the commit failed, or the store is closed: then nothing is held.
    pub async fn hold(&mut self, hold: Hold) -> Result<(), StoreError> {
        self.held = Some(hold.request_id);
        let hold = Box::new(hold);
        self.queue.ask(|reply| Message::Hold { hold, reply }).await
    }

    /// Commits ledger rows, removing the request's hold in the same transaction, and waits for the commit.
    ///
    /// # Errors
    /// When the commit failed: then the writer keeps the rows and tries again. When the store is closed.
    pub async fn commit(&mut self, events: Vec<MeteringEvent>) -> Result<(), StoreError> {
        let clears_hold = self.held;
        self.queue
            .ask(|reply| Message::Settle {
                events,
                clears_hold,
                reply: Some(reply),
            })
            .await?;
        self.held = None;
        Ok(())
    }

    /// Hands over what is left to write. Never waits; cannot fail, because the place was reserved.
    pub fn finish(self, mut record: Record) {
        record.clears_hold = self.held.or(record.clears_hold);
        let message = Message::Finish {
            record,
            place: self.place,
        };
        if self.queue.push(message, false).is_err() {
            self.queue
                .counters
                .logs_dropped
                .fetch_add(1, Ordering::Relaxed);
            tracing::error!("a request ended after the store was closed; its record is lost");
        }
    }
}
