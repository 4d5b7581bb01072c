//! One reader of the live feed: a bounded queue, and how much did not fit into it.

use std::{collections::VecDeque, sync::Arc};

use ferrogate_api::{Event, InFlight, RequestLog, SkipReason, Skipped};
use tokio::sync::mpsc;

use super::{
    ring::{Sent, Since},
    second::SecondRecorder,
    selection::Wanted,
};

/// The feed's end of a reader.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) id: u64,
    pub(super) wanted: Arc<Wanted>,
    queue: mpsc::Sender<Sent>,
    /// Events that did not fit since the last one that did.
    gap: u64,
    second: SecondRecorder,
    /// Requests told in this second.
    told: u32,
    /// Requests not told in this second, because the others used the second up.
    untold: u64,
}

impl Reader {
    /// A reader with room for so many events, and the end that it reads from.
    pub(super) fn new(id: u64, wanted: Arc<Wanted>, room: usize) -> (Self, mpsc::Receiver<Sent>) {
        let (queue, events) = mpsc::channel(room.max(2));
        let reader = Self {
            id,
            wanted,
            queue,
            gap: 0,
            second: SecondRecorder::default(),
            told: 0,
            untold: 0,
        };
        (reader, events)
    }

    /// Tells it of a request that ended, unless it was told of so many in this second already. Gives back how many
    /// events were dropped.
    pub(super) fn finished(&mut self, log: &RequestLog, sent: &Sent, per_second_max: u32) -> u64 {
        if !self.wanted.wants(&sent.event) {
            return 0;
        }
        self.second.record(log);
        if self.told >= per_second_max {
            self.untold += 1;
            return 0;
        }
        self.told += 1;
        self.give(sent.clone())
    }

    /// Tells it of an event that it wants. Gives back how many were dropped.
    pub(super) fn tell(&mut self, sent: &Sent) -> u64 {
        match self.wanted.wants(&sent.event) {
            true => self.give(sent.clone()),
            false => 0,
        }
    }

    /// Ends its second. `in_flight`: the requests that it wants to see, and how many there are.
    pub(super) fn end_second(
        &mut self,
        now_unix_ms: i64,
        in_flight: Arc<InFlight>,
        number: u64,
    ) -> u64 {
        let second = self.second.take(now_unix_ms, in_flight.total);
        self.told = 0;
        let untold = std::mem::take(&mut self.untold);
        let mut dropped = 0;
        if untold > 0 {
            let event = skipped(untold, SkipReason::Rate);
            dropped += self.give(Sent { number, event });
        }
        let event = Event::Second(Arc::new(second));
        dropped += self.give(Sent { number, event });
        let event = Event::InFlight(in_flight);
        dropped + self.give(Sent { number, event })
    }

    /// What is dropped is told of before the next event that fits.
    fn give(&mut self, sent: Sent) -> u64 {
        if self.gap > 0 {
            let event = skipped(self.gap, SkipReason::SlowReader);
            let number = sent.number.saturating_sub(1);
            // Two places or none: a gap whose end is told, and then the event is lost, is another gap.
            if self.queue.capacity() < 2 || self.queue.try_send(Sent { number, event }).is_err() {
                self.gap += 1;
                return 1;
            }
            self.gap = 0;
        }
        if self.queue.try_send(sent).is_err() {
            self.gap += 1;
            return 1;
        }
        0
    }

    /// Whether nothing is left out of what it is told of requests.
    pub(super) fn sees_every_request(&self) -> bool {
        self.wanted.selection.is_everything()
    }
}

/// What a reader that comes back is told first.
pub(super) fn replay(since: Since, wanted: &Wanted) -> VecDeque<Sent> {
    let first = since.kept.first();
    let number = first.map_or(since.last, |first| first.number - 1);
    let gap = (since.lost > 0).then(|| Sent {
        number,
        event: skipped(since.lost, SkipReason::NotKept),
    });
    let kept = since
        .kept
        .into_iter()
        .filter(|sent| wanted.wants(&sent.event));
    gap.into_iter().chain(kept).collect()
}

pub(super) fn skipped(count: u64, reason: SkipReason) -> Event {
    Event::Skipped(Skipped { count, reason })
}
