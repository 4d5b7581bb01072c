//! Closing rows: what stands in the ledger for the rows that retention took away.
//!
//! 1. A closing belongs to one account and one unit, and counts as used at its own time. It says so much as all rows
//!    did that left for it: their tokens, or their money with its corrections.
//! 2. It lies in every window that its rows lay in, and in no other. Windows of budgets begin at a full hour of some
//!    time zone, and zones differ by quarters of an hour: a closing stands for one quarter.
//! 3. What no period that runs can begin before needs no such care, because only budgets in total still count it.
//!    Closings of quarters that are that old are added to those of 30 days, so that they do not pile up.
//! 4. A closing grows while rows leave for it, in the transaction in which they leave.

use std::collections::HashMap;

use ferrogate_api::{AccountKind, AdjustmentKind, BudgetUnit};
use rusqlite::{Connection, Error, params};

use super::slice::Slice;
use crate::store::{
    balances::{BALANCE_MAX, Charge},
    columns,
    usage_rollups::{DAY_MS, MINUTE_MS, floor},
};

const QUARTER_MS: i64 = 15 * MINUTE_MS;
/// The index `budget_adjustments_short_closings` has it too.
const LONG_MS: i64 = 30 * DAY_MS;
/// The longest period is a month; two days more for where on earth it begins.
const LONGEST_PERIOD_MS: i64 = 33 * DAY_MS;
/// The gateway itself.
const ACTOR: &str = "gateway";
const REASON: &str = "retention";

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    starts_at_unix_ms: i64,
    account_kind: AccountKind,
    account_id: String,
    unit: BudgetUnit,
}

/// What one slice closes.
#[derive(Debug)]
pub(super) struct Closings {
    now_unix_ms: i64,
    amounts: HashMap<Key, i64>,
}

impl Closings {
    pub(super) fn new(now_unix_ms: i64) -> Self {
        Self {
            now_unix_ms,
            amounts: HashMap::new(),
        }
    }

    pub(super) fn add(&mut self, charge: &Charge<'_>) {
        for (account_kind, id) in charge.accounts.iter() {
            for unit in [BudgetUnit::Tokens, BudgetUnit::Money] {
                self.add_amount(
                    Key {
                        starts_at_unix_ms: self.time_of(charge.at_unix_ms),
                        account_kind,
                        account_id: id.to_owned(),
                        unit,
                    },
                    charge.amount(unit),
                );
            }
        }
    }

    fn add_amount(&mut self, key: Key, amount: i64) {
        if amount != 0 {
            let sum = self.amounts.entry(key).or_default();
            *sum = (*sum + within(amount)).clamp(-BALANCE_MAX, BALANCE_MAX);
        }
    }

    /// When that counts which happened then.
    fn time_of(&self, at_unix_ms: i64) -> i64 {
        let is_settled = at_unix_ms < self.now_unix_ms.saturating_sub(LONGEST_PERIOD_MS);
        floor(at_unix_ms, if is_settled { LONG_MS } else { QUARTER_MS })
    }

    /// Both sides of the addition lie within the bound of a balance; the sum is brought back into it.
    pub(super) fn write(self, connection: &Connection) -> Result<(), Error> {
        let mut upsert = connection.prepare_cached(
            "INSERT INTO budget_adjustments (
                 id, kind, account_kind, account_id, budget_id, unit, amount, starts_at_unix_ms, reason, actor,
                 created_at_unix_ms
             ) VALUES (?1, ?2, ?3, ?4, '', ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (id) DO UPDATE SET amount = max(min(amount + excluded.amount, ?11), -?11)",
        )?;
        for (key, amount) in self.amounts {
            let (kind, unit) = (key.account_kind.as_str(), key.unit.as_str());
            let at = key.starts_at_unix_ms;
            upsert.execute(params![
                format!("closing-{at}-{unit}-{kind}-{}", key.account_id),
                AdjustmentKind::Closing.as_str(),
                kind,
                key.account_id,
                unit,
                amount,
                at,
                REASON,
                ACTOR,
                self.now_unix_ms,
                BALANCE_MAX,
            ])?;
        }
        Ok(())
    }
}

fn within(amount: i64) -> i64 {
    amount.clamp(-BALANCE_MAX, BALANCE_MAX)
}

/// Adds old closings of quarters to those of 30 days; says whether there may be more.
pub(super) fn merge(connection: &Connection, slice: &Slice) -> Result<bool, Error> {
    let settled = slice.now_unix_ms.saturating_sub(LONGEST_PERIOD_MS);
    let mut select = connection.prepare_cached(
        "SELECT rowid, * FROM budget_adjustments INDEXED BY budget_adjustments_short_closings
         WHERE kind = 'closing' AND starts_at_unix_ms % 2592000000 <> 0 AND starts_at_unix_ms < ?1
         ORDER BY starts_at_unix_ms LIMIT ?2",
    )?;
    let mut rows = select.query(params![settled, slice.rows_as_limit()])?;
    let mut closings = Closings::new(slice.now_unix_ms);
    let mut merged: Vec<i64> = Vec::new();
    while let Some(row) = rows.next()? {
        let at: i64 = row.get("starts_at_unix_ms")?;
        closings.add_amount(
            Key {
                starts_at_unix_ms: floor(at, LONG_MS),
                account_kind: columns::named(row, "account_kind", AccountKind::parse)?,
                account_id: row.get("account_id")?,
                unit: columns::named(row, "unit", BudgetUnit::parse)?,
            },
            row.get("amount")?,
        );
        merged.push(row.get("rowid")?);
        if slice.is_over(merged.len()) {
            break;
        }
    }
    let mut delete =
        connection.prepare_cached("DELETE FROM budget_adjustments WHERE rowid = ?1")?;
    for rowid in &merged {
        delete.execute([rowid])?;
    }
    closings.write(connection)?;
    Ok(!merged.is_empty())
}
