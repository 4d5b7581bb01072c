//! One slice of a reckoning: the rows it looks at, and the corrections it writes.

use ferrogate_api::MeteringEvent;
use rusqlite::{Connection, Error, Row, params};

use super::{
    super::{
        balances::{Accounts, Charge, SLACK_MS},
        budget_adjustments::{self, Correction},
        listing::Position,
        metering_events,
        usage_rollups::{Rollups, Sums},
    },
    Draft, NewPrices, Reckoned, Reprice, columns,
};
use crate::ids::RequestId;

/// How many rows one transaction looks at, some ten milliseconds' worth.
const SLICE_ROWS: usize = 2_000;

/// Where a reckoning is: first along the ids, then through the rows that these do not lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The rows after this one.
    ById(Position),
    /// The displaced rows after this time and row.
    Displaced(i64, Position),
}

impl Place {
    pub(super) fn beginning(since_unix_ms: i64) -> Self {
        Self::ById(Position::start_of(since_unix_ms.saturating_sub(SLACK_MS)))
    }
}

/// A row of the ledger and what its corrections add up to.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) event: MeteringEvent,
    request_id: RequestId,
    corrections: u32,
    corrected_nanos: i64,
}

impl Attempt {
    /// What it costs so far; `None` where it has no price yet.
    pub(super) fn charged(&self) -> Option<i64> {
        match (self.event.cost_nanos, self.corrections) {
            (None, 0) => None,
            (cost, _) => Some(
                cost.unwrap_or_default()
                    .saturating_add(self.corrected_nanos),
            ),
        }
    }

    fn position(&self) -> Position {
        Position::of(self.request_id).with_attempt(i64::from(self.event.attempt))
    }
}

const COLUMNS: &str = "metering_events.*,
    (SELECT count(*) FROM budget_adjustments INDEXED BY budget_adjustments_by_attempt
         WHERE budget_adjustments.request_id IS NOT NULL
             AND budget_adjustments.request_id = metering_events.request_id
             AND budget_adjustments.attempt = metering_events.attempt) AS corrections,
    (SELECT coalesce(sum(amount), 0) FROM budget_adjustments INDEXED BY budget_adjustments_by_attempt
         WHERE budget_adjustments.request_id IS NOT NULL
             AND budget_adjustments.request_id = metering_events.request_id
             AND budget_adjustments.attempt = metering_events.attempt) AS corrected_nanos";

/// The attempts of one slice, and where the next one begins; `None` after the last.
pub(super) fn read(
    connection: &Connection,
    place: Place,
    since_unix_ms: i64,
) -> Result<(Vec<Attempt>, Option<Place>), Error> {
    let mut attempts = select(connection, place)?;
    let next = match (attempts.len() < SLICE_ROWS, place, attempts.last()) {
        (true, Place::ById(_), _) => Some(Place::Displaced(since_unix_ms, Position::start_of(0))),
        (true, Place::Displaced(..), _) | (false, _, None) => None,
        (false, Place::ById(_), Some(last)) => Some(Place::ById(last.position())),
        (false, Place::Displaced(..), Some(last)) => Some(Place::Displaced(
            last.event.occurred_at_unix_ms,
            last.position(),
        )),
    };
    attempts.retain(|attempt| {
        !attempt.event.cache_hit && attempt.event.occurred_at_unix_ms >= since_unix_ms
    });
    Ok((attempts, next))
}

fn select(connection: &Connection, place: Place) -> Result<Vec<Attempt>, Error> {
    match place {
        Place::ById(after) => connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM metering_events
                 WHERE (request_id, attempt) > (?1, ?2) AND displaced = 0
                 ORDER BY request_id, attempt LIMIT {SLICE_ROWS}"
            ))?
            .query_map(params![after.id(), after.attempt()], attempt)?
            .collect(),
        Place::Displaced(at, after) => connection
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM metering_events INDEXED BY metering_events_displaced
                 WHERE displaced = 1 AND occurred_at_unix_ms >= ?1
                     AND (occurred_at_unix_ms, request_id, attempt) > (?1, ?2, ?3)
                 ORDER BY occurred_at_unix_ms, request_id, attempt LIMIT {SLICE_ROWS}"
            ))?
            .query_map(params![at, after.id(), after.attempt()], attempt)?
            .collect(),
    }
}

fn attempt(row: &Row<'_>) -> Result<Attempt, Error> {
    Ok(Attempt {
        event: metering_events::event(row)?,
        request_id: columns::request_id(row, "request_id")?,
        corrections: row.get("corrections")?,
        corrected_nanos: row.get("corrected_nanos")?,
    })
}

/// Appends the corrections, and adds them to rollups and open balances.
pub(super) fn correct(
    connection: &Connection,
    order: &Reprice,
    corrections: &[Reckoned<'_>],
    (draft, prices): (&mut Draft<'_>, &mut NewPrices<'_>),
) -> Result<(), Error> {
    let mut insert = budget_adjustments::Insert::prepare(connection)?;
    let mut rollups = Rollups::default();
    for reckoned in corrections {
        let attempt = reckoned.attempt;
        let event = &attempt.event;
        let is_new = insert.correct(&Correction {
            request_id: attempt.request_id,
            event,
            earlier: attempt.corrections,
            amount_nanos: reckoned.amount_nanos,
            price_version: prices.version_of(connection, &reckoned.price)?,
            reason: &order.reason,
            actor: &order.audit.actor,
            created_at_unix_ms: order.audit.occurred_at_unix_ms,
        })?;
        if !is_new {
            continue;
        }
        let gives_a_price = attempt.charged().is_none();
        rollups.add_sums(
            event,
            &Sums::correction(reckoned.amount_nanos, gives_a_price),
        );
        draft.add(&Charge {
            accounts: Accounts::path(&event.api_key_id, event.tenant.as_deref()),
            at_unix_ms: event.occurred_at_unix_ms,
            tokens: 0,
            money_nanos: reckoned.amount_nanos,
        });
    }
    rollups.write(connection)
}
