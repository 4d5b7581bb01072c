//! What one row of the ledger adds to the balances of its accounts.

use ferrogate_api::{AccountKind, BudgetUnit, MeteringEvent, TenantContext, Tokens};

use super::{super::columns, BALANCE_MAX};

/// The accounts that a row counts for: at most one of each kind.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::store) struct Accounts<'e>([Option<&'e str>; AccountKind::ALL.len()]);

impl<'e> Accounts<'e> {
    /// A key and its tenants.
    pub(in crate::store) fn path(key: &'e str, tenant: Option<&'e TenantContext>) -> Self {
        Self(AccountKind::ALL.map(|kind| match kind {
            AccountKind::Key => Some(key),
            AccountKind::User
            | AccountKind::Project
            | AccountKind::Team
            | AccountKind::Organization => tenant?.get(kind).map(|id| &**id),
        }))
    }

    /// Whatever `id_of` has an id for.
    pub(in crate::store) fn of<E>(
        id_of: impl FnMut(AccountKind) -> Result<Option<&'e str>, E>,
    ) -> Result<Self, E> {
        let mut accounts = Self::default();
        let ids = AccountKind::ALL.into_iter().map(id_of);
        for (slot, id) in accounts.0.iter_mut().zip(ids) {
            *slot = id?;
        }
        Ok(accounts)
    }

    /// This account and none of those above it.
    pub(in crate::store) fn alone(kind: AccountKind, id: &'e str) -> Self {
        Self(AccountKind::ALL.map(|each| (each == kind).then_some(id)))
    }

    pub(in crate::store) fn iter(&self) -> impl Iterator<Item = (AccountKind, &'e str)> + use<'e> {
        AccountKind::ALL
            .into_iter()
            .zip(self.0)
            .filter_map(|(kind, id)| Some((kind, id?)))
    }
}

/// What happened when to whom.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Charge<'e> {
    pub(in crate::store) accounts: Accounts<'e>,
    pub(in crate::store) at_unix_ms: i64,
    pub(in crate::store) tokens: i64,
    pub(in crate::store) money_nanos: i64,
}

impl<'e> Charge<'e> {
    /// `None` for an answer from the cache, which uses nothing.
    pub(in crate::store) fn of(event: &'e MeteringEvent) -> Option<Self> {
        (!event.cache_hit).then(|| Self {
            accounts: Accounts::path(&event.api_key_id, event.tenant.as_deref()),
            at_unix_ms: event.occurred_at_unix_ms,
            tokens: used_tokens(event.tokens),
            money_nanos: event.cost_nanos.unwrap_or_default(),
        })
    }

    pub(in crate::store) fn amount(&self, unit: BudgetUnit) -> i64 {
        match unit {
            BudgetUnit::Tokens => self.tokens,
            BudgetUnit::Money => self.money_nanos,
        }
    }

    /// An amount in one unit and nothing in the other.
    pub(in crate::store) fn in_unit(
        accounts: Accounts<'e>,
        at_unix_ms: i64,
        unit: BudgetUnit,
        amount: i64,
    ) -> Self {
        let (tokens, money_nanos) = match unit {
            BudgetUnit::Tokens => (amount, 0),
            BudgetUnit::Money => (0, amount),
        };
        Self {
            accounts,
            at_unix_ms,
            tokens,
            money_nanos,
        }
    }
}

/// Each count as its column holds it, so that the sum is the same now and when it is read back.
pub(in crate::store) fn used_tokens(tokens: Tokens) -> i64 {
    let [input, output] = [tokens.input, tokens.output].map(columns::from_count);
    input.saturating_add(output).min(BALANCE_MAX)
}
