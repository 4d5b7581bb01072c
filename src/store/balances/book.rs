//! The balances that are open, in memory, and a transaction's changes to them.

use std::{collections::HashMap, sync::Arc};

use ferrogate_api::{AccountKind, AccountRef, BudgetUnit, MeteringEvent};
use rusqlite::{Connection, Error};

use super::{BALANCE_MAX, BalanceKey, charge::Charge, delete_row, each_balance, write_row};

/// One balance of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Balance {
    unit: BudgetUnit,
    start_unix_ms: i64,
    end_unix_ms: i64,
    used: i64,
    /// Not as its row is.
    changed: bool,
}

impl Balance {
    fn is(&self, key: &BalanceKey) -> bool {
        (self.unit, self.start_unix_ms, self.end_unix_ms)
            == (key.unit, key.start_unix_ms, key.end_unix_ms)
    }

    fn key(&self, kind: AccountKind, id: &Arc<str>) -> BalanceKey {
        BalanceKey {
            account: AccountRef {
                kind,
                id: Arc::clone(id),
            },
            unit: self.unit,
            start_unix_ms: self.start_unix_ms,
            end_unix_ms: self.end_unix_ms,
        }
    }

    fn add(&mut self, charge: &Charge<'_>) {
        if (self.start_unix_ms..self.end_unix_ms).contains(&charge.at_unix_ms) {
            let amount = charge.amount(self.unit).clamp(-BALANCE_MAX, BALANCE_MAX);
            // Both sides lie within the bound, so that the sum fits.
            self.used = (self.used + amount).clamp(-BALANCE_MAX, BALANCE_MAX);
            self.changed |= amount != 0;
        }
    }
}

/// Balances by account, found by the kind and the bare id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::store) struct Book {
    accounts: [HashMap<Arc<str>, Vec<Balance>>; AccountKind::ALL.len()],
    /// When the first of them is over.
    first_end_unix_ms: Option<i64>,
}

impl Book {
    /// The balances in the table.
    pub(in crate::store) fn load(connection: &Connection) -> Result<Self, Error> {
        let mut book = Self::default();
        each_balance(connection, |key, used| book.insert(&key, used))?;
        for balance in book.all_mut() {
            balance.changed = false;
        }
        book.note_first_end();
        Ok(book)
    }

    /// A book of these balances, all at nothing.
    pub(in crate::store) fn of<'k>(keys: impl IntoIterator<Item = &'k BalanceKey>) -> Self {
        let mut book = Self::default();
        for key in keys {
            if book.get(key).is_none() {
                book.insert(key, 0);
            }
        }
        book
    }

    pub(in crate::store) fn get(&self, key: &BalanceKey) -> Option<i64> {
        let balances = self.account(key.account.kind).get(&key.account.id)?;
        let balance = balances.iter().find(|balance| balance.is(key))?;
        Some(balance.used)
    }

    /// Adds to every balance of these accounts whose window it falls into.
    pub(in crate::store) fn add(&mut self, charge: &Charge<'_>) {
        for (kind, id) in charge.accounts.iter() {
            if let Some(balances) = self.account_mut(kind).get_mut(id) {
                for balance in balances {
                    balance.add(charge);
                }
            }
        }
    }

    /// The earliest start and the latest end of its windows.
    pub(in crate::store) fn span(&self) -> Option<(i64, i64)> {
        let balances = || self.accounts.iter().flat_map(HashMap::values).flatten();
        let start = balances().map(|balance| balance.start_unix_ms).min()?;
        let end = balances().map(|balance| balance.end_unix_ms).max()?;
        Some((start, end))
    }

    /// Takes over what a transaction changed, once it is committed.
    pub(in crate::store) fn apply(&mut self, mut touched: Touched) {
        touched.book.note_first_end();
        let ends = [self.first_end_unix_ms, touched.book.first_end_unix_ms];
        self.first_end_unix_ms = ends.into_iter().flatten().min();
        for (kind, accounts) in AccountKind::ALL.into_iter().zip(touched.book.accounts) {
            for (id, mut balances) in accounts {
                if balances.is_empty() {
                    self.account_mut(kind).remove(&id);
                    continue;
                }
                for balance in &mut balances {
                    balance.changed = false;
                }
                self.account_mut(kind).insert(id, balances);
            }
        }
        // Only where one left: looking at all of them is too much for every batch.
        if touched.any_over {
            self.note_first_end();
        }
    }

    fn insert(&mut self, key: &BalanceKey, used: i64) {
        let accounts = self.account_mut(key.account.kind);
        let balances = accounts.entry(Arc::clone(&key.account.id)).or_default();
        balances.push(Balance {
            unit: key.unit,
            start_unix_ms: key.start_unix_ms,
            end_unix_ms: key.end_unix_ms,
            used,
            changed: true,
        });
    }

    fn note_first_end(&mut self) {
        let ends = self.all_mut().map(|balance| balance.end_unix_ms).min();
        self.first_end_unix_ms = ends;
    }

    fn account(&self, kind: AccountKind) -> &HashMap<Arc<str>, Vec<Balance>> {
        &self.accounts[place(kind)]
    }

    fn account_mut(&mut self, kind: AccountKind) -> &mut HashMap<Arc<str>, Vec<Balance>> {
        &mut self.accounts[place(kind)]
    }

    fn all_mut(&mut self) -> impl Iterator<Item = &mut Balance> {
        self.accounts
            .iter_mut()
            .flat_map(HashMap::values_mut)
            .flatten()
    }
}

fn place(kind: AccountKind) -> usize {
    match kind {
        AccountKind::Key => 0,
        AccountKind::User => 1,
        AccountKind::Project => 2,
        AccountKind::Team => 3,
        AccountKind::Organization => 4,
    }
}

/// What one transaction does to the book. The book itself changes only when the transaction is committed, so that a
/// transaction that fails and is written again adds nothing twice.
#[derive(Debug)]
pub(in crate::store) struct Draft<'b> {
    book: &'b Book,
    /// Whole accounts, copied when they are first touched.
    touched: Book,
    over: Vec<BalanceKey>,
}

/// The accounts that a committed transaction touched, as they are now.
#[derive(Debug)]
pub(in crate::store) struct Touched {
    book: Book,
    any_over: bool,
}

impl<'b> Draft<'b> {
    /// Begins a transaction's changes with what is over at this time: it leaves.
    pub(in crate::store) fn new(book: &'b Book, now_unix_ms: i64) -> Self {
        let mut draft = Self {
            book,
            touched: Book::default(),
            over: Vec::new(),
        };
        if book.first_end_unix_ms.is_some_and(|end| end <= now_unix_ms) {
            draft.drop_what_is_over(now_unix_ms);
        }
        draft
    }

    fn drop_what_is_over(&mut self, now_unix_ms: i64) {
        for kind in AccountKind::ALL {
            for (id, balances) in self.book.account(kind) {
                let is_over = |balance: &&Balance| balance.end_unix_ms <= now_unix_ms;
                if !balances.iter().any(|balance| is_over(&balance)) {
                    continue;
                }
                let (over, left): (Vec<_>, Vec<_>) = balances.iter().partition(is_over);
                self.over
                    .extend(over.into_iter().map(|balance| balance.key(kind, id)));
                let left = left.into_iter().cloned().collect();
                self.touched.account_mut(kind).insert(Arc::clone(id), left);
            }
        }
    }

    pub(in crate::store) fn get(&self, key: &BalanceKey) -> Option<i64> {
        let kind = key.account.kind;
        let is_touched = self.touched.account(kind).contains_key(&*key.account.id);
        if is_touched {
            self.touched.get(key)
        } else {
            self.book.get(key)
        }
    }

    /// Begins to keep a balance.
    pub(in crate::store) fn open(&mut self, key: &BalanceKey, used: i64) {
        self.touch(key.account.kind, &key.account.id);
        self.touched.insert(key, used);
    }

    pub(in crate::store) fn add(&mut self, charge: &Charge<'_>) {
        for (kind, id) in charge.accounts.iter() {
            self.touch(kind, id);
        }
        self.touched.add(charge);
    }

    /// Adds what a row of the ledger used.
    pub(in crate::store) fn charge(&mut self, event: &MeteringEvent) {
        if let Some(charge) = Charge::of(event) {
            self.add(&charge);
        }
    }

    /// Copies an account that the book knows, unless that was done before.
    fn touch(&mut self, kind: AccountKind, id: &str) {
        if self.touched.account(kind).contains_key(id) {
            return;
        }
        if let Some((id, balances)) = self.book.account(kind).get_key_value(id) {
            self.touched
                .account_mut(kind)
                .insert(Arc::clone(id), balances.clone());
        }
    }

    /// By how much each balance of the book has changed so far.
    pub(in crate::store) fn differences(&self) -> Vec<(BalanceKey, i64)> {
        let mut differences = Vec::new();
        for (key, used) in self.changed() {
            let before = self.book.get(&key).unwrap_or_default();
            differences.push((key, used - before));
        }
        differences
    }

    fn changed(&self) -> impl Iterator<Item = (BalanceKey, i64)> + '_ {
        AccountKind::ALL.into_iter().flat_map(|kind| {
            let accounts = self.touched.account(kind);
            accounts.iter().flat_map(move |(id, balances)| {
                balances
                    .iter()
                    .filter(|balance| balance.changed)
                    .map(move |balance| (balance.key(kind, id), balance.used))
            })
        })
    }

    /// Brings the table to what the book will be.
    pub(in crate::store) fn write(self, connection: &Connection) -> Result<Touched, Error> {
        for key in &self.over {
            delete_row(connection, key)?;
        }
        for (key, used) in self.changed() {
            write_row(connection, &key, used)?;
        }
        Ok(Touched {
            book: self.touched,
            any_over: !self.over.is_empty(),
        })
    }
}
