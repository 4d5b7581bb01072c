//! The writer thread's hold on `ferrogate.db`: one transaction for each batch, and what is remembered between them.
//!
//! What is remembered follows the disk: it changes when a transaction is committed, never before.

use ferrogate_api::BalanceKey;
use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};

use rusqlite::{Connection, Error, Transaction, TransactionBehavior};

use super::{
    StoreError, audit_events,
    audit_feed::AuditFeed,
    balances::{self, Book, Draft},
    budget_adjustments,
    connection::{Checkpoint, checkpoint},
    holds::HoldStatements,
    idempotency,
    key_activity::KeyActivity,
    metering_events,
    price_versions::{NewPrices, PriceVersions},
    queue::Message,
    repricing::Job,
    resources,
    slot::Metered,
    traffic::TrafficWriter,
    usage_rollups::Rollups,
};
use crate::clock::Clock;
use crate::config::Price;

/// The ledger, open for writing. The connection is borrowed, and shared on this one thread with a backup that is being
/// made of it: between two of its steps the batches go on.
#[derive(Debug)]
pub(super) struct Ledger<'c> {
    connection: &'c Connection,
    book: Book,
    prices: PriceVersions,
    pub(super) key_activity: KeyActivity,
    pub(super) beside: Beside,
    clock: Clock,
}

/// What follows the ledger and is no part of it.
#[derive(Debug)]
pub(super) struct Beside {
    pub(super) traffic: TrafficWriter,
    pub(super) feed: AuditFeed,
}

/// What the messages of a committed batch came to, by their place in it, where that is more than done.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    pub(super) refused: HashMap<usize, StoreError>,
    pub(super) balances: HashMap<usize, Vec<i64>>,
}

/// What a ledger is opened with, on its way to the writer thread.
#[derive(Debug)]
pub(super) struct OpenedLedger {
    pub(super) connection: Connection,
    pub(super) book: Book,
    pub(super) prices: PriceVersions,
    pub(super) beside: Beside,
    pub(super) clock: Clock,
}

impl OpenedLedger {
    pub(super) fn new(
        connection: Connection,
        (book, beside): (Book, Beside),
        clock: Clock,
    ) -> Result<Self, Error> {
        let prices = PriceVersions::load(&connection)?;
        Ok(Self {
            connection,
            book,
            prices,
            beside,
            clock,
        })
    }
}

impl<'c> Ledger<'c> {
    pub(super) fn new(
        connection: &'c Connection,
        book: Book,
        prices: PriceVersions,
        (beside, clock): (Beside, Clock),
    ) -> Self {
        Self {
            connection,
            book,
            prices,
            key_activity: KeyActivity::default(),
            beside,
            clock,
        }
    }

    /// For who works on the same file in the same thread, between two batches.
    pub(super) fn connection(&self) -> &'c Connection {
        self.connection
    }

    /// Writes the batch's part of the ledger in one transaction.
    pub(super) fn commit(&mut self, batch: &VecDeque<Message>) -> Result<Outcomes, Error> {
        if !batch.iter().any(touches_ledger) {
            return Ok(Outcomes::default());
        }
        let now_unix_ms = self.clock.unix_ms();
        let transaction =
            Transaction::new_unchecked(self.connection, TransactionBehavior::Immediate)?;
        let mut draft = Draft::new(&self.book, now_unix_ms);
        let mut prices = NewPrices::new(&self.prices, now_unix_ms);
        let mut writing = Writing::prepare(&transaction, &mut draft, &mut prices)?;
        for (index, message) in batch.iter().enumerate() {
            writing.write(index, message, now_unix_ms)?;
        }
        let outcomes = writing.finish()?;
        let touched = draft.write(&transaction)?;
        let added = prices.added();
        transaction.commit()?;
        self.book.apply(touched);
        self.prices.apply(added);
        self.beside.feed.tell(self.connection);
        Ok(outcomes)
    }

    /// Does one slice of a reckoning; says whether it was the last.
    pub(super) fn reprice(&mut self, job: &mut Job) -> Result<bool, Error> {
        let now_unix_ms = self.clock.unix_ms();
        let done = job.work(
            self.connection,
            &mut self.book,
            &mut self.prices,
            now_unix_ms,
        );
        self.beside.feed.tell(self.connection);
        done
    }

    /// Does what is due beside the batches; says whether anything was written.
    pub(super) fn work(&mut self) -> bool {
        let now_unix_ms = self.clock.unix_ms();
        self.key_activity.write_when_due(self.connection)
            | self.beside.traffic.work(self.connection, now_unix_ms)
    }

    /// When there is something due.
    pub(super) fn due(&self) -> Option<Instant> {
        [self.key_activity.due(), Some(self.beside.traffic.due())]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn checkpoint(&self, how: Checkpoint) -> Result<(), Error> {
        checkpoint(self.connection, how)
    }

    /// Writes what waits and empties the write-ahead log; the last call.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        self.key_activity.write(self.connection);
        self.beside.traffic.finish(self.connection);
        self.checkpoint(Checkpoint::Truncate)
    }
}

fn touches_ledger(message: &Message) -> bool {
    match message {
        Message::Hold { .. }
        | Message::Settle { .. }
        | Message::OpenBalances { .. }
        | Message::Change { .. }
        | Message::Audit { .. }
        | Message::Idempotent { .. }
        | Message::Adjust { .. } => true,
        Message::Finish { clears_hold, .. } => clears_hold.is_some(),
        Message::Backup { .. } | Message::Reprice { .. } | Message::Flush { .. } => false,
    }
}

/// One batch on its way into a transaction.
struct Writing<'t, 'b, 'e> {
    connection: &'t Connection,
    draft: &'t mut Draft<'b>,
    prices: &'t mut NewPrices<'b>,
    events: metering_events::Insert<'t>,
    holds: HoldStatements<'t>,
    adjustments: budget_adjustments::Insert<'t>,
    rollups: Rollups<'e>,
    outcomes: Outcomes,
}

impl<'t, 'b, 'e> Writing<'t, 'b, 'e> {
    fn prepare(
        connection: &'t Connection,
        draft: &'t mut Draft<'b>,
        prices: &'t mut NewPrices<'b>,
    ) -> Result<Self, Error> {
        Ok(Self {
            connection,
            draft,
            prices,
            events: metering_events::Insert::prepare(connection)?,
            holds: HoldStatements::prepare(connection)?,
            adjustments: budget_adjustments::Insert::prepare(connection)?,
            rollups: Rollups::default(),
            outcomes: Outcomes::default(),
        })
    }

    fn write(&mut self, index: usize, message: &'e Message, now_unix_ms: i64) -> Result<(), Error> {
        match message {
            Message::Hold { hold, .. } => {
                let version = self.price_version(hold.price.as_ref())?;
                self.holds.open(hold, version)?;
            }
            Message::Settle {
                events,
                clears_hold,
                ..
            } => {
                for metered in events {
                    self.meter(metered)?;
                }
                if let Some(request) = clears_hold {
                    self.holds.clear(*request)?;
                }
            }
            Message::Finish { clears_hold, .. } => {
                if let Some(request) = clears_hold {
                    self.holds.clear(*request)?;
                }
            }
            Message::OpenBalances { keys, .. } => {
                let used = self.open_balances(keys, now_unix_ms)?;
                self.outcomes.balances.insert(index, used);
            }
            Message::Change { change, .. } => {
                let applied = resources::apply(self.connection, change)?;
                self.outcomes
                    .refused
                    .extend(applied.err().map(|error| (index, error)));
            }
            Message::Audit { entry, .. } => audit_events::append(self.connection, entry)?,
            Message::Idempotent { write, .. } => {
                let applied = idempotency::apply(self.connection, write)?;
                self.outcomes
                    .refused
                    .extend(applied.err().map(|error| (index, error)));
            }
            Message::Adjust {
                adjustment, audit, ..
            } => {
                if self.adjustments.insert(adjustment)? {
                    audit_events::append(self.connection, audit)?;
                    if let Some(charge) = budget_adjustments::charge(adjustment) {
                        self.draft.add(&charge);
                    }
                } else {
                    let error = StoreError::AdjustmentExists(adjustment.id.clone());
                    self.outcomes.refused.insert(index, error);
                }
            }
            Message::Backup { .. } | Message::Reprice { .. } | Message::Flush { .. } => {}
        }
        Ok(())
    }

    /// Only a row that is new counts: a batch that is written again adds nothing.
    fn meter(&mut self, metered: &'e Metered) -> Result<(), Error> {
        let Metered { event, price } = metered;
        // What the row cannot hold cannot be reckoned again from it, and so does not say from which price.
        let tokens = event.tokens;
        let counts = [
            tokens.input,
            tokens.output,
            tokens.cache_read,
            tokens.cache_write,
        ];
        let fits = counts.iter().all(|count| i64::try_from(*count).is_ok());
        let version = self.price_version(price.as_ref().filter(|_| fits))?;
        if self.events.insert(event, version)? {
            self.rollups.add(event);
            self.draft.charge(event);
        }
        Ok(())
    }

    fn price_version(&mut self, price: Option<&Price>) -> Result<Option<i64>, Error> {
        match price {
            Some(price) => self.prices.version_of(self.connection, price),
            None => Ok(None),
        }
    }

    /// The balances as they are at this message; all of them that nobody keeps yet cost one pass over the ledger.
    fn open_balances(&mut self, keys: &[BalanceKey], now_unix_ms: i64) -> Result<Vec<i64>, Error> {
        let unknown = keys.iter().filter(|key| self.draft.get(key).is_none());
        let mut asked = Book::of(unknown);
        balances::fold(self.connection, &mut asked)?;
        let mut used = Vec::with_capacity(keys.len());
        for key in keys {
            let known = self.draft.get(key);
            let sum = known.or_else(|| asked.get(key)).unwrap_or_default();
            if known.is_none() && key.end_unix_ms > now_unix_ms {
                self.draft.open(key, sum);
            }
            used.push(sum);
        }
        Ok(used)
    }

    fn finish(self) -> Result<Outcomes, Error> {
        self.rollups.write(self.connection)?;
        Ok(self.outcomes)
    }
}
