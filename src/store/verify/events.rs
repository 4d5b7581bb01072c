//! One day's metering events and corrections: each row's own cost, and what it adds to rollups and balances.

use std::collections::HashMap;

use ferrogate_api::{Outcome, Tokens};
use rusqlite::{Error, OptionalExtension, Row, params};

use super::{Verification, day, report, rollups::DaySums};
use crate::ids::RequestId;
use crate::store::{
    balances::{CHARGE_COLUMNS, SLACK_MS, each_charge, event_charge, is_displaced},
    columns,
    listing::Position,
    usage_rollups::{Counted, Sums, is_failure},
};

/// What the corrections of one attempt come to.
#[derive(Debug, Default)]
struct Corrected {
    amount_nanos: i64,
    /// Of the last one.
    price_version: Option<i64>,
    at_unix_ms: i64,
    of: [String; 3],
}

impl Verification<'_> {
    /// Everything that happened on the day that begins at `start`.
    pub(super) fn day(&mut self, start: i64) -> Result<(), Error> {
        let mut sums = DaySums::default();
        self.events_by_id(start, &mut sums)?;
        self.displaced_events(start, &mut sums)?;
        self.corrections(start, &mut sums)?;
        self.compare_rollups(start, &sums)
    }

    fn events_by_id(&mut self, start: i64, sums: &mut DaySums) -> Result<(), Error> {
        let end = day::end(start);
        let mut select = self.connection.prepare_cached(&format!(
            "SELECT {CHARGE_COLUMNS}, * FROM metering_events
             WHERE request_id >= ?1 AND request_id < ?2 AND displaced = 0"
        ))?;
        let first = Position::start_of(start.saturating_sub(SLACK_MS));
        let last = Position::start_of(end.saturating_add(SLACK_MS));
        let mut rows = select.query(params![first.id(), last.id()])?;
        while let Some(row) = rows.next()? {
            let id = columns::request_id(row, "request_id")?;
            let at: i64 = row.get("occurred_at_unix_ms")?;
            let is_misplaced = is_displaced(id, at);
            // One that cannot be where its time says is counted where its id says, once.
            let counts_at = if is_misplaced { id.unix_ms() } else { at };
            if !(start..end).contains(&counts_at) {
                continue;
            }
            if is_misplaced {
                self.misplaced(row, id)?;
            }
            self.event(row, id, sums)?;
        }
        Ok(())
    }

    fn displaced_events(&mut self, start: i64, sums: &mut DaySums) -> Result<(), Error> {
        let mut select = self.connection.prepare_cached(&format!(
            "SELECT {CHARGE_COLUMNS}, * FROM metering_events INDEXED BY metering_events_displaced
             WHERE displaced = 1 AND occurred_at_unix_ms >= ?1 AND occurred_at_unix_ms < ?2"
        ))?;
        let mut rows = select.query(params![start, day::end(start)])?;
        while let Some(row) = rows.next()? {
            let id = columns::request_id(row, "request_id")?;
            if !is_displaced(id, row.get("occurred_at_unix_ms")?) {
                self.misplaced(row, id)?;
            }
            self.event(row, id, sums)?;
        }
        Ok(())
    }

    fn misplaced(&mut self, row: &Row<'_>, id: RequestId) -> Result<(), Error> {
        let at: i64 = row.get("occurred_at_unix_ms")?;
        let found: bool = row.get("displaced")?;
        let what = format!(
            "metering_events {} at {}: displaced",
            named(row, id)?,
            report::time(at)
        );
        self.report.differ(what, !found, found);
        Ok(())
    }

    fn event(&mut self, row: &Row<'_>, id: RequestId, sums: &mut DaySums) -> Result<(), Error> {
        if let Some(charge) = event_charge(row)? {
            self.balances.add(&charge);
        }
        let counted = counted(row)?;
        let of_event = Sums::from(counted);
        let at = row.get("occurred_at_unix_ms")?;
        let of = [
            text(row, "api_key_id")?,
            text(row, "model")?,
            text(row, "provider")?,
        ];
        sums.add(&mut self.names, at, of, &of_event);
        let report = &mut self.report;
        report.metering_events += 1;
        report.tokens += of_event.tokens;
        report.cost_nanos = report.cost_nanos.saturating_add(of_event.cost_nanos);
        report.cache_hits += u64::from(counted.cache_hit);
        report.saved_nanos = report.saved_nanos.saturating_add(of_event.saved_nanos);
        self.compare_cost(row, id, &counted)
    }

    fn compare_cost(
        &mut self,
        row: &Row<'_>,
        id: RequestId,
        counted: &Counted,
    ) -> Result<(), Error> {
        let found = counted.cost_nanos;
        let Some(version) = row.get("price_version")? else {
            self.report.without_price_version += u64::from(found.is_some());
            return Ok(());
        };
        let expected = self.cost(counted.tokens, version);
        if expected.as_ref() != Ok(&found) {
            let what = format!("metering_events {}: cost_nanos", named(row, id)?);
            let expected = expected.map_or_else(|why| why, report::optional);
            self.report.differ(what, expected, report::optional(found));
        }
        Ok(())
    }

    fn corrections(&mut self, start: i64, sums: &mut DaySums) -> Result<(), Error> {
        let span = (start, day::end(start));
        each_charge(self.connection, span, |charge| self.balances.add(charge))?;
        let mut attempts: HashMap<(RequestId, i64), Corrected> = HashMap::new();
        let mut select = self.connection.prepare_cached(
            "SELECT * FROM budget_adjustments INDEXED BY budget_adjustments_charges
             WHERE kind IN ('correction', 'closing') AND starts_at_unix_ms >= ?1 AND starts_at_unix_ms < ?2
                 AND request_id IS NOT NULL
             ORDER BY rowid",
        )?;
        let mut rows = select.query(params![span.0, span.1])?;
        while let Some(row) = rows.next()? {
            let attempt = (columns::request_id(row, "request_id")?, row.get("attempt")?);
            let corrected = attempts.entry(attempt).or_default();
            let amount = row.get("amount")?;
            corrected.amount_nanos = corrected.amount_nanos.saturating_add(amount);
            corrected.price_version = row.get("price_version")?;
            corrected.at_unix_ms = row.get("starts_at_unix_ms")?;
            corrected.of = [
                row.get("api_key_id")?,
                row.get("model")?,
                row.get("provider")?,
            ];
        }
        for (attempt, corrected) in attempts {
            self.corrected(attempt, &corrected, sums)?;
        }
        Ok(())
    }

    /// An attempt costs, with all its corrections, what the price of the last one says.
    fn corrected(
        &mut self,
        (id, attempt): (RequestId, i64),
        corrected: &Corrected,
        sums: &mut DaySums,
    ) -> Result<(), Error> {
        let event: Option<(Tokens, Option<i64>)> = self
            .connection
            .prepare_cached("SELECT * FROM metering_events WHERE request_id = ?1 AND attempt = ?2")?
            .query_row(params![id.as_bytes(), attempt], |row| {
                Ok((columns::tokens(row)?, row.get("cost_nanos")?))
            })
            .optional()?;
        let what = format!("budget_adjustments {id}/{attempt}: cost with corrections");
        let Some((tokens, cost_nanos)) = event else {
            self.report
                .differ(what, "no such attempt", corrected.amount_nanos);
            return Ok(());
        };
        let of_corrections = Sums::correction(corrected.amount_nanos, cost_nanos.is_none());
        let of = [&*corrected.of[0], &*corrected.of[1], &*corrected.of[2]];
        sums.add(&mut self.names, corrected.at_unix_ms, of, &of_corrections);
        let report = &mut self.report;
        report.cost_nanos = report.cost_nanos.saturating_add(corrected.amount_nanos);
        let Some(version) = corrected.price_version else {
            return Ok(());
        };
        let found = cost_nanos
            .unwrap_or_default()
            .saturating_add(corrected.amount_nanos);
        let expected = self.cost(tokens, version);
        if expected != Ok(Some(found)) {
            let expected = expected.map_or_else(|why| why, report::optional);
            self.report.differ(what, expected, found);
        }
        Ok(())
    }
}

fn counted(row: &Row<'_>) -> Result<Counted, Error> {
    Ok(Counted {
        // A name that is none of ours is no success either.
        failed: match Outcome::parse(text(row, "outcome")?) {
            Some(outcome) => is_failure(outcome, row.get("status")?),
            None => true,
        },
        cache_hit: row.get("cache_hit")?,
        tokens: columns::tokens(row)?,
        cost_nanos: row.get("cost_nanos")?,
        saved_nanos: row.get("saved_nanos")?,
    })
}

fn named(row: &Row<'_>, id: RequestId) -> Result<String, Error> {
    let attempt: i64 = row.get("attempt")?;
    Ok(format!("{id}/{attempt}"))
}

fn text<'r>(row: &'r Row<'_>, column: &'static str) -> Result<&'r str, Error> {
    Ok(columns::text(row, column)?.unwrap_or_default())
}
