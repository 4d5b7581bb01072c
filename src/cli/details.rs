//! One thing of the admin API in lines: every field that says something, with what it is called in the JSON.

use ferrogate_tui::client::sanitise;
use serde_json::{Map, Value};

use super::table::{Cell, Table};
use super::units::{self, Times};

/// `value` field by field; what stands inside of another one has both names. What it says of itself as an object of the
/// API is left out.
pub(super) fn of(value: &Value, times: Times) -> String {
    let mut table = Table::default();
    if let Value::Object(fields) = value {
        put(&mut table, "", fields, times);
    }
    table.print(false)
}

fn put(table: &mut Table, prefix: &str, fields: &Map<String, Value>, times: Times) {
    for (name, value) in fields {
        if units::is_nothing(value) || (prefix.is_empty() && name == "object") {
            continue;
        }
        let name = format!("{prefix}{}", sanitise::clean(name));
        match value {
            Value::Object(inner) => put(table, &format!("{name}."), inner, times),
            value => {
                let text = units::cell(&name, value, times).text;
                table.row([Cell::left(name), Cell::left(text)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_that_says_something_has_a_line() {
        let value = json!({
            "object": "policy",
            "name": "no chat at night",
            "enabled": true,
            "models": [],
            "when": {"hours": "22:00-06:00", "days": [], "streaming": null},
            "other": {"a": null},
            "created_at_unix_ms": 1_787_486_671_204_i64,
        });
        assert_eq!(
            of(&value, Times::Dates),
            "name                no chat at night\n\
             enabled             yes\n\
             when.hours          22:00-06:00\n\
             created_at_unix_ms  2026-08-23 12:04:31\n"
        );
        assert_eq!(of(&Value::Null, Times::Dates), "");
    }
}
