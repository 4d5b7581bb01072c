//! A lane: one connection, one step at a time. What the numbered rules in [`super`] promise happens here.

use std::sync::Arc;

use redis::{RedisError, aio::MultiplexedConnection};
use tokio::{sync::oneshot, time::timeout};

use super::{
    SharedHold, SharedRefusal,
    inbox::{Inbox, Pending},
    link::{Link, Reach},
    mirror::{Changes, IN_FLIGHT_HEARTBEATS, Mirror},
    names::Expiry,
    shared::{Closed, Shared},
    step::{Row, Settled, Step, StepReply},
};

/// Redis does nothing else while a step runs: these keep it to a few milliseconds.
const ASKS_MAX: usize = 64;
const CHANGES_MAX: usize = 512;
/// What a lane still writes while the process ends.
const LAST_STEPS_MAX: usize = 64;

/// The task of one connection.
#[derive(Debug)]
pub(super) struct Lane {
    number: usize,
    shared: Arc<Shared>,
    link: Link,
    mirror: Mirror,
    generation: u64,
    rewrites: Vec<oneshot::Sender<()>>,
}

/// A step on its way.
struct Sent {
    step: Step,
    asks: Vec<Pending>,
    changes: Changes,
}

impl Lane {
    pub(super) fn new(number: usize, shared: Arc<Shared>, link: Link) -> Self {
        Self {
            number,
            shared,
            link,
            mirror: Mirror::default(),
            generation: 0,
            rewrites: Vec::new(),
        }
    }

    /// Runs until the process ends; whether nothing is held then.
    pub(super) async fn run(mut self) -> bool {
        loop {
            tokio::select! {
                biased;
                () = self.shared.tasks.stopping() => break,
                // Its failures are the keeper's to report: it has a link like this one.
                _ = self.link.change() => {}
                () = self.shared.inboxes[self.number].wake.notified() => {}
            }
            self.work(usize::MAX).await;
        }
        self.inbox().stop();
        self.refuse_waiting(Closed::Stopping);
        self.work(LAST_STEPS_MAX).await;
        self.mirror.holds_nothing() && self.mirror.is_written()
    }

    fn inbox(&self) -> &Inbox {
        &self.shared.inboxes[self.number]
    }

    /// Takes steps until there is nothing to do, or nothing can be done.
    async fn work(&mut self, steps_max: usize) {
        for _ in 0..steps_max {
            self.collect();
            let Some(epoch) = self.shared.membership.epoch() else {
                return self.give_up(Closed::Joining);
            };
            if let Some(reason) = self.shared.membership.closed() {
                self.refuse_waiting(reason);
            }
            if !self.has_work() {
                return;
            }
            match self.link.reach() {
                Reach::Up(mut connection) => {
                    if !self.step(&mut connection, &epoch).await {
                        return;
                    }
                }
                Reach::Soon => return,
                Reach::Down => return self.give_up(Closed::Unreachable),
            }
        }
    }

    fn collect(&mut self) {
        let (returned, rewrites) = self.inbox().take_returned();
        for returned in returned {
            self.mirror.returned(returned);
        }
        if !rewrites.is_empty() {
            self.mirror.doubt_all();
            self.rewrites.extend(rewrites);
        }
        self.report_rewritten();
    }

    fn has_work(&self) -> bool {
        !self.mirror.is_written() || self.inbox().has_asks()
    }

    fn report_rewritten(&mut self) {
        if self.mirror.is_written() {
            for done in self.rewrites.drain(..) {
                // A keeper that has stopped waiting will ask again.
                done.send(()).ok();
            }
        }
    }

    fn give_up(&mut self, reason: Closed) {
        self.rewrites.clear();
        self.refuse_waiting(self.shared.membership.closed().unwrap_or(reason));
    }

    fn refuse_waiting(&self, reason: Closed) {
        refuse(self.inbox().take_asks(usize::MAX), reason);
    }

    /// One step; whether another one may follow at once.
    async fn step(&mut self, connection: &mut MultiplexedConnection, epoch: &Arc<str>) -> bool {
        let sent = self.prepare(epoch);
        let sending = sent.step.send(&self.shared, connection);
        match timeout(self.shared.timeout, sending).await {
            Ok(Ok(StepReply::Done(rows))) => {
                self.done(sent, rows);
                true
            }
            Ok(Ok(StepReply::Lost)) => {
                self.shared.membership.lost(epoch);
                self.mirror.not_written(sent.changes);
                refuse(sent.asks, Closed::Joining);
                self.rewrites.clear();
                false
            }
            Ok(Err(error)) => self.failed(sent, &error),
            Err(_) => {
                let asks = self.unknown(sent);
                refuse(asks, Closed::Slow);
                false
            }
        }
    }

    fn prepare(&mut self, epoch: &Arc<str>) -> Sent {
        let asks = self.inbox().take_asks(ASKS_MAX);
        // Whatever was given back before one of these asked is written before it is admitted.
        self.collect();
        let changes = self.mirror.take_changes(CHANGES_MAX);
        let asked = asks.iter().flat_map(|pending| pending.ask.budgets());
        let keys: Vec<_> = changes
            .settled
            .iter()
            .chain(asked.map(|budget| &budget.balance))
            .cloned()
            .collect();
        let (own, version) = if keys.is_empty() {
            (Vec::new(), 0)
        } else {
            self.shared.own.settled(&keys)
        };
        let mut own = own
            .into_iter()
            .map(|value| value.map(|value| Settled { value, version }));

        let lane = self.number.to_string();
        let mut step = Step::new(&self.shared, &lane, self.generation, epoch);
        for key in &changes.settled {
            if let Some(settled) = own.next().flatten() {
                step.settled(&self.shared.names.balance(key), settled, Expiry::of(key));
            }
        }
        for (name, share) in &changes.shares {
            step.share(name, *share);
        }
        for correction in &changes.corrections {
            step.correct(correction);
        }
        let mut sent = Vec::with_capacity(asks.len());
        for pending in asks {
            let budgets = pending.ask.budgets().count();
            let settled: Vec<_> = own.by_ref().take(budgets).collect();
            match settled.into_iter().collect::<Option<Vec<_>>>() {
                Some(settled) if settled.len() == budgets => {
                    step.ask(&pending.ask, &settled, self.in_flight());
                    sent.push(pending);
                }
                // What this node itself has used is not known: nobody may go by the sum.
                _ => pending.answer(Err(Closed::LedgerOpening.into())),
            }
        }
        Sent {
            step,
            asks: sent,
            changes,
        }
    }

    fn done(&mut self, sent: Sent, rows: Vec<Row>) {
        self.mirror.written(&sent.changes);
        let mut rows = rows.into_iter();
        for pending in sent.asks {
            let answer = match rows.next() {
                Some(Row::Granted { span, standing }) => {
                    let mut held = pending.ask.held(self.number);
                    held.span = span;
                    self.mirror.granted(&held, self.in_flight());
                    Ok(SharedHold::new(Arc::clone(&self.shared), held, standing))
                }
                Some(Row::Limited(limited)) => Err(SharedRefusal::Limited(limited)),
                Some(Row::Closed) | None => Err(Closed::Gathering.into()),
            };
            // An answer that nobody waits for any more is dropped, and with it the hold.
            pending.answer(answer);
        }
        self.report_rewritten();
    }

    /// The connection broke, or Redis answered with an error.
    fn failed(&mut self, sent: Sent, error: &RedisError) -> bool {
        let broken = error.is_io_error() || error.is_unrecoverable_error();
        self.shared.membership.note(error.to_string());
        let asks = self.unknown(sent);
        if !broken {
            refuse(asks, Closed::Failed);
            return false;
        }
        // A connection that died while nobody used it is noticed by the next step: worth one more attempt.
        let (again, enough): (Vec<_>, Vec<_>) = asks.into_iter().partition(|ask| !ask.retried);
        refuse(enough, Closed::Unreachable);
        self.inbox().put_back(again);
        false
    }

    /// A step whose outcome nobody knows: it is fenced off, and what it may have changed is written anew.
    fn unknown(&mut self, sent: Sent) -> Vec<Pending> {
        self.link.broken();
        self.generation += 1;
        self.mirror.not_written(sent.changes);
        for pending in &sent.asks {
            let held = pending.ask.held(self.number);
            self.mirror.doubt(&held, self.in_flight());
        }
        self.rewrites.clear();
        sent.asks
    }

    fn in_flight(&self) -> Expiry {
        Expiry::After(self.shared.heartbeat * IN_FLIGHT_HEARTBEATS)
    }
}

fn refuse(asks: Vec<Pending>, reason: Closed) {
    for pending in asks {
        pending.answer(Err(reason.into()));
    }
}
