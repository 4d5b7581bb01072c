//! The account tree: what keys and tenants may use, and what they use now.
//!
//! A request counts against its whole [`Path`], from its key to its organization. What is counted is in memory, behind
//! one mutex, and outlives configurations: a reload neither forgives nor forgets. The rules:
//!
//! 1. All levels are checked before any is counted, in one step: never do two requests pass on the same last token. A
//!    refused request counts nowhere.
//! 2. An admitted request holds its estimate in all budgets of its path: what is used and held never exceeds a budget,
//!    except where a settlement was above its estimate.
//! 3. A settlement exchanges the hold for what was used; a permit that is dropped gives the hold back.
//! 4. Memory follows the ledger: whatever is charged is put into the writer's queue under the same lock, and the
//!    question for a balance too. So the ledger's answer and what was counted since are the balance, with nothing
//!    counted twice or left out.
//! 5. A budget is enforced once its balance is known ([`Accounts::open`], [`Accounts::opened`]).
//! 6. Periods begin by the caller's clock, under the lock, before anything is counted in them, and never twice.
//!
//! Callbacks that are called under the lock must neither wait nor come back to the accounts.

mod admission;
mod amounts;
mod balance;
mod permit;
mod raises;
mod rates;
mod refusal;
mod settlement;
mod standing;
mod state;
mod thresholds;
mod tree;
mod view;
mod window;

#[cfg(test)]
mod tests;

pub use amounts::{Ask, Used};
pub use permit::Permit;
pub use raises::Raise;
pub use refusal::Refusal;
pub use standing::{RateStatus, Standing};
pub use thresholds::{ThresholdCrossed, ThresholdSink};
pub use tree::{Account, KeyAccount, Path, Tree};
pub use view::{AccountView, BudgetView};

use std::{ops::Range, sync::Arc};

use ferrogate_api::BalanceKey;
use parking_lot::{Mutex, MutexGuard};

use crate::config::Tenant;
use balance::Balance;
use state::{SlotState, State};

/// So many slots are gone through under the lock at a time, so that no request waits for all of them.
const SLOTS_AT_A_TIME: usize = 64;

/// All accounts. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct Accounts(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    sink: ThresholdSink,
}

/// What accounts are made with.
#[derive(Debug)]
pub struct Options {
    /// See [`Accounts::set_thresholds`].
    pub thresholds_percent: Vec<u8>,
    pub sink: ThresholdSink,
}

impl Accounts {
    pub fn new(options: Options, now_unix_ms: i64) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State::new(options.thresholds_percent, now_unix_ms)),
            sink: options.sink,
        }))
    }

    /// Makes the accounts of a configuration. Nothing is enforced by that, and no request is held up for long.
    ///
    /// What only older configurations referred to is given up: a budget that is declared again has to be asked for.
    ///
    /// What is as it was in the tree `before`, which has to be one of these accounts', is taken over from there.
    pub fn compile<'c>(
        &self,
        keys: impl IntoIterator<Item = KeyAccount<'c>>,
        tenants: impl IntoIterator<Item = &'c Arc<Tenant>>,
        before: &Tree,
    ) -> Tree {
        self.for_slots(State::sweep);
        Tree::build(keys, tenants, |id, limits| match before.account(&id) {
            Some(account) if account.limits == *limits => Arc::clone(account),
            Some(_) | None => self.lock().account(id, limits),
        })
    }

    /// Lets the budgets of `tree` whose balances are not known yet start to collect. `ask` is called under the lock
    /// with all of these balances, and puts the question to the ledger into the writer's queue; it is not called where
    /// nothing is to be asked. A balance that was asked for before and not answered is asked for anew.
    ///
    /// One at a time: the answer is given to [`Accounts::opened`] before the next call.
    pub fn open<R>(
        &self,
        tree: &Tree,
        now_unix_ms: i64,
        ask: impl FnOnce(Vec<BalanceKey>) -> R,
    ) -> Option<R> {
        let unknown: Vec<_> = tree
            .accounts()
            .flat_map(|account| account.budgets.iter().map(move |place| (account, place)))
            .filter(|(_, place)| !place.slot.is_opened())
            .collect();
        if unknown.is_empty() {
            return None;
        }
        let mut state = self.lock();
        let mut keys: Vec<BalanceKey> = unknown
            .into_iter()
            .filter_map(|(account, place)| {
                let balance = state::slot_in(&mut state.slots, account).balance(place);
                balance.ask(now_unix_ms).then(|| balance.key(&account.id))
            })
            .collect();
        // Two budgets may have the same balance, where their time zones begin the period together.
        let order = |key: &BalanceKey| {
            (
                key.account.clone(),
                key.unit,
                key.start_unix_ms,
                key.end_unix_ms,
            )
        };
        keys.sort_by_cached_key(order);
        keys.dedup();
        (!keys.is_empty()).then(|| ask(keys))
    }

    /// Adds what the ledger said of the balances that [`Accounts::open`] asked for; from here on they are enforced.
    /// For a balance that is known already, or whose period has ended meanwhile, nothing happens.
    pub fn opened(&self, balances: &[(BalanceKey, i64)]) {
        let mut state = self.lock();
        for (key, amount) in balances {
            let Some(slot) = state.slot_of(&key.account) else {
                continue;
            };
            for balance in slot.balances.iter_mut().flatten() {
                balance.answer(key, *amount);
            }
        }
    }

    /// Counts a request against all accounts of its path, or refuses it. `roll` is called under the lock, before
    /// anything is counted in them, with the balances of periods that have begun.
    ///
    /// # Errors
    /// The tightest limit's [`Refusal`]; then nothing was counted.
    pub fn admit(
        &self,
        path: &Path,
        ask: Ask,
        now_unix_ms: i64,
        roll: impl FnOnce(Vec<BalanceKey>),
    ) -> Result<Permit, Box<Refusal>> {
        let admitted = {
            let mut state = self.lock();
            let admitted = state.admit(path, ask, now_unix_ms);
            if !state.begun.is_empty() {
                roll(std::mem::take(&mut state.begun));
            }
            admitted
        };
        match admitted {
            Ok(counted) => Ok(Permit::new(self, path, ask, counted)),
            Err(denied) => Err(Box::new(Refusal::new(&denied, path, now_unix_ms))),
        }
    }

    /// Replaces all top-ups and raises; at once, and for budgets that are declared later too.
    pub fn set_raises(&self, raises: &[Raise]) {
        self.lock().set_raises(raises);
    }

    /// The percentages of budgets whose crossing is announced, each once in a period.
    pub fn set_thresholds(&self, percents: Vec<u8>) {
        self.lock().set_thresholds(percents);
    }

    /// Adds to balances what the ledger reckoned anew since it was last asked for them, each in its own period alone.
    pub fn corrected(&self, corrections: &[(BalanceKey, i64)]) {
        let mut state = self.lock();
        for (key, amount) in corrections {
            if let Some(slot) = state.slot_of(&key.account) {
                for balance in slot.balances.iter_mut().flatten() {
                    balance.corrected(key, *amount);
                }
            }
        }
    }

    /// How an account stands.
    pub fn view(&self, account: &Account, now_unix_ms: i64) -> AccountView {
        let mut state = self.lock();
        let at_ms = state.timeline.at(now_unix_ms);
        let slot = state::slot_in(&mut state.slots, account);
        slot.advance_windows(at_ms);
        AccountView::new(account, slot, now_unix_ms)
    }

    /// How many accounts stand, one after the other: requests go on between them.
    pub fn views<'t>(
        &self,
        accounts: impl IntoIterator<Item = &'t Arc<Account>>,
        now_unix_ms: i64,
    ) -> Vec<AccountView> {
        accounts
            .into_iter()
            .map(|account| self.view(account, now_unix_ms))
            .collect()
    }

    /// All balances that are known, in no order: what is used, and what is held by requests in flight.
    pub fn balances(&self) -> Vec<(BalanceKey, i64, i64)> {
        let mut balances = Vec::new();
        self.for_slots(|state, range| {
            let slots = state.slots.iter().skip(range.start).take(range.len());
            balances.extend(slots.flatten().flat_map(SlotState::balances));
        });
        balances
    }

    /// The known balances, in the periods that run, of the accounts of a path.
    pub fn balances_of(&self, path: &[Arc<Account>]) -> Vec<BalanceKey> {
        let state = self.lock();
        let slots = path.iter().map(|account| state.slot(account));
        let balances = slots.flat_map(SlotState::balances);
        balances.map(|(key, ..)| key).collect()
    }

    /// What is used of each of these balances, in their order; `None` for one that is not known, or not any more.
    pub fn used(&self, keys: &[BalanceKey]) -> Vec<Option<i64>> {
        let mut state = self.lock();
        let used = |key: &BalanceKey| state.slot_of(&key.account)?.used(key);
        keys.iter().map(used).collect()
    }

    /// What is used of all known balances, in no order; `None` while the ledger is still asked about some.
    pub fn used_of_all(&self) -> Option<Vec<(BalanceKey, i64)>> {
        let (mut all, mut awaited) = (Vec::new(), false);
        self.for_slots(|state, range| {
            let slots = state.slots.iter().skip(range.start).take(range.len());
            for slot in slots.flatten() {
                awaited |= slot.balances.iter().flatten().any(Balance::is_awaited);
                all.extend(slot.balances().map(|(key, used, _)| (key, used)));
            }
        });
        (!awaited).then_some(all)
    }

    /// Goes through all slots, and lets requests in between.
    fn for_slots(&self, mut visit: impl FnMut(&mut State, Range<usize>)) {
        let mut start = 0;
        loop {
            let mut state = self.lock();
            if start >= state.slots.len() {
                return;
            }
            visit(&mut state, start..start + SLOTS_AT_A_TIME);
            drop(state);
            start += SLOTS_AT_A_TIME;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }

    fn tell(&self, crossed: Vec<ThresholdCrossed>) {
        for crossed in crossed {
            self.0.sink.tell(crossed);
        }
    }
}
