//! Limits and budgets that several nodes count together, in Redis.
//!
//! This is a second stage: each node's own accounts have admitted a request before it is asked for here, and go on
//! enforcing the node's own numbers. Redis has the sums of all nodes and is a cache of their ledgers: whatever it
//! loses is written again from them.
//!
//! **Shares.** A balance (one account, one unit, one period) is a hash of shares, and `total` is their sum:
//! `s:<node>` is what the node's ledger says it has settled, `h:<node>:<incarnation>:<lane>` what it holds for requests
//! in flight, `o:<node>:<incarnation>` what a process held when it vanished, which stays charged.
//!
//! **Lanes.** Every connection is a lane, and takes one step at a time: one script that writes what was settled and
//! released, and admits what is asked. So a lane always knows what it holds in Redis, and says so in absolute numbers.
//! Requests go by their widest account: those that share a budget share a lane.
//!
//! 1. An ask is counted at all accounts of its path, or at none: the script checks before it counts.
//! 2. A step whose outcome is unknown (a time-out, a broken connection) raises the lane's generation. The next step
//!    writes its shares anew, and the unknown one, should it still arrive, is refused: nothing is counted twice.
//! 3. What a request held is released in the step that writes what it has settled, never before.
//!
//! **Epochs.** Redis that has lost its keys has lost the epoch, and admits nothing without one. A node makes a new
//! epoch and names the nodes that it last knew as alive; the epoch opens when all of them have written their shares,
//! or were silent for three heartbeats.
//!
//! **Silence.** Whoever sees that a node was silent for three heartbeats moves what it held into `o:`. It cannot write
//! before it has joined again. If it is the same process, it takes them back; a new process leaves them charged,
//! unless its ledger has charged its orphans itself.
//!
//! Redis away, an epoch not open, an answer too late: the request is refused
//! ([`GovernanceCounterUnavailable`](crate::error::ErrorKind::GovernanceCounterUnavailable)), never counted locally.

mod ask;
mod calls;
mod hold;
mod inbox;
mod keeper;
mod lane;
mod link;
mod membership;
mod mirror;
mod names;
mod own;
mod scripts;
mod shared;
mod step;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use ferrogate_api::BalanceKey;

use tokio::{sync::oneshot, time::timeout};

pub use ask::{Limited, LimitedBy, SharedAccount, SharedAsk, SharedBudget, SharedRefusal};
pub use hold::{SharedHold, SharedRate, SharedStanding};
pub use membership::CountersStatus;
pub use own::OwnBalances;

use self::{
    ask::PreparedAsk,
    inbox::Pending,
    keeper::Keeper,
    lane::Lane,
    link::Links,
    shared::{Closed, Shared},
};
use crate::config::Cluster;
use crate::outbound::Dns;
use crate::tasks::Tasks;

/// What [`SharedCounters::start`] needs.
pub struct Setup<'a> {
    pub options: &'a Cluster,
    pub tasks: &'a Tasks,
    pub dns: Dns,
    /// This node's own accounts.
    pub own: Arc<dyn OwnBalances>,
    /// Whether this node's ledger charges at its start what was open when it ended (`settle = "before-last-byte"`).
    pub orphans_charged: bool,
}

/// The shared counters could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum CountersError {
    #[error("the address of Redis cannot be used")]
    Address(#[source] redis::RedisError),
    #[error("there is no address of Redis")]
    NoAddress,
}

/// The counters that all nodes share. Its tasks end with [`Tasks::drain`].
#[derive(Debug)]
pub struct SharedCounters(Arc<Shared>);

impl SharedCounters {
    /// Begins to connect and to take this node's place among the others; asks are refused until that is done.
    ///
    /// # Errors
    /// When `redis_url` is not there or cannot be read.
    pub fn start(setup: Setup<'_>) -> Result<Self, CountersError> {
        let url = setup.options.redis_url.as_ref();
        let url = url.ok_or(CountersError::NoAddress)?;
        let links = Links::new(url, setup.dns).map_err(CountersError::Address)?;
        let shared = Arc::new(Shared::new(
            setup.options,
            setup.own,
            setup.orphans_charged,
            setup.tasks.clone(),
        ));
        let lanes = (0..shared.inboxes.len()).map(|number| {
            let lane = Lane::new(number, Arc::clone(&shared), links.link());
            setup.tasks.spawn("redis-lane", lane.run())
        });
        let lanes = lanes.collect();
        let keeper = Keeper::new(Arc::clone(&shared), links.link(), lanes);
        setup.tasks.spawn("redis-keeper", keeper.run());
        Ok(Self(shared))
    }

    /// Counts one request at all accounts of its path, or says which limit stands against it; then it counts nowhere.
    ///
    /// # Errors
    /// A limit that is used up, or that the counters cannot be reached.
    pub async fn admit(&self, ask: &SharedAsk<'_>) -> Result<SharedHold, SharedRefusal> {
        let prepared = PreparedAsk::new(ask, &self.0.names);
        if prepared.counts_nothing() {
            return Ok(SharedHold::of_nothing());
        }
        let lane = self.0.lane_of(ask);
        let answer = self.ask(lane, prepared).await;
        self.0.totals.count(&answer);
        answer
    }

    async fn ask(&self, lane: usize, ask: PreparedAsk) -> Result<SharedHold, SharedRefusal> {
        let (reply, answer) = oneshot::channel();
        self.0.inboxes[lane].ask(Pending::new(ask, reply))?;
        match timeout(self.0.timeout, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Closed::Stopping.into()),
            Err(_) => Err(Closed::Slow.into()),
        }
    }

    /// Says that balances were opened, or that the ledger has answered: the others see them now, not at the next
    /// heartbeat.
    pub fn refresh(&self) {
        self.0.membership.ask_for_write();
    }

    /// How it stands, for the admin API.
    pub fn status(&self) -> CountersStatus {
        self.0.membership.status(&self.0.totals)
    }
}

/// Three heartbeats: longer than a pause, shorter than an operator's patience.
const SILENT_HEARTBEATS: u32 = 3;
/// How often a node shows that it lives, at the most.
const PULSE_MAX: Duration = Duration::from_secs(1);
