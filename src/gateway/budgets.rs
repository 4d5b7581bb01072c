//! Budgets between the accounts in memory and the ledger: opening, raising, reckoning anew.

use std::sync::Arc;

use ferrogate_api::{
    AccountRef, AdjustmentKind, BudgetAdjustment, BudgetStatus, BudgetThreshold, RepriceReport,
};
use serde_json::json;

use super::changes::not_changed;
use super::{Change, Gateway};
use crate::cache::Purge;
use crate::clock::Clock;
use crate::error::{ErrorKind, RequestError};
use crate::governance::{Raise, ThresholdSink, Tree};
use crate::ids::RequestId;
use crate::live::Live;
use crate::metering::pricing::cost_nanos;
use crate::observability::Metrics;
use crate::store::{self, StoreError};

/// More for one budget.
#[derive(Debug)]
pub struct NewAdjustment {
    pub account: AccountRef,
    pub budget_id: String,
    /// A top-up or a raise.
    pub kind: AdjustmentKind,
    /// Tokens or nano-units, as the budget counts.
    pub amount: i64,
    /// When a raise ends; `None`: never. A top-up ends with its period.
    pub until_unix_ms: Option<i64>,
    pub reason: String,
}

/// Which part of the ledger to reckon again with the prices in force.
#[derive(Debug, Clone, Copy)]
pub struct Reprice {
    pub since_unix_ms: i64,
    pub dry_run: bool,
}

impl Gateway {
    /// Asks the ledger for the balances that nobody knows yet, and enforces their budgets from then on.
    pub(super) async fn open_balances(&self, tree: &Tree) -> Result<(), RequestError> {
        let accounts = &self.ai.accounts;
        let asked = accounts.open(tree, self.clock.unix_ms(), |keys| {
            let answer = self.store.open_balances(keys.clone());
            (keys, answer)
        });
        if let Some((keys, answer)) = asked {
            let used = answer.await.map_err(|error| not_changed(&error))?;
            let balances: Vec<_> = keys.into_iter().zip(used).collect();
            accounts.opened(&balances);
            if let Some(shared) = &self.ai.shared {
                // The other nodes need not wait for the next heartbeat.
                shared.counters().refresh();
            }
        }
        Ok(())
    }

    /// Tells the accounts of every top-up and raise in the ledger.
    pub(super) async fn load_raises(&self) -> Result<(), StoreError> {
        let now = self.clock.unix_ms();
        let adjustments = self.store.adjustments_in_force(now).await?;
        let raises: Vec<_> = adjustments.into_iter().map(raise).collect();
        self.ai.accounts.set_raises(&raises);
        Ok(())
    }

    /// How budgets stand: those of one account, or all.
    pub fn budgets(&self, account: Option<&AccountRef>) -> Vec<BudgetStatus> {
        let snapshot = self.snapshot();
        let tree = &snapshot.tree;
        let now = self.clock.unix_ms();
        let views = match account {
            Some(account) => self.ai.accounts.views(tree.account(account), now),
            None => {
                let with_budgets = tree
                    .accounts()
                    .filter(|account| !account.limits.budgets.is_empty());
                self.ai.accounts.views(with_budgets, now)
            }
        };
        let budgets = views.into_iter().flat_map(|view| view.budgets);
        budgets.map(|budget| budget.status).collect()
    }

    /// Tops up or raises one budget; it holds as soon as this returns.
    ///
    /// # Errors
    /// `resource_not_found` for a budget that nobody declares; `ledger_unavailable`.
    pub async fn adjust_budget(
        &self,
        new: NewAdjustment,
        by: &Change,
    ) -> Result<BudgetAdjustment, RequestError> {
        let _lane = self.changes.lock().await;
        let budget = self
            .budgets(Some(&new.account))
            .into_iter()
            .find(|budget| *budget.budget_id == *new.budget_id)
            .ok_or_else(|| no_budget(&new))?;
        let now = self.clock.unix_ms();
        let ends_at_unix_ms = match new.kind {
            AdjustmentKind::TopUp => budget.period_end_unix_ms,
            AdjustmentKind::Raise | AdjustmentKind::Correction | AdjustmentKind::Closing => {
                new.until_unix_ms
            }
        };
        let adjustment = BudgetAdjustment {
            id: RequestId::new(&self.clock).to_string(),
            kind: new.kind,
            account: new.account,
            budget_id: budget.budget_id,
            unit: budget.unit,
            amount: new.amount,
            starts_at_unix_ms: now,
            ends_at_unix_ms,
            reason: new.reason,
            actor: by.actor.name.clone(),
            created_at_unix_ms: now,
        };
        let audit = self.audit(
            by,
            "budget.adjust",
            format!("{}/{}", adjustment.account, adjustment.budget_id),
            Some(json!(adjustment)),
        );
        self.store
            .adjust(adjustment.clone(), audit)
            .await
            .map_err(|error| not_changed(&error))?;
        if let Err(error) = self.load_raises().await {
            // It is committed, and an error would have it made twice. The next adjustment or start brings it.
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "an adjustment is in the ledger and not in force yet");
        }
        Ok(adjustment)
    }

    /// Reckons again, with the prices in force, what was charged with others.
    ///
    /// # Errors
    /// `ledger_unavailable`.
    pub async fn reprice(
        &self,
        order: Reprice,
        by: &Change,
    ) -> Result<RepriceReport, RequestError> {
        let _lane = self.changes.lock().await;
        let snapshot = self.snapshot();
        let since = order.since_unix_ms;
        let audit = self.audit(by, "ledger.reprice", format!("since:{since}"), None);
        let store_order = store::Reprice {
            since_unix_ms: since,
            dry_run: order.dry_run,
            reason: "prices changed".to_owned(),
            audit,
        };
        let catalog = Arc::clone(&snapshot.rules.catalog);
        let price_of = move |provider: &str, provider_model: &str, model: &str| {
            catalog.price_of(provider, provider_model, model)
        };
        let done = self
            .store
            .reprice(store_order, price_of, cost_nanos)
            .await
            .map_err(|error| {
                if let StoreError::Reprice { done, .. } = &error {
                    self.ai.accounts.corrected(&done.balances);
                }
                not_changed(&error)
            })?;
        self.ai.accounts.corrected(&done.balances);
        Ok(RepriceReport {
            dry_run: order.dry_run,
            examined: done.examined,
            corrected: done.corrected,
            unpriced: done.unpriced,
            difference_nanos: done.difference_nanos,
        })
    }
}

/// Tells console, metrics and log of every budget that reaches a threshold.
pub(super) fn threshold_sink(live: &Live, metrics: &Arc<Metrics>, clock: &Clock) -> ThresholdSink {
    let (live, metrics, clock) = (live.clone(), Arc::clone(metrics), clock.clone());
    ThresholdSink::new(move |crossed| {
        tracing::warn!(
            account = %crossed.account,
            budget = &*crossed.budget_id,
            percent = crossed.percent,
            used = crossed.used,
            limit = crossed.limit,
            "a budget has reached a threshold"
        );
        let reached = BudgetThreshold {
            at_unix_ms: clock.unix_ms(),
            account: crossed.account,
            budget_id: crossed.budget_id,
            unit: crossed.unit,
            percent: crossed.percent,
            used: crossed.used,
            limit: crossed.limit,
            period_end_unix_ms: crossed.period_end_unix_ms,
        };
        metrics.budget_threshold(&reached);
        live.budget_threshold(reached);
    })
}

impl Gateway {
    /// Empties the cache, or a part of it, and says how many answers left.
    ///
    /// # Errors
    /// `ledger_unavailable` when what is kept on the disk cannot be removed; memory is empty all the same.
    pub async fn purge_cache(&self, purge: Purge, by: &Change) -> Result<u64, RequestError> {
        let target = match &purge {
            Purge::All => "all".to_owned(),
            Purge::Model(model) => format!("model:{model}"),
            Purge::Account(account) => account.to_string(),
        };
        let purged = self
            .ai
            .cache
            .purge(&purge)
            .await
            .map_err(|error| not_changed(&error))?;
        let detail = Some(json!({"purged": purged}));
        let audit = self.audit(by, "cache.purge", target, detail);
        self.store
            .audit(audit)
            .await
            .map_err(|error| not_changed(&error))?;
        Ok(purged)
    }
}

fn raise(adjustment: BudgetAdjustment) -> Raise {
    Raise {
        account: adjustment.account,
        budget_id: adjustment.budget_id,
        amount: adjustment.amount,
        starts_at_unix_ms: adjustment.starts_at_unix_ms,
        ends_at_unix_ms: adjustment.ends_at_unix_ms,
    }
}

fn no_budget(new: &NewAdjustment) -> RequestError {
    RequestError::new(
        ErrorKind::ResourceNotFound,
        format!("{} has no budget `{}`.", new.account, new.budget_id),
    )
}
