//! What is going on right now: the table of requests in flight, how one of them is ended, and the feed of live events.
//!
//! Every request stands in the table from its first header to its last byte; that costs a few dozen nanoseconds.
//! Of requests and log lines nothing is computed, copied or counted for the feed while nobody listens; what is rare is
//! always kept for a while, for readers that come back.

mod feed;
mod kill;
mod logs;
mod reader;
mod ring;
mod second;
mod selection;
mod table;
#[cfg(test)]
mod tests;
mod verdict;

pub use feed::{EventId, Subscription, Told, TooManyReaders};
pub use kill::KillSwitch;
pub use logs::{LogLayer, LogTap};
pub use selection::{Facts, Selection, Sight, Topics, Wanted};
pub use table::Started;
pub use verdict::Verdict;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use ferrogate_api::{
    AlertEvent, AuditEvent, BreakerChanged, BudgetThreshold, ConfigRevision, CredentialChanged,
    Event, InFlight, InFlightRequest, LiveStatus, LogLine, Phase, RequestLog, TenantContext, Topic,
};

use self::{
    feed::Feed,
    kill::Ordered,
    table::{Place, Table},
};
use crate::clock::Clock;
use crate::config;
use crate::ids::RequestId;

/// The live view of the process. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Live(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    in_flight_list_max: usize,
    table: Table,
    feed: Arc<Feed>,
    killed: AtomicU64,
}

/// No such request is in flight, or its end is decided already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such request is in flight")]
pub struct NotInFlight;

impl Live {
    pub fn new(clock: Clock, bounds: &config::Admin) -> Self {
        let epoch = clock.unix_ms();
        Self(Arc::new(Inner {
            clock,
            in_flight_list_max: bounds.in_flight_list_max,
            table: Table::default(),
            feed: Arc::new(Feed::new(bounds, epoch)),
            killed: AtomicU64::new(0),
        }))
    }

    /// Puts a request into the table. It leaves the table when the entry is finished or dropped.
    pub fn begin(&self, request: Started) -> Entry {
        Entry {
            place: self.0.table.insert(request),
            live: self.clone(),
        }
    }

    /// How many requests are in flight.
    pub fn in_flight_count(&self) -> u64 {
        self.0.table.len()
    }

    /// The oldest `max` requests in flight.
    pub fn in_flight(&self, max: usize) -> InFlight {
        self.0.table.oldest(&Selection::default(), max)
    }

    /// All requests in flight that are selected, in no order. Bounded by the connections that the listeners accept.
    pub fn in_flight_of(&self, selection: &Selection) -> Vec<InFlightRequest> {
        let selected = self.0.table.selected(selection);
        selected.iter().map(|request| request.view()).collect()
    }

    /// Tells a request to end, if it is among those that are selected. It does so within moments, whatever it is doing:
    /// its client gets an error, what was made of its answer is charged, and its outcome is `killed`.
    ///
    /// # Errors
    /// [`NotInFlight`]; then nothing was done.
    pub fn kill(&self, id: RequestId, selection: &Selection) -> Result<(), NotInFlight> {
        match self.0.table.kill(id, selection) {
            Ordered::Now => {
                self.0.killed.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Ordered::Before => Ok(()),
            Ordered::TooLate => Err(NotInFlight),
        }
    }

    /// Joins the feed, for what readers usually want.
    ///
    /// # Errors
    /// [`TooManyReaders`] when `[admin] event_readers_max` are listening already.
    pub fn subscribe(&self) -> Result<Subscription, TooManyReaders> {
        self.subscribe_to(Wanted::default(), None)
    }

    /// Joins the feed, after the event with the id `last` where it is given: what has come since then and is still kept
    /// comes first, and a gap says how much is not.
    ///
    /// # Errors
    /// [`TooManyReaders`] when `[admin] event_readers_max` are listening already.
    pub fn subscribe_to(
        &self,
        wanted: Wanted,
        last: Option<&str>,
    ) -> Result<Subscription, TooManyReaders> {
        self.0.feed.subscribe(wanted, last)
    }

    /// How the feed is read.
    pub fn status(&self) -> LiveStatus {
        let count = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
        let feed = &self.0.feed;
        LiveStatus {
            readers: count(feed.readers()),
            readers_max: count(feed.readers_max()),
            events_dropped: feed.dropped(),
            requests_killed: self.0.killed.load(Ordering::Relaxed),
        }
    }

    /// A budget has reached a threshold.
    pub fn budget_threshold(&self, reached: BudgetThreshold) {
        self.publish(Event::BudgetThreshold(Arc::new(reached)));
    }

    /// An alert fires, or was resolved.
    pub fn alert(&self, event: AlertEvent) {
        self.publish(Event::Alert(Arc::new(event)));
    }

    /// A provider's circuit breaker changed its state.
    pub fn breaker_changed(&self, change: BreakerChanged) {
        self.publish(Event::BreakerChanged(Arc::new(change)));
    }

    /// A provider's credential is left aside, or is used again.
    pub fn credential_changed(&self, change: CredentialChanged) {
        self.publish(Event::CredentialChanged(Arc::new(change)));
    }

    /// Something was noted in the audit log: call it once it is committed.
    pub fn audit(&self, event: &AuditEvent) {
        self.publish(Event::Audit(Arc::new(event.clone())));
    }

    /// The configuration has a new revision: call it once it is committed.
    pub fn config_revision(&self, revision: &ConfigRevision) {
        self.publish(Event::ConfigRevision(Arc::new(revision.clone())));
    }

    /// Whether a log line is worth putting together.
    pub fn hears_logs(&self) -> bool {
        self.0.feed.hears(Topic::Logs)
    }

    /// A line was written to the log. Its time is set here.
    pub fn log(&self, line: LogLine) {
        let at_unix_ms = self.0.clock.unix_ms();
        self.publish(Event::Log(Arc::new(LogLine { at_unix_ms, ..line })));
    }

    fn publish(&self, event: Event) {
        self.0.feed.publish(event);
    }

    /// Ends the current second: tells readers its figures and the requests in flight. A job of the server calls it once
    /// a second.
    pub fn tick(&self) {
        let inner = &self.0;
        if !inner.feed.hears(Topic::Requests) && !inner.feed.hears(Topic::Logs) {
            return;
        }
        let max = inner.in_flight_list_max;
        inner
            .feed
            .end_second(inner.clock.unix_ms(), |wanted| match wanted {
                Some(wanted) => inner.table.oldest(&wanted.selection, max),
                None => inner.table.oldest(&Selection::default(), max),
            });
    }
}

/// A request's place in the table, for as long as it is in flight.
#[derive(Debug)]
pub struct Entry {
    place: Place,
    live: Live,
}

impl Entry {
    pub fn set_phase(&self, phase: Phase) {
        self.place.request().set_phase(phase);
    }

    /// Who is asking, once that is known.
    pub fn set_key(&self, id: Arc<str>, tenant: Option<Arc<TenantContext>>) {
        self.place.request().set_key(id, tenant);
    }

    /// Which model of which provider is being asked; again when another one takes over.
    pub fn set_target(&self, model: Arc<str>, provider: Arc<str>) {
        self.place.request().set_target(model, provider);
    }

    /// Where the request hears that it is to end.
    pub fn kill_switch(&self) -> KillSwitch {
        KillSwitch(Arc::clone(self.place.request()))
    }

    /// How the request ends is decided: from here on it cannot be killed. False when it has been.
    pub fn decide(&self) -> bool {
        self.place.request().kill.decide()
    }

    /// Takes the request out of the table and tells the feed how it ended. `log` is only called when somebody listens.
    pub fn finish(self, log: impl FnOnce() -> Arc<RequestLog>) {
        let Live(inner) = &self.live;
        inner.table.remove(&self.place);
        if inner.feed.hears(Topic::Requests) {
            inner.feed.finished(&log());
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.live.0.table.remove(&self.place);
    }
}
