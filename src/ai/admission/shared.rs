//! The second stage of admission: what all nodes together have used, in Redis.

use std::sync::Arc;

use ferrogate_api::{AccountRef, BalanceKey, BudgetStatus, BudgetUnit};

use crate::cluster::counters::{
    self, Limited, LimitedBy, OwnBalances, SharedAsk, SharedBudget, SharedCounters, SharedHold,
    SharedRate, SharedRefusal,
};
use crate::config::AccountLimits;
use crate::error::{ErrorKind, RequestError};
use crate::governance::{Accounts, Ask, Path, RateStatus, Standing};

/// The counters of all nodes, asked about the accounts of this one.
#[derive(Debug, Clone)]
pub struct SharedAdmission {
    counters: Arc<SharedCounters>,
    accounts: Accounts,
}

/// A request's place in the shared counters. Dropping it writes what it used.
#[derive(Debug)]
pub(super) struct SharedAccount {
    admission: SharedAdmission,
    path: Path,
    ask: Ask,
    hold: Option<SharedHold>,
    used_tokens: u64,
    standing: Standing,
}

/// All nodes together have no room for the request, or do not say.
#[derive(Debug)]
pub(super) struct SharedRefused {
    pub(super) error: RequestError,
    pub(super) standing: Standing,
}

/// This node's accounts, as far as the others must know them.
#[derive(Debug)]
pub struct OwnAccounts(Accounts);

impl OwnAccounts {
    pub fn new(accounts: Accounts) -> Self {
        Self(accounts)
    }
}

impl OwnBalances for OwnAccounts {
    fn all(&self) -> Option<Vec<(BalanceKey, i64)>> {
        self.0.used_of_all()
    }

    fn settled(&self, keys: &[BalanceKey]) -> Vec<Option<i64>> {
        self.0.used(keys)
    }
}

/// What of a path's limits is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Everything,
    /// Before another attempt: the request itself is counted already.
    Budgets,
}

impl SharedAdmission {
    pub fn new(counters: Arc<SharedCounters>, accounts: Accounts) -> Self {
        Self { counters, accounts }
    }

    pub fn counters(&self) -> &SharedCounters {
        &self.counters
    }

    pub(super) async fn admit(
        &self,
        path: &Path,
        ask: Ask,
        now_unix_ms: i64,
    ) -> Result<SharedAccount, SharedRefused> {
        let hold = self
            .ask(path, (ask, About::Everything), now_unix_ms)
            .await?;
        let standing = Standing {
            requests: hold.standing().requests.map(rate),
            tokens: hold.standing().tokens.map(rate),
        };
        Ok(SharedAccount {
            admission: self.clone(),
            path: Arc::clone(path),
            ask,
            hold: Some(hold),
            used_tokens: 0,
            standing,
        })
    }

    async fn ask(
        &self,
        path: &Path,
        (ask, about): (Ask, About),
        now_unix_ms: i64,
    ) -> Result<SharedHold, SharedRefused> {
        let views = self.accounts.views(path.iter(), now_unix_ms);
        let accounts = path.iter().zip(&views).map(|(account, view)| {
            let limits = &account.limits;
            let counts = about == About::Everything;
            let budgets = view.budgets.iter().filter(|_| ask.charges);
            counters::SharedAccount {
                account: &account.id,
                requests_per_minute: limits.requests_per_minute.filter(|_| counts),
                tokens_per_minute: limits.tokens_per_minute.filter(|_| counts && ask.charges),
                concurrency: limits.concurrency.filter(|_| counts),
                budgets: budgets
                    .map(|budget| shared(&budget.status, ask, about))
                    .collect(),
            }
        });
        let shared_ask = SharedAsk {
            accounts: accounts.collect(),
            tokens: ask.tokens,
        };
        self.counters
            .admit(&shared_ask)
            .await
            .map_err(|refusal| match refusal {
                SharedRefusal::Unavailable(error) => SharedRefused {
                    error,
                    standing: Standing::default(),
                },
                SharedRefusal::Limited(limited) => {
                    let account = path.get(limited.account).map(|account| &account.id);
                    let budget = match limited.what {
                        LimitedBy::Budget(index) => views
                            .get(limited.account)
                            .and_then(|view| view.budgets.get(index))
                            .map(|budget| &budget.status),
                        LimitedBy::Requests | LimitedBy::Tokens | LimitedBy::Concurrency => None,
                    };
                    let limits = path.get(limited.account).map(|account| &account.limits);
                    SharedRefused {
                        error: refused(account, limited, budget),
                        standing: standing(limits, limited),
                    }
                }
            })
    }
}

impl SharedAccount {
    pub(super) fn standing(&self) -> Standing {
        self.standing
    }

    /// Notes what an attempt used; it is written when the request ends.
    pub(super) fn used(&mut self, tokens: u64) {
        self.used_tokens = self.used_tokens.saturating_add(tokens);
    }

    /// Asks whether, after what was charged, the hold still fits: there is room for another attempt.
    pub(super) async fn renew(&mut self, now_unix_ms: i64) -> Result<(), RequestError> {
        let asked = (self.ask, About::Budgets);
        let checked = self.admission.ask(&self.path, asked, now_unix_ms).await;
        // It holds nothing itself: the request's own hold goes on.
        drop(checked.map_err(|refused| refused.error)?);
        Ok(())
    }
}

impl Drop for SharedAccount {
    fn drop(&mut self) {
        let Some(hold) = self.hold.take() else {
            return;
        };
        // A stream that ran past the end of a period was charged in the next one.
        let charged = self.admission.accounts.balances_of(&self.path);
        hold.settle(self.used_tokens, charged);
    }
}

fn shared(budget: &BudgetStatus, ask: Ask, about: About) -> SharedBudget {
    SharedBudget {
        unit: budget.unit,
        start_unix_ms: budget.period_start_unix_ms.unwrap_or_default(),
        end_unix_ms: budget.period_end_unix_ms.unwrap_or(i64::MAX),
        limit: budget.limit,
        amount: match budget.unit {
            _ if about == About::Budgets => 0,
            BudgetUnit::Tokens => i64::try_from(ask.tokens).unwrap_or(i64::MAX),
            // One without a price is refused before it comes here.
            BudgetUnit::Money => ask.cost_nanos.unwrap_or(i64::MAX),
        },
    }
}

fn rate(rate: SharedRate) -> RateStatus {
    RateStatus {
        limit: rate.limit,
        remaining: rate.remaining,
        reset: rate.reset,
    }
}

/// Where the account that refused stands with the limit that did.
fn standing(limits: Option<&AccountLimits>, limited: Limited) -> Standing {
    let at = |limit: Option<u64>| {
        limit.map(|limit| RateStatus {
            limit,
            remaining: u64::try_from(limited.remaining).unwrap_or_default(),
            reset: limited.wait.unwrap_or_default(),
        })
    };
    let limit = |of: fn(&AccountLimits) -> Option<u64>| at(limits.and_then(of));
    match limited.what {
        LimitedBy::Requests => Standing {
            requests: limit(|limits| limits.requests_per_minute),
            tokens: None,
        },
        LimitedBy::Tokens => Standing {
            requests: None,
            tokens: limit(|limits| limits.tokens_per_minute),
        },
        LimitedBy::Concurrency | LimitedBy::Budget(_) => Standing::default(),
    }
}

fn refused(
    account: Option<&AccountRef>,
    limited: Limited,
    budget: Option<&BudgetStatus>,
) -> RequestError {
    let account = account.map_or_else(String::new, |account| {
        format!("the {} `{}`", account.kind.as_str(), account.id)
    });
    let (kind, what, helps) = match (limited.what, budget) {
        (LimitedBy::Requests, _) => (
            ErrorKind::RateLimitExceeded,
            "its limit of requests per minute".to_owned(),
            true,
        ),
        (LimitedBy::Tokens, _) => (
            ErrorKind::RateLimitExceeded,
            "its limit of tokens per minute".to_owned(),
            limited.wait.is_some(),
        ),
        (LimitedBy::Concurrency, _) => (
            ErrorKind::ConcurrencyLimitExceeded,
            "its limit of requests in flight".to_owned(),
            true,
        ),
        (LimitedBy::Budget(_), Some(budget)) if budget.unit == BudgetUnit::Money => (
            ErrorKind::CostBudgetExceeded,
            format!("its budget `{}`", budget.budget_id),
            false,
        ),
        (LimitedBy::Budget(_), budget) => (
            ErrorKind::TokenBudgetExceeded,
            match budget {
                Some(budget) => format!("its budget `{}`", budget.budget_id),
                None => "its budget".to_owned(),
            },
            false,
        ),
    };
    let message =
        format!("On all nodes together, {account} has too little left of {what} for this request.");
    let error = RequestError::new(kind, message).with_retry(helps);
    match limited.wait {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    }
}
