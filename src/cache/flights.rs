//! Single flight: of equal requests that find nothing at the same time, one asks and the others wait for its answer.
//!
//! 1. Whoever comes first leads. That there is a leader ends when its [`Lead`] is dropped: after its answer is kept,
//!    after it failed, after its client hung up, after a panic.
//! 2. Those who wait are woken then, or give up by themselves. Nobody waits twice: a leader that failed is followed by
//!    all at once and not by one after the other.
//! 3. There are at most so many leaders as there may be entries; whoever comes then asks alone.

use std::collections::HashMap;

use bytes::Bytes;
use tokio::sync::watch;

use super::Cache;
use super::identity::{Digest, RequestIdentity};

/// The leaders, by what they ask.
#[derive(Debug)]
pub(super) struct Flights {
    max: usize,
    open: HashMap<Digest, Flight>,
    next_number: u64,
}

#[derive(Debug)]
struct Flight {
    request: Bytes,
    number: u64,
    /// Closed when the leader is gone.
    ends: watch::Receiver<()>,
}

/// What one finds who found no answer.
#[derive(Debug)]
pub(super) enum Joined {
    Leads(Leading),
    /// Somebody else asks; this is closed when that is over.
    Follows(watch::Receiver<()>),
    Alone,
}

/// Becomes a [`Lead`] once the lock is released.
#[derive(Debug)]
pub(super) struct Leading {
    digest: Digest,
    number: u64,
    ends: watch::Sender<()>,
}

/// Held by the one who asks. Dropping it wakes those who wait.
#[derive(Debug)]
pub(super) struct Lead {
    cache: Cache,
    digest: Digest,
    number: u64,
    /// Dropped last of all, when the flight is closed already.
    _ends: watch::Sender<()>,
}

impl Flights {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            open: HashMap::new(),
            next_number: 0,
        }
    }

    pub(super) fn join(&mut self, request: &RequestIdentity) -> Joined {
        if let Some(flight) = self.open.get(&request.digest) {
            return if flight.request == request.bytes {
                Joined::Follows(flight.ends.clone())
            } else {
                Joined::Alone
            };
        }
        if self.open.len() >= self.max {
            return Joined::Alone;
        }
        let (sender, ends) = watch::channel(());
        let number = self.next_number;
        self.next_number += 1;
        let flight = Flight {
            request: request.bytes.clone(),
            number,
            ends,
        };
        self.open.insert(request.digest, flight);
        Joined::Leads(Leading {
            digest: request.digest,
            number,
            ends: sender,
        })
    }

    /// Closes a flight, unless it is another one by now.
    pub(super) fn close(&mut self, digest: &Digest, number: u64) {
        if self
            .open
            .get(digest)
            .is_some_and(|open| open.number == number)
        {
            self.open.remove(digest);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}

impl Leading {
    pub(super) fn of(self, cache: &Cache) -> Lead {
        Lead {
            cache: cache.clone(),
            digest: self.digest,
            number: self.number,
            _ends: self.ends,
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.cache.close_flight(&self.digest, self.number);
    }
}
