//! The live feed: one bounded channel to every reader.
//!
//! A request never waits for a reader. A reader that is too slow, or more requests than a reader may be sent each
//! second, make a gap, and the gap says how wide it is; the figures of each second count every request all the same.

use std::{
    future,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
    },
};

use ferrogate_api::{Event, RequestLog, Skipped};
use parking_lot::Mutex;
use tokio::sync::broadcast::{self, error::RecvError};

use super::second::SecondRecorder;
use crate::config;

#[derive(Debug)]
pub(super) struct Feed {
    events: broadcast::Sender<Event>,
    readers: AtomicUsize,
    readers_max: usize,
    finished_per_second_max: u32,
    /// Finished requests sent in this second.
    finished_sent: AtomicU32,
    /// Finished requests not sent in this second, because the others used the second up.
    finished_skipped: AtomicU64,
    second: Mutex<SecondRecorder>,
}

/// Every place in the feed is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("all {max} readers of the live feed are connected")]
pub struct TooManyReaders {
    pub max: usize,
}

/// One reader's end of the feed; dropping it frees its place.
#[derive(Debug)]
pub struct Subscription {
    events: broadcast::Receiver<Event>,
    feed: Arc<Feed>,
}

impl Feed {
    pub(super) fn new(bounds: &config::Admin) -> Self {
        Self {
            events: broadcast::Sender::new(bounds.event_buffer_max.max(1)),
            readers: AtomicUsize::new(0),
            readers_max: bounds.event_readers_max,
            finished_per_second_max: bounds.events_per_second_max,
            finished_sent: AtomicU32::new(0),
            finished_skipped: AtomicU64::new(0),
            second: Mutex::default(),
        }
    }

    /// Whether anybody listens: one relaxed load, asked at the end of every request.
    pub(super) fn is_heard(&self) -> bool {
        self.readers.load(Ordering::Relaxed) > 0
    }

    pub(super) fn subscribe(self: &Arc<Self>) -> Result<Subscription, TooManyReaders> {
        let taken = self
            .readers
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |readers| {
                (readers < self.readers_max).then_some(readers + 1)
            })
            .map_err(|_| TooManyReaders {
                max: self.readers_max,
            })?;
        if taken == 0 {
            // What the last reader left behind belongs to no second that anybody will see.
            self.start_second();
            self.second.lock().reset();
        }
        Ok(Subscription {
            events: self.events.subscribe(),
            feed: Arc::clone(self),
        })
    }

    /// Counts a request that ended, and sends it while the second has room.
    pub(super) fn finished(&self, log: Arc<RequestLog>) {
        self.second.lock().record(&log);
        if self.finished_sent.fetch_add(1, Ordering::Relaxed) < self.finished_per_second_max {
            self.publish(Event::Finished(log));
        } else {
            self.finished_skipped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Publishes the second that ends now, after the gap it may have had, and starts the next one.
    pub(super) fn end_second(&self, now_unix_ms: i64, in_flight: u64) {
        let second = self.second.lock().take(now_unix_ms, in_flight);
        let count = self.start_second();
        if count > 0 {
            self.publish(Event::Skipped(Skipped { count }));
        }
        self.publish(Event::Second(Arc::new(second)));
    }

    pub(super) fn publish(&self, event: Event) {
        // An error means that the last reader left between the question and the answer.
        self.events.send(event).ok();
    }

    /// Gives back how many finished requests the last second did not send.
    fn start_second(&self) -> u64 {
        self.finished_sent.store(0, Ordering::Relaxed);
        self.finished_skipped.swap(0, Ordering::Relaxed)
    }
}

impl Subscription {
    /// The next event. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Event {
        match self.events.recv().await {
            Ok(event) => event,
            Err(RecvError::Lagged(count)) => Event::Skipped(Skipped { count }),
            // Not reached: the sender lives in the feed that this reader holds.
            Err(RecvError::Closed) => future::pending().await,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.feed.readers.fetch_sub(1, Ordering::AcqRel);
    }
}
