//! Reckoning anew, after a change of prices, what requests cost that were metered before it.
//!
//! 1. A row of the ledger is never altered. Where its cost, with the corrections it has, is not what the given prices
//!    say, one more correction is appended; rollups and open balances follow in the same transaction.
//! 2. It is done in slices, between the batches of the writer thread, so that nobody waits for a long ledger.
//! 3. A slice that cannot be committed is tried again for a while. What was done once is not done again: a reckoning
//!    that stops in the middle, whatever the reason, leaves whole slices, and one more finishes the rest.
//! 4. What requests use in the meantime is known to the balances in memory already; the corrections are not. So who
//!    asks is told by how much each open balance has changed since it was last answered for.

mod slice;

use std::collections::HashMap;

use ferrogate_api::{BalanceKey, Tokens};
use rusqlite::{Connection, Error, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use self::slice::{Attempt, Place};
use super::{
    Store, StoreError,
    audit_events::{self, AuditEntry},
    balances::{Book, Draft},
    columns,
    price_versions::{NewPrices, PriceVersions},
    queue::Message,
};
use crate::config::Price;

/// After how many failures of one slice a reckoning is given up: some ten seconds.
const FAILURES_MAX: u32 = 40;

/// How tokens become money.
pub type CostOf = fn(Tokens, Price) -> Option<i64>;

/// The price that holds now for a provider, a provider's model and a logical model.
type PriceOf = Box<dyn Fn(&str, &str, &str) -> Option<Price> + Send>;

/// What is to be reckoned anew.
#[derive(Debug, Clone, PartialEq)]
pub struct Reprice {
    /// Attempts that ended at this time or later.
    pub since_unix_ms: i64,
    /// Only says what would be corrected.
    pub dry_run: bool,
    /// Why; it stays with every correction, as does the actor of `audit`.
    pub reason: String,
    /// Written with the last correction, its `detail` filled with what was done. A dry run leaves none.
    pub audit: AuditEntry,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repriced {
    /// Attempts that were looked at.
    pub examined: u64,
    /// Of these, the ones that were corrected, or would be.
    pub corrected: u64,
    /// Of these, the ones whose model has no price now: they stay as they are.
    pub unpriced: u64,
    /// The sum of the corrections.
    pub difference_nanos: i64,
    /// By how much the open balances have changed, each since it was last answered for.
    pub balances: Vec<(BalanceKey, i64)>,
}

impl Store {
    /// Reckons anew what attempts cost that ended since a given time. Poll it to the end: who stops waiting does not
    /// stop it, and never hears by how much the balances have changed.
    ///
    /// # Errors
    /// When the ledger cannot be read or written; the error says what was done until then. When the store is closed
    /// before the end. What is left is done by reckoning anew once more.
    pub async fn reprice(
        &self,
        order: Reprice,
        price_of: impl Fn(&str, &str, &str) -> Option<Price> + Send + 'static,
        cost_of: CostOf,
    ) -> Result<Repriced, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Job {
            order,
            price_of: Box::new(price_of),
            cost_of,
            place: None,
            done: Repriced::default(),
            balances: HashMap::new(),
            failures: 0,
            reply,
        });
        let pushed = self.0.queue.push(Message::Reprice { job }, true);
        pushed.map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}

/// One order, and how far it is.
pub(super) struct Job {
    order: Reprice,
    price_of: PriceOf,
    cost_of: CostOf,
    /// Where the next slice begins; `None` before the first.
    place: Option<Place>,
    done: Repriced,
    balances: HashMap<BalanceKey, i64>,
    failures: u32,
    reply: oneshot::Sender<Result<Repriced, StoreError>>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("order", &self.order)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}

impl Job {
    /// These were answered for just now: what came before is in the answer.
    pub(super) fn forget_balances(&mut self, keys: &[BalanceKey]) {
        for key in keys {
            self.balances.remove(key);
        }
    }

    /// Notes that a slice failed; says whether that was once too often.
    pub(super) fn fail(&mut self) -> bool {
        self.failures += 1;
        self.failures >= FAILURES_MAX
    }

    /// Whoever asked may have left.
    pub(super) fn answer(self, ended: Result<(), Error>) {
        let mut done = self.done;
        done.balances = self.balances.into_iter().collect();
        drop(self.reply.send(match ended {
            Ok(()) => Ok(done),
            Err(source) => Err(StoreError::Reprice {
                done: Box::new(done),
                source,
            }),
        }));
    }

    /// Does one slice; says whether it was the last.
    pub(super) fn work(
        &mut self,
        connection: &Connection,
        book: &mut Book,
        prices: &mut PriceVersions,
        now_unix_ms: i64,
    ) -> Result<bool, Error> {
        let place = self
            .place
            .unwrap_or(Place::beginning(self.order.since_unix_ms));
        let behavior = if self.order.dry_run {
            TransactionBehavior::Deferred
        } else {
            TransactionBehavior::Immediate
        };
        let transaction = Transaction::new_unchecked(connection, behavior)?;
        let (attempts, next) = slice::read(&transaction, place, self.order.since_unix_ms)?;
        let (done, corrections) = self.reckon(&attempts);
        if !self.order.dry_run {
            let mut draft = Draft::new(book, now_unix_ms);
            let mut new_prices = NewPrices::new(prices, now_unix_ms);
            slice::correct(
                &transaction,
                &self.order,
                &corrections,
                (&mut draft, &mut new_prices),
            )?;
            let differences = draft.differences();
            let touched = draft.write(&transaction)?;
            let added = new_prices.added();
            if next.is_none() {
                audit_events::append(&transaction, &self.audit_entry(&done))?;
            }
            transaction.commit()?;
            book.apply(touched);
            prices.apply(added);
            for (key, difference) in differences {
                *self.balances.entry(key).or_default() += difference;
            }
        }
        self.done = done;
        self.place = next;
        self.failures = 0;
        Ok(next.is_none())
    }

    /// What there is to correct, and the counts with this slice.
    fn reckon<'a>(&self, attempts: &'a [Attempt]) -> (Repriced, Vec<Reckoned<'a>>) {
        let mut done = self.done.clone();
        let mut corrections = Vec::new();
        for attempt in attempts {
            done.examined += 1;
            let event = &attempt.event;
            let price = (self.price_of)(&event.provider, &event.provider_model, &event.model);
            let cost = price.and_then(|price| Some((price, (self.cost_of)(event.tokens, price)?)));
            let Some((price, cost)) = cost else {
                done.unpriced += 1;
                continue;
            };
            let charged = attempt.charged();
            if charged == Some(cost) {
                continue;
            }
            let amount_nanos = cost.saturating_sub(charged.unwrap_or_default());
            done.corrected += 1;
            done.difference_nanos = done.difference_nanos.saturating_add(amount_nanos);
            corrections.push(Reckoned {
                attempt,
                price,
                amount_nanos,
            });
        }
        (done, corrections)
    }

    fn audit_entry(&self, done: &Repriced) -> AuditEntry {
        AuditEntry {
            detail: Some(serde_json::json!({
                "since_unix_ms": self.order.since_unix_ms,
                "examined": done.examined,
                "corrected": done.corrected,
                "unpriced": done.unpriced,
                "difference_nanos": done.difference_nanos,
            })),
            ..self.order.audit.clone()
        }
    }
}

/// An attempt that costs something else now.
#[derive(Debug)]
struct Reckoned<'a> {
    attempt: &'a Attempt,
    price: Price,
    amount_nanos: i64,
}
