//! `ferrogate logs follow`: requests as they end.

use std::sync::Arc;

use anyhow::anyhow;
use ferrogate_api::{Event, RequestLog};
use ferrogate_tui::client::call;
use futures_util::StreamExt;
use serde_json::{Value, json};

use super::Filters;
use crate::cli::listing::{self, Column, column};
use crate::cli::out::{self, Format};
use crate::cli::session::{Session, explain};
use crate::cli::units::{self, Times};

/// Prints until the feed ends, which is an error, or nobody reads any more.
///
/// # Errors
/// Why the feed ended.
pub(super) async fn follow(session: &Session, filters: &Filters) -> anyhow::Result<()> {
    let mut events = session.api.events().await.map_err(explain)?;
    let mut is_first = true;
    while let Some(event) = events.next().await {
        match event.map_err(explain)? {
            Event::Finished(log) if filters.takes(&log) => {
                out::show(&followed(&log, session.format, is_first)?)?;
                is_first = false;
            }
            Event::Skipped(skipped) => {
                eprintln!(
                    "{} requests are not shown: there were too many",
                    skipped.count
                );
            }
            _ => {}
        }
    }
    Err(anyhow!("the gateway closed the live feed"))
}

/// One request, as a line of a table whose other lines nobody knows, or of JSON.
pub(super) fn followed(
    log: &Arc<RequestLog>,
    format: Format,
    is_first: bool,
) -> anyhow::Result<String> {
    let value = serde_json::to_value(log)?;
    if format == Format::Json {
        return Ok(format!("{}\n", call::escape(&value.to_string())));
    }
    let table = listing::table(&[followed_value(&value)], FOLLOWED, Times::Dates);
    let text = table.print(false);
    Ok(match text.split_once('\n') {
        Some((_, line)) if !is_first => line.to_owned(),
        _ => text,
    })
}

/// The id comes before what has no steady width.
const FOLLOWED: &[Column] = &[
    column("TIME", "started_at_unix_ms"),
    column("STATUS", "status"),
    column("REQUEST ID                          ", "request_id"),
    column("WHAT", "what"),
];

fn followed_value(log: &Value) -> Value {
    let times = Times::Dates;
    let mut what = Vec::new();
    for (title, field) in [
        ("", "outcome"),
        ("key", "api_key_id"),
        ("model", "model"),
        ("provider", "provider"),
        ("in", "tokens.input"),
        ("out", "tokens.output"),
        ("cost", "cost_nanos"),
        ("took", "duration_us"),
        ("error", "error_code"),
    ] {
        let value = listing::at(log, field);
        if !units::is_nothing(value) {
            let text = units::cell(field, value, times).text;
            what.push(format!("{title} {text}").trim_start().to_owned());
        }
    }
    json!({
        "started_at_unix_ms": log.get("started_at_unix_ms"),
        "status": log.get("status").map(|status| format!("{:>6}", status.to_string())),
        "request_id": log.get("request_id"),
        "what": what.join("  "),
    })
}
