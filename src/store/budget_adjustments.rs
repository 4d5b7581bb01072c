//! What budgets are held to beside the metered rows: top-ups, raises, corrections. Append-only.

use ferrogate_api::{
    AccountKind, AccountRef, AdjustmentKind, BudgetAdjustment, BudgetUnit, MeteringEvent,
};
use rusqlite::{CachedStatement, Connection, Error, Row, params};

use super::{
    Store, StoreError,
    audit_events::AuditEntry,
    balances::{Accounts, Charge},
    columns,
    queue::Message,
    slot::Commit,
};
use crate::ids::RequestId;

const INSERT: &str = "INSERT OR IGNORE INTO budget_adjustments (
        id, kind, account_kind, account_id, budget_id, unit, amount, starts_at_unix_ms, ends_at_unix_ms,
        reason, actor, created_at_unix_ms, request_id, attempt, model, provider, api_key_id,
        organization_id, team_id, project_id, user_id, price_version
    ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)";

/// What one attempt costs more, or less, than its row says.
#[derive(Debug)]
pub(super) struct Correction<'e> {
    pub(super) request_id: RequestId,
    pub(super) event: &'e MeteringEvent,
    /// How many corrections the attempt has already.
    pub(super) earlier: u32,
    pub(super) amount_nanos: i64,
    pub(super) price_version: Option<i64>,
    pub(super) reason: &'e str,
    pub(super) actor: &'e str,
    pub(super) created_at_unix_ms: i64,
}

/// The statement that adds a row, prepared once per transaction.
pub(super) struct Insert<'c>(CachedStatement<'c>);

impl<'c> Insert<'c> {
    pub(super) fn prepare(connection: &'c Connection) -> Result<Self, Error> {
        connection.prepare_cached(INSERT).map(Self)
    }

    /// Whether the row is new.
    pub(super) fn insert(&mut self, adjustment: &BudgetAdjustment) -> Result<bool, Error> {
        let none: Option<i64> = None;
        let rows = self.0.execute(params![
            adjustment.id,
            adjustment.kind.as_str(),
            adjustment.account.kind.as_str(),
            adjustment.account.id,
            adjustment.budget_id,
            adjustment.unit.as_str(),
            adjustment.amount,
            adjustment.starts_at_unix_ms,
            adjustment.ends_at_unix_ms,
            adjustment.reason,
            adjustment.actor,
            adjustment.created_at_unix_ms,
            none,
            none,
            none,
            none,
            none,
            none,
            none,
            none,
            none,
            none,
        ])?;
        Ok(rows == 1)
    }

    /// Whether the row is new. Its id says what it corrects, so that none is made twice.
    pub(super) fn correct(&mut self, correction: &Correction<'_>) -> Result<bool, Error> {
        let event = correction.event;
        let tenant = |kind| columns::tenant_id(event.tenant.as_deref(), kind);
        let none: Option<i64> = None;
        let rows = self.0.execute(params![
            format!(
                "correction-{}-{}-{}",
                event.request_id,
                event.attempt,
                correction.earlier.saturating_add(1)
            ),
            AdjustmentKind::Correction.as_str(),
            AccountKind::Key.as_str(),
            event.api_key_id,
            "",
            BudgetUnit::Money.as_str(),
            correction.amount_nanos,
            event.occurred_at_unix_ms,
            none,
            correction.reason,
            correction.actor,
            correction.created_at_unix_ms,
            correction.request_id.as_bytes(),
            event.attempt,
            event.model,
            event.provider,
            event.api_key_id,
            tenant(AccountKind::Organization),
            tenant(AccountKind::Team),
            tenant(AccountKind::Project),
            tenant(AccountKind::User),
            correction.price_version,
        ])?;
        Ok(rows == 1)
    }
}

/// What an adjustment of one account counts as used; top-ups and raises move the limit instead.
pub(super) fn charge(adjustment: &BudgetAdjustment) -> Option<Charge<'_>> {
    match adjustment.kind {
        AdjustmentKind::Correction | AdjustmentKind::Closing => Some(Charge::in_unit(
            Accounts::alone(adjustment.account.kind, &adjustment.account.id),
            adjustment.starts_at_unix_ms,
            adjustment.unit,
            adjustment.amount,
        )),
        AdjustmentKind::TopUp | AdjustmentKind::Raise => None,
    }
}

impl Store {
    /// Hands over an adjustment together with who made it; it is in the writer's queue when this returns. A correction
    /// or a closing is added to the open balances of its account.
    ///
    /// It resolves to an error when there is an adjustment with this id already, or the commit failed: then nothing
    /// was adjusted.
    pub fn adjust(&self, adjustment: BudgetAdjustment, audit: AuditEntry) -> Commit {
        self.0.queue.hand_over(|reply| Message::Adjust {
            adjustment: Box::new(adjustment),
            audit: Box::new(audit),
            reply,
        })
    }

    /// The top-ups and raises that have not ended at `now_unix_ms`, in the order of their making. One that has not
    /// begun is among them: who asks goes on with the answer for a while.
    ///
    /// # Errors
    /// When the disk fails.
    pub async fn adjustments_in_force(
        &self,
        now_unix_ms: i64,
    ) -> Result<Vec<BudgetAdjustment>, StoreError> {
        self.read(move |readers| {
            let connection = readers.ledger.get().map_err(StoreError::Connect)?;
            in_force(&connection, now_unix_ms).map_err(|source| StoreError::Read {
                what: "budget adjustments",
                source,
            })
        })
        .await
    }
}

fn in_force(connection: &Connection, now_unix_ms: i64) -> Result<Vec<BudgetAdjustment>, Error> {
    connection
        .prepare_cached(
            "SELECT * FROM budget_adjustments INDEXED BY budget_adjustments_by_end
             WHERE kind IN ('top_up', 'raise') AND (ends_at_unix_ms IS NULL OR ends_at_unix_ms > ?1)
             ORDER BY created_at_unix_ms, id",
        )?
        .query_map([now_unix_ms], adjustment)?
        .collect()
}

fn adjustment(row: &Row<'_>) -> Result<BudgetAdjustment, Error> {
    Ok(BudgetAdjustment {
        id: row.get("id")?,
        kind: columns::named(row, "kind", AdjustmentKind::parse)?,
        account: AccountRef {
            kind: columns::named(row, "account_kind", AccountKind::parse)?,
            id: row.get("account_id")?,
        },
        budget_id: row.get("budget_id")?,
        unit: columns::named(row, "unit", BudgetUnit::parse)?,
        amount: row.get("amount")?,
        starts_at_unix_ms: row.get("starts_at_unix_ms")?,
        ends_at_unix_ms: row.get("ends_at_unix_ms")?,
        reason: row.get("reason")?,
        actor: row.get("actor")?,
        created_at_unix_ms: row.get("created_at_unix_ms")?,
    })
}
