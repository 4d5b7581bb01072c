//! `/admin/v1/budgets` and `/adjustments`: how the budgets of keys and tenants stand, and what is added to them by hand.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{
    AccountRef, AdjustmentKind, BudgetAdjustment, BudgetStatus, BudgetUnit, NewBudgetAdjustment,
    Page, nanos_of_decimal,
};
use http::{StatusCode, Uri};

use super::{
    body::Command,
    caller::Caller,
    listing::{Listing, SortKey},
    preconditions::By,
    query::Parameters,
    realm::tenant_kind,
    respond::{Failure, invalid, not_found},
};
use crate::config;
use crate::error::RequestError;
use crate::gateway::{Gateway, NewAdjustment, Snapshot};

/// The reason is for people, and stays.
const REASON_CHARACTERS_MAX: usize = 500;

/// Sorted by account and budget, unless something else is asked for.
pub(super) async fn list(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<Page<BudgetStatus>>, Failure> {
    let snapshot = gateway.snapshot();
    let mut parameters = Parameters::of(&uri)?;
    let account: Option<AccountRef> = parameters.take("account")?;
    let bounds = &snapshot.config.admin;
    let listing = Listing::take(&mut parameters, bounds, &BUDGET_FIELDS)?;
    parameters.finish()?;
    let realm = caller.realm();
    if let Some(account) = &account {
        if limits_of(&snapshot, account).is_none() {
            return Err(not_found("account", &account.to_string()));
        }
        if !realm.sees_account(&snapshot, account) {
            return Err(realm.outside(format_args!("`{account}`")).into());
        }
    }
    let mut budgets = gateway.budgets(account.as_ref());
    budgets.retain(|budget| {
        realm.sees_account(&snapshot, &budget.account)
            && listing.finds([&*budget.account.id, &*budget.budget_id])
    });
    let field = listing.field();
    let keyed = budgets.into_iter().map(|budget| {
        let name = format!("{}/{}", budget.account, budget.budget_id);
        (budget_key(field, &budget, &name), name, budget)
    });
    let (page, next_cursor) = listing.part(keyed.collect());
    Ok(Json(Page::new(page, next_cursor)))
}

/// What budgets can be sorted by.
const BUDGET_FIELDS: [&str; 5] = ["account", "used", "remaining", "limit", "used_percent"];

fn budget_key(field: &str, budget: &BudgetStatus, name: &str) -> SortKey {
    match field {
        "used" => SortKey::Number(budget.used),
        "remaining" => SortKey::Number(budget.remaining),
        "limit" => SortKey::Number(budget.limit),
        // Of nothing everything is used up.
        "used_percent" if budget.limit <= 0 => SortKey::Number(i64::MAX),
        "used_percent" => {
            let hundredths = i128::from(budget.used) * 10_000 / i128::from(budget.limit);
            SortKey::Number(i64::try_from(hundredths).unwrap_or(i64::MAX))
        }
        _ => SortKey::from(name),
    }
}

/// Those that are in force, newest first unless something else is asked for. There are as many as operators made by
/// hand, so that all of them are read.
pub(super) async fn adjustments(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<Page<BudgetAdjustment>>, Failure> {
    let snapshot = gateway.snapshot();
    let mut parameters = Parameters::of(&uri)?;
    let filter = AdjustmentFilter::take(&mut parameters)?;
    parameters.assume("sort", "-created_at");
    let bounds = &snapshot.config.admin;
    let listing = Listing::take(
        &mut parameters,
        bounds,
        &["created_at", "account", "ends_at"],
    )?;
    parameters.finish()?;
    let realm = caller.realm();
    if let Some(account) = &filter.account
        && !realm.sees_account(&snapshot, account)
    {
        return Err(realm.outside(format_args!("`{account}`")).into());
    }
    let now = gateway.clock.unix_ms();
    let mut adjustments = gateway.store.adjustments_in_force(now).await?;
    adjustments.retain(|one| {
        realm.sees_account(&snapshot, &one.account)
            && filter.fits(one)
            && listing.finds([&*one.account.id, &*one.budget_id, &*one.reason, &*one.actor])
    });
    let field = listing.field();
    let keyed = adjustments.into_iter().map(|one| {
        let key = match field {
            "account" => SortKey::Text(format!("{}/{}", one.account, one.budget_id)),
            // What never ends comes after everything.
            "ends_at" => SortKey::Number(one.ends_at_unix_ms.unwrap_or(i64::MAX)),
            _ => SortKey::Number(one.created_at_unix_ms),
        };
        (key, one.id.clone(), one)
    });
    let (page, next_cursor) = listing.part(keyed.collect());
    Ok(Json(Page::new(page, next_cursor)))
}

/// Which adjustments are asked for.
struct AdjustmentFilter {
    account: Option<AccountRef>,
    budget_id: Option<String>,
    kind: Option<AdjustmentKind>,
}

impl AdjustmentFilter {
    fn take(parameters: &mut Parameters) -> Result<Self, RequestError> {
        let kinds = [AdjustmentKind::TopUp, AdjustmentKind::Raise];
        Ok(Self {
            account: parameters.take("account")?,
            budget_id: parameters.take("budget_id")?,
            kind: parameters.take_word("kind", &kinds.map(|kind| (kind.as_str(), kind)))?,
        })
    }

    fn fits(&self, one: &BudgetAdjustment) -> bool {
        self.account
            .as_ref()
            .is_none_or(|account| one.account == *account)
            && self
                .budget_id
                .as_ref()
                .is_none_or(|id| *one.budget_id == **id)
            && self.kind.is_none_or(|kind| one.kind == kind)
    }
}

pub(super) async fn adjust(
    State(gateway): State<Arc<Gateway>>,
    by: By,
    uri: Uri,
    Command(mut request): Command<NewBudgetAdjustment>,
) -> Result<(StatusCode, Json<BudgetAdjustment>), Failure> {
    Parameters::none(&uri)?;
    let by = by.unconditional()?;
    let snapshot = gateway.snapshot();
    let limits = limits_of(&snapshot, &request.account)
        .ok_or_else(|| not_found("account", &request.account.to_string()))?;
    by.caller.may_adjust(&snapshot, &request.account)?;
    let budget = limits
        .budgets
        .iter()
        .find(|budget| *budget.id == *request.budget_id)
        .ok_or_else(|| {
            let name = format!("{}/{}", request.account, request.budget_id);
            not_found("budget", &name)
        })?;
    if request.reason.is_empty() {
        request.reason = by.change.reason.clone().unwrap_or_default();
    }
    let adjustment = read(request, budget.unit, gateway.clock.unix_ms())?;
    let made = gateway.adjust_budget(adjustment, &by.change).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// `None`: there is no such account. A tenant that only keys name has no budgets.
fn limits_of<'s>(
    snapshot: &'s Snapshot,
    account: &AccountRef,
) -> Option<&'s config::AccountLimits> {
    let Some(kind) = tenant_kind(account.kind) else {
        let key = snapshot.rules.keys.get(&account.id)?;
        return Some(&key.declared().limits);
    };
    let tenant = snapshot.tenants().get(kind, &account.id)?;
    Some(&tenant.limits)
}

fn read(
    request: NewBudgetAdjustment,
    unit: BudgetUnit,
    now_unix_ms: i64,
) -> Result<NewAdjustment, RequestError> {
    let amount = amount(&request, unit)?;
    if !matches!(request.kind, AdjustmentKind::TopUp | AdjustmentKind::Raise) {
        return Err(invalid("kind", "must be `top_up` or `raise`"));
    }
    match request.until_unix_ms {
        Some(_) if request.kind == AdjustmentKind::TopUp => {
            return Err(invalid(
                "until_unix_ms",
                "is for a `raise`: a top-up ends with the period that runs",
            ));
        }
        Some(end) if end <= now_unix_ms => {
            return Err(invalid("until_unix_ms", "must be in the future"));
        }
        Some(_) | None => {}
    }
    if request.reason.chars().count() > REASON_CHARACTERS_MAX {
        let must = format!("must be at most {REASON_CHARACTERS_MAX} characters long");
        return Err(invalid("reason", &must));
    }
    Ok(NewAdjustment {
        account: request.account,
        budget_id: request.budget_id,
        kind: request.kind,
        amount,
        until_unix_ms: request.until_unix_ms,
        reason: request.reason,
    })
}

/// In the budget's own unit, so that nobody adds ten tokens where ten units of money were meant.
fn amount(request: &NewBudgetAdjustment, unit: BudgetUnit) -> Result<i64, RequestError> {
    let (field, amount) = match (unit, request.tokens, &request.money) {
        (BudgetUnit::Tokens, Some(tokens), None) => ("tokens", Some(tokens)),
        (BudgetUnit::Money, None, Some(money)) => ("money", nanos_of_decimal(money)),
        (BudgetUnit::Tokens, ..) => {
            return Err(invalid(
                "tokens",
                "is what this budget counts: send it alone",
            ));
        }
        (BudgetUnit::Money, ..) => {
            return Err(invalid(
                "money",
                "is what this budget counts: send it alone",
            ));
        }
    };
    amount
        .filter(|amount| *amount > 0)
        .ok_or_else(|| invalid(field, "must be more than nothing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MS: i64 = 1_767_225_600_000;

    #[test]
    fn an_adjustment_counts_what_its_budget_counts() {
        let check = |unit, body: &str, expected: Result<i64, &str>| {
            let text =
                format!(r#"{{"account":"key:dev","budget_id":"month","kind":"raise"{body}}}"#);
            let request = serde_json::from_str(&text).unwrap();
            let read = read(request, unit, NOW_MS);
            let read = read
                .map(|adjustment| adjustment.amount)
                .map_err(|error| error.param.unwrap().into_owned());
            assert_eq!(read, expected.map_err(ToOwned::to_owned), "{body}");
        };
        let tokens = BudgetUnit::Tokens;
        let money = BudgetUnit::Money;
        check(tokens, r#","tokens":5"#, Ok(5));
        check(money, r#","money":"2.50""#, Ok(2_500_000_000));
        check(tokens, r#","money":"2.50""#, Err("tokens"));
        check(money, r#","tokens":5"#, Err("money"));
        check(tokens, r#","tokens":5,"money":"1""#, Err("tokens"));
        check(tokens, "", Err("tokens"));
        check(tokens, r#","tokens":0"#, Err("tokens"));
        check(tokens, r#","tokens":-5"#, Err("tokens"));
        check(money, r#","money":"0""#, Err("money"));
        check(money, r#","money":"-1""#, Err("money"));
        let until = |at: i64| format!(r#","tokens":5,"until_unix_ms":{at}"#);
        check(tokens, &until(NOW_MS + 1), Ok(5));
        check(tokens, &until(NOW_MS), Err("until_unix_ms"));
    }

    #[test]
    fn only_a_raise_has_an_end_and_only_people_adjust() {
        let check = |kind: &str, until: &str, param: Option<&str>| {
            let text = format!(
                r#"{{"account":"key:dev","budget_id":"month","kind":"{kind}","tokens":5{until}}}"#
            );
            let request = serde_json::from_str(&text).unwrap();
            let read = read(request, BudgetUnit::Tokens, NOW_MS);
            let refused = read.err().and_then(|error| error.param);
            assert_eq!(refused.as_deref(), param, "{kind}");
        };
        check("top_up", "", None);
        check("raise", "", None);
        let until = format!(r#","until_unix_ms":{}"#, NOW_MS + 1);
        check("top_up", &until, Some("until_unix_ms"));
        check("raise", &until, None);
        check("correction", "", Some("kind"));
        check("closing", "", Some("kind"));
    }
}
