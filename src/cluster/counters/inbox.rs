//! What waits for a lane: asks, what requests gave back, and wishes of the keeper.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use super::{BalanceKey, SharedHold, SharedRefusal, ask::PreparedAsk, hold::Held, shared::Closed};

/// Asks that wait for one lane.
const WAITING_MAX: usize = 8192;

type Answer = Result<SharedHold, SharedRefusal>;

/// An ask and who waits for its answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) ask: PreparedAsk,
    reply: oneshot::Sender<Answer>,
    /// The connection broke under it once already.
    pub(super) retried: bool,
}

impl Pending {
    pub(super) fn new(ask: PreparedAsk, reply: oneshot::Sender<Answer>) -> Self {
        Self {
            ask,
            reply,
            retried: false,
        }
    }

    /// Whoever asked may have left.
    pub(super) fn answer(self, answer: Answer) {
        drop(self.reply.send(answer));
    }
}

/// What a request gives back at its end.
#[derive(Debug)]
pub(super) struct Returned {
    pub(super) held: Held,
    pub(super) used_tokens: u64,
    pub(super) charged: Vec<BalanceKey>,
}

/// What waits for a lane. What is given back is bounded by what was granted, and so by the requests in flight.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    pub(super) wake: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    asks: VecDeque<Pending>,
    returned: Vec<Returned>,
    rewrites: Vec<oneshot::Sender<()>>,
    stopped: bool,
}

impl Inbox {
    pub(super) fn ask(&self, pending: Pending) -> Result<(), Closed> {
        let mut waiting = self.waiting.lock();
        if waiting.stopped {
            return Err(Closed::Stopping);
        }
        if waiting.asks.len() >= WAITING_MAX {
            return Err(Closed::Busy);
        }
        waiting.asks.push_back(pending);
        drop(waiting);
        self.wake.notify_one();
        Ok(())
    }

    pub(super) fn give_back(&self, returned: Returned) {
        self.waiting.lock().returned.push(returned);
        self.wake.notify_one();
    }

    /// Has everything that the lane holds written anew; resolves once it is, and fails where it could not be.
    pub(super) fn rewrite(&self) -> oneshot::Receiver<()> {
        let (done, wait) = oneshot::channel();
        self.waiting.lock().rewrites.push(done);
        self.wake.notify_one();
        wait
    }

    /// Asks that are still waited for.
    pub(super) fn take_asks(&self, max: usize) -> Vec<Pending> {
        let mut waiting = self.waiting.lock();
        let mut asks = Vec::new();
        while asks.len() < max
            && let Some(pending) = waiting.asks.pop_front()
        {
            if !pending.reply.is_closed() {
                asks.push(pending);
            }
        }
        asks
    }

    /// They come first again, and not a third time.
    pub(super) fn put_back(&self, asks: Vec<Pending>) {
        let mut waiting = self.waiting.lock();
        for pending in asks.into_iter().rev() {
            let pending = Pending {
                retried: true,
                ..pending
            };
            waiting.asks.push_front(pending);
        }
    }

    pub(super) fn has_asks(&self) -> bool {
        !self.waiting.lock().asks.is_empty()
    }

    /// What was given back, and who waits for everything to be written anew.
    pub(super) fn take_returned(&self) -> (Vec<Returned>, Vec<oneshot::Sender<()>>) {
        let mut waiting = self.waiting.lock();
        (
            std::mem::take(&mut waiting.returned),
            std::mem::take(&mut waiting.rewrites),
        )
    }

    /// From here on no more asks are taken.
    pub(super) fn stop(&self) {
        self.waiting.lock().stopped = true;
    }
}
