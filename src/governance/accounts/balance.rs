//! The balance of one budget: what was used of it in the period that runs.
//!
//! ```text
//! Registered ──ask──▶ Collecting ──answer──▶ Open ⟲ roll
//!                         └──────roll─────────▲
//! ```
//! While collecting it counts what is settled, and is not enforced: the ledger's answer, which stands for everything
//! before the question, is still on its way. A period that begins meanwhile needs no answer.

use std::sync::Arc;

use ferrogate_api::{AccountRef, BalanceKey, BudgetUnit};

use super::{amounts::Amounts, raises::Raise, tree::BudgetSlot};
use crate::config::Budget;
use crate::governance::calendar::Span;

#[derive(Debug)]
pub(super) struct Balance {
    pub(super) slot: Arc<BudgetSlot>,
    /// As it was declared when it was registered; a later declaration with the same balance may say another amount.
    budget: Budget,
    phase: Phase,
    span: Span,
    used: i64,
    /// The highest threshold that was announced in this period; `None` until it is known which of them lie behind.
    announced_percent: Option<u8>,
    raises: Vec<Raise>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Registered,
    Collecting,
    Open,
}

impl Balance {
    pub(super) fn new(budget: &Budget, raises: &[Raise]) -> Self {
        let mut balance = Self {
            slot: Arc::default(),
            budget: budget.clone(),
            phase: Phase::Registered,
            span: Span::TOTAL,
            used: 0,
            announced_percent: None,
            raises: Vec::new(),
        };
        balance.set_raises(raises);
        balance
    }

    /// Whether `budget` has this balance, whatever its amount.
    pub(super) fn is_of(&self, budget: &Budget) -> bool {
        self.budget.id == budget.id
            && self.budget.unit == budget.unit
            && self.budget.period == budget.period
            && self.budget.time_zone_name == budget.time_zone_name
    }

    pub(super) fn unit(&self) -> BudgetUnit {
        self.budget.unit
    }

    /// Whether the ledger was asked for it and has not answered.
    pub(super) fn is_awaited(&self) -> bool {
        self.phase == Phase::Collecting
    }

    pub(super) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    pub(super) fn used(&self) -> i64 {
        self.used
    }

    pub(super) fn span(&self) -> Span {
        self.span
    }

    pub(super) fn key(&self, account: &AccountRef) -> BalanceKey {
        BalanceKey {
            account: account.clone(),
            unit: self.budget.unit,
            start_unix_ms: self.span.start_unix_ms,
            end_unix_ms: self.span.end_unix_ms,
        }
    }

    /// Starts to collect from nothing, if its balance is not known: the ledger is being asked for what was before.
    pub(super) fn ask(&mut self, now_unix_ms: i64) -> bool {
        if self.phase == Phase::Open {
            return false;
        }
        self.phase = Phase::Collecting;
        self.span = self.span_around(now_unix_ms);
        self.used = 0;
        true
    }

    /// Adds what the ledger says, if it was asked for this balance and has not answered yet.
    pub(super) fn answer(&mut self, key: &BalanceKey, amount: i64) {
        if self.phase == Phase::Collecting && self.is_at(key) {
            self.used = self.used.saturating_add(amount);
            self.open();
        }
    }

    /// Whether this is the balance, and the period, that `key` names in its account.
    pub(super) fn is_at(&self, key: &BalanceKey) -> bool {
        let span = Span {
            start_unix_ms: key.start_unix_ms,
            end_unix_ms: key.end_unix_ms,
        };
        self.phase != Phase::Registered && self.unit() == key.unit && self.span == span
    }

    /// Goes on to the period of `now_unix_ms`, if the one that ran has ended, and says whether it did. Never back:
    /// under a clock that was set back the later period goes on, with what was used in it.
    pub(super) fn roll(&mut self, now_unix_ms: i64) -> bool {
        if now_unix_ms < self.span.end_unix_ms {
            return false;
        }
        self.span = self.span_around(now_unix_ms);
        self.used = 0;
        self.announced_percent = Some(0);
        self.open();
        true
    }

    /// The period of `now_unix_ms` and what was used in it, whether that period has begun or is yet to.
    pub(super) fn as_of(&self, now_unix_ms: i64) -> (Span, i64) {
        if now_unix_ms < self.span.end_unix_ms {
            (self.span, self.used)
        } else {
            (self.span_around(now_unix_ms), 0)
        }
    }

    pub(super) fn charge(&mut self, amounts: Amounts) {
        if self.phase != Phase::Registered {
            self.used = self.used.saturating_add(amounts.get(self.unit()));
        }
    }

    /// Adds what the ledger reckoned anew, if it is about the period that runs.
    pub(super) fn corrected(&mut self, key: &BalanceKey, amount: i64) {
        if self.is_at(key) {
            self.used = self.used.saturating_add(amount);
        }
    }

    /// Takes those of its account's raises that mean this budget.
    pub(super) fn set_raises(&mut self, raises: &[Raise]) {
        let own = raises
            .iter()
            .filter(|raise| raise.budget_id == self.budget.id);
        self.raises = own.cloned().collect();
    }

    /// What was added by hand and is in force.
    pub(super) fn raised(&self, now_unix_ms: i64) -> i64 {
        self.raises
            .iter()
            .filter(|raise| raise.is_in_force(now_unix_ms))
            .fold(0, |sum, raise| sum.saturating_add(raise.amount))
    }

    /// What may be used in the period, where `amount` is declared.
    pub(super) fn limit(&self, amount: i64, now_unix_ms: i64) -> i64 {
        amount.saturating_add(self.raised(now_unix_ms))
    }

    /// Charges, and gives the thresholds that this crossed, each once in a period. Those that lay behind already when
    /// the balance was opened were announced by whoever had it open before.
    pub(super) fn charge_watched<'p>(
        &mut self,
        amounts: Amounts,
        limit: i64,
        percents: &'p [u8],
    ) -> impl Iterator<Item = u8> + use<'p> {
        let behind = self
            .announced_percent
            .unwrap_or_else(|| self.reached(limit, percents));
        self.charge(amounts);
        let mut reached = behind;
        if self.phase == Phase::Open {
            reached = self.reached(limit, percents).max(behind);
            self.announced_percent = Some(reached);
        }
        let crossed = move |percent: &u8| behind < *percent && *percent <= reached;
        percents.iter().copied().filter(crossed)
    }

    /// The highest threshold that what was used has reached.
    fn reached(&self, limit: i64, percents: &[u8]) -> u8 {
        let (used, limit) = (i128::from(self.used) * 100, i128::from(limit));
        let is_reached = |percent: &u8| limit > 0 && used >= limit * i128::from(*percent);
        let reached = percents.iter().copied().filter(is_reached);
        reached.max().unwrap_or_default()
    }

    fn span_around(&self, at_unix_ms: i64) -> Span {
        Span::around(at_unix_ms, self.budget.period, &self.budget.time_zone)
    }

    fn open(&mut self) {
        self.phase = Phase::Open;
        self.slot.set_opened();
    }
}
