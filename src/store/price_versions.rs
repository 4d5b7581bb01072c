//! Every price that a cost in the ledger was reckoned with, each once, so that the cost can be reckoned again.

use std::collections::HashMap;

use rusqlite::{Connection, Error, Row, params};

use super::columns;
use crate::config::{LongContext, Price};

/// The rates of a price, in the order of their columns.
type Rates = [Option<i64>; 9];

const COLUMNS: [&str; 9] = [
    "input_micros_per_million",
    "output_micros_per_million",
    "cache_read_micros_per_million",
    "cache_write_micros_per_million",
    "long_above_input_tokens",
    "long_input_micros_per_million",
    "long_output_micros_per_million",
    "long_cache_read_micros_per_million",
    "long_cache_write_micros_per_million",
];

/// The versions in the table, by their rates; the writer thread's own.
#[derive(Debug, Default)]
pub(super) struct PriceVersions(HashMap<Rates, i64>);

/// What a transaction adds to them. Dropped with a transaction that fails.
#[derive(Debug)]
pub(super) struct NewPrices<'v> {
    known: &'v PriceVersions,
    added: HashMap<Rates, i64>,
    now_unix_ms: i64,
}

/// The versions that a committed transaction has added.
#[derive(Debug)]
pub(super) struct AddedPrices(HashMap<Rates, i64>);

impl PriceVersions {
    pub(super) fn load(connection: &Connection) -> Result<Self, Error> {
        let mut versions = HashMap::new();
        each(connection, |id, price| {
            versions.extend(rates(&price).map(|rates| (rates, id)));
        })?;
        Ok(Self(versions))
    }

    pub(super) fn apply(&mut self, added: AddedPrices) {
        self.0.extend(added.0);
    }
}

impl<'v> NewPrices<'v> {
    pub(super) fn new(known: &'v PriceVersions, now_unix_ms: i64) -> Self {
        Self {
            known,
            added: HashMap::new(),
            now_unix_ms,
        }
    }

    /// The version of this price, which is written where it is new. `None` for one that no column can hold.
    pub(super) fn version_of(
        &mut self,
        connection: &Connection,
        price: &Price,
    ) -> Result<Option<i64>, Error> {
        let Some(rates) = rates(price) else {
            return Ok(None);
        };
        let known = self.known.0.get(&rates).or_else(|| self.added.get(&rates));
        if let Some(id) = known {
            return Ok(Some(*id));
        }
        let id = insert(connection, &rates, self.now_unix_ms)?;
        self.added.insert(rates, id);
        Ok(Some(id))
    }

    pub(super) fn added(self) -> AddedPrices {
        AddedPrices(self.added)
    }
}

fn insert(connection: &Connection, rates: &Rates, now_unix_ms: i64) -> Result<i64, Error> {
    let mut insert = connection.prepare_cached(&format!(
        "INSERT INTO price_versions (created_at_unix_ms, {}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        COLUMNS.join(", ")
    ))?;
    let [a, b, c, d, e, f, g, h, i] = rates;
    insert.insert(params![now_unix_ms, a, b, c, d, e, f, g, h, i])
}

/// Reads every version.
pub(super) fn each(connection: &Connection, mut each: impl FnMut(i64, Price)) -> Result<(), Error> {
    let mut select = connection.prepare("SELECT * FROM price_versions")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        each(row.get("id")?, price(row)?);
    }
    Ok(())
}

fn rates(price: &Price) -> Option<Rates> {
    let long = price.long_context;
    let rates = [
        Some(price.input_micros_per_million),
        Some(price.output_micros_per_million),
        price.cache_read_micros_per_million,
        price.cache_write_micros_per_million,
        long.map(|long| long.above_input_tokens),
        long.map(|long| long.input_micros_per_million),
        long.map(|long| long.output_micros_per_million),
        long.and_then(|long| long.cache_read_micros_per_million),
        long.and_then(|long| long.cache_write_micros_per_million),
    ];
    let mut columns = Rates::default();
    for (column, rate) in columns.iter_mut().zip(rates) {
        *column = rate.map(i64::try_from).transpose().ok()?;
    }
    Some(columns)
}

fn price(row: &Row<'_>) -> Result<Price, Error> {
    let long = match columns::optional_count(row, "long_above_input_tokens")? {
        Some(above_input_tokens) => Some(LongContext {
            above_input_tokens,
            input_micros_per_million: columns::count(row, "long_input_micros_per_million")?,
            output_micros_per_million: columns::count(row, "long_output_micros_per_million")?,
            cache_read_micros_per_million: columns::optional_count(
                row,
                "long_cache_read_micros_per_million",
            )?,
            cache_write_micros_per_million: columns::optional_count(
                row,
                "long_cache_write_micros_per_million",
            )?,
        }),
        None => None,
    };
    Ok(Price {
        input_micros_per_million: columns::count(row, "input_micros_per_million")?,
        output_micros_per_million: columns::count(row, "output_micros_per_million")?,
        cache_read_micros_per_million: columns::optional_count(
            row,
            "cache_read_micros_per_million",
        )?,
        cache_write_micros_per_million: columns::optional_count(
            row,
            "cache_write_micros_per_million",
        )?,
        long_context: long,
    })
}
