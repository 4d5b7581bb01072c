//! All counts of all accounts: what the one mutex guards.
//!
//! Slots are registered when a configuration is compiled and given up when the next one finds that nobody refers to
//! them. A slot that was given up has lost nothing: its budgets' balances are in the ledger, and its windows were empty.

use std::{
    ops::Range,
    sync::{Arc, Weak},
};

use ferrogate_api::{AccountRef, BalanceKey};
use hashbrown::HashMap;

use super::{
    amounts::{Held, narrowed},
    balance::Balance,
    raises::Raise,
    tree::{Account, BudgetPlace, Place, Slot},
    window::{Timeline, Window},
};
use crate::config::{AccountLimits, Budget};

#[derive(Debug)]
pub(super) struct State {
    pub(super) timeline: Timeline,
    /// `None` is free to be used again.
    pub(super) slots: Vec<Option<SlotState>>,
    free: Vec<usize>,
    by_account: HashMap<AccountRef, usize>,
    raises: HashMap<AccountRef, Vec<Raise>>,
    /// Sorted.
    pub(super) thresholds_percent: Vec<u8>,
    /// Periods that began and that the ledger has not been told of yet. Nothing has been counted in them.
    pub(super) begun: Vec<BalanceKey>,
}

/// What one account uses.
#[derive(Debug)]
pub(super) struct SlotState {
    pub(super) account: AccountRef,
    handle: Arc<Slot>,
    /// The account as it was compiled last: a configuration that changes nothing of it shares it.
    latest: Weak<Account>,
    pub(super) in_flight: u64,
    pub(super) held: Held,
    /// Made when there is something to count, and dropped when they have run empty.
    pub(super) requests: Option<Box<Window>>,
    pub(super) tokens: Option<Box<Window>>,
    /// `None` is free to be used again.
    pub(super) balances: Vec<Option<Balance>>,
}

impl State {
    pub(super) fn new(thresholds_percent: Vec<u8>, now_unix_ms: i64) -> Self {
        let mut state = Self {
            timeline: Timeline::new(now_unix_ms),
            slots: Vec::new(),
            free: Vec::new(),
            by_account: HashMap::new(),
            raises: HashMap::new(),
            thresholds_percent: Vec::new(),
            begun: Vec::new(),
        };
        state.set_thresholds(thresholds_percent);
        state
    }

    pub(super) fn set_thresholds(&mut self, mut percents: Vec<u8>) {
        percents.sort_unstable();
        percents.dedup();
        self.thresholds_percent = percents;
    }

    /// Finds or makes an account with these limits, and the places where it and its budgets are counted.
    pub(super) fn account(&mut self, id: AccountRef, limits: &AccountLimits) -> Arc<Account> {
        let index = match self.by_account.get(&id) {
            Some(index) => *index,
            None => self.occupy(&id),
        };
        let raises = self.raises.get(&id).map_or(&[][..], Vec::as_slice);
        let slot = self.slots[index].as_mut().expect(OCCUPIED);
        let latest = slot.latest.upgrade();
        if let Some(unchanged) = latest.filter(|account| account.limits == *limits) {
            return unchanged;
        }
        let account = Arc::new(Account {
            id,
            limits: limits.clone(),
            place: Place {
                index,
                _slot: Arc::clone(&slot.handle),
            },
            budgets: limits
                .budgets
                .iter()
                .map(|budget| slot.register(budget, raises))
                .collect(),
        });
        slot.latest = Arc::downgrade(&account);
        account
    }

    fn occupy(&mut self, account: &AccountRef) -> usize {
        let index = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[index] = Some(SlotState::new(account.clone()));
        self.by_account.insert(account.clone(), index);
        index
    }

    /// Gives up the slots in `range` that nobody refers to.
    pub(super) fn sweep(&mut self, range: Range<usize>) {
        let at_ms = self.timeline.last();
        for index in range {
            let Some(place) = self.slots.get_mut(index) else {
                return;
            };
            if let Some(unused) = place.take_if(|slot| slot.sweep(at_ms)) {
                self.by_account.remove(&unused.account);
                self.free.push(index);
            }
        }
    }

    pub(super) fn slot(&self, account: &Account) -> &SlotState {
        self.slots[account.place.index].as_ref().expect(OCCUPIED)
    }

    pub(super) fn slot_of(&mut self, account: &AccountRef) -> Option<&mut SlotState> {
        let index = *self.by_account.get(account)?;
        self.slots.get_mut(index)?.as_mut()
    }

    /// Replaces all raises.
    pub(super) fn set_raises(&mut self, raises: &[Raise]) {
        let before = std::mem::take(&mut self.raises);
        for raise in raises {
            let of_account = self.raises.entry(raise.account.clone()).or_default();
            of_account.push(raise.clone());
        }
        let accounts: Vec<AccountRef> = before
            .into_keys()
            .chain(self.raises.keys().cloned())
            .collect();
        for account in accounts {
            let raises = self.raises.get(&account).cloned().unwrap_or_default();
            if let Some(slot) = self.slot_of(&account) {
                slot.set_raises(&raises);
            }
        }
    }
}

const OCCUPIED: &str = "a slot is given up only when no account refers to it";

/// The slot of an account on a path, where more of the state than the slots is in use.
pub(super) fn slot_in<'s>(
    slots: &'s mut [Option<SlotState>],
    account: &Account,
) -> &'s mut SlotState {
    slots[account.place.index].as_mut().expect(OCCUPIED)
}

impl SlotState {
    fn new(account: AccountRef) -> Self {
        Self {
            account,
            handle: Arc::default(),
            latest: Weak::new(),
            in_flight: 0,
            held: Held::default(),
            requests: None,
            tokens: None,
            balances: Vec::new(),
        }
    }

    fn register(&mut self, budget: &Budget, raises: &[Raise]) -> BudgetPlace {
        let is_its = |place: &Option<Balance>| place.as_ref().is_some_and(|it| it.is_of(budget));
        let known = self.balances.iter().position(is_its);
        let index = known.unwrap_or_else(|| {
            let free = self.balances.iter().position(Option::is_none);
            free.unwrap_or_else(|| {
                self.balances.push(None);
                self.balances.len() - 1
            })
        });
        let balance = self.balances[index].get_or_insert_with(|| Balance::new(budget, raises));
        BudgetPlace {
            index,
            unit: budget.unit,
            amount: budget.amount,
            slot: Arc::clone(&balance.slot),
        }
    }

    pub(super) fn balance(&mut self, place: &BudgetPlace) -> &mut Balance {
        self.balances[place.index]
            .as_mut()
            .expect("a balance is given up only when no account refers to it")
    }

    fn set_raises(&mut self, raises: &[Raise]) {
        for balance in self.balances.iter_mut().flatten() {
            balance.set_raises(raises);
        }
    }

    /// Gives up what nobody refers to, and says whether nothing is left.
    fn sweep(&mut self, at_ms: i64) -> bool {
        for place in &mut self.balances {
            place.take_if(|balance| Arc::strong_count(&balance.slot) == 1);
        }
        for place in [&mut self.requests, &mut self.tokens] {
            place.take_if(|window| {
                window.advance_to(at_ms);
                window.total() == 0
            });
        }
        Arc::strong_count(&self.handle) == 1
            && self.balances.iter().all(Option::is_none)
            && self.requests.is_none()
            && self.tokens.is_none()
    }

    pub(super) fn advance_windows(&mut self, at_ms: i64) {
        for window in [&mut self.requests, &mut self.tokens].into_iter().flatten() {
            window.advance_to(at_ms);
        }
    }

    /// Begins the periods that have come, and notes which.
    pub(super) fn roll(&mut self, now_unix_ms: i64, begun: &mut Vec<BalanceKey>) {
        for balance in self.balances.iter_mut().flatten() {
            if balance.roll(now_unix_ms) {
                begun.push(balance.key(&self.account));
            }
        }
    }

    /// What is used of a known balance.
    pub(super) fn used(&self, key: &BalanceKey) -> Option<i64> {
        let mut known = self.balances.iter().flatten();
        known
            .find(|balance| balance.is_open() && balance.is_at(key))
            .map(Balance::used)
    }

    /// Its known balances: what is used and what is held.
    pub(super) fn balances(&self) -> impl Iterator<Item = (BalanceKey, i64, i64)> {
        let known = self.balances.iter().flatten();
        known.filter(|balance| balance.is_open()).map(|balance| {
            let held = narrowed(self.held.get(balance.unit()));
            (balance.key(&self.account), balance.used(), held)
        })
    }
}
