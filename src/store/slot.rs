//! A request's place in the writer's queue, and what it hands over from there.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use ferrogate_api::{MeteringEvent, RequestLog, RoutingTrace};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{
    StoreError,
    holds::Hold,
    queue::{Message, Queue},
};
use crate::config::Price;
use crate::ids::RequestId;

/// One row of the ledger, and what its cost was reckoned with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metered {
    pub event: MeteringEvent,
    pub price: Option<Price>,
}

/// What the client sent and was sent.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bodies {
    pub request: Bytes,
    pub response: Bytes,
}

impl fmt::Debug for Bodies {
    /// Only sizes: a body must not end up in a log line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bodies")
            .field("request_bytes", &self.request.len())
            .field("response_bytes", &self.response.len())
            .finish()
    }
}

/// What is left to write when a request ends.
#[derive(Debug, Default)]
pub struct Record {
    pub log: Option<Box<RequestLog>>,
    /// Why it went where it went; written beside the log, and only with it.
    pub routing: Option<Box<RoutingTrace>>,
    /// Written beside the log, and only with it.
    pub bodies: Option<Box<Bodies>>,
}

/// Tells whoever waits how the commit went.
pub(super) type Reply = oneshot::Sender<Result<(), StoreError>>;

/// What was handed over and is on its way to the disk: resolves when it is committed, or could not be.
#[derive(Debug)]
pub struct Commit(oneshot::Receiver<Result<(), StoreError>>);

impl Commit {
    pub(super) fn channel() -> (Reply, Self) {
        let (reply, answer) = oneshot::channel();
        (reply, Self(answer))
    }
}

impl Future for Commit {
    type Output = Result<(), StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(answer.unwrap_or(Err(StoreError::Closed)))
    }
}

/// A place in the writer's queue, held from admission to the end of the request. Dropping it unused frees the place;
/// a hold that is open then stays open, and is charged at the next start.
#[derive(Debug)]
pub struct Slot {
    queue: Arc<Queue>,
    place: OwnedSemaphorePermit,
    /// Set before the wait for the hold's commit: a caller who stops waiting may have a hold all the same.
    held: Option<RequestId>,
}

impl Slot {
    pub(super) fn new(queue: Arc<Queue>, place: OwnedSemaphorePermit) -> Self {
        Self {
            queue,
            place,
            held: None,
        }
    }

    /// Commits a hold, which replaces an earlier one of the same request, and waits for the commit.
    ///
    /// # Errors
    /// When the commit failed, or the store is closed: then nothing is held.
    pub async fn hold(&mut self, hold: Hold) -> Result<(), StoreError> {
        self.held = Some(hold.request_id);
        let hold = Box::new(hold);
        self.queue.ask(|reply| Message::Hold { hold, reply }).await
    }

    /// Hands over ledger rows, which remove the request's hold in the same transaction. Never waits: they are in the
    /// queue when this returns, so that rows are written in the order in which they were handed over.
    ///
    /// With `wait` the writer is woken at once, and the commit can be waited for. Should it fail the writer keeps the
    /// rows and tries again; they must not be handed over twice.
    pub fn settle(&mut self, events: Vec<Metered>, wait: bool) -> Option<Commit> {
        let (reply, commit) = wait.then(Commit::channel).unzip();
        let message = Message::Settle {
            events,
            clears_hold: self.held,
            reply,
        };
        match self.queue.push(message, wait) {
            Ok(()) => self.held = None,
            Err(_) => tracing::error!(
                "a request was settled after the store was closed; its ledger rows are lost"
            ),
        }
        commit
    }

    /// Hands over what is left to write. Never waits; cannot fail, because the place was reserved.
    pub fn finish(self, record: Record) {
        let message = Message::Finish {
            record,
            clears_hold: self.held,
            place: self.place,
        };
        if self.queue.push(message, false).is_err() {
            self.queue
                .counters
                .logs_dropped
                .fetch_add(1, Ordering::Relaxed);
            tracing::error!("a request ended after the store was closed; its record is lost");
        }
    }
}
