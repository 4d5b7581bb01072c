//! The response cache: an answer that was given before, for a request that is the same in everything that decides it.
//!
//! What decides it is the caller's to say, in a [`RequestIdentity`]; this module knows neither requests nor keys.
//!
//! 1. An answer is found by its whole identity, compared byte for byte. A digest that collides finds nothing.
//! 2. It is bounded by entries and by bytes, identities included; the least recently used leaves first. No entry is
//!    given out past its time.
//! 3. Of equal requests at the same time one asks a provider, and the others wait for it ([`flights`]).
//! 4. Memory is the truth. What is kept on the disk is read once, before the first request, so that a look-up never
//!    waits for it.
//! 5. A purge is final: what was asked for before it is not kept after it.

mod answer;
mod canonical;
mod entries;
mod flights;
mod identity;
mod kept;
mod ticket;

#[cfg(test)]
mod tests;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};

use crate::clock::{Clock, millis};
use crate::config;
use crate::store::Store;
use entries::{Bounds, Entries, Left};
use flights::{Flights, Joined, Leading};
use identity::{Digest, Hash, Identity};

pub use answer::{Answer, FilledBy, Fresh, Purge};
pub use identity::{IdentityWriter, RequestIdentity};
pub use ticket::Ticket;

/// The cache of one process. Cheap to clone; all clones are one cache.
#[derive(Clone)]
pub struct Cache(Arc<Shared>);

struct Shared {
    config: config::Cache,
    clock: Clock,
    hash: Hash,
    /// Where answers are kept beyond the process's end, and removed from by a purge.
    store: Option<Store>,
    inner: Mutex<Inner>,
    hits: AtomicU64,
    misses: AtomicU64,
    saved_nanos: AtomicI64,
}

/// What one lock holds together: whoever finds nothing joins a flight at the same moment.
struct Inner {
    entries: Entries,
    flights: Flights,
    /// How many purges there have been.
    purges: u64,
}

/// What is looked for.
#[derive(Debug)]
pub struct Wanted<'w> {
    pub request: RequestIdentity,
    /// Provider and provider model of all who may answer, in the order in which their answers are preferred.
    pub candidates: &'w [(&'w str, &'w str)],
    /// No older answer will do, and a new one is kept for so long.
    pub ttl: Duration,
    /// Nor one that is older than this, whatever the new one is kept for.
    pub age_max: Option<Duration>,
    pub filled_by: FilledBy,
}

/// What a look-up came to, and how long it waited for somebody else's answer.
#[derive(Debug)]
pub struct LookedUp {
    pub found: Found,
    pub waited: Duration,
}

#[derive(Debug)]
pub enum Found {
    Hit(Arc<Answer>),
    Miss(Box<Ticket>),
}

/// How the cache is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    pub hits: u64,
    pub misses: u64,
    pub entries: u64,
    /// Identities and overhead included.
    pub bytes: u64,
    /// Entries that left to make room.
    pub evictions: u64,
    /// What the hits had cost when they were made.
    pub saved_nanos: i64,
}

enum Step {
    Hit(Arc<Answer>),
    /// Ask; with a flight to lead where others may come to wait.
    Ask(Option<Leading>),
    Wait(watch::Receiver<()>),
}

impl Cache {
    /// An empty cache. `store` is what `persist` keeps answers in.
    pub fn new(config: &config::Cache, clock: Clock, store: Option<Store>) -> Self {
        Self::with_hash(config, clock, store, identity::sha256)
    }

    fn with_hash(config: &config::Cache, clock: Clock, store: Option<Store>, hash: Hash) -> Self {
        let bounds = Bounds {
            entries: bound(config.max_records),
            bytes: bound(config.max_bytes),
            entry_bytes: bound(config.max_entry_bytes),
        };
        Self(Arc::new(Shared {
            config: config.clone(),
            clock,
            hash,
            store,
            inner: Mutex::new(Inner {
                entries: Entries::new(bounds),
                flights: Flights::new(bounds.entries),
                purges: 0,
            }),
            hits: AtomicU64::default(),
            misses: AtomicU64::default(),
            saved_nanos: AtomicI64::default(),
        }))
    }

    pub fn config(&self) -> &config::Cache {
        &self.0.config
    }

    /// Whether a request of this size leaves room for an answer; to be asked before its identity is written.
    pub fn has_room_for(&self, request_bytes: usize) -> bool {
        request_bytes < bound(self.0.config.max_entry_bytes)
    }

    /// Ends the writing of an identity; `None` where it leaves no room for an answer.
    pub fn identify(&self, writer: IdentityWriter) -> Option<RequestIdentity> {
        let request = writer.finish(self.0.hash);
        self.has_room_for(request.bytes.len()).then_some(request)
    }

    /// Looks for an answer of any candidate. Where somebody else is asking for the same, waits for them, at most
    /// `single_flight_wait`. Dropping it while it waits loses nothing.
    pub async fn look_up(&self, wanted: Wanted<'_>) -> LookedUp {
        let identities: Vec<Identity> = wanted
            .candidates
            .iter()
            .map(|candidate| Identity::new(&wanted.request, *candidate, self.0.hash))
            .collect();
        // Before anything is looked for: a purge that comes after it is one that this request must not undo.
        let mut ticket = self.ticket(wanted);
        let mut waited = Duration::ZERO;
        let found = match self.find_or_join(&ticket, &identities) {
            Step::Hit(answer) => Some(answer),
            Step::Ask(leading) => {
                ticket.lead = leading.map(|leading| leading.of(self));
                None
            }
            Step::Wait(mut ended) => {
                let wait = self.0.config.single_flight_wait;
                let began = Instant::now();
                // Over, or waited long enough: either way it is looked for once more, and then asked for.
                drop(tokio::time::timeout(wait, ended.changed()).await);
                waited = began.elapsed();
                self.with_inner(|inner, left| self.find(inner, &ticket, &identities, left))
            }
        };
        let found = match found {
            Some(answer) => {
                self.0.hits.fetch_add(1, Ordering::Relaxed);
                let saved = answer.cost_nanos.unwrap_or_default();
                self.0.saved_nanos.fetch_add(saved, Ordering::Relaxed);
                Found::Hit(answer)
            }
            None => {
                self.0.misses.fetch_add(1, Ordering::Relaxed);
                Found::Miss(ticket)
            }
        };
        LookedUp { found, waited }
    }

    /// Looks for nothing, and keeps the answer all the same.
    pub fn ticket(&self, wanted: Wanted<'_>) -> Box<Ticket> {
        Box::new(Ticket {
            cache: self.clone(),
            request: wanted.request,
            ttl_ms: millis(wanted.ttl),
            age_max_ms: millis(wanted.age_max.unwrap_or(wanted.ttl).min(wanted.ttl)),
            filled_by: wanted.filled_by,
            purges: self.0.inner.lock().purges,
            lead: None,
        })
    }

    pub fn stats(&self) -> Stats {
        let shared = &self.0;
        let inner = shared.inner.lock();
        Stats {
            hits: shared.hits.load(Ordering::Relaxed),
            misses: shared.misses.load(Ordering::Relaxed),
            entries: count(inner.entries.len()),
            bytes: count(inner.entries.bytes()),
            evictions: inner.entries.evictions(),
            saved_nanos: shared.saved_nanos.load(Ordering::Relaxed),
        }
    }

    fn find_or_join(&self, ticket: &Ticket, identities: &[Identity]) -> Step {
        self.with_inner(|inner, left| {
            if let Some(answer) = self.find(inner, ticket, identities, left) {
                return Step::Hit(answer);
            }
            if self.0.config.single_flight_wait.is_zero() {
                return Step::Ask(None);
            }
            match inner.flights.join(&ticket.request) {
                Joined::Leads(leading) => Step::Ask(Some(leading)),
                Joined::Follows(ended) => Step::Wait(ended),
                Joined::Alone => Step::Ask(None),
            }
        })
    }

    fn find(
        &self,
        inner: &mut Inner,
        ticket: &Ticket,
        identities: &[Identity],
        left: &mut Left,
    ) -> Option<Arc<Answer>> {
        let times = (self.0.clock.unix_ms(), ticket.age_max_ms);
        identities
            .iter()
            .find_map(|identity| inner.entries.get(identity, times, left))
    }

    fn close_flight(&self, digest: &Digest, number: u64) {
        self.0.inner.lock().flights.close(digest, number);
    }

    /// What `work` puts into the list is dropped after the lock is released.
    fn with_inner<T>(&self, work: impl FnOnce(&mut Inner, &mut Left) -> T) -> T {
        let mut left = Left::new();
        let mut inner = self.0.inner.lock();
        let done = work(&mut inner, &mut left);
        drop(inner);
        drop(left);
        done
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("config", &self.0.config)
            .field("stats", &self.stats())
            .finish()
    }
}

fn bound(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
