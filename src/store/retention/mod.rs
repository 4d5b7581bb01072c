//! What leaves the databases by itself: by age, by number, by size. The writer thread does it, between two batches.
//!
//! 1. Every `retention_interval_secs` each job has its run, one job after the other. A run is done in slices of a few
//!    milliseconds, at most a quarter of the time; after each of them the queue has its turn.
//! 2. A slice of a table is one transaction: what leaves, what stays in its place, and the note of it. A process that
//!    is killed at any point leaves whole slices, and the next run finds the rest.
//! 3. What fails is told and tried again with the next run. It never stands in the way of a batch.
//!
//! `state.db` has its own retention, for it may lose what it likes (see [`super::state`]).

mod audit;
mod closings;
pub(super) mod days;
mod free_pages;
mod ledger;
mod limits;
mod outcome;
mod revisions;
mod rollups;
mod slice;
mod standing;

use std::{sync::Arc, time::Instant};

use ferrogate_api::{RetentionJob, RetentionLimits};
use parking_lot::Mutex;
use rusqlite::{Connection, Error, Transaction, TransactionBehavior};

use self::{
    days::{BodyRetention, DayLimits, LogRetention},
    ledger::LedgerRetention,
    limits::Keep,
    rollups::Rollups,
    slice::Slice,
    standing::Standing,
};
pub(super) use self::{outcome::StepOutcome, standing::kept_from};
use super::{
    Store, StoreError,
    day_writer::DayWriter,
    usage_rollups::{HOUR_MS, MINUTE_MS},
};
use crate::clock::{Clock, millis};
use crate::config;
use crate::error::in_words;

pub(super) const METERING_EVENTS: &str = "metering_events";
pub(super) const MINUTES: &str = "usage_rollups.minute";
pub(super) const HOURS: &str = "usage_rollups.hour";

/// The writer thread's own.
#[derive(Debug)]
pub(super) struct Retention {
    limits: config::Retention,
    day_limits: DayLimits,
    clock: Clock,
    jobs: Vec<Job>,
    shown: Arc<Shown>,
    /// The job whose run is under way, by its place.
    at_work: Option<(usize, Run)>,
    /// When the next turn is due: of the run under way, or the first of the next round.
    due: Instant,
    round_began: Instant,
}

/// What operators see; the writer thread keeps it up to date.
pub(super) type Shown = Mutex<Vec<RetentionJob>>;

#[derive(Debug)]
struct Job {
    name: &'static str,
    keep: Keep,
    limits: RetentionLimits,
    work: Work,
    standing: Standing,
}

#[derive(Debug)]
enum Work {
    Ledger(LedgerRetention),
    Audit,
    Revisions,
    Rollups(Rollups),
    Logs(LogRetention),
    Bodies(BodyRetention),
}

/// One run of one job.
#[derive(Debug)]
struct Run {
    began: Instant,
    started_at_unix_ms: i64,
    removed: u64,
}

impl Retention {
    /// Reads how the jobs were doing when the last process ended. The first round comes one interval from now.
    pub(super) fn new(
        limits: config::Retention,
        clock: Clock,
        connection: &Connection,
    ) -> Result<Self, Error> {
        let mut standings = standing::load(connection)?;
        let mut jobs = jobs(&limits);
        for job in &mut jobs {
            job.standing = standings.remove(job.name).unwrap_or_default();
        }
        let now = Instant::now();
        let retention = Self {
            due: now + limits.interval,
            round_began: now,
            day_limits: DayLimits::of(&limits),
            limits,
            clock,
            jobs,
            shown: Arc::default(),
            at_work: None,
        };
        retention.show();
        Ok(retention)
    }

    pub(super) fn shown(&self) -> Arc<Shown> {
        Arc::clone(&self.shown)
    }

    /// When there is something to do again.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Does one slice of what is due; says whether there was anything.
    pub(super) fn work(&mut self, connection: &Connection, days: &mut DayWriter) -> bool {
        if self.due > Instant::now() {
            return false;
        }
        let slice = Slice::begin(self.clock.unix_ms(), self.limits.slice_rows);
        let (place, mut run) = self.at_work.take().unwrap_or_else(|| {
            self.round_began = Instant::now();
            (0, Run::begin(&slice))
        });
        let Some(job) = self.jobs.get_mut(place) else {
            self.end_round();
            return false;
        };
        match job.step((connection, days), &slice, &self.day_limits) {
            Ok(outcome) => {
                run.removed += outcome.removed;
                job.standing.removed_total += outcome.removed;
                if outcome.more {
                    self.at_work = Some((place, run));
                } else {
                    job.end(connection, &run, "ok".to_owned());
                    self.at_work = Some((place + 1, Run::begin(&slice)));
                }
            }
            Err(error) => {
                tracing::warn!(job = job.name, error = ?error, "retention cannot go on; it is tried again later");
                job.end(connection, &run, in_words(&error));
                self.at_work = Some((place + 1, Run::begin(&slice)));
            }
        }
        if self
            .at_work
            .as_ref()
            .is_some_and(|(place, _)| *place >= self.jobs.len())
        {
            self.end_round();
        } else {
            self.due = slice.next_at();
        }
        self.show();
        true
    }

    /// Does the next slice now, whenever it is due; says whether the round goes on.
    #[cfg(test)]
    pub(super) fn step_now(&mut self, connection: &Connection, days: &mut DayWriter) -> bool {
        self.due = Instant::now();
        self.work(connection, days);
        self.at_work.is_some()
    }

    fn end_round(&mut self) {
        self.at_work = None;
        self.due = (self.round_began + self.limits.interval).max(Instant::now());
    }

    fn show(&self) {
        let wait = self.due.saturating_duration_since(Instant::now());
        let next_at_unix_ms = self.clock.unix_ms().saturating_add(millis(wait));
        let running = self.at_work.as_ref().map(|(place, _)| *place);
        let shown = self.jobs.iter().enumerate().map(|(place, job)| {
            let Standing {
                last_started_at_unix_ms,
                last_duration_ms,
                last_outcome,
                last_removed,
                removed_total,
            } = job.standing.clone();
            RetentionJob {
                name: job.name.to_owned(),
                limits: job.limits,
                running: running == Some(place),
                last_started_at_unix_ms,
                last_duration_ms,
                last_outcome,
                removed: last_removed,
                removed_total,
                next_at_unix_ms: (job.limits != RetentionLimits::default())
                    .then_some(next_at_unix_ms),
            }
        });
        *self.shown.lock() = shown.collect();
    }
}

fn jobs(limits: &config::Retention) -> Vec<Job> {
    let job = |name, keep: Keep, work| Job {
        name,
        keep,
        limits: keep.limits(),
        work,
        standing: Standing::default(),
    };
    let sums = |name, table, span_ms| {
        let rollups = Rollups { table, span_ms };
        job(name, Keep::rollups(limits, span_ms), Work::Rollups(rollups))
    };
    vec![
        Job {
            limits: RetentionLimits {
                bytes: (limits.request_log_max_bytes > 0).then_some(limits.request_log_max_bytes),
                ..Keep::request_logs(limits).limits()
            },
            ..job(
                "request_logs",
                Keep::request_logs(limits),
                Work::Logs(LogRetention::default()),
            )
        },
        job(
            "request_bodies",
            Keep::request_bodies(limits),
            Work::Bodies(BodyRetention::default()),
        ),
        job(
            METERING_EVENTS,
            Keep::metering_events(limits),
            Work::Ledger(LedgerRetention::default()),
        ),
        sums(MINUTES, rollups::USAGE, MINUTE_MS),
        sums(HOURS, rollups::USAGE, HOUR_MS),
        sums("traffic_rollups.minute", rollups::TRAFFIC, MINUTE_MS),
        sums("traffic_rollups.hour", rollups::TRAFFIC, HOUR_MS),
        job("audit_events", Keep::audit_events(limits), Work::Audit),
        job(
            "config_revisions",
            Keep::config_revisions(limits),
            Work::Revisions,
        ),
    ]
}

impl Job {
    /// One slice. What it takes from a table of the ledger and what is noted of it are one transaction.
    fn step(
        &mut self,
        (connection, days): (&Connection, &mut DayWriter),
        slice: &Slice,
        day_limits: &DayLimits,
    ) -> Result<StepOutcome, StoreError> {
        match &mut self.work {
            Work::Logs(logs) => return logs.step(days, slice.now_unix_ms, day_limits),
            Work::Bodies(bodies) => return bodies.step(days, slice.now_unix_ms, day_limits),
            Work::Ledger(_) | Work::Audit | Work::Revisions | Work::Rollups(_) => {}
        }
        if self.keep.is_unbounded() {
            return Ok(StepOutcome::last(0));
        }
        self.step_of_ledger(connection, slice)
            .map_err(|source| StoreError::Retain {
                what: self.name,
                source,
            })
    }

    fn step_of_ledger(
        &mut self,
        connection: &Connection,
        slice: &Slice,
    ) -> Result<StepOutcome, Error> {
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        let keep = self.keep;
        let outcome = match &mut self.work {
            Work::Ledger(ledger) => ledger.step(&transaction, keep, slice),
            Work::Audit => audit::step(&transaction, keep, slice),
            Work::Revisions => revisions::step(&transaction, keep, slice),
            Work::Rollups(rollups) => rollups.step(&transaction, (self.name, keep), slice),
            Work::Logs(_) | Work::Bodies(_) => Ok(StepOutcome::default()),
        }?;
        if outcome.removed > 0 {
            standing::add_removed(&transaction, self.name, outcome.removed)?;
        }
        transaction.commit()?;
        Ok(outcome)
    }

    fn end(&mut self, connection: &Connection, run: &Run, outcome: String) {
        if let Work::Ledger(ledger) = &mut self.work {
            ledger.give_up();
        }
        if self.limits == RetentionLimits::default() && run.removed == 0 {
            return;
        }
        if run.removed > 0 {
            tracing::info!(
                job = self.name,
                rows = run.removed,
                "retention removed what was too old or too much"
            );
        }
        self.standing = Standing {
            last_started_at_unix_ms: Some(run.started_at_unix_ms),
            last_duration_ms: u64::try_from(run.began.elapsed().as_millis()).ok(),
            last_outcome: Some(outcome),
            last_removed: run.removed,
            removed_total: self.standing.removed_total,
        };
        if let Err(error) = standing::save(connection, self.name, &self.standing) {
            tracing::warn!(job = self.name, %error, "how retention is doing cannot be noted");
        }
    }
}

impl Run {
    fn begin(slice: &Slice) -> Self {
        Self {
            began: Instant::now(),
            started_at_unix_ms: slice.now_unix_ms,
            removed: 0,
        }
    }
}

impl Store {
    /// What leaves by itself, and how that is going.
    pub fn retention_status(&self) -> Vec<RetentionJob> {
        let mut jobs = self.0.retention.lock().clone();
        jobs.push(self.0.state.retention_status());
        jobs
    }
}
