//! `GET /admin/v1/timeseries`: what happened over time, for charts.

use std::sync::Arc;

use axum::{Json, extract::State};
use ferrogate_api::{Timeseries, TimeseriesBy, TimeseriesMetric, TimeseriesStep};
use http::Uri;

use super::{
    caller::Caller,
    in_flight,
    query::Parameters,
    respond::{Failure, invalid},
};
use crate::error::RequestError;
use crate::gateway::Gateway;
use crate::store::TimeseriesAsk;

/// Where nobody says how long a step is, it is the shortest that makes no more than so many.
const STEPS_USUAL: i64 = 300;
const LINES_USUAL: usize = 10;
const LINES_MAX: usize = 50;
const MINUTE_MS: i64 = 60_000;
const WINDOW_USUAL_MS: i64 = 60 * MINUTE_MS;
/// Ten years.
const WINDOW_MAX_MS: i64 = 3660 * 24 * 60 * MINUTE_MS;

/// A chart.
pub(super) async fn show(
    State(gateway): State<Arc<Gateway>>,
    caller: Caller,
    uri: Uri,
) -> Result<Json<Timeseries>, Failure> {
    let ask = read(&gateway, &caller, &uri)?;
    Ok(Json(gateway.store.timeseries(ask).await?))
}

fn read(gateway: &Arc<Gateway>, caller: &Caller, uri: &Uri) -> Result<TimeseriesAsk, RequestError> {
    let mut parameters = Parameters::of(uri)?;
    let metric = parameters.take_with("metric", str::parse::<TimeseriesMetric>)?;
    let by = parameters.take_with("by", str::parse::<TimeseriesBy>)?;
    let (since_unix_ms, until_unix_ms) = read_window(&mut parameters, gateway.clock.unix_ms())?;
    let step = parameters.take_with("step", read_step)?.flatten();
    let top = parameters.take_with("top", read_top)?;
    let mut selection = in_flight::take_selection(&mut parameters, gateway, caller)?;
    selection.endpoint = parameters.take("endpoint")?;
    parameters.finish()?;
    let width = until_unix_ms - since_unix_ms;
    let steps_max = i64::from(gateway.snapshot().config.admin.list_max_limit);
    let step = match step {
        Some(step) if steps(width, step) > steps_max => {
            return Err(invalid(
                "step",
                &format!(
                    "makes more than {steps_max} steps of this window: ask for a longer one, or a shorter window"
                ),
            ));
        }
        Some(step) => step,
        None => finest(width, STEPS_USUAL.min(steps_max)),
    };
    Ok(TimeseriesAsk {
        metric: metric.unwrap_or_default(),
        by: by.unwrap_or_default(),
        step,
        since_unix_ms,
        until_unix_ms,
        top: top.unwrap_or(LINES_USUAL),
        selection,
    })
}

/// `window`, or `since` and `until`.
fn read_window(parameters: &mut Parameters, now_unix_ms: i64) -> Result<(i64, i64), RequestError> {
    let window = parameters.take_with("window", read_duration)?;
    let since: Option<i64> = parameters.take("since")?;
    let until: Option<i64> = parameters.take("until")?;
    if window.is_some() && since.is_some() {
        return Err(invalid(
            "window",
            "cannot stand beside `since`: send one of them",
        ));
    }
    let until = until.unwrap_or(now_unix_ms);
    let since = match since {
        Some(since) => since,
        None => until.saturating_sub(window.unwrap_or(WINDOW_USUAL_MS)),
    };
    let width = until.saturating_sub(since);
    if width <= 0 {
        return Err(invalid("since", "must be before `until`"));
    }
    if since < 0 || width > WINDOW_MAX_MS {
        return Err(invalid("since", "is longer ago than there can be figures"));
    }
    Ok((since, until))
}

/// `90m`, `24h`, `30d`.
fn read_duration(text: &str) -> Result<i64, String> {
    let wrong = || "must be a number and `m`, `h` or `d`, such as `24h`".to_owned();
    let units = [("m", 1), ("h", 60), ("d", 24 * 60)];
    let (digits, minutes) = units
        .iter()
        .find_map(|(unit, minutes)| Some((text.strip_suffix(unit)?, *minutes)))
        .ok_or_else(wrong)?;
    let number: u32 = digits.parse().map_err(|_| wrong())?;
    let window = i64::from(number) * minutes * MINUTE_MS;
    if window == 0 || window > WINDOW_MAX_MS {
        return Err("must be from `1m` to `3660d`".to_owned());
    }
    Ok(window)
}

/// `None`: whichever fits.
fn read_step(text: &str) -> Result<Option<TimeseriesStep>, String> {
    match text {
        "auto" => Ok(None),
        word => word
            .parse()
            .map(Some)
            .map_err(|must: String| format!("{must}, or `auto`")),
    }
}

fn read_top(text: &str) -> Result<usize, String> {
    let top = text
        .parse()
        .ok()
        .filter(|top| (1..=LINES_MAX).contains(top));
    top.ok_or_else(|| format!("must be a whole number from 1 to {LINES_MAX}"))
}

/// How many steps a window of this width touches at most.
fn steps(width_ms: i64, step: TimeseriesStep) -> i64 {
    width_ms / step.millis() + 2
}

fn finest(width_ms: i64, steps_max: i64) -> TimeseriesStep {
    let mut steps_up = TimeseriesStep::ALL.iter().copied();
    let fits = steps_up.find(|step| steps(width_ms, *step) <= steps_max);
    fits.unwrap_or(TimeseriesStep::Day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_a_number_and_its_unit() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(read_duration(text).ok(), expected, "{text}");
        };
        check("1m", Some(60_000));
        check("90m", Some(90 * 60_000));
        check("24h", Some(86_400_000));
        check("30d", Some(30 * 86_400_000));
        check("3660d", Some(WINDOW_MAX_MS));
        for wrong in [
            "",
            "h",
            "1",
            "1s",
            "-1h",
            "0d",
            "1.5h",
            "3661d",
            "99999999999d",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn the_finest_step_is_taken_that_makes_a_chart() {
        let check = |text: &str, expected| {
            let width = read_duration(text).unwrap();
            assert_eq!(finest(width, STEPS_USUAL), expected, "{text}");
        };
        check("1h", TimeseriesStep::Minute);
        check("4h", TimeseriesStep::Minute);
        check("6h", TimeseriesStep::FiveMinutes);
        check("24h", TimeseriesStep::FiveMinutes);
        check("7d", TimeseriesStep::Hour);
        check("30d", TimeseriesStep::Day);
        check("3660d", TimeseriesStep::Day);
    }
}
