//! `ferrogate budgets`: how budgets stand, and more for one of them.

use http::Method;
use serde_json::{Map, Value, json};

use super::details;
use super::listing::{self, Column, ListArgs, column};
use super::out::{self, Format};
use super::resources::{decimal, number};
use super::session::{self, ChangeArgs, Common, Session, Write};
use super::table::{Cell, Table};
use super::units;
use super::when;

/// How budgets stand, and more for one of them
#[derive(Debug, clap::Args)]
pub(super) struct BudgetsArgs {
    #[command(subcommand)]
    command: BudgetsCommand,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Subcommand)]
enum BudgetsCommand {
    /// List the budgets of keys and tenants as they stand now
    #[command(alias = "ls")]
    List(OfAccount),
    /// List the top-ups and raises in force
    Adjustments(OfAccount),
    /// More for the period that runs
    TopUp(TopUpArgs),
    /// More in every period, until a time or for good
    Raise(RaiseArgs),
}

#[derive(Debug, clap::Args)]
struct OfAccount {
    /// Of one account alone: key:ID, user:ID, project:ID, team:ID or organization:ID
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<String>,
    #[command(flatten)]
    list: ListArgs,
}

#[derive(Debug, clap::Args)]
struct TopUpArgs {
    #[command(flatten)]
    more: More,
}

#[derive(Debug, clap::Args)]
struct RaiseArgs {
    #[command(flatten)]
    more: More,
    /// Until when: 30d, a date, or a time in RFC 3339; without it, for good
    #[arg(long, value_name = "TIME", value_parser = when::future_unix)]
    until: Option<i64>,
}

#[derive(Debug, clap::Args)]
struct More {
    /// Whose: key:ID, user:ID, project:ID, team:ID or organization:ID
    account: String,
    /// The budget's id, such as month-tokens
    budget: String,
    /// How many tokens more
    #[arg(long, value_name = "N", value_parser = number, conflicts_with = "money", required_unless_present = "money")]
    tokens: Option<u64>,
    /// How much money more
    #[arg(long, value_name = "AMOUNT", value_parser = amount)]
    money: Option<String>,
    /// Why; it stays in the ledger
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

fn amount(text: &str) -> anyhow::Result<String> {
    decimal(text).map(str::to_owned)
}

const ADJUSTMENTS: &str = "budgets/adjustments";

const ADJUSTMENT_COLUMNS: &[Column] = &[
    column("AT", "created_at_unix_ms"),
    column("KIND", "kind"),
    column("ACCOUNT", "account"),
    column("BUDGET", "budget_id"),
    column("UNIT", "unit"),
    column("AMOUNT", "amount"),
    column("ENDS", "ends_at_unix_ms"),
    column("BY", "actor"),
    column("REASON", "reason"),
];

/// Runs one command.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(super) fn run(args: BudgetsArgs) -> anyhow::Result<()> {
    let session = Session::open(args.common)?;
    match args.command {
        BudgetsCommand::List(of) => list(&session, of),
        BudgetsCommand::Adjustments(of) => adjustments(&session, of),
        BudgetsCommand::TopUp(args) => adjust(&session, args.more, "top_up", None),
        BudgetsCommand::Raise(args) => adjust(&session, args.more, "raise", args.until),
    }
}

fn list(session: &Session, of: OfAccount) -> anyhow::Result<()> {
    let args = of.list.with("account", of.account);
    let listed = listing::walk(session, "budgets", &args)?;
    if session.format == Format::Json {
        return out::show(&listed.json());
    }
    out::show(&standings(&listed.rows).print(out::has_colours()))?;
    listed.tell_rest();
    Ok(())
}

fn adjustments(session: &Session, of: OfAccount) -> anyhow::Result<()> {
    let args = of.list.with("account", of.account);
    let listed = listing::walk(session, ADJUSTMENTS, &args)?;
    if session.format == Format::Json {
        return out::show(&listed.json());
    }
    let rows: Vec<Value> = listed.rows.iter().map(with_amount).collect();
    let table = listing::table(&rows, ADJUSTMENT_COLUMNS, session::ages());
    out::show(&table.print(out::has_colours()))?;
    listed.tell_rest();
    Ok(())
}

fn adjust(
    session: &Session,
    more: More,
    kind: &str,
    until_unix: Option<i64>,
) -> anyhow::Result<()> {
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("account", json!(more.account));
    put("budget_id", json!(more.budget));
    put("kind", json!(kind));
    if let Some(tokens) = more.tokens {
        put("tokens", json!(tokens));
    }
    if let Some(money) = &more.money {
        put("money", json!(money));
    }
    if let Some(until) = until_unix {
        put("until_unix_ms", json!(until.saturating_mul(1000)));
    }
    put("reason", json!(more.reason.as_deref().unwrap_or_default()));
    let answer = session.write(Write {
        method: Method::POST,
        resource: ADJUSTMENTS,
        body: Some(Value::Object(body)),
        change: &ChangeArgs {
            reason: more.reason,
            if_match: None,
        },
    })?;
    session.show(&answer, |made| {
        details::of(&with_amount(made), session::dates_and_ages())
    })
}

fn standings(budgets: &[Value]) -> Table {
    let mut table = Table::new([
        "ACCOUNT",
        "BUDGET",
        "UNIT",
        "LIMIT",
        "USED",
        "HELD",
        "REMAINING",
        "USED %",
        "ENDS",
    ]);
    let times = session::ages();
    for budget in budgets {
        let text = |name: &str| units::cell(name, listing::at(budget, name), times);
        let number = |name: &str| listing::at(budget, name).as_i64().unwrap_or_default();
        let amount = |name: &str| Cell::right(amount_text(budget, number(name)));
        let percent = match number("limit") {
            0 => "-".to_owned(),
            limit => format!("{} %", number("used").saturating_mul(100) / limit),
        };
        table.row([
            text("account"),
            text("budget_id"),
            text("unit"),
            amount("limit"),
            amount("used"),
            amount("held"),
            amount("remaining"),
            Cell::right(percent),
            text("period_end_unix_ms"),
        ]);
    }
    table
}

/// An amount in the budget's unit: tokens, or nano-units of money.
fn amount_text(budget: &Value, amount: i64) -> String {
    if budget.get("unit").and_then(Value::as_str) == Some("money") {
        ferrogate_api::decimal_of_nanos(amount)
    } else {
        units::grouped(amount)
    }
}

/// The adjustment with its amount as text.
fn with_amount(adjustment: &Value) -> Value {
    let mut shown = adjustment.clone();
    if let Some(amount) = adjustment.get("amount").and_then(Value::as_i64) {
        shown["amount"] = json!(amount_text(adjustment, amount));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_shown_in_its_own_unit() {
        let budgets = [
            json!({
                "account": "project:web", "budget_id": "day-tokens", "unit": "tokens", "limit": 5_000_000,
                "used": 1_204_881, "held": 2_048, "remaining": 3_793_071, "period_end_unix_ms": null,
            }),
            json!({
                "account": "key:a", "budget_id": "month-money", "unit": "money", "limit": 25_000_000_000_i64,
                "used": 26_500_000_000_i64, "held": 0, "remaining": -1_500_000_000_i64, "period_end_unix_ms": null,
            }),
        ];
        assert_eq!(
            standings(&budgets).print(false),
            "ACCOUNT      BUDGET       UNIT        LIMIT       USED   HELD  REMAINING  USED %  ENDS\n\
             project:web  day-tokens   tokens  5,000,000  1,204,881  2,048  3,793,071    24 %  -\n\
             key:a        month-money  money          25       26.5      0       -1.5   106 %  -\n"
        );
        let made = with_amount(&json!({"unit": "money", "amount": 500_000_000}));
        assert_eq!(made["amount"], "0.5");
    }
}
