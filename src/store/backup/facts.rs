//! What a manifest says of a database: its schema, how many rows it has, where the audit log ends.

use std::{collections::BTreeMap, path::Path};

use rusqlite::{Connection, Error};

use crate::store::{audit_events, columns, migrations, verify};

/// The tables of `ferrogate.db` whose rows are counted; an older schema lacks some.
const LEDGER_TABLES: [&str; 9] = [
    "metering_events",
    "budget_adjustments",
    "balances",
    "holds",
    "price_versions",
    "usage_rollups",
    "audit_events",
    "resources",
    "config_revisions",
];
const DAY_TABLES: [&str; 1] = ["request_logs"];

/// What one database holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) schema: i64,
    pub(super) rows: BTreeMap<String, u64>,
    pub(super) audit_head_hash: Option<String>,
}

/// Reads a copy that nobody has open.
pub(super) fn of_ledger(path: &Path) -> Result<Facts, Error> {
    let connection = verify::open_at_rest(path)?;
    let mut facts = of(&connection, &LEDGER_TABLES)?;
    if facts.rows.contains_key("audit_events") {
        let head = audit_events::head(&connection)?;
        facts.audit_head_hash = head.map(|head| super::digest::hex(&head.hash));
    }
    Ok(facts)
}

/// Reads a copy that nobody has open.
pub(super) fn of_day(path: &Path) -> Result<Facts, Error> {
    of(&verify::open_at_rest(path)?, &DAY_TABLES)
}

fn of(connection: &Connection, tables: &[&str]) -> Result<Facts, Error> {
    let mut facts = Facts {
        schema: migrations::applied_version(connection)?,
        ..Facts::default()
    };
    for table in tables {
        let is_there: bool = connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1)",
            [table],
            |row| row.get(0),
        )?;
        if is_there {
            let select = format!("SELECT count(*) AS n FROM {table}");
            let rows = connection.query_row(&select, [], |row| columns::count(row, "n"))?;
            facts.rows.insert((*table).to_owned(), rows);
        }
    }
    Ok(facts)
}
