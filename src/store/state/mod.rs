//! `state.db` and the memory before it: what a later request needs and nobody is owed. Response state, so that a
//! conversation goes on from a response's id; reasoning state, so that a provider gets back what it gave; cached answers,
//! so that the response cache outlives the process ([`answers`]).
//!
//! 1. What is kept is in memory at once, and a look-up asks memory first: a turn right after an answer finds it.
//! 2. The writer thread writes it, in small transactions of its own, after the ledger and the request logs.
//! 3. Keeping never waits and never fails. Memory is bounded; where all of it waits to be written, the oldest is
//!    dropped and counted.
//! 4. Responses and reasoning belong to an owner, an API key's id. It is part of every look-up; another's is not there.
//!    Cached answers are read once and whole; whose they are is the cache's concern.
//! 5. A deletion is answered after its commit. The entry leaves memory before the deletion is handed over, and the
//!    writer works in order: nothing that was deleted is written again.
//! 6. Reading does not fill memory: a reader that is late would bring back what was deleted meanwhile.
//! 7. A damaged file is moved aside and begun anew; one that cannot be written is left alone for a while. Neither
//!    stops a request, the ledger or the request logs.

mod answers;
mod file;
mod limits;
mod losses;
mod memory;
mod readers;
mod retention;
mod writer;

use std::{
    mem,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use ferrogate_api::{RetentionJob, StateStatus};
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::oneshot;

use self::{
    answers::AnswerPurge,
    limits::{Lifetime, Limits},
    memory::{Entry, Memory},
    readers::StateReaders,
};
use super::{
    Store, StoreError, columns,
    queue::Queue,
    reasoning_state::{self, StoredReasoning},
    response_state::{self, StoredResponse},
    size_bytes, turns,
};
use crate::clock::Clock;
use crate::config::Storage;

pub(super) use writer::StateWriter;

const STATE_FILE: &str = "state.db";

/// How the rows of one table age, in SQL.
#[derive(Debug, Clone, Copy)]
pub(super) struct Aging {
    /// Row id, time and size of the oldest rows from `?1` or before, at most `?2`.
    pub(super) oldest: &'static str,
    /// Deletes the row with the id `?1`.
    pub(super) delete: &'static str,
}

#[derive(Debug, Default)]
struct Counters {
    entries_written: AtomicU64,
    entries_dropped: AtomicU64,
    entries_too_large: AtomicU64,
}

/// A response to delete, and who waits for it. As many as requests that delete: each waits for its own.
#[derive(Debug)]
struct Removal {
    owner: String,
    id: String,
    reply: oneshot::Sender<Result<bool, StoreError>>,
}

/// What the store and the writer thread share.
#[derive(Debug)]
pub(super) struct State {
    memory: Memory,
    /// `None` once the writer has ended.
    removals: Mutex<Option<Vec<Removal>>>,
    /// The same.
    purges: Mutex<Option<Vec<AnswerPurge>>>,
    readers: StateReaders,
    limits: Limits,
    counters: Counters,
    /// How the writer's last sweep went.
    sweep: Mutex<RetentionJob>,
    clock: Clock,
    queue: Arc<Queue>,
}

impl State {
    pub(super) fn new(storage: &Storage, clock: Clock, queue: Arc<Queue>) -> Self {
        let path: PathBuf = storage.path.join(STATE_FILE);
        let limits = Limits::of(storage);
        let sweep = RetentionJob {
            name: "response_state".to_owned(),
            limits: limits.shown(),
            ..RetentionJob::default()
        };
        Self {
            memory: Memory::new(storage.state_memory_max_bytes),
            removals: Mutex::new(Some(Vec::new())),
            purges: Mutex::new(Some(Vec::new())),
            readers: StateReaders::new(path, turns(storage.read_connections)),
            limits,
            counters: Counters::default(),
            sweep: Mutex::new(sweep),
            clock,
            queue,
        }
    }

    /// How what is past its retention leaves.
    pub(super) fn retention_status(&self) -> RetentionJob {
        self.sweep.lock().clone()
    }

    pub(super) fn status(&self) -> StateStatus {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        StateStatus {
            entries_written: count(&self.counters.entries_written),
            entries_dropped: count(&self.counters.entries_dropped),
            entries_too_large: count(&self.counters.entries_too_large),
            memory_bytes: columns::length(self.memory.bytes()),
            database_bytes: size_bytes(self.readers.path()),
        }
    }

    fn keep(&self, owner: &str, entry: Entry, lifetime: Lifetime) {
        let bytes = entry.size_bytes();
        if bytes > self.limits.entry_max_bytes {
            tracing::debug!(api_key.id = owner, bytes, "state is too large to be kept");
            self.counters
                .entries_too_large
                .fetch_add(1, Ordering::Relaxed);
            return;
        }
        let dropped = self.memory.keep(entry, lifetime);
        self.counters
            .entries_dropped
            .fetch_add(dropped, Ordering::Relaxed);
        if lifetime.on_disk {
            self.queue.nudge(false);
        }
    }

    async fn response(
        self: &Arc<Self>,
        owner: &str,
        id: &str,
    ) -> Result<Option<Arc<StoredResponse>>, StoreError> {
        let now = self.clock.unix_ms();
        let lifetime = self.limits.responses;
        let remembered = self.memory.response(owner, id, now);
        if remembered.is_some() || !lifetime.on_disk {
            return Ok(remembered);
        }
        let (owner, id) = (owner.to_owned(), id.to_owned());
        let created_after = lifetime.outdated_at(now);
        let found = self
            .read("response state", move |connection| {
                response_state::get(connection, (&owner, &id), created_after)
            })
            .await?;
        Ok(found.map(Arc::new))
    }

    async fn delete_response(&self, owner: &str, id: &str) -> Result<bool, StoreError> {
        let was_remembered = self.memory.remove_response(owner, id, self.clock.unix_ms());
        if !self.limits.responses.on_disk {
            return Ok(was_remembered);
        }
        let (reply, answer) = oneshot::channel();
        let removal = Removal {
            owner: owner.to_owned(),
            id: id.to_owned(),
            reply,
        };
        match &mut *self.removals.lock() {
            Some(removals) => removals.push(removal),
            None => return Err(StoreError::Closed),
        }
        self.queue.nudge(true);
        let was_stored = answer.await.unwrap_or(Err(StoreError::Closed))?;
        Ok(was_remembered || was_stored)
    }

    /// A file that cannot be read costs what only it has; what memory has is given all the same.
    async fn reasoning(
        self: &Arc<Self>,
        owner: &str,
        call_ids: &[&str],
    ) -> Result<Vec<Option<Bytes>>, StoreError> {
        let now = self.clock.unix_ms();
        let lifetime = self.limits.reasoning;
        let mut states: Vec<_> = call_ids
            .iter()
            .map(|call_id| self.memory.reasoning(owner, call_id, now))
            .collect();
        let unknown: Vec<String> = call_ids
            .iter()
            .zip(&states)
            .filter(|(_, state)| state.is_none())
            .map(|(call_id, _)| (*call_id).to_owned())
            .collect();
        if unknown.is_empty() || !lifetime.on_disk {
            return Ok(states);
        }
        let owner = owner.to_owned();
        let kept_after = lifetime.outdated_at(now);
        let stored = self
            .read("reasoning state", move |connection| {
                reasoning_state::get(connection, &owner, &unknown, kept_after)
            })
            .await;
        match stored {
            Ok(stored) => {
                let gaps = states.iter_mut().filter(|state| state.is_none());
                for (gap, found) in gaps.zip(stored) {
                    *gap = found;
                }
            }
            // The writer has said why.
            Err(StoreError::StateUnavailable) => {}
            Err(error @ StoreError::Read { .. }) => {
                tracing::warn!(error = ?error, "reasoning state cannot be read and is missing from a request");
            }
            Err(error) => return Err(error),
        }
        Ok(states)
    }

    async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        what: &'static str,
        read: impl FnOnce(&Connection) -> Result<T, rusqlite::Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let state = Arc::clone(self);
        let turn = Arc::clone(&state.readers.turns)
            .acquire_owned()
            .await
            .map_err(|_| StoreError::Closed)?;
        let read = tokio::task::spawn_blocking(move || {
            let result = state.readers.read(what, read);
            if state.readers.is_damaged() {
                state.queue.nudge(true);
            }
            // Kept to the end of the read and not of the wait for it: who asked may have left.
            drop(turn);
            result
        });
        read.await.map_err(|_| StoreError::ReadAborted)?
    }

    fn take_removals(&self) -> Vec<Removal> {
        self.removals
            .lock()
            .as_mut()
            .map(mem::take)
            .unwrap_or_default()
    }

    /// Nobody waits for a writer that is gone.
    fn close(&self) {
        let abandoned = (self.removals.lock().take(), self.purges.lock().take());
        drop(abandoned);
    }
}

/// Response state and reasoning state.
impl Store {
    /// Keeps a response for its owner, in place of one with the same id. Never waits; one that is larger than
    /// `[storage] state_entry_max_bytes` is not kept.
    pub fn keep_response(&self, response: StoredResponse) {
        let state = &self.0.state;
        let response = Arc::new(response);
        let entry = Entry::Response(Arc::clone(&response));
        state.keep(&response.owner, entry, state.limits.responses);
    }

    /// Finds a response of this owner that is not past its retention.
    ///
    /// # Errors
    /// When memory does not have it and `state.db` cannot be read.
    pub async fn response(
        &self,
        owner: &str,
        id: &str,
    ) -> Result<Option<Arc<StoredResponse>>, StoreError> {
        self.0.state.response(owner, id).await
    }

    /// Deletes a response of this owner, waits for the commit and says whether it was there.
    ///
    /// # Errors
    /// When the commit failed, or the store is closed: then it may still be on the disk.
    pub async fn delete_response(&self, owner: &str, id: &str) -> Result<bool, StoreError> {
        self.0.state.delete_response(owner, id).await
    }

    /// Keeps the reasoning state of a tool call for its owner, in place of an earlier one. Never waits.
    pub fn keep_reasoning(&self, owner: &str, call_id: &str, reasoning: Bytes) {
        let state = &self.0.state;
        let entry = Entry::Reasoning(Arc::new(StoredReasoning {
            owner: owner.into(),
            call_id: call_id.into(),
            kept_at_unix_ms: state.clock.unix_ms(),
            state: reasoning,
        }));
        state.keep(owner, entry, state.limits.reasoning);
    }

    /// The reasoning state of each of this owner's tool calls, in their order. What cannot be read is missing.
    ///
    /// # Errors
    /// When the read was aborted.
    pub async fn reasoning(
        &self,
        owner: &str,
        call_ids: &[&str],
    ) -> Result<Vec<Option<Bytes>>, StoreError> {
        self.0.state.reasoning(owner, call_ids).await
    }
}
