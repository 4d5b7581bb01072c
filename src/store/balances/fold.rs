//! Sums over the ledger for balances that nobody has kept so far.

use ferrogate_api::{AccountKind, BudgetUnit};
use rusqlite::{Connection, Error, Row, Rows, params};

use super::{
    super::{columns, listing::Position},
    Accounts, BALANCE_MAX, Book, Charge,
};
use crate::ids::RequestId;

/// Rows are found by the time in their request's id. One that happened further from it than this is marked when it is
/// written, and found by the mark. Rows out there are marked by it: it must never change.
pub(in crate::store) const SLACK_MS: i64 = 600_000;

/// Whether a row cannot be found by the time in its id.
pub(in crate::store) fn is_displaced(id: RequestId, occurred_at_unix_ms: i64) -> bool {
    occurred_at_unix_ms.abs_diff(id.unix_ms()) > SLACK_MS.unsigned_abs()
}

/// What a row of `metering_events` charges, read by position: a sum over the ledger reads very many of them.
pub(in crate::store) const CHARGE_COLUMNS: &str = "occurred_at_unix_ms, cache_hit, input_tokens, output_tokens, \
     cost_nanos, api_key_id, user_id, project_id, team_id, organization_id";
const ACCOUNTS_AT: usize = 5;

/// Adds to each balance of `book` what the ledger holds for it: one pass, however many balances there are.
pub(in crate::store) fn fold(connection: &Connection, book: &mut Book) -> Result<(), Error> {
    let Some((start, end)) = book.span() else {
        return Ok(());
    };
    let mut select = connection.prepare_cached(&format!(
        "SELECT {CHARGE_COLUMNS} FROM metering_events
         WHERE request_id >= ?1 AND request_id < ?2 AND displaced = 0"
    ))?;
    let first = Position::start_of(start.saturating_sub(SLACK_MS));
    let last = Position::start_of(end.saturating_add(SLACK_MS));
    add_all(book, &mut select.query(params![first.id(), last.id()])?)?;
    let mut select = connection.prepare_cached(&format!(
        "SELECT {CHARGE_COLUMNS} FROM metering_events INDEXED BY metering_events_displaced
         WHERE displaced = 1 AND occurred_at_unix_ms >= ?1 AND occurred_at_unix_ms < ?2"
    ))?;
    add_all(book, &mut select.query(params![start, end])?)?;
    each_charge(connection, (start, end), |charge| book.add(charge))
}

fn add_all(book: &mut Book, rows: &mut Rows<'_>) -> Result<(), Error> {
    while let Some(row) = rows.next()? {
        if let Some(charge) = event_charge(row)? {
            book.add(&charge);
        }
    }
    Ok(())
}

/// Reads [`CHARGE_COLUMNS`], which come first in the row; `None` for an answer from the cache, which uses nothing.
pub(in crate::store) fn event_charge<'r>(row: &'r Row<'_>) -> Result<Option<Charge<'r>>, Error> {
    if row.get(1)? {
        return Ok(None);
    }
    let [input, output]: [i64; 2] = [row.get(2)?, row.get(3)?];
    let mut accounts_at = ACCOUNTS_AT..;
    Ok(Some(Charge {
        accounts: Accounts::of(|_| {
            let at = accounts_at.next().unwrap_or(ACCOUNTS_AT);
            Ok::<_, Error>(row.get_ref(at)?.as_str_or_null()?)
        })?,
        at_unix_ms: row.get(0)?,
        tokens: input.saturating_add(output).min(BALANCE_MAX),
        money_nanos: row.get::<_, Option<i64>>(4)?.unwrap_or_default(),
    }))
}

/// Calls `each` with every adjustment that counts as used in `span`.
pub(in crate::store) fn each_charge(
    connection: &Connection,
    (start, end): (i64, i64),
    mut each: impl FnMut(&Charge<'_>),
) -> Result<(), Error> {
    let mut select = connection.prepare_cached(
        "SELECT * FROM budget_adjustments INDEXED BY budget_adjustments_charges
         WHERE kind IN ('correction', 'closing') AND starts_at_unix_ms >= ?1 AND starts_at_unix_ms < ?2",
    )?;
    let mut rows = select.query(params![start, end])?;
    while let Some(row) = rows.next()? {
        let accounts = if columns::text(row, "api_key_id")?.is_some() {
            Accounts::of(|kind| columns::text(row, columns::account_column(kind)))?
        } else {
            let kind = columns::named(row, "account_kind", AccountKind::parse)?;
            let id = columns::text(row, "account_id")?.unwrap_or_default();
            Accounts::alone(kind, id)
        };
        let unit = columns::named(row, "unit", BudgetUnit::parse)?;
        each(&Charge::in_unit(
            accounts,
            row.get("starts_at_unix_ms")?,
            unit,
            row.get("amount")?,
        ));
    }
    Ok(())
}
