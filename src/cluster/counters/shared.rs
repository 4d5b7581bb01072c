//! What lanes, keeper and callers share, and the one place where "no counters" becomes an answer to a client.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    OwnBalances, PULSE_MAX, SILENT_HEARTBEATS, SharedAsk, SharedHold, SharedRefusal,
    inbox::Inbox,
    membership::Membership,
    names::{Names, escape},
    own::OwnReader,
    scripts::Scripts,
};
use crate::config::Cluster;
use crate::error::{ErrorKind, RequestError};
use crate::tasks::Tasks;

/// One node's part of the counters.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) names: Names,
    /// This node's id, escaped.
    pub(super) node: String,
    /// Tells this process from another one that is, or was, the same node.
    pub(super) incarnation: String,
    pub(super) orphans_charged: bool,
    pub(super) timeout: Duration,
    pub(super) heartbeat: Duration,
    pub(super) own: OwnReader,
    pub(super) scripts: Scripts,
    pub(super) membership: Membership,
    pub(super) inboxes: Vec<Inbox>,
    pub(super) totals: Totals,
    pub(super) tasks: Tasks,
    hasher: RandomState,
}

impl Shared {
    pub(super) fn new(
        options: &Cluster,
        own: Arc<dyn OwnBalances>,
        orphans_charged: bool,
        tasks: Tasks,
    ) -> Self {
        let lanes = options.redis_connections.max(1);
        Self {
            names: Names::new(&options.cluster_id),
            node: escape(&options.node_id),
            incarnation: random_id(),
            orphans_charged,
            timeout: options.counter_timeout,
            heartbeat: options.heartbeat_interval,
            own: OwnReader::new(own),
            scripts: Scripts::new(),
            membership: Membership::default(),
            inboxes: (0..lanes).map(|_| Inbox::default()).collect(),
            totals: Totals::default(),
            tasks,
            hasher: RandomState::new(),
        }
    }

    /// The lane of a request: that of the widest account on its path, so that whatever is given back there is
    /// written before anything else is asked of it.
    pub(super) fn lane_of(&self, ask: &SharedAsk<'_>) -> usize {
        let widest = ask.accounts.last().map(|account| account.account);
        let hash = self.hasher.hash_one(widest).to_le_bytes();
        let low = u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]);
        usize::try_from(low).unwrap_or_default() % self.inboxes.len()
    }

    pub(super) fn pulse(&self) -> Duration {
        (self.heartbeat / 10).min(PULSE_MAX)
    }

    /// After how long a node is taken for dead.
    pub(super) fn silence(&self) -> Duration {
        self.heartbeat * SILENT_HEARTBEATS
    }
}

/// Sixteen hexadecimal digits that nobody else draws.
pub(super) fn random_id() -> String {
    let mut random = [0; 8];
    getrandom::fill(&mut random).expect("the operating system has random numbers");
    format!("{:016x}", u64::from_be_bytes(random))
}

/// How asks were answered.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) granted: AtomicU64,
    pub(super) limited: AtomicU64,
    pub(super) unavailable: AtomicU64,
}

impl Totals {
    pub(super) fn count(&self, answer: &Result<SharedHold, SharedRefusal>) {
        let total = match answer {
            Ok(_) => &self.granted,
            Err(SharedRefusal::Limited(_)) => &self.limited,
            Err(SharedRefusal::Unavailable(_)) => &self.unavailable,
        };
        total.fetch_add(1, Ordering::Relaxed);
    }
}

/// Why nothing can be admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// There is no connection.
    Unreachable,
    /// No answer came within `counter_timeout`.
    Slow,
    /// Redis answered with an error.
    Failed,
    /// This node has not taken its place yet.
    Joining,
    /// Another process goes by this node's id.
    Taken,
    /// The node's own ledger has not said yet what was used.
    LedgerOpening,
    /// Other nodes have not written yet what they used.
    Gathering,
    /// More asks wait than are worth waiting for.
    Busy,
    Stopping,
}

impl Closed {
    /// The name in the status.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Slow => "slow",
            Self::Failed => "failed",
            Self::Joining => "joining",
            Self::Taken => "node_id_taken",
            Self::LedgerOpening => "ledger_opening",
            Self::Gathering => "gathering",
            Self::Busy => "busy",
            Self::Stopping => "stopping",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Unreachable | Self::Failed => {
                "The counters that the nodes share cannot be reached, and nothing is let through uncounted. Try again in a moment."
            }
            Self::Slow | Self::Busy => {
                "The counters that the nodes share did not answer in time, and nothing is let through uncounted. Try again in a moment."
            }
            Self::Joining | Self::LedgerOpening | Self::Gathering => {
                "The nodes are still adding up what was used so far, and nothing is let through until they have. Try again in a moment."
            }
            Self::Taken => {
                "Another process counts under this node's `node_id`. Give every node of the cluster an id of its own."
            }
            Self::Stopping => {
                "This gateway is shutting down; another attempt reaches its successor."
            }
        }
    }
}

impl From<Closed> for SharedRefusal {
    fn from(closed: Closed) -> Self {
        let error = RequestError::new(ErrorKind::GovernanceCounterUnavailable, closed.message());
        Self::Unavailable(error.with_retry_after(PULSE_MAX))
    }
}
