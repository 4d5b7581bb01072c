//! How much a request may use, and how much it used.

use ferrogate_api::BudgetUnit;

/// What a request may use at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    /// Input and output.
    pub tokens: u64,
    /// Nano-units; `None` without a price, which no budget in money lets through.
    pub cost_nanos: Option<i64>,
    /// False for an answer from the cache: it counts as a request, and uses nothing.
    pub charges: bool,
}

/// What one attempt used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Used {
    /// Input and output.
    pub tokens: u64,
    /// Nano-units; `None` without a price.
    pub cost_nanos: Option<i64>,
}

/// Tokens and money, as budgets count them; never negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amounts {
    tokens: i64,
    cost_nanos: i64,
}

impl Amounts {
    pub(super) fn new(tokens: u64, cost_nanos: Option<i64>) -> Self {
        Self {
            tokens: i64::try_from(tokens).unwrap_or(i64::MAX),
            cost_nanos: cost_nanos.unwrap_or_default().max(0),
        }
    }

    pub(super) fn get(self, unit: BudgetUnit) -> i64 {
        match unit {
            BudgetUnit::Tokens => self.tokens,
            BudgetUnit::Money => self.cost_nanos,
        }
    }
}

/// What all requests in flight of one account hold together. Wide enough that what was put in can always be taken out
/// again to the last token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    tokens: i128,
    cost_nanos: i128,
}

impl Held {
    pub(super) fn add(&mut self, amounts: Amounts) {
        self.tokens += i128::from(amounts.tokens);
        self.cost_nanos += i128::from(amounts.cost_nanos);
    }

    pub(super) fn take(&mut self, amounts: Amounts) {
        self.tokens -= i128::from(amounts.tokens);
        self.cost_nanos -= i128::from(amounts.cost_nanos);
    }

    pub(super) fn get(self, unit: BudgetUnit) -> i128 {
        match unit {
            BudgetUnit::Tokens => self.tokens,
            BudgetUnit::Money => self.cost_nanos,
        }
    }
}

/// For what is shown: a sum that no `i64` holds is as good as the largest.
pub(super) fn narrowed(amount: i128) -> i64 {
    let limit = if amount < 0 { i64::MIN } else { i64::MAX };
    i64::try_from(amount).unwrap_or(limit)
}
