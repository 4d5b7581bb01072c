//! The admin API's values as people read them. What a number counts stands in its name: `…_unix_ms`, `…_nanos`, `…_us`,
//! `…_bytes`.

use ferrogate_api::{decimal_of_nanos, nanos_of_decimal};
use ferrogate_tui::{client::sanitise, format};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::table::Cell;

/// How times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// `3 m 20 s ago`, seen from this time.
    Ages { now_unix_ms: i64 },
    /// `2026-03-01 12:00:05`, in UTC.
    Dates,
    /// Both.
    Full { now_unix_ms: i64 },
}

const NOTHING: &str = "-";

/// `value`, which is called `name`.
pub(super) fn cell(name: &str, value: &Value, times: Times) -> Cell {
    let last = name.rsplit('.').next().unwrap_or(name);
    match value {
        Value::Null => Cell::left(NOTHING),
        Value::Bool(true) => Cell::left("yes"),
        Value::Bool(false) => Cell::left("no"),
        Value::String(text) if text.is_empty() => Cell::left(NOTHING),
        Value::String(text) => Cell::left(sanitise::clean(text)),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number_cell(last, number, times),
            None => Cell::right(number.to_string()),
        },
        Value::Array(items) if last == "budgets" => Cell::left(list(items.iter().map(budget_text))),
        Value::Array(items) => Cell::left(list(items.iter().map(compact))),
        Value::Object(fields) if fields.is_empty() => Cell::left(NOTHING),
        Value::Object(fields) => Cell::left(pairs(fields)),
    }
}

fn number_cell(name: &str, number: i64, times: Times) -> Cell {
    let positive = u64::try_from(number).unwrap_or_default();
    if name.ends_with("_unix_ms") {
        Cell::left(time(number, times))
    } else if name.ends_with("_unix") || name.ends_with("_unix_secs") {
        Cell::left(time(number.saturating_mul(1000), times))
    } else if name.ends_with("_nanos") {
        Cell::right(decimal_of_nanos(number))
    } else if name.ends_with("_us") {
        Cell::right(format::duration(positive))
    } else if name.ends_with("_bytes") || name == "bytes" || name.ends_with("bytes_max") {
        Cell::right(format::bytes(positive))
    } else if name == "pid" {
        Cell::right(number.to_string())
    } else {
        Cell::right(grouped(number))
    }
}

/// `-1,204,881`.
pub(super) fn grouped(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", format::grouped(number.unsigned_abs()))
}

/// `1 file`, `2 files`.
pub(super) fn counted(count: usize, one: &str, several: &str) -> String {
    let noun = if count == 1 { one } else { several };
    format!("{count} {noun}")
}

/// A time as it is asked for; what lies ahead is `in 3 m 20 s`.
pub(super) fn time(unix_ms: i64, times: Times) -> String {
    let date = || match Timestamp::from_millisecond(unix_ms) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => unix_ms.to_string(),
    };
    match times {
        Times::Ages { now_unix_ms } => age(unix_ms, now_unix_ms),
        Times::Dates => date(),
        Times::Full { now_unix_ms } => format!("{} ({})", date(), age(unix_ms, now_unix_ms)),
    }
}

pub(super) fn age(unix_ms: i64, now_unix_ms: i64) -> String {
    let passed = now_unix_ms.saturating_sub(unix_ms);
    if passed < 0 {
        format!("in {}", format::age(passed.saturating_neg()))
    } else {
        format!("{} ago", format::age(passed))
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    let text = items.collect::<Vec<_>>().join(", ");
    if text.is_empty() {
        NOTHING.to_owned()
    } else {
        text
    }
}

/// A value inside of another one.
fn compact(value: &Value) -> String {
    match value {
        Value::String(text) => sanitise::clean(text).into_owned(),
        other => other.to_string(),
    }
}

fn pairs(fields: &Map<String, Value>) -> String {
    let said = fields
        .iter()
        .filter(|(_, value)| !is_nothing(value))
        .map(|(name, value)| format!("{}={}", sanitise::clean(name), compact(value)));
    list(said)
}

/// Nothing that is worth a line.
pub(super) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_nothing),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// `month 1,000,000 tokens`, `day 25 money`.
fn budget_text(budget: &Value) -> String {
    let text = |name: &str| budget.get(name).and_then(Value::as_str);
    let Some(period) = text("period") else {
        return compact(budget);
    };
    let amount = match (budget.get("tokens").and_then(Value::as_i64), text("money")) {
        (Some(tokens), _) => format!("{} tokens", grouped(tokens)),
        (None, Some(money)) => format!(
            "{} money",
            nanos_of_decimal(money).map_or_else(|| money.to_owned(), decimal_of_nanos)
        ),
        (None, None) => return compact(budget),
    };
    format!("{period} {}", sanitise::clean(&amount))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_is_written_as_its_name_says() {
        let now = 1_787_486_671_204;
        let ages = Times::Ages { now_unix_ms: now };
        let check = |name: &str, value: Value, expected: &str| {
            assert_eq!(cell(name, &value, ages).text, expected, "{name} {value}");
        };
        check("id", json!("dev"), "dev");
        check("id", json!("a\u{1b}[2J\nb"), "a\u{FFFD}[2J\u{FFFD}b");
        check("name", json!(""), "-");
        check("name", Value::Null, "-");
        check("enabled", json!(true), "yes");
        check("enabled", json!(false), "no");
        check("tokens.input", json!(1_204_881), "1,204,881");
        check("remaining", json!(-1_204), "-1,204");
        check("cost_nanos", json!(1_500_000_000), "1.5");
        check("duration_us", json!(198_454), "198 ms");
        check("writer.wal_bytes", json!(82_432), "80 KiB");
        check("updated_at_unix_ms", json!(now - 200_000), "3 m 20 s ago");
        check(
            "expires_at_unix",
            json!((now + 7_440_796) / 1000),
            "in 2 h 04 m",
        );
        check("scopes", json!(["a", "b"]), "a, b");
        check("scopes", json!([]), "-");
        check("tags", json!({"a": 1, "b": null, "c": "d"}), "a=1, c=d");
        check(
            "budgets",
            json!([{"id": "x", "tokens": 1_000_000, "period": "month"}, {"money": "25.00", "period": "day"}]),
            "month 1,000,000 tokens, day 25 money",
        );
        check("ratio", json!(0.5), "0.5");
        check("process.pid", json!(23_415), "23415");
        assert_eq!(counted(1, "file", "files"), "1 file");
        assert_eq!(counted(0, "file", "files"), "0 files");
    }

    #[test]
    fn a_time_is_a_date_or_an_age_or_both() {
        let at = 1_787_486_671_204;
        let check = |times: Times, expected: &str| assert_eq!(time(at, times), expected);
        check(Times::Dates, "2026-08-23 12:04:31");
        let now_unix_ms = at + 51_000;
        check(Times::Ages { now_unix_ms }, "51 s ago");
        check(
            Times::Full { now_unix_ms },
            "2026-08-23 12:04:31 (51 s ago)",
        );
        assert_eq!(time(i64::MAX, Times::Dates), i64::MAX.to_string());
    }
}
