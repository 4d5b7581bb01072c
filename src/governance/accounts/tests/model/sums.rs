//! What the model expects, added up from its lists.

use super::{
    flights::{Flight, Model},
    *,
};
use crate::governance::calendar::Span;

impl Model {
    /// What the ledger says.
    pub(super) fn sum(&self, key: &BalanceKey) -> i64 {
        let rows = self.rows.iter().filter(|row| {
            (key.start_unix_ms..key.end_unix_ms).contains(&row.at_unix_ms)
                && row.path.iter().any(|account| account.id == key.account)
        });
        rows.map(|row| match key.unit {
            BudgetUnit::Tokens => i64::try_from(row.used.tokens).unwrap(),
            BudgetUnit::Money => row.used.cost_nanos.unwrap_or(0),
        })
        .sum()
    }

    pub(super) fn used(&self, account: &Account, budget: &Budget) -> i64 {
        let span = Span::around(self.now, budget.period, &budget.time_zone);
        self.sum(&BalanceKey {
            account: account.id.clone(),
            unit: budget.unit,
            start_unix_ms: span.start_unix_ms,
            end_unix_ms: span.end_unix_ms,
        })
    }

    pub(super) fn of_account(&self, account: &Account) -> impl Iterator<Item = &Flight> {
        self.flights
            .iter()
            .filter(|flight| flight.path.iter().any(|other| other.id == account.id))
    }

    pub(super) fn held(&self, account: &Account, unit: BudgetUnit) -> i64 {
        let holding = self.of_account(account).filter(|flight| flight.holds);
        holding.map(|flight| amount(flight.ask, unit)).sum()
    }

    pub(super) fn in_flight(&self, account: &Account) -> u64 {
        let flights = self.of_account(account);
        u64::try_from(flights.filter(|flight| flight.ask.charges).count()).unwrap()
    }

    pub(super) fn in_window(&self, account: &Account, is_tokens: bool) -> u64 {
        let since = self.now / 1000 - 60;
        let counted = self.counted.iter().filter(|counted| {
            counted.second >= since
                && counted.account == account.id
                && counted.is_tokens == is_tokens
        });
        counted.map(|counted| counted.count).sum()
    }

    pub(super) fn refusal(&self, path: &Path, ask: Ask) -> Option<ErrorKind> {
        let over = |limit: Option<u64>, count: u64| limit.is_some_and(|limit| count > limit);
        if path.iter().any(|account| {
            let tokens = self.in_window(account, true) + ask.tokens;
            over(
                account.limits.requests_per_minute,
                self.in_window(account, false) + 1,
            ) || (ask.charges && over(account.limits.tokens_per_minute, tokens))
        }) {
            return Some(ErrorKind::RateLimitExceeded);
        }
        if !ask.charges {
            return None;
        }
        let is_full =
            |account: &Arc<Account>| over(account.limits.concurrency, self.in_flight(account) + 1);
        if path.iter().any(is_full) {
            return Some(ErrorKind::ConcurrencyLimitExceeded);
        }
        let mut budgets = path.iter().flat_map(|account| &account.limits.budgets);
        if ask.cost_nanos.is_none() && budgets.any(|budget| budget.unit == BudgetUnit::Money) {
            return Some(ErrorKind::PriceUnknown);
        }
        self.over_a_budget(path, ask)
    }

    pub(super) fn over_a_budget(&self, path: &Path, ask: Ask) -> Option<ErrorKind> {
        let mut refusals = Vec::new();
        for (level, account) in path.iter().enumerate() {
            for (index, budget) in account.limits.budgets.iter().enumerate() {
                let asked = amount(ask, budget.unit);
                let spent = self.used(account, budget) + self.held(account, budget.unit);
                if spent + asked > budget.amount {
                    let end = Span::around(self.now, budget.period, &budget.time_zone).end_unix_ms;
                    let lasts = if asked > budget.amount { i64::MAX } else { end };
                    refusals.push((std::cmp::Reverse(lasts), level, index, budget.unit));
                }
            }
        }
        let (.., unit) = refusals.into_iter().min()?;
        Some(match unit {
            BudgetUnit::Tokens => ErrorKind::TokenBudgetExceeded,
            BudgetUnit::Money => ErrorKind::CostBudgetExceeded,
        })
    }

    pub(super) fn compare(&self) {
        for account in self.world.tree.accounts() {
            let view = self.world.accounts.view(account, self.now);
            let expected = (
                self.in_flight(account),
                self.in_window(account, false),
                self.in_window(account, true),
            );
            let found = (
                view.in_flight,
                view.requests_in_window,
                view.tokens_in_window,
            );
            assert_eq!(found, expected, "{}", account.id);
            for (budget, view) in account.limits.budgets.iter().zip(&view.budgets) {
                let expected = (self.used(account, budget), self.held(account, budget.unit));
                let found = (view.status.used, view.status.held);
                assert_eq!(found, expected, "{} {}", account.id, budget.id);
            }
        }
        // Those that only older configurations declare go on to follow the ledger, too.
        for (key, used, _) in self.world.accounts.balances() {
            assert_eq!(used, self.sum(&key), "{key:?}");
        }
    }
}

fn amount(ask: Ask, unit: BudgetUnit) -> i64 {
    match unit {
        BudgetUnit::Tokens => i64::try_from(ask.tokens).unwrap(),
        BudgetUnit::Money => ask.cost_nanos.unwrap_or(0),
    }
}
