//! What the ledger must show afterwards.

use std::{collections::HashMap, path::Path};

use ferrogate_api::{AccountKind, AccountRef, BudgetStatus, BudgetUnit, MeteringEvent, RequestLog};

use super::{IN_FLIGHT_MAX, INPUT_NANOS, MODELS, OUTPUT_NANOS, PROMPT};
use crate::support::{Ended, ferrogate};

/// A row's time is read a moment before it is charged, so that of two that are as close the later may be the first.
const ORDER_IS_UNSURE_MS: i64 = 100;

/// What a row of the ledger was estimated at when its request was admitted, at the least.
fn estimate(model: &str, unit: BudgetUnit) -> i64 {
    let (_, output) = MODELS.iter().find(|(name, _)| *name == model).unwrap();
    let input = u64::try_from(PROMPT.len()).unwrap() / 4;
    let amount = match unit {
        BudgetUnit::Tokens => input + output,
        BudgetUnit::Money => input * INPUT_NANOS + output * OUTPUT_NANOS,
    };
    i64::try_from(amount).unwrap()
}

fn amount(event: &MeteringEvent, unit: BudgetUnit) -> i64 {
    match unit {
        BudgetUnit::Tokens => i64::try_from(event.tokens.total()).unwrap(),
        BudgetUnit::Money => event.cost_nanos.unwrap(),
    }
}

fn is_charged(account: &AccountRef, event: &MeteringEvent) -> bool {
    if account.kind == AccountKind::Key {
        return event.api_key_id == account.id;
    }
    let tenant = event.tenant.as_ref();
    tenant.and_then(|tenant| tenant.get(account.kind)) == Some(&account.id)
}

/// What the requests that were in flight at the end used beyond their estimates.
///
/// When the last attempt was admitted, what was used and held did fit. All that was charged since had been in flight
/// then, and no attempt twice: so the sum of `used - estimated` over the rows from that moment on is the bound. Which
/// moment it was nobody knows: the one that allows most is taken. Of rows that are close to it, which may have been
/// charged before or after, those count that allow more.
fn estimate_errors<'e>(events: impl Iterator<Item = &'e MeteringEvent>, unit: BudgetUnit) -> i64 {
    let mut rows: Vec<(i64, i64)> = events
        .map(|event| {
            let error = amount(event, unit) - estimate(&event.model, unit);
            (event.occurred_at_unix_ms, error)
        })
        .collect();
    rows.sort_unstable();
    let mut most = 0;
    for (last_admission, _) in rows.iter().rev() {
        let later = rows
            .iter()
            .filter(|(at, _)| *at > last_admission + ORDER_IS_UNSURE_MS);
        let Some(room) = IN_FLIGHT_MAX.checked_sub(later.clone().count()) else {
            break;
        };
        let mut close: Vec<i64> = rows
            .iter()
            .filter(|(at, error)| {
                at.abs_diff(*last_admission) <= ORDER_IS_UNSURE_MS.unsigned_abs() && *error > 0
            })
            .map(|(_, error)| *error)
            .collect();
        close.sort_unstable_by(|one, other| other.cmp(one));
        let later: i64 = later.map(|(_, error)| error).sum();
        most = most.max(later + close.iter().take(room).sum::<i64>());
    }
    most
}

/// Every budget is what the ledger's rows say, and within its bounds.
pub(super) fn check_budgets(budgets: &[BudgetStatus], events: &[MeteringEvent]) {
    for budget in budgets {
        let name = format!("{}/{}", budget.account, budget.budget_id);
        let charged = || {
            events
                .iter()
                .filter(|event| is_charged(&budget.account, event))
        };
        let period = budget.period_start_unix_ms.unwrap_or(i64::MIN)
            ..budget.period_end_unix_ms.unwrap_or(i64::MAX);
        let used: i64 = charged()
            .filter(|event| period.contains(&event.occurred_at_unix_ms))
            .map(|event| amount(event, budget.unit))
            .sum();
        assert_eq!((budget.used, budget.held), (used, 0), "{name}");
        assert_eq!(budget.remaining, budget.limit - used, "{name}");
        let errors = estimate_errors(charged(), budget.unit);
        eprintln!("{name}: used {used} of {}, errors {errors}", budget.limit);
        assert!(
            used <= budget.limit + errors,
            "{name}: {used} was used of {}, and estimates can explain {errors}",
            budget.limit
        );
    }
}

/// The bound above rests on what this test takes for the estimate: the gateway must have held no less, nor much more.
pub(super) fn check_estimates(logs: &[RequestLog]) {
    let mut checked = 0;
    for log in logs {
        if let (Some(tokens), Some(model)) = (log.estimated_tokens, &log.model) {
            let least = u64::try_from(estimate(model, BudgetUnit::Tokens)).unwrap();
            assert!((least..least + 64).contains(&tokens), "{log:?}");
            checked += 1;
        }
    }
    assert!(checked > 0);
}

/// What a client was told to have used is in the ledger, whenever the gateway was killed.
pub(super) fn check_told(told: &HashMap<String, u64>, events: &[MeteringEvent]) {
    let mut recorded: HashMap<&str, Vec<u64>> = HashMap::new();
    for event in events {
        let attempts = recorded.entry(&event.request_id).or_default();
        attempts.push(event.tokens.total());
    }
    assert!(!told.is_empty());
    for (id, tokens) in told {
        let attempts = recorded.get(&**id);
        let found = attempts.is_some_and(|attempts| attempts.contains(tokens));
        assert!(found, "{id} used {tokens}, and the ledger has {attempts:?}");
    }
}

pub(super) async fn verified(data_directory: &Path) {
    let directory = data_directory.to_str().unwrap();
    let verify = ferrogate(&["ledger", "verify", "--data-dir", directory]);
    let ended = Ended::of(verify, "").await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
}
