//! The accounts of one configuration: who exists, with which limits, and on whose path.
//!
//! What is counted is kept elsewhere and outlives it: an account here refers to its [`Place`] there, and each of its
//! budgets to a [`BudgetPlace`]. Both are given up once no configuration and no request refers to them any more.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use ferrogate_api::{AccountKind, AccountRef, BudgetUnit, TenantContext};
use hashbrown::HashMap;

use crate::config::{AccountLimits, Tenant};

/// The accounts that a request counts against: its key first, its organization last.
pub type Path = Arc<[Arc<Account>]>;

/// One key or tenant with the limits of one configuration.
#[derive(Debug)]
pub struct Account {
    pub id: AccountRef,
    pub limits: AccountLimits,
    pub(super) place: Place,
    /// One for each of the budgets in `limits`, in the same order.
    pub(super) budgets: Box<[BudgetPlace]>,
}

/// Where an account's counts are kept.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) index: usize,
    /// Keeps the place from being given up, and does nothing else.
    pub(super) _slot: Arc<Slot>,
}

/// Where a budget's balance is kept, within its account's place, and what a request needs to know of the budget.
#[derive(Debug, Clone)]
pub(super) struct BudgetPlace {
    pub(super) index: usize,
    pub(super) unit: BudgetUnit,
    pub(super) amount: i64,
    /// Keeps the place from being given up.
    pub(super) slot: Arc<BudgetSlot>,
}

/// Who refers to a place of an account.
#[derive(Debug, Default)]
pub(super) struct Slot;

/// Who refers to a place of a budget.
#[derive(Debug, Default)]
pub(super) struct BudgetSlot {
    opened: AtomicBool,
}

impl BudgetSlot {
    /// Whether its balance is known, which it then stays. A hint that spares taking the lock: the truth is in its state.
    pub(super) fn is_opened(&self) -> bool {
        self.opened.load(Ordering::Relaxed)
    }

    pub(super) fn set_opened(&self) {
        self.opened.store(true, Ordering::Relaxed);
    }
}

/// A key, as far as accounts are concerned.
#[derive(Debug, Clone, Copy)]
pub struct KeyAccount<'c> {
    pub id: &'c Arc<str>,
    /// All tenants that it belongs to, those that its tenants' parents imply included.
    pub tenants: &'c TenantContext,
    pub limits: &'c AccountLimits,
}

/// All accounts of one configuration.
#[derive(Debug, Default)]
pub struct Tree {
    keys: HashMap<Arc<str>, Path>,
    tenants: HashMap<AccountRef, Arc<Account>>,
}

impl Tree {
    /// The accounts that the requests of this key count against.
    pub fn path(&self, key_id: &str) -> Option<&Path> {
        self.keys.get(key_id)
    }

    pub fn account(&self, id: &AccountRef) -> Option<&Arc<Account>> {
        match id.kind {
            AccountKind::Key => self.path(&id.id)?.first(),
            AccountKind::User
            | AccountKind::Project
            | AccountKind::Team
            | AccountKind::Organization => self.tenants.get(id),
        }
    }

    /// All accounts, in no order.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        let keys = self.keys.values().filter_map(|path| path.first());
        keys.chain(self.tenants.values())
    }

    /// Makes the accounts: those of all declared tenants, of all keys, and, without limits, of the tenants that only
    /// keys name.
    pub(super) fn build<'c>(
        keys: impl IntoIterator<Item = KeyAccount<'c>>,
        tenants: impl IntoIterator<Item = &'c Arc<Tenant>>,
        mut account: impl FnMut(AccountRef, &AccountLimits) -> Arc<Account>,
    ) -> Self {
        let keys = keys.into_iter();
        let mut tree = Self {
            keys: HashMap::with_capacity(keys.size_hint().0),
            tenants: HashMap::new(),
        };
        for tenant in tenants {
            let id = AccountRef {
                kind: tenant.kind.account(),
                id: Arc::clone(&tenant.id),
            };
            tree.tenants
                .entry(id)
                .or_insert_with_key(|id| account(id.clone(), &tenant.limits));
        }
        let unlimited = AccountLimits::default();
        for key in keys {
            let own = AccountRef {
                kind: AccountKind::Key,
                id: Arc::clone(key.id),
            };
            let mut path = vec![account(own, key.limits)];
            for kind in AccountKind::ALL {
                let Some(id) = key.tenants.get(kind).map(Arc::clone) else {
                    continue;
                };
                let tenant = tree
                    .tenants
                    .entry(AccountRef { kind, id })
                    .or_insert_with_key(|id| account(id.clone(), &unlimited));
                path.push(Arc::clone(tenant));
            }
            tree.keys.insert(Arc::clone(key.id), path.into());
        }
        tree
    }
}
