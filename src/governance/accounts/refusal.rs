//! What to answer a request that is over a limit: which account says so, by how much, and when it ends.

use std::{sync::Arc, time::Duration};

use ferrogate_api::{AccountRef, BudgetUnit, decimal_of_nanos};
use jiff::Timestamp;

use super::{
    admission::{Denied, Overdraft, Reason},
    amounts::narrowed,
    rates::{RateDenial, Rated},
    standing::{DurationText, Standing},
    tree::Account,
};
use crate::config::Budget;
use crate::error::{ErrorKind, RequestError};

/// A client that is told to come back later than this is told nothing: some would keep their user waiting for weeks.
const BUDGET_WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A request that is over a limit. It was counted nowhere.
#[derive(Debug)]
pub struct Refusal {
    pub error: RequestError,
    /// Where it stands with the limits per minute; with the one that refused, if it was one of them.
    pub standing: Standing,
    /// Whether the same request can pass soon without anybody changing anything. This, and not the error's kind, is
    /// the truth for `x-should-retry`.
    pub retry_can_help: bool,
}

impl Refusal {
    pub(super) fn new(denied: &Denied, path: &[Arc<Account>], now_unix_ms: i64) -> Self {
        let account = &path[denied.level];
        let (error, retry_can_help) = match &denied.reason {
            Reason::Rate(denial) => (rate_error(&account.id, denial), denial.wait.is_some()),
            Reason::Concurrency { limit } => (concurrency_error(&account.id, *limit), *limit > 0),
            Reason::Budget(overdraft) => {
                let budget = &account.limits.budgets[overdraft.index];
                let error = budget_error(&account.id, budget, overdraft, now_unix_ms);
                (error, false)
            }
            Reason::Unpriced { index } => {
                let budget = &account.limits.budgets[*index];
                (unpriced_error(&account.id, budget), false)
            }
        };
        Self {
            error,
            standing: denied.standing,
            retry_can_help,
        }
    }
}

fn rate_error(account: &AccountRef, denial: &RateDenial) -> RequestError {
    let name = name(account);
    let (ask, limit) = (denial.ask, denial.status.limit);
    let message = match (denial.rated, denial.wait) {
        (Rated::Requests, Some(wait)) => format!(
            "The {name} has used up its limit of {limit} requests per minute. Try again in {}.",
            DurationText(wait)
        ),
        (Rated::Requests, None) => format!(
            "The {name} has a limit of {limit} requests per minute, so that none can ever pass. \
             Raise its `request_limit_per_minute`."
        ),
        (Rated::Tokens, Some(wait)) => format!(
            "The {name} has {} of its limit of {limit} tokens per minute left, and this request may take {ask}. \
             Try again in {}, or ask for fewer tokens.",
            denial.status.remaining,
            DurationText(wait)
        ),
        (Rated::Tokens, None) => format!(
            "This request may take {ask} tokens, prompt and answer together, and the {name} has a limit of {limit} \
             tokens per minute: it can never pass. Ask for fewer tokens, or raise `token_limit_per_minute`."
        ),
    };
    let error = RequestError::new(ErrorKind::RateLimitExceeded, message);
    match denial.wait {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    }
}

fn concurrency_error(account: &AccountRef, limit: u64) -> RequestError {
    let message = format!(
        "The {} has as many requests in flight as its `concurrency_limit` of {limit} allows. \
         Try again when one of them has ended.",
        name(account)
    );
    RequestError::new(ErrorKind::ConcurrencyLimitExceeded, message)
}

fn budget_error(
    account: &AccountRef,
    budget: &Budget,
    overdraft: &Overdraft,
    now_unix_ms: i64,
) -> RequestError {
    let kind = match budget.unit {
        BudgetUnit::Tokens => ErrorKind::TokenBudgetExceeded,
        BudgetUnit::Money => ErrorKind::CostBudgetExceeded,
    };
    let amount = |amount| amount_text(amount, budget.unit);
    let message = format!(
        "The {}'s budget `{}` is {} {}: {} used, {} held by requests in flight, and this request may take {}. {}",
        name(account),
        budget.id,
        amount(overdraft.limit),
        match budget.unit {
            BudgetUnit::Tokens => "tokens",
            BudgetUnit::Money => "in money",
        },
        amount(overdraft.used),
        amount(narrowed(overdraft.held)),
        amount(overdraft.ask),
        outlook(budget, overdraft),
    );
    let wait_ms = overdraft.period_end_unix_ms.saturating_sub(now_unix_ms);
    let wait = Duration::from_millis(u64::try_from(wait_ms).unwrap_or_default());
    let error = RequestError::new(kind, message);
    if overdraft.is_for_good() || wait > BUDGET_WAIT_MAX {
        return error;
    }
    error.with_retry_after(wait)
}

/// What has to happen before the request fits.
fn outlook(budget: &Budget, overdraft: &Overdraft) -> String {
    if overdraft.ask > overdraft.limit {
        return "That is more than the whole budget: it can never pass. Ask for less, or raise the budget."
            .to_owned();
    }
    match Timestamp::from_millisecond(overdraft.period_end_unix_ms) {
        Ok(end) => format!(
            "The budget begins anew at {}.",
            end.to_zoned(budget.time_zone.clone())
        ),
        Err(_) => "The budget is a total and never begins anew: top it up, or raise it.".to_owned(),
    }
}

fn unpriced_error(account: &AccountRef, budget: &Budget) -> RequestError {
    let message = format!(
        "The model has no price, and the {} has the budget `{}` in money: what the request may cost cannot be held. \
         Give the model a price, or use another.",
        name(account),
        budget.id
    );
    RequestError::new(ErrorKind::PriceUnknown, message)
}

fn name(account: &AccountRef) -> String {
    format!("{} `{}`", account.kind.as_str(), account.id)
}

fn amount_text(amount: i64, unit: BudgetUnit) -> String {
    match unit {
        BudgetUnit::Tokens => amount.to_string(),
        BudgetUnit::Money => decimal_of_nanos(amount),
    }
}
