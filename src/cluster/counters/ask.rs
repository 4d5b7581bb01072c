//! What is asked of the shared counters, and what they answer.

use std::{sync::Arc, time::Duration};

use ferrogate_api::{AccountRef, BalanceKey, BudgetUnit};

use super::names::{Expiry, Names};
use crate::error::RequestError;

/// One request on its way through all its accounts.
#[derive(Debug)]
pub struct SharedAsk<'a> {
    /// In the order in which a refusal names them.
    pub accounts: Vec<SharedAccount<'a>>,
    /// What it may use of the tokens per minute.
    pub tokens: u64,
}

/// One account's limits. What is `None` is not counted.
#[derive(Debug)]
pub struct SharedAccount<'a> {
    pub account: &'a AccountRef,
    pub requests_per_minute: Option<u64>,
    pub tokens_per_minute: Option<u64>,
    pub concurrency: Option<u64>,
    pub budgets: Vec<SharedBudget>,
}

/// One budget in its present period.
#[derive(Debug)]
pub struct SharedBudget {
    pub unit: BudgetUnit,
    pub start_unix_ms: i64,
    pub end_unix_ms: i64,
    /// What all nodes together may use.
    pub limit: i64,
    /// What to hold. 0 asks whether what is held and settled already fits, as before another attempt.
    pub amount: i64,
}

/// Why a request may not run.
#[derive(Debug)]
pub enum SharedRefusal {
    /// The counters cannot be reached, or do not know enough yet.
    Unavailable(RequestError),
    Limited(Limited),
}

/// The limit that stands against a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    /// The account's place in [`SharedAsk::accounts`].
    pub account: usize,
    pub what: LimitedBy,
    /// What is left of it; less than 0 when it is overdrawn.
    pub remaining: i64,
    /// After how long enough has left the minute.
    pub wait: Option<Duration>,
}

/// Which of an account's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitedBy {
    Requests,
    Tokens,
    Concurrency,
    /// The budget's place in [`SharedAccount::budgets`].
    Budget(usize),
}

/// An ask as a lane sends it.
#[derive(Debug)]
pub(super) struct PreparedAsk {
    pub(super) tokens: u64,
    pub(super) accounts: Vec<PreparedAccount>,
}

#[derive(Debug)]
pub(super) struct PreparedAccount {
    /// Where its minute is counted, if it is.
    pub(super) window: Option<Arc<str>>,
    pub(super) requests: Option<u64>,
    pub(super) tokens: Option<u64>,
    pub(super) in_flight: Option<(Arc<str>, u64)>,
    pub(super) budgets: Vec<PreparedBudget>,
}

#[derive(Debug)]
pub(super) struct PreparedBudget {
    pub(super) name: Arc<str>,
    pub(super) expiry: Expiry,
    pub(super) balance: BalanceKey,
    pub(super) limit: i64,
    pub(super) amount: i64,
}

impl PreparedAsk {
    pub(super) fn new(ask: &SharedAsk<'_>, names: &Names) -> Self {
        let accounts = ask.accounts.iter();
        Self {
            tokens: ask.tokens,
            accounts: accounts.map(|account| prepare(account, names)).collect(),
        }
    }

    pub(super) fn counts_nothing(&self) -> bool {
        self.accounts.iter().all(|account| {
            account.window.is_none() && account.in_flight.is_none() && account.budgets.is_empty()
        })
    }

    pub(super) fn budgets(&self) -> impl Iterator<Item = &PreparedBudget> {
        self.accounts.iter().flat_map(|account| &account.budgets)
    }
}

fn prepare(account: &SharedAccount<'_>, names: &Names) -> PreparedAccount {
    let windowed = account.requests_per_minute.is_some() || account.tokens_per_minute.is_some();
    let budgets = account.budgets.iter().map(|budget| {
        let balance = BalanceKey {
            account: account.account.clone(),
            unit: budget.unit,
            start_unix_ms: budget.start_unix_ms,
            end_unix_ms: budget.end_unix_ms,
        };
        PreparedBudget {
            name: names.balance(&balance),
            expiry: Expiry::of(&balance),
            balance,
            limit: budget.limit,
            amount: budget.amount.max(0),
        }
    });
    PreparedAccount {
        window: windowed.then(|| names.window(account.account)),
        requests: account.requests_per_minute,
        tokens: account.tokens_per_minute,
        in_flight: account
            .concurrency
            .map(|limit| (names.in_flight(account.account), limit)),
        budgets: budgets.collect(),
    }
}
