//! The writer thread's work on `state.db`: one small transaction after each batch, and retention in between.
//!
//! ```text
//!          failed to open, to write           10 s
//!   open ──────────────────────────▶ resting ──────▶ open
//!     │ damaged: moved aside, begun anew ▲
//!     └──────────────────────────────────┘ damaged again
//! ```
//! While it rests, entries wait in memory, deletions are refused, and reads go on where the file is open.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use rusqlite::{Connection, Error, TransactionBehavior};

use super::{
    Removal, State, answers::AnswerPurge, file, limits::Limits, losses::Losses, memory::Entry,
    retention,
};
use crate::clock::millis;
use crate::store::{
    StoreError,
    cached_answers::{self, AnswersOf, PurgeStep, Purged},
    columns,
    connection::{Checkpoint, checkpoint},
    reasoning_state, response_state,
};

/// What one transaction writes at most, so that a batch of the ledger waits a few milliseconds; one large entry is
/// written all the same.
const SLICE_ENTRIES: usize = 64;
const SLICE_BYTES: usize = 1 << 20;
/// What one step of a purge does at most.
const PURGE_STEP: PurgeStep = PurgeStep {
    rows_looked_at: 1_024,
    bytes_deleted: 4 << 20,
};
/// How long a file that failed is left alone.
const REST: Duration = Duration::from_secs(10);
/// How often what is past its retention is looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// Sweeping takes at most one part in so many of the thread's time.
const SWEEP_SHARE: u32 = 5;
/// How many expired entries leave memory in one go.
const FORGET_ENTRIES: usize = 1_000;

/// The writer thread's own.
#[derive(Debug)]
pub(in crate::store) struct StateWriter {
    state: Arc<State>,
    connection: Option<Connection>,
    rest_until: Option<Instant>,
    /// The last slice left something to write.
    more: bool,
    /// Under way, each with how far it has come.
    purges: VecDeque<(AnswerPurge, Option<Purged>)>,
    sweep_at: Instant,
    /// The sweep under way, from its first slice on.
    sweeping: Option<Sweeping>,
    losses: Losses,
}

#[derive(Debug)]
struct Sweeping {
    began: Instant,
    started_at_unix_ms: i64,
    rows: u64,
}

impl StateWriter {
    /// Opens the file. Where that fails the store goes on without it, and tries again.
    pub(in crate::store) fn open(state: Arc<State>) -> Self {
        let mut writer = Self {
            state,
            connection: None,
            rest_until: None,
            more: false,
            purges: VecDeque::new(),
            sweep_at: Instant::now(),
            sweeping: None,
            losses: Losses::default(),
        };
        writer.end_rest();
        writer
    }

    /// Does what is due, one slice of each kind; says whether anything was written.
    pub(in crate::store) fn work(&mut self) -> bool {
        self.end_rest();
        if self.state.readers.is_damaged() {
            self.begin_anew("a reader found it damaged".into());
        }
        let purged = self.purge_slice();
        let wrote = self.write_slice();
        let swept = self.sweep_when_due();
        self.losses.report_when_due(&self.state);
        purged || wrote || swept
    }

    /// Writes everything that waits now, unless the file rests; what comes meanwhile is not waited for.
    pub(in crate::store) fn drain(&mut self) {
        // The oldest first and each time at least one.
        for _ in 0..=self.state.memory.unwritten_count() {
            if !self.write_slice() || !self.more {
                break;
            }
        }
    }

    /// Writes what can be written and empties the write-ahead log; the last call.
    pub(in crate::store) fn finish(&mut self) {
        self.rest_until = None;
        self.end_rest();
        while self.purge_slice() {}
        self.drain();
        self.checkpoint(Checkpoint::Truncate);
        self.losses.report(&self.state);
    }

    /// When there is something to do again.
    pub(in crate::store) fn due(&self) -> Instant {
        match self.rest_until {
            Some(rest_until) => rest_until,
            None if self.more || !self.purges.is_empty() => Instant::now(),
            None => self.sweep_at,
        }
    }

    pub(in crate::store) fn checkpoint(&self, how: Checkpoint) {
        if let Some(connection) = &self.connection
            && let Err(error) = checkpoint(connection, how)
        {
            tracing::warn!(%error, "state.db cannot be checkpointed");
        }
    }

    /// Goes on with the oldest purge for one step; says whether there was one.
    fn purge_slice(&mut self) -> bool {
        let asked = self.state.take_purges();
        self.purges
            .extend(asked.into_iter().map(|purge| (purge, None)));
        let Some((purge, purged)) = self.purges.pop_front() else {
            return false;
        };
        let step = self.with_file(|connection, _| commit_purge(connection, &purge.answers, purged));
        let result = match step {
            Some(purged) if !purged.is_done() => {
                self.purges.push_front((purge, Some(purged)));
                return true;
            }
            Some(purged) => Ok(purged.rows),
            None => Err(StoreError::StateUnavailable),
        };
        // Who waited may have left.
        drop(purge.reply.send(result));
        true
    }

    /// Says whether something was written.
    fn write_slice(&mut self) -> bool {
        self.more = false;
        let removals = self.state.take_removals();
        let entries = if self.rest_until.is_none() {
            self.state.memory.unwritten(SLICE_ENTRIES, SLICE_BYTES)
        } else {
            Vec::new()
        };
        if removals.is_empty() && entries.is_empty() {
            return false;
        }
        let now = self.state.clock.unix_ms();
        let committed = self
            .with_file(|connection, limits| commit(connection, limits, now, &removals, &entries));
        match &committed {
            Some(committed) => self.committed(&entries, committed),
            None => self.more = false,
        }
        let wrote = committed.is_some();
        let mut was_stored = committed.unwrap_or_default().was_stored.into_iter();
        for removal in removals {
            let result = was_stored.next().ok_or(StoreError::StateUnavailable);
            // Who waited may have left.
            drop(removal.reply.send(result));
        }
        wrote
    }

    fn committed(&mut self, entries: &[(u64, Entry)], committed: &Committed) {
        let State {
            memory, counters, ..
        } = &*self.state;
        memory.wrote(entries.iter().map(|(number, _)| *number));
        let written = columns::length(entries.len());
        counters
            .entries_written
            .fetch_add(written, Ordering::Relaxed);
        self.more = memory.unwritten_count() > 0;
        if committed.is_over_full {
            self.sweep_at = Instant::now();
        }
    }

    fn sweep_when_due(&mut self) -> bool {
        let began = Instant::now();
        if self.sweep_at > began || self.rest_until.is_some() {
            return false;
        }
        let now = self.state.clock.unix_ms();
        let forgets_more = self.state.memory.forget_expired(now, FORGET_ENTRIES);
        let swept = self.with_file(|connection, limits| retention::sweep(connection, limits, now));
        let more = forgets_more || swept.is_some_and(|swept| swept.more);
        let sweeping = self.sweeping.get_or_insert(Sweeping {
            began,
            started_at_unix_ms: now,
            rows: 0,
        });
        sweeping.rows += swept.map_or(0, |swept| swept.rows);
        self.sweep_at = if more {
            Instant::now() + began.elapsed() * (SWEEP_SHARE - 1)
        } else {
            self.remove_outdated_aside(now);
            self.end_sweep(swept.is_some());
            began + SWEEP_INTERVAL
        };
        swept.is_some()
    }

    fn end_sweep(&mut self, is_whole: bool) {
        let Some(sweeping) = self.sweeping.take() else {
            return;
        };
        let outcome = if is_whole {
            "ok"
        } else {
            "state.db cannot be used at the moment"
        };
        let mut sweep = self.state.sweep.lock();
        sweep.last_started_at_unix_ms = Some(sweeping.started_at_unix_ms);
        sweep.last_duration_ms = u64::try_from(sweeping.began.elapsed().as_millis()).ok();
        sweep.last_outcome = Some(outcome.to_owned());
        sweep.removed = sweeping.rows;
        sweep.removed_total += sweeping.rows;
        let next_in_ms = millis(SWEEP_INTERVAL);
        sweep.next_at_unix_ms = Some(sweeping.started_at_unix_ms.saturating_add(next_in_ms));
    }

    fn remove_outdated_aside(&self, now_unix_ms: i64) {
        let Limits {
            responses,
            reasoning,
            ..
        } = &self.state.limits;
        let outdated = [responses, reasoning].map(|lifetime| lifetime.outdated_at(now_unix_ms));
        let before = outdated.into_iter().min().unwrap_or(i64::MIN);
        file::remove_outdated_aside(self.state.readers.path(), before);
    }

    /// Does `work` on the file. One that turns out to be damaged is begun anew, and `work` done on the new one. `None`
    /// after a failure, which is reported here.
    fn with_file<T>(
        &mut self,
        work: impl Fn(&mut Connection, &Limits) -> Result<T, Error>,
    ) -> Option<T> {
        for may_begin_anew in [true, false] {
            let connection = self
                .connection
                .as_mut()
                .filter(|_| self.rest_until.is_none())?;
            match work(connection, &self.state.limits) {
                Ok(done) => return Some(done),
                Err(error) if may_begin_anew && file::is_damage(&error) => {
                    self.begin_anew(Box::new(error));
                }
                Err(error) => {
                    self.rest(&error);
                    return None;
                }
            }
        }
        None
    }

    fn begin_anew(&mut self, why: Box<dyn std::error::Error>) {
        self.state.readers.end();
        // Closed before its file moves.
        self.connection = None;
        match file::move_aside(self.state.readers.path(), &*why) {
            Ok(()) => self.open_file(),
            Err(error) => self.rest(&error),
        }
    }

    fn end_rest(&mut self) {
        if self.rest_until.is_some_and(|until| until <= Instant::now()) {
            self.rest_until = None;
            // What waited meanwhile.
            self.more = true;
        }
        if self.connection.is_none() && self.rest_until.is_none() {
            self.open_file();
        }
    }

    fn open_file(&mut self) {
        match file::open(self.state.readers.path()) {
            Ok(connection) => {
                self.connection = Some(connection);
                self.state.readers.begin();
            }
            Err(error) => self.rest(&error),
        }
    }

    fn rest(&mut self, why: &(dyn std::error::Error + 'static)) {
        tracing::error!(
            error = why,
            "state.db cannot be used and is left alone for {} s; responses, reasoning state and cached answers are in memory alone",
            REST.as_secs()
        );
        self.rest_until = Some(Instant::now() + REST);
    }
}

impl Drop for StateWriter {
    fn drop(&mut self) {
        self.state.close();
    }
}

fn commit_purge(
    connection: &mut Connection,
    answers: &AnswersOf,
    purged: Option<Purged>,
) -> Result<Purged, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let purged = match purged {
        Some(purged) => purged,
        None => Purged::none_of(&transaction)?,
    };
    let purged = cached_answers::purge(&transaction, answers, purged, PURGE_STEP)?;
    transaction.commit()?;
    Ok(purged)
}

/// What a transaction did beside writing its entries.
#[derive(Debug, Default)]
struct Committed {
    /// For each removal.
    was_stored: Vec<bool>,
    is_over_full: bool,
}

fn commit(
    connection: &mut Connection,
    limits: &Limits,
    now_unix_ms: i64,
    removals: &[Removal],
    entries: &[(u64, Entry)],
) -> Result<Committed, Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut committed = Committed::default();
    let created_after = limits.responses.outdated_at(now_unix_ms);
    for Removal { owner, id, .. } in removals {
        let was_stored = response_state::delete(&transaction, (owner, id), created_after)?;
        committed.was_stored.push(was_stored);
    }
    let mut bytes = 0;
    for (_, entry) in entries {
        bytes += entry.size_bytes();
        match entry {
            Entry::Response(response) => response_state::insert(&transaction, response)?,
            Entry::Reasoning(reasoning) => reasoning_state::insert(&transaction, reasoning)?,
            Entry::Answer(answer) => cached_answers::insert(&transaction, answer)?,
        }
    }
    if !entries.is_empty() {
        let added_bytes = columns::length(bytes);
        committed.is_over_full = retention::make_room(&transaction, limits, added_bytes)?;
    }
    transaction.commit()?;
    Ok(committed)
}
