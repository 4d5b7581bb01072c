//! This node's place among the others, as the keeper last saw it: what lanes go by and what the status shows.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{
    names::unescape,
    shared::{Closed, Totals},
};

/// How the shared counters are doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountersStatus {
    pub connected: bool,
    /// Asks are admitted.
    pub open: bool,
    /// Why they are not: `unreachable`, `failed`, `joining`, `node_id_taken`, `ledger_opening`, `gathering`, `stopping`.
    pub closed_reason: Option<&'static str>,
    /// The nodes whose heartbeats are heard, this one included, by name.
    pub live_nodes: Vec<String>,
    /// What last went wrong, as long as it was not followed by a heartbeat that went right.
    pub last_error: Option<String>,
    /// How long the last heartbeat took.
    pub latency: Option<Duration>,
    pub granted: u64,
    pub limited: u64,
    pub unavailable: u64,
}

#[derive(Debug)]
pub(super) struct Membership {
    state: Mutex<State>,
    /// Wakes the keeper.
    pub(super) wake: Notify,
}

#[derive(Debug)]
struct State {
    epoch: Option<Arc<str>>,
    closed: Option<Closed>,
    connected: bool,
    /// Escaped.
    live: Vec<String>,
    last_error: Option<String>,
    latency: Option<Duration>,
    write_wanted: bool,
}

impl Default for Membership {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                epoch: None,
                closed: Some(Closed::Joining),
                connected: false,
                live: Vec::new(),
                last_error: None,
                latency: None,
                write_wanted: false,
            }),
            wake: Notify::new(),
        }
    }
}

impl Membership {
    /// The epoch that steps belong to; `None` before this node has joined one.
    pub(super) fn epoch(&self) -> Option<Arc<str>> {
        self.state.lock().epoch.clone()
    }

    /// Why asks need not be sent.
    pub(super) fn closed(&self) -> Option<Closed> {
        self.state.lock().closed
    }

    /// The nodes that were last known as alive, escaped.
    pub(super) fn live(&self) -> Vec<String> {
        self.state.lock().live.clone()
    }

    pub(super) fn joined(&self, epoch: Arc<str>) {
        let mut state = self.state.lock();
        state.epoch = Some(epoch);
        state.closed = Some(Closed::Joining);
    }

    /// Nobody may write in the name of `epoch` any more; says so to the keeper.
    pub(super) fn lost(&self, epoch: &Arc<str>) {
        let mut state = self.state.lock();
        if state.epoch.as_ref() == Some(epoch) {
            state.epoch = None;
            state.closed = Some(Closed::Joining);
            drop(state);
            self.wake.notify_one();
        }
    }

    pub(super) fn close(&self, reason: Closed) {
        self.state.lock().closed = Some(reason);
    }

    /// A heartbeat was heard; `closed` is what it said of the epoch.
    pub(super) fn beaten(&self, latency: Duration, live: Vec<String>, closed: Option<Closed>) {
        let mut state = self.state.lock();
        state.connected = true;
        state.latency = Some(latency);
        state.live = live;
        state.closed = closed;
        state.last_error = None;
    }

    /// Heartbeats do not get through.
    pub(super) fn out_of_touch(&self, error: String) {
        let mut state = self.state.lock();
        state.connected = false;
        state.last_error = Some(error);
    }

    /// Something else went wrong.
    pub(super) fn note(&self, error: String) {
        self.state.lock().last_error = Some(error);
    }

    pub(super) fn ask_for_write(&self) {
        self.state.lock().write_wanted = true;
        self.wake.notify_one();
    }

    pub(super) fn take_wanted_write(&self) -> bool {
        std::mem::take(&mut self.state.lock().write_wanted)
    }

    pub(super) fn status(&self, totals: &Totals) -> CountersStatus {
        let state = self.state.lock();
        let closed = if state.connected {
            state.closed
        } else {
            Some(Closed::Unreachable)
        };
        let mut live_nodes: Vec<_> = state.live.iter().map(|node| unescape(node)).collect();
        live_nodes.sort_unstable();
        CountersStatus {
            connected: state.connected,
            open: closed.is_none(),
            closed_reason: closed.map(Closed::as_str),
            live_nodes,
            last_error: state.last_error.clone(),
            latency: state.latency,
            granted: totals.granted.load(Ordering::Relaxed),
            limited: totals.limited.load(Ordering::Relaxed),
            unavailable: totals.unavailable.load(Ordering::Relaxed),
        }
    }
}
