//! The live feed: every event is numbered, kept for a while, and given to each reader that wants it.
//!
//! A request never waits for a reader. A reader that is too slow, or more requests than a reader may be told of each
//! second, make a gap, and the gap says how wide it is; the figures of each second count every request all the same.
//!
//! Everything happens under one lock, which is held for a few hundred nanoseconds, and only while somebody listens or
//! for what is rare. So every reader gets the events in the order of their numbers, and one that comes back misses none
//! between those that were kept for it and those that come now. Nothing is logged in here: a log line is an event.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
};

use ferrogate_api::{Event, InFlight, RequestLog, SkipReason, Topic};
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::{
    reader::{self, Reader},
    ring::{Rings, Sent},
    selection::{Topics, Wanted},
};
use crate::config;

/// So many seconds after its last reader has left, what is only told to readers is still kept for its return.
const WARM_SECONDS: u8 = 30;

#[derive(Debug)]
pub(super) struct Feed {
    /// Tells this run of the process from others, in the ids of events.
    epoch: i64,
    /// The topics that somebody wants, or wanted a moment ago, and those that are always kept.
    heard: AtomicU8,
    line: Mutex<Line>,
    dropped: AtomicU64,
    readers_max: usize,
    room: usize,
    finished_per_second_max: u32,
}

#[derive(Debug)]
struct Line {
    rings: Rings,
    readers: Vec<Reader>,
    reader_ids: u64,
    /// What readers wanted who left a moment ago, and for how many seconds it is kept for them.
    warm: Topics,
    warm_seconds: u8,
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
    reader: u64,
    replay: VecDeque<Sent>,
    events: mpsc::Receiver<Sent>,
    feed: Arc<Feed>,
}

/// An event on its way to one reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub id: EventId,
    pub event: Event,
}

/// What a reader says to be told of everything since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId {
    epoch: i64,
    number: u64,
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.epoch, self.number)
    }
}

impl EventId {
    fn parse(text: &str) -> Option<Self> {
        let (epoch, number) = text.split_once('-')?;
        Some(Self {
            epoch: i64::from_str_radix(epoch, 16).ok()?,
            number: number.parse().ok()?,
        })
    }
}

impl Feed {
    pub(super) fn new(bounds: &config::Admin, epoch: i64) -> Self {
        Self {
            epoch,
            heard: AtomicU8::new(Topics::RARE.bits()),
            line: Mutex::new(Line {
                rings: Rings::new(bounds.event_replay_max),
                readers: Vec::new(),
                reader_ids: 0,
                warm: Topics::default(),
                warm_seconds: 0,
            }),
            dropped: AtomicU64::new(0),
            readers_max: bounds.event_readers_max,
            room: bounds.event_buffer_max,
            finished_per_second_max: bounds.events_per_second_max,
        }
    }

    /// Whether anybody wants to hear of this: one relaxed load, asked at the end of every request.
    pub(super) fn hears(&self, topic: Topic) -> bool {
        Topics::from_bits(self.heard.load(Ordering::Relaxed)).contains(topic)
    }

    pub(super) fn readers(&self) -> usize {
        self.line.lock().readers.len()
    }

    pub(super) fn readers_max(&self) -> usize {
        self.readers_max
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// `last`: the id of the event that the reader saw last, where it was here before.
    pub(super) fn subscribe(
        self: &Arc<Self>,
        wanted: Wanted,
        last: Option<&str>,
    ) -> Result<Subscription, TooManyReaders> {
        let wanted = Arc::new(wanted);
        let mut line = self.line.lock();
        if line.readers.len() >= self.readers_max {
            return Err(TooManyReaders {
                max: self.readers_max,
            });
        }
        let replay = last.map_or_else(VecDeque::new, |last| self.replay(&line, last, &wanted));
        line.reader_ids += 1;
        let id = line.reader_ids;
        let (reader, events) = Reader::new(id, wanted, self.room);
        line.readers.push(reader);
        self.listen(&line);
        drop(line);
        Ok(Subscription {
            reader: id,
            replay,
            events,
            feed: Arc::clone(self),
        })
    }

    fn replay(&self, line: &Line, last: &str, wanted: &Wanted) -> VecDeque<Sent> {
        match EventId::parse(last) {
            Some(last) if last.epoch == self.epoch => {
                reader::replay(line.rings.since(last.number, wanted.topics), wanted)
            }
            Some(_) | None => VecDeque::from([Sent {
                number: line.rings.last(),
                event: reader::skipped(0, SkipReason::Restarted),
            }]),
        }
    }

    /// Notes what is listened to from now on.
    fn listen(&self, line: &Line) {
        let wanted = line.readers.iter().map(|reader| reader.wanted.topics);
        let heard = wanted.fold(Topics::RARE.and(line.warm), Topics::and);
        self.heard.store(heard.bits(), Ordering::Relaxed);
    }

    fn leave(&self, id: u64) {
        let mut line = self.line.lock();
        let Some(index) = line.readers.iter().position(|reader| reader.id == id) else {
            return;
        };
        let left = line.readers.swap_remove(index);
        line.warm = line.warm.and(left.wanted.topics);
        line.warm_seconds = WARM_SECONDS;
        self.listen(&line);
    }

    /// Counts a request that ended, and tells those who want to hear of it.
    pub(super) fn finished(&self, log: &Arc<RequestLog>) {
        let mut line = self.line.lock();
        let Line { rings, readers, .. } = &mut *line;
        let sent = rings.keep(Event::Finished(Arc::clone(log)));
        let dropped = readers
            .iter_mut()
            .map(|reader| reader.finished(log, &sent, self.finished_per_second_max))
            .sum();
        drop(line);
        self.note_dropped(dropped);
    }

    pub(super) fn publish(&self, event: Event) {
        let mut line = self.line.lock();
        let Line { rings, readers, .. } = &mut *line;
        let sent = rings.keep(event);
        let dropped = readers.iter_mut().map(|reader| reader.tell(&sent)).sum();
        drop(line);
        self.note_dropped(dropped);
    }

    /// Ends the second of every reader that wants to know of requests. `in_flight` finds the requests that one of them
    /// wants to see, or all of them.
    pub(super) fn end_second(
        &self,
        now_unix_ms: i64,
        mut in_flight: impl FnMut(Option<&Wanted>) -> InFlight,
    ) {
        // Looking through the requests in flight takes a moment: not under the lock.
        let readers = self.readers_of_requests();
        let mut everything: Option<Arc<InFlight>> = None;
        let views: Vec<_> = readers
            .into_iter()
            .map(|(id, selective)| match selective {
                Some(wanted) => (id, Arc::new(in_flight(Some(&wanted)))),
                None => {
                    let all = everything.get_or_insert_with(|| Arc::new(in_flight(None)));
                    (id, Arc::clone(all))
                }
            })
            .collect();
        let mut line = self.line.lock();
        let Line { rings, readers, .. } = &mut *line;
        let mut dropped = 0;
        for (id, view) in views {
            if let Some(reader) = readers.iter_mut().find(|reader| reader.id == id) {
                dropped += reader.end_second(now_unix_ms, view, rings.last());
            }
        }
        self.cool(&mut line);
        drop(line);
        self.note_dropped(dropped);
    }

    fn readers_of_requests(&self) -> Vec<(u64, Option<Arc<Wanted>>)> {
        let line = self.line.lock();
        let readers = line.readers.iter();
        readers
            .filter(|reader| reader.wanted.topics.contains(Topic::Requests))
            .map(|reader| {
                let selective = !reader.sees_every_request();
                (reader.id, selective.then(|| Arc::clone(&reader.wanted)))
            })
            .collect()
    }

    /// A second nearer to forgetting what was kept for those who left.
    fn cool(&self, line: &mut Line) {
        if line.warm_seconds == 0 {
            return;
        }
        line.warm_seconds -= 1;
        if line.warm_seconds > 0 {
            return;
        }
        line.warm = Topics::default();
        self.listen(line);
        let heard = Topics::from_bits(self.heard.load(Ordering::Relaxed));
        if heard == Topics::RARE {
            line.rings.forget_busy();
        }
    }

    fn note_dropped(&self, events: u64) {
        if events > 0 {
            self.dropped.fetch_add(events, Ordering::Relaxed);
        }
    }
}

impl Subscription {
    /// The next event. Cancelling it loses nothing.
    pub async fn next(&mut self) -> Told {
        let sent = match self.replay.pop_front() {
            Some(kept) => kept,
            None => match self.events.recv().await {
                Some(sent) => sent,
                // Not reached: the other end lives in the feed until this one is dropped.
                None => std::future::pending().await,
            },
        };
        Told {
            id: EventId {
                epoch: self.feed.epoch,
                number: sent.number,
            },
            event: sent.event,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.feed.leave(self.reader);
    }
}
