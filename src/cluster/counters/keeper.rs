//! The keeper: this node's heartbeat, its place among the others, and what it writes so that they can count on it.

use std::{sync::Arc, time::Instant};

use redis::{RedisError, aio::MultiplexedConnection};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use super::{
    calls::{Calls, Heard, Inherit, Trouble},
    link::{Link, Reach},
    names::unescape,
    shared::{Closed, Shared},
};

/// The task.
#[derive(Debug)]
pub(super) struct Keeper {
    link: Link,
    lanes: Vec<JoinHandle<bool>>,
    place: Place,
    /// A lost connection is reported once.
    down: bool,
}

/// Where this node stands.
#[derive(Debug)]
struct Place {
    shared: Arc<Shared>,
    calls: Calls,
    /// The epoch that it has joined.
    epoch: Option<Arc<str>>,
    /// Everything this node has is written there.
    seeded: bool,
    /// The epoch it was in last.
    before: Option<Arc<str>>,
    next_write: Instant,
}

impl Keeper {
    pub(super) fn new(shared: Arc<Shared>, link: Link, lanes: Vec<JoinHandle<bool>>) -> Self {
        Self {
            link,
            lanes,
            place: Place {
                calls: Calls(Arc::clone(&shared)),
                shared,
                epoch: None,
                seeded: false,
                before: None,
                next_write: Instant::now(),
            },
            down: false,
        }
    }

    /// Runs until the process ends.
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.place.shared);
        loop {
            if let Reach::Up(mut connection) = self.link.reach() {
                let round = self.place.round(&mut connection).await;
                self.note(round);
            }
            tokio::select! {
                biased;
                () = shared.tasks.stopping() => break,
                change = self.link.change() => self.link_changed(change),
                () = shared.membership.wake.notified() => {}
                () = sleep(shared.pulse()) => {}
            }
        }
        self.leave().await;
    }

    fn link_changed(&mut self, change: Result<(), RedisError>) {
        match change {
            Ok(()) if self.down => {
                self.down = false;
                info!("Redis is back");
            }
            Ok(()) => {}
            Err(error) => self.lost_touch(&error.to_string()),
        }
    }

    fn note(&mut self, round: Result<(), Trouble>) {
        let Err(trouble) = round else {
            return;
        };
        if matches!(trouble, Trouble::Redis(_) | Trouble::Slow) {
            // Lanes find out for themselves; until then they may well be able to go on.
            self.link.broken();
            self.lost_touch(&trouble.to_string());
        } else {
            let membership = &self.place.shared.membership;
            membership.close(trouble.closes());
            membership.note(trouble.to_string());
        }
    }

    fn lost_touch(&mut self, error: &str) {
        if !self.down {
            warn!(
                error,
                "Redis cannot be reached; what has limits or budgets is refused"
            );
        }
        self.down = true;
        self.place.shared.membership.out_of_touch(error.to_owned());
    }

    /// A node that holds nothing takes its leave; one that does is found silent by the others, and its holds charged.
    async fn leave(mut self) {
        let mut holds_nothing = true;
        for lane in self.lanes.drain(..) {
            holds_nothing &= lane.await.unwrap_or(false);
        }
        self.place.shared.membership.close(Closed::Stopping);
        if let Reach::Up(mut connection) = self.link.reach()
            && holds_nothing
            && let Err(error) = self.place.calls.leave(&mut connection).await
        {
            info!(%error, "this node could not take its leave of the cluster");
        }
    }
}

impl Place {
    /// Joins and writes what is not written, then one heartbeat and what follows from it.
    async fn round(&mut self, connection: &mut MultiplexedConnection) -> Result<(), Trouble> {
        if self.shared.membership.epoch().is_none() {
            self.epoch = None;
        }
        let epoch = match &self.epoch {
            Some(epoch) => Arc::clone(epoch),
            None => self.join(connection).await?,
        };
        // A heartbeat is due even where this takes longer.
        let seeding = self.seed(&epoch, connection).await;
        let begun = Instant::now();
        let heard = self.calls.beat(&epoch, self.seeded, connection).await?;
        let Some(heard) = heard else {
            self.shared.membership.lost(&epoch);
            return Err(Trouble::Lost);
        };
        let closed = match &seeding {
            Err(trouble) => Some(trouble.closes()),
            Ok(()) if !heard.open => Some(Closed::Gathering),
            Ok(()) => None,
        };
        let Heard { alive, silent, .. } = heard;
        self.shared
            .membership
            .beaten(begun.elapsed(), alive, closed);
        seeding?;
        for node in silent {
            self.bury(&node, connection).await?;
        }
        self.write_when_due(&epoch, connection).await?;
        for inbox in &self.shared.inboxes {
            // What a lane could not write is tried again now.
            inbox.wake.notify_one();
        }
        Ok(())
    }

    async fn join(&mut self, connection: &mut MultiplexedConnection) -> Result<Arc<str>, Trouble> {
        let before = self.before.as_deref();
        let epoch = self.calls.join(before, connection).await?;
        if self.before.as_ref().is_some_and(|before| *before != epoch) {
            warn!(
                "Redis has lost the shared counters; they are written anew from the nodes' ledgers"
            );
        }
        if let Some(policy) = self.calls.evicts(connection).await {
            warn!(
                policy,
                "Redis throws away what was spent when its memory is full; set its maxmemory-policy to noeviction"
            );
        }
        self.before = Some(Arc::clone(&epoch));
        self.epoch = Some(Arc::clone(&epoch));
        self.seeded = false;
        self.shared.membership.joined(Arc::clone(&epoch));
        Ok(epoch)
    }

    /// Writes all this node has, then settles what a process before it, or it itself while it was silent, left behind.
    async fn seed(
        &mut self,
        epoch: &Arc<str>,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), Trouble> {
        if self.seeded {
            return Ok(());
        }
        self.rewrite_lanes().await?;
        self.calls.write_settled(epoch, connection).await?;
        let node = &self.shared.node;
        let reclaimed = self
            .calls
            .inherit(Inherit::Reclaim, node, connection)
            .await?;
        self.seeded = reclaimed;
        self.next_write = Instant::now() + self.shared.heartbeat;
        if reclaimed {
            Ok(())
        } else {
            Err(Trouble::Lost)
        }
    }

    async fn rewrite_lanes(&self) -> Result<(), Trouble> {
        let inboxes = self.shared.inboxes.iter();
        let lanes: Vec<_> = inboxes.map(|lane| lane.rewrite()).collect();
        for written in lanes {
            match timeout(self.calls.patience(), written).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(Trouble::Lanes),
            }
        }
        Ok(())
    }

    /// What every heartbeat repeats, so that whatever went wrong is put right.
    async fn write_when_due(
        &mut self,
        epoch: &Arc<str>,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), Trouble> {
        let wanted = self.shared.membership.take_wanted_write();
        if !wanted && Instant::now() < self.next_write {
            return Ok(());
        }
        self.next_write = Instant::now() + self.shared.heartbeat;
        for inbox in &self.shared.inboxes {
            drop(inbox.rewrite());
        }
        match self.calls.write_settled(epoch, connection).await {
            // The ledger is asked about a new budget; until it answers, lanes admit nothing that stands on it.
            Err(Trouble::Ledger) => Ok(()),
            written => written,
        }
    }

    async fn bury(
        &self,
        node: &str,
        connection: &mut MultiplexedConnection,
    ) -> Result<(), Trouble> {
        if node == self.shared.node {
            return Ok(());
        }
        let buried = self.calls.inherit(Inherit::Bury, node, connection).await?
            && self
                .calls
                .inherit_keys((Inherit::Forget, node), &[], connection)
                .await?;
        if buried {
            let node = unescape(node);
            warn!(%node, "a node fell silent; what it held stays charged");
        }
        Ok(())
    }
}
