//! Holds: what a request in flight may still use, committed before an upstream is asked.
//!
//! A hold leaves in the transaction that writes the request's ledger rows. One that is found when the ledger is
//! opened belongs to a request whose end nobody saw: it is charged, once, and marked.

use std::sync::Arc;

use ferrogate_api::{AccountKind, MeteringEvent, Outcome, TenantContext, Tokens, UsageSource};
use rusqlite::{CachedStatement, Connection, Error, Row, TransactionBehavior, params};

use super::{
    balances::{Book, Draft},
    columns, metering_events,
    usage_rollups::Rollups,
};
use crate::config::Price;
use crate::ids::RequestId;

/// What one attempt of a request may use of its provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub request_id: RequestId,
    /// 1 for the first attempt of a request.
    pub attempt: u32,
    pub created_at_unix_ms: i64,
    pub api_key_id: Arc<str>,
    /// Whose key it is; absent for a key without tenants.
    pub tenant: Option<Arc<TenantContext>>,
    pub endpoint: Arc<str>,
    pub model: Arc<str>,
    pub provider: Arc<str>,
    pub provider_model: Arc<str>,
    pub stream: bool,
    /// An estimate: the prompt, and the most that may be answered.
    pub tokens: Tokens,
    /// Nano-units (10⁻⁹); absent when the model has no price.
    pub cost_nanos: Option<i64>,
    /// What `cost_nanos` was reckoned with.
    pub price: Option<Price>,
}

/// The gateway died under the request, so no client was sent a status; this is what it would have been.
const ORPHAN_STATUS: u16 = 500;

const UPSERT: &str = "INSERT OR REPLACE INTO holds (
        request_id, attempt, created_at_unix_ms, api_key_id, endpoint, model, provider, provider_model, stream,
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_nanos,
        organization_id, team_id, project_id, user_id, price_version
    ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)";
const DELETE: &str = "DELETE FROM holds WHERE request_id = ?1";

/// The statements that open and clear holds, prepared once per batch.
pub(super) struct HoldStatements<'c> {
    upsert: CachedStatement<'c>,
    delete: CachedStatement<'c>,
}

impl<'c> HoldStatements<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> Result<Self, Error> {
        Ok(Self {
            upsert: connection.prepare_cached(UPSERT)?,
            delete: connection.prepare_cached(DELETE)?,
        })
    }

    pub(super) fn open(&mut self, hold: &Hold, price_version: Option<i64>) -> Result<(), Error> {
        let tenant = |kind| columns::tenant_id(hold.tenant.as_deref(), kind);
        self.upsert.execute(params![
            hold.request_id.as_bytes(),
            hold.attempt,
            hold.created_at_unix_ms,
            hold.api_key_id,
            hold.endpoint,
            hold.model,
            hold.provider,
            hold.provider_model,
            hold.stream,
            columns::from_count(hold.tokens.input),
            columns::from_count(hold.tokens.output),
            columns::from_count(hold.tokens.cache_read),
            columns::from_count(hold.tokens.cache_write),
            columns::from_count(hold.tokens.reasoning),
            hold.cost_nanos,
            tenant(AccountKind::Organization),
            tenant(AccountKind::Team),
            tenant(AccountKind::Project),
            tenant(AccountKind::User),
            price_version,
        ])?;
        Ok(())
    }

    pub(super) fn clear(&mut self, request: RequestId) -> Result<(), Error> {
        self.delete.execute([request.as_bytes()])?;
        Ok(())
    }
}

/// Turns every hold that is left into a ledger row, in one transaction, and says how many there were. An attempt that
/// has a ledger row already was settled by it; its hold is only removed.
///
/// They count for the time of the charge, `now_unix_ms`: sums of windows that have passed stay as they were reported.
/// The book comes from the same transaction: the balances that are still open, with the holds charged to them.
pub(super) fn charge_orphans(
    connection: &mut Connection,
    now_unix_ms: i64,
) -> Result<(u64, Book), Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut book = Book::load(&transaction)?;
    let orphans = unsettled(&transaction, now_unix_ms)?;
    let mut rollups = Rollups::default();
    let mut draft = Draft::new(&book, now_unix_ms);
    {
        let mut insert = metering_events::Insert::prepare(&transaction)?;
        for orphan in &orphans {
            if insert.insert(orphan, orphan.price_version)? {
                rollups.add(orphan);
                draft.charge(orphan);
            }
        }
    }
    rollups.write(&transaction)?;
    let touched = draft.write(&transaction)?;
    transaction.execute("DELETE FROM holds", [])?;
    transaction.commit()?;
    book.apply(touched);
    Ok((columns::length(orphans.len()), book))
}

fn unsettled(connection: &Connection, now_unix_ms: i64) -> Result<Vec<MeteringEvent>, Error> {
    let mut select = connection.prepare(
        "SELECT * FROM holds WHERE NOT EXISTS (
             SELECT 1 FROM metering_events WHERE metering_events.request_id = holds.request_id
               AND metering_events.attempt = holds.attempt
         )",
    )?;
    select
        .query_map([], |row| orphan(row, now_unix_ms))?
        .collect()
}

fn orphan(row: &Row<'_>, now_unix_ms: i64) -> Result<MeteringEvent, Error> {
    Ok(MeteringEvent {
        request_id: columns::request_id(row, "request_id")?.to_string(),
        attempt: row.get("attempt")?,
        occurred_at_unix_ms: now_unix_ms,
        api_key_id: row.get("api_key_id")?,
        tenant: columns::tenant(row)?,
        endpoint: row.get("endpoint")?,
        model: row.get("model")?,
        provider: row.get("provider")?,
        provider_model: row.get("provider_model")?,
        status: ORPHAN_STATUS,
        outcome: Outcome::Orphaned,
        stream: row.get("stream")?,
        tokens: columns::tokens(row)?,
        usage_source: UsageSource::Estimated,
        cost_nanos: row.get("cost_nanos")?,
        price_version: row.get("price_version")?,
        cache_hit: false,
        saved_nanos: None,
    })
}
