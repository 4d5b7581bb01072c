//! Ending one request from outside: an order in its entry of the table, and a way to hear of it.
//!
//! ```text
//! running ──(ordered)──▶ killed: the request ends as soon as it hears of it
//!    └──(its end is decided)──▶ decided: an order comes too late
//! ```
//! It costs a request no allocation, and nothing at all until somebody waits for the order. One task waits: that which
//! works on the request.

use std::{
    future,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use ferrogate_api::Phase;
use futures_util::task::AtomicWaker;

use super::table::Request;

const RUNNING: u8 = 0;
const KILLED: u8 = 1;
const DECIDED: u8 = 2;

/// What an order to end came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ordered {
    Now,
    /// It had been told already.
    Before,
    /// How it ends is decided already, or it is not there.
    TooLate,
}

#[derive(Debug, Default)]
pub(super) struct Kill {
    state: AtomicU8,
    waker: AtomicWaker,
}

impl Kill {
    /// Tells the request to end.
    pub(super) fn order(&self) -> Ordered {
        let ordered =
            self.state
                .compare_exchange(RUNNING, KILLED, Ordering::AcqRel, Ordering::Acquire);
        match ordered {
            Ok(_) => {
                self.waker.wake();
                Ordered::Now
            }
            Err(KILLED) => Ordered::Before,
            Err(_) => Ordered::TooLate,
        }
    }

    /// From here on an order comes too late; false when one has come before.
    pub(super) fn decide(&self) -> bool {
        let decided =
            self.state
                .compare_exchange(RUNNING, DECIDED, Ordering::AcqRel, Ordering::Acquire);
        decided != Err(KILLED)
    }

    fn is_ordered(&self) -> bool {
        self.state.load(Ordering::Acquire) == KILLED
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        if self.is_ordered() {
            return Poll::Ready(());
        }
        self.waker.register(cx.waker());
        // An order between the two would have woken nobody.
        if self.is_ordered() {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

/// Where one request hears that it is to end. Cheap to clone; it does not keep the request in the table.
#[derive(Debug, Clone)]
pub struct KillSwitch(pub(super) Arc<Request>);

impl KillSwitch {
    pub fn is_killed(&self) -> bool {
        self.0.kill.is_ordered()
    }

    /// Resolves when the request is to end. Cancelling it loses nothing.
    pub async fn killed(&self) {
        future::poll_fn(|cx| self.poll_killed(cx)).await;
    }

    /// The same for those who poll.
    pub fn poll_killed(&self, cx: &Context<'_>) -> Poll<()> {
        self.0.kill.poll(cx)
    }

    /// How far the request has come.
    pub fn phase(&self) -> Phase {
        self.0.phase()
    }
}
