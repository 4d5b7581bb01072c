//! Balances: what accounts have used of the windows that their budgets stand on.
//!
//! 1. A balance is a sum over the ledger: every metering event in its window whose accounts include its own, and every
//!    correction in it. Nothing else can change it.
//! 2. Nobody has to know that sum in advance. Whoever needs a balance asks for it; from then on the writer keeps it in
//!    its [`Book`] and in the table, and adds what it writes in the transaction that writes it.
//! 3. A question is answered with the sum over what was handed over before it, not over what came later.
//! 4. A window that is over leaves book and table. What still happens in it is in the ledger, as ever.

mod book;
mod charge;
mod fold;

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ferrogate_api::{AccountKind, AccountRef, BalanceKey, BudgetUnit};
use rusqlite::{Connection, Error, Row, params};
use tokio::sync::oneshot;

use super::{Store, StoreError, columns, queue::Message};

pub(super) use book::{Book, Draft};
pub(super) use charge::{Accounts, Charge};
pub(super) use fold::{CHARGE_COLUMNS, SLACK_MS, each_charge, event_charge, fold, is_displaced};

/// Where a balance stops growing, so that an absurd amount distorts its own sum and makes no addition overflow.
pub(super) const BALANCE_MAX: i64 = i64::MAX / 4;

/// The answer to a question for balances, in its order.
#[derive(Debug)]
pub struct OpenedBalances(oneshot::Receiver<Result<Vec<i64>, StoreError>>);

pub(super) type OpenedReply = oneshot::Sender<Result<Vec<i64>, StoreError>>;

impl Future for OpenedBalances {
    type Output = Result<Vec<i64>, StoreError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(answer.unwrap_or(Err(StoreError::Closed)))
    }
}

impl Store {
    /// Asks for balances, and for their being kept from now on. The question is in the writer's queue when this
    /// returns: the answer is the sum over everything that was handed over before, and nothing of what comes after.
    ///
    /// It resolves to one value for each key, or to the error of the commit that failed; then ask again.
    pub fn open_balances(&self, keys: Vec<BalanceKey>) -> OpenedBalances {
        let (reply, answer) = oneshot::channel();
        let question = Message::OpenBalances {
            keys,
            reply: Some(reply),
        };
        // A closed queue drops the question and with it the reply, which says so.
        drop(self.0.queue.push(question, true));
        OpenedBalances(answer)
    }

    /// Has balances kept from now on, for a caller who knows what they begin with. Never waits.
    pub fn open_balances_later(&self, keys: Vec<BalanceKey>) {
        let question = Message::OpenBalances { keys, reply: None };
        drop(self.0.queue.push(question, false));
    }
}

/// Reads every row of the table.
pub(super) fn each_balance(
    connection: &Connection,
    mut each: impl FnMut(BalanceKey, i64),
) -> Result<(), Error> {
    let mut select = connection.prepare("SELECT * FROM balances")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        each(key(row)?, row.get("used")?);
    }
    Ok(())
}

fn key(row: &Row<'_>) -> Result<BalanceKey, Error> {
    Ok(BalanceKey {
        account: AccountRef {
            kind: columns::named(row, "account_kind", AccountKind::parse)?,
            id: row.get("account_id")?,
        },
        unit: columns::named(row, "unit", BudgetUnit::parse)?,
        start_unix_ms: row.get("start_unix_ms")?,
        end_unix_ms: row.get("end_unix_ms")?,
    })
}

fn write_row(connection: &Connection, key: &BalanceKey, used: i64) -> Result<(), Error> {
    let mut upsert = connection.prepare_cached(
        "INSERT OR REPLACE INTO balances (account_kind, account_id, unit, start_unix_ms, end_unix_ms, used)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    upsert.execute(params![
        key.account.kind.as_str(),
        key.account.id,
        key.unit.as_str(),
        key.start_unix_ms,
        key.end_unix_ms,
        used,
    ])?;
    Ok(())
}

/// What the next batch would take from the table.
pub(super) fn drop_what_is_over(connection: &Connection, now_unix_ms: i64) -> Result<(), Error> {
    connection
        .prepare_cached("DELETE FROM balances WHERE end_unix_ms <= ?1")?
        .execute([now_unix_ms])?;
    Ok(())
}

fn delete_row(connection: &Connection, key: &BalanceKey) -> Result<(), Error> {
    let mut delete = connection.prepare_cached(
        "DELETE FROM balances WHERE account_kind = ?1 AND account_id = ?2 AND unit = ?3
             AND start_unix_ms = ?4 AND end_unix_ms = ?5",
    )?;
    delete.execute(params![
        key.account.kind.as_str(),
        key.account.id,
        key.unit.as_str(),
        key.start_unix_ms,
        key.end_unix_ms,
    ])?;
    Ok(())
}
