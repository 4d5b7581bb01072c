//! What the simulator was asked and what it gave out, so that a test can hold a gateway's ledger against it.
//!
//! Every call ends in exactly one outcome: [`Call`] is a guard, and one that is dropped without an end was
//! cancelled by its client. Usage is summed only when the last byte of its answer was handed to the connection.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    record::{Record, Seen},
    route::Endpoint,
};

/// Token counts of one answer. `input` includes `cached` and `cache_write`, `output` includes `reasoning`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
    pub cached: u64,
    pub cache_write: u64,
    pub reasoning: u64,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Outcome {
    InFlight = 0,
    /// Answered to the last byte with a status below 400.
    Completed = 1,
    /// Answered to the last byte with an error status.
    Refused = 2,
    /// The client hung up before the end.
    Cancelled = 3,
    /// We hung up before the end, as the directive wanted.
    Cut = 4,
}

impl Outcome {
    pub const ALL: [Self; 5] = [
        Self::InFlight,
        Self::Completed,
        Self::Refused,
        Self::Cancelled,
        Self::Cut,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::InFlight => "in_flight",
            Self::Completed => "completed",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
            Self::Cut => "cut",
        }
    }
}

/// Counts since the start, or since the last reset.
#[derive(Debug)]
pub struct Stats {
    counts: ArcSwap<Counts>,
    recent: Mutex<VecDeque<Arc<Record>>>,
    recent_max: usize,
}

#[derive(Debug, Default)]
struct Counts {
    numbers: AtomicU64,
    paths: [PathCounts; Endpoint::ALL.len()],
    usage: UsageSums,
}

#[derive(Debug, Default)]
struct PathCounts {
    calls: AtomicU64,
    /// Indexed by [`Outcome`].
    outcomes: [AtomicU64; 5],
}

#[derive(Debug, Default)]
struct UsageSums {
    answers: AtomicU64,
    input: AtomicU64,
    output: AtomicU64,
    cached: AtomicU64,
    cache_write: AtomicU64,
    reasoning: AtomicU64,
}

impl Stats {
    /// Keeps the last `recent_max` calls; 0 keeps none and costs none.
    pub fn new(recent_max: usize) -> Arc<Self> {
        Arc::new(Self {
            counts: ArcSwap::default(),
            recent: Mutex::default(),
            recent_max,
        })
    }

    /// The next call's number, from 1.
    pub fn next_number(&self) -> u64 {
        self.counts.load().numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts a call in. `seen` is asked for only when calls are kept.
    pub fn begin(&self, endpoint: Endpoint, number: u64, seen: impl FnOnce() -> Seen) -> Call {
        let counts = self.counts.load_full();
        counts.path(endpoint).calls.fetch_add(1, Ordering::Relaxed);
        let record = (self.recent_max > 0).then(|| self.remember(number, seen()));
        Call {
            counts,
            endpoint,
            usage: None,
            record,
            ended: false,
        }
    }

    fn remember(&self, number: u64, seen: Seen) -> Arc<Record> {
        let record = Arc::new(Record::new(number, seen));
        let mut recent = self.recent.lock();
        if recent.len() == self.recent_max {
            recent.pop_front();
        }
        recent.push_back(record.clone());
        record
    }

    /// Starts over. Calls in flight finish on the old counts, so that the new ones stay consistent.
    pub fn reset(&self) {
        self.counts.store(Arc::default());
        self.recent.lock().clear();
    }

    /// `GET /sim/stats`.
    pub fn report(&self) -> Value {
        let counts = self.counts.load();
        let mut paths = Map::new();
        let mut total = PathReport::default();
        for endpoint in Endpoint::ALL {
            let path = counts.path(endpoint).report();
            total.add(&path);
            paths.insert(endpoint.name().into(), json!(path));
        }
        json!({
            "calls": total.calls,
            "completed": total.completed,
            "refused": total.refused,
            "cancelled": total.cancelled,
            "cut": total.cut,
            "in_flight": total.in_flight,
            "paths": paths,
            "usage": counts.usage.report(),
        })
    }

    /// `GET /sim/calls`: the last calls, oldest first.
    pub fn recent(&self) -> Value {
        let recent: Vec<_> = self.recent.lock().iter().cloned().collect();
        recent.iter().map(|record| record.report()).collect()
    }
}

/// One call from its first to its last byte.
#[derive(Debug)]
pub struct Call {
    counts: Arc<Counts>,
    endpoint: Endpoint,
    usage: Option<Usage>,
    record: Option<Arc<Record>>,
    ended: bool,
}

impl Call {
    /// What the answer reports, counted if it is sent to the end.
    #[must_use]
    pub fn handing_out(mut self, usage: Option<Usage>) -> Self {
        self.usage = usage;
        self
    }

    /// Ends the call; only the first end counts.
    pub fn end(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let path = self.counts.path(self.endpoint);
        path.outcomes[outcome as usize].fetch_add(1, Ordering::Relaxed);
        if let (Outcome::Completed, Some(usage)) = (outcome, self.usage) {
            self.counts.usage.add(usage);
        }
        if let Some(record) = &self.record {
            record.end(outcome);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end(Outcome::Cancelled);
    }
}

impl Counts {
    fn path(&self, endpoint: Endpoint) -> &PathCounts {
        &self.paths[endpoint as usize]
    }
}

#[derive(Debug, Default, Serialize)]
struct PathReport {
    calls: u64,
    completed: u64,
    refused: u64,
    cancelled: u64,
    cut: u64,
    in_flight: u64,
}

impl PathReport {
    fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.completed += other.completed;
        self.refused += other.refused;
        self.cancelled += other.cancelled;
        self.cut += other.cut;
        self.in_flight += other.in_flight;
    }
}

impl PathCounts {
    fn report(&self) -> PathReport {
        let ended = |outcome: Outcome| self.outcomes[outcome as usize].load(Ordering::Relaxed);
        let [completed, refused, cancelled, cut] = [
            ended(Outcome::Completed),
            ended(Outcome::Refused),
            ended(Outcome::Cancelled),
            ended(Outcome::Cut),
        ];
        // Read last: a call that begins meanwhile shows as in flight, never as less than nothing.
        let calls = self.calls.load(Ordering::Relaxed);
        PathReport {
            calls,
            completed,
            refused,
            cancelled,
            cut,
            in_flight: calls.saturating_sub(completed + refused + cancelled + cut),
        }
    }
}

impl UsageSums {
    fn add(&self, usage: Usage) {
        self.answers.fetch_add(1, Ordering::Relaxed);
        self.input.fetch_add(usage.input, Ordering::Relaxed);
        self.output.fetch_add(usage.output, Ordering::Relaxed);
        self.cached.fetch_add(usage.cached, Ordering::Relaxed);
        self.cache_write
            .fetch_add(usage.cache_write, Ordering::Relaxed);
        self.reasoning.fetch_add(usage.reasoning, Ordering::Relaxed);
    }

    fn report(&self) -> Value {
        let sum = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        json!({
            "answers": sum(&self.answers),
            "input_tokens": sum(&self.input),
            "output_tokens": sum(&self.output),
            "cached_tokens": sum(&self.cached),
            "cache_write_tokens": sum(&self.cache_write),
            "reasoning_tokens": sum(&self.reasoning),
        })
    }
}
