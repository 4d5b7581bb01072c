//! Does the ledger add up? Reads it once, without writing anything, and reckons everything that can be reckoned from
//! its rows: rollups, balances, costs, the chain of the audit log.
//!
//! It reads one moment of a ledger that is in use, is stopped, or was left by a killed process.

mod audit;
mod day;
mod events;
mod open;
mod report;
mod rollups;

use std::{collections::HashMap, path::Path};

use ferrogate_api::{BalanceKey, Tokens};
use rusqlite::{Connection, Error};

pub use audit::verify_audit;
pub use report::{Difference, LedgerReport, OpenHolds};

pub(super) use audit::verify_chain;
pub(super) use open::open_at_rest;

use super::{
    LEDGER_FILE, StoreError,
    balances::{Book, each_balance},
    columns, price_versions,
    repricing::CostOf,
    retention::{HOURS, METERING_EVENTS, MINUTES, kept_from},
};
use crate::config::Price;

/// Reckons the ledger of a data directory.
///
/// # Errors
/// When there is no ledger, when another version of FerroGate has written it, or when it cannot be read.
pub fn verify(directory: &Path, cost_of: CostOf) -> Result<LedgerReport, StoreError> {
    let ledger = open::open(directory)?;
    let failed = |source| StoreError::Read {
        what: "the ledger",
        source,
    };
    // Everything is read in one transaction, so that all of it is of one moment.
    let transaction = ledger.connection.unchecked_transaction().map_err(failed)?;
    Verification::new(&transaction, cost_of)
        .and_then(Verification::run)
        .map_err(failed)
}

/// Whether there is a ledger in this directory.
pub fn has_ledger(directory: &Path) -> bool {
    directory.join(LEDGER_FILE).is_file()
}

/// What is known so far.
struct Verification<'c> {
    connection: &'c Connection,
    cost_of: CostOf,
    prices: HashMap<i64, Price>,
    /// The balances of the table, reckoned from nothing.
    balances: Book,
    report: LedgerReport,
    names: rollups::Names,
    kept_from: KeptFrom,
}

/// From when on rows are whole, because none of them has left; from the beginning where nothing ever did.
#[derive(Debug)]
struct KeptFrom {
    events_unix_ms: i64,
    minutes_unix_ms: i64,
    hours_unix_ms: i64,
}

impl KeptFrom {
    fn load(connection: &Connection) -> Result<Self, Error> {
        let of = |job| kept_from(connection, job).map(|from| from.unwrap_or(day::FIRST_UNIX_MS));
        Ok(Self {
            events_unix_ms: of(METERING_EVENTS)?,
            minutes_unix_ms: of(MINUTES)?,
            hours_unix_ms: of(HOURS)?,
        })
    }
}

impl<'c> Verification<'c> {
    fn new(connection: &'c Connection, cost_of: CostOf) -> Result<Self, Error> {
        let mut prices = HashMap::new();
        price_versions::each(connection, |id, price| {
            prices.insert(id, price);
        })?;
        let mut keys: Vec<BalanceKey> = Vec::new();
        each_balance(connection, |key, _| keys.push(key))?;
        Ok(Self {
            connection,
            cost_of,
            report: LedgerReport {
                price_versions: columns::length(prices.len()),
                ..LedgerReport::default()
            },
            prices,
            balances: Book::of(&keys),
            names: rollups::Names::default(),
            kept_from: KeptFrom::load(connection)?,
        })
    }

    fn run(mut self) -> Result<LedgerReport, Error> {
        let mut from = day::FIRST_UNIX_MS;
        while let Some(start) = day::next(self.connection, from)? {
            self.day(start)?;
            from = day::end(start);
        }
        self.rows_that_no_day_has()?;
        self.compare_balances()?;
        self.audit_chain()?;
        self.report.open_holds = open_holds(self.connection)?;
        self.report.adjustments = count(self.connection, "budget_adjustments")?;
        self.report.kept_from_unix_ms = kept_from(self.connection, METERING_EVENTS)?;
        Ok(self.report)
    }

    /// What lies outside of every day that was looked at is found by counting.
    fn rows_that_no_day_has(&mut self) -> Result<(), Error> {
        for (table, seen) in [
            ("metering_events", self.report.metering_events),
            ("usage_rollups", self.report.usage_rollups),
        ] {
            let rows = count(self.connection, table)?;
            if rows != seen {
                let what = format!("{table}: rows with a time that can be");
                self.report.differ(what, rows, seen);
            }
        }
        Ok(())
    }

    fn compare_balances(&mut self) -> Result<(), Error> {
        let Self {
            connection,
            balances,
            report,
            ..
        } = self;
        each_balance(connection, |key, used| {
            report.balances += 1;
            let expected = balances.get(&key).unwrap_or_default();
            if used != expected {
                let (account, unit) = (&key.account, key.unit.as_str());
                let [start, end] = [key.start_unix_ms, key.end_unix_ms].map(report::time);
                let what = format!("balances {account} {unit} {start} to {end}: used");
                report.differ(what, expected, used);
            }
        })
    }

    /// What tokens of an attempt cost by a version of a price; the error says why that cannot be said.
    fn cost(&self, tokens: Tokens, version: i64) -> Result<Option<i64>, String> {
        match self.prices.get(&version) {
            Some(price) => Ok((self.cost_of)(tokens, *price)),
            None => Err(format!("version {version}, which is not there")),
        }
    }
}

fn count(connection: &Connection, table: &str) -> Result<u64, Error> {
    connection.query_row(&format!("SELECT count(*) AS n FROM {table}"), [], |row| {
        columns::count(row, "n")
    })
}

fn open_holds(connection: &Connection) -> Result<OpenHolds, Error> {
    let mut select = connection.prepare("SELECT * FROM holds")?;
    let mut rows = select.query([])?;
    let mut open = OpenHolds::default();
    while let Some(row) = rows.next()? {
        open.requests += 1;
        open.tokens = open.tokens.saturating_add(columns::tokens(row)?.total());
        let cost: Option<i64> = row.get("cost_nanos")?;
        open.cost_nanos = open.cost_nanos.saturating_add(cost.unwrap_or_default());
    }
    Ok(open)
}
