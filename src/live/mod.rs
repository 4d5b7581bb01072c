//! What is going on right now: the table of requests in flight, and the feed of live events.
//!
//! Every request stands in the table from its first header to its last byte; that costs a few dozen nanoseconds.
//! The feed is free of charge while nobody listens: nothing is computed, copied or counted for it then.

mod feed;
mod second;
mod table;
#[cfg(test)]
mod tests;

pub use feed::{Subscription, TooManyReaders};
pub use table::Started;

use std::sync::Arc;

use ferrogate_api::{BudgetThreshold, Event, InFlight, Phase, RequestLog};

use self::{
    feed::Feed,
    table::{Place, Table},
};
use crate::clock::Clock;
use crate::config;

/// The live view of the process. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Live(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    in_flight_list_max: usize,
    table: Table,
    feed: Arc<Feed>,
}

impl Live {
    pub fn new(clock: Clock, bounds: &config::Admin) -> Self {
        Self(Arc::new(Inner {
            clock,
            in_flight_list_max: bounds.in_flight_list_max,
            table: Table::default(),
            feed: Arc::new(Feed::new(bounds)),
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
        self.0.table.oldest(max)
    }

    /// Joins the feed.
    ///
    /// # Errors
    /// [`TooManyReaders`] when `[admin] event_readers_max` are listening already.
    pub fn subscribe(&self) -> Result<Subscription, TooManyReaders> {
        self.0.feed.subscribe()
    }

    /// Tells whoever listens that a budget has reached a threshold.
    pub fn budget_threshold(&self, reached: BudgetThreshold) {
        if self.0.feed.is_heard() {
            self.0
                .feed
                .publish(Event::BudgetThreshold(Arc::new(reached)));
        }
    }

    /// Ends the current second: publishes its figures and the requests in flight, if anybody listens.
    /// A job of the server calls it once a second.
    pub fn tick(&self) {
        let inner = &self.0;
        if !inner.feed.is_heard() {
            return;
        }
        inner
            .feed
            .end_second(inner.clock.unix_ms(), inner.table.len());
        let in_flight = inner.table.oldest(inner.in_flight_list_max);
        inner.feed.publish(Event::InFlight(Arc::new(in_flight)));
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
    pub fn set_key(&self, id: Arc<str>) {
        self.place.request().set_key(id);
    }

    /// Which model of which provider is being asked; again when another one takes over.
    pub fn set_target(&self, model: Arc<str>, provider: Arc<str>) {
        self.place.request().set_target(model, provider);
    }

    /// Takes the request out of the table and tells the feed how it ended. `log` is only called when somebody listens.
    pub fn finish(self, log: impl FnOnce() -> Arc<RequestLog>) {
        let Live(inner) = &self.live;
        inner.table.remove(&self.place);
        if inner.feed.is_heard() {
            inner.feed.finished(log());
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.live.0.table.remove(&self.place);
    }
}
