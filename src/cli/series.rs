//! `ferrogate usage series`: one measure over time, a line for each group, with a small chart.

use anyhow::Context;
use ferrogate_api::{Timeseries, TimeseriesBy, TimeseriesLine, TimeseriesMetric};
use serde_json::Value;

use super::listing;
use super::out;
use super::session::Session;
use super::table::{Cell, Table};
use super::units::{self, Times};

/// Which measure, over which time.
#[derive(Debug, clap::Args)]
pub(super) struct SeriesArgs {
    /// requests, errors, client_errors, rate_limited, cache_hits, tokens, cost, latency, ttft or overhead
    #[arg(long, value_name = "METRIC", default_value_t)]
    metric: TimeseriesMetric,
    /// How far back: a number and m, h or d
    #[arg(long, value_name = "TIME", default_value = "24h")]
    window: String,
    /// How long each step is: 1m, 5m, 1h, 1d or auto
    #[arg(long, value_name = "STEP", default_value = "auto")]
    step: String,
    /// A line for each model, provider, key, endpoint, organization, team, project or user; none for one of everything
    #[arg(long, value_name = "WHAT", default_value_t)]
    by: TimeseriesBy,
    /// So many lines of their own; the rest is one
    #[arg(long, value_name = "N")]
    top: Option<u32>,
    /// Of one key alone
    #[arg(long, value_name = "ID")]
    key: Option<String>,
    /// Of one model alone
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Of one provider alone
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// Any other parameter, such as `organization=acme`; can be repeated
    #[arg(long = "filter", value_name = "NAME=VALUE", value_parser = listing::pair)]
    filters: Vec<(String, String)>,
}

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Longer series have several steps in one column.
const COLUMNS_MAX: usize = 60;

/// Prints the series.
///
/// # Errors
/// The gateway's, or why it could not be asked.
pub(super) fn show(session: &Session, args: &SeriesArgs) -> anyhow::Result<()> {
    let top = args.top.map(|top| top.to_string());
    let mut query: Vec<(&str, &str)> = vec![
        ("metric", args.metric.as_str()),
        ("window", &args.window),
        ("step", &args.step),
        ("by", args.by.as_str()),
    ];
    let optional = [
        ("top", &top),
        ("key", &args.key),
        ("model", &args.model),
        ("provider", &args.provider),
    ];
    for (name, value) in optional {
        query.extend(value.as_deref().map(|value| (name, value)));
    }
    let filters = args.filters.iter();
    query.extend(filters.map(|(name, value)| (&**name, &**value)));
    let answer = session.get("timeseries", &query)?;
    let series: Timeseries = serde_json::from_value(answer.json().clone())
        .context("the gateway's answer is not what the admin API promises")?;
    session.show(&answer, |_| text(&series))
}

fn text(series: &Timeseries) -> String {
    let mut text = format!(
        "{} in steps of {}, {} to {} UTC\n\n",
        series.metric,
        series.step,
        units::time(series.since_unix_ms, Times::Dates),
        units::time(series.until_unix_ms, Times::Dates),
    );
    let group = match series.by {
        TimeseriesBy::None => "GROUP".to_owned(),
        by => by.as_str().to_uppercase(),
    };
    let mut table = Table::new([&*group, "VALUE", "TOTAL", "MOST", "LAST", "OVER TIME"]);
    for line in &series.lines {
        for (value, points) in &line.values {
            let cell = |number: Option<i64>| {
                let number = number.map_or(Value::Null, Value::from);
                units::cell(&unit(series.metric, value), &number, Times::Dates)
            };
            let known = || points.iter().flatten().copied();
            table.row([
                units::cell("name", &Value::from(name(line)), Times::Dates),
                units::cell("name", &Value::from(&**value), Times::Dates),
                cell(line.totals.get(value).copied().flatten()),
                cell(known().max()),
                cell(known().last()),
                Cell::left(chart(points)),
            ]);
        }
    }
    text.push_str(&table.print(out::has_colours()));
    if !series.complete {
        text.push_str("\nThe newest steps are missing: the gateway's time was up. A shorter --window has them.\n");
    }
    text
}

fn name(line: &TimeseriesLine) -> &str {
    match (&line.name, line.is_other) {
        (_, true) => "others",
        (Some(name), false) => name,
        (None, false) => "all",
    }
}

/// A name that says what the number counts: see [`units`].
fn unit(metric: TimeseriesMetric, value: &str) -> String {
    let is_time = matches!(
        metric,
        TimeseriesMetric::Latency | TimeseriesMetric::Ttft | TimeseriesMetric::Overhead
    );
    match value {
        "nanos" => "cost_nanos".to_owned(),
        "count" => value.to_owned(),
        value if is_time => format!("{value}_us"),
        value => value.to_owned(),
    }
}

/// A bar for each step, or for several where there are more than there is room for; a blank where nothing is known.
fn chart(points: &[Option<i64>]) -> String {
    let each = points.len().div_ceil(COLUMNS_MAX).max(1);
    let most = points.iter().flatten().copied().max().unwrap_or_default();
    points
        .chunks(each)
        .map(|steps| match steps.iter().flatten().copied().max() {
            None => ' ',
            Some(value) => bar(value, most),
        })
        .collect()
}

fn bar(value: i64, most: i64) -> char {
    if most <= 0 || value <= 0 {
        return BARS[0];
    }
    let place = i128::from(value) * 7 / i128::from(most);
    BARS[usize::try_from(place)
        .unwrap_or_default()
        .min(BARS.len() - 1)]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_chart_has_a_bar_for_each_step() {
        assert_eq!(chart(&[Some(0), Some(7), Some(14), None, Some(1)]), "▁▄█ ▁");
        assert_eq!(chart(&[]), "");
        assert_eq!(chart(&[Some(0), None]), "▁ ");
        let many: Vec<Option<i64>> = (0..600).map(Some).collect();
        assert_eq!(chart(&many).chars().count(), 60);
        assert_eq!(chart(&[Some(i64::MAX), Some(i64::MIN)]), "█▁");
    }

    #[test]
    fn each_group_has_a_line_for_each_of_its_values() {
        let series = |metric: &str, lines: Value| -> Timeseries {
            serde_json::from_value(json!({
                "object": "timeseries", "metric": metric, "by": "model", "step": "1h", "source": "requests",
                "since_unix_ms": 0, "until_unix_ms": 7_200_000, "at_unix_ms": [0, 3_600_000],
                "lines": lines, "complete": true,
            }))
            .unwrap()
        };
        let requests = series(
            "requests",
            json!([
                {"name": "fast", "is_other": false, "values": {"count": [1000, 2000]}, "totals": {"count": 3000}},
                {"name": null, "is_other": true, "values": {"count": [null, 3]}, "totals": {"count": 3}},
            ]),
        );
        assert_eq!(
            text(&requests),
            "requests in steps of 1h, 1970-01-01 00:00:00 to 1970-01-01 02:00:00 UTC\n\n\
             MODEL   VALUE  TOTAL   MOST   LAST  OVER TIME\n\
             fast    count  3,000  2,000  2,000  ▄█\n\
             others  count      3      3      3   █\n"
        );
        let latency = series(
            "latency",
            json!([{"name": null, "is_other": false, "values": {"p99": [198_454, null]}, "totals": {"p99": null}}]),
        );
        let text = text(&latency);
        assert!(
            text.ends_with("all    p99    -      198 ms  198 ms  █\n"),
            "{text}"
        );
    }
}
