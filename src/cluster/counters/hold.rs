//! What an admitted request holds in Redis, until it is settled or dropped.

use std::{fmt, sync::Arc, time::Duration};

use super::{BalanceKey, inbox::Returned, names::Expiry, shared::Shared};

/// The proof that all nodes together have counted a request. Dropping it releases what it holds.
///
/// Settle it after the node's own accounts have been settled: their numbers are read then.
#[must_use = "a hold that nobody keeps is released at once"]
pub struct SharedHold {
    held: Option<(Arc<Shared>, Held)>,
    standing: SharedStanding,
}

/// Where the path stands with its limits per minute, with all nodes counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SharedStanding {
    pub requests: Option<SharedRate>,
    pub tokens: Option<SharedRate>,
}

/// The tightest limit of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedRate {
    /// The account's place in the ask.
    pub account: usize,
    pub limit: u64,
    pub remaining: u64,
    /// How long until all of it is free again, if nothing more is asked.
    pub reset: Duration,
}

/// The shares of one request.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) lane: usize,
    pub(super) balances: Vec<HeldBalance>,
    pub(super) in_flight: Vec<Arc<str>>,
    /// Where its tokens were counted, how many, and in which span of Redis's time.
    pub(super) windows: Vec<Arc<str>>,
    pub(super) tokens: u64,
    pub(super) span: i64,
}

#[derive(Debug)]
pub(super) struct HeldBalance {
    pub(super) name: Arc<str>,
    pub(super) expiry: Expiry,
    pub(super) balance: BalanceKey,
    pub(super) amount: i64,
}

impl SharedHold {
    pub(super) fn of_nothing() -> Self {
        Self {
            held: None,
            standing: SharedStanding::default(),
        }
    }

    pub(super) fn new(shared: Arc<Shared>, held: Held, standing: SharedStanding) -> Self {
        Self {
            held: Some((shared, held)),
            standing,
        }
    }

    /// Where the path stood once the request was counted.
    pub fn standing(&self) -> SharedStanding {
        self.standing
    }

    /// Ends it: the request has used so many tokens, and the node's own accounts have charged `charged` beside the
    /// balances that were held (a stream that ran past the end of a period). Never waits.
    pub fn settle(mut self, tokens: u64, charged: Vec<BalanceKey>) {
        self.give_back(tokens, charged);
    }

    fn give_back(&mut self, used_tokens: u64, charged: Vec<BalanceKey>) {
        let Some((shared, held)) = self.held.take() else {
            return;
        };
        shared.inboxes[held.lane].give_back(Returned {
            held,
            used_tokens,
            charged,
        });
    }
}

impl Drop for SharedHold {
    fn drop(&mut self) {
        self.give_back(0, Vec::new());
    }
}

impl fmt::Debug for SharedHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedHold")
            .field("held", &self.held.as_ref().map(|(_, held)| held))
            .field("standing", &self.standing)
            .finish()
    }
}
