//! `ferrogate logs facets`: how often each value of a field occurs.

use ferrogate_tui::client::sanitise;
use serde_json::Value;

use crate::cli::listing;
use crate::cli::out;
use crate::cli::session::Session;
use crate::cli::table::{Cell, Table};
use crate::cli::units::{self, Times};
use crate::cli::when;

#[derive(Debug, clap::Args)]
pub(super) struct FacetsArgs {
    /// From the day of this time on: 7d, a date, or a time in RFC 3339
    #[arg(long, value_name = "TIME", value_parser = when::past_unix_ms)]
    since: Option<i64>,
    /// To the day of this time, in the same words
    #[arg(long, value_name = "TIME", value_parser = when::past_unix_ms)]
    until: Option<i64>,
    /// So many values of each
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<u32>,
}

/// Prints them.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(super) fn facets(session: &Session, args: &FacetsArgs) -> anyhow::Result<()> {
    let numbers = [
        ("since", args.since.map(|since| since.to_string())),
        ("until", args.until.map(|until| until.to_string())),
        ("limit", args.limit.map(|limit| limit.to_string())),
    ];
    let query: Vec<(&str, &str)> = numbers
        .iter()
        .filter_map(|(name, value)| Some((*name, value.as_deref()?)))
        .collect();
    let answer = session.get("request-logs:facets", &query)?;
    session.show(&answer, facets_text)
}

/// One table below the other: the field, then its values with how often they occur.
fn facets_text(facets: &Value) -> String {
    let mut text = String::new();
    let list = |value: &Value, name: &str| match value.get(name) {
        Some(Value::Array(items)) => items.clone(),
        _ => Vec::new(),
    };
    for facet in list(facets, "facets") {
        let values = list(&facet, "values");
        if values.is_empty() {
            continue;
        }
        let name = facet.get("name").and_then(Value::as_str);
        let name = sanitise::clean(name.unwrap_or_default()).to_uppercase();
        let mut table = Table::new([name.as_str(), "REQUESTS"]);
        let cell =
            |name: &str, value: &Value| units::cell(name, listing::at(value, name), Times::Dates);
        for value in &values {
            table.row([cell("value", value), cell("count", value)]);
        }
        if facet.get("other").and_then(Value::as_u64) > Some(0) {
            table.row([Cell::left("others"), cell("other", &facet)]);
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&table.print(out::has_colours()));
    }
    if text.is_empty() {
        text.push_str("No requests.\n");
    }
    if facets.get("complete") == Some(&Value::Bool(false)) {
        text.push_str(
            "\nDays are left out: the gateway's time was up. A later --since counts fewer.\n",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn facets_are_tables_below_each_other() {
        let text = facets_text(&json!({
            "complete": false,
            "facets": [
                {"name": "status", "values": [{"value": "200", "count": 1200}, {"value": "429", "count": 7}], "other": 0},
                {"name": "user", "values": [], "other": 0},
                {"name": "model", "values": [{"value": "fast", "count": 1100}], "other": 107},
            ],
        }));
        assert_eq!(
            text,
            "STATUS  REQUESTS\n200        1,200\n429            7\n\n\
             MODEL   REQUESTS\nfast       1,100\nothers       107\n\n\
             Days are left out: the gateway's time was up. A later --since counts fewer.\n"
        );
        assert_eq!(
            facets_text(&json!({"complete": true, "facets": []})),
            "No requests.\n"
        );
    }
}
